"""What the links of a member look like from outside: for metrics and for people.

Knows: names of counts.  Does not know: where they come from.
"""

from typing import Literal

from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.net.handshake import Lane


class LinkStatus(Struct, frozen=True):
    """One link as it is, and what it carried over all its connections."""

    peer: NodeId
    member: str
    lane: Lane
    direction: Literal["out", "in"]
    is_up: bool
    times_up: int
    frames: int
    bytes: int
    frames_dropped: int
    """Outgoing only: the oldest, while the peer was slow."""
    queued_bytes: int
    """Outgoing only: what waits for a slow peer."""


class LinksStatistics(Struct, frozen=True):
    """All links as they are, and what went wrong since the start."""

    links: tuple[LinkStatus, ...]
    messages_unsent: int
    """Dropped because there was no link."""
    messages_oversized: int
    """Dropped because a receiver would have closed the link over them."""
    links_refused: int
    """Incoming links that we refused."""
    links_replaced: int
    """Incoming links that the same peer opened anew."""
    protocol_errors: int
    """Incoming links that we closed over a bad frame or an unknown message."""
    arrivals_failed: int
    """Incoming connections that did not get through their handshake."""
