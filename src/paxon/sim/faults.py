"""The hand that does the damage: how often each fault is due, and what then befalls network and members.

Knows: the plan.  Does not know: what the members make of it.  ``network_faults`` and ``machine_faults`` do the rest.
"""

from collections.abc import Callable
from random import Random

from paxon.sim.agenda import Agenda, Trace
from paxon.sim.machine_faults import MachineHand
from paxon.sim.network import Network
from paxon.sim.network_faults import NetworkHand
from paxon.sim.plan import Plan
from paxon.sim.strikes import Strikes
from paxon.sim.victims import Victims


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
        self._random = random
        self._plan = plan
        self._network = network
        self._network_hand = NetworkHand(self, strikes, random, plan, network, victims)
        self._machine_hand = MachineHand(self, agenda, strikes, random, plan, victims)
        self._is_over = False

    def start(self) -> None:
        """Begin every process of the plan."""
        network, machines = self._plan.network, self._plan.machines
        links, hands = self._network_hand, self._machine_hand
        self._repeat(network.replay_every_ms, "replay", self._network.replay)
        if len(self._plan.members) > 1:
            self._repeat(network.cut_every_ms, "cut", links.cut)
            self._repeat(network.clog_every_ms, "clog", links.clog)
            self._repeat(network.break_every_ms, "break", links.break_some)
            self._repeat(network.cap_every_ms, "cap", links.cap)
        self._repeat(machines.crash_every_ms, "crash", hands.crash)
        self._repeat(machines.blackout_every_ms, "blackout", hands.blackout)
        self._repeat(machines.pause_every_ms, "pause", hands.pause)
        self._repeat(machines.sync_error_every_ms, "sync error", hands.fail_sync)
        self._repeat(machines.full_every_ms, "disk full", hands.fill_disk)
        self._repeat(machines.clock_step_every_ms, "clock step", hands.step_clock)
        self._repeat(machines.rate_every_ms, "clock rate", hands.change_rate)
        self._repeat(machines.point_every_ms, "crash point", hands.light_fuse)
        self._repeat(machines.slow_every_ms, "slow process", hands.slow_down)
        self._repeat(machines.shortage_every_ms, "shortage", hands.run_short)
        self._repeat(machines.loop_every_ms, "restarts", hands.restart_some)

    def stop(self) -> None:
        """No more faults, and no more ends of faults: whoever stops them heals everything."""
        self._is_over = True

    def later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Do something that belongs to a fault, its end for example, unless all are over by then."""

        def run() -> None:
            if not self._is_over:
                action()

        self._agenda.after(delay_ms, label, run)

    def _repeat(self, every_ms: int, name: str, action: Callable[[], None]) -> None:
        if not every_ms:
            return

        def run() -> None:
            self._trace.counts[name] += 1
            action()
            plan_next()

        def plan_next() -> None:
            self.later(1 + int(self._random.expovariate(1 / every_ms)), name, run)

        plan_next()
