"""What a write costs in the steady state of three hosts: message delays, syncs and messages, all counted."""

import pytest

from paxon.core.messages import BeginBallot, Presence, Success, Voted
from paxon.core.timing import Timing
from paxon.node.letters import Answers, AskReading, Forward, ReadingAt
from paxon.node.settings import Limits
from tests.node.stage import Seat, Stage

LATENCY_MS = 10
SYNC_MS = 3
UNHURRIED = Timing(presence_ms=10_000, election_timeout_ms=60_000, retransmit_ms=5_000, flush_ms=0)
"""Nothing but the writes themselves happens while they are measured."""


def steady(sync_ms: int = SYNC_MS, limits: Limits | None = None, flush_ms: int = 0) -> Stage:
    """Member 1 leads, and nothing is under way."""
    timing = Timing(
        presence_ms=UNHURRIED.presence_ms,
        election_timeout_ms=UNHURRIED.election_timeout_ms,
        retransmit_ms=UNHURRIED.retransmit_ms,
        flush_ms=flush_ms,
    )
    stage = Stage(timing=timing, latency_ms=LATENCY_MS, sync_ms=sync_ms, limits=limits)
    stage.elect(1)
    stage.run_for(1_000)
    stage.sent.clear()
    return stage


def syncs(stage: Stage) -> list[int]:
    return [seat.disk.syncs for seat in stage.seats.values()]


def when_applied(stage: Stage, seat: Seat, count: int) -> int:
    stage.run_until(lambda: len(seat.machine.commands) == count)
    return stage.now_ms


def test_a_write_costs_two_message_delays_to_its_answer_and_three_to_everybodys_state() -> None:
    """``BeginBallot``, ``Voted``, ``Success``: section 2.3's steps 3 to 6, with a president in office."""
    stage = steady(sync_ms=0)
    began = stage.now_ms
    answer = stage[1].submit(b"x")
    stage.run_until(answer.done)
    assert stage.now_ms - began == 2 * LATENCY_MS
    assert [when_applied(stage, stage[number], 1) - began for number in (2, 3)] == [3 * LATENCY_MS] * 2


def test_the_leaders_sync_and_the_followers_run_side_by_side() -> None:
    """One sync on the way of a write, not two: nobody waits for the leader's disk before voting."""
    stage = steady()
    began = stage.now_ms
    answer = stage[1].submit(b"x")
    stage.run_until(answer.done)
    assert stage.now_ms - began == 2 * LATENCY_MS + SYNC_MS


def test_a_write_at_a_follower_costs_two_delays_more() -> None:
    stage = steady()
    began = stage.now_ms
    answer = stage[2].submit(b"x")
    stage.run_until(answer.done)
    assert stage.now_ms - began == 4 * LATENCY_MS + SYNC_MS
    assert [len(stage.of(kind)) for kind in (Forward, Answers)] == [1, 1]


@pytest.mark.parametrize("batch", [1, 100])
def test_each_member_syncs_once_for_each_batch(batch: int) -> None:
    stage = steady()
    before = syncs(stage)
    for _ in range(30):
        answers = [stage[1].submit(b"x") for _ in range(batch)]
        stage.run_until(lambda answers=answers: all(answer.done() for answer in answers))  # type: ignore[misc]
    stage.run_for(LATENCY_MS + SYNC_MS)
    assert [after - start for after, start in zip(syncs(stage), before, strict=True)] == [30, 30, 30]
    assert len({len(seat.machine.commands) for seat in stage.seats.values()}) == 1


def test_a_batch_costs_one_message_to_each_follower_and_one_back() -> None:
    """News of what passed rides on the next ``BeginBallot`` (section 3.2.2), and only the last finds none."""
    stage = steady(flush_ms=50)
    for _ in range(30):
        answer = stage[1].submit(b"x")
        stage.run_until(answer.done)
    stage.run_for(100)
    assert [len(stage.of(kind)) for kind in (BeginBallot, Voted, Success)] == [60, 60, 2]
    assert len(stage.sent) == 122


def test_batches_that_are_under_way_together_share_syncs() -> None:
    """Commands that come faster than the disk syncs: several slots are open, and one sync serves several votes."""
    stage = steady(sync_ms=5 * LATENCY_MS)
    before = syncs(stage)
    answers = []
    for _ in range(10):
        answers.append(stage[1].submit(b"x"))
        stage.run_for(LATENCY_MS)
    stage.run_until(lambda: all(answer.done() for answer in answers))
    assert len(stage.of(BeginBallot)) == 2 * 10
    assert all(after - start <= 4 for after, start in zip(syncs(stage), before, strict=True))


def test_no_more_slots_are_open_than_the_pipeline_is_deep() -> None:
    stage = steady(limits=Limits(pipeline_depth=3))
    answers = []
    for _ in range(10):
        answers.append(stage[1].submit(b"x"))
        stage.run_for(1)
        assert stage[1].host.legislator.open_slots <= 3
    assert len(stage.of(BeginBallot)) == 2 * 3
    stage.run_until(lambda: all(answer.done() for answer in answers))
    # What waited for room went into one decree together.
    assert len(stage.of(BeginBallot)) == 2 * 4


def test_a_batch_is_no_larger_than_the_limit() -> None:
    stage = steady(limits=Limits(decree_bytes_max=100))
    answers = [stage[1].submit(b"x" * 30) for _ in range(10)]
    stage.run_until(lambda: all(answer.done() for answer in answers))
    sizes = {
        sent.message.slot: sum(map(len, sent.message.decree.commands))
        for sent in stage.sent
        if isinstance(sent.message, BeginBallot)
    }
    assert list(sizes.values()) == [90, 90, 90, 30]


def test_a_read_at_the_leader_costs_one_round_trip_and_no_sync_however_many_read() -> None:
    stage = steady()
    before, began = syncs(stage), stage.now_ms
    readers = [stage[1].read() for _ in range(100)]
    stage.run_until(lambda: all(reader.done() for reader in readers))
    assert stage.now_ms - began == 2 * LATENCY_MS
    assert len(stage.of(Presence)) == 2
    assert syncs(stage) == before


def test_a_read_at_a_follower_costs_two_round_trips_and_one_question_however_many_read() -> None:
    stage = steady()
    before, began = syncs(stage), stage.now_ms
    readers = [stage[2].read() for _ in range(100)]
    stage.run_until(lambda: all(reader.done() for reader in readers))
    assert stage.now_ms - began == 4 * LATENCY_MS
    assert [len(stage.of(kind)) for kind in (AskReading, ReadingAt, Presence)] == [1, 1, 2]
    assert syncs(stage) == before


def test_an_idle_cluster_syncs_nothing() -> None:
    stage = steady()
    answer = stage[1].submit(b"x")
    stage.run_until(answer.done)
    stage.run_for(2_000)
    before = syncs(stage)
    stage.run_for(60_000)
    assert syncs(stage) == before
