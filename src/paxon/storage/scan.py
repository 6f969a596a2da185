"""Reads a whole ledger in order, and tells a torn tail from damage.

Knows: segments and frames.  Does not know: what a record means; changes nothing on disk.

Theory of operation.  Segments follow each other without a gap, and one comes into being only after its predecessor
is durable and complete.  Within a segment records follow each other without a gap, zeros follow the last one, and each
record says through which line the ledger was durable when it was written.  So when bytes turn up that are neither a
good next record nor zeros to the end, either a write was cut short by a crash, in which case nothing of it was ever
reported durable, or durable bytes were damaged.  A crash leaves nothing durable behind the place it hits; so if a
later segment exists, or a later record says that the line in question was durable, it is damage.  Otherwise it is a
torn tail.

What cannot be told apart: damage in the last records that were synced, when nothing was written after them.  The
twin of the ballots narrows that down, as it keeps a line that was durable: see ``ballots.py``.
"""

import errno
from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from paxon.core.decree import Slot
from paxon.errors import LedgerCorrupt
from paxon.storage.directory import Directory
from paxon.storage.segment import (
    FRAME_BYTES,
    HEADER_BYTES_MAX,
    Frame,
    candidates,
    decode_frame,
    decode_header,
    frame_size,
    seed,
    segment_name,
    segment_numbers,
)

CHUNK_BYTES = 1024 * 1024
"""How much is read at once; a longer record is read in one piece of its own."""

_ZEROS = bytes(CHUNK_BYTES)


class Damage(Struct, frozen=True):
    """Durable bytes that are not what was written there."""

    file: str
    offset: int
    line: int
    """The first record that cannot be had."""
    reason: str

    def describe(self, where: str, slot: Slot | None) -> str:
        """The damage in one sentence, with the slot of the last record before it."""
        after = f", after a record of slot {slot}" if slot is not None else ""
        return (
            f"durable bytes of the ledger are damaged: {where}/{self.file} at offset {self.offset}, "
            f"line {self.line}{after}: {self.reason}"
        )


class Torn(Struct, frozen=True):
    """What a crash left of the last write: nothing in ``[offset, end)`` of the last segment was ever durable."""

    offset: int
    end: int


class Scan:
    """One pass over the ledger.  The fields below ``frames`` are complete once it is exhausted."""

    def __init__(self, directory: Directory, storage: str, first: int = 1, line: int = 0) -> None:
        """``first`` is the segment that the ledger begins with, and ``line`` the last one before it."""
        self._directory = directory
        self._storage = storage
        self._first = first
        self.numbers = [number for number in segment_numbers(directory.names()) if number >= first]
        self.line = line
        """The last good line."""
        self.proven = line
        """The last line that the segments prove durable."""
        self.number = 0
        """The segment being read; in the end the last one."""
        self.end = 0
        """Where in it the next record belongs."""
        self.bytes = 0
        """The size of all segments read so far."""
        self.damage: Damage | None = None
        self.torn: Torn | None = None
        self._unproven: deque[tuple[int, int]] = deque()

    @property
    def unproven_from(self) -> int:
        """Where in the last segment the records begin that nothing proves durable; ``end`` if there are none."""
        return self._unproven[0][1] if self._unproven else self.end

    def frames(self) -> Iterator[Frame]:
        """Every record, in order, ``number`` saying in which segment; ends early at damage.

        Raises:
            LedgerTooNew: if a newer release wrote a segment.
            ForeignIdentity: if another member wrote a segment.
            LedgerCorrupt: if the disk cannot read a segment.
        """
        for expected, number in enumerate(self.numbers, self._first):
            if number != expected:
                self._damaged(segment_name(expected), 0, "the file is missing")
                return
            last = number == self.numbers[-1]
            if not self._begin(number):
                return
            yield from self._segment(last)
            if self.damage is not None:
                return

    def _begin(self, number: int) -> bool:
        """Read the header of the next segment; whether it follows the one before."""
        name = segment_name(number)
        try:
            data = self._read(name, 0, HEADER_BYTES_MAX)
            header = decode_header(f"{self._directory.where}/{name}", data, self._storage, number)
        except LedgerCorrupt as error:
            self._damaged(name, 0, str(error))
            return False
        if header.first_line > self.line + 1:
            before = segment_name(self.number) if self.number else name
            self._damaged(before, self.end, f"the next segment begins with line {header.first_line}")
            return False
        if header.first_line <= self.line:
            self._damaged(name, 0, f"the segment begins with line {header.first_line}, which is in the one before")
            return False
        self.number, self.end, self.proven = number, header.size, self.line
        self._unproven.clear()
        return True

    def _segment(self, last: bool) -> Iterator[Frame]:
        name = segment_name(self.number)
        size = self._directory.size(name)
        self.bytes += size
        checksum_seed = seed(self._storage, self.number)
        data, base = b"", 0
        while True:
            at = self.end - base
            if len(data) - at < FRAME_BYTES:
                data, base, at = self._read(name, self.end, min(CHUNK_BYTES, size - self.end)), self.end, 0
                if len(data) < FRAME_BYTES:
                    break
            wanted = frame_size(data, at)
            if wanted is None or self.end + wanted > size:
                break
            if len(data) - at < wanted:
                data, base, at = self._read(name, self.end, max(CHUNK_BYTES, wanted)), self.end, 0
                if len(data) < wanted:
                    break
            frame = decode_frame(data, at, wanted, checksum_seed, self.end)
            if frame is None or not self._follows(frame):
                break
            yield frame
            self.end = frame.end
        self._judge_the_rest(name, size, last)

    def _follows(self, frame: Frame) -> bool:
        """Whether ``frame`` is the next record; if so, note what it proves."""
        if frame.line != self.line + 1 or frame.synced > self.line:
            return False
        self.line = frame.line
        self.proven = max(self.proven, frame.synced)
        self._unproven.append((frame.line, frame.offset))
        while self._unproven[0][0] <= self.proven:
            self._unproven.popleft()
        return True

    def _judge_the_rest(self, name: str, size: int, last: bool) -> None:
        """Decide what the bytes from ``end`` on are: nothing, a torn tail, or damage."""
        written_until = self._written_until(name, size)
        if written_until == self.end:
            return
        if not last:
            self._damaged(name, self.end, "the bytes there are no record, although a later segment exists")
            return
        rest = self._read(name, self.end, written_until - self.end)
        checksum_seed = seed(self._storage, self.number)
        for at, wanted in candidates(rest, self.line + 1):
            if at + wanted > len(rest):
                continue
            proof = decode_frame(rest, at, wanted, checksum_seed, self.end + at)
            if proof is not None:
                reason = f"the bytes there are no record, although line {proof.line} further on"
                self._damaged(name, self.end, f"{reason} says that it was durable")
                return
        self.torn = Torn(self.end, written_until)

    def _written_until(self, name: str, size: int) -> int:
        """The end of the last byte in ``[end, size)`` that is not zero; ``end`` if there is none."""
        written_until = offset = self.end
        while offset < size:
            chunk = self._read(name, offset, min(CHUNK_BYTES, size - offset))
            if not chunk:
                break
            if chunk != (_ZEROS if len(chunk) == CHUNK_BYTES else _ZEROS[: len(chunk)]):
                written_until = offset + len(chunk.rstrip(b"\0"))
            offset += len(chunk)
        return written_until

    def _damaged(self, file: str, offset: int, reason: str) -> None:
        self.damage = Damage(file, offset, self.line + 1, reason)

    def _read(self, name: str, offset: int, size: int) -> bytes:
        try:
            return self._directory.pread(name, offset, size)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise LedgerCorrupt(
                f"{self._directory.where}/{name} cannot be read at offset {offset}: {error}; "
                "see to the disk, or replace this member by a new one with an empty directory"
            ) from error
