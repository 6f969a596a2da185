"""What the ready-made structures refuse, each refusal a decided result under a name of its own.

Knows: what to tell whoever is refused.  Does not know: who that is.
"""

from paxon.collections.values import Value
from paxon.errors import Rejected


class LimitReached(Rejected):
    """There is room for no more of this; the message says how many there are, and what makes room."""


class NotHolder(Rejected):
    """The seat is not held under this token: it lapsed, was given up, or somebody else has it.  Stop; seek it again."""


class OtherLimit(Rejected):
    """The name is in use with another limit; use the same, or wait until nobody uses it."""


class OtherMode(Rejected):
    """The seeker already reads where it wants to write, or the other way round; it gives that up first."""


class NotClaimed(Rejected):
    """The item is not claimed under this token: the claim lapsed or ended, and somebody else may have the item."""


class NoSuchLetter(Rejected):
    """There is no dead letter of this number; somebody revived or discarded it."""


class NotMember(Rejected):
    """The member is not in the party: it lapsed or left.  It joins again."""


class NotWaiting(Rejected):
    """The party does not wait at the barrier in this generation: it lapsed or left.  It enters again."""


class OverBurst(Rejected):
    """More is asked for at once than the limiter ever gives; ask for less, or raise the burst."""


class OutOfRange(Rejected):
    """The result is beyond what a counter holds; the counter is as before."""


class Changed(Rejected):
    """What is there is not what was expected.  Read it again, decide again, and try again."""

    def __init__(self, what: str, found: Value) -> None:
        super().__init__(what, found)
        self.what = what
        """What was compared, in words."""
        self.found = found
        """What is there: the value of a counter, the version of an entry."""

    def __str__(self) -> str:
        return f"{self.what} is {self.found} by now: read it again, decide again, and try again"
