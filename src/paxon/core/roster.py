"""Who votes, and which sets of members are quorums, slot by slot.

Knows: pairwise intersection (B2, section 2.2).  Does not know: ballots, or who is alive.
Every quorum question in Paxon is asked of ``Rosters.of(slot)``.
"""

from collections.abc import Set as AbstractSet
from itertools import combinations

from msgspec import Struct

from paxon.core.decree import NODE_ID_MAX, NodeId, Slot
from paxon.errors import ConfigurationError

ROSTER_LAG = 64
"""The law of slot n - ROSTER_LAG decides who votes in slot n (the paper uses 3, section 3.3.6).

It bounds the pipeline as well: no slot is begun before every decree up to slot - ROSTER_LAG is known.
"""


class Majority(Struct, frozen=True):
    """More than half of the members (section 2.2)."""

    members: tuple[NodeId, ...]

    def is_promise_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` is enough for steps 1 to 3 (industry: phase 1)."""
        return 2 * sum(map(present.__contains__, self.members)) > len(self.members)

    def is_vote_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` is enough for steps 3 to 5 (industry: phase 2)."""
        return self.is_promise_quorum(present)


class Weighted(Struct, frozen=True):
    """More than half of the total weight: the paper's fat priests (section 2.2)."""

    weights: dict[NodeId, int]

    @property
    def members(self) -> tuple[NodeId, ...]:
        return tuple(sorted(self.weights))

    def is_promise_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` holds more than half of the weight."""
        held = sum(weight for member, weight in self.weights.items() if member in present)
        return 2 * held > sum(self.weights.values())

    def is_vote_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` holds more than half of the weight."""
        return self.is_promise_quorum(present)


class Flexible(Struct, frozen=True):
    """Two quorum sizes that must meet each other, though not themselves.

    Only a promise quorum and a vote quorum have to intersect: step 3 looks for the votes of
    earlier ballots, and the argument of section 2.1 uses nothing else.  Small vote quorums
    make the steady state cheap and elections dear.
    """

    members: tuple[NodeId, ...]
    promises: int
    votes: int

    def is_promise_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` has at least ``promises`` members."""
        return sum(map(present.__contains__, self.members)) >= self.promises

    def is_vote_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` has at least ``votes`` members."""
        return sum(map(present.__contains__, self.members)) >= self.votes


QuorumSystem = Majority | Weighted | Flexible


class Roster(Struct, frozen=True):
    """The legislators of one slot and their quorums.

    Invariant (B2): every promise quorum meets every vote quorum.
    """

    quorums: QuorumSystem

    def __post_init__(self) -> None:
        members = self.members
        if not members or len(set(members)) != len(members):
            raise ConfigurationError("a roster needs at least one member, each named once")
        if not all(1 <= member <= NODE_ID_MAX for member in members):
            raise ConfigurationError(f"member ids run from 1 to {NODE_ID_MAX}")
        match self.quorums:
            case Weighted(weights=weights):
                if min(weights.values()) < 0 or sum(weights.values()) == 0:
                    raise ConfigurationError("weights must not be negative, nor all zero")
            case Flexible(promises=promises, votes=votes):
                sizes_fit = 1 <= promises <= len(members) and 1 <= votes <= len(members)
                if not sizes_fit or promises + votes <= len(members):
                    raise ConfigurationError(
                        f"quorums of {promises} and {votes} need not meet among {len(members)} members: "
                        "their sum must be larger than the number of members"
                    )
            case Majority():
                pass

    @property
    def members(self) -> tuple[NodeId, ...]:
        return self.quorums.members

    def is_promise_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` is enough to start a ballot (step 3)."""
        return self.quorums.is_promise_quorum(present)

    def is_vote_quorum(self, present: AbstractSet[NodeId]) -> bool:
        """Whether ``present`` is enough to pass a decree (step 5)."""
        return self.quorums.is_vote_quorum(present)

    def can_decide_with(self, member: NodeId, others: AbstractSet[NodeId]) -> bool:
        """Whether ``member`` and ``others`` are a quorum of either kind: fewer can do nothing together."""
        present = {member, *others}
        return self.is_promise_quorum(present) or self.is_vote_quorum(present)

    def quorums_meet(self) -> bool:
        """B2 by enumeration, for tests: whether every promise quorum meets every vote quorum."""
        sets = [frozenset(some) for size in range(len(self.members) + 1) for some in combinations(self.members, size)]
        promises = [some for some in sets if self.is_promise_quorum(some)]
        votes = [some for some in sets if self.is_vote_quorum(some)]
        return all(one & other for one in promises for other in votes)


class Rosters:
    """The roster that governs each slot: the law as of ``slot - ROSTER_LAG`` (section 3.3.6).

    One founding roster governs every slot until a decree can change it.  Callers ask per slot
    all the same, so that a change of roster changes this class and no caller.
    """

    def __init__(self, founding: Roster) -> None:
        self._founding = founding

    def of(self, slot: Slot) -> Roster:
        """The roster that votes in ``slot``."""
        return self._founding
