"""One outgoing link: dials a peer, introduces us, carries our messages, and dials again when it breaks.

Knows: one peer and one lane.  Does not know: the other links, or what the messages mean.
"""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.errors import ProtocolError, check
from paxon.net.addresses import written
from paxon.net.back_off import BackOff, Ended, LinkTimings
from paxon.net.complaints import Complaints
from paxon.net.framed import Framed, why_closed
from paxon.net.handshake import (
    HANDSHAKE,
    HANDSHAKE_FRAME_BYTES_MAX,
    Goodbye,
    Lane,
    LocalIdentity,
    PeerAddress,
    Standing,
    Welcome,
    certificate_objection,
    handshake_frame,
    hello_to,
    judge_welcome,
)
from paxon.net.link_status import LinkStatus
from paxon.net.tls import TlsContexts, certificate_names

logger = logging.getLogger("paxon.net")


class Traffic(Struct, frozen=True):
    """What a link carried, from its first connection on."""

    frames: int = 0
    bytes: int = 0
    frames_dropped: int = 0

    def plus(self, framed: Framed) -> "Traffic":
        """With what ``framed`` sent added."""
        return Traffic(
            self.frames + framed.frames_sent,
            self.bytes + framed.bytes_sent,
            self.frames_dropped + framed.frames_dropped,
        )


class _Refused(Exception):
    """The two ends do not fit each other; the text says what to change."""


class Outgoing:
    """The link over which we send to one peer on one lane.

    Invariant: ``_framed`` is set exactly while the link is up, and what ``send`` gets meanwhile
    reaches the peer in order or not at all.
    """

    def __init__(
        self,
        me: LocalIdentity,
        node: NodeId,
        peer: PeerAddress,
        lane: Lane,
        *,
        tls: TlsContexts | None,
        timings: LinkTimings,
        queue_bytes_max: int,
        chance: Callable[[], int],
        standing: Callable[[], Standing],
        judge: Callable[[Welcome], Goodbye | None],
        on_refused: Callable[[Goodbye], None],
        on_up: Callable[[Welcome], None],
        on_lost: Callable[[], None],
        complaints: Complaints,
    ) -> None:
        self._me = me
        self._node = node
        self._peer = peer
        self.lane = lane
        self._tls = tls
        self._timings = timings
        self._queue_bytes_max = queue_bytes_max
        self._back_off = BackOff(timings, chance)
        self._standing = standing
        self._judge = judge
        self._on_refused = on_refused
        self._on_up = on_up
        self._on_lost = on_lost
        self._complaints = complaints
        self._framed: Framed | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.is_stopping = False
        self._times_up = 0
        self._past = Traffic()

    @property
    def is_up(self) -> bool:
        """Whether the peer has welcomed us and the link has not broken since."""
        return self._framed is not None

    @property
    def status(self) -> LinkStatus:
        """The link as it is, and what it carried over all its connections."""
        traffic = self._past if self._framed is None else self._past.plus(self._framed)
        return LinkStatus(
            self._node,
            self._peer.member,
            self.lane,
            "out",
            self.is_up,
            self._times_up,
            traffic.frames,
            traffic.bytes,
            traffic.frames_dropped,
            0 if self._framed is None else self._framed.queued_bytes,
        )

    def start(self) -> None:
        """Dial from here on."""
        check(self._task is None, "a link is started once")
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._on_ended)

    async def close(self) -> None:
        """Stop dialling, pass on what is queued for a short while, and close."""
        self.is_stopping = True
        if self._task is None:
            return
        if self._framed is not None:
            framed = self._framed
            framed.close()
            await framed.wait_closed()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def send(self, frame: bytes) -> bool:
        """Queue a frame if the link is up; tells whether it is."""
        if self._framed is None:
            return False
        self._framed.send(frame)
        return True

    def wake(self) -> None:
        """The peer is there, it dialled us: do not wait for the next retry."""
        self._wake.set()

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug: without this, the link would be down for ever and nobody would know why.
            message = f"the link to {self._peer.member} ended unexpectedly"
            task.get_loop().call_exception_handler({"message": message, "exception": error, "task": task})

    async def _run(self) -> None:
        while not self.is_stopping:
            await self._rest(self._back_off.wait_s(await self._attempt()))

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _attempt(self) -> Ended:
        """Dial, shake hands, and stay until the link breaks."""
        answer: asyncio.Future[tuple[int, bytes] | None] = asyncio.get_running_loop().create_future()

        def on_frame(kind: int, body: bytes) -> None:
            if answer.done():
                raise ProtocolError("a peer that we send to has nothing to say after its welcome")
            answer.set_result((kind, body))

        def on_closed(_: Exception | None) -> None:
            if not answer.done():
                answer.set_result(None)

        framed = Framed(
            on_frame,
            on_closed,
            frame_bytes_max=HANDSHAKE_FRAME_BYTES_MAX,
            queue_bytes_max=self._queue_bytes_max,
            stall_timeout_s=self._timings.stall_timeout_s,
        )
        try:
            async with asyncio.timeout(self._timings.handshake_timeout_s):
                welcome = await self._shake_hands(framed, answer)
            return await self._stay(framed, welcome)
        except _Refused as refused:
            self._complaints.say("link refused", self._peer.member, str(refused), self.lane)
            return Ended.REFUSED
        except (OSError, ProtocolError, ValueError, OverflowError) as error:
            # The last two are what a host name or port that makes no sense raises.
            where = written(self._peer.host, self._peer.port)
            self._complaints.say("peer not reached", self._peer.member, f"{where}: {why_closed(error)}", self.lane)
            return Ended.FAILED
        finally:
            framed.abort()

    async def _shake_hands(self, framed: Framed, answer: asyncio.Future[tuple[int, bytes] | None]) -> Welcome:
        """Connect, say hello, and make sure that who welcomes us is the peer we know.

        Raises:
            _Refused: one side would not have the other.
            OSError: the peer is not there, or hung up.
            ProtocolError: what answers does not speak our protocol.
        """
        loop = asyncio.get_running_loop()
        context = None if self._tls is None else self._tls.client()
        # The empty name switches off the check against the address: the member's name counts instead.
        server_hostname = None if context is None else ""
        transport, _ = await loop.create_connection(
            lambda: framed, self._peer.host, self._peer.port, ssl=context, server_hostname=server_hostname
        )
        if context is not None and (
            objection := certificate_objection(self._peer.member, certificate_names(transport))
        ):
            raise _Refused(objection.reason)
        framed.send(handshake_frame(hello_to(self._peer, self._me, self.lane, self._standing())))
        word = await answer
        if word is None:
            raise framed.reason or ConnectionError(
                "the peer closed the connection during the handshake (is TLS on at one end only?)"
            )
        match HANDSHAKE.decode(*word):
            case Welcome() as welcome:
                objection = judge_welcome(welcome, self._me, self._node, self._peer)
                objection = objection or self._judge(welcome)
                if objection is not None:
                    raise _Refused(objection.reason)
                return welcome
            case Goodbye() as goodbye:
                self._on_refused(goodbye)
                raise _Refused(goodbye.reason)
            case _:
                raise ProtocolError("a peer that was dialled answers with a hello of its own")

    async def _stay(self, framed: Framed, welcome: Welcome) -> Ended:
        """Keep the link up until it breaks."""
        loop = asyncio.get_running_loop()
        up_since = loop.time()
        self._framed = framed
        self._times_up += 1
        self._complaints.settle(self._peer.member, self.lane)
        logger.info("link up", extra={"fields": {"peer": self._peer.member, "lane": self.lane, "direction": "out"}})
        try:
            self._on_up(welcome)
            await framed.wait_closed()
        finally:
            self._framed = None
            self._past = self._past.plus(framed)
        if not self.is_stopping:
            fields = {
                "peer": self._peer.member,
                "lane": self.lane,
                "direction": "out",
                "reason": why_closed(framed.reason),
            }
            logger.info("link down", extra={"fields": fields})
            # Not called directly: an error of the host's is reported by the loop and does not end our dialling.
            loop.call_soon(self._on_lost)
        return Ended.LASTED if loop.time() - up_since >= self._timings.retry_s_max else Ended.SHORT
