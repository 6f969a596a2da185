"""Where in the ledger file the decree of each passed slot is.

Knows: positions.  Does not know: files.  Eight bytes a slot for the passed prefix, which is nearly everything; a
dictionary for the few slots beyond it, so that one vote in a far slot costs nothing.
"""

from array import array
from collections.abc import Sequence

from paxon.core.decree import FIRST_SLOT, Slot
from paxon.core.ledger import Jumped, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.errors import check

STRETCH = 4096
"""Positions compared in one go: a search through millions of them must not keep the other threads waiting."""


class SlotIndex:
    """Positions by slot.

    Invariant: ``_prefix[s - first]`` is the record with the outcome of ``s``, for every ``s`` in
    ``[first, passed_until)``; ``_beyond`` has the latest vote or outcome of slots from there on, of which
    those in ``_passed`` have passed.
    """

    def __init__(self, first: Slot = FIRST_SLOT) -> None:
        self.first = first
        """Decrees below are not in the file, or not all of them."""
        self._prefix = array("Q")
        self._beyond: dict[Slot, int] = {}
        self._passed: set[Slot] = set()

    @property
    def passed_until(self) -> Slot:
        """Every slot below has passed."""
        return Slot(self.first + len(self._prefix))

    def note(self, record: Record, position: int) -> None:
        """Take one record of the file, in the file's order.  What it says of slots below ``first`` is not needed.

        Raises:
            InvariantViolation: if a slot passed whose vote is not in the file.
        """
        match record:
            case Vote(slot=slot):
                if slot >= self.passed_until and slot not in self._passed:
                    self._beyond[slot] = position
            case Passed(slot=slot):
                if slot >= self.first:
                    check(slot in self._beyond, "a slot passes by a vote that is in the file")
                    self._pass(slot)
            case Outcome(slot=slot):
                if slot >= self.first:
                    self._beyond[slot] = position
                    self._pass(slot)
            case Jumped(slot=slot):
                if slot > self.passed_until:
                    self._jump(slot)
            case PromisedBallot() | TriedBallot():
                pass

    def positions(self, from_slot: Slot, slots_max: int) -> Sequence[int]:
        """The positions of the passed slots from ``from_slot`` on, up to the first that has not passed."""
        if from_slot < self.first:
            return ()
        start = from_slot - self.first
        found = list(self._prefix[start : start + slots_max])
        slot = Slot(from_slot + len(found))
        while len(found) < slots_max and slot in self._passed:
            found.append(self._beyond[slot])
            slot = Slot(slot + 1)
        return found

    def copy(self) -> "SlotIndex":
        """The index as it is now, for a thread that searches it while another one adds to it."""
        other = SlotIndex(self.first)
        other._prefix, other._beyond, other._passed = self._prefix[:], dict(self._beyond), set(self._passed)
        return other

    def lowest_from(self, slot: Slot) -> int | None:
        """The lowest position of anything about ``slot`` and the slots after it; None if there is nothing."""
        lowest = [position for voted, position in self._beyond.items() if voted >= slot]
        for start in range(max(0, slot - self.first), len(self._prefix), STRETCH):
            lowest.append(min(self._prefix[start : start + STRETCH]))
        return min(lowest, default=None)

    def first_behind(self, position: int) -> Slot:
        """The lowest slot from which on everything passed lies at ``position`` or behind it."""
        for end in range(len(self._prefix), 0, -STRETCH):
            stretch = self._prefix[max(0, end - STRETCH) : end]
            if min(stretch) < position:
                ahead = next(number for number in range(len(stretch), 0, -1) if stretch[number - 1] < position)
                return Slot(self.first + end - len(stretch) + ahead)
        return self.first

    def forget_below(self, slot: Slot) -> None:
        """Decrees below ``slot`` are not in the file any more."""
        check(self.first <= slot <= self.passed_until, "only what has passed is forgotten")
        del self._prefix[: slot - self.first]
        self.first = slot

    def _jump(self, slot: Slot) -> None:
        self._prefix = array("Q")
        self.first = slot
        self._beyond = {voted: position for voted, position in self._beyond.items() if voted >= slot}
        self._passed = {passed for passed in self._passed if passed >= slot}
        self._extend()

    def _pass(self, slot: Slot) -> None:
        if slot != self.passed_until:
            self._passed.add(slot)
            return
        self._prefix.append(self._beyond.pop(slot))
        self._extend()

    def _extend(self) -> None:
        while self.passed_until in self._passed:
            following = self.passed_until
            self._passed.discard(following)
            self._prefix.append(self._beyond.pop(following))
