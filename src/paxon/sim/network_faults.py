"""What is done to links: partitions, clogs, broken connections, narrow links.

Knows: which of them is due, and its dice.  Does not know: what a letter says.
"""

from random import Random

from paxon.core.decree import NodeId
from paxon.sim.links import Cap, Reset, Way
from paxon.sim.network import Network
from paxon.sim.partitions import both_ways, one_way, some_partition
from paxon.sim.plan import Plan
from paxon.sim.strikes import Strikes
from paxon.sim.victims import Later, Victims

HINTED = 0.5
"""How often a cut link is noticed as a broken connection."""

RESET_LETTERS_MAX = 30
"""A stream breaks after up to so many more letters."""

DEAD_MS = (200, 10_000)
"""How long a sender takes to notice that its connection is dead: up to the ten seconds that links wait on a stall."""

SMALL_BYTES = (60, 1_500)
"""What still passes where large letters do not: from a heartbeat to an Ethernet frame."""

SWIZZLE_GAP_MS_MAX = 300
"""How far apart the links of a swizzle are clogged, and unclogged."""


class NetworkHand:
    """Does one of them whenever it is told to."""

    def __init__(
        self, faults: Later, strikes: Strikes, random: Random, plan: Plan, network: Network, victims: Victims
    ) -> None:
        self._faults = faults
        self._strikes = strikes
        self._random = random
        self._plan = plan
        self._network = network
        self._victims = victims

    def cut(self) -> None:
        """One of the partitions that are known to hurt."""
        random = self._random
        fault, form, ways = some_partition(random, self._plan.members, self._victims.leader)
        hinted = [way for way in sorted(ways) if random.random() < HINTED]
        cut_ms = random.randint(*self._plan.network.cut_ms)
        words = " ".join(f"{sender}>{to}" for sender, to in sorted(ways))
        if not self._strikes.strike(fault, f"cut {words} for {cut_ms} ms", form):
            return
        self._network.cut |= ways
        for sender, to in hinted:
            self._victims.hint(to, sender)

        def heal() -> None:
            self._network.cut -= ways

        self._faults.later(cut_ms, "cut heals", heal)

    def clog(self) -> None:
        """One link, or several one after the other that are set free in another order."""
        random = self._random
        ways = random.sample(self._ways(), random.randint(2, len(self._ways()))) if random.getrandbits(1) else []
        if not ways:
            sender, to = random.choice(self._ways())
            clog_ms = random.randint(*self._plan.network.clog_ms)
            if self._strikes.strike("N5", f"clog {sender}>{to} for {clog_ms} ms", "clog"):
                self._clog((sender, to), 0, clog_ms)
            return
        starts_ms = [random.randint(0, SWIZZLE_GAP_MS_MAX) * number for number in range(len(ways))]
        ends_ms = [starts_ms[-1] + random.randint(*self._plan.network.clog_ms) for _ in ways]
        words = " ".join(f"{sender}>{to}" for sender, to in ways)
        if self._strikes.strike("N5", f"clog {words} one after the other", "swizzle"):
            for way, start_ms, end_ms in zip(ways, starts_ms, ends_ms, strict=True):
                self._clog(way, start_ms, end_ms)

    def break_some(self) -> None:
        """A connection breaks, or stays and is of little use."""
        random, strike = self._random, self._strikes.strike
        sender, to = random.choice(self._ways())
        letters = random.randint(1, RESET_LETTERS_MAX)
        lasts_ms = random.randint(*DEAD_MS)
        tells_sender = bool(random.getrandbits(1))
        bytes_max = random.randint(*SMALL_BYTES)
        what = f"the connection {sender}>{to}"
        match random.randrange(4):
            case 0:
                if strike("N7", f"reset {what} after {letters} letters", "reset"):
                    self._network.link(sender, to).reset = Reset(letters, tells_sender=True, tells_receiver=True)
            case 1:
                if strike("N7", f"half of {what} ends after {letters} letters", "half open"):
                    self._network.link(sender, to).reset = Reset(letters, tells_sender, not tells_sender)
                    self._faults.later(lasts_ms, "half-open connection noticed", lambda: self._notice(sender, to))
            case 2:
                if strike("N7", f"{what} drops letters over {bytes_max} bytes", "small letters only"):
                    self._network.link(sender, to).bytes_max = bytes_max
                    self._faults.later(lasts_ms, "large letters pass", lambda: self._widen(sender, to))
            case _:
                if strike("N7", f"{what} carries nothing for {lasts_ms} ms", "dead connection"):
                    self._network.link(sender, to).is_dead = True
                    self._faults.later(lasts_ms, "dead connection noticed", lambda: self._notice(sender, to))

    def cap(self) -> None:
        """All links to a member, or all from it, become narrow."""
        random = self._random
        member = random.choice(self._plan.members)
        others = [other for other in self._plan.members if other != member]
        ways = sorted(one_way([member], others) if random.getrandbits(1) else one_way(others, [member]))
        cap_ms = random.randint(*self._plan.network.cap_ms)
        bytes_per_s = random.randint(*self._plan.network.cap_bytes_per_s)
        words = " ".join(f"{sender}>{to}" for sender, to in ways)
        if not self._strikes.strike("N8", f"{words} carry {bytes_per_s} bytes a second for {cap_ms} ms"):
            return
        for sender, to in ways:
            self._network.link(sender, to).cap = Cap(bytes_per_s)

        def widen() -> None:
            for sender, to in ways:
                self._network.link(sender, to).cap = None

        self._faults.later(cap_ms, "cap ends", widen)

    def _ways(self) -> list[Way]:
        return sorted(both_ways(self._plan.members, self._plan.members))

    def _clog(self, way: Way, start_ms: int, end_ms: int) -> None:
        self._faults.later(start_ms, "clog begins", lambda: self._network.clog(*way))
        self._faults.later(end_ms, "clog ends", lambda: self._network.unclog(*way))

    def _notice(self, sender: NodeId, to: NodeId) -> None:
        if self._network.link(sender, to).is_dead:
            self._network.break_connection(sender, to)

    def _widen(self, sender: NodeId, to: NodeId) -> None:
        self._network.link(sender, to).bytes_max = None
