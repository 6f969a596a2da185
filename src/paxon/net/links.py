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
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from msgspec import Struct

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ConfigurationError, ForeignIdentity, InvariantViolation, ProtocolError, check
from paxon.net.addresses import written
from paxon.net.back_off import LinkTimings
from paxon.net.complaints import Complaints
from paxon.net.framed import why_closed
from paxon.net.handshake import (
    LANES,
    Goodbye,
    Hello,
    Lane,
    LocalIdentity,
    PeerAddress,
    Welcome,
    handshake_frame,
    hello_to,
    judge_hello,
    welcome_from,
)
from paxon.net.incoming import Incoming, Refused
from paxon.net.listener import Listener
from paxon.net.outgoing import Outgoing
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


class LinkStatus(Struct, frozen=True):
    """One link as it is: ``direction`` is ``out`` or ``in``."""

    peer: NodeId
    member: str
    lane: Lane
    direction: str
    is_up: bool
    times_up: int
    frames: int
    bytes: int
    frames_dropped: int
    queued_bytes: int


class LinksStatistics(Struct, frozen=True):
    """All links as they are, and what went wrong since the start."""

    links: tuple[LinkStatus, ...]
    messages_unsent: int
    """Dropped because there was no link."""
    messages_oversized: int
    """Dropped because a receiver would have closed the link over them."""
    links_refused: int
    """Incoming links that we refused."""
    links_replaced: int
    """Incoming links that the same peer opened anew."""
    protocol_errors: int
    """Incoming links that we closed over a bad frame or an unknown message."""
    arrivals_failed: int
    """Incoming connections that did not get through their handshake."""


class _Received:
    """What came from one peer on one lane, over all its connections."""

    def __init__(self) -> None:
        self.link: Incoming | None = None
        self.times_up = 0
        self.frames = 0
        self.bytes = 0

    def absorb(self, link: Incoming) -> None:
        """Keep the counts of a connection that ends."""
        self.frames += link.framed.frames_received
        self.bytes += link.framed.bytes_received


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
        ``chance`` draws uniformly from ``[0, 2**32)``.

        Raises:
            ConfigurationError: the TLS files cannot be used, or the names are too long to be introduced.
        """
        self._me = me
        self._peers = dict(peers)
        self._vocabulary = vocabulary
        self._on_message = on_message
        self._on_lost = on_lost
        self._introduce_durably = introduce
        self._frame_bytes_max = frame_bytes_max
        self._timings = timings or LinkTimings()
        self._tls = None if tls is None else TlsContexts(tls)
        self._is_stopping = False
        self._check_names()
        self._listener = Listener(
            listen,
            self._on_arrival,
            unfinished_max=unfinished_handshakes_max,
            handshake_timeout_s=self._timings.handshake_timeout_s,
        )
        self._received = {(node, lane): _Received() for node in self._peers for lane in LANES}
        # Shared by the lanes of a peer: what is wrong with it is said once.
        complaints = {node: Complaints(COMPLAINTS_MAX) for node in self._peers}
        self._outgoing = {
            (node, lane): Outgoing(
                me,
                node,
                peer,
                lane,
                tls=self._tls,
                timings=self._timings,
                queue_bytes_max=queue_bytes_max,
                chance=chance or (lambda: secrets.randbits(32)),
                introduce=self._introduce,
                on_up=self._on_welcome,
                on_lost=partial(on_lost, node),
                complaints=complaints[node],
            )
            for node, peer in self._peers.items()
            for lane in LANES
        }
        self._complaints = Complaints(COMPLAINTS_MAX)
        self._known_storages: dict[str, str] = {}
        self._endpoints: dict[NodeId, str] = {}
        self._welcomed_by: set[NodeId] = set()
        self._is_introduced = asyncio.Event()
        self._encoded: tuple[object, bytes | None] = (None, None)
        self._messages_unsent = 0
        self._messages_oversized = 0
        self._links_refused = 0
        self._links_replaced = 0
        self._protocol_errors = 0
        self._update_introduced()

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
        await asyncio.gather(*(outgoing.close() for outgoing in self._outgoing.values()))
        incoming = [received.link for received in self._received.values() if received.link is not None]
        for link in incoming:
            link.framed.abort()
        await asyncio.gather(*(link.framed.wait_closed() for link in incoming))

    @property
    def address(self) -> tuple[str, int]:
        """Where this member listens, with the port that the system chose if none was asked for.  Valid once started."""
        return self._listener.address

    def send(self, to: NodeId, message: object, urgent: bool) -> None:
        """Send ``message``, or drop it if there is no link or no room.  Never blocks."""
        outgoing = self._outgoing.get((to, "urgent" if urgent else "bulk"))
        check(outgoing is not None, "messages are sent to other members")
        if outgoing is None or not outgoing.is_up:
            self._messages_unsent += 1
            return
        frame = self._encode(message)
        if frame is None:
            self._messages_oversized += 1
            return
        outgoing.send(frame)

    async def wait_introduced(self, already: bool) -> None:
        """Return once a strict majority of the *other* members have welcomed this storage; at once if ``already``.

        A member that starts with an empty disk may have lost one: then it has forgotten votes,
        and must not vote again under its old name.  It cannot tell; the others can, if enough
        of them know whose disk is whose.  The argument: a member welcomes a storage only after
        it has durably written down that the name goes with it, and refuses the name with any
        other storage for ever.  Suppose two storages under one name were both introduced.  Each
        was welcomed by a strict majority of the same set, the other members, and two strict
        majorities of one set share a member.  That member refused the second.  So at most one
        storage per name ever votes.

        The member itself does not count towards the majority: its word is on the very disk that
        may be lost.  With one other member, that one must be there; with two, both; alone,
        nobody can vouch and nothing is waited for.
        """
        if not already:
            await self._is_introduced.wait()

    def endpoints(self) -> dict[NodeId, str]:
        """Where clients reach the other members, as far as they have said it since the start."""
        return dict(self._endpoints)

    def statistics(self) -> LinksStatistics:
        """Every link, and the counts of what went wrong."""
        return LinksStatistics(
            links=(
                *(self._outgoing_status(node, outgoing) for (node, _), outgoing in self._outgoing.items()),
                *(self._incoming_status(node, lane) for node, lane in self._received),
            ),
            messages_unsent=self._messages_unsent,
            messages_oversized=self._messages_oversized,
            links_refused=self._links_refused,
            links_replaced=self._links_replaced,
            protocol_errors=self._protocol_errors,
            arrivals_failed=self._listener.arrivals_failed,
        )

    # Sending.

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

    def _on_welcome(self, welcome: Welcome) -> None:
        self._endpoints[welcome.node] = welcome.endpoint
        self._welcomed_by.add(welcome.node)
        self._update_introduced()

    def _update_introduced(self) -> None:
        if 2 * len(self._welcomed_by) > len(self._peers) or not self._peers:
            self._is_introduced.set()

    # Receiving.

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
        return objection or self._introduce(hello.member, hello.storage)

    def _introduce(self, member: str, storage: str) -> Goodbye | None:
        """Make sure that ``member`` goes with ``storage``, durably; the reason if it cannot be."""
        if self._known_storages.get(member) == storage:
            return None
        try:
            self._introduce_durably(member, storage)
        except ForeignIdentity as error:
            return Goodbye("storage", str(error))
        except Exception as error:
            # A full disk, say.  The peer is not at fault and comes back; it must not be let in
            # before its storage is written down.
            logger.exception("a peer's storage could not be recorded", extra={"fields": {"peer": member}})
            return Goodbye("unready", f"{self._me.member} could not record the storage of {member}: {error}")
        self._known_storages[member] = storage
        return None

    def _on_incoming_up(self, incoming: Incoming) -> Welcome:
        hello, received = self._of(incoming)
        if received.link is not None:
            self._links_replaced += 1
            received.absorb(received.link)
            received.link.replace()
        received.link = incoming
        received.times_up += 1
        self._endpoints[hello.node] = hello.endpoint
        self._complaints.settle(hello.member)
        logger.info("link up", extra={"fields": {"peer": hello.member, "lane": hello.lane, "direction": "in"}})
        for lane in LANES:
            self._outgoing[hello.node, lane].wake()
        return welcome_from(self._me)

    def _on_incoming_closed(self, incoming: Incoming, error: Exception | None) -> None:
        if self._is_stopping or incoming.is_replaced:
            return
        if isinstance(error, ProtocolError):
            self._protocol_errors += 1
        if incoming.hello is None:
            self._note_failed_arrival(incoming, error)
            return
        hello, received = self._of(incoming)
        received.absorb(incoming)
        received.link = None
        if isinstance(error, ProtocolError):
            self._complaints.say("peer broke the protocol", hello.member, str(error), hello.lane)
        fields = {"peer": hello.member, "lane": hello.lane, "direction": "in", "reason": why_closed(error)}
        logger.info("link down", extra={"fields": fields})
        self._on_lost(hello.node)

    def _note_failed_arrival(self, incoming: Incoming, error: Exception | None) -> None:
        if isinstance(error, Refused):
            self._links_refused += 1
            self._complaints.say("link refused", error.said_to, str(error))
        elif isinstance(error, ProtocolError):
            address = incoming.framed.transport.get_extra_info("peername") or ("unknown",)
            self._complaints.say("not a member's connection", str(address[0]), str(error))

    def _of(self, incoming: Incoming) -> tuple[Hello, _Received]:
        hello = incoming.hello
        if hello is None:
            raise InvariantViolation("a link is up only once the peer has introduced itself")
        return hello, self._received[hello.node, cast(Lane, hello.lane)]

    # The rest.

    def _check_names(self) -> None:
        """Make sure that every hello fits the handshake's frame.

        Raises:
            ConfigurationError: it does not.
        """
        try:
            handshake_frame(welcome_from(self._me))
            for peer in self._peers.values():
                handshake_frame(hello_to(peer, self._me, "urgent"))
        except ProtocolError as error:
            raise ConfigurationError(f"the names of the cluster, members and endpoint are too long: {error}") from error

    def _outgoing_status(self, node: NodeId, outgoing: Outgoing) -> LinkStatus:
        traffic = outgoing.traffic
        return LinkStatus(
            node,
            self._peers[node].member,
            outgoing.lane,
            "out",
            outgoing.is_up,
            outgoing.times_up,
            traffic.frames,
            traffic.bytes,
            traffic.frames_dropped,
            traffic.queued_bytes,
        )

    def _incoming_status(self, node: NodeId, lane: Lane) -> LinkStatus:
        received = self._received[node, lane]
        frames, bytes_ = received.frames, received.bytes
        if received.link is not None:
            frames += received.link.framed.frames_received
            bytes_ += received.link.framed.bytes_received
        is_up = received.link is not None
        return LinkStatus(node, self._peers[node].member, lane, "in", is_up, received.times_up, frames, bytes_, 0, 0)
