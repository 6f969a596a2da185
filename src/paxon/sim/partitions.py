"""The partitions that are known to hurt, as sets of ways on which nothing arrives.

Knows: members and who leads.  Does not know: when a partition begins, or what becomes of it.
"""

from collections.abc import Sequence
from random import Random

from paxon.core.decree import NodeId
from paxon.sim.links import Way

LINK_CUT = 0.3
"""The part of all ways that is cut where each is cut by itself."""


def some_partition(random: Random, everybody: Sequence[NodeId], leader: NodeId | None) -> tuple[str, str, set[Way]]:
    """One of them: its fault, its form (see ``strikes.PARTS``) and what it cuts."""
    members = list(everybody)
    random.shuffle(members)
    one, rest = members[:1], members[1:]
    match random.randrange(8):
        case 0:
            return "N1", "one alone", both_ways(one, rest)
        case 1:
            half = random.randrange(1, len(members))
            return "N1", "halves", both_ways(members[:half], members[half:])
        case 2 if leader is not None:
            return "N1", "leader alone", both_ways([leader], [member for member in members if member != leader])
        case 3:
            return "N1", "ring of majorities", all_but_ring(members)
        case 4 if len(members) > 2:
            half = len(rest) // 2
            return "N1", "bridge", both_ways(rest[:half], rest[half:])
        case 5:
            return "N2", "deaf", one_way(rest, one)
        case 6:
            return "N2", "mute", one_way(one, rest)
        case _:
            some = {way for way in sorted(one_way(members, members)) if random.random() < LINK_CUT}
            return "N2", "some links", some or one_way(one, rest)


def one_way(senders: Sequence[NodeId], receivers: Sequence[NodeId]) -> set[Way]:
    """Letters from any sender to any receiver."""
    return {(sender, to) for sender in sorted(senders) for to in sorted(receivers) if sender != to}


def both_ways(one: Sequence[NodeId], other: Sequence[NodeId]) -> set[Way]:
    """Letters between two sides."""
    return one_way(one, other) | one_way(other, one)


def all_but_ring(members: Sequence[NodeId]) -> set[Way]:
    """Everybody reaches a majority, and as few as possible the same one: each its nearest neighbours on a ring.

    Of three members, who are all neighbours, one pair is cut.
    """
    size = len(members)
    reach = (size // 2 + 1) // 2
    far = {
        (sender, to)
        for here, sender in enumerate(members)
        for there, to in enumerate(members)
        if min((here - there) % size, (there - here) % size) > reach
    }
    return far or both_ways(members[:1], members[-1:])
