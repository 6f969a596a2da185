"""What a state machine promises, and what it is given in return (section 4.1 of the paper)."""

from collections.abc import Generator, Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from paxon.core.decree import Slot
from paxon.errors import ApplyFailed

MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the value asked for: text that is no UTF-8 and values nested deeper than
the stack have errors of their own.  The same as in ``codec.values``, which this package does not know."""

PIECE_BYTES: Final = 64 * 1024
"""About how large one piece of a captured state is: what a loop can encode between two heartbeats without notice."""


class Context(Struct, frozen=True):
    """What is decided about a command beside its bytes: the same on every member, and again at every replay."""

    slot: Slot
    now_ms: int
    """The decided time: the first proposer's wall clock in milliseconds since the Unix epoch.

    It never runs backwards from one command to the next, and all commands of one slot share
    it.  It is the only clock a state machine may see.
    """
    session: bytes | None = None
    """The session that the command belongs to; ``None`` if it came without one."""


class ByteMachine(Protocol):
    """State that changes only by commands in bytes, the same commands in the same order on every member.

    What a state machine promises:

    * **Deterministic.**  The result and the new state follow from the old state, the command
      and the context alone.  No clock, no chance, no input or output, no environment, and
      nothing that depends on the order of a set or on ``hash``, which differ between
      processes.  Two members that break this rule part ways for ever, and nobody notices.
    * **All or nothing.**  If ``apply`` raises, the state is as it was before the call.  The
      exception is then the *decided* result of the command on every member alike; so it must
      not depend on the member either.  Look before you change.
    * **Questions change nothing.**  ``query`` runs on one member only, any number of times.
    * **Prompt.**  Both run on the member's one thread; while they run it hears nobody.

    What it is given: each command exactly as it was submitted, once per time it was decided,
    in one order that every member sees.  A command whose submitter repeated it after an
    unknown outcome may be decided twice.  Bytes come from clients: malformed ones are
    ordinary input, to be refused with a result or an exception.
    """

    def apply(self, command: bytes, context: Context) -> bytes:
        """Change the state as ``command`` says and return the result for its submitter.

        Raises:
            Exception: whatever it likes; see *All or nothing* above.
        """

    def query(self, question: bytes) -> bytes:
        """Answer ``question`` from the state as it is, without changing it.

        Raises:
            Exception: whatever it likes; the one who asked is told.
        """


@runtime_checkable
class Capturable(Protocol):
    """What a ``ByteMachine`` offers beside if its state can be in a snapshot (3.3.2)."""

    def capture(self) -> Generator[bytes, None, None]:
        """The state as it is at this call, in pieces of about ``PIECE_BYTES`` at the most.

        The pieces are made one by one while commands go on being applied, and those change
        nothing in what is still to come.  Each step takes well under a millisecond per
        ``PIECE_BYTES``.  One capture is under way at a time; closing the iterator ends it early.
        Machines with equal states give equal pieces.
        """

    def restore(self, pieces: Iterable[bytes]) -> None:
        """Have the captured state in place of the present one: equal in everything that a later command can see.

        Raises:
            SnapshotUnusable: if the pieces are no such capture, or one of a newer release.
        """


@runtime_checkable
class Timed(Protocol):
    """What a ``ByteMachine`` offers beside if something in it waits for time to pass."""

    def next_due_ms(self) -> int | None:
        """The decided time from which on ``on_due`` has something to do; ``None`` if nothing waits."""

    def on_due(self, context: Context) -> None:
        """Do what time has made due: called on every member alike, before a command at or after that time."""


@runtime_checkable
class Checked(Protocol):
    """What a ``ByteMachine`` offers beside if it can tell what makes no sense before it is decided."""

    def check(self, command: bytes) -> None:
        """See that every member could carry ``command`` out, as far as can be told here.  Changes nothing.

        Raises:
            RequestError: if not.
        """


@runtime_checkable
class Batched(Protocol):
    """What a ``ByteMachine`` offers beside if it carries out several commands together for less."""

    def apply_all(self, commands: Sequence[bytes], context: Context) -> list[bytes | ApplyFailed]:
        """What ``attempt`` gives for each command, one after the other."""
