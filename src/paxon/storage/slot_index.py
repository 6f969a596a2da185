"""Where in the ledger file the decree of each passed slot is.

Knows: positions.  Does not know: files.  Eight bytes a slot for the passed prefix, which is nearly everything; a
dictionary for the few slots beyond it, so that one vote in a far slot costs nothing.
"""

from array import array
from collections.abc import Sequence

from paxon.core.decree import FIRST_SLOT, Slot
from paxon.core.ledger import Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.errors import check


class SlotIndex:
    """Positions by slot.

    Invariant: ``_prefix[s - FIRST_SLOT]`` is the record with the outcome of ``s``, for every ``s`` below
    ``passed_until``; ``_beyond`` has the latest vote or outcome of slots from there on, of which
    those in ``_passed`` have passed.
    """

    def __init__(self) -> None:
        self._prefix = array("Q")
        self._beyond: dict[Slot, int] = {}
        self._passed: set[Slot] = set()

    @property
    def passed_until(self) -> Slot:
        """Every slot below has passed."""
        return Slot(FIRST_SLOT + len(self._prefix))

    def note(self, record: Record, position: int) -> None:
        """Take one record of the file, in the file's order.

        Raises:
            InvariantViolation: if a slot passed whose vote is not in the file.
        """
        match record:
            case Vote(slot=slot):
                if slot >= self.passed_until and slot not in self._passed:
                    self._beyond[slot] = position
            case Passed(slot=slot):
                check(slot in self._beyond, "a slot passes by a vote that is in the file")
                self._pass(slot)
            case Outcome(slot=slot):
                self._beyond[slot] = position
                self._pass(slot)
            case PromisedBallot() | TriedBallot():
                pass

    def positions(self, from_slot: Slot, slots_max: int) -> Sequence[int]:
        """The positions of the passed slots from ``from_slot`` on, up to the first that has not passed."""
        if from_slot < FIRST_SLOT:
            return ()
        start = from_slot - FIRST_SLOT
        found = list(self._prefix[start : start + slots_max])
        slot = Slot(from_slot + len(found))
        while len(found) < slots_max and slot in self._passed:
            found.append(self._beyond[slot])
            slot = Slot(slot + 1)
        return found

    def _pass(self, slot: Slot) -> None:
        if slot != self.passed_until:
            self._passed.add(slot)
            return
        self._prefix.append(self._beyond.pop(slot))
        while self.passed_until in self._passed:
            following = self.passed_until
            self._passed.discard(following)
            self._prefix.append(self._beyond.pop(following))
