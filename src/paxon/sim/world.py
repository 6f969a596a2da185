"""One seed's run: a storm of faults with an oracle after every event, then calm, and then progress is owed.

Theory of operation.  Every source of chance has a generator of its own, made from the seed:
network, each disk, each clock, each member, clients, faults.  An agenda of events in virtual
time is the only driver.  After each event of a member the oracle looks at what that event
changed; anything that escapes is a ``Violation`` with the seed and the last events in it.

After the storm all links heal, all members come back, letters that were held back for hours
arrive, and then the parliament owes (section 1.2's progress condition): a leader, an end to
every request, the same ledger and state everywhere, service at every member, and no further
change of leader.  In some runs not everybody heals: a core that has its quorums does, and owes
the same, whatever the others go on doing to it.
"""

import gc
import logging
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress

from msgspec import Struct, structs

from paxon.core.decree import Ballot, NodeId
from paxon.core.roster import Roster, Rosters
from paxon.core.slip import Polling
from paxon.errors import Disowned, InvariantViolation, LedgerError, LedgerSyncFailed, RequestError, check
from paxon.node.consistency import LEASED, LINEARIZABLE, Consistency
from paxon.node.host import Host
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.sim import verdicts
from paxon.sim.agenda import Agenda, Life, Trace
from paxon.sim.deal import Deal
from paxon.sim.dice import Dice
from paxon.sim.directory import SimDirectory
from paxon.sim.disk_faults import DiskFaults
from paxon.sim.fates import Fates
from paxon.sim.faults import Faults
from paxon.sim.fuse import PowerCut
from paxon.sim.greetings import ANSWER_MS, Addresses
from paxon.sim.impostor import Impostor
from paxon.sim.machine import Result, answer_of
from paxon.sim.member import Member, Setting
from paxon.sim.network import Network, Parcel
from paxon.sim.oracle import Oracle
from paxon.sim.plan import MachineFaults, NetworkFaults, Plan, plan_of
from paxon.sim.progress import owe_progress
from paxon.sim.remnant import leave_some_behind
from paxon.sim.shortages import OutOfMemory
from paxon.sim.strikes import FILE_POINTS, Strikes
from paxon.sim.subject import REGISTERS, Onlookers, Subject
from paxon.sim.watcher import Watcher
from paxon.sim.workload import Workload

STEP_MS = 50
"""How far the agenda runs between two looks at whether the storm is over."""

BOOT_CRASH = 0.1
"""How often the power goes while a member starts, in a plan with crashes."""

BOOT_POINTS = 16
"""And before how many points of its start."""

BOOT_RETRY_MS = 100
"""How soon a supervisor tries again to start what would not start."""

POWER_CUT = 0.5
"""How often a crash is one of the machine and not of the process alone."""


class Violation(Exception):
    """Something happened that must not; the text has all that is needed to see it again."""

    @property
    def claim(self) -> str:
        """What does not hold, in one line."""
        return str(self).partition("\n")[0]


class Report(Struct, frozen=True):
    """What a run that went well was like."""

    seed: int
    plan: str
    digest: str
    counts: dict[str, int]
    faults: dict[str, int]
    """How often each fault struck, by its id."""
    parts: dict[str, int]
    """How often each form of a fault struck, as "id form"."""
    virtual_ms: int
    lived_ms: int
    """``virtual_ms`` without the time in which nobody was there."""


GARBAGE_OBJECTS = 100_000
"""How many objects a run makes before somebody looks for circles among them.  The interpreter's own 700 come together
every thirty events, and little of what a run makes is ever in a circle."""


@contextmanager
def _rarely_collecting() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(GARBAGE_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


@contextmanager
def _quiet() -> Iterator[None]:
    """Full disks and lost leaders are what a run consists of: no news for the log."""
    logger = logging.getLogger("paxon")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class World:
    """A parliament and everything around it."""

    def __init__(
        self,
        seed: int,
        plan: Plan | None = None,
        spared: Container[int | str] = frozenset(),
        subject: Subject = REGISTERS,
        watcher: Watcher | None = None,
        deal: int = 0,
    ) -> None:
        """``spared`` are strikes that are left out (see ``strikes``), ``deal`` how letters are dealt (see ``deal``)."""
        self.seed = seed
        self.plan = subject.plan(seed, plan_of(seed) if plan is None else plan)
        self.agenda = Agenda()
        self.trace = Trace(watcher)
        self.strikes = Strikes(self.agenda, spared)
        self.rosters = Rosters(Roster(self.plan.quorums))
        self.subject = subject
        self.oracle = Oracle(self.rosters, self.plan.members, subject.reference())
        self._random = Dice(f"{seed}/world")
        self.network = Network(
            self.agenda,
            self.trace,
            self.strikes,
            Dice(f"{seed}/network"),
            Deal(f"{seed}/letters/{deal}") if deal else None,
            self.plan.network,
            self,
            self.plan.encode,
        )
        self.addresses = Addresses()
        setting = Setting(
            self.agenda, self.trace, self.strikes, self.oracle, self.network, self.rosters, self.addresses, subject
        )
        self.members = {number: Member(number, seed, self.plan, setting) for number in self.plan.members}
        onlookers = Onlookers(self.agenda, self.trace, self.strikes, self.oracle)
        self.workload = Workload(seed, subject, onlookers, self.plan.members, self)
        self.fates = Fates(self.agenda, self.trace, self.strikes, self._random, self.members, self)
        self.faults = Faults(
            self.agenda, self.trace, self.strikes, Dice(f"{seed}/faults"), self.plan, self.network, self.fates
        )
        self.disk_faults = DiskFaults(
            self.agenda,
            self.strikes,
            Dice(f"{seed}/disk faults"),
            self.plan,
            self.rosters,
            self.members,
            self.addresses,
            self,
        )
        self.by_hand = False
        """Whether letters and syncs wait for a test to move them."""
        self._is_storm = True
        self.left_behind: dict[NodeId, str] = {}
        """Who is not well again after the storm, and what is wrong with it for good."""
        self._fatal: tuple[NodeId, Exception] | None = None
        self._last_ballot: Ballot | None = None

    # --- the run ---

    def run(self, *, until_calm: bool = False) -> Report:
        """Storm, calm, and what is then owed; with ``until_calm`` the storm alone.

        Raises:
            Violation: if anything is not as it should be.
        """
        with self.watched():
            for number in self.plan.members:
                self.boot(number)
            self.faults.start()
            self.disk_faults.start()
            self.workload.start(self.plan.request_every_ms, self.plan.reads, self.plan.reads_vary)
            self.agenda.after(self.plan.storm_ms, "calm", self._calm)
            while self._is_storm:
                self.step(self.agenda.now_ms + STEP_MS)
            if not until_calm:
                owe_progress(self)
                self.workload.witness.judge()
        agenda, trace = self.agenda, self.trace
        return Report(
            self.seed,
            self.plan.name,
            trace.digest,
            dict(sorted(trace.counts.items())),
            dict(sorted(self.strikes.counts.items())),
            dict(sorted(self.strikes.parts.items())),
            agenda.now_ms,
            agenda.now_ms - agenda.leapt_ms,
        )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """To be entered while the world moves: whatever goes wrong inside is a ``Violation``."""
        with _quiet(), _rarely_collecting(), self.subject.running():
            try:
                yield
            except Exception as error:
                raise self._violation(error) from error

    def step(self, until_ms: int) -> bool:
        """The next event, if there is one until then, and what the oracle thinks of it."""
        event = self.agenda.pop(until_ms)
        if event is None or event.action is None:
            return False
        trace = self.trace
        trace.note(self.agenda.now_ms, event.label)
        if trace.is_watched:
            trace.watcher.stepped(self.agenda.now_ms)
        trace.counts["events"] += 1
        try:
            event.action()
            if event.life is not None:
                self.look_at(event.life)
        except PowerCut as cut:
            self.crash(cut.member, cut.down_ms)
        except OutOfMemory as error:
            check(self._fatal is not None, f"a member that lacks {error} stops, and takes no other half of a step")
        if self._fatal is not None:
            try:
                self._bury(*self._fatal)
            except PowerCut as cut:
                # It dies as it writes down that it was disowned; its next life is told again.
                self.crash(cut.member, cut.down_ms)
        return True

    def run_until(self, when_ms: int) -> None:
        """All events until then."""
        while self.step(when_ms):
            pass

    def look_at(self, life: Life) -> None:
        """Compare what a member just did with what it may do."""
        member = self.members[life.member]
        host = member.host
        if host is None or member.life is not life or not member.takes_part:
            return
        if self.trace.is_watched:
            self.trace.watcher.looked(life.member, host, self.oracle.history.passed)
        if self.plan.lease.duration_ms:
            self._look_at_leases()
        legislator = host.legislator
        slip = legislator.slip
        self.oracle.stepped(life.member, slip, legislator.ledger.line, host.applied_until)
        if slip is not None and isinstance(slip, Polling) and slip.ballot != self._last_ballot:
            self._last_ballot = slip.ballot
            self.trace.counts["elections"] += 1
        if member.doom is not None:
            events, down_ms = member.doom
            member.doom = (events - 1, down_ms)
            if events <= 1:
                self.crash(life.member, down_ms)

    def _look_at_leases(self) -> None:
        """Whoever has a lease by its own clock, also if it noticed that it was stopped and uses it no more."""
        holders = [
            member.number
            for member in self.members.values()
            if member.host is not None
            and member.clock is not None
            and (lease := member.host.legislator.lease) is not None
            and member.clock.monotonic_ms() < lease.until_ms
        ]
        self.oracle.leading(holders)
        self.trace.counts["steps with a lease"] += len(holders)

    # --- what clients do (Parliament) ---

    def submit(self, member: NodeId, command: bytes, reply: Reply[Applied], timeout_ms: int) -> bool:
        """See ``Parliament``."""
        return self._request(member, lambda host: host.submit(command, reply, timeout_ms), reply.set_exception)

    def read(self, member: NodeId, reply: Reply[int], timeout_ms: int, consistency: Consistency = LINEARIZABLE) -> bool:
        """See ``Parliament``."""

        def ask(host: Host) -> None:
            if host.may_read(consistency):
                self.trace.counts["reads by lease"] += consistency == LEASED
                reply.set_result(host.applied_until)
            else:
                host.read(reply, timeout_ms, consistency)

        return self._request(member, ask, reply.set_exception)

    def query(self, member: NodeId, question: bytes) -> Result:
        """See ``Parliament``."""
        machine = self.members[member].machine
        if machine is None:
            raise InvariantViolation(f"member {member} runs while it answers")
        return answer_of(machine, question)

    def clock_ms(self, member: NodeId, then_ms: int) -> int:
        """See ``Parliament``."""
        return self.members[member].quartz.showed_ms(then_ms)

    def _request(self, number: NodeId, ask: Callable[[Host], None], refuse: Callable[[Exception], None]) -> bool:
        member = self.members[number]
        if member.host is None or member.life is None or member.life.is_paused:
            return False
        life = member.life
        try:
            ask(member.host)
        except RequestError as error:
            refuse(error)
        self.look_at(life)
        return True

    # --- lives ---

    @property
    def alive(self) -> list[NodeId]:
        """Who runs."""
        return [member.number for member in self.members.values() if member.is_alive]

    @property
    def core(self) -> tuple[NodeId, ...]:
        """Who is well again after the storm, and owes progress."""
        return tuple(number for number in self.plan.members if number not in self.left_behind)

    def boot(self, number: NodeId) -> None:
        """Start a member, unless it runs or its disk has no room; sometimes the power goes again meanwhile."""
        member = self.members[number]
        if member.is_alive or member.lost or self.left_behind.get(number) == "down":
            return
        if member.lives and self.plan.machines.crash_every_ms and self._random.random() < BOOT_CRASH:
            member.fuse.light(FILE_POINTS, self._random.randrange(BOOT_POINTS), BOOT_RETRY_MS)
        try:
            answer_ms = 0 if self.by_hand else ANSWER_MS
            member.boot(lambda: self.plan, self._fail(number), lambda: self._take_part(member), answer_ms)
            verdicts.started(member)
        except PowerCut as cut:
            self.trace.counts["crashes at start"] += 1
            member.crash(power_cut=True)
            self._boot_later(number, cut.down_ms)
        except (OSError, OutOfMemory, LedgerSyncFailed):
            # No room, no memory, or a sync that failed: what a supervisor does about it is to try again.
            member.crash(power_cut=False)
            self._boot_later(number, BOOT_RETRY_MS)
        except LedgerError as error:
            member.crash(power_cut=False)
            self._lose(member, error)
        if member.disk is not None:
            member.disk.waits_for_hand = self.by_hand
        if self.by_hand:
            self.run_until(self.agenda.now_ms)

    def crash(self, member: NodeId, down_ms: int) -> None:
        """End a member's process at once, perhaps with its machine's power, and start it after ``down_ms``."""
        self.trace.counts["crashes"] += 1
        self.trace.note(self.agenda.now_ms, f"crash {member}")
        is_cut = self._random.random() < POWER_CUT and self.strikes.strike("D1", f"cut the power of {member}")
        self.end(member, is_cut, down_ms)

    def end(self, member: NodeId, is_cut: bool, down_ms: int) -> None:
        """End a member's process, with its machine's power or without, and start it after ``down_ms``."""
        host = self.members[member].host
        self.trace.counts["leader crashes"] += host is not None and isinstance(host.legislator.slip, Polling)
        self.members[member].crash(is_cut)
        self.workload.lost_member(member)
        self._boot_later(member, down_ms)

    def _boot_later(self, member: NodeId, down_ms: int) -> None:
        self.members[member].down_until_ms = self.agenda.now_ms + down_ms
        if not self.by_hand:
            self.agenda.after(down_ms, f"boot {member}", lambda: self.boot(member))

    def _fail(self, member: NodeId) -> Callable[[Exception], None]:
        def fatal(error: Exception) -> None:
            self._fatal = (member, error)

        return fatal

    def cut_power(self, member: NodeId, down_ms: int) -> None:
        """See ``Owners``."""
        self.trace.counts["crashes"] += 1
        self.trace.note(self.agenda.now_ms, f"crash {member}")
        self.end(member, True, down_ms)

    def _bury(self, number: NodeId, error: Exception) -> None:
        """A process gave up: rightly so if disk or memory failed, a crash like any other, or if it forgot something."""
        self._fatal = None
        member = self.members[number]
        if isinstance(error, Disowned):
            with suppress(OSError, LedgerSyncFailed):
                member.disown(str(error))
            self._lose(member, error)
        else:
            verdicts.gave_up(member, error)
            self.crash(number, self._random.randint(*self.plan.machines.down_ms))

    # --- disks that were tampered with (Owners) ---

    def start_copy(self, member: NodeId, directory: SimDirectory) -> None:
        """See ``Owners``."""
        Impostor(self.agenda, self.network, self.oracle, self.addresses, member, self.plan.members, directory).start()

    def _take_part(self, member: Member) -> None:
        """Enough of the others were heard."""
        if member.is_amnesiac:
            # Nobody who answered remembers more than it has, or its links would have been refused: the oracle has
            # compared.  That is what decision 10 says cannot be known.  A real member would vote; here it is taken
            # out, because what then happens is nobody's fault but the disk's.
            self.trace.counts["losses that nobody remembers"] += 1
            self._fatal = (member.number, Disowned("nobody who is there remembers what it forgot"))
            return
        try:
            member.take_part()
        except (OSError, LedgerSyncFailed) as error:
            self._fatal = (member.number, error)

    def _lose(self, member: Member, error: LedgerError) -> None:
        """A member stays out for good."""
        verdicts.stays_out(member, error, self.disk_faults.copied)
        member.lost = str(error)
        self.left_behind[member.number] = "lost"
        self.trace.counts["members lost"] += 1
        self.trace.note(self.agenda.now_ms, f"member {member.number} is lost: {type(error).__name__}")
        if member.is_alive:
            self.end(member.number, False, 0)

    # --- what the network does (Ends) ---

    def hint(self, member: NodeId, peer: NodeId) -> None:
        """See ``Ends``."""
        self.fates.hint(member, peer)

    def deliver(self, parcel: Parcel) -> None:
        """See ``Ends``."""
        member = self.members[parcel.to]
        if member.host is None or member.life is None:
            self.network.lose(parcel, "nobody was there")
            return
        life = member.life
        if life.is_paused or life.step_ms:
            # It waits its turn, in an event that belongs to the receiver.
            self.agenda.after(0, parcel.label, lambda: self._hand_over(parcel), life)
        else:
            self._hand_over(parcel)
            self.look_at(life)

    def heard(self, frames: Sequence[tuple[int, bytes]], sent: Sequence[tuple[int, bytes]]) -> None:
        """See ``Ends``."""
        self.oracle.heard(frames, sent)

    def _hand_over(self, parcel: Parcel) -> None:
        member = self.members[parcel.to]
        host, life = member.host, member.life
        if host is None or life is None:
            return
        if not member.takes_part:
            self.network.lose(parcel, "its receiver takes no part yet")
            return
        try:
            member.shortages.allocate("memory to decode")
        except OutOfMemory:
            # What asyncio does about an exception while bytes are taken in: it closes the connection.
            self.network.lose(parcel, "no memory to read it")
            self.network.break_connection(parcel.sender, parcel.to)
        else:
            self.trace.watcher.arrived(parcel)
            sender, message = parcel.sender, parcel.envelope.message
            self.oracle.delivered(life, sender, message)
            host.receive(sender, message)

    # --- the end ---

    def _calm(self) -> None:
        """The storm is over: everything heals, everybody is back, or at least enough of them."""
        self._is_storm = False
        self.trace.watcher.calmed()
        self.faults.stop()
        self.disk_faults.stop()
        self.workload.stop()
        self.network.heal()
        is_whole = not self.plan.heals_core_only
        self.plan = structs.replace(self.plan, network=NetworkFaults(), machines=MachineFaults())
        for number in self.plan.members:
            self.fates.heal(number)
            self.boot(number)
        if not is_whole:
            leave_some_behind(self, Dice(f"{self.seed}/core"))

    def _violation(self, error: Exception) -> Violation:
        members = "\n".join(str(member) for member in self.members.values())
        return Violation(
            f"{self.workload.witness.explain() or error}\n"
            f"seed {self.seed} ({self.plan.name}, {self.plan.quorums}) at {self.agenda.now_ms} ms of virtual time\n"
            f"again: {self.subject.again(self.seed, self.plan)}\n"
            f"the last events:\n{self.trace.latest}\n{members}"
        )
