"""What the host asks of the machine, as protocols, so that the same host runs in the simulator.

Every call here returns at once; what takes time reports back through a callback, on the
host's own thread.  Times are integers in milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from paxon.core.decree import NodeId, Slot
from paxon.core.ledger import Outcome, Record
from paxon.node.letters import PeerMessage

Made = TypeVar("Made")
"""What a task comes to."""

Taken = TypeVar("Taken", contravariant=True)
"""What a reply takes as its result."""


class Timer(Protocol):
    """A pending ``call_at``."""

    def cancel(self) -> None:
        """Make sure the callback does not run; harmless if it already did."""


class Clock(Protocol):
    """Time and chance."""

    def monotonic_ms(self) -> int:
        """For timers.  Its zero means nothing and differs between members."""

    def wall_ms(self) -> int:
        """Since the Unix epoch.  For stamps only: it may step."""

    def chance(self) -> int:
        """A uniform draw from ``[0, 2**32)``."""

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """Run ``callback`` once ``monotonic_ms`` has reached ``when_ms``."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` after what is already queued, before time passes."""


class Disk(Protocol):
    """The ledger file.  Records keep the order of ``append``; their lines are counted from the replayed ones on."""

    def append(self, records: Sequence[Record]) -> None:
        """Queue records for the file."""

    def sync(self, synced: Callable[[int], None], failed: Callable[[OSError], None]) -> None:
        """Make everything appended so far durable, then call ``synced(line)`` with the last durable line.

        At most one call is under way.  ``failed`` with ``ENOSPC`` or ``EDQUOT`` means that
        nothing was lost and ``sync`` may be called again; any other error is final.
        """

    def recall(self, from_slot: Slot, bytes_max: int, found: Callable[[tuple[Outcome, ...]], None]) -> None:
        """Read passed decrees back, in slot order from ``from_slot``, about ``bytes_max`` at the most.

        ``found`` gets an empty tuple if the file does not have that slot's outcome.
        """

    def trim(
        self,
        slot: Slot,
        stamp_ms: int,
        tail_bytes: int,
        trimmed: Callable[[None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Let go of what nobody needs who has a durable snapshot of all slots below ``slot``."""

    def work(self, task: Callable[[], Made], done: Callable[[Made], None], failed: Callable[[Exception], None]) -> None:
        """Carry out ``task``, which is about files other than the ledger's, and then call ``done`` with its result.

        Tasks are carried out one by one, in order, beside everything else.  ``failed`` gets what ``task`` raised.
        """

    @property
    def first_slot(self) -> Slot:
        """Decrees below are not in the file any more."""

    @property
    def written_bytes(self) -> int:
        """A count of bytes that grows as the ledger does."""


class Transport(Protocol):
    """Links to the other members.  May lose anything; never blocks."""

    def send(self, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        """Send if there is a link, drop otherwise.  ``urgent`` messages do not queue behind the rest."""


class Reply(Protocol[Taken]):
    """Where a result goes: an ``asyncio.Future`` is one.  Unless ``done``, exactly one ``set_`` is called, once."""

    def done(self) -> bool:
        """Whether there is a result already, or nobody waits for one any more."""

    def set_result(self, result: Taken, /) -> None:
        """The request succeeded."""

    def set_exception(self, error: Exception, /) -> None:
        """The request failed: a ``RequestError``."""
