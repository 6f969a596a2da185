"""Every call fails once, and the power goes at every call: what was reported durable is there, and no more is."""

import errno
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import NodeId
from paxon.core.ledger import PromisedBallot, Record, TriedBallot
from paxon.errors import LedgerError, LedgerSyncFailed
from paxon.storage.directory import DISK_FULL
from paxon.storage.identity import DataDirectory
from paxon.storage.segment import segment_name, segment_numbers
from tests.storage.disk import FailNth, MemoryDirectory
from tests.storage.scripts import FIRST, SEGMENT, STORAGE, flat, groups, opened, vote, write

PLAN = groups(slots=12, size=500)
T = TypeVar("T")

PATIENCE = 3
"""How often a script asks again on a full disk."""


@dataclass
class Life:
    """What one process did until it ended."""

    appended: list[Record] = field(default_factory=list)
    durable: int = 0
    introduced: bool = False
    peer: bool = False
    ended: Exception | None = None

    def live(self, disk: MemoryDirectory) -> "Life":
        """Open, write what is missing of ``PLAN``, meet a peer, close."""
        try:
            data = DataDirectory.open(disk, "c", "a", NodeId(1), STORAGE)
            ledger_file = data.ledger(SEGMENT)
            ledger_file.replay(self.appended.append)
            self.durable = ledger_file.synced_line
            assert len(self.appended) == self.durable
            for number in range(len(PLAN)):
                fresh = flat(PLAN[: number + 1])[len(self.appended) :]
                ledger_file.append(fresh)
                self.appended += fresh
                self.durable = patiently(ledger_file.sync)
            patiently(lambda: data.introduce("b", "7777"))
            self.peer = True
            patiently(data.mark_introduced)
            self.introduced = True
            ledger_file.close()
            data.close()
        except (OSError, LedgerError) as error:
            self.ended = error
        return self


def patiently(call: Callable[[], T]) -> T:
    """Call again when the disk is full, as a host does."""
    for _ in range(PATIENCE):
        try:
            return call()
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
    return call()


def survivors(disk: MemoryDirectory) -> Iterator[MemoryDirectory]:
    """Ways for the power to go: nothing unsynced is left, or some of it."""
    yield disk.crash()
    for chance in range(6):
        yield disk.crash(random.Random(chance))


def sound_after(disk: MemoryDirectory, before: Life) -> None:
    """What ``before`` was told is true, and another life can go on from there."""
    after = Life().live(disk)
    assert after.ended is None, after.ended
    assert after.appended == flat(PLAN)
    replayed = opened(disk)[1]
    assert replayed == flat(PLAN)
    assert before.durable <= len(before.appended)
    found = DataDirectory.open(disk.restart(), "c", "a", NodeId(1), STORAGE)
    assert found.introduced
    assert found.peers == {"b": "7777"}


def replays(disk: MemoryDirectory, before: Life) -> None:
    """Everything reported durable is there, and what else is there was appended."""
    copy = disk.copy()
    if not segment_numbers(copy.names()):
        assert before.durable == 0
        return
    replayed = opened(copy)[1]
    assert len(replayed) >= before.durable
    assert replayed == flat(PLAN)[: len(replayed)]


def calls() -> int:
    """How many calls a whole life makes."""
    disk = MemoryDirectory(counter := FailNth(0, 0))
    assert Life().live(disk).ended is None
    count = counter.count
    assert len(segment_numbers(disk.names())) > 2
    return count


CALLS = calls()


@pytest.mark.parametrize("half_writes", [False, True])
def test_every_call_fails_with_an_error_of_the_disk(half_writes: bool) -> None:
    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(FailNth(nth, errno.EIO))
        disk.half_writes = half_writes
        life = Life().live(disk)
        for survivor in survivors(disk):
            replays(survivor, life)
            sound_after(survivor, life)
        # The process alone is restarted.  It may find what a failed sync never wrote, and must then not lose it.
        second = Life().live(disk.restart())
        assert second.ended is None, (nth, second.ended)
        assert second.appended[: life.durable] == life.appended[: life.durable]
        replays(disk.crash(), second)


@pytest.mark.parametrize("half_writes", [False, True])
@pytest.mark.parametrize("for_good", [False, True])
def test_every_call_finds_the_disk_full(half_writes: bool, for_good: bool) -> None:
    spared = frozenset({"lock", "names", "read", "pread", "size", "sync", "sync_directory", "remove", "truncate"})
    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(fail := FailNth(nth, errno.ENOSPC, for_good, spared))
        disk.half_writes = half_writes
        life = Life().live(disk)
        if fail.failed is None:
            break
        if not for_good and life.durable:
            assert life.ended is None, "once there is room, everything goes on"
        for survivor in survivors(disk):
            replays(survivor, life)
            sound_after(survivor, life)


def test_the_power_goes_at_every_call() -> None:
    """In the middle of rotations, of opening, of repairing both twins."""

    class PowerCut(BaseException):
        pass

    for nth in range(1, CALLS + 1):
        count = 0

        def before(operation: str, name: str, nth: int = nth) -> None:
            nonlocal count
            count += 1
            if count == nth:
                raise PowerCut

        disk = MemoryDirectory(before)
        life = Life()
        with pytest.raises(PowerCut):
            life.live(disk)
        for survivor in survivors(disk):
            replays(survivor, life)
            sound_after(survivor, life)


@given(data=st.data())
def test_any_part_of_the_last_group_may_survive(data: st.DataObject) -> None:
    """Sectors of an unsynced group survive in any combination, life after life."""
    disk = MemoryDirectory()
    written: list[Record] = []
    durable = 0
    for _ in range(3):
        ledger_file, replayed, _ = opened(disk, 64 * 1024)
        assert len(replayed) >= durable
        assert replayed == written[: len(replayed)]
        written = replayed
        slot = sum(not isinstance(record, TriedBallot) for record in written)
        for _ in range(data.draw(st.integers(0, 2))):
            group: list[Record] = [vote(slot + step, 700) for step in range(1, 4)]
            slot += 3
            write(ledger_file, [group])
            written = written + group
        durable = len(written)
        size = data.draw(st.integers(10, 2000))
        group = [vote(slot + step, size) for step in range(1, 6)]
        ledger_file.append(group)
        disk.before = FailNth(2, errno.EIO)
        with pytest.raises(LedgerSyncFailed):
            ledger_file.sync()
        disk.before = lambda operation, name: None
        # The failed sync dropped the pages; write them again so that their survival is the crash's choice.
        name = segment_name(1)
        disk.pwrite(name, 0, disk.read(name))
        written = written + group
        disk = disk.crash(data.draw(st.randoms(use_true_random=False)))


class TestFailedSync:
    """A sync that failed is never tried again."""

    @pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
    def test_whatever_the_error_it_is_final(self, number: int) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        ledger_file.append([TriedBallot(FIRST)])
        syncs = 0

        def before(operation: str, name: str) -> None:
            nonlocal syncs
            if operation == "sync":
                syncs += 1
                raise OSError(number, "on purpose")

        disk.before = before
        with pytest.raises(LedgerSyncFailed, match="see to the disk") as caught:
            ledger_file.sync()
        assert isinstance(caught.value.__cause__, LedgerSyncFailed)
        disk.before = lambda operation, name: None
        for call in (ledger_file.sync, lambda: ledger_file.append([]), lambda: ledger_file.recall(vote(1).slot, 1)):
            with pytest.raises(LedgerSyncFailed, match="on purpose"):
                call()
        ledger_file.close()
        assert ledger_file.failed
        assert syncs == 1

    def test_records_in_the_page_cache_alone_are_written_again(self) -> None:
        """The kernel holds them for written after a failed sync, and the next sync has nothing to do for them."""
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[TriedBallot(FIRST), PromisedBallot(FIRST)]])
        ledger_file.append([vote(1), vote(2)])
        disk.before = FailNth(2, errno.EIO)
        with pytest.raises(LedgerSyncFailed):
            ledger_file.sync()
        assert opened(disk.crash())[1] == [TriedBallot(FIRST), PromisedBallot(FIRST)]
        replayed = opened(disk.restart())[1]
        assert replayed[2:] == [vote(1), vote(2)]
        assert opened(disk.crash())[1] == replayed


class TestFullDisk:
    """Nothing is lost while the disk is full."""

    def test_a_full_disk_shows_when_a_segment_is_begun(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        operations: list[str] = []

        def before(operation: str, name: str) -> None:
            operations.append(operation)
            if operation == "preallocate":
                raise OSError(errno.ENOSPC, "full")

        disk.before = before
        plan = groups(slots=10, size=500)[1:-2]
        done = 0
        for group in plan:
            ledger_file.append(group)
            try:
                done = ledger_file.sync()
            except OSError:
                break
        assert 0 < done < len(flat(plan))
        assert ledger_file.synced_line == done
        for _ in range(2):
            with pytest.raises(OSError, match="full"):
                ledger_file.sync()
        ledger_file.append([vote(20)])
        assert segment_numbers(disk.names()) == [1]
        assert not [name for name in disk.names() if name.endswith(".tmp")]
        disk.before = lambda operation, name: None
        assert ledger_file.sync() == ledger_file.line
        replayed = opened(disk.crash())[1]
        assert replayed == [*flat(plan)[: ledger_file.line - 1], vote(20)]

    def test_a_ballot_waits_for_its_twin(self) -> None:
        """The records are durable, but no promise is reported so before its twin is."""
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        ledger_file.append([PromisedBallot(FIRST)])

        def before(operation: str, name: str) -> None:
            if operation == "create":
                raise OSError(errno.EDQUOT, "quota")

        disk.before = before
        with pytest.raises(OSError, match="quota"):
            ledger_file.sync()
        assert ledger_file.synced_line == 0
        disk.before = lambda operation, name: None
        assert ledger_file.sync() == 1
        assert opened(disk.crash())[1] == [PromisedBallot(FIRST)]
