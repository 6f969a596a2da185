"""What is wrong with one direction between two members: its connection, its width, and what it holds back.

Knows: one link at one moment.  Does not know: what a letter says, or why the link is as it is.
"""

from msgspec import Struct, field

from paxon.codec.frames import FrameReader
from paxon.core.decree import NodeId

BURST_MS = 20
"""What a narrow link passes on at once after a rest, in milliseconds of its rate: a few packets."""

BACKLOG_MS_MAX = 3_000
"""How late a letter may become in the queue of a narrow link before it is dropped; nothing queues without a bound."""

Way = tuple[NodeId, NodeId]
"""A sender and a receiver."""


class Cap(Struct):
    """Two token buckets over one rate, as the two lanes of decision 0004 have it.

    Urgent letters wait for urgent ones alone, bulk letters for both.
    """

    bytes_per_s: int
    urgent_free_ms: float = 0.0
    """When everything urgent has left."""
    bulk_free_ms: float = 0.0

    def wait_ms(self, now_ms: int, size: int, urgent: bool) -> int | None:
        """How long a letter of ``size`` bytes is under way by the width alone; ``None`` if there is no room for it."""
        cost_ms = 1_000 * size / self.bytes_per_s
        self.bulk_free_ms = max(self.bulk_free_ms, now_ms - BURST_MS)
        if urgent:
            self.bulk_free_ms += cost_ms
            self.urgent_free_ms = max(self.urgent_free_ms, now_ms - BURST_MS) + cost_ms
            return max(0, int(self.urgent_free_ms - now_ms))
        if self.bulk_free_ms - now_ms > BACKLOG_MS_MAX:
            return None
        self.bulk_free_ms += cost_ms
        return max(0, int(self.bulk_free_ms - now_ms))


class Reset(Struct):
    """A connection that is about to break in the middle of its stream."""

    letters: int
    """After so many more letters."""
    tells_sender: bool
    tells_receiver: bool


class Hearing(Struct):
    """The receiver's side of a stream that was damaged, until it notices."""

    reader: FrameReader = field(default_factory=FrameReader)
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    """What the sender put into it from the damaged letter on."""


class Link(Struct):
    """One direction between two members.  Everything here is off unless something is wrong."""

    connection: int = 0
    """Which connection it is: what an earlier one still carries is lost."""
    is_dead: bool = False
    """Whether the connection carries nothing any more and neither side has noticed."""
    bytes_max: int | None = None
    """Larger letters vanish."""
    loss: float = 0.0
    """The part of letters that vanishes, besides what the network loses anyway."""
    is_clogged: bool = False
    """Whether everything waits in front of it."""
    cap: Cap | None = None
    reset: Reset | None = None
    hearings: dict[bool, Hearing] = field(default_factory=dict)
    """Those of the lanes, urgent or not, that were damaged."""

    def breaks(self) -> None:
        """The connection is gone and the next letter makes a new one."""
        self.connection += 1
        self.is_dead = False
        self.reset = None
        self.hearings.clear()
