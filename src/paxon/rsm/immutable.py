"""What cannot change, and so needs no watching: the values and keys that a state may hold as they are.

Knows: kinds of values.  Does not know: containers that watch their own changes.
"""

import dataclasses
from collections import UserList
from collections.abc import Iterable, Set
from enum import Enum, auto
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import Struct

from paxon.rsm.classes import find, name_of
from paxon.rsm.standard import STANDARD

T = TypeVar("T")

SCALARS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})

NESTING_MAX: Final = 100
"""How deep tuples, frozen sets and frozen records may be nested in one another.

Python gives up somewhere below a thousand, at a depth that differs from member to member.
"""


class Make(Enum):
    """What an immutable value is made of, which says how it is looked at and spelled."""

    SCALAR = auto()
    MEMBER = auto()
    """One of an enumeration."""
    STANDARD = auto()
    """See ``standard``."""
    TUPLE = auto()
    FROZENSET = auto()
    RECORD = auto()
    """Fields by name: a frozen dataclass, a frozen struct, a named tuple."""


class Shape(Struct, frozen=True):
    """What is known of a type of immutable values."""

    make: Make
    name: str
    fields: tuple[str, ...] = ()


def immutable(value: T) -> T:
    """``value``, seen to be immutable.  That it can be a key says little: any object can, unless it says otherwise.

    Raises:
        TypeError: if it could change, or a snapshot could not hold it.
    """
    if type(value) not in SCALARS:
        _refuse(value, 0)
    return value


def require_shallow(depth: int) -> None:
    """See that nothing is nested deeper than ``NESTING_MAX``.

    Raises:
        TypeError: if it is.
    """
    if depth > NESTING_MAX:
        raise TypeError(
            f"tuples and records are nested deeper than {NESTING_MAX} here: put them into a list or a dict one by one"
        )


def _refuse(value: object, depth: int) -> None:
    require_shallow(depth)
    shape = shape_of(type(value))
    match shape.make:
        case Make.SCALAR | Make.MEMBER:
            pass
        case Make.STANDARD:
            for part in STANDARD[shape.name].apart(value):
                _refuse(part, depth + 1)
        case Make.TUPLE | Make.FROZENSET:
            for item in cast(Iterable[object], value):
                _refuse(item, depth + 1)
        case Make.RECORD:
            for name in shape.fields:
                try:
                    _refuse(getattr(value, name), depth + 1)
                except TypeError as error:
                    raise TypeError(f"in the field {name} of {type(value).__name__}: {error}") from None


_shapes: dict[type, Shape] = {}


def shape_of(kind: type) -> Shape:
    """The shape of an immutable type.

    Raises:
        TypeError: if values of it could change, or a snapshot could not find it again.
    """
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = _read_shape(kind)
    return shape


def _read_shape(kind: type) -> Shape:
    name = name_of(kind)
    if name in STANDARD:
        return Shape(Make.STANDARD, name)
    if kind in SCALARS:
        return Shape(Make.SCALAR, name)
    if kind is tuple:
        return Shape(Make.TUPLE, name)
    if kind is frozenset:
        return Shape(Make.FROZENSET, name)
    shape = Shape(Make.MEMBER, name) if issubclass(kind, Enum) else Shape(Make.RECORD, name, _fields_of(kind))
    if find(name) is not kind:
        raise TypeError(
            f"a snapshot would look for the class of this {kind.__name__} as {name}, where it is not: "
            "define it at the top of a module"
        )
    return shape


def _fields_of(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen:
        return kind.__struct_fields__
    # One that is also something else, such as an exception, holds more than its fields.
    is_plain = cast(Any, kind).__new__ is object.__new__
    if is_plain and dataclasses.is_dataclass(kind) and cast(Any, kind).__dataclass_params__.frozen:
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return cast(tuple[str, ...], kind._fields)
    if issubclass(kind, dict | list | UserList | Set):
        raise TypeError(f"a {kind.__name__} could change unnoticed here: use a tuple or a frozenset")
    raise TypeError(
        f"a state cannot hold a {kind.__name__}: it holds numbers, text, bytes, None, enums, dates, tuples, dict, "
        "list, set, and frozen dataclasses or structs of these"
    )
