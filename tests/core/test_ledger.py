"""The ledger: contradictions raise, replay is the same call, and memory keeps only a tail."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core import ledger as ledger_module
from paxon.core.decree import NO_BALLOT, NOOP, NodeId, Slot
from paxon.core.ledger import (
    OUTCOME_BYTES,
    Beginning,
    Jumped,
    Ledger,
    Outcome,
    Passed,
    PromisedBallot,
    Record,
    TriedBallot,
    Vote,
)
from paxon.errors import InvariantViolation
from tests.core.build import S1, S2, S3, S4, ballot, decree, outcomes, state_of, written
from tests.core.parliament import Parliament, Sent
from tests.core.steady import steady

A, B = decree("a"), decree("b")
LOW, MIDDLE, HIGH = ballot(1, 2), ballot(2, 1), ballot(2, 2)

CONTRADICTIONS: dict[str, tuple[list[Record], Record]] = {
    "a promise is repeated": ([PromisedBallot(MIDDLE)], PromisedBallot(MIDDLE)),
    "a promise falls": ([PromisedBallot(MIDDLE)], PromisedBallot(LOW)),
    "a promise falls below a vote": ([Vote(S1, MIDDLE, A)], PromisedBallot(LOW)),
    "a promise repeats that of a vote": ([Vote(S1, MIDDLE, A)], PromisedBallot(MIDDLE)),
    "a promise of no ballot": ([], PromisedBallot(NO_BALLOT)),
    "a number is tried twice": ([TriedBallot(MIDDLE)], TriedBallot(MIDDLE)),
    "a lower number is tried": ([TriedBallot(MIDDLE)], TriedBallot(LOW)),
    "a vote below the promise": ([PromisedBallot(MIDDLE)], Vote(S1, LOW, A)),
    "a vote below a vote in another slot": ([Vote(S1, MIDDLE, A)], Vote(S2, LOW, A)),
    "two votes in one ballot": ([Vote(S1, MIDDLE, A)], Vote(S1, MIDDLE, B)),
    "the same vote twice": ([Vote(S1, MIDDLE, A)], Vote(S1, MIDDLE, A)),
    "a vote for what has passed": ([Outcome(S1, A)], Vote(S1, MIDDLE, A)),
    "a vote for what passed beyond a gap": ([Outcome(S3, A)], Vote(S3, MIDDLE, A)),
    "an outcome changes": ([Outcome(S1, A)], Outcome(S1, B)),
    "an outcome is written twice": ([Outcome(S1, A)], Outcome(S1, A)),
    "an outcome beyond a gap is written twice": ([Outcome(S3, A)], Outcome(S3, A)),
    "a vote passed that was not cast": ([], Passed(S1, MIDDLE)),
    "a vote passed that was cast in another slot": ([Vote(S1, MIDDLE, A)], Passed(S2, MIDDLE)),
    "a vote passed that has been overtaken": ([Vote(S1, LOW, A), Vote(S1, MIDDLE, B)], Passed(S1, LOW)),
    "a vote passed that is only promised": ([Vote(S1, LOW, A), PromisedBallot(MIDDLE)], Passed(S1, MIDDLE)),
    "a vote passed twice": ([Vote(S1, LOW, A), Passed(S1, LOW)], Passed(S1, LOW)),
    "a snapshot of less than is known": ([Outcome(S1, A), Outcome(S2, B)], Jumped(S2, 0)),
    "a vote for what a snapshot has": ([Jumped(S3, 0)], Vote(S2, MIDDLE, A)),
    "an outcome that a snapshot has": ([Jumped(S3, 0)], Outcome(S2, A)),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_raises_and_changes_nothing(name: str) -> None:
    before, record = CONTRADICTIONS[name]
    ledger = written(*before)
    with pytest.raises(InvariantViolation):
        ledger.write(record)
    assert state_of(ledger) | {"line": 0} == state_of(written(*before)) | {"line": 0}


@pytest.mark.parametrize(
    ("before", "record"),
    [
        ([PromisedBallot(LOW)], PromisedBallot(MIDDLE)),
        ([TriedBallot(LOW)], TriedBallot(MIDDLE)),
        ([PromisedBallot(MIDDLE)], Vote(S1, MIDDLE, A)),
        ([PromisedBallot(MIDDLE)], Vote(S1, HIGH, A)),
        ([Vote(S1, LOW, A)], Vote(S1, MIDDLE, B)),
        ([Vote(S1, MIDDLE, A)], Vote(S2, MIDDLE, B)),
        ([Vote(S1, MIDDLE, A)], Passed(S1, MIDDLE)),
        ([Vote(S1, MIDDLE, A)], Outcome(S1, B)),
        ([TriedBallot(HIGH)], PromisedBallot(LOW)),
        ([PromisedBallot(HIGH)], TriedBallot(LOW)),
        ([PromisedBallot(HIGH)], Outcome(S1, A)),
    ],
)
def test_what_does_not_contradict_is_taken(before: list[Record], record: Record) -> None:
    ledger = written(*before)
    ledger.write(record)
    assert ledger.line == len(before) + 1


def test_a_vote_is_a_promise_too() -> None:
    ledger = written(Vote(S2, MIDDLE, A))
    assert ledger.next_ballot == MIDDLE
    assert ledger.last_tried == NO_BALLOT
    assert ledger.votes_from(S1) == (Vote(S2, MIDDLE, A),)
    assert ledger.votes_from(S2) == (Vote(S2, MIDDLE, A),)
    assert ledger.votes_from(S3) == ()


def test_an_outcome_takes_the_place_of_a_vote() -> None:
    by_vote = written(Vote(S1, MIDDLE, A), Passed(S1, MIDDLE))
    in_full = written(Vote(S1, MIDDLE, B), Outcome(S1, A))
    for ledger in (by_vote, in_full):
        assert ledger.outcomes == {S1: A}
        assert not ledger.votes
        assert ledger.passed_until == S2
        assert ledger.next_ballot == MIDDLE, "and the promise stays"


def test_what_passed_beyond_a_gap_waits_for_the_gap() -> None:
    ledger = written(Outcome(S2, B), Outcome(S4, A))
    assert ledger.passed_until == S1
    assert ledger.passed_ahead() == (Outcome(S2, B), Outcome(S4, A))
    assert [ledger.knows(slot) for slot in (S1, S2, S3, S4)] == [False, True, False, True]
    ledger.write(Outcome(S1, A))
    assert ledger.passed_until == S3
    assert ledger.passed_ahead() == (Outcome(S4, A),)
    ledger.write(Outcome(S3, NOOP))
    assert ledger.passed_until == 5
    assert ledger.passed_ahead() == ()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_the_order_of_learning_does_not_show(order: tuple[int, ...]) -> None:
    ledger = written(*(Outcome(Slot(number), decree(str(number))) for number in order))
    assert ledger.passed_from(S1, 10**6) == tuple(Outcome(slot, decree(str(slot))) for slot in (S1, S2, S3))


def test_the_stamp_is_the_highest_of_any_vote_or_outcome() -> None:
    ledger = written(Outcome(S2, decree("a", stamp_ms=5)), Vote(S1, LOW, decree("b", stamp_ms=9)))
    assert ledger.stamp_ms == 9
    ledger.write(Outcome(S1, decree("c", stamp_ms=7)))
    assert ledger.stamp_ms == 9


def test_passed_decrees_are_handed_out_in_pieces_that_fit() -> None:
    ledger = written(*outcomes("abcde"))
    each = OUTCOME_BYTES + 1
    assert [len(ledger.passed_from(S1, room)) for room in (0, each - 1, each, 2 * each - 1, 2 * each)] == [
        1,
        1,
        1,
        1,
        2,
    ]
    assert ledger.passed_from(S4, 10**6) == outcomes("de", 4)
    assert ledger.passed_from(Slot(6), 10**6) == ()


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 2)


@pytest.mark.usefixtures("short_memory")
def test_memory_keeps_a_tail_of_what_passed() -> None:
    ledger = written(*outcomes("abcde"), Outcome(Slot(9), A), Vote(Slot(7), LOW, B))
    ledger.forget_what_the_file_keeps()
    assert ledger.kept_from == S4
    assert sorted(ledger.outcomes) == [4, 5, 9], "what lies ahead is never let go"
    assert ledger.passed_until == 6
    assert all(ledger.knows(slot) for slot in (S1, S4, Slot(9)))
    assert ledger.passed_ahead() == (Outcome(Slot(9), A),)
    assert ledger.passed_from(S1, 10**6) == outcomes("de", 4)
    assert ledger.votes_from(S1) == (Vote(Slot(7), LOW, B),)
    with pytest.raises(InvariantViolation):
        ledger.write(Outcome(S1, A))
    with pytest.raises(InvariantViolation):
        ledger.write(Vote(S1, HIGH, A))


def test_memory_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_BYTES", 10)
    ledger = written(Outcome(S1, decree("a" * 8)), Outcome(S2, decree("b" * 8)), Outcome(S3, decree("c" * 3)))
    ledger.forget_what_the_file_keeps()
    assert sorted(ledger.outcomes) == [3], "8 + 3 bytes are over 10"
    ledger.write(Outcome(S4, decree("d" * 7)))
    ledger.forget_what_the_file_keeps()
    assert sorted(ledger.outcomes) == [3, 4]


def test_forgetting_what_fits_changes_nothing() -> None:
    ledger = written(*outcomes("abc"))
    ledger.forget_what_the_file_keeps()
    assert state_of(ledger) == state_of(written(*outcomes("abc")))


BALLOTS = st.builds(ballot, st.integers(1, 3), st.integers(1, 2))
SLOTS = st.integers(1, 4).map(Slot)
DECREES = st.sampled_from([A, B, NOOP])
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(TriedBallot, BALLOTS),
    st.builds(PromisedBallot, BALLOTS),
    st.builds(Vote, SLOTS, BALLOTS, DECREES),
    st.builds(Passed, SLOTS, BALLOTS),
    st.builds(Outcome, SLOTS, DECREES),
)


@steady
@given(st.lists(RECORDS, max_size=30))
def test_the_invariants_hold_whatever_is_offered(records: list[Record]) -> None:
    ledger = Ledger()
    taken: list[Record] = []
    for record in records:
        promised, tried, known = ledger.next_ballot, ledger.last_tried, dict(ledger.outcomes)
        try:
            ledger.write(record)
        except InvariantViolation:
            continue
        taken.append(record)
        assert ledger.next_ballot >= promised
        assert ledger.last_tried >= tried
        assert known.items() <= ledger.outcomes.items()
        assert all(vote.ballot <= ledger.next_ballot for vote in ledger.votes.values())
        assert not ledger.votes.keys() & ledger.outcomes.keys()
        assert all(Slot(slot) in ledger.outcomes for slot in range(1, ledger.passed_until))
        assert ledger.passed_until not in ledger.outcomes
    again = written(*taken)
    assert state_of(again) | {"line": 0} == state_of(ledger) | {"line": 0}


@pytest.mark.parametrize("seed", range(8))
def test_replaying_the_records_of_a_run_gives_the_same_ledger(seed: int) -> None:
    random = Random(seed)
    parliament = Parliament(chance=lambda me: random.randrange(2**32))

    def loses(sent: Sent) -> bool:
        return random.random() < 0.15

    parliament.loses = loses
    for number in range(40):
        parliament.run_for(random.randrange(200))
        for me in parliament.presidents:
            if parliament[me].may_propose:
                parliament.propose(me, f"{number}")
        if random.random() < 0.1:
            victim: NodeId = random.choice(parliament.members)
            if victim in parliament.alive:
                parliament.crash(victim)
            else:
                parliament.start(victim)
    assert parliament.passed, "something happened"
    for me in parliament.alive:
        records = parliament.seats[me].records()
        assert state_of(written(*records)) == state_of(parliament[me].ledger)


def test_a_jump_takes_the_place_of_everything_below_and_of_nothing_else() -> None:
    far = Slot(S4 + 1)
    ledger = written(
        TriedBallot(LOW), Vote(S1, LOW, A), Vote(S3, LOW, B), Vote(far, MIDDLE, B), Outcome(S2, A), Outcome(S4, A)
    )
    ledger.write(Jumped(S4, 90))
    assert ledger.votes == {far: Vote(far, MIDDLE, B)}
    assert ledger.outcomes == {S4: A}
    assert (ledger.kept_from, ledger.passed_until, ledger.known_until) == (S4, far, far)
    assert (ledger.last_tried, ledger.next_ballot) == (LOW, MIDDLE), "promises bind in every slot"
    assert ledger.stamp_ms == 90
    assert ledger.line == 7


def test_a_jump_counts_the_bytes_that_it_drops() -> None:
    ledger = written(Outcome(S2, A), Outcome(S3, A))
    ledger.write(Jumped(S4, 0))
    assert ledger._kept_bytes == 0


HISTORY: list[Record] = [
    TriedBallot(LOW),
    Vote(S1, LOW, A),
    Vote(S2, LOW, A),
    Passed(S1, LOW),
    Vote(S3, MIDDLE, B),
    Passed(S2, LOW),
    Vote(S4, MIDDLE, A),
    Passed(S3, MIDDLE),
    PromisedBallot(HIGH),
]
"""Slots 1 to 3 passed, and slot 4 has a vote."""


@pytest.mark.parametrize(("gone", "slot"), [(0, S1), (1, S1), (2, S2), (2, S3), (4, S3), (4, S4), (6, S4)])
def test_a_ledger_without_its_oldest_records_binds_as_the_whole_one_does(gone: int, slot: Slot) -> None:
    """Whatever is gone, the ballots at the place and a slot below which everything passed make up for it."""
    whole, before = written(*HISTORY), written(*HISTORY[:gone])
    ledger = Ledger(Beginning(gone, before.last_tried, before.next_ballot, slot, whole.stamp_ms))
    for record in HISTORY[gone:]:
        ledger.replay(record)
    assert ledger.line == whole.line
    assert (ledger.last_tried, ledger.next_ballot, ledger.votes) == (whole.last_tried, whole.next_ballot, whole.votes)
    assert (ledger.passed_until, ledger.known_until) == (whole.passed_until, whole.known_until)
    assert ledger.outcomes == {known: decree for known, decree in whole.outcomes.items() if known >= slot}


def test_a_vote_below_the_beginning_is_still_a_promise() -> None:
    ledger = Ledger(Beginning(3, LOW, LOW, S3))
    ledger.replay(Vote(S2, HIGH, A))
    assert (ledger.next_ballot, ledger.votes, ledger.line) == (HIGH, {}, 4)


def test_what_was_jumped_over_before_the_beginning_is_no_news() -> None:
    ledger = Ledger(Beginning(3, LOW, LOW, S3))
    for record in (Jumped(S2, 0), Passed(S1, LOW), Outcome(S2, A)):
        ledger.replay(record)
    assert (ledger.passed_until, ledger.line) == (S3, 6)


def test_a_jump_over_what_the_beginning_has_finds_what_came_after_it_known_already() -> None:
    """Slot 3 was known beyond a gap, slots 1 and 2 were jumped over, and a beginning within the gap fills it."""
    whole = written(Outcome(S3, A), Jumped(S3, 7))
    ledger = Ledger(Beginning(0, NO_BALLOT, NO_BALLOT, S2))
    for record in (Outcome(S2, B), Outcome(S3, A), Jumped(S3, 7)):
        ledger.replay(record)
    assert (ledger.passed_until, ledger.known_until) == (whole.passed_until, whole.known_until) == (S4, S4)
    assert ledger.stamp_ms == whole.stamp_ms
