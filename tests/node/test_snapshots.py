"""Snapshots at a host: taken bit by bit, and fetched bit by bit by whoever was away for too long."""

import errno
import itertools
from collections.abc import Generator

import pytest

from paxon.core import ledger as ledger_module
from paxon.core.ledger import Jumped
from paxon.errors import LedgerSyncFailed, OutcomeUnknown
from paxon.node.letters import AskSnapshot, SnapshotOffer, SnapshotPart
from paxon.node.settings import SnapshotSettings
from paxon.node.snapshots import REST_MS, SLICE_PAUSE_MS
from paxon.storage.directory import TEMPORARY
from paxon.storage.snapshot_file import snapshot_name, snapshot_slots
from tests.node.stage import Journal, Stage, m

OFTEN = SnapshotSettings(every_slots=10, tail_bytes=0, part_bytes=64)


@pytest.fixture(autouse=True)
def _short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks more than a few decrees is served from the file, or from a snapshot."""
    monkeypatch.setattr(ledger_module, "KEPT_SLOTS", 3)


def elected(**options: object) -> Stage:
    stage = Stage(3, **{"snapshots": OFTEN, **options})  # type: ignore[arg-type]
    stage.elect(1)
    return stage


def write(stage: Stage, commands: int, number: int = 1) -> None:
    """One command a slot."""
    for _ in range(commands):
        answer = stage[number].submit(b"command %d" % len(stage[number].machine.commands))
        stage.run_until(answer.done)
        assert answer.error is None, answer.error


def settle(stage: Stage) -> None:
    """Let snapshots under way come to their end."""
    stage.run_until(
        lambda: not any(s.host.queue_lengths["snapshots under way"] for s in stage.seats.values() if s.is_alive)
    )


def left_behind(commands: int = 45) -> Stage:
    """Member 3 was away for so long that nobody has what it lacks."""
    stage = elected()
    stage.isolate(3)
    write(stage, commands)
    settle(stage)
    assert stage[1].disk.first_slot > 10
    return stage


def has_caught_up(stage: Stage, number: int = 3) -> bool:
    return stage[number].machine.commands == stage[1].machine.commands


def slots_of(stage: Stage, number: int) -> list[int]:
    return list(snapshot_slots(stage[number].directory.names()))


# --- taking ---


def test_every_member_takes_snapshots_of_the_same_bytes() -> None:
    stage = elected()
    write(stage, 25)
    settle(stage)
    (newest, older) = slots_of(stage, 1)
    assert newest > older > 9
    for number in (2, 3):
        stage.run_until(lambda number=number: slots_of(stage, number) == [newest, older])  # type: ignore[misc]
        for slot in (newest, older):
            name = snapshot_name(slot)  # type: ignore[arg-type]
            assert stage[number].directory.read(name) == stage[1].directory.read(name)


def test_the_ledger_is_trimmed_back_to_the_older_of_two() -> None:
    stage = elected()
    write(stage, 15)
    settle(stage)
    assert len(slots_of(stage, 1)) == 1
    assert stage[1].disk.trims == []
    write(stage, 10)
    settle(stage)
    newest, older = slots_of(stage, 1)
    assert [slot for slot, _, _ in stage[1].disk.trims] == [older]
    write(stage, 10)
    settle(stage)
    assert [slot for slot, _, _ in stage[1].disk.trims] == [older, newest]


def test_a_snapshot_is_due_when_the_ledger_has_grown() -> None:
    stage = elected(snapshots=SnapshotSettings(every_bytes=2000, every_slots=10_000, tail_bytes=0, part_bytes=64))
    write(stage, 5)
    settle(stage)
    assert slots_of(stage, 1) == []
    stage[1].submit(b"." * 3000)
    write(stage, 80)
    settle(stage)
    assert len(slots_of(stage, 1)) > 0


def test_a_large_state_is_captured_more_rarely() -> None:
    stage = elected(snapshots=SnapshotSettings(every_bytes=1024, every_slots=10_000, tail_bytes=0))
    for _ in range(40):
        stage[1].submit(b"." * 3000)
        write(stage, 20)
    settle(stage)
    # The state is the whole history here, so each snapshot is due at twice the size of the last.
    assert 2 <= len({slot for slot, _, _ in stage[1].disk.trims}) + 1 <= 8


def test_pieces_are_made_one_pause_at_a_time() -> None:
    stage = elected()
    write(stage, 9)
    made: list[tuple[Journal, int]] = []
    original = Journal.capture

    def capture(self: Journal) -> Generator[bytes, None, None]:
        for piece in original(self):
            made.append((self, stage.now_ms))
            yield piece * 8

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "capture", capture)
        write(stage, 2)
        settle(stage)
    times = sorted({at_ms for machine, at_ms in made if machine is stage[1].machine})
    assert len(times) > 4
    assert all(later - earlier >= SLICE_PAUSE_MS for earlier, later in itertools.pairwise(times))


def test_a_capture_is_not_what_came_after_it_began() -> None:
    stage = elected()
    write(stage, 40)
    settle(stage)
    slot = slots_of(stage, 1)[0]
    before = stage[1].machine.commands
    stage[1].crash()
    stage[1].disk.records.clear()
    stage[1].disk.durable_line = 0
    stage[1].start()
    assert stage[1].host.applied_until == slot
    assert stage[1].machine.commands == before[: len(stage[1].machine.commands)]


def test_a_full_disk_costs_a_snapshot_and_nothing_else() -> None:
    stage = elected()

    def full(operation: str, name: str) -> None:
        if operation == "pwrite":
            raise OSError(errno.ENOSPC, "no room", name)

    stage[1].directory.before = full
    write(stage, 30)
    settle(stage)
    assert slots_of(stage, 1) == []
    assert not [name for name in stage[1].directory.names() if name.endswith(TEMPORARY)]
    stage[1].directory.before = lambda operation, name: None
    stage.run_for(REST_MS)
    write(stage, 30)
    settle(stage)
    assert len(slots_of(stage, 1)) > 0
    assert stage[1].fatal == []


def test_a_name_that_cannot_be_made_durable_ends_the_member() -> None:
    stage = elected()

    def fail(operation: str, name: str) -> None:
        if operation == "sync_directory":
            raise OSError(errno.EIO, "broken", name)

    stage[2].directory.before = fail
    write(stage, 15)
    stage.run_until(lambda: stage[2].fatal)
    assert isinstance(stage[2].fatal[0], LedgerSyncFailed)


def test_a_machine_that_fails_to_be_captured_goes_on_without_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = elected()

    def broken(self: Journal) -> Generator[bytes, None, None]:
        yield b"journal"
        raise ValueError("no state today")

    monkeypatch.setattr(Journal, "capture", broken)
    write(stage, 30)
    settle(stage)
    assert slots_of(stage, 1) == []
    assert stage[1].fatal == []
    assert stage[1].directory.names() == []


def test_an_ended_host_captures_nothing_more() -> None:
    stage = elected()
    write(stage, 9)
    answer = stage[1].submit(b"one more")
    stage.run_until(answer.done)
    assert stage[1].host.queue_lengths["snapshots under way"] == 1
    stage[1].host.end()
    stage.run_for(1_000)
    assert slots_of(stage, 1) == []


# --- fetching ---


def test_who_was_away_for_too_long_gets_a_snapshot_and_then_decrees() -> None:
    stage = left_behind()
    stage.heal()
    stage.run_until(lambda: has_caught_up(stage))
    assert [type(record) for record in stage[3].disk.records].count(Jumped) == 1
    parts = stage.of(SnapshotPart)
    assert len(parts) > 5, "in parts"
    assert not any(sent.urgent for sent in stage.of(SnapshotOffer, AskSnapshot, SnapshotPart))
    slots = [sent.message.offer.slot for sent in parts if isinstance(sent.message, SnapshotPart)]
    assert slots_of(stage, 3)[0] in slots
    write(stage, 3, number=3)
    stage.run_until(lambda: has_caught_up(stage))


def test_who_was_away_briefly_gets_decrees() -> None:
    stage = elected()
    write(stage, 12)
    stage.isolate(3)
    write(stage, 2)
    stage.heal()
    stage.run_until(lambda: has_caught_up(stage))
    assert stage.of(SnapshotOffer) == []


def test_readers_are_served_by_what_arrives() -> None:
    stage = left_behind()
    answer = stage[3].read()
    stage.heal()
    stage.run_until(answer.done)
    assert answer.value > 40


def test_a_lost_part_is_asked_for_again_and_nothing_twice_that_arrived() -> None:
    stage = left_behind()
    lost: list[int] = []

    def every_third(sent: object) -> bool:
        message = getattr(sent, "message", None)
        if isinstance(message, SnapshotPart) and len(stage.of(SnapshotPart)) % 3 == 0:
            lost.append(message.offset)
            return True
        return False

    stage.is_lost = every_third
    stage.run_until(lambda: has_caught_up(stage))
    assert lost
    arrived = [
        (sent.message.offer, sent.message.offset)
        for sent in stage.of(SnapshotPart)
        if isinstance(sent.message, SnapshotPart)
    ]
    assert len(arrived) - len(set(arrived)) <= len(lost)


def test_another_member_s_equal_file_goes_on_where_the_first_one_s_ended() -> None:
    stage = left_behind()
    settle(stage)
    stage.run_until(lambda: slots_of(stage, 1) == slots_of(stage, 2))
    stage.heal()
    stage.run_until(lambda: len(stage.of(SnapshotPart)) == 4)
    source = stage.of(SnapshotPart)[0].sender
    before = stage.of(AskSnapshot)[-1].message
    assert isinstance(before, AskSnapshot)
    assert before.offset > 0
    stage.is_lost = lambda sent: {sent.sender, sent.to} == {source, m(3)}
    other = m(3) - source
    seen = len(stage.of(AskSnapshot))
    stage.stand(other)
    stage.run_until(lambda: stage[3].machine.commands[:40] == stage[other].machine.commands[:40])
    asked = [sent for sent in stage.of(AskSnapshot)[seen:] if sent.to == other]
    assert isinstance(asked[0].message, AskSnapshot)
    assert asked[0].message.offer == before.offer
    assert asked[0].message.offset >= before.offset, "not from the beginning"


def test_a_file_that_is_gone_is_replaced_by_a_newer_one() -> None:
    stage = left_behind()
    stage.heal()
    stage.run_until(lambda: len(stage.of(SnapshotPart)) == 2)
    first = stage.of(SnapshotOffer)[0].message
    for number in (1, 2):
        store = stage[number].host._snapshots._store  # type: ignore[union-attr]
        store.snapshots = ()
    write(stage, 12)
    stage.run_until(lambda: has_caught_up(stage))
    assert stage.of(SnapshotOffer)[-1].message != first


def test_a_damaged_file_is_noticed_by_its_owner_which_takes_another() -> None:
    stage = left_behind()
    stage.isolate(2, 3)
    for number in (1, 2):
        stage[number].directory.flip(snapshot_name(slots_of(stage, number)[0]), 60, 1)  # type: ignore[arg-type]
    stage.heal()
    stage.run_until(lambda: has_caught_up(stage))
    assert len(stage[1].findings) + len(stage[2].findings) > 0
    assert stage[3].findings == []


def test_what_was_announced_and_is_not_what_came_is_not_installed() -> None:
    stage = left_behind()
    before = list(stage[3].machine.commands)

    offer = SnapshotOffer(stage[1].host.applied_until, 200, 7)
    stage.isolate(3)
    stage[3].host.receive(m(1), offer)
    stage.run_for(0)
    for offset in range(0, 200, 50):
        stage.run_until(lambda offset=offset: stage.sent[-1].message == AskSnapshot(offer, offset))  # type: ignore[misc]
        stage[3].host.receive(m(1), SnapshotPart(offer, offset, b"." * 50))
    settle(stage)
    assert stage[3].machine.commands == before
    assert slots_of(stage, 3) == []
    assert stage[3].fatal == []
    stage.heal()
    stage.run_until(lambda: has_caught_up(stage))


def test_commands_whose_slots_were_jumped_over_have_an_unknown_fate() -> None:
    stage = elected()
    stage.isolate(1)
    answers = [stage[1].submit(b"lost %d" % number, timeout_ms=600_000) for number in range(3)]
    stage.run_for(0)
    stage.stand(2)
    stage.run_until(lambda: stage[2].host.legislator.may_propose)
    write(stage, 45, number=2)
    settle(stage)
    stage.heal()
    stage.run_until(lambda: stage[1].machine.commands == stage[2].machine.commands)
    stage.run_until(lambda: all(answer.done() for answer in answers))
    assert any(isinstance(record, Jumped) for record in stage[1].disk.records)
    assert [type(answer.error) for answer in answers] == [OutcomeUnknown] * 3


def test_a_crash_between_the_file_and_the_record_leaves_the_new_state() -> None:
    stage = left_behind()
    stage[3].disk.is_by_hand = True
    stage.heal()
    stage.run_until(lambda: any(isinstance(record, Jumped) for record in stage[3].disk.records))
    stage[3].crash()
    assert not any(isinstance(record, Jumped) for record in stage[3].disk.records)
    stage[3].disk.is_by_hand = False
    stage[3].start()
    assert stage[3].host.applied_until == slots_of(stage, 3)[0]
    assert stage[3].host.legislator.ledger.passed_until == stage[3].host.applied_until
    stage.run_until(lambda: has_caught_up(stage))


def test_a_crash_before_the_file_is_whole_leaves_the_old_state() -> None:
    stage = left_behind()
    before = list(stage[3].machine.commands)
    stage.heal()
    stage.run_until(lambda: len(stage.of(SnapshotPart)) == 3)
    stage[3].crash()
    stage[3].start()
    assert stage[3].machine.commands == before
    stage.run_until(lambda: has_caught_up(stage))


def test_a_fetched_snapshot_that_decrees_overtook_is_dropped() -> None:
    stage = left_behind()
    stage[3].host.receive(m(1), SnapshotOffer(stage[1].host.applied_until, 10_000, 1))
    stage.run_for(0)
    assert stage[3].host.queue_lengths["snapshots under way"] == 1
    # The offer that is real takes the place of the one that nobody answers for.
    stage.heal()
    stage.run_until(lambda: has_caught_up(stage))
    settle(stage)
    assert not [name for name in stage[3].directory.names() if name.endswith(TEMPORARY)]
