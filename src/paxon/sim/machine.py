"""What goes through the simulator: a state machine that can be compared, and what clients ask of it.

The one that is used unless a user brings another (``paxon.sim.guard``) shows order and repetition:
numbered registers, and a count of every command ever applied.
"""

import hashlib
from collections.abc import Generator, Iterable
from random import Random
from typing import Protocol, runtime_checkable

from msgspec import Struct

from paxon.errors import InvariantViolation
from paxon.rsm.attempt import attempt, failure
from paxon.rsm.machine import ByteMachine, Context
from paxon.rsm.pieces import begun
from paxon.sim.strikes import Strikes

POISON = b"poison"
"""The registers raise on a command whose first word is this."""

ABSENT = b"-"
"""What a register holds before anything was put there."""

KEYS = 5
"""Registers that the clients share: few, so that commands meet."""

PADDING_BYTES_MAX = 3_000
"""The largest commands are about this long: enough to fill segments and to split batches."""


class Raised(Struct, frozen=True, array_like=True):
    """The machine raised, and this is what the one who asked is told."""

    text: str

    @classmethod
    def of(cls, error: Exception) -> "Raised":
        """In the words of the applier."""
        return cls(str(failure(error)))


Result = bytes | Raised
"""What one command gave.  Both kinds are decided."""


class ComparedMachine(ByteMachine, Protocol):
    """A state machine whose state can be compared with that of another member."""

    @property
    def digest(self) -> bytes:
        """Equal for two machines that applied the same commands."""


@runtime_checkable
class Caretaker(Protocol):
    """A machine for which its member submits something on nobody's behalf (``rsm.errands``)."""

    def errand(self, is_leader: bool, now_ms: int) -> bytes | None:
        """What to submit next, if anything is to be; ``now_ms`` is the member's wall clock."""

    def next_due_ms(self) -> int | None:
        """See ``Timed``."""


class Orders(Protocol):
    """What the clients of one run ask for."""

    def command(self, number: int) -> bytes:
        """The command of this number, unlike any other of the run."""

    def question(self) -> bytes | None:
        """Something to read; ``None`` if the clients only see how far a member has come."""


def result_of(machine: ByteMachine, command: bytes, context: Context) -> Result:
    """Apply a command.

    Raises:
        Exception: see ``attempt``.
    """
    result = attempt(machine, command, context)
    return result if isinstance(result, bytes) else Raised(str(result))


def answer_of(machine: ByteMachine, question: bytes) -> Result:
    """Ask a question.

    Raises:
        InvariantViolation: if the machine found itself broken.
        MemoryError: from the machine.
    """
    try:
        return machine.query(question)
    except (InvariantViolation, MemoryError):
        raise
    except Exception as error:
        return Raised.of(error)


class Registers:
    """Satisfies ``ComparedMachine`` and ``Capturable``.  A command is ``WORD TOKEN KEY`` with blanks, and padding.

    The result tells how many commands came before and what the register held, so two runs that
    differ in order, or in how often a command was applied, differ in results and in ``digest``.
    """

    def __init__(self) -> None:
        self.applied = 0
        self.digest = b""
        self._registers: dict[bytes, bytes] = {}

    def apply(self, command: bytes, context: Context) -> bytes:
        """Put the token into the register and return what it held.

        Raises:
            ValueError: if the command is poison.
        """
        word, token, key, *_ = command.split(b" ", 3)
        if word == POISON:
            raise ValueError(token.decode())
        previous = self._registers.get(key, ABSENT)
        self._registers[key] = token
        self.applied += 1
        state = b"%s %d %d %s" % (self.digest, context.slot, context.now_ms, command)
        self.digest = hashlib.blake2b(state, digest_size=16).digest()
        return b"%d %s" % (self.applied, previous)

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``: the count and the digest, then a piece for each register."""
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        head, registers = b"%d %s" % (self.applied, self.digest), dict(self._registers)
        yield b""
        yield head
        for register in registers.items():
            yield b"%s %s" % register

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        head, *registers = pieces
        applied, self.digest = head.split(b" ", 1)
        self.applied = int(applied)
        self._registers.clear()
        for register in registers:
            key, token = register.split(b" ", 1)
            self._registers[key] = token

    def query(self, question: bytes) -> bytes:
        """What the register named ``question`` holds."""
        return self._registers.get(question, ABSENT)


class RegisterOrders:
    """Satisfies ``Orders`` for ``Registers``."""

    def __init__(self, commands: Random, questions: Random, strikes: Strikes) -> None:
        self._commands = commands
        self._questions = questions
        self._strikes = strikes

    def command(self, number: int) -> bytes:
        """See ``Orders``; some are poison."""
        random = self._commands
        is_poison = random.random() < 0.03 and self._strikes.strike("P7", f"command {number} raises")
        word = POISON if is_poison else b"put"
        padding = b"." * random.choice((0, 0, 20, 200, random.randint(0, PADDING_BYTES_MAX)))
        return b"%s %d r%d %s" % (word, number, random.randrange(KEYS), padding)

    def question(self) -> bytes:
        """See ``Orders``: the name of a register."""
        return b"r%d" % self._questions.randrange(KEYS)
