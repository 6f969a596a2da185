"""Strikes of bad luck: counted by fault, numbered, and left out on demand."""

import pytest

from paxon.sim.agenda import Agenda
from paxon.sim.plan import PROFILES, plan_of
from paxon.sim.strikes import FAULTS, PARTS, Strike, Strikes
from paxon.sim.world import World

STORMY_SEED = 4
"""A seed whose plan has every kind of fault."""


def test_a_strike_is_numbered_counted_and_written_down() -> None:
    strikes = Strikes(Agenda())
    assert strikes.strike("N3", "lose one")
    assert strikes.strike("P1", "kill 2")
    assert strikes.counts == {"N3": 1, "P1": 1}
    assert strikes.diary == [Strike(0, 0, "N3", "lose one"), Strike(1, 0, "P1", "kill 2")]


def test_a_form_of_a_fault_is_counted_by_itself() -> None:
    strikes = Strikes(Agenda(), {1})
    strikes.strike("N1", "halves", "halves")
    strikes.strike("N1", "halves again", "halves")
    strikes.strike("N1", "a bridge", "bridge")
    assert strikes.counts == {"N1": 2}
    assert strikes.parts == {"N1 halves": 1, "N1 bridge": 1}


def test_a_spared_strike_keeps_its_number_and_is_not_counted() -> None:
    strikes = Strikes(Agenda(), {1, "N4"})
    assert [strikes.strike(fault, "") for fault in ("N3", "N3", "N4", "N3")] == [True, False, False, True]
    assert [strike.number for strike in strikes.diary] == [0, 3]
    assert strikes.counts == {"N3": 2}


def test_a_run_without_any_fault_has_none() -> None:
    report = World(STORMY_SEED, spared=frozenset(FAULTS)).run()
    assert report.faults == {}


def test_a_run_is_the_same_up_to_the_first_strike_that_is_spared() -> None:
    whole = World(STORMY_SEED)
    whole.run()
    middle = whole.strikes.diary[len(whole.strikes.diary) // 2]
    spared = World(STORMY_SEED, spared={middle.number})
    spared.run()
    before = [strike for strike in whole.strikes.diary if strike.number < middle.number]
    assert spared.strikes.diary[: len(before)] == before
    assert middle not in spared.strikes.diary


@pytest.mark.parametrize("profile", PROFILES)
def test_every_fault_that_strikes_is_in_the_catalogue(profile: str) -> None:
    report = World(1, plan_of(1, profile)).run()
    assert set(report.faults) <= set(FAULTS)
    assert set(report.parts) <= {f"{fault} {part}" for fault, parts in PARTS.items() for part in parts}


def test_every_form_belongs_to_a_fault_of_the_catalogue() -> None:
    assert set(PARTS) <= set(FAULTS)
