"""Every message in every slip state, below, at and above the promise: the whole ``Effects`` of one action.

Member 2 of three has voted for OLD in slot 1 in ballot 4.1, has tried and promised 6.2, and
either lost its slip, or is trying 6.2 with nobody's answer yet, or polls in 6.2 with the
promises of 1 and 2, so that OLD is under way in slot 1.
"""

from collections.abc import Callable
from typing import get_args

import pytest
from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, Passed, PromisedBallot, TriedBallot, Vote
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
from tests.core.build import M1, M2, M3, S1, S2, ballot, decree, idle, polling, promise, to, trying

VOTED_IN = ballot(4, 1)
LOWER, OWN, HIGHER = ballot(5, 1), ballot(6, 2), ballot(7, 3)
OLD, NEW = decree("old", VOTED_IN), decree("new", LOWER)
OLD_VOTE = Vote(S1, VOTED_IN, OLD)
NOW = 50

Status = type[Trying] | type[Polling] | type[None]
IDLE: Status = type(None)
TRYING: Status = Trying
POLLING: Status = Polling

STATES: dict[Status, Callable[[], Legislator]] = {
    IDLE: lambda: idle(M2, OLD_VOTE, TriedBallot(OWN), PromisedBallot(OWN)),
    TRYING: lambda: trying(M2, OLD_VOTE, above=5),
    POLLING: lambda: polling(M2, OLD_VOTE, above=5, answers={M1: promise(OWN)}),
}


class Case(Struct, frozen=True):
    """One letter, what it does in each state, and the slip it leaves behind where that is another than before."""

    name: str
    sender: NodeId
    message: Message
    expected: Effects | dict[Status, Effects]
    slip_after: dict[Status, Status] = {}


ANSWERED = promise(OWN, [OLD_VOTE])
OLD_PASSES = Effects(records=[Passed(S1, VOTED_IN)], passed=[(S1, OLD)])
LOSES_SLIP: dict[Status, Status] = {TRYING: IDLE, POLLING: IDLE}


def _superseded(recipient: NodeId) -> Effects:
    return Effects(letters=[Letter(recipient, Superseded(LOWER, by=OWN))])


def _reply(recipient: NodeId, *, supports: bool) -> Effects:
    return Effects(letters=[Letter(recipient, CanvassReply(9, supports, OWN, S1))])


CASES = [
    Case("NextBallot below: told what to outbid", M1, NextBallot(LOWER, S1), _superseded(M1)),
    Case(
        "NextBallot at: promised again",
        M2,
        NextBallot(OWN, S1),
        Effects(letters=[Letter(M2, ANSWERED, after=3)]),
    ),
    Case(
        "NextBallot above: promised, and our own ballot is over",
        M3,
        NextBallot(HIGHER, S1),
        Effects(records=[PromisedBallot(HIGHER)], letters=[Letter(M3, promise(HIGHER, [OLD_VOTE]), after=4)]),
        LOSES_SLIP,
    ),
    Case("BeginBallot below: told what to outbid", M1, BeginBallot(LOWER, S2, NEW, S1), _superseded(M1)),
    Case(
        "BeginBallot at: voted",
        M2,
        BeginBallot(OWN, S2, NEW, S1),
        Effects(records=[Vote(S2, OWN, NEW)], letters=[Letter(M2, Voted(OWN, S2), after=4)]),
    ),
    Case(
        "BeginBallot above: promised and voted in one record",
        M3,
        BeginBallot(HIGHER, S2, NEW, S1),
        Effects(records=[Vote(S2, HIGHER, NEW)], letters=[Letter(M3, Voted(HIGHER, S2), after=4)]),
        LOSES_SLIP,
    ),
    Case("Presence below: told what to outbid", M1, Presence(LOWER, 3, S1), _superseded(M1)),
    Case("Presence at: answered", M2, Presence(OWN, 3, S1), Effects(letters=[Letter(M2, Present(OWN, 3, S1))])),
    Case(
        "Presence above: answered without a promise, and our own ballot is over",
        M3,
        Presence(HIGHER, 3, S1),
        Effects(letters=[Letter(M3, Present(HIGHER, 3, S1))]),
        LOSES_SLIP,
    ),
    Case("Success below: what passed has passed", M1, Success(LOWER, S1, (Outcome(S1, OLD),)), OLD_PASSES),
    Case("Success at: what passed has passed", M2, Success(OWN, S1, (Outcome(S1, OLD),)), OLD_PASSES),
    Case(
        "Success above: and somebody else presides",
        M3,
        Success(HIGHER, S1, (Outcome(S1, OLD),)),
        OLD_PASSES,
        LOSES_SLIP,
    ),
    Case(
        "Success of the ballot voted in: the vote has passed",
        M1,
        Success(VOTED_IN, S2, ()),
        OLD_PASSES,
    ),
    Case("Success of another ballot: no word about our vote", M1, Success(LOWER, S2, ()), Effects()),
    Case("LastVote below: a promise for another ballot", M3, promise(LOWER), Effects()),
    Case("LastVote at: counted, and not a quorum alone", M3, promise(OWN), Effects()),
    Case("LastVote above: a promise for another ballot", M3, promise(HIGHER), Effects()),
    Case(
        "LastVote of any ballot: what passed is entered all the same",
        M3,
        promise(LOWER, known=[Outcome(S1, OLD)]),
        OLD_PASSES,
    ),
    Case("Voted below", M3, Voted(LOWER, S1), Effects()),
    Case("Voted at: counted, and not a quorum alone", M3, Voted(OWN, S1), Effects()),
    Case("Voted above", M3, Voted(HIGHER, S1), Effects()),
    Case("Voted in a slot that is not under way", M3, Voted(OWN, S2), Effects()),
    Case("Present below", M3, Present(LOWER, 1, S1), Effects()),
    Case("Present at", M3, Present(OWN, 1, S1), Effects()),
    Case("Present above", M3, Present(HIGHER, 1, S1), Effects()),
    Case("Superseded below: about a ballot that is over", M3, Superseded(LOWER, by=HIGHER), Effects()),
    Case("Superseded at: our ballot is over", M3, Superseded(OWN, by=HIGHER), Effects(), LOSES_SLIP),
    Case("Superseded above: about a ballot that is not ours", M3, Superseded(HIGHER, by=ballot(8, 1)), Effects()),
    Case("Superseded by itself: says nothing", M3, Superseded(OWN, by=OWN), Effects()),
    Case("Lacking: nothing passed that we know of", M3, Lacking(S1), Effects()),
    Case(
        "Canvass of a later name: supported unless we preside",
        M3,
        Canvass(9, S1),
        {IDLE: _reply(M3, supports=True), TRYING: _reply(M3, supports=True), POLLING: _reply(M3, supports=False)},
    ),
    Case(
        "Canvass of an earlier name: supported unless we stand ourselves",
        M1,
        Canvass(9, S1),
        {IDLE: _reply(M1, supports=True), TRYING: _reply(M1, supports=False), POLLING: _reply(M1, supports=False)},
    ),
    Case("CanvassReply: we have not asked", M3, CanvassReply(1, True, HIGHER, S1), Effects()),
    Case("HandOver below: from a president that is over", M1, HandOver(LOWER, S1), Effects()),
    Case("HandOver of a president that knows more than we do", M3, HandOver(HIGHER, S2), Effects()),
    Case(
        "HandOver above: taken, unless we conduct a ballot already",
        M3,
        HandOver(HIGHER, S1),
        {
            IDLE: Effects(
                records=[TriedBallot(ballot(8, 2))],
                letters=to((M1, M2, M3), NextBallot(ballot(8, 2), S1), after=4),
            ),
            TRYING: Effects(),
            POLLING: Effects(),
        },
        {IDLE: TRYING},
    ),
]


@pytest.mark.parametrize("state", STATES, ids=["idle", "trying", "polling"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_letter(state: Status, case: Case) -> None:
    member = STATES[state]()
    assert type(member.slip) is state
    assert member.ledger.line == 3
    effects = member.receive(case.sender, case.message, NOW)
    expected = case.expected if isinstance(case.expected, Effects) else case.expected[state]
    assert effects == expected
    assert type(member.slip) is case.slip_after.get(state, state)


def test_the_table_has_every_message() -> None:
    kinds = {type(case.message) for case in CASES}
    assert kinds == set(get_args(Message))


def test_the_third_answer_and_the_second_vote_are_what_the_table_leaves_out() -> None:
    """The two letters that complete a quorum: one opens the polls, the other passes the decree."""
    member = STATES[TRYING]()
    member.receive(M3, promise(OWN), NOW)
    effects = member.receive(M2, ANSWERED, NOW)
    call = Presence(OWN, 1, S1)
    begin = BeginBallot(OWN, S1, OLD, S1)
    assert effects == Effects(letters=[*to((M1, M3), call), *to((M1, M2, M3), begin)])
    assert type(member.slip) is Polling

    assert member.receive(M3, Voted(OWN, S1), NOW) == Effects()
    effects = member.receive(M1, Voted(OWN, S1), NOW)
    assert effects == OLD_PASSES
    assert member.open_slots == 0
