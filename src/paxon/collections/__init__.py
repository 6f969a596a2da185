"""Ready-made replicated structures: each a state machine that keeps many named things of its kind.

This layer sees commands and decided time, never slots' order, members, or who waits for what.
"""

from typing import Final

from paxon.collections.barriers import Barriers
from paxon.collections.counters import Counters
from paxon.collections.maps import Maps
from paxon.collections.parties import Parties
from paxon.collections.priority_queues import PriorityQueues
from paxon.collections.queues import Queues
from paxon.collections.rate_limiters import RateLimiters
from paxon.collections.rwlocks import RWLocks
from paxon.collections.semaphores import Semaphores
from paxon.collections.sets import Sets
from paxon.collections.terms import Terms
from paxon.rsm.contract import StateMachine

STANDARD: Final[dict[str, type[StateMachine]]] = {
    "paxon.barriers": Barriers,
    "paxon.counters": Counters,
    "paxon.maps": Maps,
    "paxon.parties": Parties,
    "paxon.priority_queues": PriorityQueues,
    "paxon.queues": Queues,
    "paxon.rate_limiters": RateLimiters,
    "paxon.rwlocks": RWLocks,
    "paxon.semaphores": Semaphores,
    "paxon.sets": Sets,
    "paxon.terms": Terms,
}
"""What every cluster has beside what its users bring, by the name of the part."""
