"""One member in the simulator: a machine that stays, and the lives of the process on it."""

from collections.abc import Callable

from msgspec import Struct

from paxon.core.decree import NodeId, Slot
from paxon.core.invariants import named
from paxon.core.ledger import Ledger, Record
from paxon.core.roster import Rosters
from paxon.node.host import Host
from paxon.node.letters import PeerMessage
from paxon.node.settings import Limits
from paxon.rsm.applier import Applier
from paxon.rsm.machine import Context
from paxon.sim.agenda import Agenda, Life, Trace
from paxon.sim.clock import MILLION, Quartz, SimClock
from paxon.sim.dice import Dice
from paxon.sim.directory import SimDirectory
from paxon.sim.disk import SimDisk
from paxon.sim.fuse import Fuse
from paxon.sim.machine import Registers
from paxon.sim.network import Network
from paxon.sim.oracle import Oracle
from paxon.sim.plan import Plan
from paxon.sim.shortages import Shortages
from paxon.sim.strikes import Strikes
from paxon.storage.identity import DataDirectory
from paxon.storage.ledger_file import LedgerFile

SEGMENT_BYTES = 32 * 1024
"""Small, so that a run of seconds fills several."""

KEPT_SLOTS = 40
"""How many passed decrees stay in memory: few, so that members that were away are served from the file."""


ZERO_MS_MAX = 10_000_000
"""The zero of a monotonic clock means nothing, so every life has another, up to this."""


class ForgetfulLedger(Ledger):
    """A ledger that keeps little in memory, so that the file is asked."""

    def forget_what_the_file_keeps(self) -> None:
        """See ``Ledger``."""
        while self.passed_until - self.kept_from > KEPT_SLOTS:
            del self.outcomes[self.kept_from]
            self.kept_from = Slot(self.kept_from + 1)


class WatchedRegisters(Registers):
    """A machine that tells the oracle what it applies, and may end its process."""

    def __init__(self, member: NodeId, oracle: Oracle, fuse: Fuse, shortages: Shortages) -> None:
        super().__init__()
        self._member = member
        self._oracle = oracle
        self._fuse = fuse
        self._shortages = shortages

    def apply(self, command: bytes, context: Context) -> bytes:
        """See ``Registers``.

        Raises:
            MemoryError: after the command has changed the state: the worst moment.
        """
        self._fuse.reached("before apply")
        try:
            result = super().apply(command, context)
        except ValueError:
            self._oracle.applied(self._member, command, context, None, self.digest)
            raise
        self._shortages.allocate("memory to apply")
        self._oracle.applied(self._member, command, context, result, self.digest)
        self._fuse.reached("after apply")
        return result


class SimTransport:
    """Satisfies ``Transport``: what a member sends passes the oracle and enters the network."""

    def __init__(self, life: Life, network: Network, oracle: Oracle, fuse: Fuse) -> None:
        self._life = life
        self._network = network
        self._oracle = oracle
        self._fuse = fuse

    def send(self, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        """See ``Transport``."""
        self._fuse.reached("before send")
        self._oracle.sent(self._life.member, message)
        self._network.send(self._life.member, to, message, urgent)
        self._fuse.reached("after send")


class Setting(Struct, frozen=True):
    """What of the world a member takes part in."""

    agenda: Agenda
    trace: Trace
    strikes: Strikes
    oracle: Oracle
    network: Network
    rosters: Rosters


class Member:
    """One member.  ``life``, ``host`` and ``disk`` are those of the process now running, if one is."""

    def __init__(self, number: NodeId, seed: int, plan: Plan, setting: Setting) -> None:
        self.number = number
        self._plan = plan
        self._setting = setting
        self._random = Dice(f"{seed}/member/{number}")
        self._disk_random = Dice(f"{seed}/disk/{number}")
        self.fuse = Fuse(number, setting.strikes)
        self.shortages = Shortages(number, setting.strikes)
        self.directory = SimDirectory(number, self._disk_random, self.fuse)
        clock = Dice(f"{seed}/clock/{number}")
        self.quartz = Quartz(clock, plan.machines.drift_ppm, plan.machines.skew_ms)
        if self.quartz.rate_ppm != MILLION and not setting.strikes.strike(
            "C2", f"let the clock of {number} drift", "drift"
        ):
            self.quartz.rate_ppm = MILLION
        self.lives = 0
        self.life: Life | None = None
        self.host: Host | None = None
        self.clock: SimClock | None = None
        self.disk: SimDisk | None = None
        self.doom: tuple[int, int] | None = None
        """After how many more events of its own it crashes, and for how long."""
        self.down_until_ms = 0

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.host is not None

    def boot(self, plan: Callable[[], Plan], fatal: Callable[[Exception], None]) -> None:
        """Start a process on what the disk has."""
        setting = self._setting
        agenda, trace, oracle = setting.agenda, setting.trace, setting.oracle
        self.lives += 1
        life = Life(self.number, self.lives)
        data = self.open(self.directory)
        file = data.ledger(SEGMENT_BYTES)
        records: list[Record] = []
        file.replay(records.append)
        oracle.replayed(self.number, life.number, records)
        ledger, applier = ForgetfulLedger(), Applier(self._machine())
        _replay(records, ledger, applier)
        clock = self._clock(life)
        self.disk = disk = self._disk(life, file, plan)
        self.host = Host(
            self.number,
            setting.rosters,
            ledger,
            applier,
            clock,
            disk,
            SimTransport(life, setting.network, oracle, self.fuse),
            Limits(pipeline_depth=self._plan.pipeline_depth, decree_bytes_max=self._plan.decree_bytes_max),
            self._plan.timing,
            life.number,
            fatal,
            lambda leader: trace.note(agenda.now_ms, f"leader at {self.number}: {leader and named(leader)}"),
        )
        self.life, self.clock = life, clock
        setting.network.reconnect(self.number)
        self.host.start()

    def open(self, directory: SimDirectory) -> DataDirectory:
        """Open the data directory as its own process does."""
        return DataDirectory.open(directory, "sim", f"m{self.number}", self.number, f"storage-{self.number}")

    def change_rate(self, rate_ppm: int) -> None:
        """Let the monotonic clock run at another rate from here on."""
        self.quartz.change_rate(self._setting.agenda.now_ms, rate_ppm)
        if self.clock is not None:
            self.clock.replan_timers()

    def crash(self, power_cut: bool) -> None:
        """End the process; with a power cut, the disk forgets what was not synced."""
        if self.life is not None:
            self.life.alive = False
        if self.disk is not None:
            self.disk.crash()
        if power_cut:
            self.directory.power_cut()
        self.directory.end_of_process()
        self.life = self.host = self.clock = self.disk = self.doom = None

    def _machine(self) -> WatchedRegisters:
        return WatchedRegisters(self.number, self._setting.oracle, self.fuse, self.shortages)

    def _disk(self, life: Life, file: LedgerFile, plan: Callable[[], Plan]) -> SimDisk:
        setting = self._setting
        return SimDisk(
            setting.agenda,
            setting.trace,
            setting.strikes,
            life,
            file,
            self.directory,
            setting.oracle,
            self._disk_random,
            lambda: plan().machines,
            self.fuse,
            self.shortages,
        )

    def _clock(self, life: Life) -> SimClock:
        zero_ms = self._random.randint(0, ZERO_MS_MAX)
        if not self._setting.strikes.strike("C4", f"the clock of {self.number} begins at {zero_ms} ms"):
            zero_ms = 0
        return SimClock(self._setting.agenda, life, self.quartz, self._random, zero_ms)

    def __str__(self) -> str:
        if self.host is None:
            return f"member {self.number}: down until {self.down_until_ms} ms, lives so far: {self.lives}"
        legislator, ledger = self.host.legislator, self.host.legislator.ledger
        return (
            f"member {self.number}: {self.host.role} in life {self.lives}, president {legislator.president}, "
            f"promised {ledger.next_ballot}, tried {ledger.last_tried}, passed until {ledger.passed_until}, "
            f"applied until {self.host.applied_until}, votes in {sorted(ledger.votes)}, "
            f"open requests {self.host.open_requests}, disk full {self.host.is_disk_full}, slip {legislator.slip}"
        )


def _replay(records: list[Record], ledger: Ledger, applier: Applier) -> None:
    """Bring ledger and machine to where the file has them."""
    for record in records:
        before = ledger.passed_until
        ledger.write(record)
        for passed in range(before, ledger.passed_until):
            applier.apply(Slot(passed), ledger.outcomes[Slot(passed)])
    ledger.forget_what_the_file_keeps()
