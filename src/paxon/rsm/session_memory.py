"""What is remembered of sessions, written while they go on, and read back.

Knows: open sessions with their replies, and the numbers of those that ended.  Does not know: what changes them.

The first piece has the format and how many sessions are open and have ended.  Records (``pieces``)
follow: arrays of open sessions, each with its replies behind it, then arrays of those that ended.  The rest of the
stream is the inner machine's.
"""

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct, msgpack

from paxon.errors import SnapshotUnusable
from paxon.rsm.machine import MALFORMED, PIECE_BYTES
from paxon.rsm.pieces import cut, joined

T = TypeVar("T")

FORMAT: Final = 1

_CHARGE: Final = 32
"""How many bytes a reply or a session counts as beside its own: what it takes to spell one."""


class Session(Struct):
    """One open session.

    Invariants: ``confirmed <= sequence``; ``replies`` has exactly ``[confirmed, sequence)``.
    """

    ttl_ms: int
    expires_ms: int
    sequence: int = 0
    """The number that the next command must have."""
    confirmed: int = 0
    replies: dict[int, bytes] = {}


class Beginning(Struct, frozen=True, array_like=True):
    """The first piece."""

    format: int
    open: int
    ended: int


class Head(Struct, frozen=True, array_like=True):
    """What comes before a session's replies."""

    name: bytes
    ttl_ms: int
    expires_ms: int
    sequence: int
    confirmed: int


_encode: Final = msgpack.Encoder().encode
_read_beginning: Final = msgpack.Decoder(Beginning)
_read_open: Final = msgpack.Decoder(list[Head | bytes])
_read_ended: Final = msgpack.Decoder(list[tuple[bytes, int]])


class SessionsCapture:
    """All sessions as they are when this is made."""

    def __init__(self, opened: Mapping[bytes, Session], ended: Mapping[bytes, int]) -> None:
        self._names = list(opened)
        self._waiting = dict(opened)
        """Those that are not written yet: as they are if they did not change, or else as they were."""
        self._ended_names = list(ended)
        self._ended_sequences = list(ended.values())

    def before_change(self, name: bytes, session: Session) -> None:
        """The open session ``name`` is about to change: keep it as it is, unless that was done or it is written."""
        if self._waiting.get(name) is session:
            self._waiting[name] = Session(
                session.ttl_ms, session.expires_ms, session.sequence, session.confirmed, dict(session.replies)
            )

    def pieces(self) -> Generator[bytes, None, None]:
        """The stream up to the inner machine's; see the head of this module."""
        yield _encode(Beginning(FORMAT, len(self._names), len(self._ended_names)))
        yield from _records(self._entries())
        yield from _records(zip(self._ended_names, self._ended_sequences, strict=True))

    def _entries(self) -> Iterator[Head | bytes]:
        for name in self._names:
            session = self._waiting.pop(name)
            # No more than references, and from here on the session may change as it likes.
            replies = list(session.replies.values())
            yield Head(name, session.ttl_ms, session.expires_ms, session.sequence, session.confirmed)
            yield from replies


def _records(entries: Iterator[Any]) -> Generator[bytes, None, None]:
    some: list[Any] = []
    size = 0
    for entry in entries:
        some.append(entry)
        size += _CHARGE + (len(entry) if isinstance(entry, bytes) else _CHARGE)
        if size >= PIECE_BYTES:
            yield from cut(_encode(some))
            some, size = [], 0
    if some:
        yield from cut(_encode(some))


def restored_sessions(pieces: Iterator[bytes]) -> tuple[dict[bytes, Session], OrderedDict[bytes, int]]:
    """The open sessions and those that ended; what is left of ``pieces`` is the inner machine's.

    Raises:
        SnapshotUnusable: if the pieces are no captured sessions, or those of a newer release.
    """
    beginning = _read(_read_beginning, next(pieces, b""))
    if beginning.format > FORMAT:
        raise SnapshotUnusable(f"sessions have format {beginning.format}, this release knows up to {FORMAT}: upgrade")
    records = joined(pieces)
    opened: dict[bytes, Session] = {}
    session = Session(0, 0)
    while len(opened) < beginning.open or session.confirmed + len(session.replies) < session.sequence:
        for entry in _read(_read_open, _next(records)):
            if isinstance(entry, bytes):
                session.replies[session.confirmed + len(session.replies)] = entry
                continue
            _require_complete(session)
            if entry.name in opened or entry.ttl_ms <= 0 or not 0 <= entry.confirmed <= entry.sequence:
                raise SnapshotUnusable("the state has a session that is none, or twice")
            session = opened[entry.name] = Session(entry.ttl_ms, entry.expires_ms, entry.sequence, entry.confirmed)
    _require_complete(session)
    ended: OrderedDict[bytes, int] = OrderedDict()
    while len(ended) < beginning.ended:
        some = _read(_read_ended, _next(records))
        if not some:
            raise SnapshotUnusable("the state has a record of sessions without any")
        ended.update(some)
    if len(opened) != beginning.open or len(ended) != beginning.ended or opened.keys() & ended.keys():
        raise SnapshotUnusable("the state has other sessions than it says")
    return opened, ended


def _require_complete(session: Session) -> None:
    if session.confirmed + len(session.replies) != session.sequence:
        raise SnapshotUnusable("the state has a session with other replies than it says")


def _next(records: Iterator[bytes]) -> bytes:
    for record in records:
        return record
    raise SnapshotUnusable("the state ends within its sessions")


def _read(decoder: msgpack.Decoder[T], record: bytes) -> T:
    try:
        return decoder.decode(record)
    except MALFORMED as error:
        raise SnapshotUnusable(f"the sessions of a state cannot be read: {error}") from error
