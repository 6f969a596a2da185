"""What a process may lack: memory, asked for in one of several places.

Knows: where memory is asked for.  Does not know: what its lack brings about.
"""

from paxon.core.decree import NodeId
from paxon.sim.strikes import Strikes


class OutOfMemory(MemoryError):
    """A lack that was simulated: any other ``MemoryError`` is a real one, and none of the member's making."""


class Shortages:
    """One member's memory."""

    def __init__(self, member: NodeId, strikes: Strikes) -> None:
        self._member = member
        self._strikes = strikes
        self.next: str | None = None
        """Where the next request for memory fails, as one of the parts of P5; ``None`` if there is enough."""

    def allocate(self, place: str) -> None:
        """Ask for memory.

        Raises:
            OutOfMemory: if there is none, once.
        """
        if self.next == place:
            self.next = None
            if self._strikes.strike("P5", f"{self._member} has no {place}", place):
                raise OutOfMemory(place)
