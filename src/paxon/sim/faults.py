"""The hand that does the damage: partitions, crashes, pauses, full and failing disks, clocks that jump.

Knows: how often each is due, from the plan.  Does not know: what the members make of it.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from paxon.core.decree import NodeId
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.network import Network
from paxon.sim.plan import HOUR_MS, Plan
from paxon.sim.strikes import Strikes

EVENTS_BEFORE_CRASH_MAX = 12
"""A crash comes after up to so many of the member's next events, so that it hits between any two of them."""

HINTED = 0.5
"""How often a cut link is noticed as a broken connection."""


class Victims(Protocol):
    """What can be done to members."""

    @property
    def alive(self) -> list[NodeId]:
        """Who runs."""

    def doom(self, member: NodeId, events: int, down_ms: int) -> None:
        """Let ``member`` crash after so many of its events, and come back after ``down_ms``."""

    def crash(self, member: NodeId, down_ms: int) -> None:
        """Crash a member now."""

    def pause(self, member: NodeId, pause_ms: int) -> None:
        """Stop a member without its noticing."""

    def hint(self, member: NodeId, peer: NodeId) -> None:
        """Let ``member`` know that its link to ``peer`` broke."""

    def fill_disk(self, member: NodeId, is_full: bool) -> None:
        """Let a disk have no room, or room again."""

    def fail_sync(self, member: NodeId) -> None:
        """Let the next sync of a member fail for good."""

    def step_wall_clock(self, member: NodeId, by_ms: int) -> None:
        """Let a wall clock jump."""


class Faults:
    """All fault processes of one plan, until ``stop``."""

    def __init__(
        self,
        agenda: Agenda,
        trace: Trace,
        strikes: Strikes,
        random: Random,
        plan: Plan,
        network: Network,
        victims: Victims,
    ) -> None:
        self._agenda = agenda
        self._trace = trace
        self._strikes = strikes
        self._random = random
        self._plan = plan
        self._network = network
        self._victims = victims
        self._is_over = False

    def start(self) -> None:
        """Begin every process of the plan."""
        network, machines = self._plan.network, self._plan.machines
        self._repeat(network.replay_every_ms, "replay", self._network.replay)
        if len(self._plan.members) > 1:
            self._repeat(network.cut_every_ms, "cut", self._cut)
        self._repeat(machines.crash_every_ms, "crash", self._crash)
        self._repeat(machines.blackout_every_ms, "blackout", self._blackout)
        self._repeat(machines.pause_every_ms, "pause", self._pause)
        self._repeat(machines.sync_error_every_ms, "sync error", self._fail_sync)
        self._repeat(machines.full_every_ms, "disk full", self._fill_disk)
        self._repeat(machines.clock_step_every_ms, "clock step", self._step_clock)

    def stop(self) -> None:
        """No more faults."""
        self._is_over = True

    def _repeat(self, every_ms: int, name: str, action: Callable[[], None]) -> None:
        if not every_ms:
            return

        def run() -> None:
            if not self._is_over:
                self._trace.counts[name] += 1
                action()
                plan_next()

        def plan_next() -> None:
            self._agenda.after(1 + int(self._random.expovariate(1 / every_ms)), name, run)

        plan_next()

    def _some_alive(self) -> NodeId | None:
        alive = self._victims.alive
        return self._random.choice(alive) if alive else None

    def _cut(self) -> None:
        """One of the partitions that are known to hurt."""
        random, members = self._random, list(self._plan.members)
        random.shuffle(members)
        one, rest = members[:1], members[1:]
        fault = "N1"
        match random.randrange(5):
            case 0:
                pairs = both_ways(one, rest)
            case 1:
                half = random.randrange(1, len(members))
                pairs = both_ways(members[:half], members[half:])
            case 2:
                # The one hears and is not heard, or the other way about.
                fault, pairs = "N2", one_way(one, rest) if random.getrandbits(1) else one_way(rest, one)
            case 3:
                # A bridge: two sides that only one member can reach.
                half = 1 + len(rest) // 2
                pairs = both_ways(rest[: half - 1], rest[half - 1 :])
            case _:
                fault, pairs = "N2", {pair for pair in sorted(one_way(members, members)) if random.random() < 0.3}
        hinted = [pair for pair in sorted(pairs) if random.random() < HINTED]
        cut_ms = random.randint(*self._plan.network.cut_ms)
        ways = " ".join(f"{sender}>{to}" for sender, to in sorted(pairs))
        if not self._strikes.strike(fault, f"cut {ways} for {cut_ms} ms"):
            return
        self._network.cut |= pairs
        for sender, to in hinted:
            self._victims.hint(to, sender)

        def heal() -> None:
            self._network.cut -= pairs

        self._agenda.after(cut_ms, "cut heals", heal)

    def _crash(self) -> None:
        member = self._some_alive()
        if member is not None:
            down_ms = self._random.randint(*self._plan.machines.down_ms)
            events = self._random.randint(1, EVENTS_BEFORE_CRASH_MAX)
            if self._strikes.strike("P1", f"kill {member} after {events} events, for {down_ms} ms"):
                self._victims.doom(member, events, down_ms)

    def _blackout(self) -> None:
        downs_ms = {member: self._random.randint(1, 1_000) for member in self._victims.alive}
        leap_ms = self._random.randint(HOUR_MS // 4, HOUR_MS)
        if self._strikes.strike("P6", f"kill everybody for {leap_ms} ms"):
            for member, down_ms in downs_ms.items():
                self._victims.crash(member, down_ms)
            self._agenda.leap(leap_ms)

    def _pause(self) -> None:
        member = self._some_alive()
        if member is not None:
            pause_ms = self._random.randint(*self._plan.machines.pause_ms)
            if self._strikes.strike("P3", f"stop {member} for {pause_ms} ms"):
                self._victims.pause(member, pause_ms)

    def _fail_sync(self) -> None:
        member = self._some_alive()
        if member is not None and self._strikes.strike("D2", f"fail the next sync of {member}"):
            self._victims.fail_sync(member)

    def _fill_disk(self) -> None:
        member = self._random.choice(self._plan.members)
        full_ms = self._random.randint(*self._plan.machines.full_ms)
        if not self._strikes.strike("D3", f"fill the disk of {member} for {full_ms} ms"):
            return
        self._victims.fill_disk(member, True)
        self._agenda.after(full_ms, "disk has room", lambda: self._victims.fill_disk(member, False))

    def _step_clock(self) -> None:
        member, by_ms = self._random.choice(self._plan.members), self._random.randint(-60_000, 60_000)
        if self._strikes.strike("C1", f"move the wall clock of {member} by {by_ms} ms"):
            self._victims.step_wall_clock(member, by_ms)


def one_way(senders: Sequence[NodeId], receivers: Sequence[NodeId]) -> set[tuple[NodeId, NodeId]]:
    """Letters from any sender to any receiver."""
    return {(sender, to) for sender in sorted(senders) for to in sorted(receivers) if sender != to}


def both_ways(one: Sequence[NodeId], other: Sequence[NodeId]) -> set[tuple[NodeId, NodeId]]:
    """Letters between two sides."""
    return one_way(one, other) | one_way(other, one)
