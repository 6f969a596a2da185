"""Applies decrees to a state machine: in slot order, each command once, whatever the machine does.

Knows: slots, decrees, and that a failing command is a result like any other (the log must
never wedge on one).  Does not know: ballots, clients, or what a command says.
"""

from paxon.core.decree import FIRST_SLOT, Decree, Slot
from paxon.errors import ApplyFailed, InvariantViolation, LedgerTooNew, check
from paxon.rsm.machine import Context, StateMachine

Result = bytes | ApplyFailed
"""What applying one command gives: the machine's bytes, or the decided failure as a value, not raised.

Success is bare bytes because a wrapper per command would cost more than the rest of the loop.
"""


class Applier:
    """One state machine and how far it has come.

    Invariants: every slot in ``[FIRST_SLOT, applied_until)`` was applied, once and in order,
    and no other; ``now_ms`` is the highest stamp among them.
    """

    def __init__(self, machine: StateMachine) -> None:
        self._machine = machine
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
            InvariantViolation: if ``slot`` is not the next one, or the machine found itself broken.
            LedgerTooNew: from the machine, if its code does not have the command: other members may.
            MemoryError: from the machine.  Memory is this member's own affair and not decided
                by the command: were it taken for a result, this member would part from the others.
        """
        check(slot == self._applied_until, "slots are applied in order, each once")
        if decree.stamp_ms > self._now_ms:
            self._now_ms = decree.stamp_ms
        context = Context(slot, self._now_ms)
        apply = self._machine.apply
        results: list[Result] = []
        for command in decree.commands:
            try:
                result: object = apply(command, context)
            except (InvariantViolation, LedgerTooNew, MemoryError):
                raise
            except Exception as error:
                results.append(_failure(error))
            else:
                # A wrong type would only surface far from here, on a wire that cannot carry it.
                results.append(result if isinstance(result, bytes) else _not_bytes(result))
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
            raise _failure(error) from error
        if not isinstance(answer, bytes):
            raise _not_bytes(answer)
        return answer


def _failure(error: Exception) -> ApplyFailed:
    """``error`` as a value: its name and text only, for a traceback would keep the machine's frames alive."""
    text = str(error)
    return ApplyFailed(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _not_bytes(result: object) -> ApplyFailed:
    return ApplyFailed(f"the state machine returned {type(result).__name__} where bytes are due")
