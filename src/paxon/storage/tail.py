"""The end of the ledger, where records are written.

Knows: the current segment, and what of it is durable.  Does not know: what a record permits, who waits for it, or what
is in the segments before.

Nothing is written behind bytes that are not yet durable, so a crash tears the last group only.  Space is reserved per
segment, so a full disk shows when a segment is to be begun, before anything was written.
"""

from collections.abc import Callable, Sequence

from paxon.codec.records import encode_record
from paxon.core.ledger import Record
from paxon.errors import LedgerSyncFailed
from paxon.storage.directory import TEMPORARY, Directory, create_afresh, discard, put_in_place
from paxon.storage.scan import Scan, Torn
from paxon.storage.segment import FRAME_BYTES, encode_frame, encode_header, position, seed, segment_name

ZERO_AHEAD_BYTES = 256 * 1024
"""How far ahead zeros are written.  A sync into blocks that were written before changes no metadata of the file, which
makes it nearly twice as fast; the figures are in ``docs/ledger-format.md``."""


class Tail:
    """The current segment and the place in it where the next record belongs.

    Invariant: from ``_offset`` on the segment holds only zeros and what a failed ``write`` left.
    """

    def __init__(self, directory: Directory, storage: str, segment_bytes: int) -> None:
        self._directory = directory
        self._storage = storage
        self._segment_bytes = segment_bytes
        self.durable = 0
        """The last line that is durable."""
        self._number = 0
        self._name = ""
        self._seed = 0
        self._offset = 0
        self._size = 0
        self._zeros_until = 0
        """How far the blocks of the segment were written to, if only with zeros."""
        self._sealed_bytes = 0

    @property
    def disk_bytes(self) -> int:
        """The size of all segments."""
        return self._sealed_bytes + self._size

    @property
    def written_bytes(self) -> int:
        """The size of all records and headers since the ledger was opened, and of those found then."""
        return self._sealed_bytes + self._offset

    def resume(self, scan: Scan, report: Callable[[str], None]) -> None:
        """Take up the last segment of a finished ``scan`` where it ends, with everything before it durable.

        Raises:
            OSError: as the disk does.
            LedgerSyncFailed: if it cannot be synced.
        """
        self._enter(scan.number, scan.end, self._directory.size(segment_name(scan.number)))
        self._sealed_bytes = scan.bytes - self._size
        self.durable = scan.line
        if scan.torn is not None:
            self._cut(scan.torn, report)
        if scan.unproven_from < scan.end:
            unproven = self._directory.pread(self._name, scan.unproven_from, scan.end - scan.unproven_from)
            self._directory.pwrite(self._name, scan.unproven_from, unproven)
        self._sync()

    def write(self, records: Sequence[Record]) -> list[int]:
        """Make at least the first of ``records`` durable; the positions of those that are.

        Raises:
            OSError: as the disk does, with nothing changed that matters: the same records may be written again.
            LedgerSyncFailed: if what was written cannot be synced.
        """
        parts, places, offset = self._frames(records)
        if not places:
            self.begin_segment(FRAME_BYTES + len(encode_record(records[0])[1]))
            parts, places, offset = self._frames(records)
        if offset > self._zeros_until:
            boundary = offset - offset % ZERO_AHEAD_BYTES + ZERO_AHEAD_BYTES
            parts.append(bytes(min(boundary, self._size) - offset))
        data = b"".join(parts)
        self._directory.pwrite(self._name, self._offset, data)
        self._sync()
        self._zeros_until = max(self._zeros_until, self._offset + len(data))
        self.durable += len(places)
        self._offset = offset
        return places

    def begin_segment(self, record_bytes: int = 0) -> None:
        """Seal the current segment and go on in a new one with room for ``record_bytes``.

        Raises:
            OSError: as the disk does; may be called again.
            LedgerSyncFailed: if the old segment, or the new one's name, cannot be made durable.
        """
        number = self._number + 1
        header = encode_header(self._storage, number, self.durable + 1)
        size = max(self._segment_bytes, len(header) + record_bytes)
        name = segment_name(number)
        temporary = name + TEMPORARY
        try:
            create_afresh(self._directory, temporary)
            self._directory.preallocate(temporary, size)
            self._directory.pwrite(temporary, 0, header)
            self._directory.sync(temporary)
            if self._number:
                # Sealed before the next one gets its name: the name proves that everything before it is durable.
                self._directory.truncate(self._name, self._offset)
                self._size = self._offset
                self._sync()
            put_in_place(self._directory, name, temporary)
        except OSError:
            discard(self._directory, temporary)
            raise
        self.release()
        self._sealed_bytes += self._size
        self._enter(number, len(header), size)

    def release(self) -> None:
        """Let go of the current segment's file."""
        if self._number:
            self._directory.release(self._name)

    def _enter(self, number: int, offset: int, size: int) -> None:
        self._number, self._name, self._seed = number, segment_name(number), seed(self._storage, number)
        self._offset, self._size, self._zeros_until = offset, size, offset

    def _frames(self, records: Sequence[Record]) -> tuple[list[bytes], list[int], int]:
        """As many of ``records`` as the segment has room for: their bytes, their positions, and where they end."""
        parts: list[bytes] = []
        places: list[int] = []
        line, offset = self.durable, self._offset
        for record in records:
            kind, body = encode_record(record)
            end = offset + FRAME_BYTES + len(body)
            if end > self._size:
                break
            line += 1
            parts += encode_frame(self._seed, kind, line, self.durable, body)
            places.append(position(self._number, offset))
            offset = end
        return parts, places, offset

    def _cut(self, torn: Torn, report: Callable[[str], None]) -> None:
        report(
            f"the last write to {self._directory.where}/{self._name} was cut short by a crash: "
            f"{torn.end - torn.offset} bytes from offset {torn.offset} on, none of them ever durable, were removed"
        )
        offset = torn.offset
        while offset < torn.end:
            zeros = bytes(min(ZERO_AHEAD_BYTES, torn.end - offset))
            self._directory.pwrite(self._name, offset, zeros)
            offset += len(zeros)

    def _sync(self) -> None:
        try:
            self._directory.sync(self._name)
        except OSError as error:
            # Whatever the error number: the kernel may have dropped the pages, and a second sync would then succeed
            # without them.
            raise LedgerSyncFailed(f"{self._name} could not be synced: {error}") from error
