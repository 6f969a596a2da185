"""The small values everything else is made of: members, slots, ballots, decrees.

Knows: how ballots are ordered and what a decree carries.  Does not know: what a command
means.  Sections 2.1 and 3.1 of the paper.
"""

from typing import NewType

from msgspec import Struct

NodeId = NewType("NodeId", int)
"""One legislator, for the whole life of a cluster.  From 1 to ``NODE_ID_MAX``; never reused."""

Slot = NewType("Slot", int)
"""A decree number (industry: log index).  Counts from ``FIRST_SLOT``; ranges are half-open."""

NODE_ID_MAX = 0xFFFF
"""Ids fit sixteen bits, so that a whole ballot fits the 64-bit integer that the outside calls term."""

ROUND_MAX = (1 << 47) - 1
"""The highest round, so that a term is never negative in a signed 64-bit field.  A century of a thousand elections a
second uses up a fiftieth of them."""

FIRST_SLOT = Slot(1)


class Ballot(Struct, frozen=True, order=True):
    """A ballot number: rounds first, the owner breaks ties, so no two members share one (B1, section 2.2).

    Compared field by field in this order.  ``NO_BALLOT`` is the paper's minus infinity.
    """

    round: int
    owner: NodeId

    @property
    def term(self) -> int:
        """The whole ballot as one integer of the same order (industry: term)."""
        return self.round << 16 | self.owner


NO_BALLOT = Ballot(0, NodeId(0))
"""Smaller than every real ballot and owned by nobody."""


class Decree(Struct, frozen=True):
    """What one slot says: a batch of commands, opaque here (industry: log entry).

    ``ballot`` is the ballot in which the decree was *first* proposed.  A later president who
    is forced to propose it again leaves it alone, so (slot, ballot) names the decree for ever:
    B1 allows one value per ballot and slot.  That is how a proposer recognises its own work
    in what finally passed.
    """

    ballot: Ballot
    stamp_ms: int
    """The first proposer's wall clock, raised above every stamp it knew of (section 3.3.3).

    By slot it may still step back: a decree that one member alone voted for can pass years
    later, above a slot that another president filled meanwhile.  The decided time of a slot is
    therefore the highest stamp up to there, which ``rsm.applier`` keeps.
    """
    commands: tuple[bytes, ...]


NOOP = Decree(NO_BALLOT, 0, ())
"""The olive-day decree: fills a gap and changes nothing.  Its stamp counts as the stamp of the slot before."""
