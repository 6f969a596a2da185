"""``paxon simulate``: same seeds, same counts; a broken rule ends in exit code 1 and the seed."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from paxon.cli.main import cli
from paxon.sim.campaign import Tally
from paxon.sim.plan import PROFILES
from paxon.sim.strikes import PARTS
from tests.mutants import core

MACHINES = "tests.sim.guard.machines"


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Scenarios and pictures of broken rules go to the current directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("simulate"))


def simulate(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["simulate", "--jobs", "1", *arguments])
    return result.exit_code, result.stdout


def test_it_counts_what_was_injected() -> None:
    code, out = simulate("--seeds", "6", "--json")
    figures = json.loads(out)
    assert code == 0
    assert figures["seeds"] == 6
    assert figures["violations"] == []
    assert figures["simulated_s"] > 60
    assert figures["counts"]["lost"] > 0
    assert figures["counts"]["crashes"] > 0


def test_one_process_or_two_make_no_difference() -> None:
    _, alone = simulate("--seeds", "6", "--start", "3", "--json")
    result = CliRunner().invoke(cli, ["simulate", "--seeds", "6", "--start", "3", "--jobs", "2", "--json"])
    assert json.loads(alone)["counts"] == json.loads(result.stdout)["counts"]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_runs_with_a_given_number_of_members(profile: str) -> None:
    code, out = simulate("--seeds", "1", "--profile", profile, "--members", "4")
    assert code == 0
    assert "1 seeds, 0 broke a rule" in out


def test_a_broken_rule_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    core.promise_forgotten.apply(monkeypatch)
    code, out = simulate("--seeds", "2", "--json", "--no-shrink", "--output", str(tmp_path))
    violations = json.loads(out)["violations"]
    assert code == 1
    assert [violation["seed"] for violation in violations] == [0, 1]
    assert all(str(violation["seed"]) in violation["story"] for violation in violations)
    assert [violation.get("scenario") for violation in violations] == [str(tmp_path / "paxon-seed-0.json"), None]


def test_a_broken_rule_is_shrunk_saved_drawn_and_played_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    core.promise_forgotten.apply(monkeypatch)
    code, out = simulate("--start", "1", "--seeds", "1", "--output", str(tmp_path))
    assert code == 1
    scenario, picture = tmp_path / "paxon-seed-1.json", tmp_path / "paxon-seed-1.html"
    assert f"again:   paxon simulate --replay {scenario}\npicture: {picture}\n" in out
    assert re.search(r"shrunk from [\d,]+ strikes to \d+ in \d+ runs", out)
    claim = json.loads(scenario.read_bytes())["claim"]
    assert out.startswith(f"seed 1 broke a rule: {claim}\n")
    assert f'<p class="claim">{claim}</p>' in picture.read_text(encoding="utf-8")
    code, again = simulate("--replay", str(scenario))
    assert code == 1
    assert again.endswith(f"broken: {claim}\n")
    assert again.rstrip() in out


def test_a_scenario_that_no_longer_breaks_a_rule_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        core.promise_forgotten.apply(patch)
        simulate("--start", "1", "--seeds", "1", "--no-shrink", "--output", str(tmp_path))
    code, out = simulate("--replay", str(tmp_path / "paxon-seed-1.json"))
    assert code == 0
    assert "no rule broke" in out
    code, out = simulate("--replay", str(tmp_path / "paxon-seed-1.json"), "--json")
    assert json.loads(out)["claim"] == ""


def test_a_run_without_a_broken_rule_is_drawn_on_demand(tmp_path: Path) -> None:
    picture = tmp_path / "run.html"
    code, _ = simulate("--start", "7", "--seeds", "1", "--picture", str(picture))
    assert code == 0
    assert "Paxon, seed 7" in picture.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [picture]


def test_a_window_of_a_run_is_drawn_for_documents(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.svg", tmp_path / "part.svg"
    assert simulate("--start", "7", "--seeds", "1", "--svg", str(whole))[0] == 0
    assert simulate("--start", "7", "--seeds", "1", "--svg", str(part), "--window", "600", "700")[0] == 0
    assert part.read_text(encoding="utf-8").startswith("<svg ")
    assert part.stat().st_size < whole.stat().st_size


@pytest.mark.parametrize("content", ["no json", "{}", '{"seed": "one"}', '{"seed": 1, "profile": "sunny"}', "\xff"])
def test_what_is_no_scenario_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(content, encoding="latin-1")
    code, out = simulate("--replay", str(file))
    assert (code, out) == (2, "")


def test_a_fault_that_never_struck_is_a_failure_if_all_are_asked_for() -> None:
    arguments = ("--seeds", "2", "--profile", "calm", "--json")
    assert simulate(*arguments)[0] == 0
    code, out = simulate(*arguments, "--all-faults")
    assert code == 1
    figures = json.loads(out.splitlines()[0])
    assert figures["violations"] == []
    assert figures["faults"]["P1"] == 0
    assert set(figures["parts"]) == set(PARTS)


def test_only_a_users_machine_is_asked_for_the_faults_of_one() -> None:
    tally = Tally()
    assert "P8" in tally.missed(of_a_machine=True)
    assert "P8" not in tally.missed(of_a_machine=False)


def test_a_users_state_machine_goes_through_the_seeds() -> None:
    code, out = simulate("--seeds", "4", "--machine", "paxon.kv.name_server:NameServer", "--json")
    figures = json.loads(out)
    assert code == 0
    assert figures["violations"] == []
    assert figures["faults"]["P8"] > 0
    assert figures["counts"]["commands compared"] > 0


def test_two_processes_find_the_same_in_it_as_one() -> None:
    arguments = ["--seeds", "4", "--machine", f"{MACHINES}:Accounts", "--json"]
    _, alone = simulate(*arguments)
    result = CliRunner().invoke(cli, ["simulate", *arguments, "--jobs", "2"])
    assert json.loads(alone)["faults"] == json.loads(result.stdout)["faults"]


def test_a_hidden_dependence_is_told_with_the_way_to_see_it_again() -> None:
    code, out = simulate("--seeds", "1", "--start", "3", "--machine", f"{MACHINES}:Timed")
    assert code == 1
    assert "it depends on the clock: time.time (machines.py:" in out
    assert f"again: paxon simulate --machine {MACHINES}:Timed --start 3 --seeds 1\n" in out


def test_a_workload_may_be_named_beside_the_machine() -> None:
    code, out = simulate("--seeds", "1", "--machine", f"{MACHINES}:NothingToDo", "--workload", f"{MACHINES}:deposits")
    assert code == 0
    assert "commands compared" in out


def test_the_history_of_a_violation_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    core.late_outcomes_not_reported.apply(monkeypatch)
    page = tmp_path / "history.html"
    code, _ = simulate("--seeds", "3", "--profile", "hasty", "--history", str(page))
    assert code == 1
    assert "<h1" in page.read_text(encoding="utf-8")


def test_without_a_violation_no_history_is_drawn(tmp_path: Path) -> None:
    assert simulate("--seeds", "1", "--history", str(tmp_path / "history.html"))[0] == 0
    assert not list(tmp_path.iterdir())


WRONG_MACHINES = {
    "nowhere.bank:Bank": "module nowhere.bank cannot be imported: No module named 'nowhere'",
    "paxon.kv.name_server:Bank": "module paxon.kv.name_server has no Bank",
    "paxon.kv.name_server": "not of the form package.module:Name",
    f"{MACHINES}:NAMES": "is no class and no function that makes a state machine",
    f"{MACHINES}:NoQuery": "no state machine: it has no method query(question)",
    f"{MACHINES}:NothingToDo": "nothing is known to ask",
}


@pytest.mark.parametrize("name", WRONG_MACHINES)
def test_a_wrong_machine_is_refused_with_what_is_wrong(name: str) -> None:
    result = CliRunner().invoke(cli, ["simulate", "--seeds", "1", "--machine", name])
    assert result.exit_code == 2
    assert WRONG_MACHINES[name] in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--workload", f"{MACHINES}:deposits"],
        ["--machine", f"{MACHINES}:Accounts", "--history", "x.html"],
        ["--machine", f"{MACHINES}:Accounts", "--workload", f"{MACHINES}:nothing"],
    ],
)
def test_options_that_do_not_go_together_are_refused(wrong: list[str]) -> None:
    assert simulate("--seeds", "1", *wrong)[0] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ["--seeds", "0"],
        ["--members", "10"],
        ["--profile", "sunny"],
        ["--start", "-1"],
        ["--shrink-runs", "0"],
        ["--output", "no/such/folder"],
        ["--replay", "no-such-file.json"],
        ["--seeds", "2", "--picture", "run.html"],
        ["--seeds", "1", "--picture", "no/such/folder/run.html"],
        ["--seeds", "1", "--picture", "."],
    ],
)
def test_wrong_usage_is_refused(wrong: list[str]) -> None:
    assert simulate(*wrong)[0] == 2
