"""A campaign: the same seeds whoever runs them, kept on disk one by one, and continued after any end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from paxon.cli.main import cli
from paxon.core.ledger import Ledger
from paxon.errors import ConfigurationError
from paxon.sim import crew, dask_crew
from paxon.sim.build import build
from paxon.sim.campaign import VIOLATIONS_MAX, Crew, Tally, run_campaign
from paxon.sim.campaign_state import CampaignState
from paxon.sim.crew import DEATHS_MAX, LocalCrew
from paxon.sim.dask_crew import DaskCrew, run_seed_of
from paxon.sim.outcome import Campaign, Outcome, run_seed
from paxon.sim.plan import LONG_FROM, plan_of


def made_up(seed: int) -> Outcome:
    """A seed of two simulated seconds that breaks a rule if it is 3."""
    return Outcome(
        seed, lived_ms=2_000, counts={"events": 1}, faults={"N1": seed}, violation="broken" if seed == 3 else ""
    )


def quick_crew(campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
    return (made_up(seed) for seed in seeds)


def run(campaign: Campaign, path: Path | None = None, crew: Crew = quick_crew) -> Tally:
    if path is None:
        return run_campaign(campaign, crew, lambda _: None)
    with CampaignState(path, campaign) as state:
        return run_campaign(campaign, crew, lambda _: None, state)


def figures(tally: Tally) -> tuple[object, ...]:
    """All of a tally that does not depend on how long it took."""
    return tally.seeds, tally.simulated_s, tally.counts, tally.faults, [outcome.seed for outcome in tally.violations]


# --- how much ---


def test_so_many_seeds_as_asked_for() -> None:
    tally = run(Campaign(2, seeds=4))
    assert figures(tally) == (4, 8.0, {"events": 4}, {"N1": 2 + 3 + 4 + 5}, [3])


def test_so_many_hours_as_asked_for() -> None:
    assert run(Campaign(10, hours=9 / 3_600)).seeds == 5


def test_a_build_that_breaks_everything_is_not_run_for_hours() -> None:
    def broken_crew(campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
        return (Outcome(seed, violation="broken") for seed in seeds)

    tally = run(Campaign(0, hours=1.0), crew=broken_crew)
    assert len(tally.violations) == VIOLATIONS_MAX


def test_what_a_seed_lived_before_it_broke_a_rule_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "passed_ahead", lambda self: ())
    outcomes = [run_seed(Campaign(0, 1, profile="hasty"), seed) for seed in range(60)]
    broken = [outcome for outcome in outcomes if outcome.violation]
    assert broken
    assert all(outcome.lived_ms > 0 and outcome.counts["letters"] > 0 for outcome in broken)


def test_once_halted_no_seed_is_begun() -> None:
    heard: list[int] = []
    tally = run_campaign(Campaign(0, 9), quick_crew, lambda tally: heard.append(tally.seeds), None, lambda: 4 in heard)
    assert tally.seeds == 4


def test_half_of_the_storms_of_a_campaign_of_hours_are_long_and_none_of_hasty_members() -> None:
    usual = plan_of(0, "lossy").storm_ms
    assert {plan_of(seed, "lossy").storm_ms for seed in range(60)} == {usual}
    many = range(LONG_FROM, LONG_FROM + 60)
    assert 10 < sum(plan_of(seed, "lossy").storm_ms > usual for seed in many) < 50
    assert not any(plan_of(seed, "hasty").storm_ms > usual for seed in many)


# --- the file ---


def test_a_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = run(Campaign(0, 8))
    run(Campaign(0, 3), tmp_path / "state")
    begun: list[int] = []

    def crew(campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
        for seed in seeds:
            begun.append(seed)
            yield made_up(seed)

    assert figures(run(Campaign(0, 8), tmp_path / "state", crew)) == figures(whole)
    assert begun == [3, 4, 5, 6, 7]


def test_seeds_that_ended_in_another_order_are_not_run_again(tmp_path: Path) -> None:
    def backwards(campaign: Campaign, seeds: Iterator[int]) -> Iterator[Outcome]:
        return (made_up(seed) for seed in reversed(list(seeds)))

    whole = run(Campaign(0, 8))
    run(Campaign(2, 4), tmp_path / "state", backwards)
    assert run(Campaign(2, 4), tmp_path / "state").seeds == 4
    assert figures(run(Campaign(0, 8))) == figures(whole)


def test_a_line_that_was_being_written_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "state"
    run(Campaign(0, 3), path)
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(last) + 1):
        path.write_bytes(whole[:-cut])
        assert figures(run(Campaign(0, 3), path)) == figures(run(Campaign(0, 3)))
        assert len(path.read_bytes().splitlines()) == len(whole.splitlines())


@pytest.mark.parametrize(
    "other",
    [Campaign(1, 3), Campaign(0, 3, profile="lossy"), Campaign(0, 3, members=5)],
    ids=["start", "profile", "members"],
)
def test_the_file_of_another_campaign_is_refused(tmp_path: Path, other: Campaign) -> None:
    run(Campaign(0, 3), tmp_path / "state")
    with pytest.raises(ConfigurationError, match="another campaign"):
        run(other, tmp_path / "state")


def test_the_file_of_another_build_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(Campaign(0, 3), tmp_path / "state")
    monkeypatch.setattr("paxon.sim.campaign_state.build", lambda: "0.0.0+other")
    with pytest.raises(ConfigurationError, match=r"0\.0\.0\+other"):
        run(Campaign(0, 3), tmp_path / "state")


@pytest.mark.parametrize("line", [0, 2])
def test_a_damaged_line_is_refused_and_kept(tmp_path: Path, line: int) -> None:
    path = tmp_path / "state"
    run(Campaign(0, 3), path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line][5:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(ConfigurationError, match="damaged"):
        run(Campaign(0, 3), path)
    assert path.read_bytes() == b"".join(lines)


def test_two_campaigns_do_not_share_a_file(tmp_path: Path) -> None:
    with CampaignState(tmp_path / "state", Campaign(0, 3)), pytest.raises(ConfigurationError, match="in use"):
        CampaignState(tmp_path / "state", Campaign(0, 3))


KILLED = """
import os, signal, sys
from pathlib import Path
from paxon.sim import campaign_state
from paxon.sim.campaign import run_campaign
from paxon.sim.crew import LocalCrew
from paxon.sim.outcome import Campaign

written = 0
def write(file, data):
    global written
    written += 1
    if written == 3:  # a heading, a seed, and the middle of the next
        really(file, data[:len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return really(file, data)

really, campaign_state.os.write = os.write, write
campaign = Campaign(0, 4)
run_campaign(campaign, LocalCrew(1), lambda _: None, campaign_state.CampaignState(Path(sys.argv[1]), campaign))
"""


def test_a_campaign_that_is_killed_in_the_middle_of_a_line_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    path = tmp_path / "state"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.read_bytes().endswith(b"\n")
    campaign = Campaign(0, 4)
    assert figures(run(campaign, path, LocalCrew(1))) == figures(run(campaign, crew=LocalCrew(1)))


# --- the command ---


def test_ctrl_c_ends_in_good_order_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(campaign: Campaign, seed: int) -> Outcome:
        if seed == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return made_up(seed)

    command = ["simulate", "--start", "10", "--seeds", "5", "--jobs", "1", "--json", "--state", str(tmp_path / "state")]
    monkeypatch.setattr(crew, "run_seed", interrupted)
    first = CliRunner().invoke(cli, command)
    assert first.exit_code == 130
    assert json.loads(first.stdout)["interrupted"] is True
    assert json.loads(first.stdout)["seeds"] == 3
    assert "under way" in first.stderr
    monkeypatch.setattr(crew, "run_seed", lambda campaign, seed: made_up(seed))
    second = CliRunner().invoke(cli, command)
    assert second.exit_code == 0
    assert json.loads(second.stdout)["seeds"] == 5


def test_hours_and_seeds_are_not_given_together() -> None:
    assert CliRunner().invoke(cli, ["simulate", "--seeds", "1", "--hours", "1"]).exit_code == 2


def test_hours_begin_where_long_storms_are() -> None:
    result = CliRunner().invoke(cli, ["simulate", "--hours", "0.001", "--jobs", "1", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["simulated_s"] >= 3.6


# --- processes ---


def deadly(campaign: Campaign, seed: int) -> Outcome:
    """Runs in a process of the crew: one seed kills it always, another the first time."""
    once = Path(campaign.profile or "")
    if seed == 2 or (seed == 4 and not once.exists()):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return made_up(seed)


def test_seeds_of_a_process_that_died_are_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "run_seed", deadly)
    tally = run(Campaign(0, 7, profile=str(tmp_path / "once")), crew=LocalCrew(2))
    assert tally.seeds == 7
    stories = {outcome.seed: outcome.violation for outcome in tally.violations}
    assert set(stories) == {2, 3}
    assert f"died, {DEATHS_MAX} times" in stories[2]


# --- other machines ---


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'paxon\[campaign\]'"):
        DaskCrew("tcp://127.0.0.1:1")


def test_a_worker_of_another_build_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_crew, "run_seed", lambda campaign, seed: pytest.fail("it ran"))
    with pytest.raises(ConfigurationError, match="install the same"):
        run_seed_of("0.0.0+other", Campaign(0, 1), 0)


def test_a_build_is_a_version_and_its_source() -> None:
    version, _, checksum = build().partition("+")
    assert version
    assert len(checksum) == 16


def test_a_campaign_on_dask_finds_the_same_though_a_worker_is_killed() -> None:
    program = Path(__file__).with_name("dask_program.py")
    result = subprocess.run([sys.executable, program, "8"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    alone = run(Campaign(0, 8), crew=LocalCrew(1))
    assert found == {"seeds": 8, "counts": alone.counts, "faults": alone.faults, "violations": []}
