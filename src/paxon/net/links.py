"""All links of one member with the others.

Knows: who the others are, where, and whose storage was introduced.  Does not know: what a
message means, or whether it matters.

Theory of operation.  Between two members there is one connection per direction and lane: who
dials, sends; who accepts, receives.  A single connection for both directions would need a rule
for who dials, and a second one for what happens when both sides see it break at different
times; with one direction each, a member that cannot be reached simply is not sent to.  The two
lanes are separate connections because bytes in one cannot overtake each other: a megabyte of
decrees on a slow link would make the heartbeat behind it late, and a late heartbeat makes an
election.

A message may be lost at any time, here as on the wire: a link that is down or behind drops,
and the layers above repeat.  Order is kept within one connection and nowhere else.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from functools import partial
from typing import cast

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import InvariantViolation, ProtocolError, check
from paxon.net.addresses import written
from paxon.net.back_off import LinkTimings
from paxon.net.complaints import Complaints
from paxon.net.framed import why_closed
from paxon.net.handshake import (
    DISOWNED,
    LANES,
    Goodbye,
    Hello,
    Lane,
    LocalIdentity,
    PeerAddress,
    Standing,
    Welcome,
    judge_hello,
    require_introducible,
    welcome_from,
)
from paxon.net.incoming import Incoming, IncomingLane, Refused
from paxon.net.introductions import Introductions
from paxon.net.link_status import LinksStatistics, LinkStatus
from paxon.net.listener import Listener
from paxon.net.outgoing import Outgoing
from paxon.net.peer_memory import PeerMemory
from paxon.net.tls import TlsContexts, TlsFiles

__all__ = ["FRAME_BYTES_MAX", "LinkStatus", "LinkTimings", "Links", "LinksStatistics", "LocalIdentity", "PeerAddress"]

logger = logging.getLogger("paxon.net")

FRAME_BYTES_MAX = 16 * 1024 * 1024
"""The longest message between members: well above a full batch, far below what would hurt a receiver."""

QUEUE_BYTES_MAX = 64 * 1024 * 1024
"""What may wait for one slow peer on one lane.  More only makes what arrives in the end older."""

UNFINISHED_HANDSHAKES_MAX = 64
"""Several times what the largest sensible cluster opens at once, and little enough to keep in memory."""

COMPLAINTS_MAX = 64
"""Distinct complaints in the log before they are only counted."""


class _Counts:
    """What went wrong since the start; the names are those of ``LinksStatistics``."""

    messages_unsent = 0
    messages_oversized = 0
    links_refused = 0
    links_replaced = 0
    protocol_errors = 0


class Links:
    """The links of one member.

    Invariants: at most one incoming link is up per peer and lane; no message is delivered from,
    and none is sent to, a peer whose name, number, cluster and storage were not checked.
    """

    def __init__(
        self,
        *,
        me: LocalIdentity,
        listen: tuple[str, int],
        peers: Mapping[NodeId, PeerAddress],
        vocabulary: Vocabulary,
        on_message: Callable[[NodeId, object], None],
        on_lost: Callable[[NodeId], None],
        introduce: Callable[[str, str], None],
        standing: Callable[[], Standing] = Standing,
        memory: PeerMemory | None = None,
        is_enough: Callable[[Set[NodeId]], bool] = bool,
        on_disowned: Callable[[str], None] = lambda reason: None,
        tls: TlsFiles | None = None,
        frame_bytes_max: int = FRAME_BYTES_MAX,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
        unfinished_handshakes_max: int = UNFINISHED_HANDSHAKES_MAX,
        timings: LinkTimings | None = None,
        chance: Callable[[], int] | None = None,
    ) -> None:
        """Prepare; ``start`` connects.

        ``on_message`` gets what a peer sent, in order per connection; a ``ProtocolError`` from it closes that link.
        ``on_lost`` hints that a peer may be gone.  ``introduce`` gets a member's name and storage before the member is
        accepted in either direction: it returns once they are durable, or raises ``ForeignIdentity`` if the name
        belongs to another storage.  Anything else that it raises refuses the member for the time being.
        ``standing`` is what we say of our own ledger, ``memory`` what we know of the others', and ``on_disowned`` hears
        that somebody knows more of ours than we do.  ``is_enough`` says which other members make a quorum with us.
        ``chance`` draws uniformly from ``[0, 2**32)``.

        Raises:
            ConfigurationError: the TLS files cannot be used, or the names are too long to be introduced.
        """
        self._me = me
        self._peers = dict(peers)
        require_introducible(me, peers.values())
        self._vocabulary = vocabulary
        self._on_message = on_message
        self._on_lost = on_lost
        self._frame_bytes_max = frame_bytes_max
        self._queue_bytes_max = queue_bytes_max
        self._timings = timings or LinkTimings()
        self._chance = chance or (lambda: secrets.randbits(32))
        self._tls = None if tls is None else TlsContexts(tls)
        self._standing = standing
        self._memory = memory or PeerMemory(me.member)
        self._on_disowned = on_disowned
        self._introductions = Introductions(len(peers), introduce, is_enough)
        self._welcomed = asyncio.Event()
        patience_s = self._timings.handshake_timeout_s
        self._listener = Listener(listen, self._on_arrival, unfinished_handshakes_max, patience_s)
        self._incoming = {
            (node, lane): IncomingLane(node, peer.member, lane) for node, peer in peers.items() for lane in LANES
        }
        self._outgoing = {(node, link.lane): link for node in peers for link in self._make_outgoing(node)}
        self._complaints = Complaints(COMPLAINTS_MAX)
        self._endpoints: dict[NodeId, str] = {}
        self._encoded: tuple[object, bytes | None] = (None, None)
        self._counts = _Counts()
        self._is_stopping = False

    async def start(self) -> None:
        """Listen, and dial every peer from here on.

        Raises:
            ConfigurationError: the address is in use, or not one that we may listen on.
        """
        await self._listener.start()
        logger.info("listening for members", extra={"fields": {"address": written(*self.address)}})
        for outgoing in self._outgoing.values():
            outgoing.start()

    async def close(self) -> None:
        """Close every link; what is queued has a moment to leave.  No callback comes after this."""
        self._is_stopping = True
        await self._listener.close()
        await asyncio.gather(
            *(outgoing.close() for outgoing in self._outgoing.values()),
            *(incoming.close() for incoming in self._incoming.values()),
        )

    @property
    def address(self) -> tuple[str, int]:
        """Where this member listens, with the port that the system chose if none was asked for.  Valid once started."""
        return self._listener.address

    def send(self, to: NodeId, message: object, urgent: bool) -> None:
        """Send ``message``, or drop it if there is no link or no room.  Never blocks."""
        outgoing = self._outgoing.get((to, "urgent" if urgent else "bulk"))
        check(outgoing is not None, "messages are sent to other members")
        if outgoing is None or not outgoing.is_up:
            self._counts.messages_unsent += 1
            return
        frame = self._encode(message)
        if frame is None:
            self._counts.messages_oversized += 1
            return
        outgoing.send(frame)

    async def wait_introduced(self, already: bool) -> None:
        """Return once this member may take part: see ``paxon.net.introductions`` for when, and why that is enough.

        ``already`` says that its storage was introduced to the others before.
        """
        clock = asyncio.get_running_loop().time
        moment_ends_at = clock() + self._timings.answer_s
        while not self._introductions.may_take_part(already, is_moment_over=clock() >= moment_ends_at):
            self._welcomed.clear()
            # A new storage waits for welcomes alone, and so does a known one once the moment is over.
            left_s = moment_ends_at - clock()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s if already and left_s > 0 else None):
                    await self._welcomed.wait()

    def endpoints(self) -> dict[NodeId, str]:
        """Where clients reach the other members, as far as they have said it since the start."""
        return dict(self._endpoints)

    def statistics(self) -> LinksStatistics:
        """Every link, and the counts of what went wrong."""
        counts = self._counts
        return LinksStatistics(
            links=(
                *(outgoing.status for outgoing in self._outgoing.values()),
                *(incoming.status for incoming in self._incoming.values()),
            ),
            messages_unsent=counts.messages_unsent,
            messages_oversized=counts.messages_oversized,
            links_refused=counts.links_refused,
            links_replaced=counts.links_replaced,
            protocol_errors=counts.protocol_errors,
            arrivals_failed=self._listener.arrivals_failed,
        )

    def _encode(self, message: object) -> bytes | None:
        """The frame of ``message``, made once when the same object goes to several peers in succession."""
        encoded, frame = self._encoded
        if encoded is message:
            # Compared by identity: the reference kept here is what makes that safe, and messages are frozen.
            return frame
        try:
            frame = encode_frame(*self._vocabulary.encode(message), self._frame_bytes_max)
        except ProtocolError as error:
            # Ours, not a peer's, but the same remedy: it is lost like any message.  Sending it
            # would make every receiver close its link, again and again.
            self._complaints.say("message not sent", self._me.member, f"{type(message).__name__}: {error}")
            frame = None
        self._encoded = (message, frame)
        return frame

    def _make_outgoing(self, node: NodeId) -> Iterator[Outgoing]:
        # Shared by the lanes: what is wrong with a peer is said once.
        complaints = Complaints(COMPLAINTS_MAX)
        for lane in LANES:
            yield Outgoing(
                self._me,
                node,
                self._peers[node],
                lane,
                tls=self._tls,
                timings=self._timings,
                queue_bytes_max=self._queue_bytes_max,
                chance=self._chance,
                standing=self._standing,
                judge=self._judge_known,
                on_refused=self._on_refused,
                on_up=self._on_welcome,
                on_lost=partial(self._on_lost, node),
                complaints=complaints,
            )

    def _on_welcome(self, welcome: Welcome) -> None:
        self._endpoints[welcome.node] = welcome.endpoint
        self._introductions.welcomed_by(welcome.node)
        self._welcomed.set()

    def _on_refused(self, goodbye: Goodbye) -> None:
        if goodbye.code == DISOWNED and not self._is_stopping:
            self._on_disowned(goodbye.reason)

    async def _on_arrival(self, connection: socket.socket) -> None:
        incoming = Incoming(
            self._vocabulary,
            self._frame_bytes_max,
            judge=self._judge,
            on_up=self._on_incoming_up,
            on_message=self._on_message,
            on_closed=self._on_incoming_closed,
        )
        await incoming.shake_hands(connection, self._tls)

    def _judge(self, hello: Hello, names: frozenset[str] | None) -> Goodbye | None:
        objection = judge_hello(hello, self._me, self._peers, names)
        return objection or self._judge_known(hello)

    def _judge_known(self, word: Hello | Welcome) -> Goodbye | None:
        """Why a member of ours is not the one we know; ``None`` if it is, and then we know it durably."""
        objection = self._introductions.introduce(word.member, word.storage)
        return objection or self._memory.meet(word.node, word.member, word.standing)

    def _on_incoming_up(self, incoming: Incoming) -> Welcome:
        hello, lane = self._of(incoming)
        boot = hello.standing.boot
        if lane.take(incoming):
            self._counts.links_replaced += 1
        for name in LANES:
            # A process that came before this one has no say any more, on either lane.
            other = self._incoming[hello.node, name]
            if other.link is not None and other.link.hello is not None and other.link.hello.standing.boot < boot:
                other.drop()
                self._counts.links_replaced += 1
        self._endpoints[hello.node] = hello.endpoint
        self._complaints.settle(hello.member)
        logger.info("link up", extra={"fields": {"peer": hello.member, "lane": hello.lane, "direction": "in"}})
        for name in LANES:
            self._outgoing[hello.node, name].wake()
        return welcome_from(self._me, self._standing())

    def _on_incoming_closed(self, incoming: Incoming, error: Exception | None) -> None:
        if self._is_stopping or incoming.is_replaced:
            return
        if isinstance(error, ProtocolError):
            self._counts.protocol_errors += 1
        if incoming.hello is None:
            self._note_failed_arrival(incoming, error)
            return
        hello, lane = self._of(incoming)
        lane.lose(incoming)
        if isinstance(error, ProtocolError):
            self._complaints.say("peer broke the protocol", hello.member, str(error), hello.lane)
        fields = {"peer": hello.member, "lane": hello.lane, "direction": "in", "reason": why_closed(error)}
        logger.info("link down", extra={"fields": fields})
        self._on_lost(hello.node)

    def _note_failed_arrival(self, incoming: Incoming, error: Exception | None) -> None:
        if isinstance(error, Refused):
            self._counts.links_refused += 1
            self._complaints.say("link refused", error.said_to, str(error))
        elif isinstance(error, ProtocolError):
            address = incoming.framed.transport.get_extra_info("peername") or ("unknown",)
            self._complaints.say("not a member's connection", str(address[0]), str(error))

    def _of(self, incoming: Incoming) -> tuple[Hello, IncomingLane]:
        hello = incoming.hello
        if hello is None:
            raise InvariantViolation("a link is up only once the peer has introduced itself")
        return hello, self._incoming[hello.node, cast(Lane, hello.lane)]
