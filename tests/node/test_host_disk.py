"""The host and its disk: durable before sent, one sync for many, and disks that fail or fill."""

import pytest

from paxon.core.decree import NOOP, Ballot, Decree, Slot
from paxon.core.ledger import Vote
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    LastVote,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.errors import DiskFull, InvariantViolation, LedgerSyncFailed, OutcomeUnknown, RequestError, Stopping
from paxon.node import host as host_module
from paxon.node.letters import AskReading, Forward, ReadingAt
from paxon.node.settings import Limits
from paxon.node.status import Role
from tests.mutants.host import outbox_holds_nothing
from tests.node.stage import BROKEN, FULL, PATIENCE_MS, Answer, Seat, Stage, check_durable, m

B = Ballot(1, m(2))


def alone(**options: object) -> tuple[Stage, Seat]:
    """Member 1 of three; the test speaks for the others, and completes its syncs."""
    stage = Stage(3, present=[1], latency_ms=1, **options)  # type: ignore[arg-type]
    stage[1].disk.is_by_hand = True
    return stage, stage[1]


def begin(slot: int, ballot: Ballot = B, text: bytes = b"x") -> BeginBallot:
    return BeginBallot(ballot, Slot(slot), Decree(ballot, 0, (text,)), Slot(1))


def votes_of(seat: Seat) -> list[int]:
    return [sent.message.slot for sent in seat.sent if isinstance(sent.message, Voted)]


def president() -> tuple[Stage, Seat]:
    """Member 1 of three presides, everything it wrote is durable; the test speaks for the others."""
    stage, seat = alone()
    stage.stand(1)
    stage.run_for(0)
    seat.disk.complete()
    ballot = seat.host.legislator.ledger.last_tried
    seat.host.receive(m(2), LastVote(ballot, Slot(1), (), (), 0))
    stage.run_for(0)
    seat.disk.complete()
    stage.run_for(0)
    assert seat.host.role is Role.LEADER
    assert not seat.disk.is_syncing
    return stage, seat


def assert_written(stage: Stage, number: int, command: bytes) -> None:
    answer = stage[number].submit(command)
    stage.run_until(answer.done)
    assert answer.error is None, answer.error


# --- durable before sent ---


def test_a_promise_leaves_once_it_is_durable() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), NextBallot(B, Slot(1)))
    stage.run_for(20)
    assert seat.disk.is_syncing
    assert seat.sent == []
    seat.disk.complete()
    assert [type(sent.message) for sent in seat.sent] == [LastVote]


def test_a_vote_leaves_once_it_is_durable() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(20)
    assert votes_of(seat) == []
    seat.disk.complete()
    assert votes_of(seat) == [1]


def test_a_ballot_begins_once_its_number_is_durable() -> None:
    stage, seat = alone()
    stage.stand(1)
    stage.run_for(20)
    assert seat.sent == []
    seat.disk.complete()
    assert {type(sent.message) for sent in seat.sent} == {NextBallot}


def test_a_sync_does_not_speak_for_what_came_after_it_began() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    seat.host.receive(m(2), begin(2))
    stage.run_for(0)
    seat.disk.complete()
    assert votes_of(seat) == [1]
    stage.run_for(0)
    assert seat.disk.is_syncing
    seat.disk.complete()
    assert votes_of(seat) == [1, 2]


def test_what_needs_no_disk_does_not_wait_for_it() -> None:
    """Heartbeats go on while a vote is on its way to the disk, and so do refusals."""
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    seat.host.receive(m(2), Presence(B, 7, Slot(1)))
    seat.host.receive(m(3), NextBallot(Ballot(0, m(3)), Slot(1)))
    assert [type(sent.message) for sent in seat.sent] == [Present, Superseded]


def test_a_proposal_leaves_before_the_leaders_own_vote_is_durable() -> None:
    stage, seat = president()
    seat.submit(b"x")
    stage.run_for(0)
    assert seat.disk.is_syncing
    assert len(stage.of(BeginBallot)) == 2


def test_the_leaders_own_vote_counts_once_it_is_durable() -> None:
    """One other vote and its own are a majority, but not before the disk has said so."""
    stage, seat = president()
    answer = seat.submit(b"x")
    stage.run_for(0)
    ballot = seat.host.legislator.ledger.last_tried
    seat.host.receive(m(2), Voted(ballot, Slot(1)))
    stage.run_for(0)
    assert not answer.done()
    assert seat.machine.commands == []
    seat.disk.complete()
    assert answer.value.slot == 1
    assert seat.machine.commands == [b"x"]


def test_two_other_votes_do_without_the_leaders_disk() -> None:
    stage, seat = president()
    answer = seat.submit(b"x")
    stage.run_for(0)
    ballot = seat.host.legislator.ledger.last_tried
    seat.host.receive(m(2), Voted(ballot, Slot(1)))
    seat.host.receive(m(3), Voted(ballot, Slot(1)))
    assert answer.value.slot == 1
    assert seat.disk.is_syncing


def test_the_check_of_this_stage_notices_a_host_that_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox_holds_nothing.apply(monkeypatch)
    _, seat = alone()
    with pytest.raises(AssertionError, match="before it was durable"):
        seat.host.receive(m(2), begin(1))
    check_durable(Voted(B, Slot(1)), [Vote(Slot(1), B, NOOP)])


# --- group commit ---


def test_one_sync_serves_everything_that_came_in_together() -> None:
    stage, seat = alone()
    for slot in range(1, 11):
        seat.host.receive(m(2), begin(slot))
    stage.run_for(0)
    assert seat.disk.syncs == 1
    seat.disk.complete()
    assert votes_of(seat) == list(range(1, 11))


def test_what_comes_during_a_sync_shares_the_next_one() -> None:
    """The stage's disk would object to a second sync beside the first."""
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    for slot in range(2, 8):
        seat.host.receive(m(2), begin(slot))
        stage.run_for(0)
    assert seat.disk.syncs == 1
    seat.disk.complete()
    stage.run_for(0)
    assert seat.disk.syncs == 2
    seat.disk.complete()
    stage.run_for(0)
    assert votes_of(seat) == list(range(1, 8))
    assert seat.disk.syncs == 2


def test_commands_that_come_in_together_share_a_decree_and_a_sync() -> None:
    stage, seat = president()
    before = seat.disk.syncs
    for number in range(50):
        seat.submit(b"%d" % number)
    stage.run_for(0)
    (one, two) = stage.of(BeginBallot)
    assert one.message == two.message
    assert isinstance(one.message, BeginBallot)
    assert one.message.decree.commands == tuple(b"%d" % number for number in range(50))
    assert seat.disk.syncs == before + 1


def test_what_was_learned_during_a_slow_sync_becomes_durable_too() -> None:
    """The sync takes longer than the lazy one waits, and nothing at all happens after it."""
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    seat.host.receive(m(2), Success(B, Slot(2), ()))
    stage.run_for(host_module.LAZY_SYNC_MS)
    seat.disk.complete()
    seat.disk.is_by_hand = False
    stage.is_lost = lambda sent: True
    for _ in range(20):
        seat.host.receive(m(2), Presence(B, 1, Slot(2)))
        stage.run_for(100)
    assert len(seat.disk.durable) == len(seat.disk.records)


def test_what_no_letter_waits_for_is_made_durable_all_the_same_in_the_end() -> None:
    """That a decree passed can be learned again, but not from this file, until it is in it."""
    stage, seat = alone()
    seat.disk.is_by_hand = False
    seat.host.receive(m(2), Success(B, Slot(1), ()))
    seat.host.receive(m(2), begin(1))
    stage.run_for(1)
    seat.host.receive(m(2), Success(B, Slot(2), ()))
    stage.run_for(1)
    assert len(seat.disk.durable) < len(seat.disk.records)
    stage.run_until(lambda: len(seat.disk.durable) == len(seat.disk.records))


# --- a disk that breaks ---


def broken() -> tuple[Stage, dict[str, Answer[int]], dict[str, RequestError | None]]:
    """A leader whose sync fails for good while it has requests in every state."""
    stage = Stage(limits=Limits(pipeline_depth=1))
    stage.elect(1)
    stage.is_lost = lambda sent: isinstance(sent.message, Voted | Present)
    seat = stage[1]
    seat.disk.is_by_hand = True
    begun = seat.submit(b"begun")
    stage.run_for(0)
    waits = seat.submit(b"waits")
    reads = {"read": seat.read()}
    stage.run_for(0)
    seat.disk.error = BROKEN
    seat.disk.complete()
    return stage, reads, {"begun": begun.error, "waits": waits.error}


def test_a_sync_that_fails_is_fatal() -> None:
    stage, _, _ = broken()
    (error,) = stage[1].fatal
    assert isinstance(error, LedgerSyncFailed)
    assert "repair or replace the disk" in str(error)


def test_when_the_disk_breaks_every_request_is_answered_with_what_is_known() -> None:
    """What has a slot may pass without us; what has none, and every read, did not happen."""
    _, reads, errors = broken()
    assert type(errors["begun"]) is OutcomeUnknown
    assert type(errors["waits"]) is Stopping
    assert type(reads["read"].error) is Stopping


def test_a_reader_that_waits_for_a_slot_to_be_applied_is_answered_when_the_disk_breaks() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), Presence(B, 1, Slot(1)))
    reader = seat.read()
    stage.run_for(0)
    (asked,) = stage.of(AskReading)
    assert isinstance(asked.message, AskReading)
    seat.host.receive(m(2), ReadingAt(asked.message.boot, asked.message.number, Slot(9)))
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    seat.disk.error = BROKEN
    seat.disk.complete()
    assert type(reader.error) is Stopping


def test_nothing_that_a_dead_host_is_told_has_any_effect() -> None:
    stage, _, _ = broken()
    seat = stage[1]
    sent, records = len(seat.sent), list(seat.disk.records)
    ballot = Ballot(99, m(2))
    for message in (
        NextBallot(ballot, Slot(1)),
        BeginBallot(ballot, Slot(5), NOOP, Slot(1)),
        Presence(ballot, 1, Slot(1)),
        Canvass(1, Slot(9)),
        AskReading(7, 7),
        Forward(ballot, 7, 0, ((0, b"x"),)),
    ):
        seat.host.receive(m(2), message)
    seat.host.link_lost(m(2))
    with pytest.raises(Stopping):
        seat.submit(b"x")
    with pytest.raises(Stopping):
        seat.read()
    stage.run_for(10_000)
    assert (len(seat.sent), seat.disk.records) == (sent, records)
    assert len(seat.fatal) == 1


def test_a_dead_host_that_is_told_to_stop_says_nothing() -> None:
    stage, _, _ = broken()
    seat = stage[1]
    sent = len(seat.sent)
    seat.host.stop()
    stage.run_for(1_000)
    assert len(seat.sent) == sent


def test_a_dead_host_has_no_open_requests() -> None:
    stage, _, _ = broken()
    assert stage[1].host.open_requests == 0


def test_a_broken_invariant_is_fatal_and_said_to_whoever_asked() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    with pytest.raises(InvariantViolation, match="one decree per ballot and slot"):
        seat.host.receive(m(2), begin(1, text=b"another"))
    assert [type(error) for error in seat.fatal] == [InvariantViolation]
    sent = len(seat.sent)
    seat.host.receive(m(2), begin(3))
    stage.run_for(1_000)
    assert len(seat.sent) == sent


def test_a_machine_that_runs_out_of_memory_ends_its_member() -> None:
    """It is no result, for it is not decided; and to go on with the next command would be to part from the others.

    1. Member 1 leads and proposes a command; member 2 votes.
    2. The sync of its own vote ends, the decree passes, and the machine raises MemoryError.
    """
    stage, seat = president()
    seat.submit(b"exhaust")
    stage.run_for(0)
    seat.host.receive(m(2), Voted(seat.host.legislator.ledger.last_tried, Slot(1)))
    with pytest.raises(MemoryError):
        seat.disk.complete()
    assert [type(error) for error in seat.fatal] == [MemoryError]


# --- a disk that fills ---


def full_leader() -> Stage:
    """Member 1 led when its disk became full; nothing else is wrong."""
    stage = Stage()
    stage.elect(1)
    stage[2].submit(b"before")
    stage.run_for(500)
    stage[1].disk.error = FULL
    return stage


def test_a_full_disk_loses_nothing_and_somebody_else_takes_over() -> None:
    """The command that met the full disk passes: the others' votes are enough."""
    stage = full_leader()
    answer = stage[1].submit(b"met")
    stage.run_until(answer.done)
    assert answer.value.result == b"2"
    stage.run_until(lambda: stage[2].host.role is Role.LEADER or stage[3].host.role is Role.LEADER)
    assert stage[1].host.is_disk_full
    assert stage[1].fatal == []


def test_after_a_full_disk_writes_go_on_everywhere_through_the_new_leader() -> None:
    stage = full_leader()
    stage[1].submit(b"met")
    stage.run_until(lambda: stage[1].host.leader is not None and stage[1].host.role is not Role.LEADER)
    answers = [stage[number].submit(b"after") for number in (1, 2, 3)]
    stage.run_until(lambda: all(answer.done() for answer in answers))
    assert sorted(answer.value.result for answer in answers) == [b"3", b"4", b"5"]


def test_a_leader_that_nobody_can_replace_refuses_writes_and_serves_reads() -> None:
    """Members 2 and 3 are up, but neither has caught up, so nobody is handed the leadership."""
    stage = full_leader()
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot | Success)
    stage[1].submit(b"met")
    stage.run_until(lambda: stage[1].host.is_disk_full)
    assert stage[1].host.role is Role.LEADER
    with pytest.raises(DiskFull, match="free some space"):
        stage[1].submit(b"refused")
    forwarded = stage[2].submit(b"refused")
    stage.run_until(forwarded.done)
    assert type(forwarded.error) is DiskFull
    readers = [stage[1].read(), stage[2].read()]
    stage.run_until(lambda: all(reader.done() for reader in readers))
    assert all(reader.value >= 2 for reader in readers)


def test_heartbeats_go_on_over_a_full_disk() -> None:
    stage = full_leader()
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot | Success)
    stage[1].submit(b"met")
    stage.run_until(lambda: stage[1].host.is_disk_full)
    since = len(stage.sent)
    stage.run_for(5_000)
    calls = [sent for sent in stage.sent[since:] if isinstance(sent.message, Presence) and sent.sender == 1]
    assert len(calls) >= 2 * 5_000 // stage.timing.presence_ms * 9 // 10


def test_a_leader_with_a_full_disk_goes_when_somebody_has_caught_up_however_late() -> None:
    """1. Only members 1 and 2 are connected when the disk of member 1, who leads, becomes full: nothing passes.

    2. Long after, member 3 is back.  It votes with member 2, the decree passes, and one of them is handed the
       leadership, though the first attempt to hand it over was given up long ago.
    """
    stage = full_leader()
    stage.isolate(3)
    stage[1].submit(b"met", timeout_ms=PATIENCE_MS)
    stage.run_for(10_000)
    assert stage[1].host.is_disk_full
    stage.heal()
    stage.run_until(lambda: stage[1].host.leader is not None and stage[1].host.role is not Role.LEADER)
    answer = stage[1].submit(b"after")
    stage.run_until(answer.done)
    assert answer.error is None


def test_a_follower_with_a_full_disk_does_not_vote_but_is_present() -> None:
    stage = Stage()
    stage.elect(1)
    stage[3].disk.error = FULL
    assert_written(stage, 1, b"first")
    stage.run_until(lambda: stage[3].host.is_disk_full)
    since = len(stage.sent)
    assert_written(stage, 1, b"second")
    stage.run_for(1_000)
    kinds = {type(sent.message) for sent in stage.sent[since:] if sent.sender == 3}
    assert Voted not in kinds
    assert Present in kinds
    reader = stage[3].read()
    forwarded = stage[3].submit(b"third")
    stage.run_until(lambda: forwarded.done())
    assert forwarded.error is None
    assert not reader.done() or reader.error is None


def test_a_member_whose_disk_has_room_again_takes_part_again() -> None:
    stage = Stage()
    stage.elect(1)
    stage[3].disk.error = FULL
    for number in range(20):
        assert_written(stage, 1, b"%d" % number)
        stage.run_for(50)
    assert stage[3].host.is_disk_full
    stage[3].disk.error = None
    stage.run_until(lambda: not stage[3].host.is_disk_full)
    stage.run_until(lambda: stage[3].machine.commands == stage[1].machine.commands)
    stage.isolate(2)
    assert_written(stage, 1, b"needs the third")


def test_a_leader_alone_in_its_cluster_refuses_until_there_is_room_and_then_goes_on() -> None:
    stage = Stage(1)
    stage.run_until(lambda: stage[1].host.role is Role.LEADER)
    stage[1].disk.error = FULL
    met = stage[1].submit(b"met", timeout_ms=PATIENCE_MS)
    stage.run_until(lambda: stage[1].host.is_disk_full)
    with pytest.raises(DiskFull):
        stage[1].submit(b"refused")
    reader = stage[1].read()
    stage.run_until(reader.done)
    assert reader.error is None
    stage[1].disk.error = None
    stage.run_until(met.done)
    assert met.value.result == b"1"
    assert_written(stage, 1, b"after")
    assert stage[1].machine.commands == [b"met", b"after"]


def test_who_cannot_write_does_not_stand() -> None:
    """Both followers miss the leader; the one with the full disk waits for the other."""
    stage = Stage()
    stage.elect(1)
    stage[3].disk.error = FULL
    assert_written(stage, 1, b"x")
    stage.run_until(lambda: stage[3].host.is_disk_full)
    stage.isolate(1, 2)
    since = len(stage.sent)
    stage.run_for(20_000)
    assert not [
        sent for sent in stage.sent[since:] if isinstance(sent.message, Canvass | NextBallot) and sent.sender == 3
    ]
    stage[3].disk.error = None
    stage.run_until(lambda: any(isinstance(sent.message, Canvass) and sent.sender == 3 for sent in stage.sent[since:]))


def test_records_do_not_pile_up_over_a_full_disk() -> None:
    """A full disk may last for days, and the others go on meanwhile."""
    stage = Stage()
    stage.elect(1)
    stage[3].disk.error = FULL
    assert_written(stage, 1, b"x")
    stage.run_until(lambda: stage[3].host.is_disk_full)
    stage.run_for(1_000)
    piled_up = len(stage[3].disk.records)
    for number in range(200):
        assert_written(stage, 1, b"%d" % number)
    stage.run_for(5_000)
    assert len(stage[3].disk.records) <= piled_up + 1


def test_disk_full_and_over_quota_are_the_only_errors_that_pass() -> None:
    for error, is_fatal in ((FULL, False), (122, False), (BROKEN, True), (9, True), (30, True)):
        stage, seat = alone()
        seat.host.receive(m(2), begin(1))
        stage.run_for(0)
        seat.disk.error = error
        seat.disk.complete()
        assert bool(seat.fatal) == is_fatal, error
        assert seat.host.is_disk_full != is_fatal


def test_a_letter_that_waits_when_the_disk_fills_leaves_when_there_is_room() -> None:
    stage, seat = alone()
    seat.host.receive(m(2), begin(1))
    stage.run_for(0)
    seat.disk.error = FULL
    seat.disk.complete()
    assert votes_of(seat) == []
    seat.disk.error = None
    seat.disk.is_by_hand = False
    stage.run_until(lambda: votes_of(seat) == [1])
    assert not seat.host.is_disk_full
