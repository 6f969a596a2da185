"""Values to bytes and back: a kind number says which class, msgpack says what is in it.

Knows: the classes it was given.  Does not know: what they mean, or where the bytes come from.

A value is a map from field name to field, so that a later release may add a field with a default and an earlier one
skips it.  Decoding is strict: a wrong type is refused rather than converted.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter, le
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from paxon.core.decree import NODE_ID_MAX, ROUND_MAX, Ballot, NodeId
from paxon.errors import InvariantViolation, ProtocolError, check

INTEGER_MAX = 2**63 - 1
"""No count, slot, stamp or number in any value is negative or above this: it fits every signed 64-bit field outside."""

KIND_MAX = 0xFF
"""A kind is one byte."""

MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the value asked for: text that is no UTF-8 and values nested deeper than
the stack have errors of their own."""

_Fits = Callable[[Any], bool]


class Vocabulary:
    """The numbered classes of one conversation or one file.

    Invariant: ``decode(*encode(value)) == value`` for every value whose integers are in range.
    """

    def __init__(self, kinds: Mapping[int, type]) -> None:
        check(len(set(kinds.values())) == len(kinds), "every class of a vocabulary has one kind")
        check(all(0 < kind <= KIND_MAX for kind in kinds), "a kind is from 1 to 255")
        self.kinds = MappingProxyType(dict(kinds))
        self._kind_of: dict[type, int] = {member: kind for kind, member in kinds.items()}
        self._encode = msgspec.msgpack.Encoder().encode
        self._readers: dict[int, tuple[Callable[[bytes], object], _Fits | None]] = {
            kind: (msgspec.msgpack.Decoder(member).decode, _range_check(member)) for kind, member in kinds.items()
        }

    def encode(self, value: object) -> tuple[int, bytes]:
        """The kind and the body of ``value``.

        Raises:
            InvariantViolation: if the class of ``value`` is not in the vocabulary.
        """
        kind = self._kind_of.get(type(value))
        if kind is None:
            raise InvariantViolation(f"{type(value).__name__} is not in the vocabulary")
        return kind, self._encode(value)

    def decode(self, kind: int, body: bytes) -> object:
        """The value that ``encode`` made these from.

        Raises:
            ProtocolError: if the kind is unknown, the body is malformed, a field has a wrong type, or an integer is
                out of range.
        """
        reader = self._readers.get(kind)
        if reader is None:
            raise ProtocolError(f"a value of unknown kind {kind}: its sender may be of a newer release")
        decode, fits = reader
        try:
            value = decode(body)
        except MALFORMED as error:
            raise ProtocolError(f"a malformed {self.kinds[kind].__name__}: {error}") from error
        if fits is not None and not fits(value):
            raise ProtocolError(f"a {self.kinds[kind].__name__} with an integer out of range")
        return value


# Types say int where the protocol means a count from zero up, so msgspec lets a negative slot or a term of 70 bits
# through.  The checks below are built once per class from its own annotations: one attrgetter for all integers of a
# class, because a closure for each costs more than the decoding.


def _range_check(member: type) -> _Fits | None:
    """What tells whether every integer in a value of class ``member`` is in range; None if it has none."""
    limits: dict[str, int] = {}
    parts: list[tuple[str, _Fits]] = []
    _collect(member, "", limits, parts)
    getters = [(attrgetter(name), fits) for name, fits in parts]
    if limits:
        getters.insert(0, (attrgetter(*limits), _all_within(tuple(limits.values()))))
    if not getters:
        return None
    if len(getters) == 1:
        get_only, fits_only = getters[0]
        return lambda value: fits_only(get_only(value))

    def fits_all(value: Any) -> bool:
        for get, fits in getters:  # noqa: SIM110 - a generator expression costs more than the checks it would run.
            if not fits(get(value)):
                return False
        return True

    return fits_all


def _collect(member: type, prefix: str, limits: dict[str, int], parts: list[tuple[str, _Fits]]) -> None:
    """Sort the fields of ``member``, and of the structs in it, by what there is to check; names are dotted."""
    for name, annotation in get_type_hints(member).items():
        limit = ROUND_MAX if member is Ballot and name == "round" else _limit(annotation)
        if limit is not None:
            limits[prefix + name] = limit
        elif _is_struct(annotation):
            _collect(annotation, f"{prefix}{name}.", limits, parts)
        elif (fits := _part_check(annotation)) is not None:
            parts.append((prefix + name, fits))


def _limit(annotation: Any) -> int | None:
    """The highest value of an integer annotation; None for anything else."""
    if annotation is NodeId:
        return NODE_ID_MAX
    while isinstance(annotation, NewType):
        annotation = annotation.__supertype__
    return INTEGER_MAX if annotation is int else None


def _part_check(annotation: Any) -> _Fits | None:
    """The check of one field; None if there is nothing in it to check."""
    if (limit := _limit(annotation)) is not None:
        return _within(limit)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple and arguments[-1] is Ellipsis:
        return _each(_part_check(arguments[0]))
    if origin is tuple:
        limits = tuple(limit for argument in arguments if (limit := _limit(argument)) is not None)
        if len(limits) == len(arguments) > 1:
            return _all_within(limits)
        return _each_its_own([_part_check(argument) for argument in arguments])
    if origin in (Union, UnionType):
        return _one_of({argument: _part_check(argument) for argument in arguments if argument is not NoneType})
    if _is_struct(annotation):
        return _range_check(annotation)
    return None


def _within(limit: int) -> _Fits:
    return lambda number: 0 <= number <= limit


def _all_within(limits: tuple[int, ...]) -> _Fits:
    if len(limits) == 1:
        # What attrgetter gives for a single name is no tuple.
        return _within(limits[0])
    return lambda numbers: min(numbers) >= 0 and all(map(le, numbers, limits))


def _each(fits: _Fits | None) -> _Fits | None:
    if fits is None:
        return None
    return lambda items: all(map(fits, items))


def _each_its_own(checks: list[_Fits | None]) -> _Fits | None:
    present = [(place, fits) for place, fits in enumerate(checks) if fits is not None]
    if not present:
        return None
    return lambda items: all(fits(items[place]) for place, fits in present)


def _one_of(checks: dict[Any, _Fits | None]) -> _Fits | None:
    if len(checks) == 1:
        (only,) = checks.values()
        return None if only is None else lambda value: value is None or only(value)
    check(all(_is_struct(one) for one in checks), "a union in a value is of structs, or of one type and None")
    by_class = {one: fits for one, fits in checks.items() if fits is not None}
    if not by_class:
        return None
    return lambda value: (fits := by_class.get(type(value))) is None or fits(value)


def _is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Struct)
