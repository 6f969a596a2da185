"""Section 2.3, the basic protocol: what is kept in the ledger, the six steps and their conditions at <, = and >."""

from typing import get_args

import pytest

from paxon.core.decree import Ballot
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import (
    Jumped,
    Outcome,
    Passed,
    PromisedBallot,
    Record,
    TriedBallot,
    Vote,
)
from paxon.core.legislator import Legislator
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Presence, Success, Superseded, Voted
from paxon.core.slip import Polling, Trying
from tests.core.build import (
    M1,
    M2,
    M3,
    S1,
    S2,
    TIMING,
    ballot,
    decree,
    idle,
    polling,
    polling_slip,
    promise,
    rosters,
    stand,
    trying,
    trying_slip,
    written,
)
from tests.core.parliament import Parliament, Sent

BELOW, AT, ABOVE = ballot(4, 1), ballot(5, 2), ballot(5, 3)
A = decree("a")


def test_what_survives_a_crash() -> None:
    """2.3: lastTried, nextBal, prevVote and the outcome, or by 3.3.2 what it did; nothing of the ballot under way."""
    assert set(get_args(Record)) == {TriedBallot, PromisedBallot, Vote, Passed, Outcome, Jumped}
    president = polling(M1)
    own = polling_slip(president).ballot
    president.propose((b"x",), 0, 0)
    after = Legislator(M1, written(TriedBallot(own), PromisedBallot(own)), rosters(), TIMING, 0, 0)
    assert after.slip is None
    assert after.ledger.last_tried == own
    assert after.ledger.next_ballot == own


def test_a_restart_in_the_middle_of_a_ballot_abandons_it() -> None:
    """2.3: a priest that lost its slip of paper is idle; late answers to its old ballot mean nothing to it."""
    for lost in (trying(M1), polling(M1)):
        assert lost.slip is not None
        own = lost.slip.ballot
        after = Legislator(M1, lost.ledger, rosters(), TIMING, 0, 0)
        assert after.receive(M2, promise(own), 0) == Effects()
        assert after.receive(M3, promise(own), 0) == Effects()
        assert after.receive(M2, Voted(own, S1), 0) == Effects()
        assert after.slip is None


@pytest.mark.parametrize("tried", [0, 1, 6])
def test_step_1_takes_a_number_above_last_tried(tried: int) -> None:
    """2.3, step 1: the new number is higher than any that this priest ever tried."""
    records = [TriedBallot(ballot(tried, 2))] if tried else []
    member = idle(M2, *records)
    stand(member)
    slip = trying_slip(member)
    assert slip.ballot > ballot(tried, 2)
    assert slip.ballot.owner == M2
    assert member.ledger.last_tried == slip.ballot
    assert slip.promises == {}


@pytest.mark.parametrize("asked", [BELOW, AT, ABOVE], ids=["below", "equal", "above"])
def test_step_2_promises_at_and_above_the_promise(asked: Ballot) -> None:
    """2.3, step 2: an answer is owed to ballots above nextBal.

    Section 2.3 ignores an equal one; the appendix answers it, and so do we (E2): the first
    answer may be lost.  A lower one gets no promise.
    """
    member = idle(M1, PromisedBallot(AT))
    effects = member.receive(asked.owner, NextBallot(asked, S1), 0)
    promised = [letter for letter in effects.letters if isinstance(letter.message, LastVote)]
    assert bool(promised) == (asked >= AT)
    assert effects.records == ([PromisedBallot(asked)] if asked > AT else [])
    assert member.ledger.next_ballot == max(asked, AT)


@pytest.mark.parametrize("of", [ballot(4, 1), ballot(6, 1), ballot(7, 1)], ids=["below", "equal", "above"])
def test_step_3_counts_promises_for_last_tried_only(of: Ballot) -> None:
    """2.3, step 3: only answers to the very ballot that is being tried."""
    member = trying(M1, above=5)
    assert trying_slip(member).ballot == ballot(6, 1) == member.ledger.last_tried
    for sender in (M1, M2, M3):
        member.receive(sender, promise(of), 0)
    assert isinstance(member.slip, Polling if of == ballot(6, 1) else Trying)


def test_step_3_happens_with_a_majority_and_not_before() -> None:
    """2.3, step 3: from then on the quorum, the decree and the votes belong to this ballot."""
    member = trying(M1)
    own = trying_slip(member).ballot
    member.receive(M3, promise(own, [Vote(S1, ballot(0, 2), A)]), 0)
    assert isinstance(member.slip, Trying)
    member.receive(M1, promise(own), 0)
    slip = polling_slip(member)
    assert slip.promised == {M1, M3}
    assert slip.open[S1].decree == A
    assert slip.open[S1].voters == set()


@pytest.mark.parametrize("begun", [BELOW, AT, ABOVE], ids=["below", "equal", "above"])
def test_step_4_votes_at_and_above_the_promise(begun: Ballot) -> None:
    """2.3, step 4: a vote is cast if the ballot is the one promised.  Ours is cast above it too (E2)."""
    member = idle(M1, PromisedBallot(AT))
    effects = member.receive(begun.owner, BeginBallot(begun, S1, A, S1), 0)
    if begun >= AT:
        assert effects == Effects(
            records=[Vote(S1, begun, A)], letters=[Letter(begun.owner, Voted(begun, S1), after=2)]
        )
    else:
        assert effects == Effects(letters=[Letter(begun.owner, Superseded(begun, by=AT))])
    assert member.ledger.next_ballot == max(begun, AT)


@pytest.mark.parametrize("of", [ballot(1, 1), ballot(2, 1), ballot(3, 1)], ids=["below", "equal", "above"])
def test_step_5_counts_votes_in_last_tried_only(of: Ballot) -> None:
    """2.3, step 5: only votes in the very ballot that is being conducted."""
    president = polling(M1, above=1)
    assert polling_slip(president).ballot == ballot(2, 1)
    president.propose((b"x",), 0, 0)
    president.receive(M2, Voted(of, S1), 0)
    effects = president.receive(M3, Voted(of, S1), 0)
    assert bool(effects.passed) == (of == ballot(2, 1))


@pytest.mark.parametrize("of", [BELOW, AT, ABOVE], ids=["below", "equal", "above"])
def test_step_6_asks_for_no_ballot(of: Ballot) -> None:
    """2.3, step 6: what passed is entered whatever was promised."""
    member = idle(M1, PromisedBallot(AT))
    effects = member.receive(of.owner, Success(of, S1, (Outcome(S1, A),)), 0)
    assert effects == Effects(records=[Outcome(S1, A)], passed=[(S1, A)])


def test_a_promise_is_for_every_ballot_below() -> None:
    """2.3: LastVote promises more than in 2.2: no vote in any ballot below, whether or not it lies above the vote."""
    member = idle(M3, Vote(S1, ballot(3, 1), A))
    member.receive(M2, NextBallot(ballot(5, 2), S1), 0)
    for below in (ballot(1, 1), ballot(4, 1), ballot(5, 1)):
        for slot in (S1, S2):
            assert member.receive(M1, BeginBallot(below, slot, decree("b"), S1), 0).records == []


@pytest.mark.parametrize("size", [1, 3, 5])
def test_what_a_letter_says_is_durable_before_it_leaves(size: int) -> None:
    """2.3: each step notes in the ledger first and sends then: lastTried, nextBal, and the vote."""
    parliament = Parliament(size, sync_ms=7)
    seen: set[type] = set()

    def watch(sent: Sent) -> bool:
        durable = written(*parliament.seats[sent.sender].durable)
        match sent.message:
            case NextBallot(ballot=of):
                assert durable.last_tried >= of
            case LastVote(ballot=of):
                assert durable.next_ballot >= of
            case Voted(ballot=of, slot=slot):
                assert durable.knows(slot) or durable.votes[slot].ballot >= of
            case _:
                return False
        seen.add(type(sent.message))
        return False

    parliament.loses = watch
    for number in range(5):
        parliament.pass_decree(f"{number}")
    assert seen == {NextBallot, LastVote, Voted}


@pytest.mark.parametrize("honours_after", [True, False])
def test_why_the_note_comes_before_the_letter(honours_after: bool) -> None:
    """2.3: a promise that its giver can forget is none.  In five lines, two decrees pass in one slot.

    Member 1 presides over 1 and 3.  Member 2 asks 3 for a promise; 3 answers, crashes, and is
    back without it.  Member 3 then votes for 1's decree, and after that for 2's.
    """
    parliament = Parliament(3, sync_ms=10, honours_after=honours_after)
    parliament.loses = lambda sent: M2 in (sent.sender, sent.to) and sent.sender != sent.to
    older = parliament.stand(M1)
    parliament.run_until(lambda: M1 in parliament.presidents)
    parliament.run_for(30)
    parliament.loses = lambda sent: (
        {sent.sender, sent.to} == {M1, M2} or isinstance(sent.message, Superseded | Success | Presence)
    )
    younger = parliament.stand(M2)
    assert younger > older
    parliament.run_until(lambda: parliament[M3].ledger.next_ballot == younger)
    parliament.crash(M3)
    parliament.start(M3)
    assert parliament[M3].ledger.next_ballot == older
    parliament.propose(M1, "of member 1")
    parliament.run_for(25)
    assert parliament.texts(M1) == ["of member 1"]
    if honours_after:
        assert M2 not in parliament.presidents, "no promise has left member 3"
        parliament.run_for(3_000)
        parliament.loses = lambda sent: False
        parliament.run_for(3_000)
        assert parliament.texts(M3) == ["of member 1"]
    else:
        parliament.propose(M2, "of member 2")
        with pytest.raises(AssertionError, match="two decrees passed"):
            parliament.run_for(100)


def test_the_basic_protocol_promises_no_progress() -> None:
    """2.3: it keeps ledgers consistent and promises nothing else: ballots may supersede each other for ever."""
    first, second = idle(M1), idle(M2)
    for _ in range(10):
        stand(first, above=second.ledger.last_tried.round)
        assert second.receive(M1, NextBallot(first.ledger.last_tried, S1), 0).passed == []
        stand(second)
        assert first.receive(M2, NextBallot(second.ledger.last_tried, S1), 0).passed == []
        assert first.slip is None
    assert first.ledger.passed_until == second.ledger.passed_until == S1
