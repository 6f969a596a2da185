"""The guard around a user's machine: each call in its own surroundings, each rule of ``ByteMachine`` looked at.

Knows: what a machine promises (``paxon.rsm.machine``).  Does not know: which of the members has it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol, cast

from paxon.errors import InvariantViolation, LedgerTooNew
from paxon.rsm.attempt import failure
from paxon.rsm.machine import ByteMachine, Capturable, Context, Timed
from paxon.sim.guard.surroundings import Surroundings
from paxon.sim.guard.typed import user_machine
from paxon.sim.guard.watch import listen
from paxon.sim.machine import Raised, Result

SHOWN_BYTES = 80
"""How much of a command or result a report shows."""


class MachineAtFault(InvariantViolation):
    """A state machine breaks what it promises; the text says which promise and with which command."""


class Digesting(Protocol):
    """A machine that can say by itself whether its state equals another's."""

    def digest(self) -> bytes:
        """Equal exactly if the states are equal."""


def shown(value: Result) -> str:
    """A command, result or answer, short enough for a line."""
    if isinstance(value, Raised):
        return f"raised {value.text}"
    text = repr(value[:SHOWN_BYTES])
    return f"{text} and {len(value) - SHOWN_BYTES} more bytes" if len(value) > SHOWN_BYTES else text


def enclosed(number: int, command: bytes) -> bytes:
    """``command`` as the simulator sends it.  Users' commands may be equal, and the oracle tells commands apart."""
    return b"%d %b" % (number, command)


def opened(command: bytes) -> bytes:
    """The user's own command."""
    return command.partition(b" ")[2]


class GuardedMachine:
    """Satisfies ``ComparedMachine`` around the user's machine that ``make`` makes.

    ``probes`` are questions, one for each command, the same for every machine of a kind: their
    answers stand for the state of a machine that has no ``digest`` of its own.
    """

    def __init__(
        self, make: Callable[[], ByteMachine], surroundings: Surroundings, probes: Iterator[bytes] | None
    ) -> None:
        listen()
        with surroundings:
            self.machine = make()
        self._surroundings = surroundings
        self._probes = probes
        self._digest = getattr(self.machine, "digest", None)
        self._timed = self.machine if isinstance(self.machine, Timed) else None
        self._applied = 0
        kind = type(user_machine(self.machine))
        self._name = f"{kind.__module__}:{kind.__qualname__}"
        self._check_deeds(f"{self._name}: making one")
        self.digest = self._own_digest()
        """The machine's own digest; without one, the answer to the latest probe."""

    def apply(self, command: bytes, context: Context) -> bytes:
        """Apply an enclosed command, and what time has made due before it.

        Raises:
            MachineAtFault: if the machine breaks a promise that one command can show.
            Exception: what the machine raises.
        """
        self._applied += 1
        command = opened(command)
        what = f"{self._name}: apply of command {self._applied} ({shown(command)}, slot {context.slot})"
        before = self.digest if self._timed is None else self._after_what_is_due(self._timed, context)
        try:
            with self._surroundings:
                result: object = self.machine.apply(command, context)
        except (InvariantViolation, LedgerTooNew, MemoryError):
            raise
        except Exception as error:
            self._check_deeds(what)
            self.digest = self._state()
            if self._digest is not None and self.digest != before:
                raise MachineAtFault(
                    f"{what} raised {failure(error)} after it had changed the state: "
                    f"the digest was {shown(before)} and is {shown(self.digest)}; look before you change"
                ) from error
            raise
        self._check_deeds(what)
        self.digest = self._state()
        if not isinstance(result, bytes):
            raise MachineAtFault(f"{what} returned {type(result).__name__} where bytes are due")
        return result

    def query(self, question: bytes) -> bytes:
        """Ask a question.

        Raises:
            MachineAtFault: if the machine breaks a promise that one question can show.
            Exception: what the machine raises.
        """
        what = f"{self._name}: query({shown(question)}) after {self._applied} commands"
        before = self._own_digest()
        try:
            with self._surroundings:
                answer: object = self.machine.query(question)
        finally:
            self._check_deeds(what)
            after = self._own_digest()
            if before != after:
                raise MachineAtFault(
                    f"{what} changed the state: the digest was {shown(before)} and is {shown(after)}; "
                    "questions change nothing"
                )
        if not isinstance(answer, bytes):
            raise MachineAtFault(f"{what} returned {type(answer).__name__} where bytes are due")
        return answer

    def _after_what_is_due(self, timed: Timed, context: Context) -> bytes:
        """The digest of the state in which a command finds it."""
        with self._surroundings:
            due_ms = timed.next_due_ms()
            if due_ms is not None and due_ms <= context.now_ms:
                timed.on_due(context)
        self._check_deeds(f"{self._name}: on_due (slot {context.slot})")
        return self._own_digest()

    def _state(self) -> bytes:
        if self._digest is not None:
            return self._own_digest()
        if self._probes is None:
            return b""
        question = next(self._probes)
        try:
            answer = self.query(question)
        except (InvariantViolation, MemoryError):
            raise
        except Exception as error:
            answer = str(failure(error)).encode()
        return b"%b to the question %b" % (answer, question)

    def _own_digest(self) -> bytes:
        if self._digest is None:
            return b""
        try:
            with self._surroundings:
                digest: object = self._digest()
        except (InvariantViolation, MemoryError):
            raise
        except Exception as error:
            raise MachineAtFault(f"{self._name}: digest() raised {failure(error)}") from error
        self._check_deeds(f"{self._name}: digest()")
        if not isinstance(digest, bytes):
            raise MachineAtFault(f"{self._name}: digest() returned {type(digest).__name__} where bytes are due")
        return digest

    def _check_deeds(self, what: str) -> None:
        deeds = self._surroundings.deeds
        if deeds:
            told, self._surroundings.deeds = "; ".join(dict.fromkeys(deeds)), []
            raise MachineAtFault(f"{what} {told}: a state machine reaches nothing beyond its own state")


class CapturedGuard(GuardedMachine):
    """The same around a machine that can be captured and says itself what its state is; it satisfies ``Capturable``."""

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        with self._surroundings:
            pieces = cast(Capturable, self.machine).capture()
        self._check_deeds(f"{self._name}: capturing the state")
        return pieces

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        taken = list(pieces)
        with self._surroundings:
            cast(Capturable, self.machine).restore(taken)
        self._check_deeds(f"{self._name}: restoring the state")
        self.digest = self._own_digest()
