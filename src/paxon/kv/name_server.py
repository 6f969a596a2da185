"""The name server of section 4.1 of the paper, grown to put, get, delete and compare-and-put on byte strings.

Knows: keys, values, versions, and how commands, questions and replies are spelled in bytes.
Does not know: slots, members, clocks.  Commands and replies are MessagePack arrays whose
first element says which struct below the rest is.
"""

from collections.abc import Generator, Iterable
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from paxon.errors import BadRequest, ProtocolError, SnapshotUnusable
from paxon.rsm.machine import MALFORMED, PIECE_BYTES, Context
from paxon.rsm.pieces import begun

KEY_BYTES_MAX: Final = 8 * 1024
"""The longest key.  Every key stays in memory on every member, and names are short."""


class Put(Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """Command: ``key`` has ``value`` from here on.  Answered by ``Written``."""

    key: bytes
    value: bytes


class Delete(Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """Command: ``key`` has no value from here on.  Answered by ``Deleted``."""

    key: bytes


class CompareAndPut(Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True):
    """Command: give ``key`` the ``value`` if it has the ``expected`` one; ``None`` expects none.

    Answered by ``Compared``.
    """

    key: bytes
    expected: bytes | None
    value: bytes


class Get(Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """Question: what is the value of ``key``?  Answered by ``Found``."""

    key: bytes


class Written(Struct, frozen=True, array_like=True, tag=1):
    """The put happened.  ``version`` is the key's own count of changes: 1 means that there was no value before."""

    version: int


class Deleted(Struct, frozen=True, array_like=True, tag=2):
    """The key has no value.  ``version`` is that of the value it had, 0 if it had none."""

    version: int

    @property
    def existed(self) -> bool:
        """Whether there was anything to delete."""
        return self.version > 0


class Compared(Struct, frozen=True, array_like=True, tag=3):
    """Whether the compare-and-put happened (``written``), the ``version`` the key has after it, and what was there."""

    written: bool
    version: int
    found: bytes | None


class Found(Struct, frozen=True, array_like=True, tag=4):
    """The value and the version of a key; ``None`` and 0 if it has no value."""

    value: bytes | None
    version: int


class Refused(Struct, frozen=True, array_like=True, tag=5):
    """The command or question makes no sense, for ``reason``.  Nothing changed."""

    reason: str


Command = Put | Delete | CompareAndPut
Reply = Written | Deleted | Compared | Found | Refused
ReplyT = TypeVar("ReplyT", Written, Deleted, Compared, Found)

CAPTURE_VERSION: Final = 1

ENTRY_BYTES: Final = 16
"""What an entry takes beside its key and value, about."""

Entries = list[tuple[bytes, bytes, int]]
"""A piece of a captured state: keys, values, versions."""

Before = dict[bytes, tuple[bytes, int]]
"""Entries as they were when a capture began, of keys that changed since."""


class _Head(Struct, frozen=True, array_like=True):
    """The first piece of a captured state."""

    name_server: int
    """The version of the format."""


_encode = msgspec.msgpack.Encoder().encode
_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_question = msgspec.msgpack.Decoder(Get).decode
_decode_reply = msgspec.msgpack.Decoder(Reply).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_entries = msgspec.msgpack.Decoder(Entries).decode


class NameServer:
    """A dictionary of byte strings, as a ``ByteMachine``.

    A key's version counts its changes: 1 when it gets a value, one more with every put after
    that.  A deleted key is forgotten altogether, so a later put starts at 1 again.

    Invariants: no key is empty or longer than ``KEY_BYTES_MAX``; every version is at least 1.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[bytes, int]] = {}
        """Key to value and version."""
        self._before: Before | None = None
        """While a capture is under way, and until what it kept is let go of: the entries of keys changed since."""
        self._is_capturing = False

    def __len__(self) -> int:
        return len(self._entries)

    def apply(self, command: bytes, context: Context) -> bytes:
        """Carry out one encoded ``Command``; the result is an encoded ``Reply``.  Never raises for what it is given."""
        try:
            decoded = _decode_command(command)
        except MALFORMED:
            return _encode(_NO_COMMAND)
        key = decoded.key
        if not 0 < len(key) <= KEY_BYTES_MAX:
            return _encode(Refused(_key_fault(key)))
        if type(decoded) is Put:
            return _encode(Written(self._put(key, decoded.value)))
        if type(decoded) is CompareAndPut:
            found, version = self._entries.get(key, _ABSENT)
            if found != decoded.expected:
                return _encode(Compared(False, version, found))
            return _encode(Compared(True, self._put(key, decoded.value), found))
        if self._before is not None:
            self._about_to_change(key, self._before)
        _, version = self._entries.pop(key, _ABSENT)
        return _encode(Deleted(version))

    def query(self, question: bytes) -> bytes:
        """Answer one encoded ``Get``; the result is an encoded ``Reply``.  Never raises for what it is given."""
        try:
            key = _decode_question(question).key
        except MALFORMED:
            return _encode(_NO_QUESTION)
        if not 0 < len(key) <= KEY_BYTES_MAX:
            return _encode(Refused(_key_fault(key)))
        return _encode(Found(*self._entries.get(key, _ABSENT)))

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``: the entries in the order in which their keys came to be, the same on every member.

        Only the list of keys is made at once, some 20 ms for a million of them; copying the dictionary takes ten times
        as long.  A value that is larger than a piece makes a piece of its own.
        """
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        keys = list(self._entries)
        self._before = before = Before()
        self._is_capturing = True
        try:
            yield b""
            yield _encode(_Head(CAPTURE_VERSION))
            piece: Entries = []
            room = PIECE_BYTES
            # Taken off one by one: to let go of a million of them at the end takes 100 ms and more.
            keys.reverse()
            while keys:
                key = keys.pop()
                value, version = before[key] if key in before else self._entries[key]
                size = len(key) + len(value) + ENTRY_BYTES
                if piece and size > room:
                    yield _encode(piece)
                    piece, room = [], PIECE_BYTES
                piece.append((key, value, version))
                room -= size
            if piece:
                yield _encode(piece)
        finally:
            if self._before is before:
                self._is_capturing = False

    def _about_to_change(self, key: bytes, before: Before) -> None:
        """Keep the entry as it is for the capture under way; after it, let go of what was kept, little by little."""
        if self._is_capturing:
            entry = self._entries.get(key)
            if entry is not None:
                # A key that is new since is not among the captured ones, and what is kept under it is not looked at.
                before.setdefault(key, entry)
            return
        for _ in range(min(2, len(before))):
            before.popitem()
        if not before:
            self._before = None

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``.

        Raises:
            SnapshotUnusable: if the pieces are no captured name server, or one of a newer release.
        """
        entries: dict[bytes, tuple[bytes, int]] = {}
        remaining = iter(pieces)
        try:
            version = _decode_head(next(remaining, b"")).name_server
            if version > CAPTURE_VERSION:
                raise SnapshotUnusable(
                    f"the snapshot of the name server has format {version}, this release reads up to "
                    f"{CAPTURE_VERSION}: start the release that wrote it, or a newer one"
                )
            for piece in remaining:
                entries.update((key, (value, changes)) for key, value, changes in _decode_entries(piece))
        except MALFORMED as error:
            raise SnapshotUnusable(f"the snapshot is not one of a name server: {error}") from error
        self._entries, self._before = entries, None

    def _put(self, key: bytes, value: bytes) -> int:
        if self._before is not None:
            self._about_to_change(key, self._before)
        version = self._entries.get(key, _ABSENT)[1] + 1
        self._entries[key] = (value, version)
        return version


_ABSENT: tuple[bytes | None, int] = (None, 0)
_NO_COMMAND = Refused("not a command of the name server")
_NO_QUESTION = Refused("not a question of the name server")


def put(key: bytes, value: bytes) -> bytes:
    """The command that gives ``key`` the ``value``.

    Raises:
        BadRequest: if the name server would refuse the key.
    """
    return _encode(Put(_checked(key), value))


def delete(key: bytes) -> bytes:
    """The command that removes ``key``.

    Raises:
        BadRequest: if the name server would refuse the key.
    """
    return _encode(Delete(_checked(key)))


def compare_and_put(key: bytes, expected: bytes | None, value: bytes) -> bytes:
    """The command that gives ``key`` the ``value`` if it has the ``expected`` one; ``None`` expects no value.

    Raises:
        BadRequest: if the name server would refuse the key.
    """
    return _encode(CompareAndPut(_checked(key), expected, value))


def get(key: bytes) -> bytes:
    """The question for the value of ``key``.

    Raises:
        BadRequest: if the name server would refuse the key.
    """
    return _encode(Get(_checked(key)))


def read_reply(body: bytes, expected: type[ReplyT]) -> ReplyT:
    """The reply in ``body``, which answers a command or question that asks for an ``expected``.

    Raises:
        BadRequest: if the name server refused.
        ProtocolError: if ``body`` is no such reply: the other side speaks another language.
    """
    try:
        reply = _decode_reply(body)
    except MALFORMED as error:
        raise ProtocolError(f"the reply is not one of the name server's: {error}") from error
    if isinstance(reply, expected):
        return reply
    if isinstance(reply, Refused):
        raise BadRequest(reply.reason)
    raise ProtocolError(f"the reply is a {type(reply).__name__} where a {expected.__name__} is due")


def _checked(key: bytes) -> bytes:
    if not 0 < len(key) <= KEY_BYTES_MAX:
        raise BadRequest(_key_fault(key))
    return key


def _key_fault(key: bytes) -> str:
    if not key:
        return "the key is empty: give at least one byte"
    return f"the key has {len(key)} bytes, the limit is {KEY_BYTES_MAX}: use a shorter key"
