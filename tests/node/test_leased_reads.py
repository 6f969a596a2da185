"""Reads by the leader's lease: no letter is sent for them, and none is served once anybody else may lead."""

import pytest

from paxon.core.decree import Ballot
from paxon.core.lease import LeaseTerms
from paxon.core.messages import BeginBallot, HandOver, NextBallot, Presence, Present
from paxon.errors import Stopping
from paxon.node.consistency import LEASED
from paxon.node.letters import AskReading
from paxon.node.status import Role
from tests.node.stage import Sent, Stage, m

TERMS = LeaseTerms(duration_ms=400, drift_ppm=1_000, pause_ms=50)


def led(terms: LeaseTerms = TERMS) -> Stage:
    """A stage whose member 1 leads and has had the answers to a call."""
    stage = Stage(3, terms=terms)
    stage.elect(1)
    stage.run_for(250)
    return stage


def test_the_leader_reads_its_own_state_without_a_letter() -> None:
    stage = led()
    calls = len(stage.of(Presence, AskReading))
    assert all(stage[1].host.may_read(LEASED) for _ in range(1_000))
    assert len(stage.of(Presence, AskReading)) == calls
    assert stage[1].host.reads.by_lease == 1_000
    assert not any(stage[other].host.may_read(LEASED) for other in (2, 3))
    assert stage[2].host.reads.lease_refused == 1


def test_without_leases_such_a_read_takes_a_barrier() -> None:
    stage = led(LeaseTerms())
    assert not stage[1].host.may_read(LEASED)
    answer = stage[1].read(consistency=LEASED)
    stage.run_until(answer.done)
    assert answer.value == stage[1].host.applied_until
    assert not [sent for sent in stage.of(Presence, Present) if getattr(sent.message, "lease_ms")]  # noqa: B009


def test_a_follower_reads_through_the_leader() -> None:
    stage = led()
    written = stage[1].submit(b"x")
    stage.run_until(written.done)
    answer = stage[3].read(consistency=LEASED)
    stage.run_until(answer.done)
    assert answer.value > written.value.slot


def test_a_leader_that_is_cut_off_serves_until_its_lease_is_over_and_nobody_leads_before_that() -> None:
    stage = led()
    stage.isolate(1)
    while stage[1].host.may_read(LEASED):
        assert all(stage[other].host.role is not Role.LEADER for other in (2, 3))
        stage.run_for(1)
    assert stage.now_ms > 250 + TERMS.usable_ms(TERMS.duration_ms) - stage.timing.presence_ms
    stage.run_until(lambda: any(stage[other].host.role is Role.LEADER for other in (2, 3)))
    assert not stage[1].host.may_read(LEASED)


def test_rivals_that_ask_nobody_wait_for_the_lease_too() -> None:
    """Also one that stands at once: promises are what a lease is made of, and not good manners."""
    stage = led()
    stage.isolate(1)
    held = True
    for _ in range(TERMS.duration_ms):
        rival = stage[2].host.legislator
        if rival.slip is None:
            # Whoever asks it to stand is not the leader, and can release nobody from a word given to that one.
            asking = Ballot(rival.ledger.next_ballot.round + 1, m(3))
            stage[2].host.receive(m(3), HandOver(asking, rival.ledger.passed_until))
        stage.run_for(1)
        held = held and stage[1].host.may_read(LEASED)
        assert not (held and stage[2].host.role is Role.LEADER)
    stage.run_until(lambda: stage[2].host.role is Role.LEADER)


@pytest.mark.parametrize("ahead_ms", [-3_600_000, 60, 3_600_000])
def test_a_standstill_that_shows_in_the_wall_clock_ends_the_lease_until_the_next_answer(ahead_ms: int) -> None:
    stage = led()
    assert stage[1].host.may_read(LEASED)
    stage[1].wall_ahead_ms = ahead_ms
    assert not stage[1].host.may_read(LEASED)
    assert not stage[1].host.may_read(LEASED), "and not only the first reader is turned away"
    stage.run_until(lambda: stage[1].host.may_read(LEASED))


def test_a_restarted_member_lets_the_lease_it_granted_run_out() -> None:
    """Member 3 never heard of the leader; member 2 granted it a lease and forgot."""
    stage = Stage(3, terms=TERMS)
    stage.is_lost = lambda sent: m(3) in (sent.sender, sent.to)
    stage.stand(1)
    stage.run_until(lambda: stage[1].host.may_read(LEASED))
    stage.isolate(1)
    stage[2].crash()
    stage[2].start()
    stage.is_lost = lambda sent: m(1) in (sent.sender, sent.to)
    stage.stand(3)
    held = True
    while held:
        held = stage[1].host.may_read(LEASED)
        assert not (held and stage[3].host.role is Role.LEADER)
        stage.run_for(1)
    stage.run_until(lambda: any(stage[other].host.role is Role.LEADER for other in (2, 3)))


def test_a_leader_that_hands_over_ends_its_lease_first_and_nobody_waits() -> None:
    stage = led()
    began_ms = stage.now_ms

    def late_for_the_leader(sent: Sent) -> bool:
        return sent.to == m(1) and isinstance(sent.message, NextBallot | BeginBallot)

    stage.is_lost = late_for_the_leader
    stage[1].host.stop()
    while all(stage[other].host.role is not Role.LEADER for other in (2, 3)):
        assert not stage[1].host.may_read(LEASED)
        stage.run_for(1)
    assert not stage[1].host.may_read(LEASED)
    assert stage.now_ms - began_ms < TERMS.duration_ms // 4
    with pytest.raises(Stopping):
        stage[1].read(consistency=LEASED)
