"""What cannot change, and so needs no watching: the values and keys that a state may hold as they are.

Knows: kinds of values.  Does not know: containers that watch their own changes.
"""

import dataclasses
from collections import UserList
from collections.abc import Iterable, Set
from enum import Enum
from typing import Any, Final, TypeVar, cast

import msgspec

T = TypeVar("T")

SCALARS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})

_IMMUTABLE_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress"})
"""Of the standard library: every value that these define is immutable."""


def immutable(value: T) -> T:
    """``value``, seen to be immutable.  That it can be a key says little: any object can, unless it says otherwise.

    Raises:
        TypeError: if it could change.
    """
    if type(value) not in SCALARS:
        _refuse(value)
    return value


def _refuse(value: object) -> None:
    kind = type(value)
    if kind in SCALARS or isinstance(value, Enum) or kind.__module__ in _IMMUTABLE_MODULES:
        return
    if isinstance(value, tuple | frozenset):
        for item in cast(Iterable[object], value):
            _refuse(item)
        return
    for name in _fields(kind):
        try:
            _refuse(getattr(value, name))
        except TypeError as error:
            raise TypeError(f"in the field {name} of {kind.__name__}: {error}") from None


_fields_by_kind: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a type of immutable records."""
    fields = _fields_by_kind.get(kind)
    if fields is None:
        fields = _fields_by_kind[kind] = _fields_of(kind)
    return fields


def _fields_of(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen:
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind) and cast(Any, kind).__dataclass_params__.frozen:
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, dict | list | UserList | Set):
        raise TypeError(f"a {kind.__name__} could change unnoticed here: use a tuple or a frozenset")
    raise TypeError(
        f"a state cannot hold a {kind.__name__}: it holds numbers, text, bytes, None, enums, dates, tuples, dict, "
        "list, set, and frozen dataclasses or structs of these"
    )
