"""Replicated objects: a user's ``StateMachine`` behind the bytes that members agree on.

Knows: how calls and their replies are spelled, and what a failed call leaves behind: nothing.
Does not know: who calls, and whether the call was decided once or twice.

A call is a MessagePack array of the method's name, its version, its fingerprint, and a map of its
arguments by name.  A reply is an array of one for a result, and of three for a refusal: the
refusal's class by module and name, its arguments, and its text for those who do not have the class.
"""

from collections.abc import Callable
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, cast

from msgspec import Raw, Struct, msgpack

from paxon.errors import BadRequest, ContractError, InvariantViolation, LedgerTooNew, NotYetKnown, Rejected
from paxon.rsm.contract import MARK, Ability, Context, Mark, Method, StateMachine, journal_of, methods_of
from paxon.rsm.machine import MALFORMED
from paxon.rsm.machine import Context as Decided
from paxon.rsm.tracked import plain

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")


class Call(Struct, frozen=True, array_like=True):
    """One call in bytes."""

    name: str
    version: int
    fingerprint: bytes
    arguments: Raw


class Returned(Struct, Generic[R], frozen=True, array_like=True, tag=1):
    """The method returned ``result``."""

    result: R


class Refused(Struct, frozen=True, array_like=True, tag=2):
    """The method raised a ``Rejected``: the class ``kind``, made of ``arguments``; ``text`` is what it says."""

    kind: str
    arguments: tuple[Any, ...]
    text: str


_encode: Final = msgpack.Encoder().encode
_decode_call: Final = msgpack.Decoder(Call).decode
_decode_reply: Final = msgpack.Decoder(Returned[Raw] | Refused).decode


class Signature:
    """The calls that a class of state machines understands, in bytes."""

    def __init__(self, kind: type[StateMachine]) -> None:
        """
        Raises:
            ContractError: if ``kind`` cannot be replicated as it is written.
        """
        self.kind = kind
        self._methods = methods_of(kind)
        self.abilities: tuple[Ability, ...] = tuple(
            method.ability for method in self._methods.values() if method.is_command
        )
        """Every command, in an order that is the same in every process."""

    @property
    def methods(self) -> list[Method]:
        """Every command and query."""
        return list(self._methods.values())

    def method(self, function: Callable[..., Any], is_command: bool) -> Method:
        """The marked method that ``function`` is.

        Raises:
            ContractError: if it is none of this class, or of the other kind.
        """
        mark = getattr(function, MARK, None)
        if isinstance(mark, Mark):
            method = self._methods.get((mark.is_command, mark.name, mark.version))
            if method is not None and method.function is function:
                if mark.is_command is is_command:
                    return method
                remedy = "read it, and do not submit it" if is_command else "submit it: it changes the state"
                raise ContractError(f"{self.kind.__name__}.{function.__name__} is a {method}: {remedy}")
        raise ContractError(
            f"{getattr(function, '__qualname__', function)!r} is no marked method of {self.kind.__name__}"
        )

    def encode_call(self, method: Method, *arguments: Any, **named: Any) -> bytes:
        """A call of ``method`` in bytes.

        Raises:
            TypeError: if the arguments do not fit the method, or are not of their types.
        """
        record = method.arguments(*(plain(argument) for argument in arguments), **named)
        body = _encode(record)
        try:
            # Whoever is wrong learns it here, and not when every member has refused the call.
            method.read_arguments(body)
        except BadRequest as error:
            raise TypeError(str(error)) from error.__cause__
        return _encode(Call(method.name, method.version, method.fingerprint, Raw(body)))

    def decode_reply(self, method: Method, reply: bytes) -> Any:
        """The result that ``reply`` carries.

        Raises:
            Rejected: if the method refused: of the class that it raised, where that class is known here.
        """
        decoded = _decode_reply(reply)
        if not isinstance(decoded, Refused):
            return method.read_result(decoded.result)
        raise _refusal(decoded)

    def find(self, call: Call, is_command: bool) -> Method | None:
        """The method that is called, if this code has exactly that one."""
        method = self._methods.get((is_command, call.name, call.version))
        return method if method is not None and method.fingerprint == call.fingerprint else None


class ReplicatedObject(Generic[M]):
    """Satisfies ``rsm.machine.ByteMachine`` for a state machine of a user's class.

    Invariant: between two calls nothing is noted in the state's journal.
    """

    def __init__(self, machine: M, on_event: Callable[[str, bytes], None] = lambda topic, event: None) -> None:
        """``on_event`` is given what commands emit, once they have succeeded.

        Raises:
            ContractError: if the class of ``machine`` cannot be replicated as it is written.
        """
        self.machine = machine
        self.signature = Signature(type(machine))
        self.failures = 0
        """How many commands raised what was no ``Rejected``: bugs in the state machine, or in its callers."""
        self._journal = journal_of(machine)
        self._journal.forget()
        self.usable: frozenset[Ability] | None = None
        """The commands that may be carried out, which is decided elsewhere; ``None`` for all that there are."""
        self.is_timed = type(machine).next_due_ms is not StateMachine.next_due_ms
        self._on_event = on_event
        self._slot = 0
        self._number = 0

    def check(self, command: bytes) -> None:
        """See that a command is one that this code can carry out, before anybody decides on it.

        Raises:
            BadRequest: if it is not.
        """
        call = _call(command)
        method = self.signature.find(call, is_command=True)
        if method is None:
            raise BadRequest(f"{_told(call)} is no command of {self.signature.kind.__name__} here")
        method.read_arguments(call.arguments)

    def apply(self, command: bytes, context: Decided) -> bytes:
        """Call the method that ``command`` names; the result is an encoded reply.

        Raises:
            NotYetKnown: if it is none of the ``usable`` ones.
            LedgerTooNew: if this code does not have that very method: going on would part the members.
            BadRequest: if the call makes no sense to anybody.
            Exception: whatever the method raises that is no ``Rejected``; the state is then as before.
        """
        self._number = self._number + 1 if context.slot == self._slot else 0
        self._slot = context.slot
        call = _call(command)
        if self.usable is not None and (call.name, call.version, call.fingerprint) not in self.usable:
            raise NotYetKnown(f"not every member has {_told(call)} yet")
        method = self.signature.find(call, is_command=True)
        if method is None:
            raise LedgerTooNew(
                f"slot {context.slot} calls {_told(call)}, which {self.signature.kind.__name__} does not have here: "
                "start the release of your program that has it"
            )
        arguments = method.read_arguments(call.arguments)
        ours = Context(context.slot, context.now_ms, self._number, context.session)
        return self._run(ours, lambda: _encode(Returned(plain(method.call(self.machine, ours, arguments=arguments)))))

    def next_due_ms(self) -> int | None:
        """See ``Timed``."""
        return self.machine.next_due_ms()

    def on_due(self, context: Decided) -> None:
        """See ``Timed``.  A machine that raises there is left as it was, and counted."""
        ours = Context(context.slot, context.now_ms)

        def work() -> bytes:
            self.machine.on_due(ours)
            return b""

        try:
            self._run(ours, work)
        except (InvariantViolation, MemoryError):
            raise
        except Exception:  # noqa: S110  # Counted, and nobody waits for an answer.
            pass

    def _run(self, context: Context, work: Callable[[], bytes]) -> bytes:
        """What ``work`` returns, all or nothing: its changes of the state and what it emits."""
        journal = self._journal
        try:
            reply = work()
            events = [(topic, _encode(plain(event))) for topic, event in context.emitted] if context.emitted else ()
        except Rejected as refusal:
            journal.take_back()
            return _encode_refusal(refusal)
        except (InvariantViolation, MemoryError):
            raise  # This member's own affair, and its end: nothing of it is decided.
        except Exception:
            journal.take_back()
            self.failures += 1
            raise
        journal.forget()
        for topic, event in events:
            self._on_event(topic, event)
        return reply

    def query(self, question: bytes) -> bytes:
        """Call the query that ``question`` names; whatever it changes is taken back.

        Raises:
            BadRequest: if this code does not have that query.
            Exception: whatever the method raises that is no ``Rejected``.
        """
        call = _call(question)
        method = self.signature.find(call, is_command=False)
        if method is None:
            raise BadRequest(f"{_told(call)} is no query of {self.signature.kind.__name__} here")
        try:
            return _encode(Returned(plain(method.call(self.machine, arguments=method.read_arguments(call.arguments)))))
        except Rejected as refusal:
            return _encode_refusal(refusal)
        finally:
            # A query that changed something would part this member from the others.
            self._journal.take_back()


def submission(
    signature: Signature,
    method: Callable[Concatenate[M, Context, P], R],
    *arguments: P.args,
    **named: P.kwargs,
) -> tuple[bytes, Callable[[bytes], R]]:
    """A command in bytes, and how to read its reply.

    Raises:
        ContractError: if ``method`` is no command of the class.
        TypeError: if the arguments do not fit it.
    """
    found = signature.method(method, is_command=True)
    return signature.encode_call(found, *arguments, **named), lambda reply: cast(
        R, signature.decode_reply(found, reply)
    )


def question(
    signature: Signature, method: Callable[Concatenate[M, P], R], *arguments: P.args, **named: P.kwargs
) -> tuple[bytes, Callable[[bytes], R]]:
    """A query in bytes, and how to read its reply.

    Raises:
        ContractError: if ``method`` is no query of the class.
        TypeError: if the arguments do not fit it.
    """
    found = signature.method(method, is_command=False)
    return signature.encode_call(found, *arguments, **named), lambda reply: cast(
        R, signature.decode_reply(found, reply)
    )


def _call(call: bytes) -> Call:
    try:
        return _decode_call(call)
    except MALFORMED as error:
        raise BadRequest(f"this is no call of a replicated object: {error}") from error


def _told(call: Call) -> str:
    return f"{call.name} (version {call.version}, fingerprint {call.fingerprint.hex()})"


def _encode_refusal(refusal: Rejected) -> bytes:
    kind = type(refusal)
    name = f"{kind.__module__}:{kind.__qualname__}"
    arguments = tuple(plain(argument) for argument in refusal.args)
    return _encode(Refused(name, arguments, str(refusal)))


def _refusal(refused: Refused) -> Rejected:
    for kind in _kinds_of(Rejected):
        if f"{kind.__module__}:{kind.__qualname__}" == refused.kind:
            return kind(*refused.arguments)
    return Rejected(refused.text or refused.kind)


def _kinds_of(kind: type[Rejected]) -> list[type[Rejected]]:
    return [kind, *(grandchild for child in kind.__subclasses__() for grandchild in _kinds_of(child))]
