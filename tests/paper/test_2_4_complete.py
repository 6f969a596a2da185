"""Section 2.4, the complete Synod protocol: when to act, who presides, and how long it all takes."""

from itertools import pairwise
from random import Random

import pytest

from paxon.core.decree import NodeId, Slot
from paxon.core.ledger import PromisedBallot
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    LastVote,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.core.slip import Polling, Trying
from paxon.core.timing import Timing
from tests.core.build import M1, M2, M3, S1, ballot, idle, polling, stand, trying_slip
from tests.core.parliament import Parliament, Sent
from tests.paper.hourglass import (
    FROM_ONE_INITIATOR,
    GOOD_BALLOT,
    HOP,
    MINUTE,
    ROUND_TRIP,
    TIMING,
    T,
    acted_on,
    chamber,
)


def propose_when_possible(parliament: Parliament, text: str, within_ms: int = 10 * T) -> tuple[NodeId, Slot]:
    """Hand ``text`` to whoever comes into office first, at once.  Returns who that is, and the slot."""
    parliament.run_until(lambda: any(parliament[me].may_propose for me in parliament.presidents), within_ms)
    president = next(me for me in parliament.presidents if parliament[me].may_propose)
    return president, parliament.propose(president, text)


def all_know(parliament: Parliament, slot: Slot, within_ms: int = 10 * T) -> int:
    """Wait until all who are here have ``slot`` in their ledgers.  Returns when."""
    return parliament.run_until(
        lambda: all(parliament[me].ledger.passed_until > slot for me in parliament.alive), within_ms
    )


def late_but_for_member_1(me: NodeId) -> int:
    """Chances under which the others do not start to ask around before 98 minutes."""
    return 0 if me == M1 else TIMING.presence_ms - 1


# --- the hourglass ---


def test_the_numbers() -> None:
    """2.4: 4 minutes for a messenger, 7 for a priest; so 22 for an answer, 55 for a ballot, 99 for one initiator."""
    assert [quantity // MINUTE for quantity in (HOP, ROUND_TRIP, GOOD_BALLOT, FROM_ONE_INITIATOR)] == [11, 22, 55, 99]


def test_an_answer_comes_within_22_minutes() -> None:
    """2.4: whoever sends a letter that wants an answer and hears nothing for 22 minutes knows that something is wrong.

    Every question and its answer, in a run with no failures.
    """
    parliament = chamber()
    started = parliament.stand(M1)
    _, slot = propose_when_possible(parliament, "a")
    all_know(parliament, slot)
    pairs: list[tuple[type, type]] = [(NextBallot, LastVote), (BeginBallot, Voted), (Presence, Present)]
    for question, answer in pairs:
        for sent in parliament.letters(question, to_self=False):
            answers = [back.at_ms + HOP for back in parliament.letters(answer, sent.at_ms) if back.sender == sent.to]
            assert min(answers) - sent.at_ms <= ROUND_TRIP
    assert started.owner == M1


def test_a_good_ballot_takes_55_minutes() -> None:
    """2.4: with one initiator whose number is high enough, steps 1 to 6 take 55 minutes from start to last ledger."""
    parliament = chamber(5)
    parliament.stand(M1)
    assert parliament.now_ms == 0
    _, slot = propose_when_possible(parliament, "a")
    assert parliament.now_ms == ROUND_TRIP
    assert all_know(parliament, slot) == GOOD_BALLOT


def test_a_good_ballot_takes_55_minutes_for_what_is_forced_too() -> None:
    """2.4: the same when an earlier president left votes behind: step 3 needs nobody's request then."""
    parliament = chamber(3)
    parliament.stand(M1)
    _, slot = propose_when_possible(parliament, "left behind")
    parliament.run_until(lambda: bool(parliament[M2].ledger.votes) and bool(parliament[M3].ledger.votes))
    parliament.crash(M1)
    at = parliament.now_ms
    parliament.stand(M2)
    assert all_know(parliament, slot) - at == GOOD_BALLOT
    assert parliament.texts(M2) == parliament.texts(M3) == ["left behind"]


def test_one_initiator_needs_at_most_99_minutes() -> None:
    """2.4: 99 minutes, if nobody else starts ballots: 22 for a ballot under way that comes to nothing, 22 to learn
    the number to outbid, 55 for one that is good.

    Our member learns the number before its first ballot, by the canvass, which takes a round
    trip as well.  Here everyone once promised a ballot of round 50 to a priest long gone.
    """
    parliament = chamber(3, chance=late_but_for_member_1)
    for me in (M2, M3):
        parliament.receive(me, NodeId(9), NextBallot(ballot(50, 9), S1))
    parliament.run_until(lambda: bool(parliament.letters(Canvass)))
    at = parliament.now_ms
    _, slot = propose_when_possible(parliament, "a")
    assert all_know(parliament, slot) - at <= FROM_ONE_INITIATOR
    assert len({sent.message for sent in parliament.letters(NextBallot)}) == 1


def test_a_ballot_that_was_too_low_costs_one_round_trip_and_our_back_off() -> None:
    """2.4: as before, but the number to outbid is known only to a priest outside the quorum that supported us.

    The paper's president starts again at once.  Ours first lets others try for half of T (and up
    to as much again by chance) and asks around once more, because a ballot above its own is
    most often a sign of another president.  So 99 minutes become 99 + T/2.
    """
    parliament = chamber(3, chance=late_but_for_member_1)
    parliament.receive(M3, NodeId(9), NextBallot(ballot(50, 9), S1))
    at = parliament.now_ms
    parliament.stand(M1)
    parliament.run_until(lambda: bool(parliament.letters(Superseded)))
    _, slot = propose_when_possible(parliament, "a")
    taken = all_know(parliament, slot) - at
    assert taken <= FROM_ONE_INITIATOR + T // 2


@pytest.mark.parametrize("size", [3, 5])
def test_t_plus_99_minutes_after_the_president_left(size: int) -> None:
    """2.4: T + 99 minutes after the last departure, everyone present has the decree.

    Worst for us is a president that leaves right after a roll call: it is last heard 11 minutes
    later, missed after T more, and the canvass takes 22 before the 55 of the ballot: T + 88.
    Nobody draws any extra patience here, and all act at the same instants.
    """
    parliament = chamber(size)
    president, _ = propose_when_possible(parliament, "before")
    parliament.run_for(3 * T)
    since = parliament.now_ms
    parliament.run_until(lambda: bool(parliament.letters(Presence, since)))
    parliament.crash(president)
    at = parliament.now_ms
    _, slot = propose_when_possible(parliament, "after")
    taken = all_know(parliament, slot) - at
    assert T < taken <= T + FROM_ONE_INITIATOR


def test_patience_drawn_by_chance_adds_at_most_t() -> None:
    """2.4 again: our members add a random part of T to their patience, so that they do not all ask at once.

    With the unluckiest draw for everyone the bound is 2T + 99.
    """
    parliament = chamber(3, chance=lambda me: T - 1)
    president, _ = propose_when_possible(parliament, "before")
    parliament.run_for(3 * T)
    parliament.crash(president)
    at = parliament.now_ms
    _, slot = propose_when_possible(parliament, "after")
    assert all_know(parliament, slot) - at <= 2 * T + FROM_ONE_INITIATOR


def test_a_president_that_is_here_is_heard_every_t() -> None:
    """2.4: names are sent every T - 11 minutes, so whoever is here hears the president every T, and nobody moves."""
    parliament = chamber(3)
    propose_when_possible(parliament, "a")
    parliament.run_for(2 * T)
    since = parliament.now_ms
    parliament.run_for(50 * T)
    assert not parliament.letters(NextBallot, since)
    assert not parliament.letters(Canvass, since)
    calls = acted_on(parliament, Presence, since)
    assert max(later - earlier for earlier, later in pairwise(calls)) <= T


def test_hourglasses_that_run_fast_or_slow_do_not_stop_progress() -> None:
    """2.4: priests need only measure time roughly.  Here one glass runs a tenth fast and one a tenth slow."""

    def glass(percent: int) -> Timing:
        return Timing(
            presence_ms=TIMING.presence_ms * percent // 100,
            election_timeout_ms=TIMING.election_timeout_ms * percent // 100,
            retransmit_ms=TIMING.retransmit_ms * percent // 100,
            flush_ms=0,
        )

    parliament = Parliament(
        3, timing=TIMING, delivery_ms=HOP // 4, reaction_ms=HOP // 4, timings={M1: glass(90), M3: glass(110)}
    )
    for number in range(3):
        president, slot = propose_when_possible(parliament, f"{number}")
        all_know(parliament, slot)
        parliament.run_for(5 * T)
        assert parliament.presidents == [president]
        parliament.crash(president)
        _, slot = propose_when_possible(parliament, f"{number} again")
        all_know(parliament, slot)
        parliament.start(president)
        parliament.run_for(2 * T)
    assert len({parliament.texts(me)[0] for me in parliament.members}) == 1


# --- as soon as possible, and not too often ---


def test_steps_2_to_6_are_done_as_soon_as_possible() -> None:
    """2.4: whatever a step makes possible is done in the same instant: five message delays and not one more."""
    parliament = Parliament(3, timing=Timing(flush_ms=0), delivery_ms=10)
    parliament.stand(M1)
    _, slot = propose_when_possible(parliament, "a")
    assert all_know(parliament, slot) == 5 * 10


def test_too_many_ballots_stop_all_progress() -> None:
    """2.4: two priests that keep outbidding each other pass nothing, for as long as they keep at it."""
    parliament = Parliament(3, timing=Timing(flush_ms=0), delivery_ms=10)
    started = 0
    for turn in range(100):
        member = M1 if turn % 2 else M2
        if parliament[member].slip is None:
            parliament.stand(member)
            started += 1
        for me in parliament.presidents:
            if parliament[me].may_propose and parliament[me].open_slots == 0:
                parliament.propose(me, f"{turn}")
        parliament.run_for(15)
    assert started > 40
    assert parliament.passed == {}
    parliament.run_for(2_000)
    parliament.pass_decree("once they leave it to the selection", within_ms=5_000)


def test_too_few_ballots_pass_nothing_either() -> None:
    """2.4: without any ballot nothing passes: a member that nobody supports starts none."""
    parliament = Parliament(3, absent=(M1, M2))
    parliament.run_for(60_000)
    assert not parliament.letters(NextBallot)
    assert parliament.passed == {}


def test_a_priest_that_is_asked_too_low_says_what_to_outbid() -> None:
    """2.4: with the number in the notice the second ballot is high enough; there is no groping upwards."""
    candidate = idle(M1, timing=Timing())
    stand(candidate)
    first = trying_slip(candidate).ballot
    busy = idle(M2, PromisedBallot(ballot(1_000, 3)))
    (notice,) = busy.receive(M1, NextBallot(first, S1), 0).letters
    assert notice.message == Superseded(first, by=ballot(1_000, 3))
    candidate.receive(M2, notice.message, 0)
    assert candidate.slip is None
    now_ms = candidate.next_deadline()
    candidate.on_deadline(now_ms, 0)
    asked = Canvass(1, S1)
    (reply,) = busy.receive(M1, asked, now_ms).letters
    candidate.receive(M2, reply.message, now_ms)
    assert trying_slip(candidate).ballot == ballot(1_001, 1)


@pytest.mark.parametrize("step", [3, 5])
def test_a_president_stops_a_ballot_only_for_a_reason(step: int) -> None:
    """2.4: a new ballot is started if step 3 or 5 is not reached in time, or a higher one is heard of, and not else."""
    member = idle(M1) if step == 3 else polling(M1)
    if step == 3:
        stand(member)
    assert member.slip is not None
    own = member.slip.ballot
    member.receive(M2, Superseded(own, by=own), 1)
    member.receive(M2, Superseded(ballot(own.round + 5, 1), by=ballot(own.round + 6, 3)), 1)
    member.receive(M2, Canvass(1, S1), 1)
    member.receive(M2, CanvassReply(1, True, ballot(own.round + 9, 3), S1), 1)
    assert isinstance(member.slip, Trying if step == 3 else Polling)
    member.receive(M2, Superseded(own, by=ballot(own.round + 1, 3)), 2)
    assert member.slip is None


def test_nobody_starts_a_ballot_in_a_parliament_at_peace() -> None:
    """2.4, the other way round: ten minutes with a president and proposals, and not one more NextBallot."""
    parliament = Parliament(3)
    president = parliament.elect()
    since = parliament.now_ms + 1
    for number in range(60):
        parliament.propose(president, f"{number}")
        parliament.run_for(10_000)
    assert not parliament.letters(NextBallot, since)
    assert parliament.presidents == [president]


# --- who presides ---


@pytest.mark.parametrize("seed", range(5))
def test_after_t_quiet_minutes_exactly_one_priest_presides(seed: int) -> None:
    """2.4, presidential selection requirement: once nobody comes or goes, one and only one believes to preside."""
    random = Random(seed)
    parliament = Parliament(5, chance=lambda me: random.randrange(2**32))
    for _ in range(20):
        parliament.run_for(random.randrange(600))
        me = random.choice(parliament.members)
        if me not in parliament.alive:
            parliament.start(me)
        elif len(parliament.alive) > 3:
            parliament.crash(me)
    parliament.run_for(6_000)
    assert len(parliament.presidents) == 1
    for _ in range(50):
        parliament.run_for(100)
        assert len(parliament.presidents) == 1


def test_two_presidents_do_no_harm() -> None:
    """2.4: the selection may fail for a while in either direction; consistency does not depend on it."""
    parliament = Parliament(5)
    first = parliament.elect()
    others = [me for me in parliament.members if me != first]
    parliament.loses = lambda sent: first in (sent.sender, sent.to) and sent.sender != sent.to
    second = parliament.stand(others[0])
    parliament.run_until(lambda: len(parliament.presidents) == 2)
    for number in range(5):
        for me in parliament.presidents:
            parliament.propose(me, f"{number} by {me}")
        parliament.run_for(20)
    parliament.loses = lambda sent: False
    parliament.run_until(lambda: parliament.presidents == [second.owner])
    parliament.pass_decree("one again")
    assert parliament.texts(second.owner)[:5] == [f"{number} by {second.owner}" for number in range(5)]


def test_among_equals_the_last_name_presides() -> None:
    """2.4, the sample rule: of those who would preside, the one whose name comes last in the alphabet does."""
    parliament = Parliament(5, chance=lambda me: 0)
    assert parliament.elect() == 5


def test_whoever_comes_late_learns_without_a_new_ballot() -> None:
    """2.4: the paper's president holds ballot after ballot so that newcomers hear; it says there are better ways."""
    parliament = Parliament(3)
    president = parliament.elect()
    parliament.pass_decree("a")
    late = next(me for me in parliament.members if me != president)
    parliament.crash(late)
    parliament.pass_decree("b")
    since = parliament.now_ms
    parliament.start(late)
    parliament.run_until(lambda: parliament.texts(late) == ["a", "b"], within_ms=1_000)
    assert not parliament.letters(NextBallot, since)


@pytest.mark.parametrize("promised", [0, 40])
def test_fail_over_costs_exactly_one_ballot(promised: int) -> None:
    """2.4: numbers are exchanged while the president is selected, so the first number tried is high enough."""
    parliament = Parliament(3)
    president = parliament.elect()
    parliament.pass_decree("a")
    survivors = [me for me in parliament.members if me != president]
    if promised:
        # One of the two has promised a ballot that nobody conducts any more.
        parliament.receive(
            survivors[0], president, NextBallot(ballot(promised, president), parliament[M1].ledger.passed_until)
        )
    parliament.crash(president)
    since = parliament.now_ms
    parliament.pass_decree("b")
    ballots = {sent.message for sent in parliament.letters(NextBallot, since)}
    assert len(ballots) == 1


def test_letters_of_an_old_president_are_answered_and_not_followed() -> None:
    """2.4: a president that slept through its own succession is told at its next letter, whichever that is."""
    parliament = Parliament(3)
    first = parliament.elect()
    parliament.pass_decree("a")
    others = [me for me in parliament.members if me != first]

    def sleeps(sent: Sent) -> bool:
        return first in (sent.sender, sent.to) and sent.sender != sent.to

    parliament.loses = sleeps
    parliament.stand(others[0])
    parliament.run_until(lambda: others[0] in parliament.presidents)
    parliament.loses = lambda sent: False
    if first in parliament.presidents:
        parliament.propose(first, "too late")
    parliament.run_until(lambda: first not in parliament.presidents, within_ms=200)
    parliament.run_for(2_000)
    assert "too late" not in parliament.texts(first)
    assert not any(isinstance(sent.message, Success) and sent.sender == first for sent in parliament.sent[-20:])
