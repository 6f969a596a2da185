"""Bad luck, one strike at a time: what befell the parliament, counted by the fault's id, and spared on demand.

Knows: the ids of faults that can be simulated.  Does not know: how any of them is done.

Theory of operation.  Whoever does damage draws its dice first and asks ``strike`` last, which
numbers the strikes of a run and says whether this one is to be carried out.  A run that spares
some of them draws the same dice, so up to the first spared strike it is the same run, and after
it as similar as it can be.  That is what makes a scenario that broke a rule smaller: leave out
strikes for as long as it still breaks.
"""

from collections import Counter
from collections.abc import Set

from msgspec import Struct

from paxon.sim.agenda import Agenda

FAULTS = {
    "N1": "a partition: both ways",
    "N2": "a link cut one way",
    "N3": "a letter lost",
    "N4": "a letter doubled, or an old one delivered again",
    "N5": "a letter late, so that others overtake it",
    "P1": "a process killed",
    "P2": "a crash in the middle of a file operation",
    "P3": "a process stopped for a while, and its timers late",
    "P6": "all processes killed at once",
    "P7": "a command on which the state machine raises",
    "D1": "a power cut: writes that were not synced lost, kept or torn",
    "D2": "a sync that fails once and then pretends success",
    "D3": "a disk without room",
    "D7": "a slow sync",
    "C1": "a wall clock that jumps",
    "C2": "clocks that run at different rates",
}
"""What every fault id means.  The ids are stable: reports and documents use them."""


class Strike(Struct, frozen=True):
    """One strike: its number in the run, when, what kind, and in words."""

    number: int
    at_ms: int
    fault: str
    what: str


class Strikes:
    """All strikes of one run.

    ``spared`` are numbers of strikes, or ids of faults, that are not carried out.
    """

    def __init__(self, agenda: Agenda, spared: Set[int | str] = frozenset()) -> None:
        self._agenda = agenda
        self._spared = spared
        self._number = 0
        self.counts: Counter[str] = Counter()
        """How often each fault was carried out, by id."""
        self.diary: list[Strike] | None = None
        """Every strike carried out, if somebody put a list here."""

    def strike(self, fault: str, what: str) -> bool:
        """Whether to carry out a fault that the dice have decided; it is then counted."""
        number = self._number
        self._number += 1
        if number in self._spared or fault in self._spared:
            return False
        self.counts[fault] += 1
        if self.diary is not None:
            self.diary.append(Strike(number, self._agenda.now_ms, fault, what))
        return True
