"""A world in which nothing moves by itself: a test delivers, drops, syncs and crashes by hand.

For stories that chance would take long to find.  The oracle watches as in any other world, so a
script that breaks a rule raises ``InvariantViolation`` at the step that breaks it.
"""

from collections.abc import Callable, Iterable

from msgspec import structs

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.invariants import named
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.legislator import Legislator
from paxon.core.messages import HandOver
from paxon.core.roster import Majority, QuorumSystem
from paxon.core.slip import Polling
from paxon.errors import check
from paxon.node.consistency import LINEARIZABLE, Consistency
from paxon.node.host import Host
from paxon.node.letters import PeerMessage
from paxon.sim.network import Envelope, Parcel
from paxon.sim.plan import MachineFaults, Plan
from paxon.sim.watcher import Watcher
from paxon.sim.workload import Request
from paxon.sim.world import World

PATIENCE_MS = 10_000
"""The limit on ``settle``: with everything delivered and synced at once, nothing takes ten seconds."""

TIMEOUT_MS = 600_000
"""Requests in a script have time."""

PIPELINE_DEPTH = 16
"""How many slots a president may have open: more than a story needs, unless it is about their number."""


class Script:
    """The world, and the hands.

    Letters wait in ``mailbox`` in the order they were sent; syncs wait for ``sync``; timers fire
    while ``wait`` lets time pass.  Clocks agree unless somebody sets one.
    """

    def __init__(
        self,
        members: int = 3,
        quorums: QuorumSystem | None = None,
        pipeline_depth: int = PIPELINE_DEPTH,
        watcher: Watcher | None = None,
        lease: LeaseTerms = NO_LEASE,
    ) -> None:
        everyone = tuple(NodeId(number) for number in range(1, members + 1))
        machines = MachineFaults(drift_ppm=0, skew_ms=0)
        plan = Plan(
            "script", quorums or Majority(everyone), machines=machines, pipeline_depth=pipeline_depth, lease=lease
        )
        self.world = World(0, plan, watcher=watcher)
        self.world.by_hand = True
        self.mailbox: list[Parcel] = []
        self.world.network.mailbox = self.mailbox
        self.held: list[Parcel] = []
        """Letters put aside: whatever moves all letters does not move these."""
        self._commands = 0
        for number in self.world.plan.members:
            self.world.boot(number)

    # --- looking ---

    def host(self, member: int) -> Host:
        """A member's running host."""
        host = self.world.members[NodeId(member)].host
        check(host is not None, f"member {member} runs")
        if host is None:
            raise LookupError(member)
        return host

    def legislator(self, member: int) -> Legislator:
        """A member's legislator."""
        return self.host(member).legislator

    @property
    def presidents(self) -> list[int]:
        """Who polls."""
        alive = self.world.alive
        return [number for number in alive if isinstance(self.legislator(number).slip, Polling)]

    def commands_in(self, member: int, slot: int) -> tuple[bytes, ...] | None:
        """What a member has as the outcome of a slot, if it knows."""
        outcome = self.legislator(member).ledger.outcomes.get(Slot(slot))
        return None if outcome is None else outcome.commands

    # --- moving ---

    def submit(self, member: int, word: str = "put", padding_bytes: int = 0) -> Request:
        """Give a member a command that is unlike any other, ``padding_bytes`` longer than it need be."""
        self._commands += 1
        command = f"{word} s{self._commands} r1 ".encode() + b"." * padding_bytes
        self.world.oracle.submitted(command)
        request = Request(self.world.workload, NodeId(member), command, self._no_retry)
        self.world.workload.outstanding[request] = None
        is_taken = self.world.submit(NodeId(member), command, request, TIMEOUT_MS)
        check(is_taken, f"member {member} runs and is awake when it is given a command")
        self.now()
        return request

    def read(self, member: int, consistency: Consistency = LINEARIZABLE) -> Request:
        """Ask a member for a read."""
        request = Request(self.world.workload, NodeId(member), None, self._no_retry, b"r1", consistency)
        self.world.workload.outstanding[request] = None
        is_taken = self.world.read(NodeId(member), request, TIMEOUT_MS, consistency)
        check(is_taken, f"member {member} runs and is awake when it is asked for a read")
        self.now()
        return request

    def wait(self, time_ms: int) -> None:
        """Let time pass."""
        self.world.run_until(self.world.agenda.now_ms + time_ms)

    def now(self) -> None:
        """Let happen what is due now."""
        self.wait(0)

    def waiting(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> list[Parcel]:
        """The letters in the mailbox that fit."""
        return [parcel for parcel in self.mailbox if _fits(parcel, kind, sender, to, slot)]

    def deliver(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> int:
        """Deliver the letters that fit and are waiting now; how many there were."""
        parcels = self.waiting(kind, sender, to, slot)
        for parcel in parcels:
            self._take_out(parcel)
            self.world.network.arrive(parcel)
            self.now()
        return len(parcels)

    def drop(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> int:
        """Lose the letters that fit and are waiting now; how many there were."""
        parcels = self.waiting(kind, sender, to, slot)
        for parcel in parcels:
            self._take_out(parcel)
            self.world.network.lose(parcel, "lost")
        return len(parcels)

    def double(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> int:
        """Put a copy of each letter that fits into the mailbox; how many there were."""
        parcels = self.waiting(kind, sender, to, slot)
        self.mailbox.extend(structs.replace(parcel) for parcel in parcels)
        return len(parcels)

    def hold(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> int:
        """Put the letters that fit aside, until they are set free; how many there were."""
        parcels = self.waiting(kind, sender, to, slot)
        for parcel in parcels:
            self._take_out(parcel)
        self.held += parcels
        return len(parcels)

    def free(
        self, kind: type | None = None, sender: int | None = None, to: int | None = None, slot: int | None = None
    ) -> int:
        """Put the letters that fit and were put aside back into the mailbox; how many there were."""
        parcels = [parcel for parcel in self.held if _fits(parcel, kind, sender, to, slot)]
        self.held = [parcel for parcel in self.held if not any(parcel is freed for freed in parcels)]
        self.mailbox += parcels
        return len(parcels)

    def inject(self, sender: int, to: int, message: PeerMessage) -> None:
        """Deliver a letter that was kept, or that a test makes up."""
        self.world.network.arrive(Parcel(NodeId(sender), NodeId(to), Envelope(message, encode=False)))
        self.now()

    def sync(self, *members: int) -> None:
        """Let the syncs under way at these members, or at all, come to their end."""
        for number in members or self.world.alive:
            member = self.world.members[NodeId(number)]
            if member.disk is not None and member.life is not None and member.disk.is_syncing:
                member.disk.complete()
                self.now()

    def crash(self, member: int, power_cut: bool = True) -> None:
        """End a member's process.  A power cut loses everything that was not synced."""
        number = NodeId(member)
        disk = self.world.members[number].disk
        if disk is not None and power_cut:
            disk.abandon()
        self.world.members[number].crash(power_cut)
        self.world.workload.lost_member(number)

    def restart(self, member: int) -> None:
        """Start a member's process again."""
        self.world.boot(NodeId(member))

    def settle(self, until: Callable[[], object] | None = None, among: Iterable[int] | None = None) -> None:
        """Deliver and sync everything among some members, or all, until ``until`` holds.

        Without ``until``: until some one of them presides, nothing is open, and nobody lacks what passed.
        """
        inside = set(among if among is not None else self.world.plan.members)
        done = until or (lambda: self._is_settled(inside))
        deadline_ms = self.world.agenda.now_ms + PATIENCE_MS
        while not done():
            check(self.world.agenda.now_ms < deadline_ms, "what a script waits for comes about")
            moved = 0
            for parcel in list(self.mailbox):
                if parcel.sender in inside and parcel.to in inside:
                    self._take_out(parcel)
                    self.world.network.arrive(parcel)
                    self.now()
                    moved += 1
            self.sync(*(number for number in self.world.alive if number in inside))
            if not moved:
                self.wait(1)

    def stand(self, member: int, round_: int | None = None) -> None:
        """Have a member start a ballot of its own, as if a president had asked it to take over.

        Without ``round_``: in one that is above all it has promised.
        """
        legislator = self.legislator(member)
        ledger = legislator.ledger
        check(legislator.slip is None, f"member {member} conducts no ballot when it is told to stand")
        other = max(number for number in self.world.plan.members if number != member)
        asking = Ballot(ledger.next_ballot.round + 1 if round_ is None else round_ - 1, other)
        self.inject(other, member, HandOver(asking, ledger.passed_until))
        check(legislator.slip is not None, f"member {member} may follow {named(asking)}, and stands")

    def elect(self, member: int, among: Iterable[int] | None = None, round_: int | None = None) -> None:
        """Make a member president by letters within ``among``."""
        legislator = self.legislator(member)
        self.stand(member, round_)
        self.settle(lambda: isinstance(legislator.slip, Polling), among)

    def _is_settled(self, inside: set[int]) -> bool:
        presidents = [number for number in self.presidents if number in inside]
        if len(presidents) != 1 or self.legislator(presidents[0]).open_slots:
            return False
        known = {self.legislator(number).ledger.passed_until for number in self.world.alive if number in inside}
        return len(known) == 1

    def _take_out(self, parcel: Parcel) -> None:
        # By identity: two copies of a letter are equal, and a play may mean the later one.
        place = next(place for place, waiting in enumerate(self.mailbox) if waiting is parcel)
        del self.mailbox[place]

    @staticmethod
    def _no_retry() -> None:
        """A script repeats nothing by itself."""


def _fits(parcel: Parcel, kind: type | None, sender: int | None, to: int | None, slot: int | None) -> bool:
    return (
        (kind is None or isinstance(parcel.message, kind))
        and sender in (None, parcel.sender)
        and to in (None, parcel.to)
        and slot in (None, getattr(parcel.message, "slot", None))
    )
