"""What a state machine could look at beside its command: clocks, chance, the environment; all of it made up here.

Knows: where Python keeps its clocks and its chance, and how to put others in their place.  Does not
know: what a state machine is.

Theory of operation.  While ``Replacements`` are in place, the functions that tell the time, draw
lots or read the environment are ours.  Outside of a ``with surroundings:`` block they do what they
always did; inside of one, they answer out of these surroundings, and note who asked.  Two members
in two surroundings thus never see the same time, and a machine that looks at it gives itself away;
and one machine twice in equal surroundings sees the same twice, which tells one cause from another.

Names that a module imported by themselves, such as ``from time import time``, are replaced there
too, as long as the module belongs to the machine's own package.  Out of reach are clocks and chance
inside of extension modules, the ambient decimal context and locale, and addresses of objects.
"""

import builtins
import datetime
import os
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from random import Random
from types import FrameType, ModuleType, TracebackType
from typing import Any, ClassVar

from msgspec import Struct, structs

EPOCH_S = 1_700_000_000
BILLION = 1_000_000_000


class Mix(Struct, frozen=True):
    """Which clock, which chance and which environment; equal numbers are equal ones."""

    clock: int = 0
    chance: int = 0
    environment: int = 0

    def varied(self, kind: str, by: int) -> "Mix":
        """The same but for one kind."""
        return structs.replace(self, **{kind: getattr(self, kind) + by})


class Surroundings:
    """One set of made-up surroundings; to be entered for every call of the machine that lives in it."""

    current: ClassVar["Surroundings | None"] = None
    """Those that are entered.  One for the whole process: machines run on one thread."""

    def __init__(self, mix: Mix, asked: dict[str, set[str]] | None = None) -> None:
        self._mix = mix
        self._calls = 0
        self._looks = 0
        self._lots = Random()
        self._outer: Surroundings | None = None
        self._asked: dict[str, set[str]] = {} if asked is None else asked
        """Which lines of code asked for which kind of thing."""
        self.deeds: list[str] = []
        """What reached beyond the process, in words.  Taken by whoever looks."""

    def __enter__(self) -> None:
        self._calls += 1
        self._looks = 0
        # A seed for each call: a coarse look, such as one random bit, is not the same every time.
        seed = f"{self._mix.chance}/{self._calls}"
        self._lots.seed(seed)
        random.seed(seed)
        self._outer, Surroundings.current = Surroundings.current, self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Surroundings.current = self._outer

    def note(self, kind: str, what: str) -> None:
        """Somebody asks for ``what``."""
        self._asked.setdefault(kind, set()).add(f"{what} ({caller()})")

    def time_ns(self) -> int:
        """A time of day that no other surroundings have, and that moves with every look."""
        self._looks += 1
        pace_ns = 1_234_567_891 + 370_000_003 * self._mix.clock
        return EPOCH_S * BILLION + self._mix.clock * 100_003_700_000_007 + self._calls * pace_ns + self._looks

    def random_bytes(self, size: int) -> bytes:
        """Chance that no other surroundings have."""
        return self._lots.randbytes(size)

    def variable(self, value: str | None) -> str | None:
        """What a variable of the environment holds that truly holds ``value``."""
        if not self._mix.environment:
            return value
        try:
            return str(int(value or "0") + self._mix.environment)
        except ValueError:
            return f"{value}~{self._mix.environment}"

    @property
    def number(self) -> int:
        """Something to add to numbers of the process."""
        return self._mix.environment


class Replacements:
    """Our functions in the place of Python's, for as long as anybody has them installed."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        """``modules`` are the machine's own: what they imported by name is replaced as well."""
        ours = _our_functions()
        by_identity = {id(original): made for _, _, original, made in ours}
        self._places: list[tuple[Any, str, Any, Any]] = list(ours)
        for module in modules:
            for name, value in list(vars(module).items()):
                if id(value) in by_identity:
                    self._places.append((module, name, value, by_identity[id(value)]))
        self._installed = 0
        self._state: tuple[Any, ...] = ()

    def __enter__(self) -> None:
        self._installed += 1
        if self._installed == 1:
            self._state = random.getstate()
            for holder, name, _, made in self._places:
                setattr(holder, name, made)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._installed -= 1
        if not self._installed:
            for holder, name, original, _ in self._places:
                setattr(holder, name, original)
            random.setstate(self._state)


Place = tuple[Any, str, Any, Any]
"""Where, under which name, what was there, and what takes its place."""


def _our_functions() -> list[Place]:
    return [*_clocks(), *_chance(), *_environment(), *_threads(), *_identity()]


def _place(holder: Any, name: str, kind: str, made: Callable[..., Any]) -> Place:
    """``made`` gets the surroundings, the original and the arguments; without surroundings the original is called."""
    original = getattr(holder, name)
    what = name if holder is builtins else f"{getattr(holder, '__name__', holder)}.{name}"

    def asked(*arguments: Any, **options: Any) -> Any:
        surroundings = Surroundings.current
        if surroundings is None:
            return original(*arguments, **options)
        surroundings.note(kind, what)
        return made(surroundings, original, *arguments, **options)

    return holder, name, original, asked


def _clocks() -> list[Place]:
    broken_down_time = time.gmtime

    def seconds(now: Surroundings, original: Any) -> float:
        return now.time_ns() / BILLION

    def nanoseconds(now: Surroundings, original: Any) -> int:
        return now.time_ns()

    def broken_down(now: Surroundings, original: Any, *given: Any) -> Any:
        return original(*(given if given and given[0] is not None else (now.time_ns() / BILLION,)))

    def formatted(now: Surroundings, original: Any, pattern: str, *given: Any) -> Any:
        return original(pattern, *(given or (broken_down_time(now.time_ns() / BILLION),)))

    names = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    places = [_place(time, name, "clock", seconds) for name in names]
    places += [_place(time, f"{name}_ns", "clock", nanoseconds) for name in names]
    places += [_place(time, name, "clock", broken_down) for name in ("gmtime", "localtime", "ctime")]
    places.append(_place(time, "strftime", "clock", formatted))
    places.append((datetime, "datetime", datetime.datetime, _OurDatetime))
    places.append((datetime, "date", datetime.date, _OurDate))
    return places


def _chance() -> list[Place]:
    def drawn(now: Surroundings, original: Any, size: int) -> bytes:
        return now.random_bytes(size)

    def unique(now: Surroundings, original: Any, *given: Any, **options: Any) -> uuid.UUID:
        return uuid.UUID(bytes=now.random_bytes(16), version=4)

    def as_ever(now: Surroundings, original: Any, *given: Any, **options: Any) -> Any:
        return original(*given, **options)

    original_seed = Random.seed

    def seeded(generator: Random, a: Any = None, version: int = 2) -> None:
        """Without a seed a generator takes one from the system."""
        surroundings = Surroundings.current
        if a is None and surroundings is not None:
            surroundings.note("chance", "Random()")
            a = surroundings.random_bytes(16)
        original_seed(generator, a, version)

    urandom = _place(os, "urandom", "chance", drawn)
    places = [urandom, (random, "_urandom", urandom[2], urandom[3]), (Random, "seed", original_seed, seeded)]
    places += [_place(uuid, name, "chance", unique) for name in ("uuid1", "uuid4")]
    # The module's own generator is seeded anew for each call, so these only have to be noted.
    shared = ("random", "uniform", "randint", "randrange", "choice", "choices", "sample", "shuffle", "getrandbits")
    places += [_place(random, name, "chance", as_ever) for name in (*shared, "randbytes", "gauss")]
    return places


def _environment() -> list[Place]:
    environment = type(os.environ)
    getitem = environment.__getitem__

    def variable(variables: Any, key: Any) -> Any:
        surroundings = Surroundings.current
        if surroundings is None or not isinstance(key, str):
            return getitem(variables, key)
        surroundings.note("environment", f"os.environ[{key!r}]")
        try:
            value = getitem(variables, key)
        except KeyError:
            value = None
        held = surroundings.variable(value)
        if held is None:
            raise KeyError(key)
        return held

    def numbered(now: Surroundings, original: Any) -> int:
        return int(original()) + now.number

    def named(now: Surroundings, original: Any) -> str:
        return now.variable(str(original())) or ""

    places: list[Place] = [(environment, "__getitem__", getitem, variable)]
    places += [_place(os, name, "environment", numbered) for name in ("getpid", "getppid")]
    places += [_place(os, "getcwd", "environment", named), _place(socket, "gethostname", "environment", named)]
    return places


def _threads() -> list[Place]:
    """Python tells no audit hook of a thread before 3.12, so that ``watch`` cannot hear of it."""

    def started(now: Surroundings, original: Any, *given: Any, **options: Any) -> Any:
        now.deeds.append(f"starts a thread ({caller()})")
        return original(*given, **options)

    names = ("_start_new_thread", "_start_joinable_thread")
    return [_place(threading, name, "thread", started) for name in names if hasattr(threading, name)]


def _identity() -> list[Place]:
    """Noted only: whoever keeps a table by ``id`` or ``hash`` is right as long as its order does not show."""

    def as_ever(now: Surroundings, original: Any, thing: object) -> int:
        return int(original(thing))

    return [_place(builtins, name, name, as_ever) for name in ("id", "hash")]


class _LikeTheRealOne(type):
    """Whatever is an instance of the class that we stand in for is one of ours."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls.__mro__[1])

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.__mro__[1])


class _OurDate(datetime.date, metaclass=_LikeTheRealOne):
    """Stands in for ``datetime.date``; makes real ones."""

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        return _REAL_DATE(*arguments, **options)

    @classmethod
    def today(cls) -> Any:
        """As the real one, by our clock."""
        now = Surroundings.current
        if now is None:
            return _REAL_DATE.today()
        now.note("clock", "date.today")
        return _REAL_DATE.fromtimestamp(now.time_ns() / BILLION)


class _OurDatetime(datetime.datetime, metaclass=_LikeTheRealOne):
    """Stands in for ``datetime.datetime``; makes real ones."""

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        return _REAL_DATETIME(*arguments, **options)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """As the real one, by our clock."""
        now = Surroundings.current
        if now is None:
            return _REAL_DATETIME.now(tz)
        now.note("clock", "datetime.now")
        return _REAL_DATETIME.fromtimestamp(now.time_ns() / BILLION, tz)

    @classmethod
    def today(cls) -> Any:
        """As the real one, by our clock."""
        return cls.now()

    @classmethod
    def utcnow(cls) -> Any:
        """As the real one, by our clock."""
        return cls.now(datetime.UTC).replace(tzinfo=None)


_REAL_DATE = datetime.date
_REAL_DATETIME = datetime.datetime

_OURS = os.path.dirname(__file__)
_STANDARD = os.path.dirname(os.__file__)


def caller() -> str:
    """The line outside of Python's library and of this package that is nearest."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_OURS, _STANDARD, "<frozen")):
            return f"{os.path.basename(file)}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown line"
