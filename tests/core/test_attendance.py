"""Who is missed, who is supported, who stands and when: sticky, polite, patient (sections 2.4 and 3.3.1)."""

import pytest

from paxon.core.attendance import PATIENCE_MAX
from paxon.core.decree import NO_BALLOT, NodeId, Slot
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, PromisedBallot, Record, TriedBallot
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    Message,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
)
from paxon.core.roster import QuorumSystem
from paxon.core.slip import Trying
from paxon.core.timing import Timing
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
    THREE,
    ballot,
    decree,
    idle,
    outcomes,
    polling,
    polling_slip,
    promise,
    stand,
    to,
    trying,
    trying_slip,
)
from tests.core.parliament import Parliament

TIMING = Timing(presence_ms=100, election_timeout_ms=600, retransmit_ms=200, flush_ms=5)
OF_M2 = ballot(4, 2)


def follower(me: NodeId = M1, *records: Record, chance: int = 0, now_ms: int = 0) -> Legislator:
    """A member that hears the president of 4.2 at ``now_ms``."""
    member = idle(me, *records, timing=TIMING, chance=chance)
    member.receive(M2, Presence(OF_M2, 1, S1), now_ms)
    return member


def canvasser(me: NodeId = M1, *records: Record, quorums: QuorumSystem = THREE) -> Legislator:
    """A member that has asked around once, at 100 ms."""
    member = idle(me, *records, timing=TIMING, quorums=quorums)
    member.on_deadline(100, 0)
    return member


def support(member: Legislator, sender: NodeId, *, canvass: int = 1, promised: int = 0, now_ms: int = 110) -> Effects:
    """``sender`` answers a canvass well, having promised a ballot of round ``promised``."""
    known = ballot(promised, 3) if promised else NO_BALLOT
    return member.receive(sender, CanvassReply(canvass, True, known, S1), now_ms)


# --- sticky ---


def test_a_president_that_is_heard_is_followed_and_not_tried_against() -> None:
    member = follower()
    assert member.president == OF_M2
    for now_ms in range(100, 5000, 100):
        member.receive(M2, Presence(OF_M2, now_ms, S1), now_ms)
        assert member.next_deadline() >= now_ms + TIMING.election_timeout_ms
    assert member.president == OF_M2


@pytest.mark.parametrize(
    "message",
    [
        Presence(OF_M2, 9, S1),
        BeginBallot(OF_M2, S1, decree("a"), S1),
        Success(OF_M2, S1, ()),
    ],
    ids=["Presence", "BeginBallot", "Success"],
)
def test_any_word_of_the_president_is_a_sign_of_life(message: Presence | BeginBallot | Success) -> None:
    member = follower()
    member.receive(M2, message, 400)
    assert member.next_deadline() == 400 + TIMING.election_timeout_ms


@pytest.mark.parametrize(
    ("sender", "message"),
    [
        (M3, Success(OF_M2, S1, ())),
        (M3, Success(NO_BALLOT, S1, ())),
        (M3, Canvass(1, S1)),
        (M2, Presence(ballot(3, 2), 9, S1)),
        (M2, BeginBallot(ballot(3, 2), S1, decree("a"), S1)),
        (M2, Success(ballot(3, 2), S1, ())),
        (M2, Superseded(ballot(3, 1), by=OF_M2)),
    ],
    ids=[
        "Success by another",
        "Success of no ballot",
        "Canvass",
        "Presence of an old ballot",
        "BeginBallot of an old ballot",
        "Success of an old ballot",
        "Superseded",
    ],
)
def test_nothing_else_is(sender: NodeId, message: Message) -> None:
    member = follower(M1, PromisedBallot(OF_M2))
    member.receive(sender, message, 400)
    assert member.next_deadline() == TIMING.election_timeout_ms


def test_an_old_president_is_told_so_and_not_followed() -> None:
    member = idle(M1, PromisedBallot(ballot(5, 3)), timing=TIMING)
    assert member.receive(M2, Presence(OF_M2, 1, S1), 0).letters == [Letter(M2, Superseded(OF_M2, by=ballot(5, 3)))]
    assert member.president is None


def test_a_president_not_heard_for_the_timeout_is_missed() -> None:
    member = follower()
    assert member.next_deadline() == 600
    assert member.on_deadline(599, 0) == Effects()
    assert member.president == OF_M2
    assert member.on_deadline(600, 0) == Effects(letters=to((M2, M3), Canvass(1, S1)))
    assert member.president is None


def test_members_lose_patience_at_different_times() -> None:
    assert follower(chance=0).next_deadline() == 600
    assert follower(chance=599).next_deadline() == 1199
    assert follower(chance=600).next_deadline() == 600
    assert idle(M1, timing=TIMING, chance=0).next_deadline() == 100
    assert idle(M1, timing=TIMING, chance=99).next_deadline() == 199


# --- asking before disturbing ---


def test_asking_around_writes_nothing() -> None:
    member = idle(M1, timing=TIMING)
    effects = member.on_deadline(100, 0)
    assert effects == Effects(letters=to((M2, M3), Canvass(1, S1)))
    assert member.slip is None


def test_a_quorum_of_support_starts_a_ballot_above_all_that_was_heard_of() -> None:
    member = canvasser()
    effects = support(member, M3, promised=8)
    own = ballot(9, 1)
    assert effects == Effects(records=[TriedBallot(own)], letters=to((M1, M2, M3), NextBallot(own, S1), after=1))
    assert trying_slip(member).ballot == own


def test_support_is_counted_by_heads() -> None:
    member = canvasser(quorums=FIVE)
    for _ in range(3):
        assert support(member, M3) == Effects()
    assert support(member, M4).records == [TriedBallot(ballot(1, 1))]


def test_support_for_an_earlier_question_does_not_count() -> None:
    member = canvasser()
    member.on_deadline(member.next_deadline(), 0)
    assert support(member, M3, canvass=1, now_ms=220) == Effects()
    assert support(member, M3, canvass=2, now_ms=220).records


def test_a_refusal_still_says_what_to_outbid() -> None:
    member = canvasser(quorums=FIVE)
    assert member.receive(M2, CanvassReply(1, False, ballot(7, 2), S1), 105) == Effects()
    support(member, M3)
    assert support(member, M4).records == [TriedBallot(ballot(8, 1))]


def test_support_is_forgotten_when_the_president_is_heard_again() -> None:
    member = canvasser()
    member.receive(M2, Presence(OF_M2, 1, S1), 105)
    assert support(member, M3) == Effects()
    assert member.slip is None


def test_a_member_alone_asks_nobody() -> None:
    member = canvasser(quorums=ALONE)
    assert isinstance(member.slip, Trying)


# --- supporting others ---


def reply(member: Legislator, candidate: NodeId, passed_until: int = 1, now_ms: int = 0) -> bool:
    """Whether ``member`` supports ``candidate``, whose ledger goes so far."""
    until = [S1, S2, S3][passed_until - 1]
    (letter,) = member.receive(candidate, Canvass(5, until), now_ms).letters
    assert letter.to == candidate
    assert isinstance(letter.message, CanvassReply)
    assert letter.message.canvass == 5
    return letter.message.supports


def test_nobody_is_supported_while_the_president_is_heard() -> None:
    member = follower()
    assert not reply(member, M3, now_ms=599)
    assert reply(member, M3, now_ms=600), "from then on we miss it too, though our own patience may last longer"


def test_a_president_supports_nobody() -> None:
    assert not reply(polling(M1, timing=TIMING), M3, now_ms=10_000)


def test_only_a_candidate_that_has_caught_up_is_supported() -> None:
    member = idle(M1, *outcomes("a"), timing=TIMING)
    assert not reply(member, M3, passed_until=1)
    assert reply(member, M3, passed_until=2)
    assert reply(idle(M1, *outcomes("a"), timing=TIMING), M3, passed_until=3)


def test_decrees_beyond_a_gap_do_not_count() -> None:
    assert reply(idle(M1, Outcome(S2, decree("b")), timing=TIMING), M3, passed_until=1)


def test_the_answer_carries_the_highest_ballot_heard_of() -> None:
    member = idle(M1, PromisedBallot(ballot(3, 3)), timing=TIMING)
    member.receive(M2, Superseded(ballot(1, 1), by=ballot(9, 3)), 0)
    (letter,) = member.receive(M3, Canvass(5, S1), 0).letters
    assert letter.message == CanvassReply(5, True, ballot(9, 3), S1)


def test_whoever_supports_another_waits_for_it() -> None:
    member = idle(M1, timing=TIMING)
    assert reply(member, M3, now_ms=50)
    assert member.next_deadline() == 50 + TIMING.election_timeout_ms


def test_whoever_refuses_goes_on_as_before() -> None:
    member = idle(M1, *outcomes("a"), timing=TIMING)
    before = member.next_deadline()
    assert not reply(member, M3, passed_until=1, now_ms=50)
    assert member.next_deadline() == before


@pytest.mark.parametrize(
    ("mine", "theirs", "rival", "supported"),
    [
        (1, 1, M3, True),
        (1, 1, M1, False),
        (1, 2, M1, True),
        (2, 1, M3, False),
    ],
    ids=["a later name", "an earlier name", "more decrees", "fewer decrees"],
)
@pytest.mark.parametrize("standing", ["canvassing", "trying"])
def test_of_two_rivals_the_fuller_ledger_wins_then_the_later_name(
    mine: int, theirs: int, rival: NodeId, supported: bool, standing: str
) -> None:
    records = outcomes("a") if mine == 2 else ()
    member = canvasser(M2, *records) if standing == "canvassing" else trying(M2, *records, timing=TIMING)
    assert reply(member, rival, passed_until=theirs, now_ms=105) == supported


def test_whoever_gives_way_to_a_rival_stands_back() -> None:
    member = canvasser(M1)
    assert reply(member, M3, now_ms=105)
    assert support(member, M2) == Effects()
    assert member.slip is None


# --- patience ---


def test_the_pause_between_questions_in_vain_doubles_to_a_limit() -> None:
    member = canvasser()
    pauses, last_ms = [], 100
    for _ in range(PATIENCE_MAX + 3):
        now_ms = member.next_deadline()
        pauses.append(now_ms - last_ms)
        last_ms = now_ms
        assert member.on_deadline(now_ms, 0).letters
    assert pauses == [100, 200, 400, 800, 800, 800]


def test_the_pause_differs_by_chance() -> None:
    member = idle(M1, timing=TIMING)
    member.on_deadline(100, 73)
    assert member.next_deadline() == 100 + 100 + 73
    member.on_deadline(273, 199)
    assert member.next_deadline() == 273 + 200 + 199


def test_hearing_a_president_makes_patient_members_quick_again() -> None:
    member = canvasser()
    for _ in range(5):
        member.on_deadline(member.next_deadline(), 0)
    now_ms = member.next_deadline()
    member.receive(M2, Presence(OF_M2, 1, S1), now_ms)
    missed_ms = member.next_deadline()
    member.on_deadline(missed_ms, 0)
    assert member.next_deadline() == missed_ms + TIMING.presence_ms


def test_whoever_lost_office_lets_the_others_try_first() -> None:
    member = polling(M1, timing=TIMING)
    own = polling_slip(member).ballot
    member.receive(M3, Superseded(own, by=ballot(7, 3)), 50)
    assert member.next_deadline() == 50 + TIMING.election_timeout_ms // 2


def test_whoever_lost_office_does_not_point_to_whom_it_followed_before() -> None:
    """The older president is heard while our ballot is tried; by the time that we lose office it is long over."""
    member = idle(M1, timing=TIMING)
    stand(member, above=6)
    own = trying_slip(member).ballot
    member.receive(M2, Presence(OF_M2, 1, S1), 1)
    member.receive(M1, promise(own), 2)
    member.receive(M3, promise(own), 2)
    assert polling_slip(member).ballot == own
    member.receive(M3, Superseded(own, by=ballot(9, 3)), 5_000)
    assert member.president is None
    assert member.next_deadline() == 5_000 + TIMING.election_timeout_ms // 2


# --- hints ---


def test_a_broken_link_to_the_president_is_looked_into_at_once() -> None:
    member = follower()
    assert member.suspect(M2, 10) == Effects()
    assert member.next_deadline() == 10
    assert member.on_deadline(10, 0) == Effects(letters=to((M2, M3), Canvass(1, S1)))


def test_a_broken_link_to_anybody_else_is_not() -> None:
    member = follower()
    assert member.suspect(M3, 10) == Effects()
    assert member.next_deadline() == TIMING.election_timeout_ms
    assert member.president == OF_M2


def test_a_suspicion_that_is_wrong_disturbs_nobody() -> None:
    parliament = Parliament(3)
    president = parliament.elect()
    ballots = {me: parliament[me].president for me in parliament.alive}
    other = next(me for me in parliament.alive if me != president)
    since_ms = parliament.now_ms
    parliament.suspect(other, president)
    parliament.run_for(3_000)
    assert parliament.letters(Canvass, since_ms), "it asked"
    assert not parliament.letters(NextBallot, since_ms + 1)
    assert {me: parliament[me].president for me in parliament.alive} == ballots


# --- handing over ---


def test_an_heir_stands_at_once_and_above_the_president() -> None:
    member = follower(M3)
    effects = member.receive(M2, HandOver(OF_M2, S1), 20)
    own = ballot(5, 3)
    assert effects == Effects(records=[TriedBallot(own)], letters=to((M1, M2, M3), NextBallot(own, S1), after=1))


@pytest.mark.parametrize(
    ("records", "passed_until"),
    [((PromisedBallot(ballot(5, 1)),), S1), ((), S2)],
    ids=["the president is over", "we lack a decree"],
)
def test_an_heir_that_may_not_does_not(records: tuple[Record, ...], passed_until: Slot) -> None:
    member = idle(M3, *records, timing=TIMING)
    assert member.receive(M2, HandOver(OF_M2, passed_until), 20) == Effects()
    assert member.slip is None


def test_office_changes_hands_without_a_pause() -> None:
    parliament = Parliament(3, sync_ms=1)
    first = parliament.elect()
    parliament.pass_decree("a")
    parliament.run_for(250)
    since_ms = parliament.now_ms
    parliament.hand_over(first)
    parliament.run_until(lambda: bool(parliament.presidents) and first not in parliament.presidents, within_ms=20)
    assert not parliament.letters(Canvass, since_ms)
    parliament.pass_decree("b", within_ms=50)


# --- a whole parliament ---


def test_a_candidate_that_is_cut_off_raises_no_ballot_and_disturbs_nobody_when_it_returns() -> None:
    parliament = Parliament(5)
    president = parliament.elect()
    absent = next(me for me in reversed(parliament.members) if me != president)
    parliament.loses = lambda sent: absent in (sent.sender, sent.to)
    in_office = parliament[president].president
    for number in range(5):
        parliament.propose(president, f"{number}")
        parliament.run_for(3_000)
    assert parliament[absent].ledger.last_tried == NO_BALLOT
    parliament.loses = lambda sent: False
    parliament.run_for(3_000)
    assert [parliament[me].president for me in parliament.alive] == [in_office] * 5
    assert parliament.texts(absent) == parliament.texts(president)


def test_a_president_cut_off_from_the_quorum_steps_down() -> None:
    parliament = Parliament(5)
    president = parliament.elect()
    parliament.loses = lambda sent: sent.sender == president and sent.to != president
    parliament.run_for(TIMING.election_timeout_ms + TIMING.presence_ms + 50)
    assert president not in parliament.presidents
    assert parliament.elect() != president


def test_equal_chances_still_end_in_one_president() -> None:
    """All act at the same instants for ever: the tie-break by name has to decide."""
    parliament = Parliament(5, chance=lambda me: 0)
    assert parliament.elect(within_ms=5_000) == M5


def test_present_is_no_promise() -> None:
    member = idle(M1, timing=TIMING)
    effects = member.receive(M2, Presence(OF_M2, 4, S1), 0)
    assert effects == Effects(letters=[Letter(M2, Present(OF_M2, 4, S1))])
    assert member.ledger.next_ballot == NO_BALLOT
