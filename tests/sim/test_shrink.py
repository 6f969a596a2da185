"""A scenario that breaks a rule is made smaller, still breaks the same rule, and breaks none in the code as it is."""

import pytest
from msgspec import structs

from paxon.errors import ConfigurationError
from paxon.sim.deal import Deal
from paxon.sim.recording import Recording
from paxon.sim.scenario import Run, Scenario, is_same_claim, play
from paxon.sim.shrink import Shrunk, shrink
from tests.mutants import core, host
from tests.mutants.mutant import Mutant

RUNS_MAX = 60


def shrunk(scenario: Scenario, mutant: Mutant) -> tuple[Run, Shrunk, Run]:
    """The run of ``scenario`` with a broken rule, what is left of it, and its run replayed from its file."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.apply(patch)
        small = shrink(scenario, RUNS_MAX)
        return play(scenario), small, play(Scenario.load(small.scenario.dump()))


@pytest.mark.parametrize(
    ("mutant", "seed"),
    [
        (core.promise_forgotten, 23),
        (host.forwards_begun_twice, 4),
        (core.late_outcomes_not_reported, 37),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_far_less_bad_luck_breaks_the_same_rule(mutant: Mutant, seed: int) -> None:
    whole, small, again = shrunk(Scenario(seed), mutant)
    strikes = small.scenario.strikes or ()
    assert is_same_claim(small.run.claim, whole.claim)
    assert len(strikes) <= len(whole.strikes) / 4
    assert small.strikes_before == len(whole.strikes)
    assert small.runs <= RUNS_MAX
    assert again == small.run
    assert again.strikes == strikes
    assert play(small.scenario).claim == ""


def test_a_rule_that_breaks_without_bad_luck_is_shrunk_to_none() -> None:
    _, small, _ = shrunk(Scenario(1), core.promise_forgotten)
    assert small.scenario.strikes == ()
    assert small.scenario.plan.storm_ms < Scenario(1).plan.storm_ms


def test_clients_ask_less_often_where_that_breaks_the_same_rule() -> None:
    _, small, _ = shrunk(Scenario(8), host.forwards_begun_twice)
    assert small.scenario.plan.request_every_ms > Scenario(8).plan.request_every_ms


def test_one_run_shrinks_nothing_and_fixes_what_struck() -> None:
    with pytest.MonkeyPatch.context() as patch:
        core.promise_forgotten.apply(patch)
        whole = play(Scenario(4))
        small = shrink(Scenario(4), 1)
    assert small.run == whole
    assert small.scenario.strikes == whole.strikes
    assert small.runs == 1


def test_what_breaks_no_rule_cannot_be_shrunk() -> None:
    with pytest.raises(ConfigurationError, match="nothing to shrink"):
        shrink(Scenario(3))


def test_a_scenario_of_all_its_strikes_is_the_run_of_its_seed() -> None:
    recording, again = Recording(), Recording()
    whole = play(Scenario(10), recording)
    assert play(Scenario(10, strikes=whole.strikes), again) == whole
    assert again.moments == recording.moments
    assert {strike.fault for strike in whole.strikes} - {"C2"}


def test_a_scenario_without_strikes_has_none() -> None:
    assert play(Scenario(10, strikes=())).strikes == ()


def test_a_scenario_is_told_with_its_strikes_in_order() -> None:
    stormy = Scenario(10, profile="everything")
    whole = play(stormy)
    first, *told = structs.replace(stormy, strikes=whole.strikes[:3], storm_ms=500).words
    assert first.startswith("seed 10, faults of everything for 500 ms, ")
    assert told == [f"at {strike.at_ms:,} ms {strike.what} ({strike.fault})" for strike in whole.strikes[:3]]
    assert "135 strikes of bad luck, and then" in structs.replace(stormy, strikes=whole.strikes[:175]).words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("I7: member 3 promises ballot 1.3", "I7: member 2 promises ballot 14.2", True),
        ("twice (slot 5, b'put 2 r1 ..')", "twice (slot 6, b'poison 3 r1 ')", True),
        ("I7: member 3 promises", "I6: member 3 promises", True),
        ("I7: member 3 promises", "I7: member 3 votes", False),
        ("I7: member 3 promises", "", False),
        ("", "", False),
    ],
)
def test_the_same_claim_is_the_same_words(one: str, other: str, same: bool) -> None:
    assert is_same_claim(one, other) is same


def test_a_scenario_is_read_as_it_was_written() -> None:
    scenario = Scenario(10, "hasty", 3, 500, 60, strikes=play(Scenario(10)).strikes[:5], claim="I1")
    assert Scenario.load(scenario.dump()) == scenario


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"profile": "sunny"}, {"members": 0}, {"members": 99}, {"storm_ms": -1}, {"request_every_ms": -5}],
)
def test_a_scenario_that_cannot_be_played_is_refused(wrong: dict[str, object]) -> None:
    content = structs.replace(Scenario(1), **wrong).dump()
    with pytest.raises(ConfigurationError, match="no scenario"):
        Scenario.load(content)


def test_a_letter_is_dealt_its_fate_whatever_else_is_sent() -> None:
    one, other = Deal("salt"), Deal("salt")
    alone = [one.of("1>2 Voted 2.1 slot 7").random() for _ in range(3)]
    between = []
    for _ in range(3):
        other.of("3>1 Canvass").random()
        between.append(other.of("1>2 Voted 2.1 slot 7").random())
    assert between == alone
    assert len(set(alone)) == 3
    assert Deal("another").of("1>2 Voted 2.1 slot 7").random() not in alone
