"""What a parliament owes once faults have stopped: section 1.2's progress condition, in bounded virtual time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from paxon.core.decree import Ballot
from paxon.core.slip import Polling
from paxon.errors import check

if TYPE_CHECKING:
    from paxon.sim.world import World

SETTLE_MS = 20_000
"""All that is owed is done this long after the last fault: tens of election timeouts, and every client's deadline."""

QUIET_MS = 3_000
"""For this long after that, five election timeouts, nothing changes any more."""

STEP_MS = 50
"""How often one looks whether all is done."""


def owe_progress(world: "World") -> None:
    """Let the calm show that everything passes everywhere, that every member serves, and that leadership rests.

    Raises:
        InvariantViolation: with what is still missing.
    """
    _await(world, unfinished)
    world.workload.served.clear()
    for member in world.plan.members:
        world.workload.write_at(member)
        world.workload.read_at(member)
    _await(world, lambda world: unserved(world) or unfinished(world))
    before = ballots(world)
    world.run_until(world.agenda.now_ms + QUIET_MS)
    check(ballots(world) == before, f"leadership rests once nothing happens: {before} became {ballots(world)}")
    left = unfinished(world)
    check(not left, f"what is done stays done, but {left}")


def _await(world: "World", missing: Callable[["World"], str]) -> None:
    deadline_ms = world.agenda.now_ms + SETTLE_MS
    while left := missing(world):
        check(world.agenda.now_ms < deadline_ms, f"stuck {SETTLE_MS} ms after everything healed: {left}")
        world.run_until(world.agenda.now_ms + STEP_MS)


def ballots(world: "World") -> list[tuple[Ballot | None, Ballot]]:
    """The ballot that each member conducts, and the highest it tried."""
    hosts = [member.host for member in world.members.values() if member.host is not None]
    slips = [(host.legislator.slip, host.legislator.ledger.last_tried) for host in hosts]
    return [(slip.ballot if isinstance(slip, Polling) else None, tried) for slip, tried in slips]


def unserved(world: "World") -> str:
    """Which member has not served a command and a read since they were last asked to, in words."""
    for member in world.plan.members:
        for kind in ("write", "read"):
            if not world.workload.served[member, kind]:
                return f"member {member} has not served a {kind}"
    return ""


def unfinished(world: "World") -> str:
    """What is still missing, in words; empty if nothing is."""
    workload, history = world.workload, world.oracle.history
    if workload.outstanding:
        request = next(iter(workload.outstanding))
        what = "a read" if request.command is None else f"{request.command[:40]!r}"
        return f"{len(workload.outstanding)} requests have no answer, one of them {what} at member {request.member}"
    if workload.waiting:
        return f"{workload.waiting} refused requests are still to be repeated"
    down = [member.number for member in world.members.values() if member.host is None]
    if down:
        return f"members {down} are down"
    presidents = [ballot for ballot, _ in ballots(world) if ballot is not None]
    if len(presidents) != 1:
        return f"there is not one leader but {len(presidents)}"
    for member in world.members.values():
        host = member.host
        if host is None:
            continue
        if host.legislator.ledger.passed_until != history.passed_until:
            return f"member {member.number} does not know all that passed below {history.passed_until}"
        if host.applied_until != history.passed_until:
            return f"member {member.number} has not applied all that passed below {history.passed_until}"
        if host.leader != presidents[0]:
            return f"member {member.number} does not follow the leader"
    return ""
