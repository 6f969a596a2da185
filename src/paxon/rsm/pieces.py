"""A captured state as pieces: records of any size, cut so that no piece is much larger than ``PIECE_BYTES``.

Knows: pieces.  Does not know: what is in a record.

A piece begins with a byte that says whether it ends its record.
"""

from collections.abc import Generator, Iterable, Iterator

from paxon.errors import SnapshotUnusable
from paxon.rsm.machine import PIECE_BYTES

_MORE, _LAST = b"\x01", b"\x00"


def cut(record: bytes) -> Iterator[bytes]:
    """The pieces of one record."""
    if len(record) <= 2 * PIECE_BYTES:
        yield _LAST + record
        return
    for start in range(0, len(record), PIECE_BYTES):
        end = start + PIECE_BYTES
        yield (_LAST if end >= len(record) else _MORE) + record[start:end]


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The records that were cut into ``pieces``.

    Raises:
        SnapshotUnusable: if the pieces are none of those that ``cut`` makes.
    """
    parts: list[bytes] = []
    for piece in pieces:
        parts.append(piece[1:])
        if piece[:1] == _LAST:
            yield b"".join(parts)
            parts.clear()
        elif piece[:1] != _MORE:
            raise SnapshotUnusable("the state has a piece that is none")
    if parts:
        raise SnapshotUnusable("the state ends within a record")


def begun(pieces: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """``pieces`` after its first ``yield``, which gives nothing: what comes before it happens now and not at the first
    piece, and what is in its ``finally`` happens even if nobody asks for one."""
    next(pieces)
    return pieces
