"""Who stays broken for good after the storm, and how: never so many that the others could not decide without them.

Knows: quorums, and how to break a member.  Does not know: what the others then owe (``progress``).
"""

from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

from paxon.core.decree import NodeId
from paxon.core.roster import QuorumSystem
from paxon.sim.partitions import both_ways, one_way

if TYPE_CHECKING:
    from paxon.sim.world import World

LOSS_FOR_GOOD = (0.6, 0.9)
"""What the links of a lossy member lose each way: it hears a heartbeat now and then, and is heard as rarely."""

WAYS_TO_BE_BROKEN = {
    "down": "P1",
    "cut off": "N1",
    "deaf": "N2",
    "mute": "N2",
    "lossy": "N3",
    "paused": "P3",
}
"""How a member may be left behind, and which fault that is."""


def some_core(random: Random, quorums: QuorumSystem, among: Collection[NodeId]) -> tuple[NodeId, ...]:
    """Some members ``among`` these that are a promise quorum and a vote quorum, no more than that takes in their order.

    Raises:
        IndexError: if all of them are none.
    """
    members = sorted(among)
    random.shuffle(members)
    core: set[NodeId] = set()
    while not (quorums.is_promise_quorum(core) and quorums.is_vote_quorum(core)):
        core.add(members.pop())
    return tuple(sorted(core))


def leave_some_behind(world: "World", random: Random) -> None:
    """Break for good everybody but some core, each member in some way of its own."""
    # Whose disk was struck may turn out to be lost any time: others must be able to do without it.
    sound = [number for number in world.plan.members if number not in world.disk_faults.spent]
    core = some_core(random, world.plan.quorums, sound)
    for number in world.plan.members:
        if number in core or number in world.left_behind:
            continue
        way, loss = random.choice(list(WAYS_TO_BE_BROKEN)), random.uniform(*LOSS_FOR_GOOD)
        if world.strikes.strike(WAYS_TO_BE_BROKEN[way], f"{number} is {way} for good"):
            world.trace.counts[f"left behind: {way}"] += 1
            leave_behind(world, number, way, loss)
    world.workload.stay_with(world.core)


def leave_behind(world: "World", number: NodeId, way: str, loss: float) -> None:
    """Break one member for good."""
    network, member = world.network, world.members[number]
    others = [other for other in world.plan.members if other != number]
    world.left_behind[number] = way
    match way:
        case "down":
            if member.is_alive:
                world.end(number, False, 0)
        case "paused":
            world.fates.pause_for_good(number)
        case "deaf":
            network.cut |= one_way(others, [number])
        case "mute":
            network.cut |= one_way([number], others)
        case "cut off":
            network.cut |= both_ways(others, [number])
        case _:
            for between in sorted(both_ways(others, [number])):
                network.link(*between).loss = loss
