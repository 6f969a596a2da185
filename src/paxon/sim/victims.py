"""What can be done to members: the protocol between the hands that do damage and the world."""

from collections.abc import Callable, Collection
from typing import Protocol

from paxon.core.decree import NodeId


class Later(Protocol):
    """Where the consequences of a fault are planned."""

    def later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Do something after ``delay_ms``, unless all faults are over by then."""


class Victims(Protocol):
    """What can be done to members.  Nothing happens to one that is down, unless it says so."""

    @property
    def alive(self) -> list[NodeId]:
        """Who runs."""

    @property
    def leader(self) -> NodeId | None:
        """Who leads, if somebody does."""

    def doom(self, member: NodeId, events: int, down_ms: int) -> None:
        """Let ``member`` crash after so many of its events, and come back after ``down_ms``."""

    def light_fuse(self, member: NodeId, points: Collection[str], left: int, down_ms: int) -> None:
        """Let ``member``, also one that is down, die at one of ``points`` after passing ``left`` of them."""

    def crash(self, member: NodeId, down_ms: int) -> None:
        """Crash a member now."""

    def restart(self, member: NodeId, down_ms: int) -> None:
        """Stop a member in good order, and start it again."""

    def start_twice(self, member: NodeId) -> None:
        """Start a second process on a member's directory."""

    def pause(self, member: NodeId, pause_ms: int) -> None:
        """Stop a member without its noticing."""

    def slow_down(self, member: NodeId, step_ms: int) -> None:
        """Let a member take so long over every event, or no time at all again."""

    def hint(self, member: NodeId, peer: NodeId) -> None:
        """Let ``member`` know that its link to ``peer`` broke."""

    def fill_disk(self, member: NodeId, is_full: bool) -> None:
        """Let a disk have no room, or room again; also that of a member that is down."""

    def fail_sync(self, member: NodeId) -> None:
        """Let the next sync of a member fail for good."""

    def exhaust_memory(self, member: NodeId, place: str) -> None:
        """Let the next request for memory fail that a member makes in ``place`` (a part of P5)."""

    def exhaust_descriptors(self, member: NodeId, has_none: bool) -> None:
        """Let a process have no file descriptors left, or enough again; also one that is down."""

    def step_wall_clock(self, member: NodeId, by_ms: int) -> None:
        """Let a wall clock jump; also one of a member that is down."""

    def reset_wall_clock(self, member: NodeId) -> None:
        """Set a wall clock to the beginning of 1970."""

    def change_rate(self, member: NodeId, rate_ppm: int) -> None:
        """Let a monotonic clock run so fast, in true time's millionths; also one of a member that is down."""
