"""Where the printed paper is wrong, unclear or silent, and what we do: errata E1, E2, E4, E6, E7, E9, E10."""

import pytest

from paxon.core.decree import NO_BALLOT
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, PromisedBallot, Vote
from paxon.core.messages import BeginBallot, Success, Superseded, Voted
from paxon.core.slip import Trying
from tests.core.build import (
    FIVE,
    M1,
    M2,
    M3,
    M4,
    M5,
    S1,
    ballot,
    decree,
    idle,
    own_promise,
    polling,
    polling_slip,
    promise,
    stand,
    trying,
    trying_slip,
    written,
)
from tests.core.parliament import Parliament
from tests.paper.gods import b3_of, conditions_hold, held, max_vote

# Erratum E1's history: ballot 3 was for x with quorum A, B, C, and B voted; ballot 5 was for y with quorum A, D, E and
# D voted.  Nobody in the quorum of 5 had voted before, so it was free to choose.
BEFORE = [held(3, "x", "ABC", "B"), held(5, "y", "ADE", "D")]


def test_e1_the_highest_vote_of_all_with_a_part_of_them_as_quorum_breaks_b3() -> None:
    """A1, Start Polling (E1): as printed, the decree comes from all answers and the quorum may be only some of them.

    A, B, C and D answered ballot 9, and Q is A, B, C: the latest vote of all is D's for y, the
    latest in Q is B's for x.  The ballot (9, y, Q) breaks B3, though no two decrees pass.
    """
    assert conditions_hold(BEFORE)
    printed = held(9, "y", "ABC", "")
    latest = max_vote(9, "ABCD", BEFORE)
    assert latest is not None
    assert latest.decree == "y"
    assert not b3_of(printed, BEFORE)


@pytest.mark.parametrize(("answering", "expected"), [("ABC", "x"), ("ABD", "y")])
def test_e1_our_quorum_is_everyone_whose_vote_was_looked_at(answering: str, expected: str) -> None:
    """E1, as we do it: the first three that answer are the quorum, all of them and nobody else."""
    names = dict(zip("ABCDE", (M1, M2, M3, M4, M5), strict=True))
    votes = {
        "B": [Vote(S1, ballot(3, 1), decree("x", ballot(3, 1)))],
        "D": [Vote(S1, ballot(5, 5), decree("y", ballot(5, 5)))],
    }
    order = [*answering, *(name for name in "ABCDE" if name not in answering)]
    president = trying(M1, above=8, quorums=FIVE)
    for name in order:
        president.receive(names[name], promise(ballot(9, 1), votes.get(name, [])), 0)
    slip = polling_slip(president)
    assert slip.promised == {names[name] for name in answering}
    assert slip.open[S1].decree.commands == (expected.encode(),)
    assert b3_of(held(9, expected, answering, ""), BEFORE)


def test_e2_a_vote_above_the_promise_makes_the_promise_too() -> None:
    """2.3 votes only in the ballot promised (E2); whoever missed steps 1 and 2 would be of no use until the next.

    We vote, and one record makes both durable: no crash leaves the vote without the promise.
    """
    member = idle(M3, PromisedBallot(ballot(2, 1)))
    effects = member.receive(M2, BeginBallot(ballot(5, 2), S1, decree("a"), S1), 0)
    assert effects.records == [Vote(S1, ballot(5, 2), decree("a"))]
    again = idle(M3, PromisedBallot(ballot(2, 1)), *effects.records)
    refused = again.receive(M1, BeginBallot(ballot(4, 1), S1, decree("b"), S1), 0)
    assert refused == Effects(letters=[Letter(M1, Superseded(ballot(4, 1), by=ballot(5, 2)))])


def test_e2_an_equal_next_ballot_is_answered_until_there_is_a_vote_in_it() -> None:
    """2.3 ignores a second NextBallot and the appendix answers it while nextBal > prevBal (E2): so do we."""
    member = idle(M1)
    (question, *_) = stand(member).letters
    voter = idle(M2)
    first = voter.receive(M1, question.message, 0)
    assert voter.receive(M1, question.message, 0).letters == first.letters
    own = trying_slip(member).ballot
    voter.receive(M1, BeginBallot(own, S1, decree("a"), S1), 0)
    assert voter.receive(M1, question.message, 0) == Effects()


def test_e2_votes_from_outside_the_promise_quorum_pass_a_decree() -> None:
    """2.1 asks for all of one chosen quorum, we for any quorum of voters (E2): 1 and 2 promised, 2 and 3 voted."""
    president = polling(M1, above=1, answers={M2: promise(ballot(2, 1))})
    assert polling_slip(president).promised == {M1, M2}
    president.propose((b"a",), 0, 0)
    assert president.receive(M2, Voted(ballot(2, 1), S1), 0) == Effects()
    assert president.receive(M3, Voted(ballot(2, 1), S1), 0).passed


def test_e4_everyone_is_asked_to_vote() -> None:
    """3.2.2 counts 3N for quorums of N/2 (E4); we ask all N, so one slow member delays nothing."""
    president = polling(M1, quorums=FIVE)
    assert [letter.to for letter in president.propose((b"a",), 0, 0).letters] == list(FIVE.members)


def test_e6_a_member_that_never_tried_owns_no_ballot() -> None:
    """The appendix's I2 says that p owns lastTried[p] (E6), which cannot hold for minus infinity."""
    ledger = written()
    assert ledger.last_tried == NO_BALLOT
    assert NO_BALLOT.owner not in FIVE.members
    assert ballot(0, 1) > NO_BALLOT
    assert trying_slip(trying(M1)).ballot > NO_BALLOT


def test_e7_a_decree_is_chosen_before_anybody_knows() -> None:
    """2.2 calls a decree passed when it is first written in a ledger (E7).  It is settled as soon as a quorum voted.

    All three have voted, every Voted is lost, and the president is gone: nobody has an outcome,
    and still nothing else can pass.
    """
    parliament = Parliament(3)
    president = parliament.elect()
    parliament.run_for(20)
    parliament.loses = lambda sent: isinstance(sent.message, Voted)
    slot = parliament.propose(president, "settled")
    parliament.run_for(5)
    assert not any(parliament[me].ledger.knows(slot) for me in parliament.members)
    assert all(parliament[me].ledger.votes[slot].decree.commands == (b"settled",) for me in parliament.members)
    parliament.crash(president)
    parliament.loses = lambda sent: False
    later = parliament.elect()
    assert parliament.propose(later, "other") > slot
    parliament.run_for(50)
    assert parliament.texts(later) == ["settled", "other"]


def test_e9_step_4_is_refused_where_the_copies_lost_a_slash() -> None:
    """2.3, step 4, in some copies ignores BeginBallot when it *is* for nextBal (E9): it is the other way round."""
    member = idle(M2, PromisedBallot(ballot(5, 1)))
    assert member.receive(M1, BeginBallot(ballot(5, 1), S1, decree("a"), S1), 0).records
    assert not member.receive(M1, BeginBallot(ballot(4, 1), S1, decree("b"), S1), 0).records


def test_e10_votes_in_different_ballots_do_not_add_up() -> None:
    """PMMC 4.1 (E10): two priests whose latest votes are for one decree have not passed it, unless in one ballot.

    Member 2 voted for a in 1.1, member 3 for a in 2.2; three answers come to member 1, and
    nothing has passed: a is forced, and is voted on once more.
    """
    president = trying(M1, above=8, quorums=FIVE)
    a = decree("a")
    president.receive(M1, own_promise(president, ballot(9, 1)), 0)
    president.receive(M2, promise(ballot(9, 1), [Vote(S1, ballot(1, 1), a)]), 0)
    effects = president.receive(M3, promise(ballot(9, 1), [Vote(S1, ballot(2, 2), a)]), 0)
    assert effects.passed == []
    assert not president.ledger.knows(S1)
    president.receive(M2, Voted(ballot(1, 1), S1), 0)
    president.receive(M3, Voted(ballot(2, 2), S1), 0)
    president.receive(M4, Voted(ballot(9, 1), S1), 0)
    assert not president.ledger.knows(S1)


def test_e10_voters_are_counted_and_not_letters() -> None:
    """Lampson, section 7 (E10): messages may be doubled, so it is who voted that counts."""
    president = polling(M1, quorums=FIVE)
    own = polling_slip(president).ballot
    president.propose((b"a",), 0, 0)
    for _ in range(5):
        assert president.receive(M2, Voted(own, S1), 0) == Effects()
        assert president.receive(M3, Voted(own, S1), 0) == Effects()
    assert president.receive(M4, Voted(own, S1), 0).passed
    candidate = trying(M1, quorums=FIVE)
    for _ in range(5):
        candidate.receive(M2, promise(trying_slip(candidate).ballot), 0)
    assert isinstance(candidate.slip, Trying)


def test_e10_an_outcome_is_somebody_s_word_and_not_a_count() -> None:
    """E10: a member never concludes by itself that its own latest vote has passed."""
    member = idle(M2, Vote(S1, ballot(1, 1), decree("a")))
    member.receive(M1, BeginBallot(ballot(2, 1), S1, decree("a"), S1), 0)
    assert not member.ledger.knows(S1)
    told = Success(NO_BALLOT, S1, (Outcome(S1, decree("a")),))
    assert member.receive(M3, told, 0).passed == [(S1, decree("a"))]
