"""One command on one state machine: whatever happens is a result, unless it is this member's own affair.

Knows: which failures every member shares.  Does not know: slots' order, or who waits for the result.
"""

from paxon.errors import ApplyFailed, InvariantViolation, LedgerTooNew, NotDeterministic
from paxon.rsm.machine import ByteMachine, Context

Result = bytes | ApplyFailed
"""What applying one command gives: the machine's bytes, or the decided failure as a value, not raised.

Success is bare bytes because a wrapper per command would cost more than the rest of the loop.
"""


def attempt(machine: ByteMachine, command: bytes, context: Context) -> Result:
    """Apply one command; the log must never wedge on one that fails.

    Raises:
        InvariantViolation: from the machine, which found itself broken.
        LedgerTooNew: from the machine, if its code does not have the command: other members may.
        NotDeterministic: from the machine, in development mode.
        MemoryError: from the machine.  Memory is this member's own affair and not decided
            by the command: were it taken for a result, this member would part from the others.
    """
    try:
        result: object = machine.apply(command, context)
    except (InvariantViolation, LedgerTooNew, MemoryError, NotDeterministic):
        raise
    except Exception as error:
        return failure(error)
    # A wrong type would only surface far from here, on a wire that cannot carry it.
    return result if isinstance(result, bytes) else not_bytes(result)


def failure(error: Exception) -> ApplyFailed:
    """``error`` as a value: its name and text only, for a traceback would keep the machine's frames alive."""
    text = str(error)
    return ApplyFailed(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def not_bytes(result: object) -> ApplyFailed:
    """The failure of a machine that returned ``result``."""
    return ApplyFailed(f"the state machine returned {type(result).__name__} where bytes are due")
