"""Immutable values in bytes that say by themselves what they are.

Knows: every kind of value that a state may hold.  Does not know: what is in a container; it goes by its number.

Scalars are MessagePack's own.  Everything else is an extension, whose type is one of the codes
below, and whose contents are a MessagePack array again, except where they are plain bytes.  Equal
values have equal bytes, in every process: a frozen set is spelled in the order of its elements'
bytes.  Records carry the name of their class and the names of their fields, so that a later
release may add a field with a default, and are read back as they were, whatever their ``__post_init__``
would make of that.
"""

import dataclasses
from collections.abc import Callable
from enum import Enum, Flag
from typing import Any, Final, cast

from msgspec import Raw, Struct, msgpack, structs
from msgspec.msgpack import Ext

from paxon.errors import SnapshotUnusable
from paxon.rsm.classes import find
from paxon.rsm.immutable import Make, Shape, immutable, shape_of
from paxon.rsm.machine import MALFORMED
from paxon.rsm.standard import STANDARD
from paxon.rsm.tracked import TrackedDict, TrackedList
from paxon.rsm.tracked_set import TrackedSet

DICT: Final = 1
"""This and the next two: the number of a container, as a big-endian integer."""
LIST: Final = 2
SET: Final = 3
CODES: Final = {TrackedDict: DICT, TrackedList: LIST, TrackedSet: SET}

TUPLE: Final = 4
FROZENSET: Final = 5
INTEGER: Final = 6
"""Beyond 64 bits: a big-endian two's complement."""
TEXT: Final = 7
"""Text with halves of surrogate pairs, which no UTF-8 has."""
MEMBER: Final = 8
"""Of an enumeration: its class, and its name; or its number, for flags, whose combinations have no name."""
RECORD: Final = 9
"""Its class, then names and values of its fields in turn."""
STANDARD_VALUE: Final = 10
"""Its class, then the parts that ``standard`` takes it apart into."""

_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**64 - 1
"""What MessagePack can hold."""

_NUMBER_BYTES_MAX: Final = 8

_AS_THEY_ARE: Final = frozenset({type(None), bool, float, bytes})

_encode: Final = msgpack.Encoder().encode

Refer = Callable[[Any], Ext]
"""A tracked container to a reference to it."""


def spelled(value: Any, refer: Refer) -> Any:
    """``value`` as something that MessagePack has."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is str:
        return value if value.isascii() else _text(value)
    if kind is int:
        if _INTEGER_MIN <= value <= _INTEGER_MAX:
            return value
        return Ext(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))
    if kind is tuple:
        return Ext(TUPLE, _encode([spelled(item, refer) for item in value]))
    if kind in CODES:
        return refer(value)
    return _spelled_whole(value, shape_of(kind), refer)


def _text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:
        return Ext(TEXT, value.encode("utf-8", "surrogatepass"))
    return value


def _member(value: Enum) -> Any:
    """What an enumeration knows the value by.  ``name`` and ``value`` can be anything of the user's own."""
    return value._value_ if isinstance(value, Flag) else value._name_


def _spelled_whole(value: Any, shape: Shape, refer: Refer) -> Ext:
    match shape.make:
        case Make.FROZENSET:
            return Ext(
                FROZENSET, _encode([Raw(item) for item in sorted(_encode(spelled(item, refer)) for item in value)])
            )
        case Make.MEMBER:
            return Ext(MEMBER, _encode((shape.name, spelled(_member(value), refer))))
        case Make.STANDARD:
            parts = [spelled(part, refer) for part in STANDARD[shape.name].apart(value)]
            return Ext(STANDARD_VALUE, _encode((shape.name, *parts)))
        case _:
            fields: list[Any] = [shape.name]
            for name in shape.fields:
                fields += (name, spelled(getattr(value, name), refer))
            return Ext(RECORD, _encode(fields))


class Reader:
    """Reads what was spelled."""

    def __init__(self, container: Callable[[int, int], Any]) -> None:
        """``container`` is asked for the one of a kind and a number.

        It raises ``SnapshotUnusable`` if there is none.
        """
        self._container = container
        self._decode = msgpack.Decoder(list[Any], ext_hook=self._read).decode
        self._whole: dict[int, Callable[[list[Any]], Any]] = {
            TUPLE: tuple,
            FROZENSET: _frozenset,
            MEMBER: _read_member,
            RECORD: _read_record,
            STANDARD_VALUE: _read_standard,
        }

    def read(self, record: bytes) -> list[Any]:
        """The array that ``record`` is.  Arrays and maps directly inside are left as they are.

        Raises:
            SnapshotUnusable: if it is none, or holds what this program does not have.
        """
        try:
            return self._decode(record)
        except MALFORMED as error:
            raise SnapshotUnusable(f"a piece of the state cannot be read: {error}") from error

    def _read(self, code: int, content: memoryview) -> Any:
        if code in CODES.values():
            return self._container(code, int.from_bytes(content[: _NUMBER_BYTES_MAX + 1]))
        if code == INTEGER:
            return int.from_bytes(content, signed=True)
        if code == TEXT:
            return str(content, "utf-8", "surrogatepass")
        make = self._whole.get(code)
        if make is None:
            raise SnapshotUnusable(
                f"the state holds a value of unknown kind {code}: upgrade to the release that has it"
            )
        return make(seen(self._decode(content)))


def seen(values: list[Any]) -> list[Any]:
    """``values``, seen to hold no array and no map, which nothing in a state is.

    Raises:
        SnapshotUnusable: if they do.
    """
    for value in values:
        if type(value) is list or type(value) is dict:
            raise SnapshotUnusable("the state holds an array or a map where a value belongs")
    return values


def _frozenset(items: list[Any]) -> frozenset[Any]:
    return frozenset(map(key, items))


def key(value: Any) -> Any:
    """``value``, seen to be one that can be a key of a dictionary, or in a set.

    Raises:
        SnapshotUnusable: if it is not.
    """
    try:
        return immutable(value)
    except TypeError as error:
        raise SnapshotUnusable(f"the state holds what cannot be a key: {error}") from error


def _class_of(parts: list[Any], make: Make, told: str) -> tuple[str, type]:
    name = parts[0] if parts else None
    if not isinstance(name, str):
        raise SnapshotUnusable("the state holds a value that does not say of which class it is")
    kind = find(name)
    if kind is None:
        raise SnapshotUnusable(
            f"the state holds values of {name}, which is in no imported module: import it before the state is opened, "
            "or start the release of your program that has it"
        )
    try:
        is_right = shape_of(kind).make is make
    except TypeError:
        is_right = False
    if not is_right:
        raise SnapshotUnusable(f"the state holds values of {name}, which is no {told} in this release of your program")
    return name, kind


def _read_member(parts: list[Any]) -> Any:
    name, kind = _class_of(parts, Make.MEMBER, "enumeration")
    known_by = parts[-1]
    member = kind.__members__.get(known_by) if isinstance(known_by, str) else None  # type: ignore[attr-defined]
    if member is None and issubclass(kind, Flag) and type(known_by) is int:
        try:
            member = kind(known_by)
        except ValueError:
            member = None
        if not isinstance(member, kind) or member._value_ != known_by:
            # Some releases of Python, and some flags, leave out what they do not know.
            member = None
    if len(parts) != 2 or member is None:
        raise SnapshotUnusable(
            f"the state holds {known_by!r} of {name}, which this release of your program does not have: keep it there"
        )
    return member


def _read_standard(parts: list[Any]) -> Any:
    name, kind = _class_of(parts, Make.STANDARD, "value of the standard library")
    standard = STANDARD[name]
    _, *given = parts
    try:
        if len(given) != len(standard.takes) or not all(map(isinstance, given, standard.takes)):
            raise ValueError("other parts than it has")
        return standard.make(kind, *given)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise SnapshotUnusable(f"the state holds a {name} that is none: {error}") from error


def _read_record(parts: list[Any]) -> Any:
    name, kind = _class_of(parts, Make.RECORD, "frozen record")
    _, *flat = parts
    names, values = flat[::2], flat[1::2]
    known = shape_of(kind).fields
    gone = [field for field in names if field not in known]
    if gone:
        raise SnapshotUnusable(
            f"the state holds values of {name} with the field {gone[0]!r}, which this release of your program does not "
            "have: keep it there, with a default"
        )
    try:
        fields = dict(zip(names, values, strict=True))
        return immutable(_build(kind, known, fields))
    except MemoryError:
        raise
    except Exception as error:  # Defaults and constructors are the user's: they may raise anything.
        raise SnapshotUnusable(
            f"a {name} of the state cannot be made in this release of your program: {type(error).__name__}: {error}"
        ) from error


def _build(kind: Any, known: tuple[str, ...], fields: dict[str, Any]) -> Any:
    """A record with these fields, and with defaults in the place of those that are missing."""
    if issubclass(kind, Struct):
        record = kind(**fields)
        for name, value in fields.items():
            structs.force_setattr(record, name, value)
        return record
    if dataclasses.is_dataclass(kind):
        record = object.__new__(cast(type, kind))
        for field in dataclasses.fields(kind):
            value = fields[field.name] if field.name in fields else _default(field)
            object.__setattr__(record, field.name, value)
        return record
    return tuple.__new__(kind, [fields[name] if name in fields else kind._field_defaults[name] for name in known])


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        raise TypeError(f"the state has no {field.name}, and it has no default")
    return field.default
