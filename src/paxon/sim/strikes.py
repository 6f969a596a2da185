"""Bad luck, one strike at a time: what befell the parliament, counted by the fault's id, and spared on demand.

Knows: the ids of faults that can be simulated.  Does not know: how any of them is done.

Theory of operation.  Whoever does damage draws its dice first and asks ``strike`` last, which
numbers the strikes of a run and says whether this one is to be carried out.  A run that spares
some of them draws the same dice, so up to the first spared strike it is the same run, and after
it as similar as it can be.  That is what makes a scenario that broke a rule smaller: leave out
strikes for as long as it still breaks.
"""

from collections import Counter
from collections.abc import Container

from msgspec import Struct

from paxon.sim.agenda import Agenda

FAULTS = {
    "N1": "a partition: both ways",
    "N2": "a link cut one way",
    "N3": "a letter lost",
    "N4": "a letter doubled, or an old one delivered again",
    "N5": "a letter late, so that others overtake it, or a link that holds everything for a while",
    "N6": "a letter damaged on the way",
    "N7": "a connection that breaks, or carries nothing, or nothing large",
    "N8": "a link with little bandwidth",
    "N9": "a member's address at which another member is found, or one of another cluster",
    "P1": "a process killed",
    "P2": "a crash exactly at a file operation, a letter or a command",
    "P3": "a process stopped for a while",
    "P4": "a slow process",
    "P5": "a process without memory or open files to spare",
    "P6": "processes killed together, in turn or again and again, and a second one on the same directory",
    "P7": "a command on which the state machine raises",
    "P8": "another clock, chance, environment or hash seed for a user's state machine",
    "D1": "a power cut: writes that were not synced lost, kept or torn",
    "D2": "a sync that fails once and then pretends success",
    "D3": "a disk or a quota without room",
    "D4": "a disk that says of a sync that it is done and writes nothing",
    "D5": "bits that flip or become zeros where they lie",
    "D6": "a sector found at another's place",
    "D7": "a slow sync",
    "D8": "a directory in which nothing may be changed",
    "D9": "a directory emptied, put back from an older copy, or copied for a second process",
    "D10": "a name that was not durable or is lost",
    "D11": "a segment missing, or one too many",
    "C1": "a wall clock that jumps",
    "C2": "a monotonic clock that runs at another rate",
    "C3": "timers that are late all at once",
    "C4": "a monotonic clock with another zero in every life",
}
"""What every fault id means.  The ids are stable: reports and documents use them."""

OF_A_MACHINE = frozenset({"P8"})
"""Faults of a user's state machine alone, which runs of the simulator's own machine do not have."""

FILE_POINTS = tuple(
    f"{when} {operation}"
    for operation in ("create", "write", "truncate", "sync", "rename", "remove", "directory sync")
    for when in ("before", "after")
)
"""Where the file operations that change something may be cut short."""

CRASH_POINTS = (*FILE_POINTS, "before send", "after send", "before apply", "after apply")
"""Everything that a crash must not fall between, unless it is prepared for it."""

PARTS = {
    "N1": ("halves", "one alone", "leader alone", "ring of majorities", "bridge"),
    "N2": ("deaf", "mute", "some links"),
    "N4": ("doubled", "again"),
    "N5": ("late", "held back", "clog", "swizzle"),
    "N6": ("bit", "byte", "cut", "longer"),
    "N7": ("reset", "half open", "small letters only", "dead connection"),
    "P2": CRASH_POINTS,
    "P3": ("short", "a minute"),
    "P5": ("memory to apply", "memory to decode", "memory to append", "open files"),
    "P6": ("all at once", "crash loop", "rolling restart", "second process"),
    "C1": ("minutes", "a day", "1970", "strobe"),
    "C2": ("drift", "rate change"),
}
"""The forms of the faults that have several: each is counted by itself as well."""


class Strike(Struct, frozen=True):
    """One strike: its number in the run, when, what kind, and in words."""

    number: int
    at_ms: int
    fault: str
    what: str
    nth: int = 1
    """How many strikes of the same words there were, this one included."""

    @property
    def name(self) -> str:
        """Unlike the number, the same in a run that has other strikes before it."""
        return f"{self.what} #{self.nth}"


class Strikes:
    """All strikes of one run.

    ``spared`` are numbers or names of strikes, or ids of faults, that are not carried out.
    """

    def __init__(self, agenda: Agenda, spared: Container[int | str] = frozenset()) -> None:
        self._agenda = agenda
        self._spared = spared
        self._number = 0
        self._told: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        """How often each fault was carried out, by id."""
        self.parts: Counter[str] = Counter()
        """How often each form of a fault was carried out, as "id form"."""
        self.diary: list[Strike] = []
        """Every strike carried out, in order."""

    def strike(self, fault: str, what: str, part: str = "") -> bool:
        """Whether to carry out a fault that the dice have decided; it is then counted.

        ``part`` is its form, if it is one of ``PARTS``.
        """
        number = self._number
        self._number += 1
        self._told[what] += 1
        strike = Strike(number, self._agenda.now_ms, fault, what, self._told[what])
        if number in self._spared or fault in self._spared or strike.name in self._spared:
            return False
        self.counts[fault] += 1
        if part:
            self.parts[f"{fault} {part}"] += 1
        self.diary.append(strike)
        return True
