"""A user's class of commands and queries as a machine of bytes for the simulator, and its calls as bytes.

Knows: how typed calls are spelled, and what of a class the simulator compares.  Does not know: members.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from random import Random
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast, overload

from msgspec import Struct, msgpack

from paxon.errors import ConfigurationError, ContractError
from paxon.rsm.calls import Spelling
from paxon.rsm.contract import Context, StateMachine
from paxon.rsm.machine import ByteMachine
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import ReplicatedObject, Signature
from paxon.sim.guard.draws import Draws
from paxon.sim.guard.workloads import Draw, Workload

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")


class Call(Struct, frozen=True):
    """A call of a typed command or query, as a workload yields it."""

    method: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]


@overload
def call(method: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs) -> Call: ...
@overload
def call(method: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> Call: ...
def call(method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Call:
    """One command or query, to be yielded by ``simulated_commands`` or ``simulated_queries``.

    @staticmethod
    def simulated_commands(random: Random) -> Iterator[Call]:
        while True:
            yield call(Inventory.supply, "sku-1", random.randint(1, 5))
    """
    return Call(method, arguments, named)


class Outcome(Struct, frozen=True, array_like=True):
    """What a command of a typed machine gives in the simulator: its reply, and what it emitted.

    With the events in the result, members that emit different ones are found as those that answer differently.
    """

    reply: bytes
    events: list[tuple[str, bytes]]


_encode: Final = msgpack.Encoder().encode
_decode: Final = msgpack.Decoder(Outcome).decode


class TypedMachine:
    """Satisfies ``ByteMachine``, ``Timed``, ``Digesting`` and ``Capturable`` for an object of a user's class."""

    def __init__(self, machine: StateMachine) -> None:
        """
        Raises:
            ContractError: if the class cannot be replicated as it is written.
        """
        self.machine = machine
        self._events: list[tuple[str, bytes]] = []
        self._object = ReplicatedObject(machine, lambda topic, event: self._events.append((topic, event)))
        self.signature = self._object.signature

    def apply(self, command: bytes, context: Decided) -> bytes:
        """See ``ByteMachine``.  The result is an ``Outcome``."""
        try:
            reply = self._object.apply(command, context)
            return _encode(Outcome(reply, self._events))
        finally:
            self._events = []

    def next_due_ms(self) -> int | None:
        """See ``Timed``."""
        return self._object.next_due_ms()

    def on_due(self, context: Decided) -> None:
        """See ``Timed``."""
        self._object.on_due(context)

    def query(self, question: bytes) -> bytes:
        """See ``ByteMachine``."""
        return self._object.query(question)

    def digest(self) -> bytes:
        """That of a capture of the whole state: the class needs no ``digest`` of its own."""
        digest = hashlib.blake2b(digest_size=16)
        for piece in self._object.capture():
            digest.update(b"%d %b" % (len(piece), piece))
        return digest.digest()

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``.  Made whole at once: digests are wanted while it is being written."""
        return _one_by_one(list(self._object.capture()))

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        self._object.restore(pieces)


def adapted(make: Callable[[], Any]) -> Callable[[], ByteMachine]:
    """``make`` as it is, or, if it makes objects of a typed class, something that makes machines of bytes of them.

    Raises:
        ConfigurationError: if the class cannot be replicated as it is written.
    """
    try:
        machine = make()
        if not isinstance(machine, StateMachine):
            return make
        TypedMachine(machine)
    except ContractError as error:
        raise ConfigurationError(str(error)) from error
    except Exception:
        return make  # Whoever makes one for use tells why it cannot be made.
    return lambda: TypedMachine(make())


def user_machine(machine: ByteMachine) -> Any:
    """The user's own object, whichever way it was adapted."""
    return machine.machine if isinstance(machine, TypedMachine) else machine


def spelled(signature: Signature, workload: Workload) -> Workload:
    """A workload of calls as one of bytes; what it says in bytes stays as it is."""
    questions = workload.questions
    return Workload(
        None if workload.commands is None else _in_bytes(signature, workload.commands, is_command=True),
        None if questions is None else _in_bytes(signature, questions, is_command=False),
    )


def any_calls(signature: Signature) -> Workload:
    """A workload that calls whatever there is, with arguments drawn by their types."""
    commands, questions = list(signature.commands.values()), list(signature.queries.values())
    return Workload(_drawn(commands), _drawn(questions) if questions else None)


def outcome_in(spelling: Spelling, result: bytes) -> Any:
    """What a command returned.

    Raises:
        Rejected: as the command did.
    """
    return spelling.result(_decode(result).reply)


def _one_by_one(pieces: list[bytes]) -> Generator[bytes, None, None]:
    yield from pieces


def _in_bytes(signature: Signature, draw: Draw, is_command: bool) -> Draw:
    def draw_bytes(random: Random) -> Iterator[bytes]:
        for drawn in cast(Iterator[object], draw(random)):
            if isinstance(drawn, Call):
                yield signature.spelling(drawn.method, is_command).call(*drawn.arguments, **drawn.named)
            else:
                yield cast(bytes, drawn)

    draw_bytes.__qualname__ = getattr(draw, "__qualname__", repr(draw))
    return draw_bytes


def _drawn(spellings: list[Spelling]) -> Draw:
    def draw(random: Random) -> Iterator[bytes]:
        draws = Draws(random)
        while True:
            spelling = random.choice(spellings)
            yield spelling.call(**draws.arguments(spelling.method.arguments))

    return draw
