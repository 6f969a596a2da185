"""What reads that are not linearizable promise, and whether they keep it, by the simulator's own time.

Knows: when each slot was first known to a client, which nobody inside the parliament knows.  Does
not know: how a member came to believe that its state is fresh enough.
"""

from bisect import bisect_left
from collections.abc import Callable

from paxon.core.decree import NodeId, Slot
from paxon.node.consistency import LEASED, LINEARIZABLE, STALE, AtLeast, Consistency, Leased, Linearizable, Stale
from paxon.sim.agenda import Agenda
from paxon.sim.dice import Dice
from paxon.sim.oracle import Oracle

AGES_MS = (0, 100, 500, 2_000)
"""The ages that clients allow: from less than a barrier takes to longer than most of what goes wrong."""

Clocks = Callable[[NodeId, int], int]
"""What the monotonic clock of a member's machine showed at a true time."""


class Promises:
    """Draws what clients ask for, and computes how far the answer has to have come."""

    def __init__(self, seed: int, agenda: Agenda, oracle: Oracle, clocks: Clocks) -> None:
        self._agenda = agenda
        self._oracle = oracle
        self._clocks = clocks
        self._random = Dice(f"{seed}/consistency")
        self._times_ms: list[int] = []
        """When the slot at the same place of ``_slots`` was first known to a client; ascending."""
        self._slots: list[Slot] = []

    def draw(self) -> Consistency:
        """What the next read is to promise."""
        random = self._random
        match random.randrange(5):
            case 0:
                return AtLeast(self._oracle.read_floor())
            case 1:
                return Stale(random.choice(AGES_MS))
            case 2:
                return STALE
            case 3:
                return LEASED
            case _:
                return LINEARIZABLE

    def note(self) -> None:
        """A client was told something."""
        floor = self._oracle.read_floor()
        if not self._slots or floor > self._slots[-1]:
            self._times_ms.append(self._agenda.now_ms)
            self._slots.append(floor)

    def floor(self, member: NodeId, consistency: Consistency) -> Slot:
        """The slot that the answer to a read must reflect which ``member`` is asked at this moment."""
        match consistency:
            case Linearizable() | Leased():
                return self._oracle.read_floor()
            case AtLeast(slot=slot):
                return slot
            case Stale(max_age_ms=max_age_ms):
                return Slot(0) if max_age_ms is None else self._known_before(member, max_age_ms)

    def _known_before(self, member: NodeId, age_ms: int) -> Slot:
        """What was known to some client longer ago than ``age_ms``, as the clock of ``member`` measures it."""
        oldest_ms = self._clocks(member, self._agenda.now_ms) - age_ms
        older = bisect_left(self._times_ms, oldest_ms, key=lambda time_ms: self._clocks(member, time_ms))
        return self._slots[older - 1] if older else Slot(0)
