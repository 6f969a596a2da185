"""``paxon simulate``: same seeds, same counts; a broken rule ends in exit code 1 and the seed."""

import json

import pytest
from click.testing import CliRunner

from paxon.cli.main import cli
from paxon.sim.plan import PROFILES
from paxon.sim.strikes import PARTS
from tests.mutants import core


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


def test_a_broken_rule_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    core.late_outcomes_not_reported.apply(monkeypatch)
    code, out = simulate("--seeds", "120", "--profile", "hasty", "--json")
    violations = json.loads(out)["violations"]
    assert code == 1
    assert violations
    assert str(violations[0]["seed"]) in violations[0]["story"]


def test_a_fault_that_never_struck_is_a_failure_if_all_are_asked_for() -> None:
    arguments = ("--seeds", "2", "--profile", "calm", "--json")
    assert simulate(*arguments)[0] == 0
    code, out = simulate(*arguments, "--all-faults")
    assert code == 1
    figures = json.loads(out.splitlines()[0])
    assert figures["violations"] == []
    assert figures["faults"]["P1"] == 0
    assert set(figures["parts"]) == set(PARTS)


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--members", "10"], ["--profile", "sunny"], ["--start", "-1"]])
def test_wrong_usage_is_refused(wrong: list[str]) -> None:
    assert simulate(*wrong)[0] == 2
