"""One member in the simulator: a machine that stays, and the lives of the process on it."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import cast

from msgspec import Struct

from paxon.core.decree import NodeId, Slot
from paxon.core.invariants import named
from paxon.core.ledger import Ledger
from paxon.core.roster import Rosters
from paxon.errors import Disowned, InvariantViolation, LedgerSyncFailed, LedgerTooNew
from paxon.net.handshake import LocalIdentity, Standing
from paxon.net.introductions import Introductions
from paxon.net.peer_memory import PeerMemory
from paxon.node.host import Host
from paxon.node.replay import replay
from paxon.node.settings import Limits, SnapshotSettings
from paxon.node.status import Role
from paxon.rsm.applier import Applier
from paxon.rsm.machine import Capturable, Context
from paxon.sim.agenda import Agenda, Life, Trace
from paxon.sim.atlas import Damage
from paxon.sim.clock import MILLION, Quartz, SimClock
from paxon.sim.dice import Dice
from paxon.sim.directory import SimDirectory
from paxon.sim.disk import SimDisk
from paxon.sim.fuse import Fuse
from paxon.sim.greetings import Addresses, SimLinks, name_of
from paxon.sim.machine import Caretaker, ComparedMachine, Raised
from paxon.sim.network import Network
from paxon.sim.oracle import CLUSTER, Oracle
from paxon.sim.plan import Plan
from paxon.sim.shortages import Shortages
from paxon.sim.strikes import Strikes
from paxon.sim.subject import Subject
from paxon.storage.identity import DataDirectory, Remembrance
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.snapshot_store import SnapshotStore

SEGMENT_BYTES = 8 * 1024
"""Small, so that a run of seconds fills several."""

SNAPSHOTS = (
    SnapshotSettings(every_bytes=24 * 1024, every_slots=30, tail_bytes=8 * 1024, part_bytes=64),
    SnapshotSettings(every_bytes=4 * 1024, every_slots=5, tail_bytes=0, part_bytes=64),
    SnapshotSettings(every_bytes=4 * 1024, every_slots=5, tail_bytes=0, part_bytes=64),
    SnapshotSettings(),
)
"""One of them for each member: a run of seconds takes several and trims, or keeps hardly anything, so that others have
to fetch one in several parts, or takes none at all."""

REMEMBER_EVERY_MS = 2_000
"""How often what is known of the others is written down: often, so that a run of seconds does it."""

KEPT_SLOTS = 20
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


class WatchedMachine:
    """A member's machine: tells the oracle what it applies, and may end its process.  Satisfies ``ByteMachine``."""

    def __init__(
        self, member: NodeId, oracle: Oracle, machine: ComparedMachine, fuse: Fuse, shortages: Shortages
    ) -> None:
        self._member = member
        self._oracle = oracle
        self._machine = machine
        self._fuse = fuse
        self._shortages = shortages

    def apply(self, command: bytes, context: Context) -> bytes:
        """See ``ByteMachine``.

        Raises:
            MemoryError: after the command has changed the state: the worst moment.
        """
        machine = self._machine
        self._fuse.reached("before apply")
        try:
            result = machine.apply(command, context)
        except (InvariantViolation, LedgerTooNew, MemoryError):
            raise
        except Exception as error:
            self._oracle.applied(self._member, command, context, Raised.of(error), machine.digest)
            raise
        self._shortages.allocate("memory to apply")
        self._oracle.applied(self._member, command, context, result, machine.digest)
        self._fuse.reached("after apply")
        return result

    def query(self, question: bytes) -> bytes:
        """See ``ByteMachine``."""
        return self._machine.query(question)


class CapturedMachine(WatchedMachine):
    """The same for a machine that satisfies ``Capturable``, which it does as well."""

    def __init__(
        self, member: NodeId, oracle: Oracle, machine: ComparedMachine, fuse: Fuse, shortages: Shortages
    ) -> None:
        super().__init__(member, oracle, machine, fuse, shortages)
        self._captured = cast(Capturable, machine)

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        return self._captured.capture()

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        self._captured.restore(pieces)


class WatchedApplier(Applier):
    """An applier that tells the oracle what it restores."""

    def __init__(
        self,
        member: NodeId,
        oracle: Oracle,
        machine: ComparedMachine,
        fuse: Fuse,
        shortages: Shortages,
        counts: Counter[str],
    ) -> None:
        watched = CapturedMachine if isinstance(machine, Capturable) else WatchedMachine
        super().__init__(watched(member, oracle, machine, fuse, shortages))
        self._member = member
        self._oracle = oracle
        self._compared = machine
        self._counts = counts
        self.is_running = False
        """Whether the member has started: what is restored from then on was fetched."""

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Applier``."""
        super().restore(pieces)
        self._counts["snapshots fetched" if self.is_running else "starts from a snapshot"] += 1
        self._oracle.restored(self._member, self.applied_until, self._compared.digest)


class Setting(Struct, frozen=True):
    """What of the world a member takes part in."""

    agenda: Agenda
    trace: Trace
    strikes: Strikes
    oracle: Oracle
    network: Network
    rosters: Rosters
    addresses: Addresses
    subject: Subject


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
        self.directory.may_lose_names = lambda lost: setting.strikes.strike(
            "D10", f"take the last {lost} changes of names of member {number} back"
        )
        self._snapshots = Dice(f"{seed}/snapshots/{number}").choice(SNAPSHOTS)
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
        self.machine: ComparedMachine | None = None
        self.links: SimLinks | None = None
        self._data: DataDirectory | None = None
        self.takes_part = False
        self.is_introduced = False
        """Whether it ever took part, and the others know its storage therefore."""
        self.storages = 1
        """How many storages it has had: one more than its disk was emptied."""
        self.damage: Damage | None = None
        """What was done to its disk that its next start has to show."""
        self.is_amnesiac = False
        """Whether it came back with less than was durable."""
        self.lost = ""
        """Why it stays out for good, if it does."""
        self.doom: tuple[int, int] | None = None
        """After how many more events of its own it crashes, and for how long."""
        self.down_until_ms = 0

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.host is not None

    def boot(
        self,
        plan: Callable[[], Plan],
        fatal: Callable[[Exception], None],
        ready: Callable[[], None],
        answer_ms: int,
    ) -> None:
        """Start a process on what the disk has; ``ready`` is called when it may take part."""
        self.lives += 1
        self.life = life = Life(self.number, self.lives)
        self._data = data = self.open(self.directory)
        file = data.ledger(SEGMENT_BYTES)
        store = data.snapshots()
        self.machine = machine = self._setting.subject.machine(self.number, self.lives, self._setting.strikes)
        counts = self._setting.trace.counts
        applier = WatchedApplier(self.number, self._setting.oracle, machine, self.fuse, self.shortages, counts)
        oracle = self._setting.oracle
        oracle.starts(self.number, life.number)
        ledger = replay(
            file,
            store,
            applier,
            ForgetfulLedger,
            lambda ledger, record: oracle.reads_back(self.number, ledger.line, record),
        )
        applier.is_running = True
        self._tell_oracle(ledger)
        self.clock = clock = self._clock(life)
        self.disk = disk = self._disk(life, file, plan, fatal)
        boot = data.begin_life(self._plan.lease.duration_ms)
        # A process's number takes the place of what it draws at random: no two lives have the same.
        self.links = links = self._links(
            life, data, lambda: Standing(ledger.line, boot, life.number), answer_ms, ready, fatal
        )
        self.host = self._host(life, ledger, applier, clock, disk, links, store, fatal, data.forgotten_lease_ms)
        self.takes_part = False
        self._setting.network.reconnect(self.number)
        self._setting.trace.watcher.booted(self.number, life.number)
        self._remember_later(life)

    def _host(
        self,
        life: Life,
        ledger: Ledger,
        applier: Applier,
        clock: SimClock,
        disk: SimDisk,
        links: SimLinks,
        store: SnapshotStore,
        fatal: Callable[[Exception], None],
        forgotten_lease_ms: int,
    ) -> Host:
        agenda, trace = self._setting.agenda, self._setting.trace
        return Host(
            self.number,
            self._setting.rosters,
            ledger,
            applier,
            clock,
            disk,
            links,
            Limits(pipeline_depth=self._plan.pipeline_depth, decree_bytes_max=self._plan.decree_bytes_max),
            self._plan.timing,
            life.number,
            fatal,
            lambda leader: trace.note(agenda.now_ms, f"leader at {self.number}: {leader and named(leader)}"),
            links.memory,
            self._plan.lease,
            forgotten_lease_ms,
            store,
            self._snapshots,
        )

    def take_part(self) -> None:
        """Promise, vote and answer from here on.

        Raises:
            OSError: the disk has no room to note that the storage was introduced.
        """
        if self.host is not None and self._data is not None:
            self._data.mark_introduced()
            self.takes_part = self.is_introduced = True
            self.host.start()

    def disown(self, reason: str) -> None:
        """Have the directory refuse every later start."""
        if self._data is not None:
            self._data.disown(reason)

    def lose_link(self, peer: NodeId) -> None:
        """The process notices that its link to ``peer`` broke."""
        if self.links is not None and self.host is not None:
            self.links.lose(peer)
            if self.takes_part:
                self.host.link_lost(peer)

    def errand(self) -> bytes | None:
        """What it submits on nobody's behalf; ``None`` if nothing, or if it is not awake."""
        host, clock, machine = self.host, self.clock, self._caretaker
        if host is None or clock is None or machine is None:
            return None
        return machine.errand(host.role is Role.LEADER, clock.wall_ms())

    def is_due(self, ahead_ms: int) -> bool:
        """Whether it leads and something that waits for time will be due by its clock ``ahead_ms`` from now."""
        host, clock, machine = self.host, self.clock, self._caretaker
        if host is None or clock is None or machine is None or host.role is not Role.LEADER:
            return False
        due_ms = machine.next_due_ms()
        return due_ms is not None and due_ms <= clock.wall_ms() + ahead_ms

    @property
    def _caretaker(self) -> Caretaker | None:
        """Its machine, if it has errands and is awake to do them."""
        machine: object = self.machine
        is_awake = self.takes_part and self.life is not None and not self.life.is_paused
        return machine if is_awake and isinstance(machine, Caretaker) else None

    def open(self, directory: SimDirectory) -> DataDirectory:
        """Open the data directory as its own process does."""
        storage = f"storage-{self.number}.{self.storages}"
        return DataDirectory.open(directory, CLUSTER, name_of(self.number), self.number, storage)

    def change_rate(self, rate_ppm: int) -> None:
        """Let the monotonic clock run at another rate from here on."""
        self.quartz.change_rate(self._setting.agenda.now_ms, rate_ppm)
        if self.clock is not None:
            self.clock.replan_timers()

    def crash(self, power_cut: bool) -> None:
        """End the process; with a power cut, the disk forgets what was not synced."""
        if self.is_alive:
            self._setting.trace.watcher.crashed(self.number, power_cut)
        if self.life is not None:
            self.life.alive = False
        if self.links is not None:
            self.links.end()
        if self.disk is not None:
            self.disk.crash()
        if power_cut:
            self.directory.power_cut()
        self.directory.end_of_process()
        self.life = self.host = self.clock = self.disk = self.machine = self.doom = self.links = self._data = None
        self.takes_part = False

    def _disk(
        self, life: Life, file: LedgerFile, plan: Callable[[], Plan], fatal: Callable[[Exception], None]
    ) -> SimDisk:
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
            fatal,
        )

    def _links(
        self,
        life: Life,
        data: DataDirectory,
        standing: Callable[[], Standing],
        answer_ms: int,
        ready: Callable[[], None],
        fatal: Callable[[Exception], None],
    ) -> SimLinks:
        setting, identity, members = self._setting, data.identity, self._plan.members
        roster = setting.rosters.of(Slot(1))
        memory = PeerMemory(
            identity.member,
            {
                NodeId(int(name.removeprefix("m"))): Standing(known.line, known.boot, known.life)
                for name, known in data.remembered.items()
            },
        )
        introductions = Introductions(
            len(members) - 1, data.introduce, lambda others: roster.can_decide_with(self.number, others)
        )
        return SimLinks(
            life,
            LocalIdentity(identity.cluster, identity.member, identity.node, identity.storage, ""),
            members,
            setting.agenda,
            setting.network,
            setting.oracle,
            setting.addresses,
            introductions,
            memory,
            self.fuse,
            standing,
            data.introduced,
            answer_ms,
            ready,
            lambda reason: fatal(Disowned(reason)),
        )

    def _tell_oracle(self, ledger: Ledger) -> None:
        oracle = self._setting.oracle
        # Only a disk that was tampered with may have less than the oracle knows to be durable; such a member must
        # never take part, and what it has forgotten is not asked of it.
        self.is_amnesiac = self.damage is not None and ledger.line < oracle.books[self.number].durable.line
        if not self.is_amnesiac:
            oracle.replayed(self.number, ledger)

    def _remember_later(self, life: Life) -> None:
        self._setting.agenda.after(REMEMBER_EVERY_MS, f"{self.number} remembers", lambda: self._remember(life), life)

    def _remember(self, life: Life) -> None:
        """Write down what is known of the others, as ``node`` does now and then."""
        if self.links is None or self._data is None:
            return
        known = {
            name_of(member): Remembrance(standing.line, standing.boot, standing.life)
            for member, standing in self.links.memory.remembered.items()
        }
        with suppress(OSError, LedgerSyncFailed):
            self._data.remember(known)
        self._remember_later(life)

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
