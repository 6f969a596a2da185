"""The ledger file: records in, durable lines out, and passed decrees back.

Knows: when bytes are durable.  Does not know: what a record permits, who waits for it, or threads beyond the two it
serves (one that appends and recalls, one that syncs).  ``docs/ledger-format.md`` has the layout and the crashes.

Theory of operation.  ``append`` queues; ``sync`` frames what is queued, writes it in one piece at the end of the
current segment and syncs it.  Nothing is written behind bytes that are not yet durable, so a crash tears the last
group only.  Space is reserved per segment, so a full disk shows when a segment is to be begun, before anything
was written.

Three things are done when a ledger is opened, each for a crash or a disk that has happened to somebody:

1. A torn tail is overwritten with zeros and synced before anything is appended.  Otherwise a short new record could
   leave an old one behind it, and the old one would be the next record one day.
2. The records that nothing proves durable are written again.  They may be in the page cache alone: the process may have
   died between write and sync, or after a sync that failed, and after a failed one the kernel holds the pages for clean
   and a new sync for done.
3. The ballots of the ledger are compared with their twin, which was written after them.  A ledger behind its twin has
   lost what was durable: an older copy was put back, or the disk said "durable" and lied.
"""

import threading
from collections.abc import Callable, Sequence

from msgspec import msgpack

from paxon.codec.records import RECORD_KINDS, decode_record, encode_record
from paxon.core.decree import Slot
from paxon.core.ledger import Outcome, PromisedBallot, Record, TriedBallot, Vote
from paxon.errors import LedgerCorrupt, LedgerSyncFailed, LedgerTooNew, ProtocolError, check
from paxon.storage.ballots import ADVICE, BALLOTS, Ballots, compare, decode_ballots
from paxon.storage.directory import DISK_FULL, TEMPORARY, Directory, discard, put_in_place
from paxon.storage.scan import Damage, Scan, Torn
from paxon.storage.segment import (
    FRAME_BYTES,
    NO_RECORD,
    Frame,
    decode_frame,
    encode_frame,
    encode_header,
    frame_size,
    seed,
    segment_name,
)
from paxon.storage.slot_index import SlotIndex
from paxon.storage.twin import Twin

SEGMENT_BYTES = 64 * 1024 * 1024
"""Size of a segment.  A record that does not fit one gets a segment of its own size."""

SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX = 4096, 1024**3
"""What may be asked for: below, a header would fill much of it; above, a scan for proof would need too much memory."""

ZERO_AHEAD_BYTES = 256 * 1024
"""How far ahead zeros are written.  A sync into blocks that were written before changes no metadata of the file, which
makes it nearly twice as fast; the figures are in ``docs/ledger-format.md``."""

RECALL_SLOTS_MAX = 4096
"""Most slots that one recall returns."""

_WINDOW_BYTES = 64 * 1024
"""How much a recall reads at once: neighbours in slot order are mostly neighbours in the file."""

_OFFSET_BITS = 40
"""A position is a segment's number above this many bits of offset."""


class LedgerFile:
    """One member's ledger on disk.

    Invariants: ``synced_line <= _durable <= line``; from ``_offset`` on the current segment holds only zeros and what a
    failed ``sync`` left; the twin of the ballots is never ahead of line ``_durable``, and never behind ``synced_line``.
    """

    def __init__(
        self,
        directory: Directory,
        storage: str,
        segment_bytes: int = SEGMENT_BYTES,
        report: Callable[[str], None] | None = None,
    ) -> None:
        check(SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX, "a segment has from 4 KiB to 1 GiB")
        self._directory = directory
        self._storage = storage
        self._segment_bytes = segment_bytes
        self._report = report if report is not None else _say_nothing
        self._twin = Twin(directory, BALLOTS)
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

        # What follows belongs to whoever syncs.
        self._unwritten: list[Record] = []
        self._durable = 0
        self._proven = 0
        """The last line that a frame in the file says is durable."""
        self._ballots = Ballots()
        self._ballots_due = False
        self._number = 0
        self._seed = 0
        self._offset = 0
        self._size = 0
        self._zeros_until = 0
        self._sealed_bytes = 0

    @property
    def disk_bytes(self) -> int:
        """The size of all segments."""
        return self._sealed_bytes + self._size

    @property
    def failed(self) -> bool:
        """Whether a sync failed for good."""
        return self._failure is not None

    def replay(self, take: Callable[[Record], None]) -> None:
        """Hand every durable record to ``take``, in order, and make the file ready for more.  To be called once, first.

        ``take`` may have had records already when an error is raised; they are worth nothing then.

        Raises:
            LedgerCorrupt: if durable bytes are damaged or missing.
            LedgerTooNew: if a newer release wrote the ledger.
            ForeignIdentity: if a file of another member lies among the segments.
            LedgerSyncFailed: if the disk refuses to be written.
        """
        check(not self._ready, "a ledger file is replayed once")
        scan = Scan(self._directory, self._storage)
        self._replay(scan, take)
        where = self._directory.where
        expected = decode_ballots(where, self._twin.read_and_repair(self._report))
        found = Ballots(self._ballots.promised, self._ballots.tried, scan.line)
        compare(where, found if scan.numbers else None, expected)
        try:
            if not scan.numbers:
                self._begin_segment(0)
            else:
                self._resume(scan)
            if expected is None or (expected.promised, expected.tried) != (found.promised, found.tried):
                self._write_ballots()
        except (OSError, LedgerSyncFailed) as error:
            raise self._fail(error) from error
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
            LedgerSyncFailed: anything else, for good: what reached the disk is unknown from here on.
        """
        self._refuse_after_failure()
        check(self._ready, "a ledger file is replayed before it is written to")
        with self._guard:
            queued, self._queue = self._queue, []
        self._unwritten = self._unwritten + queued if self._unwritten else queued
        try:
            while self._unwritten:
                self._write_some()
            if self._ballots_due:
                self._write_ballots()
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                raise
            raise self._fail(error) from error
        self.synced_line = self._durable
        return self._durable

    def recall(self, from_slot: Slot, bytes_max: int) -> tuple[Outcome, ...]:
        """The passed decrees from ``from_slot`` on without a gap, about ``bytes_max`` but at least one if there is one.

        May run in another thread than ``sync``.

        Raises:
            LedgerCorrupt: if the bytes are not what was written.
            LedgerSyncFailed: if a sync failed for good.
        """
        self._refuse_after_failure()
        with self._guard:
            # All positions before any reading: a window read earlier may lack what was written since.
            positions = self._index.positions(from_slot, RECALL_SLOTS_MAX)
        window = _Window(self._directory, self._storage)
        taken: list[Outcome] = []
        room = bytes_max
        for slot, position in enumerate(positions, from_slot):
            record = window.record_at(position)
            if not isinstance(record, Vote | Outcome) or record.slot != slot:
                raise LedgerCorrupt(f"{window.describe(position)} does not hold the decree of slot {slot}. {ADVICE}")
            room -= sum(map(len, record.decree.commands)) + FRAME_BYTES
            if taken and room < 0:
                break
            taken.append(Outcome(Slot(slot), record.decree))
        return tuple(taken)

    def close(self) -> None:
        """End.  What was appended and not synced is dropped; what was synced is marked so, that damage to it shows."""
        if self._ready and self._failure is None:
            try:
                self._write_mark()
            except (OSError, LedgerSyncFailed) as error:
                self._fail(error)
        self._ready = False
        if self._failure is None:
            self._failure = "the ledger file was closed"
        if self._number:
            self._directory.release(segment_name(self._number))

    # Opening.

    def _replay(self, scan: Scan, take: Callable[[Record], None]) -> None:
        slot: Slot | None = None
        for frame in scan.frames():
            record = record_of(frame, f"{self._directory.where}/{segment_name(scan.number)}")
            take(record)
            if not isinstance(record, PromisedBallot | TriedBallot):
                slot = record.slot
            self._index.note(record, scan.number << _OFFSET_BITS | frame.offset)
            self._ballots = self._ballots.after(record)
        if scan.damage is not None:
            raise LedgerCorrupt(f"{describe(self._directory.where, scan.damage, slot)}. {ADVICE}")
        self.line = self.synced_line = self._durable = scan.line
        self._proven = scan.proven

    def _resume(self, scan: Scan) -> None:
        """Take up the last segment where it ends, with everything before that point durable and proven."""
        name = segment_name(scan.number)
        self._number, self._offset, self._size = scan.number, scan.end, self._directory.size(name)
        self._zeros_until = scan.end
        self._seed = seed(self._storage, scan.number)
        self._sealed_bytes = scan.bytes - self._size
        if scan.torn is not None:
            self._cut(name, scan.torn)
        if scan.unproven_from < scan.end:
            unproven = self._directory.pread(name, scan.unproven_from, scan.end - scan.unproven_from)
            self._directory.pwrite(name, scan.unproven_from, unproven)
        self._sync_segment()
        self._write_mark()

    def _cut(self, name: str, torn: Torn) -> None:
        self._report(
            f"the last write to {self._directory.where}/{name} was cut short by a crash: "
            f"{torn.end - torn.offset} bytes from offset {torn.offset} on, none of them ever durable, were removed"
        )
        offset = torn.offset
        while offset < torn.end:
            zeros = bytes(min(ZERO_AHEAD_BYTES, torn.end - offset))
            self._directory.pwrite(name, offset, zeros)
            offset += len(zeros)

    # Writing.

    def _write_some(self) -> None:
        """Write and sync as many records as the segment has room for, or begin the next segment."""
        parts: list[bytes] = []
        placed: list[int] = []
        line, offset = self._durable, self._offset
        for record in self._unwritten:
            kind, body = encode_record(record)
            end = offset + FRAME_BYTES + len(body)
            if end > self._size:
                if not placed:
                    self._begin_segment(FRAME_BYTES + len(body))
                    return
                break
            line += 1
            parts += encode_frame(self._seed, kind, line, self._durable, body)
            placed.append(self._number << _OFFSET_BITS | offset)
            offset = end
        if offset > self._zeros_until:
            zeros_until = min(offset - offset % ZERO_AHEAD_BYTES + ZERO_AHEAD_BYTES, self._size)
            parts.append(bytes(zeros_until - offset))
        self._directory.pwrite(segment_name(self._number), self._offset, b"".join(parts))
        self._sync_segment()
        self._zeros_until = max(self._zeros_until, self._offset + sum(map(len, parts)))
        self._proven, self._durable, self._offset = self._durable, line, offset
        self._enter(self._unwritten[: len(placed)], placed)
        del self._unwritten[: len(placed)]

    def _enter(self, records: list[Record], positions: list[int]) -> None:
        """Note what became durable."""
        ballots = self._ballots
        with self._guard:
            for record, position in zip(records, positions, strict=True):
                self._index.note(record, position)
                ballots = ballots.after(record)
        if ballots is not self._ballots:
            self._ballots = ballots
            self._ballots_due = True

    def _write_mark(self) -> None:
        """Say in the file that everything before is durable, if nothing there says so yet and there is room."""
        if self._proven == self._durable or self._offset + FRAME_BYTES > self._size:
            return
        head, _ = encode_frame(self._seed, NO_RECORD, self._durable, self._durable, b"")
        self._directory.pwrite(segment_name(self._number), self._offset, head)
        self._sync_segment()
        self._proven = self._durable
        self._offset += FRAME_BYTES

    def _write_ballots(self) -> None:
        ballots = Ballots(self._ballots.promised, self._ballots.tried, self._durable)
        self._twin.write(msgpack.encode(ballots))
        self._ballots = ballots
        self._ballots_due = False

    def _begin_segment(self, record_bytes: int) -> None:
        """Seal the current segment and go on in a new one with room for ``record_bytes``."""
        number = self._number + 1
        header = encode_header(self._storage, number, self._durable + 1)
        size = max(self._segment_bytes, len(header) + record_bytes)
        name = segment_name(number)
        temporary = name + TEMPORARY
        try:
            self._directory.create(temporary)
            self._directory.preallocate(temporary, size)
            self._directory.pwrite(temporary, 0, header)
            self._directory.sync(temporary)
            if self._number:
                # Sealed before the next one gets its name: the name proves that everything before it is durable.
                self._directory.truncate(segment_name(self._number), self._offset)
                self._size = self._offset
                self._sync_segment()
            put_in_place(self._directory, name, temporary)
        except OSError:
            discard(self._directory, temporary)
            raise
        if self._number:
            self._directory.release(segment_name(self._number))
        self._sealed_bytes += self._size
        self._number, self._offset, self._size = number, len(header), size
        self._zeros_until = len(header)
        self._proven = self._durable
        self._seed = seed(self._storage, number)

    def _sync_segment(self) -> None:
        try:
            self._directory.sync(segment_name(self._number))
        except OSError as error:
            # Whatever the error number: the kernel may have dropped the pages, and a second sync would then succeed
            # without them.
            raise LedgerSyncFailed(f"{segment_name(self._number)} could not be synced: {error}") from error

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


class _Window:
    """Records read back from the segments, a large piece at a time."""

    def __init__(self, directory: Directory, storage: str) -> None:
        self._directory = directory
        self._storage = storage
        self._number = 0
        self._seed = 0
        self._base = 0
        self._data = b""

    def describe(self, position: int) -> str:
        name = segment_name(position >> _OFFSET_BITS)
        return f"{self._directory.where}/{name} at offset {position & ((1 << _OFFSET_BITS) - 1)}"

    def record_at(self, position: int) -> Record:
        """
        Raises:
            LedgerCorrupt: if there is no whole record, or the disk does not give it.
        """
        number, offset = position >> _OFFSET_BITS, position & ((1 << _OFFSET_BITS) - 1)
        if number != self._number:
            self._number, self._seed, self._data = number, seed(self._storage, number), b""
        at = self._move(offset, FRAME_BYTES, _WINDOW_BYTES)
        size = frame_size(self._data, at) if len(self._data) - at >= FRAME_BYTES else None
        if size is not None:
            at = self._move(offset, size, max(size, _WINDOW_BYTES))
            if len(self._data) - at >= size:
                frame = decode_frame(self._data, at, size, self._seed, offset)
                if frame is not None:
                    return record_of(frame, f"{self._directory.where}/{segment_name(number)}")
        raise LedgerCorrupt(f"{self.describe(position)} is damaged. {ADVICE}")

    def _move(self, offset: int, needed: int, wanted: int) -> int:
        """Have ``needed`` bytes from ``offset`` in the window, as far as the file goes; where in it they are."""
        if not self._base <= offset or offset + needed > self._base + len(self._data):
            try:
                self._data = self._directory.pread(segment_name(self._number), offset, wanted)
            except OSError as error:
                raise LedgerCorrupt(f"{segment_name(self._number)} cannot be read: {error}") from error
            self._base = offset
        return offset - self._base


def describe(where: str, damage: Damage, slot: Slot | None) -> str:
    """Damage in one sentence: file, offset, line, and after which slot's record."""
    after = f", after a record of slot {slot}" if slot is not None else ""
    return (
        f"durable bytes of the ledger are damaged: {where}/{damage.file} at offset {damage.offset}, "
        f"line {damage.line}{after}: {damage.reason}"
    )


def record_of(frame: Frame, where: str) -> Record:
    """The record in a whole frame of the segment ``where``.

    Raises:
        LedgerTooNew: if its kind is unknown.
        LedgerCorrupt: if its body makes no sense.
    """
    if frame.kind not in RECORD_KINDS:
        raise LedgerTooNew(
            f"{where} has at offset {frame.offset} a record of kind {frame.kind}, which this release does not know: "
            "start the release that wrote it, or a newer one"
        )
    try:
        return decode_record(frame.kind, frame.body)
    except ProtocolError as error:
        raise LedgerCorrupt(f"{where} at offset {frame.offset} makes no sense: {error}. {ADVICE}") from error


def _say_nothing(_: str) -> None:
    pass
