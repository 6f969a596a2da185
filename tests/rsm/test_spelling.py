"""Values say what they are, and are read back as just that, or not at all."""

import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import math
import sys
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec.msgpack import Ext

from paxon.errors import SnapshotUnusable
from paxon.rsm import spelling
from paxon.rsm.immutable import NESTING_MAX
from paxon.rsm.journal import Journal
from paxon.rsm.spelling import Reader, spelled
from paxon.rsm.tracked import tracked
from tests.rsm.forms import form

HERE = sys.modules[__name__]


class Colour(enum.Enum):
    RED = 1
    GREEN = (2, "x")


class Word(enum.StrEnum):
    YES = "yes"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Parcel(msgspec.Struct, frozen=True):
    code: str
    weight: decimal.Decimal = decimal.Decimal(1)


class Counted(msgspec.Struct, frozen=True):
    """Whose ``__post_init__`` does not give the same twice."""

    number: int

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "number", self.number + 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    parcel: Parcel
    colours: frozenset[Colour] = frozenset()
    total: int = dataclasses.field(init=False, default=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Derived:
    number: int
    doubled: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "doubled", 2 * self.number)
        object.__setattr__(self, "number", self.number + 1)


class Outer:
    @dataclasses.dataclass(frozen=True)
    class Inner:
        x: int


class Pair(NamedTuple):
    left: int
    right: str = "r"


EAST = datetime.timezone(datetime.timedelta(hours=2), "EAST")

VALUES: list[object] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    10**300,
    -(10**300),
    1.5,
    -0.0,
    math.inf,
    1 + 2j,
    complex(-0.0, math.inf),
    "",
    "über",
    "half \ud800",
    b"\x00\xff",
    (),
    (1, ("two", (b"3", None))),
    frozenset(),
    frozenset({1, "two", (3,)}),
    Colour.RED,
    Colour.GREEN,
    Word.YES,
    Access.READ,
    Access.READ | Access.WRITE,
    Access(0),
    Parcel("a"),
    Parcel("b", decimal.Decimal("2.50")),
    Counted(7),
    Line(Parcel("c"), frozenset({Colour.RED})),
    Derived(number=4),
    Outer.Inner(3),
    Pair(1),
    Pair(2, "x"),
    datetime.date(2020, 2, 29),
    datetime.datetime(2020, 2, 29, 1, 2, 3, 4, fold=1),
    datetime.datetime(2020, 2, 29, tzinfo=datetime.UTC),
    datetime.datetime(2020, 2, 29, tzinfo=EAST),
    datetime.time(1, 2, 3, 4, tzinfo=datetime.timezone(datetime.timedelta(minutes=-1)), fold=1),
    datetime.timedelta(-1, 2, 3),
    datetime.UTC,
    EAST,
    decimal.Decimal("1E+999"),
    decimal.Decimal("-0.00"),
    decimal.Decimal("sNaN"),
    fractions.Fraction(-1, 10**30),
    uuid.UUID(int=7),
    ipaddress.ip_address("10.0.0.1"),
    ipaddress.ip_address("fe80::1%3"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_interface("10.0.0.1/8"),
    ipaddress.ip_interface("fe80::1/64"),
]


def no_containers(container: object) -> Ext:
    raise AssertionError("there is no container here")


def no_container(kind: int, number: int) -> object:
    raise SnapshotUnusable("there is no container here")


def spell(value: object) -> bytes:
    """One value as a record."""
    return msgspec.msgpack.encode([spelled(value, no_containers)])


def read(record: bytes) -> Any:
    """The value of a record."""
    (value,) = Reader(no_container).read(record)
    return value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_is_read_back_as_it_was(value: object) -> None:
    again = read(spell(value))
    assert type(again) is type(value)
    assert form({"value": again}) == form({"value": value})


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_whatever_is_spelled_can_be_in_a_state(value: object) -> None:
    held = tracked((value, frozenset({(1,)})), Journal())
    assert form({"held": read(spell(held))}) == form({"held": (value, frozenset({(1,)}))})


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(read(spell(math.nan)))


# --- what a state cannot hold, because no snapshot could ---


@dataclasses.dataclass(frozen=True)
class Mistake(Exception):
    """A record that is also something else."""

    x: int


class Sequence(tuple[int, ...]):
    """A tuple that may have more than its items."""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Mistake(1), "cannot hold a Mistake"),
        (Sequence((1,)), "cannot hold a Sequence"),
        (datetime.datetime(2020, 1, 1, tzinfo=ZoneInfo("UTC")), "has a fixed offset"),
        (decimal.Context(), "cannot hold a Context"),
    ],
    ids=["exception", "sequence", "zone", "decimal context"],
)
def test_what_no_snapshot_could_hold_is_refused(value: object, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        tracked(value, Journal())


def test_a_class_that_cannot_be_found_again_is_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Local:
        x: int

    with pytest.raises(
        TypeError, match=r"would look for the class of this Local as .*, where it is not: define it at the top"
    ):
        tracked(Local(1), Journal())


@pytest.mark.parametrize(
    "wrap", [lambda value: (value,), lambda value: frozenset({value}), Pair], ids=["tuple", "set", "record"]
)
def test_nesting_has_a_limit_that_is_the_same_on_every_member(wrap: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(NESTING_MAX):
        value = wrap(value)
    assert read(spell(tracked(value, Journal()))) == value
    with pytest.raises(TypeError, match="nested deeper than 100"):
        tracked(wrap(wrap(value)), Journal())


# --- the next release of a program ---


def renamed(kind: type, name: str) -> type:
    """``kind`` under the name of another class of this module."""
    kind.__module__, kind.__qualname__, kind.__name__ = __name__, name, name
    return kind


@dataclasses.dataclass(frozen=True)
class LineWithMore:
    parcel: Parcel
    colours: frozenset[Colour] = frozenset()
    total: int = 0
    note: str = "none"
    tags: tuple[str, ...] = dataclasses.field(default_factory=lambda: ("new",))


class ParcelWithMore(msgspec.Struct, frozen=True):
    code: str
    weight: decimal.Decimal = decimal.Decimal(1)
    note: str = "none"


class PairWithMore(NamedTuple):
    left: int
    right: str = "r"
    note: str = "none"


@pytest.mark.parametrize(
    ("value", "later", "expected"),
    [
        (Line(Parcel("c")), LineWithMore, LineWithMore(Parcel("c"))),
        (Parcel("c"), ParcelWithMore, ParcelWithMore("c")),
        (Pair(1), PairWithMore, PairWithMore(1)),
    ],
    ids=["dataclass", "struct", "named tuple"],
)
def test_a_field_that_is_new_has_its_default(
    value: Any, later: type, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = spell(value)
    monkeypatch.setattr(HERE, type(value).__name__, renamed(later, type(value).__name__))
    assert read(record) == expected


class ParcelWithLess(msgspec.Struct, frozen=True):
    code: str


class ParcelWithMoreToSay(msgspec.Struct, frozen=True):
    code: str
    weight: decimal.Decimal
    note: str


@dataclasses.dataclass(frozen=True)
class LineWithMoreToSay:
    parcel: Parcel
    colours: frozenset[Colour]
    total: int
    note: str


@dataclasses.dataclass(frozen=True)
class LineWithAList:
    parcel: Parcel
    colours: frozenset[Colour]
    total: int
    notes: list[str] = dataclasses.field(default_factory=list)


class Particular(msgspec.Struct, frozen=True):
    code: str
    weight: decimal.Decimal

    def __post_init__(self) -> None:
        raise LookupError("no such parcel")


class Open(msgspec.Struct):
    code: str
    weight: decimal.Decimal


class Kind(enum.Enum):
    SMALL = 1


class Shade(msgspec.Struct, frozen=True):
    name: str


class Pale(enum.Enum):
    WHITE = 1


class Readable(enum.Flag):
    READ = 1


class Forgetful(enum.Flag, boundary=enum.CONFORM):
    """Leaves out what it does not know, as every ``Flag`` of Python 3.11.2 does."""

    READ = 1


@pytest.mark.parametrize(
    ("value", "later", "told"),
    [
        (Parcel("c"), None, "Parcel, which is in no imported module: import it before"),
        (
            Parcel("c"),
            ParcelWithLess,
            "Parcel with the field 'weight', which this release of your program does not have",
        ),
        (Parcel("c"), ParcelWithMoreToSay, "note"),
        (Line(Parcel("c")), LineWithMoreToSay, "the state has no note, and it has no default"),
        (Line(Parcel("c")), LineWithAList, "in the field notes of Line: a list could change unnoticed"),
        (Parcel("c"), Particular, "LookupError: no such parcel"),
        (Parcel("c"), Open, "Parcel, which is no frozen record in this release"),
        (Parcel("c"), Kind, "Parcel, which is no frozen record in this release"),
        (Colour.RED, None, "Colour, which is in no imported module"),
        (Colour.RED, Pale, "'RED' of .*Colour, which this release"),
        (Colour.RED, Shade, "Colour, which is no enumeration in this release"),
        (Access(3), Readable, "3 of .*Access, which this release"),
        (Access(3), Forgetful, "3 of .*Access, which this release"),
    ],
)
def test_what_this_release_does_not_have_is_named(
    value: Any, later: type | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = spell(value)
    name = type(value).__name__
    if later is None:
        monkeypatch.delattr(HERE, name)
    else:
        monkeypatch.setattr(HERE, name, renamed(later, name))
    with pytest.raises(SnapshotUnusable, match=told):
        read(record)


# --- what nobody spelled ---


def ext(code: int, *parts: object) -> Ext:
    """A value of some kind with these parts."""
    return Ext(code, msgspec.msgpack.encode(parts))


NAME = f"{__name__}:"


@pytest.mark.parametrize(
    "value",
    [
        Ext(99, b""),
        Ext(spelling.TEXT, b"\xff"),
        Ext(spelling.TUPLE, b""),
        Ext(spelling.TUPLE, b"\x80"),
        ext(spelling.TUPLE, [1]),
        ext(spelling.TUPLE, {}),
        ext(spelling.FROZENSET, Ext(spelling.LIST, b"\x01")),
        ext(spelling.RECORD),
        ext(spelling.RECORD, 7),
        ext(spelling.RECORD, "builtins:int"),
        ext(spelling.RECORD, "builtins:dict", "a", 1),
        ext(spelling.RECORD, "os:system"),
        ext(spelling.RECORD, ":"),
        ext(spelling.RECORD, NAME + "Parcel"),
        ext(spelling.RECORD, NAME + "Parcel", "code"),
        ext(spelling.RECORD, NAME + "Parcel", 7, "a"),
        ext(spelling.RECORD, NAME + "Parcel", (), "a"),
        ext(spelling.RECORD, NAME + "Pair", "right", "a"),
        ext(spelling.RECORD, NAME + "Colour", "RED", 1),
        ext(spelling.MEMBER, NAME + "Colour"),
        ext(spelling.MEMBER, NAME + "Colour", "RED", 1),
        ext(spelling.MEMBER, NAME + "Colour", "__class__"),
        ext(spelling.MEMBER, NAME + "Colour", 1),
        ext(spelling.MEMBER, NAME + "Parcel", "code"),
        ext(spelling.MEMBER, NAME + "Access", 64),
        ext(spelling.STANDARD_VALUE, "datetime:date", 2020, 13, 1),
        ext(spelling.STANDARD_VALUE, "datetime:date", 2020, 1),
        ext(spelling.STANDARD_VALUE, "datetime:date", 2020, 1, "x"),
        ext(spelling.STANDARD_VALUE, "datetime:datetime", 2020, 1, 1, 0, 0, 0, 0, 5, 0),
        ext(spelling.STANDARD_VALUE, "datetime:timedelta", 2**62, 0, 0),
        ext(spelling.STANDARD_VALUE, "datetime:datetime"),
        ext(spelling.STANDARD_VALUE, "datetime:tzinfo"),
        ext(spelling.STANDARD_VALUE, "fractions:Fraction", "1e999999999"),
        ext(spelling.STANDARD_VALUE, "fractions:Fraction", 1, 0),
        ext(spelling.STANDARD_VALUE, "decimal:Decimal", "one"),
        ext(spelling.STANDARD_VALUE, "uuid:UUID", "7"),
        ext(spelling.STANDARD_VALUE, "ipaddress:IPv4Address", "10.0.0.256"),
        ext(spelling.STANDARD_VALUE, NAME + "Parcel", "a"),
    ],
    ids=lambda value: f"{value.code} {bytes(value.data)!r}",
)
def test_what_nobody_spelled_is_unusable_and_nothing_else(value: Ext) -> None:
    with pytest.raises(SnapshotUnusable):
        read(msgspec.msgpack.encode([value]))


def test_what_is_nested_too_deep_is_unusable() -> None:
    value = b""
    for _ in range(5_000):
        value = msgspec.msgpack.encode([Ext(spelling.TUPLE, value)])
    for record in (value, b"\x91" * 100_000, b""):
        with pytest.raises(SnapshotUnusable):
            read(record)
