"""The bytes of one ledger segment: its name, its header, and the frame around each record.

    header:  magic 8 | version u16 | segment u64 | first_line u64 | length u8 | storage | crc32c u32
    record:  mark 2 | length u32 | crc32c u32 | kind u8 | line u64 | synced u64 | body

Big-endian.  Knows: how to build and to recognise both.  Does not know: files, or what a body means.

A record's checksum begins with the storage's id and the segment's number, so that bytes which a disk put in the wrong
place, or which another member wrote, never pass.  ``synced`` is the last line that was durable when the record was
written: it is what tells damage from a torn tail.
"""

import re
from collections.abc import Iterator
from struct import Struct as Layout

from google_crc32c import extend
from msgspec import Struct

from paxon.errors import ForeignIdentity, LedgerCorrupt, LedgerTooNew, check

VERSION = 1

MARK = b"\xc1\xf5"
"""Begins every record, so that the next one is found behind a damaged one.  Neither byte occurs in UTF-8, and the
first has no meaning in msgpack, so that commands rarely contain it."""

_MAGIC = b"PAXLEDG\n"
_HEADER = Layout(">8sHQQB")
_CHECKSUM = Layout(">I")
_FRAME = Layout(">2sIIBQQ")
_COVERED = Layout(">BQQ")
_LINE = Layout(">Q")

FRAME_BYTES = _FRAME.size
_UNCOVERED_BYTES = _FRAME.size - _COVERED.size
_OFFSET_BITS = 40
"""More than a segment of one record of ``RECORD_BYTES_MAX`` needs; what is left of 64 bits numbers the segments."""

RECORD_BYTES_MAX = 0xFFFF_FFFF
HEADER_BYTES_MAX = _HEADER.size + 255 + _CHECKSUM.size

_NAME = re.compile(r"ledger-([0-9]{16})\.seg")


def segment_name(number: int) -> str:
    """The file that holds segment ``number``; names sort as numbers do."""
    return f"ledger-{number:016d}.seg"


def segment_numbers(names: list[str]) -> list[int]:
    """The numbers of the segments among ``names``, sorted."""
    matches = map(_NAME.fullmatch, names)
    return sorted(int(match[1]) for match in matches if match is not None)


def position(number: int, offset: int) -> int:
    """A place in the ledger as one integer, in the order of writing."""
    return number << _OFFSET_BITS | offset


def place(position: int) -> tuple[int, int]:
    """The segment and the offset of a position."""
    return position >> _OFFSET_BITS, position & ((1 << _OFFSET_BITS) - 1)


def seed(storage: str, number: int) -> int:
    """What every record's checksum in this segment begins with."""
    return int(extend(extend(0, storage.encode()), _LINE.pack(number)))


def encode_header(storage: str, number: int, first_line: int) -> bytes:
    """The beginning of a segment whose first record will be ``first_line``."""
    owner = storage.encode()
    check(len(owner) <= 255, "a storage id has at most 255 bytes")
    covered = _HEADER.pack(_MAGIC, VERSION, number, first_line, len(owner)) + owner
    return covered + _CHECKSUM.pack(extend(0, covered))


class Header(Struct, frozen=True):
    """What a segment says of itself."""

    first_line: int
    size: int


def decode_header(where: str, data: bytes, storage: str, number: int) -> Header:
    """The header at the beginning of ``data``; ``where`` names the file in messages.

    Raises:
        LedgerCorrupt: if it is damaged, or another segment's.
        LedgerTooNew: if a newer release wrote it.
        ForeignIdentity: if another member wrote it.
    """
    owner_bytes = data[_HEADER.size - 1] if len(data) >= _HEADER.size else 0
    end = _HEADER.size + owner_bytes
    covered = data[:end]
    if len(data) < end + _CHECKSUM.size or _CHECKSUM.unpack_from(data, end)[0] != extend(0, covered):
        raise LedgerCorrupt(f"the header of {where} is damaged")
    magic, version, found_number, first_line, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise LedgerCorrupt(f"{where} is not a ledger segment")
    if version > VERSION:
        raise LedgerTooNew(
            f"{where} has format {version}, this release reads up to {VERSION}: "
            "start the release that wrote it, or a newer one"
        )
    owner = covered[_HEADER.size :].decode("utf-8", "replace")
    if owner != storage:
        raise ForeignIdentity(
            f"{where} was written on storage {owner}, not on {storage}: put this member's own file back"
        )
    if found_number != number:
        raise LedgerCorrupt(f"{where} holds segment {found_number} under the name of another")
    return Header(first_line, end + _CHECKSUM.size)


class Frame(Struct, frozen=True):
    """One record as it lies in its segment, at ``[offset, end)``."""

    offset: int
    end: int
    kind: int
    line: int
    synced: int
    body: bytes


def encode_frame(seed: int, kind: int, line: int, synced: int, body: bytes) -> tuple[bytes, bytes]:
    """The frame around ``body``, and ``body``: to be written one behind the other."""
    length = _COVERED.size + len(body)
    check(length <= RECORD_BYTES_MAX, "a record is shorter than 4 GiB")
    checksum = extend(extend(seed, _COVERED.pack(kind, line, synced)), body)
    return _FRAME.pack(MARK, length, checksum, kind, line, synced), body


def frame_size(data: bytes, at: int) -> int | None:
    """How many bytes the frame at ``data[at:]`` claims; None if no frame can begin there.  Needs ``FRAME_BYTES``."""
    if data[at : at + len(MARK)] != MARK:
        return None
    length: int = _FRAME.unpack_from(data, at)[1]
    return _UNCOVERED_BYTES + length if length >= _COVERED.size else None


def decode_frame(data: bytes, at: int, size: int, seed: int, offset: int) -> Frame | None:
    """The frame of ``size`` bytes at ``data[at:]``, which lies at ``offset`` of its segment; None if it is damaged."""
    _, _, checksum, kind, line, synced = _FRAME.unpack_from(data, at)
    if extend(seed, data[at + _UNCOVERED_BYTES : at + size]) != checksum:
        return None
    return Frame(offset, offset + size, kind, line, synced, data[at + FRAME_BYTES : at + size])


def candidates(data: bytes, from_line: int) -> Iterator[tuple[int, int]]:
    """Where in ``data`` a record that proves ``from_line`` durable might lie: places and claimed sizes.

    Looks for the mark and for numbers that make sense, so that few of them have to be checked; the last ``FRAME_BYTES``
    bytes are not searched.
    """
    last = len(data) - FRAME_BYTES
    at = data.find(MARK)
    while 0 <= at <= last:
        size = frame_size(data, at)
        if size is not None:
            _, _, _, _, line, synced = _FRAME.unpack_from(data, at)
            # A record lies behind its predecessors, each of which takes some room.
            if from_line <= synced < line <= from_line + at:
                yield at, size
        at = data.find(MARK, at + 1)
