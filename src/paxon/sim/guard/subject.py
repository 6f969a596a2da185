"""A user's state machine as a subject of the simulator: found by name or given, checked, and put into surroundings.

Knows: what a machine must have, and what it may have: ``simulated_commands``, ``simulated_queries``
and ``digest`` (docs/testing-your-machine.md).  Does not know: what its commands mean.
"""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from random import Random
from types import ModuleType
from typing import Any

from paxon.core.decree import NodeId, Slot
from paxon.errors import ConfigurationError
from paxon.rsm.contract import StateMachine
from paxon.rsm.machine import ByteMachine, Capturable, Context
from paxon.rsm.objects import Signature
from paxon.sim.clock import EPOCH_MS
from paxon.sim.guard.interpreters import Origin
from paxon.sim.guard.machine import CapturedGuard, GuardedMachine, MachineAtFault, enclosed
from paxon.sim.guard.surroundings import Mix, Replacements, Surroundings
from paxon.sim.guard.trail import Course, Trail, walk
from paxon.sim.guard.typed import TypedMachine, adapted, any_calls, spelled, user_machine
from paxon.sim.guard.witness import GuardWitness
from paxon.sim.guard.workloads import WORKLOADS, Draw, Workload
from paxon.sim.plan import Plan, unusual
from paxon.sim.strikes import Strikes
from paxon.sim.subject import Onlookers
from paxon.sim.workload import Parliament
from paxon.sim.workload import Workload as RequestWorkload

REHEARSED = 20
"""Commands that are applied once before anything is replaced, so that what is imported or worked out at the first
use, such as the types of a decoder, is there when Python's clocks are not."""

LIVES_MAX = 1_000
"""More lives than a member has in any run: members' surroundings are numbered so that none has another's."""


class UserSubject:
    """Satisfies ``Subject`` for a user's machine."""

    def __init__(
        self,
        make: Callable[[], ByteMachine | StateMachine],
        workload: Any,
        machine: Origin,
        workload_origin: Origin | None,
    ) -> None:
        """``workload`` is ``None`` if the machine's class knows what to ask; the origins are for fresh interpreters.

        Raises:
            ConfigurationError: if this is no state machine, or nothing is known to ask of it.
        """
        self.name = str(machine)
        self.origin, self.workload_origin = machine, workload_origin
        self._make = adapted(make)
        rehearsed = _made(self._make, self.name)
        self.signature: Signature | None = rehearsed.signature if isinstance(rehearsed, TypedMachine) else None
        # What has no digest is compared by answers to probes, which only a machine that had all commands has in step.
        is_captured = isinstance(rehearsed, Capturable) and hasattr(rehearsed, "digest")
        self._guard = CapturedGuard if is_captured else GuardedMachine
        self._workload = _workload_of(make, workload, rehearsed, self.name)
        _rehearse(rehearsed, self._workload)
        self.modules = _own_modules(machine.module, type(user_machine(rehearsed)))
        self._replacements = Replacements(self.modules)
        try:
            self.reference()
        except MachineAtFault as fault:
            raise ConfigurationError(str(fault)) from fault

    @classmethod
    def found(cls, machine: Origin, workload: Origin | None) -> "UserSubject":
        """The subject that has these names.

        Raises:
            ConfigurationError: if there is no such thing, or it is no state machine.
        """
        return cls.of(_found(machine), None if workload is None else _found(workload), machine, workload)

    @classmethod
    def of(
        cls, make: Any, workload: Any = None, machine: Origin | None = None, given: Origin | None = None
    ) -> "UserSubject":
        """The subject whose machines ``make()`` makes.

        Raises:
            ConfigurationError: as ``found`` does.
        """
        if machine is None:
            machine = origin_of(make)
            given = None if workload is None else origin_of(workload)
        if not callable(make):
            raise ConfigurationError(f"{machine} is no class and no function that makes a state machine")
        return cls(make, workload, machine, given)

    @classmethod
    def by_hand(cls, make: Callable[[], ByteMachine | StateMachine]) -> "UserSubject":
        """A subject without clients.  Other hash seeds see it if a fresh interpreter can import it.

        Raises:
            ConfigurationError: if this is no state machine.
        """
        try:
            origin = origin_of(make)
        except ConfigurationError:
            origin = Origin("", getattr(make, "__qualname__", repr(make)))
        return cls(make, Workload(None, getattr(make, "simulated_queries", None)), origin, None)

    # --- Subject ---

    def plan(self, seed: int, plan: Plan) -> Plan:
        """See ``Subject``."""
        return plan

    def reference(self) -> GuardedMachine:
        """See ``Subject``."""
        return self.placed(Mix())

    def machine(self, member: NodeId, life: int, strikes: Strikes) -> GuardedMachine:
        """See ``Subject``."""
        what = f"let the machine of {member} in life {life} see another clock, chance and environment"
        number = member * LIVES_MAX + life if strikes.strike("P8", what) else 0
        return self.placed(Mix(number, number, number))

    def orders(self, seed: int, clients: Random, strikes: Strikes) -> "UserOrders":
        """See ``Subject``."""
        return UserOrders(self._workload, seed)

    def witness(self, onlookers: Onlookers) -> GuardWitness:
        """See ``Subject``."""
        return GuardWitness(self, onlookers)

    def clients(self, seed: int, onlookers: Onlookers, workload: RequestWorkload, parliament: Parliament) -> None:
        """See ``Subject``: they only ask what the machine's own workload says."""

    def running(self) -> AbstractContextManager[None]:
        """See ``Subject``."""
        return self._replacements

    def again(self, seed: int, plan: Plan) -> str:
        """See ``Subject``."""
        if self._workload.commands is None:
            return f"the same calls of a cluster with seed={seed}"
        options = [f"--machine {self.name}", f"--start {seed}", "--seeds 1"]
        if self.workload_origin is not None:
            options.insert(1, f"--workload {self.workload_origin}")
        return f"paxon simulate {' '.join(options + unusual(seed, plan))}"

    # --- alone ---

    def placed(self, mix: Mix, asked: dict[str, set[str]] | None = None) -> GuardedMachine:
        """A fresh machine in surroundings of its own; ``asked`` gets which lines asked for what."""
        surroundings = Surroundings(mix, asked)
        questions = self._workload.questions
        probes = None if questions is None else _without_end(questions, Random("probes"))
        with self._replacements:
            return self._guard(self._make, surroundings, probes)

    def walk(
        self, course: Course, mix: Mix | None = None, *, asks: bool = True, asked: dict[str, set[str]] | None = None
    ) -> Trail:
        """What becomes of a course here."""
        with self._replacements:
            return walk(lambda: self.placed(mix or Mix(), asked), course, asks=asks)


class UserOrders:
    """Satisfies ``Orders`` with what a user's workload draws."""

    def __init__(self, workload: Workload, seed: int) -> None:
        commands = workload.commands
        self._commands = iter(()) if commands is None else _without_end(commands, Random(f"{seed}/commands"))
        questions = workload.questions
        self._questions = None if questions is None else _without_end(questions, Random(f"{seed}/questions"))

    def command(self, number: int) -> bytes:
        """See ``Orders``."""
        return enclosed(number, next(self._commands))

    def question(self) -> bytes | None:
        """See ``Orders``."""
        return None if self._questions is None else next(self._questions)


@cache
def subject_named(machine: str, workload: str | None) -> UserSubject:
    """The subject of these names, as they stand on a command line: made once in a process.

    Raises:
        ConfigurationError: as ``UserSubject.found`` does, or if a name is not of the form ``package.module:Name``.
    """
    return UserSubject.found(_named(machine), None if workload is None else _named(workload))


def origin_of(thing: Any) -> Origin:
    """Where a fresh interpreter finds a class or function.

    Raises:
        ConfigurationError: if it cannot be found by its name.
    """
    module, name = getattr(thing, "__module__", ""), getattr(thing, "__qualname__", "")
    if inspect.ismodule(thing):
        module, name = thing.__name__, ""
    elif not name:
        raise ConfigurationError(f"{thing!r} has no name: give a class or a function that a module has under its name")
    if "<" in name:
        raise ConfigurationError(
            f"{name} is made inside of a function: move it into the module, so that fresh interpreters can import it"
        )
    return Origin(module, name, getattr(sys.modules.get(module), "__file__", None) or "")


def _named(text: str) -> Origin:
    module, colon, name = text.partition(":")
    if not (module and colon and name):
        raise ConfigurationError(f"{text!r} is not of the form package.module:Name")
    if os.getcwd() not in sys.path:
        # As with python -m: what lies in the current directory can be named.
        sys.path.insert(0, os.getcwd())
    return Origin(module, name)


def _found(origin: Origin) -> Any:
    thing: Any = _module(origin)
    for part in origin.name.split(".") if origin.name else ():
        if not hasattr(thing, part):
            raise ConfigurationError(f"module {origin.module} has no {origin.name}")
        thing = getattr(thing, part)
    return thing


def _module(origin: Origin) -> ModuleType:
    try:
        return importlib.import_module(origin.module)
    except ModuleNotFoundError as error:
        if not origin.file or not origin.module.startswith(error.name or "?"):
            raise ConfigurationError(f"module {origin.module} cannot be imported: {error}") from error
    except Exception as error:
        raise ConfigurationError(
            f"module {origin.module} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    # A test's module need not be on the path; its file is where it is.
    specification = importlib.util.spec_from_file_location(origin.module, origin.file)
    if specification is None or specification.loader is None:
        raise ConfigurationError(f"module {origin.module} cannot be loaded from {origin.file}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[origin.module] = module
    specification.loader.exec_module(module)
    return module


def _workload_of(make: Any, workload: Any, machine: ByteMachine, name: str) -> Workload:
    """What is asked of a machine, in bytes."""
    if not isinstance(machine, TypedMachine):
        return _given_workload(make, workload, name)
    if workload is None and not hasattr(make, "simulated_commands"):
        return any_calls(machine.signature)
    return spelled(machine.signature, _given_workload(make, workload, name))


def _given_workload(make: Any, workload: Any, name: str) -> Workload:
    """What the workload that is given says, the machine's class, or one of those that we know."""
    if isinstance(workload, Workload):
        return workload
    if workload is None:
        if make in WORKLOADS:
            return WORKLOADS[make]
        workload = make
    elif callable(workload) and not hasattr(workload, "simulated_commands"):
        return Workload(workload)
    commands: Draw | None = getattr(workload, "simulated_commands", None)
    if commands is None:
        raise ConfigurationError(
            f"nothing is known to ask of {name}: give it a static method simulated_commands(random) that yields "
            "commands, or name a workload"
        )
    return Workload(commands, getattr(workload, "simulated_queries", None))


def _made(make: Any, name: str) -> ByteMachine:
    """One machine, which has what a machine must have."""
    try:
        machine: Any = make()
    except Exception as error:
        raise ConfigurationError(f"{name} cannot be made without arguments: {type(error).__name__}: {error}") from error
    for method, arguments in (("apply", ("command", "context")), ("query", ("question",))):
        wanted = f"{method}({', '.join(arguments)})"
        function = getattr(machine, method, None)
        if not callable(function):
            raise ConfigurationError(f"{name} is no state machine: it has no method {wanted}")
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError as error:
            raise ConfigurationError(f"{name} is no state machine: {method} is not {wanted}: {error}") from error
    return machine  # type: ignore[no-any-return]


def _rehearse(machine: ByteMachine, workload: Workload) -> None:
    """Let a machine run once, with nothing replaced."""
    if workload.commands is None:
        return
    commands = _without_end(workload.commands, Random("rehearsal"))
    questions = None if workload.questions is None else _without_end(workload.questions, Random("rehearsal"))
    for number in range(1, REHEARSED + 1):
        command = next(commands)
        question = None if questions is None else next(questions)
        try:
            machine.apply(command, Context(Slot(number), EPOCH_MS + number))
            if question is not None:
                machine.query(question)
        except Exception:  # noqa: S112 - what it makes of its commands is what the runs are there to judge.
            continue


def _without_end(draw: Draw, random: Random) -> Iterator[bytes]:
    """Whatever ``draw`` yields, from the beginning again when it ends.

    Raises:
        ConfigurationError: if it yields nothing, or something else than bytes.
    """
    name = getattr(draw, "__qualname__", repr(draw))
    while True:
        is_empty = True
        for drawn in draw(random):
            given: object = drawn
            if not isinstance(given, bytes):
                raise ConfigurationError(f"{name} yields {type(given).__name__} where bytes are due")
            is_empty = False
            yield given
        if is_empty:
            raise ConfigurationError(f"{name} yields nothing")


def _own_modules(given: str, kind: type) -> tuple[ModuleType, ...]:
    """The given module, those of the machine's classes, and everything loaded of the packages that these are in."""
    names = {given, *(base.__module__ for base in kind.__mro__)} - sys.stdlib_module_names - {""}
    packages = {name.partition(".")[0] for name in names} - {"paxon"}
    return tuple(
        module for name, module in sorted(sys.modules.items()) if name in names or name.partition(".")[0] in packages
    )
