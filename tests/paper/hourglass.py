"""Section 2.4's times, and what our waiting times have to be under them.

The paper: a messenger needs up to 4 minutes, a priest up to 7 to act on what arrives.  One of
our milliseconds stands for one second of the paper's.
"""

from collections.abc import Callable

from paxon.core.decree import NodeId
from paxon.core.messages import Message
from paxon.core.timing import Timing
from tests.core.parliament import Parliament

MINUTE = 60
DELIVERY = 4 * MINUTE
REACTION = 7 * MINUTE
HOP = DELIVERY + REACTION
ROUND_TRIP = 2 * HOP
"""22 minutes."""
GOOD_BALLOT = 5 * HOP
"""55 minutes: steps 1 to 6 each end with a letter acted on, and steps 3 and 5 follow at once."""
FROM_ONE_INITIATOR = ROUND_TRIP + ROUND_TRIP + GOOD_BALLOT
"""99 minutes."""

T = 60 * MINUTE
"""How long the president may be unheard.  The paper leaves it open, but it is longer than 11 minutes."""

TIMING = Timing(
    # "At least every T - 11 minutes": whoever acts on a letter 11 minutes late still hears one every T.
    presence_ms=T - HOP,
    election_timeout_ms=T,
    # An answer that takes longer than the bound is not coming.
    retransmit_ms=ROUND_TRIP,
    # The reaction time covers everything a priest does after an event, telling others included.
    flush_ms=0,
)


def chamber(size: int = 3, *, chance: Callable[[NodeId], int] = lambda me: 0) -> Parliament:
    """A parliament in which every letter takes all the time it may take.

    A letter to oneself needs no messenger, but the priest has to act on it like on any other.
    The ink dries within the reaction time.
    """
    return Parliament(size, timing=TIMING, delivery_ms=DELIVERY, reaction_ms=REACTION, chance=chance)


def acted_on(parliament: Parliament, kind: type[Message], since: int = 0) -> list[int]:
    """When the letters of one kind to others were acted on."""
    return [sent.at_ms + HOP for sent in parliament.letters(kind, since, to_self=False)]
