"""Values of plain types, drawn by lot: few and small, so that the commands that have them meet.

Knows: types that plain data can have.  Does not know: what the data is for.
"""

import datetime
import decimal
import math
import uuid
from collections.abc import Callable
from random import Random
from typing import Any, Final, cast

from msgspec import NODEFAULT, Struct
from msgspec import inspect as types

from paxon.errors import ConfigurationError, check

WORDS: Final = ("ada", "ben", "cyd", "")
NUMBERS: Final = range(-2, 10)
ITEMS_MAX: Final = 3
"""How many items a container has that may have any number."""

_EPOCH: Final = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


class Draws:
    """Draws from one ``random.Random``."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._simple: dict[type[types.Type], Callable[[Any], Any]] = {
            types.NoneType: lambda info: None,
            types.BoolType: lambda info: random.random() < 0.5,
            types.IntType: self._integer,
            types.FloatType: lambda info: float(self._integer(info)),
            types.DecimalType: lambda info: decimal.Decimal(random.choice(NUMBERS)) / 4,
            types.StrType: lambda info: self._text(info),
            types.BytesType: lambda info: self._text(info).encode(),
            types.DateTimeType: self._moment,
            types.DateType: lambda info: self._moment(info).date(),
            types.TimeType: lambda info: self._moment(info).timetz(),
            types.TimeDeltaType: lambda info: datetime.timedelta(minutes=random.choice(NUMBERS)),
            types.UUIDType: lambda info: uuid.UUID(int=random.getrandbits(3)),
            types.LiteralType: lambda info: random.choice(info.values),
            types.EnumType: lambda info: random.choice(list(info.cls)),
            types.UnionType: lambda info: self.value(random.choice(info.types)),
            types.ListType: self._items,
            types.VarTupleType: lambda info: tuple(self._items(info)),
            types.SetType: lambda info: set(self._items(info)),
            types.FrozenSetType: lambda info: frozenset(self._items(info)),
            types.TupleType: lambda info: tuple(self.value(item) for item in info.item_types),
            types.DictType: lambda info: {
                self.value(info.key_type): self.value(info.value_type) for _ in self._count(info)
            },
            types.TypedDictType: lambda info: self._fields(info.fields),
            types.StructType: lambda info: info.cls(**self._fields(info.fields)),
            types.DataclassType: lambda info: info.cls(**self._fields(info.fields)),
            types.NamedTupleType: lambda info: info.cls(**self._fields(info.fields)),
        }

    def arguments(self, record: type[Struct]) -> dict[str, Any]:
        """The fields of a record; of those with a default, some are left out.

        Raises:
            ConfigurationError: if there is a type of which nothing is known to draw.
        """
        info = types.type_info(record)
        check(isinstance(info, types.StructType), "the arguments of a method are a record")
        return self._fields(cast(types.StructType, info).fields)

    def value(self, info: types.Type) -> Any:
        """Something of a type.

        Raises:
            ConfigurationError: if nothing is known to draw of it.
        """
        draw = self._simple.get(type(info))
        if draw is None:
            raise self._unknown(info)
        return draw(info)

    def _fields(self, fields: tuple[types.Field, ...]) -> dict[str, Any]:
        drawn = {}
        for field in fields:
            is_optional = field.default is not NODEFAULT or field.default_factory is not NODEFAULT or not field.required
            if not is_optional or self._random.random() < 0.5:
                drawn[field.name] = self.value(field.type)
        return drawn

    def _integer(self, info: types.IntType | types.FloatType) -> int:
        """A whole number within the limits; of many, one of those about 0, or else one of the least."""
        step = math.ceil(info.multiple_of or 1)
        lower = math.ceil(info.ge) if info.ge is not None else None if info.gt is None else math.floor(info.gt) + 1
        upper = math.floor(info.le) if info.le is not None else None if info.lt is None else math.ceil(info.lt) - 1
        least = min(NUMBERS[0], NUMBERS[0] if upper is None else upper - len(NUMBERS)) if lower is None else lower
        most = max(NUMBERS[-1], least + len(NUMBERS)) if upper is None else upper
        if least <= NUMBERS[0] <= most:
            least = NUMBERS[0]
        found = range(math.ceil(least / step) * step, most + 1, step)[: len(NUMBERS)]
        if not found:
            raise self._unknown(info)
        return self._random.choice(found)

    def _text(self, info: types.StrType | types.BytesType) -> str:
        least, most = info.min_length or 0, info.max_length
        if getattr(info, "pattern", None) is not None:
            raise self._unknown(info)
        return self._random.choice([word for word in WORDS if word or not least]).ljust(least, "x")[:most]

    def _moment(self, info: types.Type) -> datetime.datetime:
        moment = _EPOCH + datetime.timedelta(minutes=self._random.choice(NUMBERS))
        return moment.replace(tzinfo=None) if getattr(info, "tz", None) is False else moment

    def _count(self, info: Any) -> range:
        least = info.min_length or 0
        most = least + ITEMS_MAX if info.max_length is None else min(info.max_length, least + ITEMS_MAX)
        return range(self._random.randint(least, most))

    def _items(self, info: Any) -> list[Any]:
        return [self.value(info.item_type) for _ in self._count(info)]

    def _unknown(self, info: types.Type) -> ConfigurationError:
        return ConfigurationError(
            f"nothing is known to draw for {info}: give the class a static method simulated_commands(random) that "
            "yields calls, or name a workload"
        )
