"""The bytes of one snapshot file: pieces of a captured state, each with its checksum, and a trailer over all of them.

    header:   magic 8 | version u16 | slot u64 | crc32c u32
    piece:    length u32 | crc32c u32 | bytes            (length is never 0)
    trailer:  0 u32 | pieces u64 | whole u32 | crc32c u32

Big-endian.  Knows: how to build and to read them.  Does not know: what a piece means, or which file is the newest.

Nothing in it says whose it is: members whose states are equal write equal files, so that a copy of a file may be
fetched from several of them.  ``whole`` is the checksum of every byte ahead of the trailer.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from struct import Struct as Layout

from google_crc32c import extend
from msgspec import Struct

from paxon.core.decree import Slot
from paxon.errors import SnapshotUnusable, check
from paxon.storage.directory import Directory

VERSION = 1

PIECE_BYTES_CEILING = 1024**3
"""More than any piece has: a length beyond it is damage, and nobody tries to read so much."""

BREATH_BYTES = 1024 * 1024
"""How much is read in one go where something else may need the processor: about a millisecond's work."""

_MAGIC = b"PAXSNAP\n"
_HEADER = Layout(">8sHQ")
_PIECE = Layout(">II")
_TRAILER = Layout(">IQI")
_CHECKSUM = Layout(">I")

_HEADER_BYTES = _HEADER.size + _CHECKSUM.size
_TRAILER_BYTES = _TRAILER.size + _CHECKSUM.size

_NAME = re.compile(r"snapshot-([0-9]{16})")


class Snapshot(Struct, frozen=True):
    """A whole snapshot file: every slot below ``slot`` is in it.  Equal for files that are equal byte for byte."""

    slot: Slot
    size: int
    checksum: int


def snapshot_name(slot: Slot) -> str:
    """The file with the state of all slots below ``slot``; names sort as slots do."""
    return f"snapshot-{slot:016d}"


def snapshot_slots(names: list[str]) -> list[Slot]:
    """The slots of the snapshots among ``names``, newest first."""
    matches = map(_NAME.fullmatch, names)
    return sorted((Slot(int(match[1])) for match in matches if match is not None), reverse=True)


class SnapshotEncoder:
    """Makes the bytes of one file, in order."""

    def __init__(self, slot: Slot) -> None:
        header = _HEADER.pack(_MAGIC, VERSION, slot)
        self._waiting = [header, _CHECKSUM.pack(extend(0, header))]
        self._whole = 0
        self._pieces = 0
        for part in self._waiting:
            self._whole = extend(self._whole, part)

    def encode(self, pieces: Iterable[bytes]) -> bytes:
        """The bytes of ``pieces``, behind those made before."""
        parts, self._waiting = self._waiting, []
        for piece in pieces:
            check(0 < len(piece) <= PIECE_BYTES_CEILING, "a piece of a snapshot has from 1 byte to 1 GiB")
            head = _PIECE.pack(len(piece), extend(0, piece))
            self._whole = extend(extend(self._whole, head), piece)
            self._pieces += 1
            parts += (head, piece)
        return b"".join(parts)

    def end(self) -> bytes:
        """The bytes that end the file."""
        trailer = _TRAILER.pack(0, self._pieces, self._whole)
        return b"".join(self._waiting) + trailer + _CHECKSUM.pack(extend(0, trailer))


class SnapshotReader:
    """Reads a file piece by piece, and believes nothing that has no checksum."""

    def __init__(self, directory: Directory, name: str) -> None:
        self._directory = directory
        self._name = name
        self._where = f"{directory.where}/{name}"

    def read(self, expected: Slot) -> Iterator[bytes]:
        """The pieces.

        Raises:
            SnapshotUnusable: if the file is not whole, is another slot's, or a newer release wrote it.
        """
        size, at, whole, pieces = self._size(), 0, 0, 0
        header = self._take(0, _HEADER_BYTES)
        self._check(header, "its header is damaged")
        magic, version, slot = _HEADER.unpack_from(header)
        if magic != _MAGIC or slot != expected:
            raise self._unusable(0, "it holds something else")
        if version > VERSION:
            raise SnapshotUnusable(
                f"{self._where} has format {version}, this release reads up to {VERSION}: "
                "start the release that wrote it, or a newer one"
            )
        whole, at = extend(0, header), _HEADER_BYTES
        while True:
            head = self._take(at, _PIECE.size)
            length, checksum = _PIECE.unpack(head)
            if length == 0:
                break
            if length > min(PIECE_BYTES_CEILING, size - at):
                raise self._unusable(at, "a piece is longer than the file")
            piece = self._take(at + _PIECE.size, length)
            if extend(0, piece) != checksum:
                raise self._unusable(at, "a piece does not match its checksum")
            whole, at, pieces = extend(extend(whole, head), piece), at + _PIECE.size + length, pieces + 1
            yield piece
        trailer = self._take(at, _TRAILER_BYTES)
        self._check(trailer, "its trailer is damaged")
        if _TRAILER.unpack_from(trailer) != (0, pieces, whole) or at + _TRAILER_BYTES != size:
            raise self._unusable(at, "its pieces are not those that it was made of")

    def verify(self, expected: Slot, breathe: Callable[[], None] = lambda: None) -> Snapshot:
        """Read everything, and call ``breathe`` every ``BREATH_BYTES``.

        Raises:
            SnapshotUnusable: see ``read``.
        """
        unbroken = 0
        for piece in self.read(expected):
            unbroken += len(piece)
            if unbroken >= BREATH_BYTES:
                unbroken = 0
                breathe()
        return self.peek(expected)

    def peek(self, expected: Slot) -> Snapshot:
        """What the file's ends say of it.

        Raises:
            SnapshotUnusable: if they are damaged.
        """
        size = self._size()
        trailer = self._take(max(0, size - _TRAILER_BYTES), _TRAILER_BYTES)
        self._check(trailer, "its trailer is damaged")
        return Snapshot(expected, size, _TRAILER.unpack_from(trailer)[2])

    def _take(self, at: int, size: int) -> bytes:
        try:
            data = self._directory.pread(self._name, at, size)
        except OSError as error:
            raise self._unusable(at, f"it cannot be read: {error}") from error
        if len(data) < size:
            raise self._unusable(at, "it ends too early")
        return data

    def _size(self) -> int:
        try:
            return self._directory.size(self._name)
        except OSError as error:
            raise self._unusable(0, f"it cannot be read: {error}") from error

    def _check(self, data: bytes, claim: str) -> None:
        covered = data[: -_CHECKSUM.size]
        if _CHECKSUM.unpack_from(data, len(covered))[0] != extend(0, covered):
            raise self._unusable(0, claim)

    def _unusable(self, at: int, reason: str) -> SnapshotUnusable:
        return SnapshotUnusable(f"the snapshot {self._where} is damaged at offset {at}: {reason}")
