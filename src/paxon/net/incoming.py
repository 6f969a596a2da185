"""One accepted connection: hears who dials, has it judged, and delivers what it sends.

Knows: the order of a handshake.  Does not know: the other links, or who may be a member.
"""

import asyncio
import socket
from collections.abc import Callable

from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import PaxonError, ProtocolError, check
from paxon.net.framed import Framed
from paxon.net.handshake import (
    HANDSHAKE,
    HANDSHAKE_FRAME_BYTES_MAX,
    Goodbye,
    Hello,
    Lane,
    Welcome,
    handshake_frame,
)
from paxon.net.link_status import LinkStatus
from paxon.net.tls import TlsContexts, certificate_names


class Refused(PaxonError):
    """Whoever dialled us is told to go away."""

    def __init__(self, goodbye: Goodbye, said_to: str) -> None:
        super().__init__(goodbye.reason)
        self.said_to = said_to
        """The name it gave."""


class Incoming:
    """A connection that somebody else opened.

    Invariant: nothing is delivered before ``hello`` is set, and ``hello`` is set only to one that was judged well.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        frame_bytes_max: int,
        *,
        judge: Callable[[Hello, frozenset[str] | None], Goodbye | None],
        on_up: Callable[["Incoming"], Welcome],
        on_message: Callable[[NodeId, object], None],
        on_closed: Callable[["Incoming", Exception | None], None],
    ) -> None:
        """``judge`` says why not, or ``None`` once the peer's storage is known durably; ``on_up`` gives the answer."""
        self._decode = vocabulary.decode
        self._judge = judge
        self._on_up = on_up
        self._deliver = on_message
        self._on_lost = on_closed
        self._frame_bytes_max = frame_bytes_max
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_tls = False
        self.hello: Hello | None = None
        """Who sends here and on which lane, once it was judged well."""
        self._node = NodeId(0)
        self.is_replaced = False
        # We say two words at the most: the welcome or the goodbye.
        self.framed = Framed(
            self._on_hello,
            self._on_closed,
            frame_bytes_max=HANDSHAKE_FRAME_BYTES_MAX,
            queue_bytes_max=2 * HANDSHAKE_FRAME_BYTES_MAX,
        )

    async def shake_hands(self, connection: socket.socket, tls: TlsContexts | None) -> None:
        """Return once the connection is established or refused.

        Raises:
            OSError: it broke off before.
        """
        loop = asyncio.get_running_loop()
        context = None if tls is None else tls.server()
        self._has_tls = context is not None
        try:
            await loop.connect_accepted_socket(lambda: self.framed, connection, ssl=context)
            await self._settled
        except BaseException:
            self.framed.abort()
            raise

    def replace(self) -> None:
        """The same peer opened this lane anew: whatever is still on its way here is out of date."""
        self.is_replaced = True
        self.framed.abort()

    def _on_hello(self, kind: int, body: bytes) -> None:
        try:
            hello = HANDSHAKE.decode(kind, body)
            if not isinstance(hello, Hello):
                raise ProtocolError(f"a connection begins with a hello, not with a {type(hello).__name__.lower()}")
        except ProtocolError as error:
            self.framed.send(handshake_frame(Goodbye("hello", f"{error}: run the same release on every member")))
            raise
        names = certificate_names(self.framed.transport) if self._has_tls else None
        if goodbye := self._judge(hello, names):
            self.framed.send(handshake_frame(goodbye))
            self.framed.close(Refused(goodbye, hello.member))
            return
        self.hello = hello
        self._node = hello.node
        self.framed.allow_frames(self._frame_bytes_max)
        self.framed.on_frame = self._on_message
        self.framed.send(handshake_frame(self._on_up(self)))
        self._settle()

    def _on_message(self, kind: int, body: bytes) -> None:
        self._deliver(self._node, self._decode(kind, body))

    def _on_closed(self, error: Exception | None) -> None:
        self._settle()
        self._on_lost(self, error)

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)


class IncomingLane:
    """What one peer sends us on one lane: the connection that is up, if one is, and the counts of all.

    Invariant: at most one connection is up; a new one replaces it.
    """

    def __init__(self, node: NodeId, member: str, lane: Lane) -> None:
        self._node = node
        self._member = member
        self._lane = lane
        self._times_up = 0
        self._frames = 0
        self._bytes = 0
        self.link: Incoming | None = None

    def take(self, incoming: Incoming) -> bool:
        """``incoming`` is up; tells whether it replaced another."""
        replaced, self.link = self.link, incoming
        self._times_up += 1
        if replaced is None:
            return False
        self._absorb(replaced)
        replaced.replace()
        return True

    def drop(self) -> None:
        """The connection that is up is not to bring anything more."""
        if self.link is not None:
            self._absorb(self.link)
            self.link.replace()
            self.link = None

    def lose(self, incoming: Incoming) -> None:
        """The connection that was up is gone."""
        check(self.link is incoming, "only the connection that is up can be lost")
        self._absorb(incoming)
        self.link = None

    async def close(self) -> None:
        """Cut the connection, if one is up: what is still on its way here is of no use to us."""
        if self.link is not None:
            self.link.framed.abort()
            await self.link.framed.wait_closed()

    @property
    def status(self) -> LinkStatus:
        """The link as it is, and what it carried over all its connections."""
        frames, size = self._frames, self._bytes
        if self.link is not None:
            frames += self.link.framed.frames_received
            size += self.link.framed.bytes_received
        is_up = self.link is not None
        return LinkStatus(self._node, self._member, self._lane, "in", is_up, self._times_up, frames, size, 0, 0)

    def _absorb(self, incoming: Incoming) -> None:
        self._frames += incoming.framed.frames_received
        self._bytes += incoming.framed.bytes_received
