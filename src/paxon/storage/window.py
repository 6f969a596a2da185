"""Reads single records back from the segments, a large piece at a time.

Knows: positions.  Does not know: which record is wanted, or why.
"""

import errno

from paxon.codec.records import RECORD_KINDS, decode_record
from paxon.core.ledger import Record
from paxon.errors import LedgerCorrupt, LedgerTooNew, ProtocolError
from paxon.storage.ballots import ADVICE
from paxon.storage.directory import Directory
from paxon.storage.segment import FRAME_BYTES, Frame, decode_frame, frame_size, place, seed, segment_name

WINDOW_BYTES = 64 * 1024
"""How much is read at once: neighbours in slot order are mostly neighbours in the file."""


class Window:
    """A piece of one segment.  What was written after it was read may be missing in it."""

    def __init__(self, directory: Directory, storage: str) -> None:
        self._directory = directory
        self._storage = storage
        self._number = 0
        self._seed = 0
        self._base = 0
        self._data = b""

    def describe(self, position: int) -> str:
        """A position in words."""
        number, offset = place(position)
        return f"{self._directory.where}/{segment_name(number)} at offset {offset}"

    def record_at(self, position: int) -> Record:
        """The record that begins there.

        Raises:
            LedgerCorrupt: if there is no whole record, or the disk does not give it.
        """
        number, offset = place(position)
        if number != self._number:
            self._number, self._seed, self._data = number, seed(self._storage, number), b""
        at = self._move(offset, FRAME_BYTES, WINDOW_BYTES)
        size = frame_size(self._data, at) if len(self._data) - at >= FRAME_BYTES else None
        if size is not None:
            at = self._move(offset, size, max(size, WINDOW_BYTES))
            if len(self._data) - at >= size:
                frame = decode_frame(self._data, at, size, self._seed, offset)
                if frame is not None:
                    return record_of(frame, f"{self._directory.where}/{segment_name(number)}")
        raise LedgerCorrupt(f"{self.describe(position)} is damaged. {ADVICE}")

    def _move(self, offset: int, needed: int, wanted: int) -> int:
        """Have ``needed`` bytes from ``offset`` in the window, as far as the file goes; where in it they are."""
        if offset < self._base or offset + needed > self._base + len(self._data):
            try:
                self._data = self._directory.pread(segment_name(self._number), offset, wanted)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise LedgerCorrupt(f"{segment_name(self._number)} cannot be read: {error}. {ADVICE}") from error
            self._base = offset
        return offset - self._base


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
