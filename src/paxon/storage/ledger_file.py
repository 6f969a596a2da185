"""The ledger file: records in, durable lines out, and passed decrees back.

Knows: when lines are durable, and what a failed disk means.  Does not know: what a record permits, who waits for it, or
threads beyond the three it serves (one that appends, one that syncs, one that recalls and trims).
``docs/ledger-format.md`` has the layout and the crashes.

Theory of operation.  ``append`` queues; ``sync`` writes what is queued in one piece at the end of the current segment
and syncs it.  Three things are done when a ledger is opened, each for a crash or a disk that has happened to somebody:

1. A torn tail is overwritten with zeros and synced before anything is appended.  Otherwise a short new record could
   leave an old one behind it, and the old one would be the next record one day.
2. The records that nothing proves durable are written again.  They may be in the page cache alone: the process may have
   died between write and sync, or after a sync that failed, and after a failed one the kernel holds the pages for clean
   and a new sync for done.
3. The ballots of the ledger are compared with their twin, which was written after them.  A ledger behind its twin has
   lost what was durable: an older copy was put back, or the disk said "durable" and lied.

``trim`` removes whole old segments.  What a ledger still needs of a segment is a decree or a vote in a slot that is
not yet in a snapshot; and the ballots and the line at its end, which are noted (``beginning``) before it goes.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import msgpack

from paxon.core.decree import Slot
from paxon.core.ledger import Beginning, Outcome, Record, Vote
from paxon.errors import LedgerCorrupt, LedgerSyncFailed, check
from paxon.storage.ballots import ADVICE, BALLOTS, Ballots, compare, decode_ballots
from paxon.storage.beginning import BEGINNING, UNTRIMMED, Trimmed, decode_trimmed, remove_segments
from paxon.storage.directory import DISK_FULL, Directory
from paxon.storage.scan import Scan
from paxon.storage.segment import FRAME_BYTES, place, position, segment_name, segment_numbers
from paxon.storage.slot_index import SlotIndex
from paxon.storage.tail import Tail
from paxon.storage.twin import Twin
from paxon.storage.window import Window, record_of

SEGMENT_BYTES = 64 * 1024 * 1024
"""Size of a segment.  A record that does not fit one gets a segment of its own size."""

SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX = 4096, 1024**3
"""What may be asked for: below, a header would fill much of it; above, a scan for proof would need too much memory."""

RECALL_SLOTS_MAX = 4096
"""Most slots that one recall returns."""


class LedgerFile:
    """One member's ledger on disk.

    Invariants: ``synced_line <= _tail.durable <= line``; the twin is never ahead of line ``_tail.durable``, and its
    ballots never behind line ``synced_line``.
    """

    def __init__(
        self,
        directory: Directory,
        storage: str,
        segment_bytes: int = SEGMENT_BYTES,
        report: Callable[[str], None] = lambda finding: None,
    ) -> None:
        """``report`` is told in sentences of what was found broken, and repaired."""
        check(SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX, "a segment has from 4 KiB to 1 GiB")
        self._directory = directory
        self._storage = storage
        self._report = report
        self._failure: str | None = None
        self._ready = False

        self.line = 0
        """The last line appended."""
        self.synced_line = 0
        """The last line reported durable."""
        self._guard = threading.Lock()
        """Held for what two threads touch: the queue, and the index."""
        self._queue: list[Record] = []
        self._index = SlotIndex()
        self._openings: dict[int, Beginning] = {}
        """The line and the ballots ahead of each segment."""
        self._noted_line = 0
        """The last line in the index."""
        self._newest = 0
        """The segment of that line."""

        # What follows belongs to whoever trims.
        self._beginning_twin = Twin(directory, BEGINNING)
        self._trimmed = UNTRIMMED
        self._trimmed_bytes = 0

        # What follows belongs to whoever syncs.
        self._unwritten: list[Record] = []
        self._tail = Tail(directory, storage, segment_bytes)
        self._twin = Twin(directory, BALLOTS)
        self._ballots = Ballots()
        """As far as the durable records go; ``line`` is not kept up to date."""
        self._kept = self._ballots
        """The ballots in the twin."""
        self._kept_line = 0

    @property
    def disk_bytes(self) -> int:
        """The size of all segments."""
        return self._tail.disk_bytes - self._trimmed_bytes

    @property
    def written_bytes(self) -> int:
        """A count of bytes that grows as the ledger does, and is not taken back by trimming."""
        return self._tail.written_bytes

    @property
    def first_slot(self) -> Slot:
        """Decrees below are not in the file any more."""
        return self._index.first

    @property
    def failed(self) -> bool:
        """Whether nothing more can be written: a sync failed for good, or the file was closed."""
        return self._failure is not None

    def replay(
        self, take: Callable[[Record], None], begin: Callable[[Beginning], None] = lambda beginning: None
    ) -> None:
        """Hand every durable record to ``take``, in order, and make the file ready for more.  To be called once, first.

        ``begin`` is told before that what the ledger begins with.  Both may have been called already when an error is
        raised; what they were told is worth nothing then.

        Raises:
            LedgerCorrupt: if durable bytes are damaged or missing.
            LedgerTooNew: if a newer release wrote the ledger.
            ForeignIdentity: if a file of another member lies among the segments.
            LedgerSyncFailed: if the disk refuses to be written.
            OSError: if the files cannot be opened or read for a reason that is not damage.
        """
        check(not self._ready, "a ledger file is replayed once")
        where = self._directory.where
        self._trimmed = trimmed = decode_trimmed(where, self._beginning_twin.read_and_repair(self._report))
        begin(trimmed.ledger)
        self._index = SlotIndex(trimmed.ledger.slot)
        self._ballots = Ballots(trimmed.ledger.next_ballot, trimmed.ledger.last_tried)
        self._noted_line = trimmed.ledger.line
        scan = Scan(self._directory, self._storage, trimmed.segment, trimmed.ledger.line)
        self._take_all(scan, take)
        found = Ballots(self._ballots.promised, self._ballots.tried, scan.line)
        expected = decode_ballots(where, self._twin.read_and_repair(self._report))
        compare(where, scan, found, expected)
        # Only what was found sound is written to: a refused ledger is left as it was, for inspection.
        try:
            if scan.numbers:
                self._tail.resume(scan, self._report)
            else:
                self._tail.begin_segment()
            if expected != found:
                self._write_ballots()
            self._kept, self._kept_line = self._ballots, scan.line
        except (OSError, LedgerSyncFailed) as error:
            raise self._fail(error) from error
        # What a crash kept from being removed is in nobody's way.
        with suppress(OSError):
            remove_segments(self._directory, trimmed.segment)
        self.line = self.synced_line = scan.line
        self._ready = True

    def append(self, records: Sequence[Record]) -> None:
        """Queue records.  Does no input or output.

        Raises:
            LedgerSyncFailed: if a sync failed for good.
        """
        self._refuse_after_failure()
        with self._guard:
            self._queue.extend(records)
            self.line += len(records)

    def sync(self) -> int:
        """Make everything appended so far durable; the last durable line.

        Raises:
            OSError: ``ENOSPC`` or ``EDQUOT``: nothing was lost, and ``sync`` may be called again when there is room.
            LedgerSyncFailed: any other error of the disk, for good: what reached it is unknown from here on.
            InvariantViolation: if the records make no sense; for good as well.
        """
        self._refuse_after_failure()
        check(self._ready, "a ledger file is replayed before it is written to")
        with self._guard:
            queued, self._queue = self._queue, []
        self._unwritten = self._unwritten + queued if self._unwritten else queued
        try:
            while self._unwritten:
                self._enter(self._tail.write(self._unwritten))
            if self._ballots is not self._kept:
                self._write_ballots()
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            failure = self._fail(error)
            if isinstance(error, OSError | LedgerSyncFailed):
                raise failure from error
            raise
        self.synced_line = self._tail.durable
        return self.synced_line

    def recall(self, from_slot: Slot, bytes_max: int) -> tuple[Outcome, ...]:
        """The passed decrees from ``from_slot`` on without a gap, about ``bytes_max`` but at least one if there is one.

        May run in another thread than ``sync``.

        Raises:
            LedgerCorrupt: if the bytes are not what was written.
            LedgerSyncFailed: if a sync failed for good.
            OSError: if a file cannot be opened.
        """
        self._refuse_after_failure()
        with self._guard:
            # All positions before any reading: a window read earlier may lack what was written since.  Trimming is
            # done by the thread that recalls, so none of them goes stale meanwhile.
            positions = self._index.positions(from_slot, RECALL_SLOTS_MAX)
        window = Window(self._directory, self._storage)
        taken: list[Outcome] = []
        room = bytes_max
        for slot, where in enumerate(positions, from_slot):
            record = window.record_at(where)
            if not isinstance(record, Vote | Outcome) or record.slot != slot:
                raise LedgerCorrupt(f"{window.describe(where)} does not hold the decree of slot {slot}. {ADVICE}")
            room -= sum(map(len, record.decree.commands)) + FRAME_BYTES
            if taken and room < 0:
                break
            taken.append(Outcome(Slot(slot), record.decree))
        return tuple(taken)

    def trim(self, slot: Slot, stamp_ms: int, tail_bytes: int) -> None:
        """Remove old segments, all but about ``tail_bytes``, that hold nothing needed by whoever has a snapshot.

        The snapshot is durable and holds the effects of every slot below ``slot``; ``stamp_ms`` is at least the highest
        stamp among those.  May run in another thread than ``sync``.

        Raises:
            OSError: as the disk does.  Nothing needed was lost, and trimming may be repeated.
            LedgerSyncFailed: if a name cannot be made durable, or a sync failed for good.
        """
        self._refuse_after_failure()
        with self._guard:
            index, openings, newest = self._index.copy(), dict(self._openings), self._newest
        if slot <= index.first:
            return
        # A decree from ``slot`` on is needed, and a vote: both may lie far behind later ones.
        needed = index.lowest_from(min(slot, index.passed_until))
        segment = min(self._segment_with_tail(tail_bytes), newest if needed is None else place(needed)[0])
        if segment <= self._trimmed.segment or segment not in openings:
            return
        begins_at = index.first_behind(position(segment, 0))
        opening = openings[segment]
        trimmed = Trimmed(
            segment, Beginning(opening.line, opening.last_tried, opening.next_ballot, begins_at, stamp_ms)
        )
        self._beginning_twin.write(msgpack.encode(trimmed))
        self._trimmed = trimmed
        with self._guard:
            self._index.forget_below(begins_at)
            self._openings = {number: kept for number, kept in self._openings.items() if number >= segment}
        self._trimmed_bytes += remove_segments(self._directory, segment)

    def _segment_with_tail(self, tail_bytes: int) -> int:
        """The newest segment that has ``tail_bytes`` from its beginning on; the oldest, if none has."""
        numbers = segment_numbers(self._directory.names())
        for number in reversed(numbers):
            tail_bytes -= self._directory.size(segment_name(number))
            if tail_bytes <= 0:
                return number
        return numbers[0]

    def close(self) -> None:
        """End.  What was appended and not synced is dropped; of what was synced the twin takes note."""
        if self._ready and self._failure is None:
            try:
                if self._kept_line != self._tail.durable:
                    self._write_ballots()
            except (OSError, LedgerSyncFailed) as error:
                self._fail(error)
        if self._failure is None:
            self._failure = "the ledger file was closed"
        self._tail.release()

    def _take_all(self, scan: Scan, take: Callable[[Record], None]) -> None:
        slot: Slot | None = None
        for frame in scan.frames():
            record = record_of(frame, f"{self._directory.where}/{segment_name(scan.number)}")
            take(record)
            slot = getattr(record, "slot", slot)
            self._note(record, position(scan.number, frame.offset))
        if scan.damage is not None:
            raise LedgerCorrupt(f"{scan.damage.describe(self._directory.where, slot)}. {ADVICE}")

    def _enter(self, positions: list[int]) -> None:
        """Note that as many of the unwritten records are durable now."""
        with self._guard:
            for record, where in zip(self._unwritten, positions, strict=False):
                self._note(record, where)
        del self._unwritten[: len(positions)]

    def _note(self, record: Record, where: int) -> None:
        number = place(where)[0]
        if number != self._newest:
            self._newest = number
            self._openings[number] = Beginning(self._noted_line, self._ballots.tried, self._ballots.promised)
        self._noted_line += 1
        self._index.note(record, where)
        self._ballots = self._ballots.after(record)

    def _write_ballots(self) -> None:
        ballots = Ballots(self._ballots.promised, self._ballots.tried, self._tail.durable)
        self._twin.write(msgpack.encode(ballots))
        self._kept, self._kept_line = self._ballots, self._tail.durable

    def _fail(self, error: Exception) -> LedgerSyncFailed:
        if self._failure is None:
            self._failure = (
                f"{self._directory.where} could not be made durable ({error}); this member stops, "
                "see to the disk and start it again"
            )
        return LedgerSyncFailed(self._failure)

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise LedgerSyncFailed(self._failure)
