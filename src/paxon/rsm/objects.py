"""Replicated objects: a user's ``StateMachine`` behind the bytes that members agree on.

Knows: what a failed call leaves behind: nothing.  Does not know: who calls, and whether the call was
decided once or twice, or how it is spelled (``calls`` does).
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from paxon.errors import BadRequest, ContractError, InvariantViolation, LedgerTooNew, NotYetKnown, Rejected
from paxon.rsm.attempt import failure
from paxon.rsm.calls import Spelling, encode, encode_refusal, encode_result, head_of, read_head, told
from paxon.rsm.contract import Ability, Context, StateMachine, journal_of, methods_of
from paxon.rsm.machine import Context as Decided
from paxon.rsm.snapshots import Snapshots
from paxon.rsm.tracked import plain

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")


class Signature:
    """The calls that a class of state machines understands."""

    def __init__(self, kind: type[StateMachine]) -> None:
        """
        Raises:
            ContractError: if ``kind`` cannot be replicated as it is written.
        """
        self.kind = kind
        self.spellings = [Spelling(method) for method in methods_of(kind).values()]
        self.commands = {spelling.head: spelling for spelling in self.spellings if spelling.method.is_command}
        self.queries = {spelling.head: spelling for spelling in self.spellings if not spelling.method.is_command}
        self.abilities: tuple[Ability, ...] = tuple(spelling.method.ability for spelling in self.commands.values())
        """Every command, in an order that is the same in every process."""

    def spelling(self, function: Callable[..., Any], is_command: bool) -> Spelling:
        """That of the marked method that ``function`` is.

        Raises:
            ContractError: if it is none of this class, or of the other kind.
        """
        for spelling in self.spellings:
            method = spelling.method
            if method.function is function:
                if method.is_command is is_command:
                    return spelling
                raise wrong_kind(spelling, self.kind.__name__)
        raise ContractError(
            f"{getattr(function, '__qualname__', function)!r} is no marked method of {self.kind.__name__}"
        )


def wrong_kind(spelling: Spelling, owner: str) -> ContractError:
    """The error of one who submits a query, or reads a command."""
    if spelling.method.is_command:
        return ContractError(f"{spelling.method} of {owner} changes the state: submit it, and do not read it")
    return ContractError(f"{spelling.method} of {owner} changes nothing: read it, and do not submit it")


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
        self._usable: frozenset[Ability] | None = None
        self._commands = self.signature.commands
        """Those that are usable, by their heads."""
        self.is_timed = type(machine).next_due_ms is not StateMachine.next_due_ms
        self._on_event = on_event
        self._snapshots = Snapshots(machine)
        self._slot = 0
        self._number = 0

    @property
    def usable(self) -> frozenset[Ability] | None:
        """The commands that may be carried out, which is decided elsewhere; ``None`` for all that there are."""
        return self._usable

    @usable.setter
    def usable(self, abilities: frozenset[Ability] | None) -> None:
        self._usable = abilities
        commands = self.signature.commands.items()
        self._commands = {
            head: spelling for head, spelling in commands if abilities is None or spelling.method.ability in abilities
        }

    def check(self, command: bytes) -> Ability:
        """See that a command is one that this code can carry out, before anybody decides on it; which one it is.

        Raises:
            BadRequest: if it is not.
        """
        spelling = self.signature.commands.get(head_of(command))
        if spelling is None:
            raise BadRequest(f"{told(read_head(command))} is no command of {self.signature.kind.__name__} here")
        spelling.arguments(command)
        return spelling.method.ability

    def apply(self, command: bytes, context: Decided) -> bytes:
        """Call the method that ``command`` names; the result is an encoded reply.

        Raises:
            NotYetKnown: if it is none of the ``usable`` ones.
            LedgerTooNew: if this code does not have that very method: going on would part the members.
            BadRequest: if the call makes no sense to anybody.
            Exception: whatever the method raises that is no ``Rejected``; the state is then as before.
        """
        slot = context.slot
        if slot == self._slot:
            self._number += 1
        else:
            self._slot, self._number = slot, 0
        spelling = self._commands.get(head_of(command))
        if spelling is None:
            raise self._not_here(command, slot)
        arguments = spelling.arguments(command)
        ours = Context(slot, context.now_ms, self._number, context.session)
        return self._run(ours, spelling.method.call, (self.machine, ours), arguments)

    def _not_here(self, command: bytes, slot: int) -> Exception:
        """Why a command cannot be carried out.

        Raises:
            BadRequest: if it is none.
        """
        ability = read_head(command)
        if self._usable is not None and ability not in self._usable:
            return NotYetKnown(f"not every member has {told(ability)} yet")
        return LedgerTooNew(
            f"slot {slot} calls {told(ability)}, which {self.signature.kind.__name__} does not have here: "
            "start the release of your program that has it"
        )

    def next_due_ms(self) -> int | None:
        """See ``Timed``."""
        return self.machine.next_due_ms()

    def on_due(self, context: Decided) -> None:
        """See ``Timed``.  A machine that raises there is left as it was, and counted."""
        ours = Context(context.slot, context.now_ms)
        try:
            self._run(ours, self.machine.on_due, ours)
        except (InvariantViolation, MemoryError):
            raise
        except Exception:  # noqa: S110  # Counted, and nobody waits for an answer.
            pass

    def _run(self, context: Context, work: Callable[..., Any], *arguments: Any) -> bytes:
        """The reply of ``work``, all or nothing: its changes of the state and what it emits."""
        journal = self._journal
        try:
            reply = encode_result(work(*arguments))
            emitted = context.emitted
            events = [(topic, encode(event)) for topic, event in emitted] if emitted else ()
        except Rejected as refusal:
            journal.take_back()
            return encode_refusal(refusal)
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
        spelling = self.signature.queries.get(head_of(question))
        if spelling is None:
            raise BadRequest(f"{told(read_head(question))} is no query of {self.signature.kind.__name__} here")
        arguments = spelling.arguments(question)
        try:
            return encode_result(spelling.method.call((self.machine,), arguments))
        except Rejected as refusal:
            return encode_refusal(refusal)
        finally:
            # A query that changed something would part this member from the others.
            self._journal.take_back()

    def ask(self, spelling: Spelling, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Call a query on this very state; whatever it changes is taken back.  The result is plain data.

        Raises:
            Rejected: the query's own refusal.
            TypeError: if the arguments do not fit it.
            ApplyFailed: if it raised anything else.
        """
        spelling.require_fit(arguments, named)
        try:
            return plain(spelling.method.function(self.machine, *arguments, **named))
        except (InvariantViolation, MemoryError, Rejected):
            raise
        except Exception as error:
            raise failure(error) from error
        finally:
            if not self._journal.is_empty:
                self._journal.take_back()

    @property
    def is_captured(self) -> bool:
        """Whether a capture is under way."""
        return self._journal.is_watched

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``.

        Raises:
            InvariantViolation: within a command, or while another capture is under way.
            Exception: whatever the class's own ``snapshot`` raises.
        """
        return self._snapshots.capture()

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``.  If it raises, the state is as before.

        Raises:
            SnapshotUnusable: if the pieces are no capture of this class, or hold what this program does not have.
        """
        self._snapshots.restore(pieces)


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
    found = signature.spelling(method, is_command=True)
    return found.call(*arguments, **named), lambda reply: cast(R, found.result(reply))


def question(
    signature: Signature, method: Callable[Concatenate[M, P], R], *arguments: P.args, **named: P.kwargs
) -> tuple[bytes, Callable[[bytes], R]]:
    """A query in bytes, and how to read its reply.

    Raises:
        ContractError: if ``method`` is no query of the class.
        TypeError: if the arguments do not fit it.
    """
    found = signature.spelling(method, is_command=False)
    return found.call(*arguments, **named), lambda reply: cast(R, found.result(reply))
