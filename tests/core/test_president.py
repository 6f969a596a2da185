"""Steps 1, 3 and 5 in many slots: what a president begins, in which order, how often, and when it stops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core import ledger as ledger_module
from paxon.core import voter as voter_module
from paxon.core.decree import NO_BALLOT, NOOP, ROUND_MAX, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, PromisedBallot, TriedBallot, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    HandOver,
    Lacking,
    LastVote,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.president import GAPS_MAX, RESENT_MAX, STUCK_TIMEOUTS
from paxon.core.roster import ROSTER_LAG, Flexible, Weighted
from paxon.core.slip import Polling, Trying
from paxon.core.timing import Timing
from paxon.errors import InvariantViolation
from tests.core.build import (
    ALONE,
    FIVE,
    M1,
    M2,
    M3,
    M4,
    M5,
    S1,
    S2,
    S3,
    S4,
    S5,
    ballot,
    decree,
    idle,
    outcomes,
    own_promise,
    polling,
    polling_slip,
    promise,
    stand,
    to,
    trying,
    trying_slip,
)
from tests.core.parliament import Parliament, Sent
from tests.core.steady import steady

EARLY, LATE = ballot(1, 2), ballot(2, 3)
TIMING = Timing(presence_ms=100, election_timeout_ms=600, retransmit_ms=200, flush_ms=5)


def pass_slot(president: Legislator, slot: Slot, now_ms: int = 0) -> Effects:
    """The votes of members 1 and 2 arrive.  Returns what the second did."""
    own = polling_slip(president).ballot
    president.receive(M1, Voted(own, slot), now_ms)
    return president.receive(M2, Voted(own, slot), now_ms)


def has_room(president: Legislator) -> bool:
    """``may_propose``, asked anew."""
    return president.may_propose


def begun(effects: Effects) -> list[tuple[Slot, Decree]]:
    """What was begun, each once, in order."""
    found: list[tuple[Slot, Decree]] = []
    for letter in effects.letters:
        if isinstance(letter.message, BeginBallot):
            pair = (letter.message.slot, letter.message.decree)
            if pair not in found:
                found.append(pair)
    return found


# --- steps 1 and 2 ---


def test_trying_is_durable_before_anybody_hears_of_it() -> None:
    member = idle(M1)
    own = ballot(1, 1)
    effects = stand(member)
    assert effects == Effects(records=[TriedBallot(own)], letters=to((M1, M2, M3), NextBallot(own, S1), after=1))


@pytest.mark.parametrize(
    ("records", "above", "round_"),
    [
        ((), 7, 8),
        ((TriedBallot(ballot(9, 1)),), 7, 10),
        ((PromisedBallot(ballot(12, 3)),), 7, 13),
        ((TriedBallot(ballot(9, 1)), PromisedBallot(ballot(3, 3))), 0, 10),
    ],
)
def test_a_new_ballot_is_above_everything_we_ever_tried_promised_or_heard_of(
    records: tuple[TriedBallot | PromisedBallot, ...], above: int, round_: int
) -> None:
    assert trying_slip(trying(M1, *records, above=above)).ballot == ballot(round_, 1)


def test_next_ballot_says_how_far_our_ledger_goes() -> None:
    member = idle(M1, *outcomes("ab"), Outcome(S4, decree("d")))
    assert {letter.message for letter in stand(member).letters} == {NextBallot(member.ledger.last_tried, S3)}


def test_next_ballot_is_repeated_to_those_who_are_silent() -> None:
    member = trying(M1, timing=TIMING)
    own = trying_slip(member).ballot
    member.receive(M1, promise(own), 10)
    assert member.next_deadline() == TIMING.retransmit_ms
    assert member.on_deadline(TIMING.retransmit_ms - 1, 0) == Effects()
    assert member.on_deadline(TIMING.retransmit_ms, 0) == Effects(
        letters=to((M2, M3), NextBallot(own, S1), after=member.ledger.line)
    )
    assert member.next_deadline() == 2 * TIMING.retransmit_ms


def test_a_ballot_nobody_answers_is_given_up() -> None:
    member = idle(M1, timing=TIMING, chance=50)
    stand(member)
    member.on_deadline(200, 50)
    member.on_deadline(400, 50)
    assert member.on_deadline(599, 50) == Effects()
    assert isinstance(member.slip, Trying)
    assert member.on_deadline(600, 50) == Effects()
    assert member.slip is None


@pytest.mark.parametrize("round_", [1, 5, 7])
def test_promises_for_other_ballots_do_not_count(round_: int) -> None:
    member = trying(M1, above=5)
    for sender in (M1, M2, M3):
        assert member.receive(sender, promise(ballot(round_, 1)), 0) == Effects()
    assert isinstance(member.slip, Trying)


def test_two_copies_of_a_promise_are_one() -> None:
    member = trying(M1, quorums=FIVE)
    own = trying_slip(member).ballot
    for _ in range(3):
        member.receive(M2, promise(own), 0)
        member.receive(M3, promise(own), 0)
    assert isinstance(member.slip, Trying)
    member.receive(M4, promise(own), 0)
    assert isinstance(member.slip, Polling)


# --- step 3: what is chosen ---


def chosen(*answers: LastVote, me: NodeId = M1, records: tuple[Vote | Outcome, ...] = ()) -> Effects:
    """Start polling in 9.1 with these answers of members 2 and 3 (one is enough); returns what that step does."""
    member = trying(me, *records, above=8)
    own = trying_slip(member).ballot
    assert own == ballot(9, 1)
    member.receive(me, own_promise(member, own), 0)
    effects = Effects()
    for number, answer in enumerate(answers, start=2):
        effects = member.receive(NodeId(number), answer, 0)
    assert isinstance(member.slip, Polling)
    return effects


NINE = ballot(9, 1)


def test_without_votes_nothing_is_begun() -> None:
    assert chosen(promise(NINE)) == Effects(letters=to((M2, M3), Presence(NINE, 1, S1)))


def test_a_vote_of_any_responder_forces_its_decree() -> None:
    effects = chosen(promise(NINE, [Vote(S1, EARLY, decree("a"))]))
    assert effects == Effects(
        letters=[
            *to((M2, M3), Presence(NINE, 1, S1)),
            *to((M1, M2, M3), BeginBallot(NINE, S1, decree("a"), S1)),
        ]
    )


def test_our_own_vote_counts_as_much_as_others() -> None:
    assert begun(chosen(promise(NINE), records=(Vote(S1, EARLY, decree("a")),))) == [(S1, decree("a"))]


def test_the_highest_vote_wins_slot_by_slot() -> None:
    mine = (Vote(S1, EARLY, decree("old")), Vote(S2, LATE, decree("young")))
    theirs = [Vote(S1, LATE, decree("young")), Vote(S2, EARLY, decree("old"))]
    assert begun(chosen(promise(NINE, theirs), records=mine)) == [(S1, decree("young")), (S2, decree("young"))]


def test_gaps_get_no_ops_before_anything_new() -> None:
    votes = [Vote(S2, EARLY, decree("b")), Vote(S5, EARLY, decree("e"))]
    effects = chosen(promise(NINE, votes))
    assert begun(effects) == [(S1, NOOP), (S2, decree("b")), (S3, NOOP), (S4, NOOP), (S5, decree("e"))]


def test_what_passed_ahead_is_neither_voted_on_again_nor_overtaken() -> None:
    known = (Outcome(S3, decree("c")),)
    member = trying(M1, above=8)
    member.receive(M1, promise(NINE), 0)
    effects = member.receive(M2, promise(NINE, known=known), 0)
    assert effects.records == [Outcome(S3, decree("c"))]
    assert begun(effects) == [(S1, NOOP), (S2, NOOP)]
    assert member.next_slot == S4


def test_slots_that_passed_elsewhere_are_fetched_and_not_voted_on() -> None:
    """Below a responder's ``passed_until`` a new decree could contradict what passed: nothing is begun there."""
    member = trying(M1, above=8)
    member.receive(M1, promise(NINE), 0)
    effects = member.receive(M2, promise(NINE, [Vote(S4, EARLY, decree("d"))], passed_until=S3), 0)
    assert begun(effects) == [(S3, NOOP), (S4, decree("d"))]
    fetch_ms = member.next_deadline()
    assert member.on_deadline(fetch_ms, 0).letters == [Letter(M2, Lacking(S1))]


def test_the_promises_say_who_needs_what_we_know() -> None:
    """The request for missing decrees that section 3.1 puts into the answer: it is met at once."""
    member = trying(M1, *outcomes("ab"), above=8)
    member.receive(M1, promise(NINE, passed_until=S3), 0)
    effects = member.receive(M2, promise(NINE, passed_until=S2), 0)
    assert effects == Effects(
        letters=[
            Letter(M2, Success(NO_BALLOT, S3, outcomes("b", 2))),
            *to((M2, M3), Presence(NINE, 1, S3)),
        ]
    )


def test_nothing_is_handed_out_to_oneself() -> None:
    """Our own answer was given before the others brought news: we need no letter to learn what we just wrote."""
    member = trying(M1, above=8)
    member.receive(M1, promise(NINE), 0)
    effects = member.receive(M2, promise(NINE, known=outcomes("ab"), passed_until=S3), 0)
    assert [letter for letter in effects.letters if letter.to == M1] == []


def test_a_forced_slot_that_is_known_by_now_is_not_begun() -> None:
    """The window opens over several slots at once, and one in the middle has become known behind an unknown one."""
    last = Slot(ROSTER_LAG + 3)
    president = polling(M1, answers={M2: promise(ballot(2, 1), [Vote(last, EARLY, decree("a"))])}, above=1)
    known = Slot(ROSTER_LAG + 2)
    president.receive(M3, Success(NO_BALLOT, S1, (Outcome(known, NOOP),)), 0)
    news = tuple(Outcome(Slot(number), NOOP) for number in range(1, 4))
    effects = president.receive(M3, Success(NO_BALLOT, Slot(4), news), 0)
    begun = {letter.message.slot for letter in effects.letters if isinstance(letter.message, BeginBallot)}
    assert begun == {ROSTER_LAG + 1, last}


def test_a_late_promise_changes_nothing_but_what_it_tells_of_the_past() -> None:
    own, b = ballot(2, 1), decree("b")
    president = polling(M1, above=1, answers={M2: promise(own, [Vote(S2, EARLY, b)])})
    late = promise(own, [Vote(S1, EARLY, decree("a"))], known=[Outcome(S2, b)])
    assert president.receive(M3, late, 0).records == [Outcome(S2, b)]
    slip = polling_slip(president)
    assert M3 not in slip.promised
    assert {slot: open_.decree for slot, open_ in slip.open.items()} == {S1: NOOP}


def test_decrees_beyond_all_that_phase_1_told_of_are_a_later_president_s() -> None:
    """Whatever passed before our ballot was voted for by somebody in our promise quorum, and reported."""
    for slot in (S1, S3):
        president = polling(M1, quorums=FIVE)
        president.receive(M3, Success(NO_BALLOT, S1, (Outcome(slot, decree("theirs", LATE)),)), 1)
        assert president.slip is None


VOTE_BALLOTS = st.builds(ballot, st.integers(1, 3), st.integers(1, 3))
VOTES = st.dictionaries(st.integers(1, 5).map(Slot), VOTE_BALLOTS, max_size=5)


@steady
@given(st.lists(VOTES, min_size=2, max_size=3))
def test_the_choice_is_the_one_that_brute_force_makes(reported: list[dict[Slot, Ballot]]) -> None:
    """MaxVote over all responders, one slot after the other, with the decree a function of ballot and slot (B1)."""

    def decree_of(slot: Slot, of: Ballot) -> Decree:
        return decree(f"{slot} in {of.round}.{of.owner}", of)

    member = trying(M1, quorums=FIVE, above=8)
    member.receive(M1, promise(NINE), 0)
    effects = Effects()
    for number, votes in enumerate(reported, start=2):
        if isinstance(member.slip, Trying):
            answer = promise(NINE, [Vote(slot, of, decree_of(slot, of)) for slot, of in sorted(votes.items())])
            effects = member.receive(NodeId(number), answer, 0)
    counted = reported[:2]
    expected = []
    highest_slot = max((slot for votes in counted for slot in votes), default=0)
    for number in range(1, highest_slot + 1):
        slot = Slot(number)
        cast = [votes[slot] for votes in counted if slot in votes]
        expected.append((slot, decree_of(slot, max(cast)) if cast else NOOP))
    assert begun(effects) == expected
    assert member.next_slot == highest_slot + 1


# --- steps 3 to 5: new decrees ---


def test_a_new_decree_goes_to_everyone_at_once() -> None:
    president = polling(M1)
    own = polling_slip(president).ballot
    effects = president.propose((b"a", b"b"), 10, 1234)
    assert effects == Effects(
        letters=to((M1, M2, M3), BeginBallot(own, S1, Decree(own, 1234, (b"a", b"b")), S1), after=0)
    )
    assert (president.open_slots, president.next_slot) == (1, S2)


def test_it_passes_with_the_vote_that_completes_a_quorum() -> None:
    president = polling(M1)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    assert president.receive(M2, Voted(own, S1), 1) == Effects()
    assert president.receive(M2, Voted(own, S1), 2) == Effects(), "two letters of one voter are one vote"
    effects = president.receive(M3, Voted(own, S1), 3)
    new = Decree(own, 0, (b"a",))
    assert effects == Effects(records=[Outcome(S1, new)], passed=[(S1, new)])
    assert president.receive(M1, Voted(own, S1), 4) == Effects(), "a vote too many is nothing"


def test_a_stranger_s_vote_is_none() -> None:
    president = polling(M1)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    president.receive(M2, Voted(own, S1), 0)
    assert president.receive(M4, Voted(own, S1), 0) == Effects()


def test_slots_pass_in_any_order_and_are_reported_in_theirs() -> None:
    president = polling(M1)
    for text in (b"a", b"b", b"c"):
        president.propose((text,), 0, 0)
    assert pass_slot(president, S3).passed == []
    assert pass_slot(president, S2).passed == []
    assert [slot for slot, _ in pass_slot(president, S1).passed] == [S1, S2, S3]


def test_only_a_president_may_propose() -> None:
    for member in (idle(M1), trying(M1)):
        assert not member.may_propose
        with pytest.raises(InvariantViolation):
            member.propose((b"a",), 0, 0)


def test_stamps_never_run_backwards_within_a_ballot() -> None:
    president = polling(M1)
    stamps = []
    for wall_ms in (500, 400, 600, 0):
        ((_, new),) = begun(president.propose((b"x",), 0, wall_ms))
        stamps.append(new.stamp_ms)
    assert stamps == [500, 500, 600, 600]


@pytest.mark.parametrize("where", ["our ledger", "a vote reported", "an outcome reported"])
def test_stamps_never_run_backwards_between_presidents(where: str) -> None:
    """Section 3.3.3: a president with a slow clock starts from what its predecessors wrote."""
    late = decree("a", stamp_ms=9_000)
    records = (Outcome(S1, late),) if where == "our ledger" else ()
    votes = (Vote(S1, EARLY, late),) if where == "a vote reported" else ()
    known = (Outcome(S1, late),) if where == "an outcome reported" else ()
    passed_until = S2 if where != "a vote reported" else S1
    president = polling(M1, *records, above=8, answers={M2: promise(NINE, votes, known, passed_until=passed_until)})
    assert president.may_propose
    ((slot, new),) = begun(president.propose((b"x",), 0, 20))
    assert slot == S2
    assert new.stamp_ms >= 9_000


@pytest.mark.parametrize("cut_by", ["the size of a letter", "memory"])
def test_stamps_never_run_backwards_over_decrees_that_are_still_to_be_fetched(
    cut_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new president knows that slot 2 passed, but not yet with which stamp."""
    if cut_by == "memory":
        monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 0)
    else:
        monkeypatch.setattr(voter_module, "LAST_VOTE_BYTES", 0)
    other = idle(M2, Outcome(S1, decree("a", stamp_ms=10)), Outcome(S2, decree("b", stamp_ms=9_000)))
    other.ledger.forget_what_the_file_keeps()
    president = trying(M1, above=8)
    president.receive(M1, promise(NINE), 0)
    (letter,) = other.receive(M1, NextBallot(NINE, S1), 0).letters
    president.receive(M2, letter.message, 0)
    if not president.may_propose:
        president.receive(M2, Success(NO_BALLOT, S3, (Outcome(S1, decree("a", stamp_ms=10)),)), 1)
    if not president.may_propose:
        president.receive(M2, Success(NO_BALLOT, S3, (Outcome(S2, decree("b", stamp_ms=9_000)),)), 2)
    assert president.may_propose
    ((slot, new),) = begun(president.propose((b"x",), 3, 20))
    assert slot == S3
    assert new.stamp_ms >= 9_000


# --- the window ---


def test_no_slot_is_begun_before_the_law_that_governs_it_is_known() -> None:
    president = polling(M1)
    for _ in range(ROSTER_LAG):
        assert has_room(president)
        president.propose((b"x",), 0, 0)
    assert president.next_slot == ROSTER_LAG + 1
    assert not has_room(president)
    pass_slot(president, S2)
    assert not has_room(president), "the window is counted from the first gap"
    pass_slot(president, S1)
    assert has_room(president)
    president.propose((b"x",), 0, 0)
    president.propose((b"x",), 0, 0)
    assert not has_room(president)


def test_what_is_forced_waits_for_the_window_too() -> None:
    far = Slot(ROSTER_LAG + 2)
    president = polling(M1, above=8, answers={M2: promise(NINE, [Vote(far, EARLY, decree("far"))])})
    slip = polling_slip(president)
    assert max(slip.open) == ROSTER_LAG
    assert [slot for slot, _ in slip.forced] == [ROSTER_LAG + 1, far]
    effects = pass_slot(president, S1)
    assert begun(effects) == [(Slot(ROSTER_LAG + 1), NOOP)]
    assert not has_room(president), "everything forced comes before anything new"
    assert begun(pass_slot(president, S2)) == [(far, decree("far"))]
    assert not has_room(president)
    pass_slot(president, S3)
    assert has_room(president)
    assert president.next_slot == far + 1


def test_what_is_forced_and_passes_meanwhile_is_not_begun() -> None:
    far = Slot(ROSTER_LAG + 2)
    president = polling(M1, above=8, answers={M2: promise(NINE, [Vote(far, EARLY, decree("far"))])})
    president.receive(M2, Success(NO_BALLOT, S1, (Outcome(Slot(ROSTER_LAG + 1), decree("elsewhere")),)), 0)
    assert begun(pass_slot(president, S1)) == []
    assert begun(pass_slot(president, S2)) == [(far, decree("far"))]


def test_a_gap_that_honest_answers_never_leave_ends_the_ballot() -> None:
    """Filling it would take for ever; and a lie may be in our own ledger as well, as the outcome of a far slot."""
    far = Slot(2**62)
    for told in (promise(NINE, [Vote(far, EARLY, decree("far"))]), promise(NINE, known=[Outcome(far, decree("far"))])):
        member = trying(M1, above=8)
        member.receive(M1, promise(NINE), 0)
        member.receive(M2, told, 0)
        assert member.slip is None
        assert member.next_deadline() > 0, "it may try again later"


def test_gaps_are_filled_as_far_as_they_are_counted() -> None:
    edge = Slot(GAPS_MAX + 1)
    president = polling(M1, above=8, answers={M2: promise(NINE, [Vote(edge, EARLY, decree("far"))])})
    assert president.next_slot == edge + 1
    member = trying(M1, above=8)
    member.receive(M1, promise(NINE), 0)
    member.receive(M2, promise(NINE, [Vote(Slot(edge + 1), EARLY, decree("far"))]), 0)
    assert member.slip is None


def test_no_ballot_starts_above_the_highest_round() -> None:
    """Its number could be written, and not be read back at the next start."""
    member = idle(M1, PromisedBallot(Ballot(ROUND_MAX - 1, M2)))
    stand(member, above=ROUND_MAX - 1)
    assert trying_slip(member).ballot == Ballot(ROUND_MAX, M1)
    member.receive(M2, HandOver(Ballot(ROUND_MAX, M2), S1), 0)
    member.receive(M2, Superseded(Ballot(ROUND_MAX, M1), by=Ballot(ROUND_MAX, M2)), 0)
    assert member.slip is None
    assert member.receive(M2, HandOver(Ballot(ROUND_MAX, M2), S1), 0).records == []
    assert member.slip is None


# --- news of what passed ---


def test_news_of_what_passed_rides_on_the_next_decree() -> None:
    president = polling(M1, timing=TIMING)
    president.propose((b"a",), 0, 0)
    pass_slot(president, S1, 1)
    assert president.next_deadline() == 1 + TIMING.flush_ms
    effects = president.propose((b"b",), 2, 0)
    assert {letter.message.passed_until for letter in effects.letters if isinstance(letter.message, BeginBallot)} == {
        S2
    }
    assert president.next_deadline() == TIMING.presence_ms
    assert president.on_deadline(1 + TIMING.flush_ms, 0) == Effects()


def test_news_that_finds_nothing_to_ride_on_is_flushed() -> None:
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    pass_slot(president, S1, 1)
    assert president.on_deadline(TIMING.flush_ms, 0) == Effects(), "not before its time"
    assert president.on_deadline(1 + TIMING.flush_ms, 0) == Effects(letters=to((M2, M3), Success(own, S2, ())))
    assert president.on_deadline(2 + TIMING.flush_ms, 0) == Effects(), "and once"


def test_news_waits_from_the_first_decree_that_passed() -> None:
    president = polling(M1, timing=TIMING)
    president.propose((b"a",), 0, 0)
    president.propose((b"b",), 0, 0)
    pass_slot(president, S1, 1)
    pass_slot(president, S2, 4)
    assert president.next_deadline() == 1 + TIMING.flush_ms


def test_a_decree_that_passed_beyond_a_gap_is_no_news() -> None:
    president = polling(M1, timing=TIMING)
    president.propose((b"a",), 0, 0)
    president.propose((b"b",), 0, 0)
    pass_slot(president, S2, 1)
    assert president.next_deadline() == TIMING.presence_ms


# --- repetition ---


def test_the_roll_is_called_regularly() -> None:
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    assert president.next_deadline() == 100
    assert president.on_deadline(99, 0) == Effects()
    assert president.on_deadline(100, 0) == Effects(letters=to((M2, M3), Presence(own, 2, S1)))
    assert president.next_deadline() == 200


def test_begin_ballot_is_repeated_to_those_who_have_not_voted_ever_more_rarely() -> None:
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    president.receive(M2, Voted(own, S1), 0)
    repeated = []
    for now_ms in range(100, 7001, 100):
        president.receive(M2, Present(own, 1, S1), now_ms)
        for letter in president.on_deadline(now_ms, 0).letters:
            if isinstance(letter.message, BeginBallot):
                assert letter == Letter(letter.to, BeginBallot(own, S1, Decree(own, 0, (b"a",)), S1))
                repeated.append((now_ms, letter.to))
    waits = [TIMING.retransmit_ms << min(number, RESENT_MAX) for number in range(5)]
    times = [sum(waits[: number + 1]) for number in range(5)]
    assert times == [200, 600, 1400, 3000, 4600]
    assert [at for at, _ in repeated if at <= 4600] == [at for at in times for _ in (M1, M3)]
    assert {member for _, member in repeated} == {M1, M3}


def test_a_steady_stream_of_reads_does_not_keep_a_lost_letter_from_being_repeated() -> None:
    """Every read that finds no roll call under way makes one; the regular round must come round all the same."""
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    repeated = 0
    for token in range(100):
        now_ms = 50 * (token + 1)
        president.read(token, now_ms)
        call = polling_slip(president).roll_call
        president.receive(M2, Present(own, call, S1), now_ms + 1)
        if president.next_deadline() <= now_ms + 1:
            effects = president.on_deadline(now_ms + 1, 0)
            repeated += sum(isinstance(letter.message, BeginBallot) for letter in effects.letters)
    assert repeated, "nothing was repeated in five seconds"


# --- the end of a ballot ---


def test_a_president_that_hears_no_quorum_steps_down() -> None:
    president = polling(M1, timing=TIMING)
    for now_ms in range(100, 600, 100):
        president.on_deadline(now_ms, 0)
    assert isinstance(president.slip, Polling)
    president.on_deadline(600, 0)
    assert president.slip is None


@pytest.mark.parametrize("sign", [Present(ballot(2, 1), 1, S1), Voted(ballot(2, 1), S1)], ids=["Present", "Voted"])
def test_any_sign_of_life_of_a_quorum_keeps_it_in_office(sign: Present | Voted) -> None:
    president = polling(M1, timing=TIMING, above=1)
    for now_ms in range(100, 3000, 100):
        president.receive(M3, sign, now_ms - 50)
        president.on_deadline(now_ms, 0)
        assert isinstance(president.slip, Polling)


def test_signs_of_life_in_another_ballot_do_not() -> None:
    president = polling(M1, timing=TIMING, above=1)
    for now_ms in range(100, 700, 100):
        president.receive(M3, Present(ballot(1, 1), 1, S1), now_ms - 50)
        president.receive(M2, Voted(ballot(3, 1), S1), now_ms - 50)
        president.on_deadline(now_ms, 0)
    assert president.slip is None


def test_another_decree_than_ours_ends_the_ballot_at_once() -> None:
    """Only a later president can have done that, and our word about our own proposals is no good any more."""
    president = polling(M1)
    president.propose((b"ours",), 0, 0)
    effects = president.receive(M2, Success(NO_BALLOT, S2, (Outcome(S1, decree("theirs")),)), 1)
    assert effects.passed == [(S1, decree("theirs"))]
    assert president.slip is None


def test_the_same_decree_from_elsewhere_only_closes_the_slot() -> None:
    president = polling(M1)
    ((_, new),) = begun(president.propose((b"ours",), 0, 0))
    president.receive(M2, Success(NO_BALLOT, S2, (Outcome(S1, new),)), 1)
    assert isinstance(president.slip, Polling)
    assert president.open_slots == 0


def test_a_president_never_says_that_what_it_proposes_has_passed() -> None:
    """A letter that begins a slot may not claim that slot: whoever votes takes the claim as the outcome.

    The president of 1.1 is cut off, a later one passes slot 1, and word of that reaches the
    old president through a third member that names no ballot.  Slot 1 is then the slot that
    it would use next.
    """
    president = polling(M1, quorums=FIVE)
    president.receive(M3, Success(NO_BALLOT, S2, (Outcome(S1, decree("theirs", ballot(2, 2))),)), 1)
    letters = president.propose((b"ours",), 2, 2).letters if president.may_propose else []
    assert [letter for letter in letters if isinstance(letter.message, BeginBallot) and letter.message.slot < S2] == []


def test_no_member_is_told_that_a_late_president_s_decree_passed() -> None:
    """The same story in a whole parliament of five: ledgers agree at the end, whoever proposes when.

    1. Member 1 presides.  Member 2 stands, unheard by 1 and 5, and passes "theirs" in slot 1 with 3 and 4.
    2. Member 3's link to 2 breaks, so it asks around: "would you follow me, who know slot 1?"
    3. Member 1 hears that slot 1 has passed, asks 3 for it, and is told; no ballot is named anywhere.
    4. Member 1, not yet aware of any other president, proposes "ours".  Member 5 hears of it.
    """
    parliament = Parliament(FIVE)
    parliament.stand(M1)
    parliament.run_until(lambda: parliament.presidents == [M1] and parliament[M5].president is not None)
    parliament.run_for(20)

    def loses(sent: Sent) -> bool:
        if sent.to == sent.sender or {sent.sender, sent.to} == {M1, M5}:
            return False
        if sent.to == M1:
            told = isinstance(sent.message, Success) and sent.message.ballot == NO_BALLOT
            return not told and not isinstance(sent.message, Canvass)
        return M5 in (sent.sender, sent.to) or (sent.sender == M1 and not isinstance(sent.message, Lacking))

    parliament.loses = loses
    parliament.stand(M2)
    parliament.run_until(lambda: M2 in parliament.presidents)
    slot = parliament.propose(M2, "theirs")
    parliament.run_until(lambda: parliament[M3].ledger.knows(slot))
    parliament.suspect(M3, M2)
    parliament.run_until(lambda: parliament[M1].ledger.knows(slot))
    if M1 in parliament.presidents and parliament[M1].may_propose:
        parliament.propose(M1, "ours")
    parliament.run_for(10)
    parliament.loses = lambda sent: False
    parliament.run_for(5_000)
    assert [parliament[me].ledger.outcomes[slot].commands for me in parliament.alive] == [(b"theirs",)] * 5


def test_a_president_that_cannot_get_what_passed_tries_another_ballot() -> None:
    """Whoever told of it is gone, but a voter of each is among any promise quorum."""
    president = polling(M1, timing=TIMING, above=1, answers={M2: promise(ballot(2, 1), passed_until=S3)})
    later: list[int] = []
    for now_ms in range(100, 2001, 100):
        president.receive(M3, Present(ballot(2, 1), 1, S1), now_ms - 1)
        effects = president.on_deadline(now_ms, 0)
        if any(isinstance(record, TriedBallot) for record in effects.records):
            later.append(now_ms)
            break
    assert later == [STUCK_TIMEOUTS * TIMING.election_timeout_ms]
    assert trying_slip(president).ballot == ballot(3, 1)


def test_a_president_that_gets_on_does_not() -> None:
    president = polling(M1, timing=TIMING, above=1, answers={M2: promise(ballot(2, 1), passed_until=Slot(40))})
    for now_ms in range(100, 3501, 100):
        president.receive(M2, Present(ballot(2, 1), 1, S1), now_ms - 1)
        if now_ms % 500 == 0:
            slot = president.ledger.passed_until
            president.receive(M2, Success(NO_BALLOT, Slot(40), (Outcome(slot, decree("x")),)), now_ms)
        president.on_deadline(now_ms, 0)
        assert isinstance(president.slip, Polling)


def test_superseded_by_something_lower_is_ignored() -> None:
    president = polling(M1, above=5)
    own = polling_slip(president).ballot
    assert president.receive(M2, Superseded(own, by=EARLY), 0) == Effects()
    assert isinstance(president.slip, Polling)


# --- leaving office ---


def test_office_is_handed_to_a_member_that_has_caught_up() -> None:
    president = polling(M1, *outcomes("a"), above=1, answers={M2: promise(ballot(2, 1), passed_until=S2)})
    own = polling_slip(president).ballot
    assert president.hand_over(10) == Effects(
        letters=[*to((M2, M3), Presence(own, 2, S2)), Letter(M2, HandOver(own, S2))]
    )
    assert not president.may_propose
    assert isinstance(president.slip, Polling), "it presides until somebody else does"


def test_nobody_behind_gets_it() -> None:
    president = polling(M1, *outcomes("a"), above=1, answers={M2: promise(ballot(2, 1))})
    own = polling_slip(president).ballot
    assert president.hand_over(10) == Effects(letters=to((M2, M3), Presence(own, 2, S2)))
    assert president.receive(M3, Present(own, 2, S1), 20) == Effects()
    assert president.receive(M3, Present(own, 2, S2), 30) == Effects(letters=[Letter(M3, HandOver(own, S2))])


def test_what_is_under_way_is_finished_first() -> None:
    president = polling(M1)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    president.hand_over(1)
    assert president.receive(M2, Present(own, 2, S1), 2) == Effects()
    pass_slot(president, S1, 3)
    assert president.receive(M2, Present(own, 2, S2), 4) == Effects(letters=[Letter(M2, HandOver(own, S2))])


def test_of_those_who_have_caught_up_the_one_heard_last_gets_it() -> None:
    president = polling(M1, quorums=FIVE)
    own = polling_slip(president).ballot
    president.receive(M4, Present(own, 1, S1), 5)
    letters = president.hand_over(10).letters
    assert [letter.to for letter in letters if isinstance(letter.message, HandOver)] == [M4]


def test_office_nobody_takes_is_taken_up_again() -> None:
    president = polling(M1, timing=TIMING)
    own = polling_slip(president).ballot
    president.hand_over(0)
    until_ms = STUCK_TIMEOUTS * TIMING.election_timeout_ms
    for now_ms in range(100, until_ms + 1, 100):
        assert not president.may_propose
        president.receive(M2, Present(own, 1, S1), now_ms - 1)
        president.on_deadline(now_ms, 0)
    assert president.may_propose


def test_only_a_president_hands_over() -> None:
    for member in (idle(M1), trying(M1)):
        assert member.hand_over(0) == Effects()


# --- other rosters ---


def test_a_member_alone_passes_decrees_by_itself() -> None:
    member = idle(M1, quorums=ALONE)
    first_ms = member.next_deadline()
    effects = member.on_deadline(first_ms, 0)
    own = ballot(1, 1)
    assert effects == Effects(records=[TriedBallot(own)], letters=[Letter(M1, NextBallot(own, S1), after=1)])
    (answer,) = member.receive(M1, NextBallot(own, S1), first_ms).letters
    assert answer.after == 2
    assert member.receive(M1, answer.message, first_ms) == Effects()
    (begin,) = member.propose((b"a",), first_ms, 7).letters
    (voted,) = member.receive(M1, begin.message, first_ms).letters
    assert voted.after == 3, "its own vote counts when it is durable, and not before"
    assert member.receive(M1, voted.message, first_ms).passed == [(S1, Decree(own, 7, (b"a",)))]
    for _ in range(50):
        member.on_deadline(member.next_deadline(), 0)
        assert isinstance(member.slip, Polling)


def test_weights_and_not_heads_elect_and_pass() -> None:
    quorums = Weighted({M1: 1, M2: 1, M3: 3})
    president = trying(M1, quorums=quorums)
    own = trying_slip(president).ballot
    president.receive(M1, promise(own), 0)
    president.receive(M2, promise(own), 0)
    assert isinstance(president.slip, Trying), "two of three, and two fifths"
    president.receive(M3, promise(own), 0)
    assert isinstance(president.slip, Polling)
    president.propose((b"a",), 0, 0)
    assert pass_slot(president, S1) == Effects()
    assert president.receive(M3, Voted(own, S1), 0).passed


def test_flexible_quorums_elect_with_many_and_pass_with_few() -> None:
    quorums = Flexible(FIVE.members, promises=4, votes=2)
    president = trying(M1, quorums=quorums)
    own = trying_slip(president).ballot
    for member in (M1, M2, M3):
        president.receive(member, promise(own), 0)
    assert isinstance(president.slip, Trying)
    president.receive(M5, promise(own), 0)
    assert isinstance(president.slip, Polling)
    president.propose((b"a",), 0, 0)
    assert president.receive(M4, Voted(own, S1), 0) == Effects()
    assert president.receive(M1, Voted(own, S1), 0).passed
