"""The snapshots of a directory: only whole, durable ones count, and one that is damaged is replaced by the other."""

import errno
import random
from collections.abc import Callable, Iterator

import pytest

from paxon.core.decree import FIRST_SLOT, Slot
from paxon.errors import LedgerCorrupt, LedgerError, LedgerSyncFailed, SnapshotUnusable
from paxon.storage import snapshot_store
from paxon.storage.directory import TEMPORARY
from paxon.storage.snapshot_file import Snapshot, snapshot_name, snapshot_slots
from paxon.storage.snapshot_store import Capture, SnapshotStore
from tests.storage.disk import FailNth, MemoryDirectory


def pieces(slot: int) -> list[bytes]:
    return [b"%d" % slot, b"." * 700, b"end"]


def opened(disk: MemoryDirectory, from_slot: int = FIRST_SLOT) -> tuple[SnapshotStore, Snapshot | None, list[str]]:
    findings: list[str] = []
    store = SnapshotStore(disk, findings.append)
    return store, store.find(Slot(from_slot)), findings


def take(store: SnapshotStore, slot: int) -> Snapshot:
    capture = Capture(store, Slot(slot))
    capture.add(pieces(slot)[:1])
    capture.add(pieces(slot)[1:])
    return capture.keep()


def taken(*slots: int) -> MemoryDirectory:
    disk = MemoryDirectory()
    store = opened(disk)[0]
    for slot in slots:
        take(store, slot)
    return disk


def test_what_was_kept_survives_a_crash_and_nothing_else_does() -> None:
    disk = MemoryDirectory()
    store, found, _ = opened(disk)
    assert found is None
    kept = take(store, 5)
    Capture(store, Slot(9)).add(pieces(9))
    store, found, findings = opened(disk.crash())
    assert (store.newest, found, findings) == (kept, kept, [])
    assert list(store.pieces(kept)) == pieces(5)


def test_the_newest_is_found_first() -> None:
    store, found, _ = opened(taken(5, 9, 7))
    assert [snapshot.slot for snapshot in store.snapshots] == [9, 7, 5]
    assert found == store.newest
    assert store.is_redundant
    assert store.disk_bytes == sum(snapshot.size for snapshot in store.snapshots)


@pytest.mark.parametrize("from_slot", [1, 5])
def test_a_damaged_one_is_passed_over(from_slot: int) -> None:
    disk = taken(5, 9)
    disk.flip(snapshot_name(Slot(9)), 40, 3)
    store, found, findings = opened(disk, from_slot)
    assert found is not None
    assert found.slot == 5
    assert store.snapshots == (found,)
    assert len(findings) == 1
    assert snapshot_name(Slot(9)) in findings[0]


def test_an_older_one_is_of_no_use_where_the_ledger_begins_later() -> None:
    disk = taken(5, 9)
    disk.flip(snapshot_name(Slot(9)), 40, 3)
    with pytest.raises(LedgerCorrupt, match=snapshot_name(Slot(9))):
        opened(disk, 6)


def test_a_ledger_that_needs_a_snapshot_does_not_start_without() -> None:
    with pytest.raises(LedgerCorrupt, match="begins at slot 6"):
        opened(MemoryDirectory(), 6)
    disk = taken(5)
    disk.flip(snapshot_name(Slot(5)), 0, 0)
    assert opened(disk)[1] is None, "all decrees are still in the ledger"


def test_the_oldest_are_pruned() -> None:
    disk = taken(5, 7, 9)
    store, found, _ = opened(disk)
    store.prune([])
    assert [snapshot.slot for snapshot in store.snapshots] == [9, 7]
    assert snapshot_slots(disk.names()) == [9, 7]
    assert found is not None
    assert opened(disk)[1] == found


def test_what_somebody_still_fetches_is_spared() -> None:
    disk = taken(5, 7, 9)
    store = opened(disk)[0]
    store.prune(store.snapshots[2:])
    assert snapshot_slots(disk.names()) == [9, 7, 5]
    store.prune([])
    assert snapshot_slots(disk.names()) == [9, 7]


def test_a_damaged_one_goes_once_there_are_others() -> None:
    disk = taken(5, 9)
    disk.flip(snapshot_name(Slot(9)), 40, 3)
    store = opened(disk)[0]
    take(store, 11)
    store.prune([])
    assert snapshot_slots(disk.names()) == [11, 5]


def test_parts_of_a_file_are_the_file() -> None:
    source, target = opened(taken(5))[0], MemoryDirectory()
    offered = source.snapshots[0]
    store = opened(target)[0]
    draft = store.draft(offered.slot)
    while draft.size < offered.size:
        draft.append(source.read(offered, draft.size, 100))
    assert store.keep(draft, offered) == offered
    assert opened(target.crash())[1] == offered


def test_a_file_that_is_not_what_was_offered_is_not_kept() -> None:
    source, target = opened(taken(5))[0], MemoryDirectory()
    offered = source.snapshots[0]
    store = opened(target)[0]
    draft = store.draft(offered.slot)
    draft.append(source.read(offered, 0, offered.size))
    with pytest.raises(SnapshotUnusable, match="announced"):
        store.keep(draft, Snapshot(offered.slot, offered.size, offered.checksum ^ 1))
    assert target.names() == []
    assert store.snapshots == ()


def test_a_damaged_file_is_not_handed_out() -> None:
    disk = taken(5, 9)
    store, _, findings = opened(disk)
    newest = store.snapshots[0]
    disk.flip(snapshot_name(Slot(9)), 40, 3)
    with pytest.raises(SnapshotUnusable):
        store.read(newest, 0, 100)
    assert [snapshot.slot for snapshot in store.snapshots] == [5]
    assert len(findings) == 1
    assert store.read(newest, 0, 100) == b""


def test_a_file_is_read_back_before_it_has_a_name() -> None:
    disk = MemoryDirectory()
    store = opened(disk)[0]
    capture = Capture(store, Slot(5))
    capture.add(pieces(5))
    disk.flip(capture.draft.name, 40, 3)
    with pytest.raises(SnapshotUnusable):
        capture.keep()
    assert disk.names() == []


def test_whoever_reads_a_large_file_breathes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paxon.storage.snapshot_file.BREATH_BYTES", 1000)
    breaths: list[int] = []
    store = SnapshotStore(MemoryDirectory(), lambda finding: None, lambda: breaths.append(1))
    capture = Capture(store, Slot(5))
    capture.add([b"." * 400] * 10)
    kept = capture.keep()
    assert len(breaths) == 3
    store.read(kept, 0, 100)
    assert len(breaths) == 6
    store.read(kept, 100, 100)
    assert len(breaths) == 6


def test_a_large_file_is_synced_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "SYNC_BYTES", 1000)
    syncs: list[str] = []
    disk = MemoryDirectory(lambda operation, name: syncs.append(name) if operation == "sync" else None)
    capture = Capture(opened(disk)[0], Slot(5))
    for _ in range(10):
        capture.add([b"." * 400])
    assert len(syncs) == 3
    capture.keep()
    assert len(syncs) == 4


# --- every call fails, and the power goes at every call ---


def live(disk: MemoryDirectory, done: list[int]) -> None:
    """Take three snapshots and prune; ``done`` says which were reported durable."""
    store = opened(disk)[0]
    for slot in (5, 7, 9):
        take(store, slot)
        done.append(slot)
        store.prune([])


def calls() -> int:
    disk = MemoryDirectory(counter := FailNth(0, 0))
    live(disk, [])
    return counter.count


CALLS = calls()


def survivors(disk: MemoryDirectory) -> Iterator[MemoryDirectory]:
    yield disk.crash()
    for chance in range(6):
        yield disk.crash(random.Random(chance))
    yield disk.restart()


def sound_after(disk: MemoryDirectory, done: list[int]) -> None:
    """Whatever was reported durable is there, or a newer one is, whole; and life goes on."""
    for survivor in survivors(disk):
        names = [name for name in survivor.names() if not name.endswith(TEMPORARY)]
        store, found, findings = opened(survivor)
        assert findings == []
        assert [snapshot_name(snapshot.slot) for snapshot in reversed(store.snapshots)] == names
        newest = done[-1] if done else 0
        assert (found.slot if found is not None else 0) >= newest
        if found is not None:
            assert list(store.pieces(found)) == pieces(found.slot)
        live(survivor, [])


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("half_writes", [False, True])
def test_every_call_fails_once(number: int, half_writes: bool) -> None:
    failed = 0
    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(FailNth(nth, number))
        disk.half_writes = half_writes
        done: list[int] = []
        try:
            live(disk, done)
        except (OSError, LedgerError):
            failed += 1
            disk.before = lambda operation, name: None
        sound_after(disk, done)
    assert failed > CALLS // 2


def test_the_power_goes_at_every_call() -> None:
    class PowerCut(BaseException):
        pass

    def cut_at(nth: int) -> Callable[[str, str], None]:
        counter = FailNth(nth, 0)

        def before(operation: str, name: str) -> None:
            try:
                counter(operation, name)
            except OSError:
                raise PowerCut from None

        return before

    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(cut_at(nth))
        done: list[int] = []
        with pytest.raises(PowerCut):
            live(disk, done)
        disk.before = lambda operation, name: None
        sound_after(disk, done)


def test_a_name_that_is_not_durable_is_the_end() -> None:
    disk = MemoryDirectory(lambda operation, name: None)
    store = opened(disk)[0]

    def before(operation: str, name: str) -> None:
        if operation == "sync_directory":
            raise OSError(errno.ENOSPC, "on purpose")

    disk.before = before
    with pytest.raises(LedgerSyncFailed):
        take(store, 5)
    assert store.snapshots == ()
