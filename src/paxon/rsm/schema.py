"""What a type looks like from outside, in words that do not depend on a release of Python or of a library.

Knows: types that plain data can have.  Does not know: what the data is for.

Two members can exchange values of a type exactly if their descriptions of it are equal, so that
a fingerprint of the description tells whether two processes run the same code where it matters.
Names of fields count; names and places of classes do not, so that code can be moved.
"""

import hashlib
from typing import Any

from msgspec import inspect as types

FINGERPRINT_BYTES = 8
"""Enough to tell a cluster's few hundred commands apart; nobody gains by making two of them alike."""

_SIMPLE: dict[type[types.Type], str] = {
    types.NoneType: "none",
    types.BoolType: "bool",
    types.IntType: "int",
    types.FloatType: "float",
    types.StrType: "text",
    types.BytesType: "bytes",
    types.DateTimeType: "datetime",
    types.DateType: "date",
    types.TimeType: "time",
    types.TimeDeltaType: "duration",
    types.UUIDType: "uuid",
    types.DecimalType: "decimal",
}

_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "tz")


def fingerprint(text: str) -> bytes:
    """A short name of a description."""
    return hashlib.blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest()


def describe(annotation: Any) -> str:
    """The type in words.

    Raises:
        TypeError: if values of it cannot be carried, with the part that is to blame.
    """
    return _describe(types.type_info(annotation), ())


def _describe(info: types.Type, within: tuple[type, ...]) -> str:
    simple = _SIMPLE.get(type(info))
    if simple is not None:
        return simple + _limits(info)
    match info:
        case types.ListType() | types.SetType() | types.FrozenSetType() | types.VarTupleType():
            kind = {"VarTupleType": "tuple", "ListType": "list"}.get(type(info).__name__, "set")
            return f"{kind}[{_describe(info.item_type, within)}]{_limits(info)}"
        case types.TupleType(item_types=items):
            return f"({', '.join(_describe(item, within) for item in items)})"
        case types.DictType(key_type=key, value_type=value):
            return f"dict[{_describe(key, within)}, {_describe(value, within)}]{_limits(info)}"
        case types.UnionType(types=members):
            return " or ".join(sorted(_describe(member, within) for member in members))
        case types.LiteralType(values=values):
            return f"one of {sorted(map(repr, values))}"
        case types.EnumType(cls=cls):
            return f"one of {sorted(repr(member.value) for member in cls)}"
        case types.StructType(cls=cls, tag=tag, fields=fields):
            head = "" if tag is None else f"{tag!r} "
            return f"{head}{_fields(cls, fields, within)}"
        case types.DataclassType(cls=cls, fields=fields) | types.NamedTupleType(cls=cls, fields=fields):
            return _fields(cls, fields, within)
        case types.TypedDictType(cls=cls, fields=fields):
            return _fields(cls, fields, within)
        case types.AnyType():
            raise TypeError("Any says nothing about the values: name their type")
        case types.CustomType(cls=cls):
            raise TypeError(
                f"{cls.__name__} is no plain data: use numbers, text, bytes, containers, enums, dates, "
                "and dataclasses or structs of these"
            )
        case _:
            raise TypeError(f"values of {type(info).__name__} cannot be carried")


def _fields(cls: type, fields: tuple[types.Field, ...], within: tuple[type, ...]) -> str:
    if cls in within:
        # A record that contains its own kind, such as a tree: how far out the whole stands says which it is.
        return f"record {within[::-1].index(cls)} out"
    within = (*within, cls)
    told = []
    for field in fields:
        optional = "" if field.required else "?"
        told.append(f"{field.encode_name}{optional}: {_describe(field.type, within)}")
    return "{" + ", ".join(told) + "}"


def _limits(info: types.Type) -> str:
    limits = [f"{name} {value}" for name in _LIMITS if (value := getattr(info, name, None)) is not None]
    return f" ({', '.join(limits)})" if limits else ""
