"""The one door: who may send what, what must never happen, and what the host may look at."""

import pytest

from paxon.core.decree import NO_BALLOT, NodeId
from paxon.core.effects import Effects
from paxon.core.ledger import Outcome, PromisedBallot, TriedBallot, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    Lacking,
    Message,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.slip import Polling, Trying
from paxon.errors import ProtocolError
from tests.core.build import (
    M1,
    M2,
    M3,
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
    rosters,
    stand,
    state_of,
    trying,
    trying_slip,
)
from tests.core.parliament import Parliament

OF_M3 = ballot(7, 3)
A = decree("a")

ONLY_THE_OWNER_SENDS: list[Message] = [
    NextBallot(OF_M3, S1),
    BeginBallot(OF_M3, S1, A, S1),
    Presence(OF_M3, 1, S1),
    HandOver(OF_M3, S1),
]


@pytest.mark.parametrize("message", ONLY_THE_OWNER_SENDS, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("build", [idle, trying, polling])
def test_what_only_the_owner_of_a_ballot_may_say(message: Message, build: type) -> None:
    member: Legislator = build(M1)
    before = state_of(member.ledger)
    with pytest.raises(ProtocolError):
        member.receive(M2, message, 0)
    assert state_of(member.ledger) == before


# What must not happen: a letter after which nothing is promised, voted for, tried, or passed.

NEVER_WRITES: list[Message] = [
    Voted(OF_M3, S1),
    Present(OF_M3, 1, S2),
    Presence(OF_M3, 1, S2),
    Superseded(OF_M3, by=ballot(9, 3)),
    Lacking(S1),
    Canvass(1, S2),
    CanvassReply(1, True, OF_M3, S2),
    Success(NO_BALLOT, S2, ()),
    Success(OF_M3, S2, ()),
    promise(OF_M3, [Vote(S1, ballot(1, 2), A)], passed_until=S2),
    NextBallot(ballot(1, 3), S1),
    BeginBallot(ballot(1, 3), S1, A, S1),
    HandOver(ballot(1, 3), S1),
]


@pytest.mark.parametrize("message", NEVER_WRITES, ids=lambda message: f"{type(message).__name__}")
@pytest.mark.parametrize("build", [idle, trying, polling])
def test_what_writes_nothing_in_any_state(message: Message, build: type) -> None:
    member: Legislator = build(M1, PromisedBallot(ballot(4, 2)))
    before = state_of(member.ledger)
    effects = member.receive(M3, message, 0)
    assert effects.records == []
    assert effects.passed == []
    assert state_of(member.ledger) == before


@pytest.mark.parametrize(
    ("message", "may_write"),
    [
        (NextBallot(OF_M3, S1), PromisedBallot),
        (BeginBallot(OF_M3, S1, A, S1), Vote),
        (Success(NO_BALLOT, S1, outcomes("a")), Outcome),
        (promise(OF_M3, known=outcomes("a")), Outcome),
        (HandOver(OF_M3, S1), TriedBallot),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_what_writes_writes_one_kind_of_record(message: Message, may_write: type) -> None:
    (record,) = idle(M1).receive(M3, message, 0).records
    assert type(record) is may_write


@pytest.mark.parametrize("answer", ["LastVote", "Voted", "NextBallot"])
def test_letters_that_rest_on_a_record_wait_for_it(answer: str) -> None:
    """Whatever was written in the same step, and before it, is what the letter waits for."""
    member = idle(M1, *outcomes("ab"))
    messages: dict[str, Message] = {
        "LastVote": NextBallot(OF_M3, S1),
        "Voted": BeginBallot(OF_M3, S3, A, S1),
        "NextBallot": HandOver(OF_M3, member.ledger.passed_until),
    }
    effects = member.receive(M3, messages[answer], 0)
    waiting = [letter for letter in effects.letters if type(letter.message).__name__ == answer]
    assert waiting
    assert {letter.after for letter in waiting} == {member.ledger.line} == {3}


def test_a_repeated_answer_waits_for_the_record_as_well() -> None:
    """The first copy may still be waiting for the disk: the second must not overtake it."""
    member = idle(M1)
    first = member.receive(M3, BeginBallot(OF_M3, S1, A, S1), 0).letters
    again = member.receive(M3, BeginBallot(OF_M3, S1, A, S1), 0).letters
    assert [letter.after for letter in first + again] == [1, 1]
    first = member.receive(M2, NextBallot(ballot(8, 2), S1), 0).letters
    again = member.receive(M2, NextBallot(ballot(8, 2), S1), 0).letters
    assert [letter.after for letter in first + again] == [2, 2]


@pytest.mark.parametrize("sync_ms", [0, 30])
def test_a_vote_of_one_s_own_counts_only_when_durable(sync_ms: int) -> None:
    """The others vote while the president's own disk still works: their two votes are a quorum of three."""
    parliament = Parliament(1, sync_ms=sync_ms)
    president = parliament.elect()
    slot = parliament.propose(president, "a")
    at_ms = parliament.now_ms
    parliament.run_until(lambda: parliament[president].ledger.knows(slot))
    assert parliament.now_ms - at_ms == sync_ms


def test_the_role_is_the_slip() -> None:
    member = idle(M1)
    assert (member.slip, member.may_propose, member.next_slot, member.open_slots) == (None, False, None, 0)
    member = trying(M1)
    assert isinstance(member.slip, Trying)
    assert (member.may_propose, member.next_slot, member.open_slots, member.president) == (False, None, 0, None)
    member = polling(M1)
    assert isinstance(member.slip, Polling)
    assert (member.may_propose, member.next_slot, member.open_slots) == (True, S1, 0)
    assert member.president == member.slip.ballot


def test_a_restart_is_a_lost_slip() -> None:
    """The same ledger and nothing else: idle, and the number of the lost ballot is not used again."""
    before = polling(M1)
    own = polling_slip(before).ballot
    after = Legislator(M1, before.ledger, rosters(), TIMING, 0, 0)
    assert after.slip is None
    assert after.receive(M2, promise(own), 0) == Effects()
    assert after.receive(M2, Voted(own, S1), 0) == Effects()
    stand(after)
    assert trying_slip(after).ballot > own


def test_every_step_leaves_a_deadline() -> None:
    for build in (idle, trying, polling):
        member: Legislator = build(M1)
        for _ in range(60):
            deadline_ms = member.next_deadline()
            member.on_deadline(deadline_ms, 7)
            assert member.next_deadline() > deadline_ms, "time passes before the next step"


def test_effects_are_handed_over_once() -> None:
    member = idle(M1)
    assert member.receive(M3, NextBallot(OF_M3, S1), 0) != Effects()
    assert member.suspect(M2, 0) == Effects()


def test_a_member_is_named_by_one_number() -> None:
    assert idle(M2).me == NodeId(2)
