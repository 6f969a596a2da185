"""Applies decrees to a state machine: in slot order, each command once, whatever the machine does.

Knows: slots, decrees, and that a failing command is a result like any other (the log must
never wedge on one).  Does not know: ballots, clients, or what a command says.
"""

from paxon.core.decree import FIRST_SLOT, Decree, Slot
from paxon.errors import InvariantViolation, check
from paxon.rsm.attempt import Result, attempt, failure, not_bytes
from paxon.rsm.machine import Batched, ByteMachine, Context


class Applier:
    """One state machine and how far it has come.

    Invariants: every slot in ``[FIRST_SLOT, applied_until)`` was applied, once and in order,
    and no other; ``now_ms`` is the highest stamp among them.
    """

    def __init__(self, machine: ByteMachine) -> None:
        self._machine = machine
        self._batched = machine if isinstance(machine, Batched) else None
        self._applied_until = FIRST_SLOT
        self._now_ms = 0

    @property
    def applied_until(self) -> Slot:
        """Every slot below has been applied."""
        return self._applied_until

    @property
    def now_ms(self) -> int:
        """The decided time of the last applied slot; 0 before the first."""
        return self._now_ms

    def apply(self, slot: Slot, decree: Decree) -> list[Result]:
        """Apply the commands of ``decree``; the results are in their order.  A no-op applies nothing.

        Raises:
            InvariantViolation: if ``slot`` is not the next one.
            Exception: see ``attempt``.
        """
        check(slot == self._applied_until, "slots are applied in order, each once")
        if decree.stamp_ms > self._now_ms:
            self._now_ms = decree.stamp_ms
        context = Context(slot, self._now_ms)
        if self._batched is not None:
            results = self._batched.apply_all(decree.commands, context)
        else:
            machine = self._machine
            results = [attempt(machine, command, context) for command in decree.commands]
        self._applied_until = Slot(slot + 1)
        return results

    def query(self, question: bytes) -> bytes:
        """The machine's answer from the state of all slots below ``applied_until``.

        Raises:
            ApplyFailed: if the machine raised.
        """
        try:
            answer: object = self._machine.query(question)
        except (InvariantViolation, MemoryError):
            raise
        except Exception as error:
            raise failure(error) from error
        if not isinstance(answer, bytes):
            raise not_bytes(answer)
        return answer
