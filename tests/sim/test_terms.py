"""Holders of offices in the simulator: never two at once while clocks stay inside the bound; broken rules are noticed.

``make simulate`` runs a hundred other seeds of them.
"""

from collections import Counter

import pytest
from msgspec import msgpack

from paxon.collections.seats import Ended, Grant, Granted
from paxon.collections.terms import Terms
from paxon.core.decree import Slot
from paxon.errors import InvariantViolation
from paxon.rsm.feed import Event
from paxon.rsm.machine import Context
from paxon.sim.choice import TERMS_EVERY, subject_of
from paxon.sim.plan import PROFILES, plan_of
from paxon.sim.replica import Replica, marked
from paxon.sim.terms.calls import OFFICES, PART, seeking, standing_in
from paxon.sim.terms.judge import Judge
from paxon.sim.terms.subject import SKEWS_MS, TermSubject
from paxon.sim.world import Report, Violation, World
from tests.mutants import collections, offices, recipes
from tests.mutants.mutant import Mutant

SEEDS = range(3_000, 3_000 + 2 * len(PROFILES))
"""Two of every mix of faults."""

OFFICE = OFFICES[0]


def run(seed: int) -> Report:
    return World(seed, subject=TermSubject()).run()


# --- whole runs ---


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    """What the runs of all these seeds were like; each of them fails if a rule breaks."""
    return sum((Counter(run(seed).counts) for seed in SEEDS), Counter())


def test_every_rule_holds_and_the_runs_contain_what_they_are_meant_to_contain(counts: Counter[str]) -> None:
    wanted = (
        "holders died",
        "holders stopped",
        "late writes refused",
        "leader crashes",
        "starts from a snapshot",
        "terms granted",
        "terms lapsed",
        "terms resigned",
        "writes in office",
    )
    assert [name for name in wanted if not counts[name]] == []
    assert counts["terms granted"] > 4 * len(SEEDS)


def test_clocks_that_jump_are_beyond_the_bound_or_kept_from_it() -> None:
    jumping = [seed for seed in range(200) if plan_of(seed).machines.clock_step_every_ms]
    subjects = {seed: TermSubject() for seed in jumping}
    plans = {seed: subject.plan(seed, plan_of(seed)) for seed, subject in subjects.items()}
    within = [seed for seed, subject in subjects.items() if subject._judge.is_within]
    assert 0 < len(within) < len(jumping)
    for seed, plan in plans.items():
        assert bool(plan.machines.clock_step_every_ms) == (seed not in within)
        assert (plan.machines.skew_ms in SKEWS_MS) == (seed in within)


def test_a_part_of_the_seeds_has_offices_and_with_every_mix_of_faults() -> None:
    seeds = [seed for seed in range(1_000) if isinstance(subject_of(seed, None, None), TermSubject)]
    assert len(seeds) == 1_000 // TERMS_EVERY
    assert {seed % len(PROFILES) for seed in seeds} == set(range(len(PROFILES)))


MUTANTS: dict[Mutant, str] = {
    recipes.clocks_are_taken_for_equal: "two hold office",
    offices.holders_count_too_long: "two hold office",
    offices.terms_end_by_a_members_own_clock: "S7|has the state that everybody has",
    offices.terms_end_early: "two hold office",
    collections.everybody_holds_the_office: "S7",
    collections.tokens_stand_still: "a token is greater",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)
    with pytest.raises(Violation, match=rf"\A[^\n]*({MUTANTS[mutant]})[^\0]*--workload terms"):
        _run_seeds()


def _run_seeds() -> None:
    for seed in range(40, 1_000):
        run(seed)


# --- the machine ---


def test_members_end_a_term_at_the_same_command() -> None:
    members = [Replica(f"m{number}", {PART: Terms()}) for number in range(3)]
    announcement = members[0].errand(is_leader=False, now_ms=0)
    assert announcement is not None
    ttl_ms = 1_000
    told: list[list[object]] = [[] for _ in members]
    for member in members:
        member.apply(marked(1, announcement), Context(Slot(1), 0))
    for slot, (seeker, now_ms) in enumerate(((b"a", 0), (b"b", 0), (b"b", 950), (b"b", 1_000)), start=2):
        for member, answers in zip(members, told, strict=True):
            call = marked(slot, seeking(OFFICE, seeker, ttl_ms))
            answers.append(standing_in(member.apply(call, Context(Slot(slot), now_ms))))
    assert told[1:] == [told[0], told[0]]
    assert [isinstance(standing, Grant) for standing in told[0]] == [True, False, False, True]


# --- the judge ---


class Somebody:
    """A believer that believes what it is told."""

    def __init__(self, seeker: bytes) -> None:
        self.seeker = seeker
        self.believes = True


class Court:
    """A judge, and offices that it hears of."""

    def __init__(self) -> None:
        self.judge = Judge()

    def granted(self, seeker: bytes, token: int) -> None:
        self._tell(Granted(OFFICE, seeker, token, 0, 1, ""))

    def ended(self, seeker: bytes, token: int) -> None:
        self._tell(Ended(OFFICE, seeker, token, has_lapsed=True))

    def _tell(self, event: Granted | Ended) -> None:
        self.judge.decided([Event(1, 1, PART, f"term/{OFFICE}", msgpack.encode(event))])

    def handed_over(self) -> None:
        """An office went from a to b."""
        self.granted(b"a", 1)
        self.ended(b"a", 1)
        self.granted(b"b", 2)


@pytest.fixture
def court() -> Court:
    return Court()


def test_holders_one_after_the_other_are_not_accused(court: Court) -> None:
    a, b = Somebody(b"a"), Somebody(b"b")
    court.granted(b"a", 1)
    court.judge.believes(OFFICE, a)
    court.judge.wrote(OFFICE, b"a", 1, is_in_office=True)
    a.believes = False
    court.ended(b"a", 1)
    court.granted(b"b", 2)
    court.judge.believes(OFFICE, b)
    court.judge.wrote(OFFICE, b"b", 2, is_in_office=True)
    court.judge.wrote(OFFICE, b"a", 1, is_in_office=False)
    assert court.judge.counts["late writes refused"] == 1


def test_two_who_believe_are_noticed_inside_the_bound_and_counted_beyond_it(court: Court) -> None:
    court.handed_over()
    court.judge.believes(OFFICE, Somebody(b"a"))
    with pytest.raises(InvariantViolation, match="two hold office"):
        court.judge.believes(OFFICE, Somebody(b"b"))
    court.judge.is_within = False
    court.judge.believes(OFFICE, Somebody(b"b"))
    assert court.judge.counts["two holders, with clocks beyond the bound"] == 1


def test_two_grants_of_one_office_are_noticed(court: Court) -> None:
    court.granted(b"a", 1)
    with pytest.raises(InvariantViolation, match="S7"):
        court.granted(b"b", 2)


def test_a_token_that_does_not_grow_is_noticed(court: Court) -> None:
    court.granted(b"a", 7)
    court.ended(b"a", 7)
    with pytest.raises(InvariantViolation, match="a token is greater"):
        court.granted(b"b", 7)


def test_a_belief_without_a_grant_is_noticed(court: Court) -> None:
    with pytest.raises(InvariantViolation, match="was granted"):
        court.judge.believes(OFFICE, Somebody(b"a"))


def test_a_fence_that_keeps_out_whoever_holds_the_office_is_noticed(court: Court) -> None:
    court.handed_over()
    court.judge.wrote(OFFICE, b"b", 2, is_in_office=True)
    with pytest.raises(InvariantViolation, match="is not refused"):
        court.judge.wrote(OFFICE, b"a", 1, is_in_office=True)


def test_a_fence_that_lets_an_earlier_holder_pass_is_noticed(court: Court) -> None:
    court.handed_over()
    court.judge.wrote(OFFICE, b"b", 2, is_in_office=True)
    with pytest.raises(InvariantViolation, match="a write of an earlier term"):
        court.judge.wrote(OFFICE, b"a", 2, is_in_office=False)
