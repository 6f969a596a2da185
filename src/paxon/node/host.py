"""The host loop: append, sync, release, apply, reply, around one legislator.

Knows: the order of these five, and nothing may change it.  Everything it needs of the machine
is in ``ports``, so that this very code runs in the simulator.  Does not know: keys and
values, sockets, files, asyncio.  It is driven from outside on one thread and never blocks.

This is also where the paper's words become the industry's: logs, errors and statuses above
this line speak of leaders, terms and commits.
"""

import errno
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import ParamSpec

from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.core.effects import Effects, Letter, Recall
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.ledger import Ledger, Outcome
from paxon.core.legislator import Legislator
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    LastVote,
    Message,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
)
from paxon.core.roster import Rosters
from paxon.core.slip import Polling, Trying
from paxon.core.timing import Timing
from paxon.errors import (
    Disowned,
    LedgerSyncFailed,
    ProtocolError,
    SnapshotUnusable,
    check,
)
from paxon.net.peer_memory import PeerMemory
from paxon.node.consistency import LINEARIZABLE, Consistency, Leased
from paxon.node.freshness import Freshness
from paxon.node.hold_back import NO_APPOINTMENTS, Appointments, Area
from paxon.node.letters import (
    AskReading,
    AskSnapshot,
    HostMessage,
    Known,
    PeerMessage,
    ReadingAt,
    SnapshotOffer,
    SnapshotPart,
)
from paxon.node.outbox import Outbox
from paxon.node.ports import Clock, Disk, Reply, Timer, Transport
from paxon.node.proposals import Applied, Pending
from paxon.node.requests import Requests
from paxon.node.settings import Limits, SnapshotSettings
from paxon.node.snapshots import Snapshots
from paxon.node.status import ReadCounts, Role
from paxon.node.vouching import remember, vouched
from paxon.rsm.applier import Applier
from paxon.storage.snapshot_file import Snapshot
from paxon.storage.snapshot_store import SnapshotStore

logger = logging.getLogger(__name__)

Given = ParamSpec("Given")
"""What a step of the core is given."""

TICK_MS = 50
"""How often deadlines of requests are looked at, while there are any: how late a refusal may be."""

DISK_RETRY_MS = 500
"""How often a full disk is tried again."""

LAZY_SYNC_MS = 200
"""Records that no letter waits for are made durable after this long without another sync.  They can be learned
again, but not from the file, and a file that is far behind the ledger answers nobody."""

RECALL_BYTES = 128 * 1024
"""What one answer from the file carries; small, so that a member catching up does not delay live writes."""

URGENT = frozenset((Presence, Present, Canvass, CanvassReply, HandOver, Superseded, AskReading, ReadingAt, Known))
"""Small messages that bulk data must not delay."""

INKED = frozenset((BeginBallot, NextBallot, LastVote, Success, CanvassReply, HandOver))
"""Messages that may make the core take on more to write than a note about what it already holds."""


class Host:
    """One member at work.

    ``ledger`` and ``applier`` come replayed from the disk.  ``boot`` tells this life of the
    process from every other.  ``leader_changed`` hears of every change of what ``leader`` says.
    ``memory`` is what is known of the other members' ledgers.  ``terms`` are those of the leader's lease, and
    ``forgotten_lease_ms`` the longest that an earlier life of this member may have granted.
    Snapshots are taken and fetched if there is a ``store`` for them and the state machine can be captured.
    ``appointments`` say whom an answer waits for; see ``hold_back``.
    After ``fatal`` was called the host is dead: nothing it is told has any effect.
    """

    def __init__(
        self,
        me: NodeId,
        rosters: Rosters,
        ledger: Ledger,
        applier: Applier,
        clock: Clock,
        disk: Disk,
        transport: Transport,
        limits: Limits,
        timing: Timing,
        boot: int,
        fatal: Callable[[Exception], None],
        leader_changed: Callable[[Ballot | None], None],
        memory: PeerMemory | None = None,
        terms: LeaseTerms = NO_LEASE,
        forgotten_lease_ms: int = 0,
        store: SnapshotStore | None = None,
        snapshots: SnapshotSettings | None = None,
        appointments: Appointments = NO_APPOINTMENTS,
    ) -> None:
        self._me = me
        self._rosters = rosters
        self._memory = memory or PeerMemory()
        self._applier = applier
        self._clock = clock
        self._disk = disk
        self._transport = transport
        self._limits = limits
        self._fatal = fatal
        self._leader_changed = leader_changed
        self.legislator = Legislator(
            me, ledger, rosters, timing, clock.monotonic_ms(), clock.chance(), terms, forgotten_lease_ms
        )
        self._freshness = Freshness(clock, self.legislator, terms.pause_ms)
        self._outbox = Outbox(ledger.line)
        self._requests = Requests(
            me, limits, timing.retransmit_ms, boot, ledger.last_tried, clock, self._send, appointments
        )
        self._snapshots: Snapshots | None = None
        if store is not None and applier.is_capturable:
            settings = snapshots or SnapshotSettings()
            self._snapshots = Snapshots(
                applier, clock, disk, store, settings, timing.retransmit_ms, self._send, self._install, self._die
            )
        self._to_myself: deque[Message] = deque()
        self._recalling: set[NodeId] = set()
        self._is_handling = False
        self._is_syncing = False
        self._is_synced = True
        """Whether nothing was appended since the last sync began."""
        self._is_lazy_sync_due = False
        self._is_pump_due = False
        self._is_dead = False
        self.is_disk_full = False
        self._timer: Timer | None = None
        self._timer_at_ms = 0
        self._is_ticking = False
        self._known_leader: Ballot | None = None

    # --- what others may look at ---

    @property
    def applied_until(self) -> Slot:
        """Every slot below has been applied here."""
        return self._applier.applied_until

    @property
    def leader(self) -> Ballot | None:
        """The leader's ballot as far as this member knows; itself included."""
        return self.legislator.president

    @property
    def role(self) -> Role:
        """This member's part."""
        slip = self.legislator.slip
        if isinstance(slip, Polling):
            return Role.LEADER
        return Role.CANDIDATE if isinstance(slip, Trying) else Role.FOLLOWER

    @property
    def leads_by_lease(self) -> bool:
        """Whether this member's state, as it is, is the latest there is: a leased read is answered from it."""
        return self._freshness.leads_by_lease

    @property
    def reads(self) -> ReadCounts:
        """How reads were served here so far."""
        return self._freshness.counts

    @property
    def open_requests(self) -> int:
        """Commands and reads taken in here and not yet answered."""
        return len(self._requests)

    @property
    def queue_lengths(self) -> dict[str, int]:
        """How much waits where.  All of them are empty at a member that has nothing to do."""
        ours = {"letters for the disk": len(self._outbox), "recalls": len(self._recalling)}
        ours["snapshots under way"] = 0 if self._snapshots is None else self._snapshots.under_way
        return ours | self._requests.queue_lengths

    # --- entrances ---

    def start(self) -> None:
        """Begin to take part."""
        if self.applied_until > self.legislator.ledger.passed_until:
            # A crash came between a snapshot and the records that it is made of, or that say it was fetched.
            self._handle(self._jump)
        self._arm_timer()

    def receive(self, sender: NodeId, message: PeerMessage) -> None:
        """Take one message from another member.

        Raises:
            ProtocolError: if the member may not send it; its link should be closed.
        """
        if self._is_dead:
            return
        try:
            remember(sender, message, self._me, self.legislator.ledger, self._memory)
        except Disowned as error:
            self._die(error)
            return
        if isinstance(message, HostMessage):
            self._on_request_of(sender, message)
        elif self.is_disk_full and type(message) in INKED:
            return  # Losing a message is always safe; piling up records that cannot be inked is not.
        else:
            self._handle(self.legislator.receive, sender, message, self._clock.monotonic_ms())
        self._pump_soon()

    def link_lost(self, peer: NodeId) -> None:
        """The link to ``peer`` broke: it may be gone, or only the link."""
        if not self._is_dead:
            self._requests.on_link_lost(peer)
            if self._snapshots is not None:
                self._snapshots.on_link_lost(peer)
            self._handle(self.legislator.suspect, peer, self._clock.monotonic_ms())

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """Have ``command`` decided and applied; ``reply`` gets an ``Applied`` or a ``RequestError``.

        Raises:
            RequestError: if it is refused at once; ``reply`` is not used then.
        """
        self._requests.submit(command, reply, timeout_ms)
        self._pump_soon()
        self._start_ticking()

    def may_read(self, consistency: Consistency) -> bool:
        """Whether this member's state, as it is at this moment, keeps the promise of ``consistency``."""
        if type(consistency) is Leased:
            # Asked for its speed, of which an eighth goes where the rest is worked out.
            return self._freshness.allows_by_lease()
        return self._freshness.allows(consistency, self.applied_until, self._requests.fresh_ms)

    def read(self, reply: Reply[int], timeout_ms: int, consistency: Consistency = LINEARIZABLE) -> None:
        """Wait until this member's state keeps the promise of ``consistency``; ``reply`` gets its ``applied_until``.

        For reads that ``may_read`` does not allow at once.

        Raises:
            RequestError: if it is refused at once.
        """
        self._freshness.waits(consistency)
        self._requests.read(reply, timeout_ms, consistency)
        self._pump_soon()
        self._start_ticking()

    def may_tell_reader(self, area: Area | None) -> bool:
        """Whether a reader may be told at once what this member's state, as it is at this moment, says of ``area``."""
        return self._requests.may_tell_reader(area, self.applied_until)

    def tell_reader_later(self, area: Area | None, reply: Reply[int], timeout_ms: int) -> None:
        """Give ``reply`` a result once a reader may be told what this member's state says of ``area`` now.

        Raises:
            RequestError: if it is refused at once.
        """
        self._requests.tell_reader_later(area, self.applied_until, reply, timeout_ms)
        self._start_ticking()

    def stop(self) -> None:
        """Take in no more requests and hand leadership over; ``role`` tells when that has happened."""
        if self._is_dead:
            return
        self._requests.stop()
        self._handle(self.legislator.hand_over, self._clock.monotonic_ms())
        self._pump_soon()

    def end(self) -> None:
        """Take part in nothing from here on; whoever still waits is answered.  May be called at any time."""
        if not self._is_dead:
            self._is_dead = True
            self._requests.abandon()
            if self._snapshots is not None:
                self._snapshots.end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the loop: append, sync, release, apply, reply ---

    def _handle(self, step: Callable[Given, Effects], *given: Given.args, **named: Given.kwargs) -> None:
        """One turn of the loop: a step of the core, its effects, our letters to ourselves, and the timer."""
        check(not self._is_handling, "a step is carried out whole before the next one begins")
        self._is_handling = True
        try:
            self._carry_out(step(*given, **named))
            while self._to_myself:
                message = self._to_myself.popleft()
                self._carry_out(self.legislator.receive(self._me, message, self._clock.monotonic_ms()))
        except ProtocolError:
            raise  # The core refused before it changed anything.
        except Exception as error:
            # Also what is no error of ours, such as a state machine that runs out of memory: half a step was taken.
            self._die(error)
            raise
        finally:
            self._is_handling = False
        if not self._is_dead:
            self._notice_leader()
            self._arm_timer()

    def _carry_out(self, effects: Effects) -> None:
        if effects.records:
            self._disk.append(effects.records)
            self._is_synced = False
            self._sync_lazily()
        if effects.letters:
            self._release(self._outbox.offer(effects.letters))
        for slot, decree in effects.passed:
            self._requests.settle(slot, decree, self._applier.apply(slot, decree))
        for reading in effects.readings:
            self._requests.on_reading(reading.token, reading.passed_until)
        if effects.passed:
            self._notice_applied()
        if effects.passed or effects.readings:
            self._requests.serve_readers(self.applied_until)
            self._pump_soon()
        if self._snapshots is not None and self.applied_until >= self._snapshots.look_at:
            self._snapshots.look()
        for recall in effects.recalls:
            self._recall(recall)
        if self._outbox.is_waiting:
            self._pump_soon()

    def _notice_applied(self) -> None:
        self._requests.on_applied()
        if self._requests.is_specialist:
            self._start_ticking()

    def _release(self, letters: list[Letter]) -> None:
        for letter in letters:
            if letter.to == self._me:
                self._to_myself.append(letter.message)
            else:
                self._send(letter.to, letter.message)

    def _pump_soon(self) -> None:
        if self._is_pump_due or self._is_dead:
            return
        # Most messages leave nothing to pump, and a wake-up for nothing costs as much as the message did.
        # A sync under way ends in a wake-up of its own.
        if (self._outbox.is_waiting and not self._is_syncing) or self._requests.need_pumping:
            self._is_pump_due = True
            self._clock.call_soon(self._pump)

    def _pump(self) -> None:
        """Once for everything that came in together: propose or forward what waits, answer, sync."""
        self._is_pump_due = False
        if self._is_dead:
            return
        self._requests.forward(self.leader)
        while self._may_propose() and (batch := self._requests.next_batch()):
            self._propose(batch)
        for token in self._requests.ask_readings(self.leader):
            self._read(token)
        self._requests.answer_others()
        self._requests.tell_others(self._rosters.of(self.applied_until).members, self.applied_until)
        if self._outbox.is_waiting and not self.is_disk_full:
            self._sync()

    def _sync(self) -> None:
        if not self._is_syncing:
            self._is_syncing = self._is_synced = True
            self._disk.sync(self._on_synced, self._on_sync_failed)

    def _sync_lazily(self) -> None:
        if self._is_lazy_sync_due:
            return
        self._is_lazy_sync_due = True
        line = self._outbox.durable_line

        def sync_unless_done() -> None:
            self._is_lazy_sync_due = False
            if self._is_dead or self._is_synced or self.is_disk_full:
                return
            if self._is_syncing or self._outbox.durable_line > line:
                self._sync_lazily()
            else:
                self._sync()

        self._clock.call_at(self._clock.monotonic_ms() + LAZY_SYNC_MS, sync_unless_done)

    def _may_propose(self) -> bool:
        legislator = self.legislator
        return (
            self._requests.are_waiting
            and legislator.may_propose
            and legislator.open_slots < self._limits.pipeline_depth
            and not self.is_disk_full
        )

    def _propose(self, batch: list[Pending]) -> None:
        slip = self.legislator.slip
        if isinstance(slip, Polling):
            commands = tuple(pending.command for pending in batch)
            self._requests.begin(slip.next_slot, slip.ballot, batch)
            self._handle(self.legislator.propose, commands, self._clock.monotonic_ms(), self._clock.wall_ms())

    def _read(self, token: int) -> None:
        self._handle(self.legislator.read, token, self._clock.monotonic_ms())

    def _on_synced(self, line: int) -> None:
        self._is_syncing = False
        if self._is_dead:
            return
        if self.is_disk_full:
            self._set_disk_full(False)
            logger.warning("disk has room again", extra={"fields": {"line": line}})

        self._handle(self._release_through, line)
        self._pump_soon()

    def _release_through(self, line: int) -> Effects:
        self._release(self._outbox.release(line))
        return Effects()

    def _on_sync_failed(self, error: OSError) -> None:
        self._is_syncing = False
        if self._is_dead:
            return
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            what = f"the ledger cannot be made durable ({error.strerror}): repair or replace the disk"
            self._die(LedgerSyncFailed(what))
            return
        if not self.is_disk_full:
            self._set_disk_full(True)
            logger.error("disk is full: no votes and no writes until there is room", extra={"fields": {}})
            self._handle(self.legislator.hand_over, self._clock.monotonic_ms())
        self._clock.call_at(self._clock.monotonic_ms() + DISK_RETRY_MS, self._try_disk_again)

    def _set_disk_full(self, is_full: bool) -> None:
        self.is_disk_full = self._requests.is_disk_full = is_full

    def _try_disk_again(self) -> None:
        if self._is_dead or self._is_syncing:
            return
        if self.role is Role.LEADER:
            # The first attempt to hand over may have found nobody who had caught up.
            self._handle(self.legislator.hand_over, self._clock.monotonic_ms())
        self._sync()

    # --- requests of other members ---

    def _on_request_of(self, sender: NodeId, message: HostMessage) -> None:
        if isinstance(message, SnapshotOffer | AskSnapshot | SnapshotPart):
            if self._snapshots is not None:
                self._snapshots.receive(sender, message)
            return
        slip = self.legislator.slip
        presiding = slip.ballot if isinstance(slip, Polling) else None
        token = self._requests.receive(sender, message, presiding)
        if token is not None:
            self._read(token)
        self._requests.serve_readers(self.applied_until)

    def _recall(self, recall: Recall) -> None:
        if recall.from_slot < self._disk.first_slot:
            if self._snapshots is not None:
                self._snapshots.offer(recall.to, recall.from_slot)
            return
        if recall.to in self._recalling:
            return
        self._recalling.add(recall.to)

        def found(outcomes: tuple[Outcome, ...]) -> None:
            self._recalling.discard(recall.to)
            if outcomes and not self._is_dead:
                self._send(recall.to, Success(NO_BALLOT, self.legislator.ledger.passed_until, outcomes))

        self._disk.recall(recall.from_slot, RECALL_BYTES, found)

    # --- snapshots ---

    def _install(self, snapshot: Snapshot, pieces: Iterable[bytes]) -> None:
        """Have a snapshot that is durable here in place of the decrees below it, unless they came meanwhile."""
        if self._is_dead or snapshot.slot <= self.applied_until:
            return

        def install() -> Effects:
            # Before the record: one that says so could not be taken back if the state cannot be restored.
            self._applier.restore(pieces)
            self._requests.jump(snapshot.slot)
            return self._jump()

        try:
            self._handle(install)
        except SnapshotUnusable:
            return  # This process is over, and the next one begins with the state that was.
        self._notice_applied()
        self._requests.serve_readers(self.applied_until)
        self._pump_soon()

    def _jump(self) -> Effects:
        return self.legislator.jump(self.applied_until, self._applier.now_ms, self._clock.monotonic_ms())

    def _send(self, to: NodeId, message: PeerMessage) -> None:
        message = vouched(message, self._me, self._outbox.durable_line, self._memory)
        self._transport.send(to, message, type(message) in URGENT)

    # --- time ---

    def _arm_timer(self) -> None:
        """Make sure that the core is called at its deadline.  A timer that is early is left to re-arm itself."""
        at_ms = self.legislator.next_deadline()
        if self._timer is not None:
            if self._timer_at_ms <= at_ms:
                return
            self._timer.cancel()
        self._timer_at_ms = at_ms
        self._timer = self._clock.call_at(at_ms, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._is_dead:
            return
        self._freshness.pauses.was_due(self._timer_at_ms)
        now_ms = self._clock.monotonic_ms()
        if now_ms < self.legislator.next_deadline():
            self._arm_timer()
        elif self.is_disk_full and self.legislator.slip is None:
            # Who cannot vote should not stand: let the others elect somebody.
            self._timer_at_ms = now_ms + DISK_RETRY_MS
            self._timer = self._clock.call_at(self._timer_at_ms, self._on_timer)
        else:
            self._handle(self.legislator.on_deadline, now_ms, self._clock.chance())

    def _start_ticking(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.call_at(self._clock.monotonic_ms() + TICK_MS, self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        if self._is_dead:
            return
        self._requests.on_tick(self.leader)
        if self.open_requests or self._requests.is_specialist:
            self._start_ticking()
        self._pump_soon()

    # --- changes worth telling ---

    def _notice_leader(self) -> None:
        leader = self.legislator.president
        if leader == self._known_leader:
            return
        self._known_leader = leader
        self._leader_changed(leader)
        self._requests.on_leader(leader)
        self._pump_soon()

    def _die(self, error: Exception) -> None:
        if self._is_dead:
            return
        self.end()
        self._fatal(error)
