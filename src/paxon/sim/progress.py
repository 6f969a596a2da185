"""What a parliament owes once faults have stopped: section 1.2's progress condition, in bounded virtual time.

Two forms.  If everybody is well again, everybody owes.  If only a core is (``world.core``: a promise quorum and a vote
quorum, up and connected), the core owes the same among themselves, with the rest down, cut off, deaf, mute, lossy or
stopped for good.  Of the rest these things are not asked, and these alone: that it runs, that it answers its requests,
that it knows, has applied or serves anything, and that it follows the leader.  It may start no ballot either once the
core rests, and every rule of safety binds it as ever.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from paxon.core.decree import Ballot
from paxon.core.roster import ROSTER_LAG
from paxon.core.slip import Polling, Trying
from paxon.errors import check
from paxon.sim.member import Member

if TYPE_CHECKING:
    from paxon.sim.world import World

SETTLE_MS = 20_000
"""All that is owed is done this long after the last fault: tens of election timeouts, and every client's deadline."""

QUIET_MS = 3_000
"""For this long after that, five election timeouts, nothing changes any more."""

STEP_MS = 50
"""How often one looks whether all is done."""

BALLOTS_MAX = 5
"""From the calm until rest no more ballots than this are tried.  Of five hundred seeds none needed two; a storm, in
which ballots beget ballots, has dozens in that time."""

TIMERS_MAX = 4
"""What a member at rest still plans: the deadline of its core, writing down what it knows of the others, and for
moments a tick or a late sync."""


def owe_progress(world: "World") -> None:
    """Let the calm show that everything passes everywhere, that every member serves, and that leadership rests.

    Raises:
        InvariantViolation: with what is still missing.
    """
    round_at_calm = highest_round(world)
    _await(world, unfinished)
    world.workload.served.clear()
    for member in world.core:
        world.workload.write_at(member)
        world.workload.read_at(member)
    _await(world, lambda world: _still_unserved(world) or unfinished(world))
    tried = highest_round(world) - round_at_calm
    check(tried <= BALLOTS_MAX, f"ballots do not beget ballots, but {tried} were tried since everything healed")
    stirs, errands = 0, world.trace.counts["errands"]
    while not _rests(world):
        stirs += 1
        check(stirs <= len(world.left_behind), "a member left behind stirs the others up once, and then no more")
    if world.trace.counts["errands"] > errands:
        # What time makes due may come at any moment, and is soon done.
        _await(world, lambda world: unfinished(world) or unemptied(world))
    left = unfinished(world) or unemptied(world)
    check(not left, f"what is done stays done, but {left}")


def _rests(world: "World") -> bool:
    """Whether leadership rests, which it owes; ``False`` if a member left behind had a reason to stir it once.

    Such a member may have promised a higher ballot than the core's president conducts.  Its word of
    it, the notice of section 2.4, gets through to the president some time, and costs one ballot
    above that promise; after which this member has nothing more to say.
    """
    before, round_before = ballots(world), highest_round(world)
    presiding = max(ballot for ballot, _ in before if ballot is not None)
    ahead = [number for number in world.left_behind if world.oracle.books[number].durable.next_ballot > presiding]
    world.run_until(world.agenda.now_ms + QUIET_MS)
    if ahead and ballots(world) != before:
        return False
    check(ballots(world) == before, f"leadership rests once nothing happens: {before} became {ballots(world)}")
    check(highest_round(world) == round_before, "nobody starts a ballot while a leader is at work, not even the rest")
    return True


def _await(world: "World", missing: Callable[["World"], str]) -> None:
    deadline_ms = world.agenda.now_ms + SETTLE_MS
    while left := missing(world):
        if world.agenda.now_ms >= deadline_ms:
            rest = ", ".join(f"member {number} {end}" for number, end in world.left_behind.items()) or "nobody"
            check(False, f"stuck {SETTLE_MS} ms after everything healed, with {rest} left behind: {left}")
        world.run_until(world.agenda.now_ms + STEP_MS)


def members(world: "World") -> list[Member]:
    """Those who owe progress."""
    return [world.members[number] for number in world.core]


def ballots(world: "World") -> list[tuple[Ballot | None, Ballot]]:
    """The ballot that each member of the core conducts, and the highest it tried."""
    hosts = [member.host for member in members(world) if member.host is not None]
    slips = [(host.legislator.slip, host.legislator.ledger.last_tried) for host in hosts]
    return [(slip.ballot if isinstance(slip, Polling) else None, tried) for slip, tried in slips]


def highest_round(world: "World") -> int:
    """The round of the highest ballot that anybody tried, the rest included."""
    return max(book.durable.last_tried.round for book in world.oracle.books.values())


def _still_unserved(world: "World") -> str:
    """The same as ``unserved``.  Asks those again whose command has an unknown fate, as after a change of leaders."""
    left = unserved(world)
    if left and not world.workload.unfinished:
        for member in world.core:
            if not world.workload.served[member, "write"]:
                world.workload.write_at(member)
    return left


def unserved(world: "World") -> str:
    """Which member has not served a command and a read since they were last asked to, in words."""
    for member in world.core:
        for kind in ("write", "read"):
            if not world.workload.served[member, kind]:
                return f"member {member} has not served a {kind}"
    return ""


def unfinished(world: "World") -> str:
    """What is still missing, in words; empty if nothing is."""
    history = world.oracle.history
    if world.workload.unfinished:
        return world.workload.unfinished
    down = [member.number for member in members(world) if member.host is None]
    if down:
        return f"members {down} are down"
    candidates = [
        member.number
        for member in members(world)
        if member.host is not None and isinstance(member.host.legislator.slip, Trying)
    ]
    if candidates:
        # It may follow another's ballot meanwhile: its own waits for a slow disk, and is begun once that is done.
        return f"members {candidates} are trying a ballot"
    presidents = [ballot for ballot, _ in ballots(world) if ballot is not None]
    if len(presidents) != 1:
        return f"there is not one leader but {len(presidents)}"
    for member in members(world):
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


def unemptied(world: "World") -> str:
    """What has not come back to its size at rest, in words; empty if everything has."""
    if world.network.clogged:
        return f"{world.network.clogged} letters wait in front of links that nothing clogs"
    for member in members(world):
        if left := unemptied_at(world, member):
            return f"member {member.number} keeps {left}"
    return ""


def unemptied_at(world: "World", member: Member) -> str:
    """The same for one member."""
    host, life = member.host, member.life
    if host is None or life is None:
        return ""
    ledger, slip = host.legislator.ledger, host.legislator.slip
    queues = {name: length for name, length in host.queue_lengths.items() if length}
    if world.left_behind:
        # Whoever was left behind may ask at any time, for clients that wait for seconds and for whom nobody waits.
        queues.pop("reads of others", None)
    if queues:
        return f"in its queues {queues}"
    if isinstance(slip, Polling) and (slip.open or slip.forced or slip.questions or slip.waiting):
        return f"on its slip {slip}"
    # A vote may stay where a ballot was lost before its decree passed: nobody needs the slot until it is used.
    if ledger.ahead or len(ledger.votes) > ROSTER_LAG:
        return f"{ledger.ahead} outcomes and {len(ledger.votes)} votes beyond its gap"
    planned = world.agenda.planned_for(life) - (member.links.dialling if member.links is not None else 0)
    return f"{planned} timers" if planned > TIMERS_MAX else ""
