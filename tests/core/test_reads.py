"""Read barriers: one quorum round for all who wait, answered only by a call sent after the question."""

import pytest

from paxon.core.decree import NodeId
from paxon.core.effects import Effects, Reading
from paxon.core.ledger import Outcome, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import NextBallot, Presence, Present, Success, Superseded, Voted
from paxon.core.roster import Flexible, Weighted
from paxon.core.slip import Polling
from tests.core.build import (
    ALONE,
    FIVE,
    M1,
    M2,
    M3,
    M4,
    S1,
    S2,
    S3,
    ballot,
    decree,
    idle,
    outcomes,
    polling,
    promise,
    to,
    trying,
)
from tests.core.parliament import Parliament

OWN = ballot(2, 1)


def president() -> Legislator:
    return polling(M1, above=1)


def answer(member: Legislator, call: int, sender: NodeId = M2) -> Effects:
    """``sender`` answers roll call ``call``."""
    return member.receive(sender, Present(OWN, call, S1), 10)


def test_nobody_but_a_president_can_tell() -> None:
    for member in (idle(M1), trying(M1)):
        assert member.read(7, 0) == Effects(readings=[Reading(7, None)])


def test_a_read_calls_the_roll_and_waits_for_a_quorum() -> None:
    member = president()
    assert member.read(7, 5) == Effects(letters=to((M2, M3), Presence(OWN, 2, S1)))
    assert answer(member, 2) == Effects(readings=[Reading(7, S1)])
    assert member.receive(M3, Present(OWN, 2, S1), 11) == Effects(), "and is answered once"


def test_an_answer_to_an_earlier_call_says_nothing_about_now() -> None:
    """It may have left before the read arrived, and a later president may have passed something in between."""
    member = president()
    member.read(7, 5)
    assert answer(member, 1) == Effects()
    assert answer(member, 2).readings == [Reading(7, S1)]


@pytest.mark.parametrize("vote", [False, True])
def test_nothing_but_an_answer_to_the_call_will_do(vote: bool) -> None:
    """A vote, too, may have left before the read arrived."""
    member = president()
    member.propose((b"a",), 0, 0)
    member.read(7, 5)
    effects = member.receive(M2, Voted(OWN, S1) if vote else Present(ballot(1, 1), 2, S1), 10)
    assert effects.readings == []


def test_all_who_come_while_a_call_is_under_way_share_the_next() -> None:
    member = president()
    assert member.read(1, 0).letters == to((M2, M3), Presence(OWN, 2, S1))
    assert member.read(2, 1) == Effects()
    assert member.read(3, 2) == Effects()
    assert answer(member, 2) == Effects(readings=[Reading(1, S1)], letters=to((M2, M3), Presence(OWN, 3, S1)))
    assert answer(member, 3) == Effects(readings=[Reading(2, S1), Reading(3, S1)])
    assert answer(member, 4) == Effects()


def test_a_regular_call_answers_reads_as_well() -> None:
    """If the letters of the read's own call are lost, the next round makes up for it."""
    member = president()
    member.read(1, 5)
    (first, second) = member.on_deadline(105, 0).letters
    assert first.message == second.message == Presence(OWN, 3, S1)
    assert answer(member, 3).readings == [Reading(1, S1)]


def test_a_read_sees_what_had_passed_when_it_came() -> None:
    member = president()
    member.propose((b"a",), 0, 0)
    member.receive(M2, Voted(OWN, S1), 1)
    member.receive(M3, Voted(OWN, S1), 1)
    member.read(1, 2)
    assert answer(member, 2).readings == [Reading(1, S2)]


def test_a_read_need_not_see_what_passes_while_it_waits() -> None:
    member = president()
    member.read(1, 0)
    member.propose((b"a",), 0, 0)
    member.receive(M2, Voted(OWN, S1), 1)
    member.receive(M3, Voted(OWN, S1), 1)
    assert answer(member, 2).readings == [Reading(1, S1)]


def test_a_new_president_answers_nothing_before_it_knows_all_that_may_have_passed() -> None:
    votes = [Vote(S2, ballot(1, 2), decree("b"))]
    member = polling(M1, above=1, answers={M2: promise(OWN, votes)})
    member.read(1, 0)
    assert answer(member, 2) == Effects()
    for voter, slot in ((M1, S1), (M2, S1), (M1, S2)):
        assert member.receive(voter, Voted(OWN, slot), 20).readings == []
    assert member.receive(M2, Voted(OWN, S2), 20).readings == [Reading(1, S3)]


def test_a_new_president_waits_for_what_passed_elsewhere() -> None:
    member = polling(M1, above=1, answers={M2: promise(OWN, passed_until=S3)})
    member.read(1, 0)
    assert answer(member, 2) == Effects()
    assert member.receive(M2, Success(ballot(0, 0), S3, outcomes("a")), 20).readings == []
    assert member.receive(M2, Success(ballot(0, 0), S3, outcomes("b", 2)), 21).readings == [Reading(1, S3)]


def test_while_reads_wait_for_decrees_others_may_call_the_roll() -> None:
    """A question whose call is answered is no call under way: whoever comes then starts one."""
    member = polling(M1, above=1, answers={M2: promise(OWN, passed_until=S2)})
    member.read(1, 0)
    assert answer(member, 2) == Effects()
    assert member.read(2, 11).letters == to((M2, M3), Presence(OWN, 3, S1))
    told = Success(ballot(0, 0), S2, (Outcome(S1, decree("a")),))
    assert member.receive(M2, told, 12).readings == [Reading(1, S2)]
    assert answer(member, 3).readings == [Reading(2, S2)]


@pytest.mark.parametrize(
    "message",
    [Superseded(OWN, by=ballot(3, 2)), NextBallot(ballot(3, 2), S1), Presence(ballot(3, 2), 1, S1)],
    ids=["superseded", "a later ballot is tried", "a later president is heard"],
)
def test_reads_are_dropped_with_the_slip(message: Superseded | NextBallot | Presence) -> None:
    member = president()
    member.read(1, 0)
    member.read(2, 1)
    assert isinstance(member.slip, Polling)
    assert member.receive(M2, message, 2).readings == [Reading(1, None), Reading(2, None)]
    assert member.slip is None


def test_reads_are_dropped_when_no_quorum_answers() -> None:
    member = president()
    member.read(1, 0)
    readings: list[Reading] = []
    for now_ms in range(100, 801, 100):
        readings += member.on_deadline(now_ms, 0).readings
    assert readings == [Reading(1, None)]


def test_a_member_alone_answers_itself() -> None:
    member = polling(M1, quorums=ALONE)
    assert member.read(1, 0) == Effects(readings=[Reading(1, S1)])


def test_a_read_asks_for_a_vote_quorum_of_whatever_kind() -> None:
    heavy = polling(M1, above=1, quorums=Weighted({M1: 1, M2: 1, M3: 3}), answers={M3: promise(OWN)})
    heavy.read(1, 0)
    assert answer(heavy, 2, M2) == Effects()
    assert answer(heavy, 2, M3).readings == [Reading(1, S1)]

    answers = {other: promise(OWN) for other in (M2, M3, M4)}
    few = polling(M1, above=1, quorums=Flexible(FIVE.members, promises=4, votes=2), answers=answers)
    few.read(1, 0)
    assert answer(few, 2, M2).readings == [Reading(1, S1)]


def test_where_one_vote_is_a_quorum_the_president_knows_by_itself() -> None:
    """Nobody presides later without its promise, and it would know of that."""
    answers = {other: promise(OWN) for other in (M2, M3)}
    member = polling(M1, above=1, quorums=Flexible((M1, M2, M3), promises=3, votes=1), answers=answers)
    assert member.read(1, 0).readings == [Reading(1, S1)]


def test_a_president_that_is_cut_off_never_answers_a_read() -> None:
    """Another one presides by then and passes decrees that the first does not know of."""
    parliament = Parliament(3)
    first = parliament.elect()
    parliament.pass_decree("a")
    parliament.loses = lambda sent: first in (sent.sender, sent.to) and sent.sender != sent.to
    parliament.read(first, 1)
    parliament.run_until(lambda: len(parliament.presidents) == 1 and first not in parliament.presidents)
    parliament.run_for(3_000)
    assert parliament.seats[first].readings == {1: None}
    second = parliament.presidents[0]
    parliament.read(second, 2)
    parliament.run_for(10)
    assert parliament.seats[second].readings == {2: S2}


def test_a_read_waits_for_decrees_known_beyond_a_gap() -> None:
    """Somebody may have been told of them already who has no gap there."""
    member = president()
    member.propose((b"a",), 0, 0)
    member.propose((b"b",), 0, 0)
    for voter in (M1, M2):
        member.receive(voter, Voted(OWN, S2), 1)
    member.read(1, 2)
    assert answer(member, 2) == Effects()
    member.receive(M1, Voted(OWN, S1), 20)
    assert member.receive(M2, Voted(OWN, S1), 20).readings == [Reading(1, S3)]
