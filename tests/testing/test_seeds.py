"""``simulate``: many seeds as one assertion."""

import pytest

from paxon.errors import ConfigurationError
from paxon.testing import SimulationFailed, options, simulate
from tests.sim.guard import machines


def test_a_good_machine_passes_and_its_bad_luck_is_counted() -> None:
    simulated = simulate(machines.Digested, seeds=4, profile="crashes", members=3)
    assert simulated.seeds == 4
    assert simulated.faults["P1"] > 0
    assert simulated.faults["P8"] > 8
    assert simulated.counts["acknowledged"] > 100


def test_a_bad_machine_fails_with_its_seed_and_the_reason() -> None:
    with pytest.raises(SimulationFailed) as caught:
        simulate(machines.Dated, seeds=3, start=7, profile="calm")
    story = str(caught.value)
    assert "it depends on the clock: datetime.now (machines.py:" in story
    assert "\nseed 7 (calm" in story
    assert "pytest --paxon-start 7 --paxon-seeds 1" in story


def test_a_workload_may_be_given() -> None:
    assert simulate(machines.NothingToDo, seeds=1, workload=machines.deposits).counts["acknowledged"] > 0
    assert simulate(machines.NothingToDo, seeds=1, workload=machines.Accounts).counts["acknowledged"] > 0


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "seeds", 2)
    monkeypatch.setattr(options, "start", 5)
    with pytest.raises(SimulationFailed, match=r"\nseed 5 "):
        simulate(machines.Timed, seeds=50)
    assert simulate(machines.Accounts, seeds=50, profile="calm").seeds == 2


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no method query"):
        simulate(machines.NoQuery, seeds=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="a profile is one of"):
        simulate(machines.Accounts, seeds=1, profile="sunny")
    with pytest.raises(ConfigurationError, match="1 to 9 members"):
        simulate(machines.Accounts, seeds=1, members=10)
