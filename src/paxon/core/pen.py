"""The pen: how the parts of a legislator write, send and learn, and what came of it in this step.

Every part holds the same pen, so that records, letters and passed decrees leave in one order.
"""

from collections.abc import Iterable

from paxon.core.decree import Decree, NodeId, Slot
from paxon.core.effects import NOTHING, Effects, Letter
from paxon.core.ledger import Jumped, Ledger, Outcome, Passed, Record
from paxon.core.messages import Message
from paxon.errors import check


class Pen:
    """The ledger, the time and the chance of this step, and the effects so far."""

    def __init__(self, me: NodeId, ledger: Ledger, now_ms: int, chance: int) -> None:
        self.me = me
        self.ledger = ledger
        self.now_ms = now_ms
        self.chance = chance
        """The caller's latest draw from ``[0, 2**32)``."""
        self.effects = Effects()

    def write(self, record: Record) -> None:
        """Ink one record, and report what now has passed in slot order."""
        ledger = self.ledger
        before = ledger.passed_until
        ledger.write(record)
        self.effects.records.append(record)
        # What a jump skips is in the snapshot that the host has, and applied with it.
        for number in range(max(before, record.slot) if isinstance(record, Jumped) else before, ledger.passed_until):
            self.effects.passed.append((Slot(number), ledger.outcomes[Slot(number)]))

    def send(self, to: NodeId, message: Message, after: int = NOTHING) -> None:
        """Hand in a letter; it waits for line ``after``."""
        self.effects.letters.append(Letter(to, message, after))

    def send_all(self, recipients: Iterable[NodeId], message: Message, after: int = NOTHING) -> None:
        """The same letter to each of ``recipients``."""
        self.effects.letters.extend(Letter(to, message, after) for to in recipients)

    def learn(self, slot: Slot, decree: Decree) -> None:
        """Enter an outcome (steps 5 and 6).

        Enabled when: the outcome is not known.  Known ones are compared while they are in memory.

        Raises:
            InvariantViolation: if another decree passed in this slot.
        """
        ledger = self.ledger
        if ledger.knows(slot):
            known = ledger.outcomes.get(slot)
            check(known is None or known == decree, f"one decree passes in a slot (slot {slot})")
            return
        vote = ledger.votes.get(slot)
        if vote is not None and vote.decree == decree:
            self.write(Passed(slot, vote.ballot))
        else:
            self.write(Outcome(slot, decree))

    def jitter(self, span_ms: int) -> int:
        """A part of ``span_ms`` by chance."""
        return self.chance % max(1, span_ms)
