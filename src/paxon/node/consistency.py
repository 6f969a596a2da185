"""What a read may be asked to promise: how much of what happened elsewhere its answer reflects.

Knows: the promises of docs/reads.md, as values that travel.  Does not know: how a member keeps
one; ``node.freshness`` and ``node.readings`` do.
"""

from msgspec import Struct

from paxon.core.decree import Slot


class Linearizable(Struct, frozen=True, tag="linearizable"):
    """Everything acknowledged or read anywhere before the read was asked (3.3.4).  Rests on no clock."""


class Leased(Struct, frozen=True, tag="leased"):
    """As ``Linearizable``, and with no question to anybody if the member leads by lease.

    Rests on it that no member's monotonic clock runs faster or slower than the lease's terms allow.
    Where no lease is at hand it costs what ``Linearizable`` does.
    """


class AtLeast(Struct, frozen=True, tag="at_least"):
    """Everything through ``slot``, which an earlier reply named: section 3.3.4's reading by decree number.

    A client that passes on the highest slot it was told sees nothing undone, at whichever
    member it asks, and so does anybody it hands that slot to.
    """

    slot: Slot


class Stale(Struct, frozen=True, tag="stale"):
    """Whatever the member has; with ``max_age_ms``, everything acknowledged longer ago than that.

    The age counts back from the moment at which the read was asked, by the answering member's monotonic clock.
    """

    max_age_ms: int | None = None


Consistency = Linearizable | Leased | AtLeast | Stale

LINEARIZABLE = Linearizable()
LEASED = Leased()
STALE = Stale()
