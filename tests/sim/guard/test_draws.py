"""What is drawn for an argument is of its type, within its limits, and not always the same."""

import dataclasses
import datetime
import decimal
import enum
import uuid
from random import Random
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from msgspec import Meta, Struct, msgpack
from msgspec import inspect as types

from paxon.errors import ConfigurationError
from paxon.sim.guard.draws import Draws


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Box(Struct, frozen=True):
    colour: Colour
    sizes: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Crate:
    boxes: list[Box]


class Place(NamedTuple):
    shelf: int
    row: str


class Label(TypedDict):
    text: str


KINDS: list[Any] = [
    bool,
    int,
    float,
    str,
    bytes,
    decimal.Decimal,
    uuid.UUID,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    Annotated[datetime.datetime, Meta(tz=False)],
    Annotated[int, Meta(ge=1, le=3)],
    Annotated[int, Meta(gt=100)],
    Annotated[int, Meta(lt=-100)],
    Annotated[int, Meta(ge=5, le=2**62, multiple_of=4)],
    Annotated[float, Meta(ge=0.5, lt=4)],
    Annotated[str, Meta(min_length=1, max_length=2)],
    Annotated[bytes, Meta(min_length=16, max_length=16)],
    Annotated[list[int], Meta(min_length=2, max_length=2)],
    Literal["a", 1],
    Colour,
    int | None,
    list[str],
    set[int],
    frozenset[str],
    tuple[int, str],
    dict[str, list[int]],
    Box,
    Crate,
    Place,
    Label,
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_drawn_is_of_its_type_and_varies(kind: Any) -> None:
    draws, info = Draws(Random(3)), types.type_info(kind)
    drawn = [draws.value(info) for _ in range(50)]
    for value in drawn:
        assert msgpack.decode(msgpack.encode(value), type=kind) == value
    assert len({repr(value) for value in drawn}) > 1


def test_arguments_with_a_default_are_sometimes_left_out() -> None:
    record = msgspec.defstruct("supply", [("sku", str), ("amount", int, 1)])
    draws = Draws(Random(3))
    assert {tuple(draws.arguments(record)) for _ in range(20)} == {("sku",), ("sku", "amount")}


@pytest.mark.parametrize(
    "kind", [Annotated[str, Meta(pattern="^x+$")], Annotated[int, Meta(ge=1, le=2, multiple_of=5)]]
)
def test_what_cannot_be_drawn_is_told_with_the_way_out(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="static method simulated_commands"):
        Draws(Random(3)).value(types.type_info(kind))
