"""The president's lease: what a grant forbids and for how long, and from when on its president may count on it."""

import pytest

from paxon.core.decree import NodeId
from paxon.core.effects import Effects
from paxon.core.lease import Lease, LeaseTerms
from paxon.core.ledger import PromisedBallot
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    LastVote,
    NextBallot,
    Presence,
    Present,
    Success,
    Voted,
)
from paxon.core.roster import Flexible
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
    TIMING,
    ballot,
    decree,
    idle,
    outcomes,
    polling,
    polling_slip,
    promise,
    to,
)

TERMS = LeaseTerms(duration_ms=300, drift_ppm=100_000, pause_ms=10)

USABLE_MS = 235
"""What a president may count on of 300 ms: 245 if both clocks are wrong by a tenth, less ten for a standstill."""

THEIRS = ballot(2, 1)
RIVAL = ballot(3, 3)


def bound(at_ms: int = 100, *, terms: LeaseTerms = TERMS, asked_ms: int = 300) -> Legislator:
    """Member 2, which granted the president of 2.1 a lease at ``at_ms``."""
    member = idle(M2, PromisedBallot(THEIRS), terms=terms)
    member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=asked_ms), at_ms)
    return member


def asks(member: Legislator, now_ms: int, *, released: bool = False, by: int = 3) -> Effects:
    """A rival asks ``member`` for its promise."""
    message = NextBallot(ballot(3, by), S1)
    if released:
        message = NextBallot(ballot(3, by), S1, released=THEIRS)
    return member.receive(NodeId(by), message, now_ms)


def promises(effects: Effects) -> bool:
    return any(isinstance(letter.message, LastVote) for letter in effects.letters)


# --- what a member grants, and what that forbids ---


def test_the_answer_to_the_roll_says_what_is_granted() -> None:
    member = idle(M2, PromisedBallot(THEIRS), terms=TERMS)
    asked = member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=200), 0)
    assert asked.letters == to((M1,), Present(THEIRS, 4, S1, 200))


def test_nobody_grants_more_than_its_own_terms_say() -> None:
    """A restart waits for as long as those terms, so a longer grant could be forgotten."""
    for terms, granted_ms in ((TERMS, 300), (LeaseTerms(), 0)):
        member = idle(M2, PromisedBallot(THEIRS), terms=terms)
        asked = member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=5_000), 0)
        assert asked.letters == to((M1,), Present(THEIRS, 4, S1, granted_ms))


def test_who_is_bound_promises_nobody_else_until_its_own_clock_says_so() -> None:
    """One millisecond more than was granted, for its clock was about to show the next one when the grant was given."""
    member = bound(at_ms=100)
    for now_ms in (100, 250, 400):
        assert asks(member, now_ms) == Effects()
        assert member.ledger.next_ballot == THEIRS
    assert promises(asks(member, 401))
    assert member.ledger.next_ballot == RIVAL


def test_every_answer_to_the_roll_binds_anew() -> None:
    member = bound(at_ms=100)
    member.receive(M1, Presence(THEIRS, 5, S1, lease_ms=300), 200)
    assert not promises(asks(member, 500))
    assert promises(asks(member, 501))


def test_a_call_that_comes_late_takes_nothing_back() -> None:
    member = bound(at_ms=100)
    member.receive(M1, Presence(THEIRS, 3, S1, lease_ms=10), 110)
    assert not promises(asks(member, 400))


def test_a_president_that_asks_for_nothing_is_granted_nothing() -> None:
    member = bound(asked_ms=0)
    assert promises(asks(member, 100))


def test_a_promise_that_was_made_before_is_repeated() -> None:
    member = idle(M2, PromisedBallot(ballot(1, 3)), terms=TERMS)
    member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=300), 100)
    assert promises(member.receive(M3, NextBallot(ballot(1, 3), S1), 110))


def test_a_lower_ballot_than_the_one_we_are_bound_to_is_nothing_to_its_president() -> None:
    """Nothing new passes in it, for its voters must have promised the president that we are bound to more than that."""
    member = idle(M2, terms=TERMS)
    member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=300), 100)
    assert promises(member.receive(M3, NextBallot(ballot(1, 3), S1), 110))


def test_the_same_president_may_begin_another_ballot_at_once() -> None:
    """It has left the ballot that it had the lease for, or has restarted and holds none."""
    assert promises(asks(bound(at_ms=100), 110, by=1))


def test_a_lower_ballots_president_is_granted_nothing() -> None:
    member = idle(M2, terms=TERMS)
    member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=300), 100)
    late = member.receive(M3, Presence(ballot(1, 3), 9, S1, lease_ms=300), 110)
    assert late.letters == to((M3,), Present(ballot(1, 3), 9, S1))
    assert not promises(asks(member, 120, by=3))


def test_votes_in_a_later_ballot_are_not_refused() -> None:
    """Who asks for them has a promise quorum, so the lease is over, whatever our clock says."""
    member = bound(at_ms=100)
    effects = member.receive(M3, BeginBallot(RIVAL, S1, decree("a", RIVAL), S1), 110)
    assert to((M3,), Voted(RIVAL, S1), after=member.ledger.line)[0] in effects.letters


def test_who_is_bound_supports_nobody_and_asks_nobody() -> None:
    member = bound(at_ms=100)
    member.suspect(M1, 110)
    asked = member.receive(M3, Canvass(1, S1), 120)
    assert to((M3,), CanvassReply(1, False, THEIRS, S1))[0] in asked.letters
    for now_ms in range(110, 401, 10):
        assert not [letter for letter in member.on_deadline(now_ms, 0).letters if isinstance(letter.message, Canvass)]
    late = member.on_deadline(402, 0)
    assert late.letters == to((M1, M3), Canvass(1, S1))


# --- restarts ---


def test_a_member_that_may_have_forgotten_a_grant_promises_nothing_for_so_long() -> None:
    member = idle(M2, PromisedBallot(THEIRS), now_ms=1_000, terms=TERMS, forgotten_ms=300)
    assert not promises(asks(member, 1_300))
    assert not promises(asks(member, 1_300, by=1)), "for whoever asks: it may be bound to anybody"
    assert not promises(asks(member, 1_300, released=True)), "and not to the one that was released"
    assert promises(asks(member, 1_301))


def test_a_member_that_may_have_forgotten_a_grant_gives_no_other() -> None:
    """One to a lower ballot would take the place of the one it forgot, and may be released."""
    member = idle(M2, now_ms=1_000, terms=TERMS, forgotten_ms=300)
    early = member.receive(M1, Presence(THEIRS, 4, S1, lease_ms=300), 1_300)
    assert early.letters == to((M1,), Present(THEIRS, 4, S1))
    late = member.receive(M1, Presence(THEIRS, 5, S1, lease_ms=300), 1_301)
    assert late.letters == to((M1,), Present(THEIRS, 5, S1, 300))


def test_a_member_that_never_granted_anything_does_not_wait() -> None:
    assert promises(asks(idle(M2, PromisedBallot(THEIRS), terms=TERMS), 0))


# --- what its president counts on ---


def leading(
    *, called_ms: int = 100, answered_ms: int = 180, terms: LeaseTerms = TERMS, granted_ms: int = 300
) -> Legislator:
    """Member 1 presides in 2.1, called the roll at ``called_ms``, and has one answer."""
    member = polling(M1, above=1, terms=terms)
    assert polling_slip(member).ballot == THEIRS
    calls = member.on_deadline(called_ms, 0).letters
    assert calls == to((M2, M3), Presence(THEIRS, 2, S1, lease_ms=terms.duration_ms))
    member.receive(M2, Present(THEIRS, 2, S1, granted_ms), answered_ms)
    return member


def test_a_lease_is_counted_from_before_the_question_and_not_from_the_answer() -> None:
    assert leading().lease == Lease(100, 100 + USABLE_MS)


def test_a_shorter_grant_is_a_shorter_lease() -> None:
    assert leading(granted_ms=150).lease == Lease(100, 100 + TERMS.usable_ms(150))


def test_nobody_holds_a_lease_that_it_was_not_granted() -> None:
    assert leading(granted_ms=0).lease is None
    assert polling(M1, above=1, terms=TERMS).lease is None, "nobody has answered"
    assert idle(M1, terms=TERMS).lease is None


def test_without_terms_nothing_is_asked_for_and_nothing_held() -> None:
    member = leading(terms=LeaseTerms(), granted_ms=0)
    assert member.lease is None


def test_a_president_alone_is_its_own_quorum() -> None:
    member = polling(M1, quorums=ALONE, terms=TERMS)
    assert member.lease == Lease(0, USABLE_MS)


def test_the_lease_ends_with_the_earliest_of_the_quorum_that_lasts_longest() -> None:
    member = polling(M1, quorums=FIVE, above=1, terms=TERMS)
    for call, called_ms, members in ((2, 100, (M2, M3, M4)), (3, 200, (M5,)), (4, 300, (M2,))):
        member.on_deadline(called_ms, 0)
        for answering in members:
            member.receive(answering, Present(THEIRS, call, S1, 300), called_ms + 1)
    assert member.lease == Lease(200, 200 + USABLE_MS), "members 1, 2 and 5"


def test_it_takes_a_vote_quorum() -> None:
    """Those meet every promise quorum, and two of the smaller kind need not meet each other."""
    quorums = Flexible((M1, M2, M3, M4, M5), promises=2, votes=4)
    member = polling(M1, quorums=quorums, above=1, terms=TERMS)
    for answering in (M2, M3):
        member.receive(answering, Present(THEIRS, 1, S1, 300), 10)
        assert member.lease is None
    member.receive(M4, Present(THEIRS, 1, S1, 300), 10)
    assert member.lease == Lease(0, USABLE_MS)


def test_an_answer_to_a_call_that_is_long_ago_is_worth_nothing() -> None:
    member = leading()
    for now_ms in range(200, 600, 100):
        member.receive(M3, Present(THEIRS, polling_slip(member).roll_call, S1), now_ms)
        member.on_deadline(now_ms, 0)
    held = member.lease
    member.receive(M3, Present(THEIRS, 2, S1, 300), 600)
    assert member.lease == held
    assert len(polling_slip(member).called_ms) <= 1 + TERMS.duration_ms // TIMING.presence_ms


def test_a_new_president_serves_nothing_before_it_knows_all_that_may_have_passed() -> None:
    answers = {M2: promise(THEIRS, passed_until=S3)}
    member = polling(M1, above=1, answers=answers, terms=TERMS)
    member.receive(M2, Present(THEIRS, 1, S3, 300), 10)
    assert member.lease is None
    member.receive(M2, Success(ballot(1, 1), S3, outcomes("ab")), 20)
    assert member.lease == Lease(0, USABLE_MS)


def test_what_is_known_beyond_a_gap_may_have_been_told_to_somebody() -> None:
    member = leading()
    for _ in range(2):
        member.propose((b"x",), 190, 0)
    for voter in (M1, M2):
        member.receive(voter, Voted(THEIRS, S2), 195)
    assert member.lease is None
    for voter in (M1, M2):
        member.receive(voter, Voted(THEIRS, S1), 196)
    assert member.lease == Lease(100, 100 + USABLE_MS)


def test_a_president_that_promised_another_holds_nothing() -> None:
    member = leading()
    asks(member, 190)
    assert member.slip is None
    assert member.lease is None


# --- handing over ---


def test_the_lease_is_over_before_anybody_can_hear_of_it_and_stays_so() -> None:
    member = leading()
    effects = member.hand_over(190)
    assert HandOver(THEIRS, S1) in [letter.message for letter in effects.letters]
    assert member.lease is None
    calls = member.on_deadline(300, 0).letters
    assert calls[0].message == Presence(THEIRS, 4, S1), "it asks for no other"
    member.receive(M2, Present(THEIRS, 4, S1, 300), 310)
    assert member.lease is None


def test_while_nobody_can_take_over_the_lease_goes_on() -> None:
    member = leading()
    member.propose((b"x",), 185, 0)
    member.hand_over(190)
    assert member.lease == Lease(100, 100 + USABLE_MS)


def test_who_takes_over_says_what_the_others_are_no_longer_bound_to() -> None:
    heir = bound(at_ms=100)
    effects = heir.receive(M1, HandOver(THEIRS, S1), 110)
    own = ballot(3, 2)
    asked = NextBallot(own, S1, released=THEIRS)
    assert {letter.message for letter in effects.letters} == {asked}
    for member in (heir, bound(at_ms=100)):
        assert promises(member.receive(M2, asked, 120))


def test_without_leases_who_takes_over_says_nothing_of_them() -> None:
    effects = idle(M2, PromisedBallot(THEIRS)).receive(M1, HandOver(THEIRS, S1), 110)
    assert {letter.message for letter in effects.letters} == {NextBallot(ballot(3, 2), S1)}


@pytest.mark.parametrize("released", [ballot(1, 1), ballot(2, 3)])
def test_that_another_lease_was_given_up_releases_nobody(released: object) -> None:
    message = NextBallot(RIVAL, S1, released=released)  # type: ignore[arg-type]
    assert bound(at_ms=100).receive(M3, message, 110) == Effects()


# --- terms ---


@pytest.mark.parametrize(
    ("terms", "usable_ms"),
    [
        (LeaseTerms(300, 0, 0), 300),
        (LeaseTerms(300, 0, 40), 260),
        (LeaseTerms(300, 500_000, 0), 100),
        (LeaseTerms(1_000, 1_000, 0), 998),
    ],
)
def test_clocks_that_are_wrong_in_opposite_directions_shorten_a_lease(terms: LeaseTerms, usable_ms: int) -> None:
    assert terms.usable_ms(terms.duration_ms) == usable_ms
