"""Immutable values of the standard library, taken apart into scalars and put together again.

Knows: what each type consists of.  Does not know: bytes.

The types go by name, because this package stands on none of the modules that define them.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct

from paxon.rsm.classes import name_of

Parts = tuple[Any, ...]


class Standard(Struct, frozen=True):
    """One type: ``make(kind, *apart(value)) == value``."""

    takes: tuple[type, ...]
    """What the parts are.  Seen to before ``make``: some constructors do a lot of work for the wrong text."""
    apart: Callable[[Any], Parts]
    make: Callable[..., Any] = lambda kind, *parts: kind(*parts)


def _zone(value: Any) -> Any:
    """The zone of a time.

    Raises:
        TypeError: if it has rules: those of one place differ from machine to machine, and so would the members.
    """
    zone = value.tzinfo
    if zone is not None and name_of(type(zone)) != "datetime:timezone":
        raise TypeError(f"a time in a state has a fixed offset, such as datetime.UTC, and not the rules of {zone}")
    return zone


_DATE: Final = attrgetter("year", "month", "day")
_CLOCK: Final = attrgetter("hour", "minute", "second", "microsecond")


def _make_time(kind: Any, *parts: Any) -> Any:
    *fields, fold = parts
    return kind(*fields, fold=fold)


_AS_TEXT: Final = Standard((str,), lambda value: (str(value),))

STANDARD: Final[Mapping[str, Standard]] = {
    "builtins:complex": Standard((float, float), attrgetter("real", "imag")),
    "datetime:date": Standard((int,) * 3, _DATE),
    "datetime:datetime": Standard(
        (*(int,) * 7, object, int),
        lambda value: (*_DATE(value), *_CLOCK(value), _zone(value), value.fold),
        _make_time,
    ),
    "datetime:time": Standard(
        (*(int,) * 4, object, int), lambda value: (*_CLOCK(value), _zone(value), value.fold), _make_time
    ),
    "datetime:timedelta": Standard((int,) * 3, attrgetter("days", "seconds", "microseconds")),
    # What it was made of: a name that was given is not the one that the offset would have.
    "datetime:timezone": Standard(
        (object, object),
        lambda value: (*value.__getinitargs__(), None)[:2],
        lambda kind, offset, name: kind(offset) if name is None else kind(offset, name),
    ),
    "decimal:Decimal": _AS_TEXT,
    "fractions:Fraction": Standard((int, int), attrgetter("numerator", "denominator")),
    "ipaddress:IPv4Address": _AS_TEXT,
    "ipaddress:IPv4Interface": _AS_TEXT,
    "ipaddress:IPv4Network": _AS_TEXT,
    "ipaddress:IPv6Address": _AS_TEXT,
    "ipaddress:IPv6Interface": _AS_TEXT,
    "ipaddress:IPv6Network": _AS_TEXT,
    "uuid:UUID": _AS_TEXT,
}
"""By the name of the type.  A subclass of a user's own is none of these."""
