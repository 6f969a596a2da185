"""The contract of replicated objects: a class whose ``@command`` methods every member calls alike.

Knows: classes, methods and their types.  Does not know: slots' contents, members, or how calls travel.

A user's class derives from ``StateMachine``, marks the methods that change state with
``@command`` and those that only look with ``@query``, and keeps everything it knows in its
attributes.  Both are ordinary methods, and can be called as such in a test.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import update_wrapper
from types import FunctionType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast, get_type_hints, overload

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from paxon.errors import ContractError
from paxon.rsm.chance import Chance
from paxon.rsm.journal import Journal
from paxon.rsm.schema import describe, fingerprint
from paxon.rsm.tracked import tracked

S = TypeVar("S", bound="StateMachine")
P = ParamSpec("P")
R = TypeVar("R")

Ability = tuple[str, int, bytes]
"""A command that some code has: its name, version and fingerprint."""

MARK: Final = "__paxon__"
"""The attribute by which a marked method is known."""

JOURNAL: Final = "_paxon_journal"
"""The attribute of a state machine that is none of its state."""

_ABSENT: Final = object()

_TAKES_ANY: Final = 0x04 | 0x08
"""Of a code object's flags: ``*args`` and ``**kwargs``."""

_IS_NO_FUNCTION: Final = 0x20 | 0x80 | 0x200
"""Of a code object's flags: generators and coroutines of either kind."""


class Context(Struct, gc=False):
    """What is decided about a command beside its arguments: the same on every member, and at every replay."""

    slot: int
    """The place of the command in the log; grows from command to command, several may share one."""
    now_ms: int
    """The decided time in milliseconds since the Unix epoch.  Never runs backwards.  The only clock there is."""
    number: int = 0
    """The place of the command among those of its slot."""
    session: bytes | None = None
    """The session that the command belongs to; ``None`` if it came without one."""
    emitted: list[tuple[str, object]] = []
    """What the command told the change feed, each under its topic."""
    _random: Chance | None = None

    def emit(self, topic: str, event: object) -> None:
        """Tell everybody who watches ``topic`` of ``event``, which is plain data.

        It reaches them only if the command succeeds, once, in the order of the log.
        """
        self.emitted.append((topic, event))

    @property
    def random(self) -> Chance:
        """Decided chance: of its own for every command."""
        if self._random is None:
            self._random = Chance(b"%d %d" % (self.slot, self.number))
        return self._random


class Mark(Struct, frozen=True):
    """What a decorator says about a method."""

    is_command: bool
    name: str
    version: int


@overload
def command(method: Callable[Concatenate[S, Context, P], R], /) -> Callable[Concatenate[S, Context, P], R]: ...
@overload
def command(
    *, name: str = "", version: int = 1
) -> Callable[[Callable[Concatenate[S, Context, P], R]], Callable[Concatenate[S, Context, P], R]]: ...
def command(method: Any = None, /, *, name: str = "", version: int = 1) -> Any:
    """Mark a method that changes the state: every member calls it, in one order, once.

    It takes a ``Context`` first.  It follows from the state, the context and its arguments
    alone: no clock, no chance but the context's, no input or output.  If it raises, the state
    is as before: a ``Rejected`` reaches the caller as what it is, anything else as ``ApplyFailed``.

    Calls that were decided stay in the log with their ``name`` and ``version``.  To change what
    a command takes, returns or does, leave the old method as it is under another Python name,
    with ``name="..."`` and its old version, and give the new one the next version.
    """
    return _mark(method, True, name, version)


@overload
def query(method: Callable[Concatenate[S, P], R], /) -> Callable[Concatenate[S, P], R]: ...
@overload
def query(
    *, name: str = "", version: int = 1
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R]]: ...
def query(method: Any = None, /, *, name: str = "", version: int = 1) -> Any:
    """Mark a method that only looks: one member calls it, any number of times, and it never enters the log."""
    return _mark(method, False, name, version)


def _mark(method: Any, is_command: bool, name: str, version: int) -> Any:
    def decorate(method: Any) -> Any:
        if not isinstance(method, FunctionType):
            raise ContractError(f"{method!r} is no method: mark functions in the body of a class, closest to their def")
        setattr(method, MARK, Mark(is_command, name or method.__name__, version))
        return method

    return decorate if method is None else decorate(method)


class Method:
    """One marked method of a class, ready to be called from bytes.

    ``arguments`` is the record of its arguments, by name; ``result`` the type of what it returns.
    """

    def __init__(self, owner: type, attribute: str, function: Callable[..., Any], mark: Mark) -> None:
        self.name = mark.name
        self.version = mark.version
        self.is_command = mark.is_command
        self.function = function
        self._where = f"{owner.__name__}.{attribute}"
        self.arguments, self.result, self.description = self._read_signature()
        self.fingerprint = fingerprint(self.description)
        self.ability: Ability = (self.name, self.version, self.fingerprint)

    def call(self, leading: tuple[Any, ...], arguments: Struct) -> Any:
        """Call the method on ``leading``, the machine and for a command the context, with recorded arguments.

        Raises:
            Exception: whatever the method raises.
        """
        values = astuple(arguments)
        if not self._by_name:
            return self.function(*leading, *values)
        positional = len(values) - len(self._by_name)
        by_name = dict(zip(self._by_name, values[positional:], strict=True))
        return self.function(*leading, *values[:positional], **by_name)

    def __str__(self) -> str:
        return f"{'command' if self.is_command else 'query'} {self.name} (version {self.version})"

    def _read_signature(self) -> tuple[type[Struct], Any, str]:
        function = cast(FunctionType, self.function)
        code = function.__code__
        self._by_name = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        if code.co_flags & _IS_NO_FUNCTION:
            raise self._fault(
                "is a coroutine or a generator", "make it a plain method: it runs between two others, whole"
            )
        if code.co_flags & _TAKES_ANY:
            raise self._fault("takes *args or **kwargs", "name every argument and its type")
        if code.co_posonlyargcount > (2 if self.is_command else 1):
            raise self._fault("has arguments without names", "leave out the slash: arguments travel by name")
        try:
            hints = get_type_hints(function, include_extras=True)
        except NameError as error:
            raise self._fault(f"has a type that is not defined: {error}", "import it where the class is") from error
        names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        if self.is_command:
            if not names or hints.get(names[0]) is not Context:
                raise self._fault("does not take a Context first", "write: def method(self, ctx: Context, ...)")
            names = names[1:]
        if "return" not in hints:
            raise self._fault("does not say what it returns", "add -> None, or the type of the result")
        fields, told = self._read_arguments(function, names, hints)
        result = hints["return"]
        described = f"{self.name}({', '.join(told)}) -> {self._describe('result', result)}"
        return msgspec.defstruct(self.name, fields, frozen=True, forbid_unknown_fields=True), result, described

    def _read_arguments(
        self, function: FunctionType, names: tuple[str, ...], hints: dict[str, Any]
    ) -> tuple[list[Any], list[str]]:
        positional = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = dict(zip(reversed(positional), reversed(function.__defaults__ or ()), strict=False))
        defaults |= function.__kwdefaults__ or {}
        fields: list[Any] = []
        told = []
        for name in names:
            if name not in hints:
                raise self._fault(f"does not say what type {name} has", f"write {name}: TYPE")
            optional = name in defaults
            told.append(f"{name}{'?' if optional else ''}: {self._describe(name, hints[name])}")
            if optional and isinstance(defaults[name], list | dict | set):
                raise self._fault(f"has a default for {name} that can change", "use None or a tuple")
            fields.append((name, hints[name], defaults[name]) if optional else (name, hints[name]))
        return fields, told

    def _describe(self, what: str, annotation: Any) -> str:
        try:
            return describe(annotation)
        except TypeError as error:
            raise self._fault(f"has a type for {what} that cannot be carried", str(error)) from error

    def _fault(self, what: str, remedy: str) -> ContractError:
        return ContractError(f"{self._where} {what}: {remedy}")


class StateMachine:
    """The base of replicated objects: state that changes only by commands, the same on every member.

    Everything that the object knows is in its attributes, as plain data: numbers, text, bytes,
    dates, enums, tuples, frozen records, and ``dict``, ``list`` and ``set`` of these.  Containers
    become tracked ones, which can take back what a failed command did (see ``tracked``).
    ``__init__`` makes the empty state and takes no arguments.

    Snapshots of the state are taken and read back without the class's doing.  Enums and records in
    it are found again by module and name, their fields by name: keep both from one release to the
    next, and give a field that is new a default.  An attribute that is new is as ``__init__`` makes it.

    A class may bring its own, for instance to leave out what follows from the rest::

        def snapshot(self) -> T: ...
        def restore(self, data: T) -> None: ...

    ``T`` is plain data.  ``snapshot`` is called between two commands, and what it returns is encoded
    at once while commands wait: it is for small states.  ``restore`` has ``data`` for the whole state.
    """

    def __init_subclass__(cls, **named: Any) -> None:
        """Give the class functions of its own for the commands and queries that it inherits.

        Whoever calls ``Derived.add`` or ``Base.add`` says by that function which of the two is meant.
        """
        super().__init_subclass__(**named)
        inherited: dict[str, Any] = {}
        for parent in reversed(cls.__mro__[1:]):
            inherited.update(vars(parent))
        for attribute, method in inherited.items():
            if attribute not in vars(cls) and isinstance(getattr(method, MARK, None), Mark):
                setattr(cls, attribute, _copied(method, f"{cls.__qualname__}.{attribute}"))

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        machine = super().__new__(cls)
        object.__setattr__(machine, JOURNAL, Journal())
        return machine

    def next_due_ms(self) -> int | None:
        """The decided time at which ``on_due`` has something to do; ``None`` if nothing waits for time to pass."""
        return None

    def on_due(self, ctx: Context) -> None:
        """Do what time has made due.  Called on every member before the first command at or after ``next_due_ms``.

        A member that leads sees to it that there is such a command soon, if need be one that
        does nothing else.  Afterwards ``next_due_ms`` is later than ``ctx.now_ms``, or ``None``.
        """

    def __setattr__(self, name: str, value: Any) -> None:
        journal = journal_of(self)
        try:
            value = tracked(value, journal)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.{name}: {error}") from None
        before = self.__dict__.get(name, _ABSENT)
        object.__setattr__(self, name, value)
        if before is _ABSENT:
            journal.note(lambda: object.__delattr__(self, name))
        else:
            journal.note(lambda: object.__setattr__(self, name, before))

    def __delattr__(self, name: str) -> None:
        before = getattr(self, name)
        object.__delattr__(self, name)
        journal_of(self).note(lambda: object.__setattr__(self, name, before))


def _copied(method: FunctionType, qualified_name: str) -> FunctionType:
    copied = FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__)
    copied.__kwdefaults__ = method.__kwdefaults__
    update_wrapper(copied, method)
    copied.__qualname__ = qualified_name
    return copied


def inherited_from(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """The functions of the classes from which a command or query was inherited, the nearest first."""
    while (function := getattr(function, "__wrapped__", None)) is not None:  # type: ignore[assignment]
        yield function


def journal_of(machine: StateMachine) -> Journal:
    """Where the changes of ``machine``'s state are noted."""
    return cast(Journal, machine.__dict__[JOURNAL])


def state_of(machine: StateMachine) -> dict[str, Any]:
    """The attributes that make up the state, by name."""
    return {name: value for name, value in machine.__dict__.items() if name != JOURNAL}


def replace_state(machine: StateMachine, attributes: Mapping[str, Any]) -> None:
    """Have ``attributes`` for the state, and nothing else.  Their containers are tracked in the machine's journal."""
    journal = journal_of(machine)
    # What a property of a later release hides stays out of its way.
    machine.__dict__.clear()
    machine.__dict__.update(attributes)
    machine.__dict__[JOURNAL] = journal
    journal.forget()


_methods: dict[type, dict[tuple[bool, str, int], Method]] = {}


def methods_of(kind: type[StateMachine]) -> dict[tuple[bool, str, int], Method]:
    """The marked methods of a class, by whether each is a command, its name, and its version.

    Raises:
        ContractError: if one of them, or the class, does not keep the contract; the message says what to change.
    """
    found = _methods.get(kind)
    if found is None:
        found = _methods[kind] = _read_methods(kind)
    return found


def _read_methods(kind: type[StateMachine]) -> dict[tuple[bool, str, int], Method]:
    if any(vars(parent).get("__slots__") for parent in kind.__mro__):
        raise ContractError(f"{kind.__name__} has __slots__, in which changes go unnoticed: leave them out")
    methods: dict[tuple[bool, str, int], Method] = {}
    for attribute in sorted(name for parent in kind.__mro__ for name in vars(parent)):
        function = getattr(kind, attribute)
        mark = getattr(function, MARK, None)
        if not isinstance(mark, Mark):
            continue
        method = Method(kind, attribute, function, mark)
        same = methods.setdefault((method.is_command, method.name, method.version), method)
        if same.function is not method.function:
            raise ContractError(f"{kind.__name__} has two methods that are {method}: give one another name or version")
    if not any(method.is_command for method in methods.values()):
        raise ContractError(f"{kind.__name__} has no command: mark the methods that change its state with @command")
    return methods
