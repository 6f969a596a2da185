"""A node: one member in an asyncio process, from its directory to its links.

Knows: how to put ledger, links, clock and host together, start them in the right order and
stop them in good order.  Does not know: keys and values (its state machine does), or
clients' connections (``member`` adds those).
"""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

from paxon.core.decree import Ballot, NodeId
from paxon.core.roster import ROSTER_LAG, Rosters
from paxon.errors import (
    Disowned,
    InvariantViolation,
    LedgerError,
    LedgerSyncFailed,
    ProtocolError,
    check,
)
from paxon.net.handshake import Standing
from paxon.net.links import Links, LocalIdentity, PeerAddress
from paxon.net.peer_memory import PeerMemory
from paxon.node.clock import LoopClock
from paxon.node.config import MemberConfig
from paxon.node.consistency import LINEARIZABLE, Consistency, Leased, Linearizable, Stale
from paxon.node.hold_back import NO_APPOINTMENTS, Appointments, Area
from paxon.node.host import Host
from paxon.node.letters import PeerMessage
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.node.replay import replay
from paxon.node.settings import MIB
from paxon.node.shared_barrier import SharedBarrier
from paxon.node.status import MemberStatus, ReadCounts, Role
from paxon.node.vocabulary import PEER_VOCABULARY
from paxon.rsm.applier import Applier
from paxon.rsm.assembly import part_of
from paxon.rsm.machine import ByteMachine
from paxon.storage.directory import OsDirectory
from paxon.storage.identity import DataDirectory, Remembrance
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.snapshot_store import SnapshotStore
from paxon.storage.threaded import ThreadedDisk
from paxon.version import __version__

logger = logging.getLogger(__name__)

HAND_OVER_TIMEOUT_S = 2.0
"""How long a stopping leader waits for somebody to take over."""

FAREWELL_S = 0.1
"""How long a leader that handed over stays to send commands that are still on their way to it on to its successor."""

REMEMBER_EVERY_S = 10.0
"""How often what is remembered of the others is written down: rarely, since it costs a handful of syncs.  A power cut
to all members at once loses at most this much of it."""

BREATH_S = 0.002
"""How long the thread that reads a snapshot pauses after a megabyte, which takes it about a millisecond."""

LIFE_BITS = 62
"""Random bits that tell one process from every other."""

STORAGE_ID_BYTES = 16
"""Random bytes in a storage id: two disks never share one."""

Part = TypeVar("Part")


class Node:
    """One member, running from ``start`` to ``close``.

    ``failed`` resolves if the member had to stop by itself: with the error to report.
    """

    def __init__(
        self, config: MemberConfig, machine: ByteMachine, appointments: Appointments = NO_APPOINTMENTS
    ) -> None:
        """``appointments`` say whom an answer waits for; see ``hold_back``."""
        self._config = config
        self._appointments = appointments
        self._names = {node: name for name, node in config.ids.items()}
        self._applier = Applier(machine)
        self._directory: DataDirectory | None = None
        self._ledger_file: LedgerFile | None = None
        self._store: SnapshotStore | None = None
        self._disk: ThreadedDisk | None = None
        self._links: Links | None = None
        self._host: Host | None = None
        self._leader: Ballot | None = None
        self._leader_changed = asyncio.Event()
        self._takes_part = False
        self._memory = PeerMemory()
        self._joining: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._is_closing = asyncio.Event()
        self._barrier = SharedBarrier(lambda reply, timeout_ms: self._running.read(reply, timeout_ms, LINEARIZABLE))
        self.failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    # --- starting and stopping ---

    async def start(self) -> None:
        """Open the directory, replay the ledger, connect.

        With a new directory, returns once this member takes part: when a majority of the other
        members know its storage.  Any other answers about itself and its state from here on, and
        takes part as soon as enough others were heard; see ``Links.wait_introduced``.

        Raises:
            ConfigurationError: an address is in use, or the directory or TLS files cannot be used.
            LedgerError: the directory is not this member's, or damaged.
        """
        config = self._config
        directory = DataDirectory.open(
            OsDirectory(config.directory),
            config.cluster_id,
            config.name,
            config.node_id,
            secrets.token_hex(STORAGE_ID_BYTES),
        )
        self._directory = directory
        self._store = store = directory.snapshots(lambda: time.sleep(BREATH_S))
        self._ledger_file = directory.ledger()
        ledger = replay(self._ledger_file, store, self._applier)
        for finding in directory.findings:
            logger.warning("repaired on opening", extra={"fields": {"finding": finding}})
        self._memory = self._recall_memory(directory)
        life = secrets.randbits(LIFE_BITS)
        boot = directory.begin_life(config.lease.duration_ms)
        loop = asyncio.get_running_loop()
        self._disk = ThreadedDisk(self._opened(self._ledger_file), loop, self._on_damage)
        self._links = links = self._make_links(directory, lambda: Standing(ledger.line, boot, life))
        self._host = host = Host(
            config.node_id,
            Rosters(config.roster),
            ledger,
            self._applier,
            LoopClock(loop),
            self._disk,
            links,
            config.limits,
            config.timing,
            boot=life,
            fatal=self._on_fatal,
            leader_changed=self._on_leader,
            memory=self._memory,
            terms=config.lease,
            forgotten_lease_ms=directory.forgotten_lease_ms,
            store=store,
            snapshots=config.snapshots,
            appointments=self._appointments,
        )
        await links.start()
        self._keeping = asyncio.ensure_future(self._keep_memory(directory))
        self._joining = asyncio.ensure_future(self._join(directory, links, host))
        self._joining.add_done_callback(self._on_joined)
        if not directory.introduced:
            logger.info("new storage: waiting for other members to know it", extra={"fields": {}})
            await self._joining

    async def _join(self, directory: DataDirectory, links: Links, host: Host) -> None:
        """Take part once the others have been heard."""
        await links.wait_introduced(directory.introduced)
        if self.failed.done():
            return
        directory.mark_introduced()
        self._takes_part = True
        host.start()
        logger.info("member started", extra={"fields": {"applied": host.applied_until - 1}})

    def _on_joined(self, joining: asyncio.Task[None]) -> None:
        error = None if joining.cancelled() else joining.exception()
        if isinstance(error, Exception) and self._directory is not None and self._directory.introduced:
            self._on_fatal(error)

    def _recall_memory(self, directory: DataDirectory) -> PeerMemory:
        ids = self._config.ids
        known = {ids[name]: one for name, one in directory.remembered.items() if name in ids}
        return PeerMemory(
            self._config.name, {node: Standing(one.line, one.boot, one.life) for node, one in known.items()}
        )

    async def _keep_memory(self, directory: DataDirectory) -> None:
        """Write down now and then, and at the end, what is remembered of the others."""
        while not self._is_closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(REMEMBER_EVERY_S):
                    await self._is_closing.wait()
            try:
                # In a thread, since it syncs.
                await asyncio.to_thread(directory.remember, self._remembrances())
            except (OSError, LedgerSyncFailed) as error:
                # No promise of ours rests on it, and a disk that fails is noticed where one does.
                logger.warning("what is known of the others was not saved", extra={"fields": {"error": str(error)}})

    def _remembrances(self) -> dict[str, Remembrance]:
        return {
            self._names[node]: Remembrance(known.line, known.boot, known.life)
            for node, known in self._memory.remembered.items()
            if node in self._names
        }

    async def retire(self) -> None:
        """Take in nothing more, and hand leadership over if this member leads; returns when it is done or hopeless."""
        host = self._host
        if host is None or not self._takes_part:
            return
        led = host.role is Role.LEADER
        host.stop()
        if not led:
            return
        try:
            async with asyncio.timeout(HAND_OVER_TIMEOUT_S):
                while self._can_be_followed and (self._leader is None or self._leader.owner == self._config.node_id):
                    self._leader_changed.clear()
                    await self._leader_changed.wait()
        except TimeoutError:
            logger.warning("nobody took the leadership over in time", extra={"fields": {}})
        else:
            await asyncio.sleep(FAREWELL_S)

    @property
    def _can_be_followed(self) -> bool:
        """Whether anybody is there to take the leadership over."""
        return self._links is not None and any(link.is_up for link in self._links.statistics().links)

    async def close(self) -> None:
        """Close links, ledger and directory.  May be called at any time, once."""
        self._takes_part = False
        self._is_closing.set()
        if self._joining is not None:
            self._joining.cancel()
        await asyncio.gather(*filter(None, (self._joining, self._keeping)), return_exceptions=True)
        if self._host is not None:
            self._host.end()
        if self._links is not None:
            await self._links.close()
        if self._disk is not None:
            self._disk.close()
        if self._directory is not None:
            self._directory.close()

    # --- requests ---

    def submit(self, command: bytes, timeout_ms: int) -> asyncio.Future[Applied]:
        """Have ``command`` decided and applied; the future gets an ``Applied`` or a ``RequestError``.

        Raises:
            RequestError: if it is refused at once: not applied.
        """
        future: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self.begin(command, future, timeout_ms)
        return future

    def begin(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """As ``submit``, with the outcome given to ``reply``.

        Raises:
            RequestError: if it is refused at once: not applied.
        """
        self._running.submit(command, reply, timeout_ms)

    async def query(self, question: bytes, timeout_ms: int, consistency: Consistency = LINEARIZABLE) -> Applied:
        """Answer ``question`` from this member's state once it keeps the promise of ``consistency`` (docs/reads.md).

        Raises:
            NotLeader: no leader confirmed the read in time, or a specialist was not heard in time.
            Behind: this member had not applied the slot in time that the read must reflect.
            RequestError: the state machine refused the question, or the member is shutting down.
        """
        waiting = self.wait_fit(timeout_ms, consistency)
        if waiting is not None:
            await waiting
        try:
            return Applied(self._applier.applied_until - 1, self._applier.query(question))
        finally:
            # Also a refusal tells of the state.
            telling = self.wait_told(part_of(question), timeout_ms, consistency)
            if telling is not None:
                await telling

    def wait_fit(self, timeout_ms: int, consistency: Consistency) -> "asyncio.Future[int] | None":
        """What to await before this member's state is read with that promise; ``None`` if it keeps it right now.

        The future gets a ``RequestError`` if the promise cannot be kept in time.

        Raises:
            RequestError: if that is certain at once.
        """
        if type(consistency) is Linearizable:
            # Nearly every read, and never one that may be answered at once.
            return self._barrier.join(timeout_ms)
        host = self._running
        if host.may_read(consistency):
            return None
        if isinstance(consistency, Leased):
            return self._barrier.join(timeout_ms)
        fit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        host.read(fit, timeout_ms, consistency)
        return fit

    def wait_told(self, area: Area | None, timeout_ms: int, consistency: Consistency) -> "asyncio.Future[int] | None":
        """What to await before a reader is told what this member's state says of ``area``; ``None`` if it may be now.

        The future gets a ``NotLeader`` if a specialist was not heard in time; see ``hold_back``.

        Raises:
            Stopping: nobody is answered here any more.
        """
        if not self._appointments.may_be_any or isinstance(consistency, Stale):
            return None
        host = self._running
        if host.may_tell_reader(area):
            return None
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        host.tell_reader_later(area, told, timeout_ms)
        return told

    @property
    def applied(self) -> int:
        """The last slot that this member has applied; 0 before the first."""
        return self._applier.applied_until - 1

    # --- what it says about itself ---

    def status(self) -> MemberStatus:
        """This member's view of itself, at once and without asking anybody."""
        config, host, leader = self._config, self._running, self._leader
        applied = host.applied_until - 1
        return MemberStatus(
            member=config.name,
            role=host.role,
            term=host.legislator.ledger.next_ballot.term,
            applied=applied,
            lag=max(0, host.legislator.claimed_until - 1 - applied),
            disk_bytes=self._opened(self._ledger_file).disk_bytes + self._opened(self._store).disk_bytes,
            version=__version__,
            pid=os.getpid(),
            endpoint=config.endpoint_of(config.name),
            leader="" if leader is None else self._names[leader.owner],
            leader_endpoint="" if leader is None else self._endpoint_of(leader.owner),
        )

    @property
    def reads(self) -> ReadCounts:
        """How reads were served here so far."""
        return self._running.reads

    @property
    def queue_lengths(self) -> dict[str, int]:
        """How much waits where: nothing, at a member that has nothing to do."""
        return self._running.queue_lengths

    @property
    def is_leader(self) -> bool:
        """Whether this member leads."""
        return self._running.role is Role.LEADER

    async def wait_leader(self) -> str:
        """Return the leader's name once one is known here."""
        while self._leader is None:
            self._leader_changed.clear()
            await self._leader_changed.wait()
        return self._names[self._leader.owner]

    # --- inside ---

    @property
    def _running(self) -> Host:
        host = self._host
        if host is None:
            raise InvariantViolation("the node was started")
        return host

    @staticmethod
    def _opened(part: Part | None) -> Part:
        check(part is not None, "the node was started")
        return cast(Part, part)

    def _make_links(self, directory: DataDirectory, standing: Callable[[], Standing]) -> Links:
        config = self._config
        address = config.peer_address
        identity = directory.identity
        return Links(
            me=LocalIdentity(
                identity.cluster, identity.member, identity.node, identity.storage, config.endpoint_of(config.name)
            ),
            listen=(address.host, address.port),
            peers={
                config.ids[name]: PeerAddress(name, peer.host, peer.port)
                for name, peer in config.members.items()
                if name != config.name
            },
            vocabulary=PEER_VOCABULARY,
            on_message=self._on_message,
            on_lost=self._on_link_lost,
            introduce=directory.introduce,
            standing=standing,
            memory=self._memory,
            is_enough=partial(config.roster.can_decide_with, config.node_id),
            on_disowned=self._on_disowned,
            tls=config.tls,
            # The largest message is a LastVote, with a decree for every slot that was begun and not passed everywhere:
            # a window's worth.  It must not be dropped for its size, or there would be no leader.
            frame_bytes_max=ROSTER_LAG * max(config.limits.decree_bytes_max, config.limits.command_bytes_max) + MIB,
        )

    def _on_message(self, sender: NodeId, message: object) -> None:
        # Before it takes part this member must not vote, and hearing is voting.
        if self._takes_part:
            try:
                self._running.receive(sender, cast(PeerMessage, message))
            except ProtocolError:
                raise
            except Exception as error:
                self._on_fatal(error)

    def _on_link_lost(self, peer: NodeId) -> None:
        # Whoever waits for a successor looks again whether there can be one.
        self._leader_changed.set()
        if self._takes_part:
            self._running.link_lost(peer)

    def _on_leader(self, leader: Ballot | None) -> None:
        self._leader = leader
        self._leader_changed.set()
        if leader is None:
            logger.warning("no leader", extra={"fields": {}})
        else:
            what = "became leader" if leader.owner == self._config.node_id else "following leader"
            logger.info(what, extra={"fields": {"term": leader.term, "leader": self._names[leader.owner]}})

    def _on_fatal(self, error: Exception) -> None:
        if not self.failed.done():
            self._takes_part = False
            if isinstance(error, Disowned) and self._directory is not None:
                with suppress(OSError, LedgerSyncFailed):
                    # Should it fail, then whoever remembers refuses us again.
                    self._directory.disown(str(error))
            self.failed.set_result(error)

    def _on_disowned(self, reason: str) -> None:
        """Another member knows more of this directory than there is in it, or knows of a copy."""
        if self._host is not None:
            self._host.end()
        self._on_fatal(Disowned(reason))

    def _on_damage(self, error: Exception) -> None:
        """A decree could not be read back from the file."""
        if isinstance(error, LedgerError):
            self._on_fatal(error)
        else:
            # Too many open files, say: whoever asked asks again, and what was promised is not in doubt.
            logger.warning("reading the ledger failed", extra={"fields": {"error": str(error)}})

    def _endpoint_of(self, node: NodeId) -> str:
        name = self._names[node]
        known = self._links.endpoints().get(node, "") if self._links is not None else ""
        return known or self._config.endpoint_of(name)
