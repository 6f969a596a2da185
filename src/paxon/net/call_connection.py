"""The clients' side of calls: one connection to one member, and what both sides allow.

Knows: how to reach a member and be sure that it is one.  Does not know: what a message means,
which reply belongs to which request, or when to connect again.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.errors import Overloaded, ProtocolError, TooLarge, Unreachable
from paxon.net.addresses import written
from paxon.net.framed import Framed, why_closed
from paxon.net.tls import TlsContexts, TlsFiles, certificate_names


class CallLimits(Struct, frozen=True):
    """What callers may take from us."""

    connections_max: int = 1000
    frame_bytes_max: int = 4 * 1024 * 1024
    reply_bytes_max: int = 16 * 1024 * 1024
    """What may wait for one slow caller."""
    unfinished_handshakes_max: int = 100
    handshake_timeout_s: float = 5.0


class CallConnection:
    """One connection of a client to a member.  Made by ``open``; not made again when it breaks.

    Invariant: ``on_closed`` is called once; no message is delivered after it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        on_message: Callable[[object], None],
        on_closed: Callable[[Exception | None], None],
        frame_bytes_max: int,
        queue_bytes_max: int,
    ) -> None:
        """Not connected yet: use ``open``."""
        self.on_message = on_message
        self.on_closed = on_closed
        self._vocabulary = vocabulary
        self._frame_bytes_max = frame_bytes_max
        self._queue_bytes_max = queue_bytes_max
        self._framed = Framed(
            self._on_frame, self._on_lost, frame_bytes_max=frame_bytes_max, queue_bytes_max=queue_bytes_max
        )

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        vocabulary: Vocabulary,
        tls: TlsFiles | None,
        timeout: float,
        *,
        on_message: Callable[[object], None],
        on_closed: Callable[[Exception | None], None] = lambda error: None,
        server_name: str | None = None,
        frame_bytes_max: int = CallLimits().frame_bytes_max,
        queue_bytes_max: int = CallLimits().reply_bytes_max,
    ) -> "CallConnection":
        """Connect within ``timeout`` seconds.

        Under TLS the member's certificate must carry ``server_name``, or ``host`` if none is given: any other
        certificate of the same authority may be that of a mere client.  A ``ProtocolError`` from ``on_message``
        closes the connection.

        Raises:
            Unreachable: nobody answers there, or not the one that we want.
            ConfigurationError: the TLS files cannot be used.
        """
        connection = cls(vocabulary, on_message, on_closed, frame_bytes_max, queue_bytes_max)
        framed = connection._framed
        context = None if tls is None else TlsContexts(tls).client()
        where = written(host, port)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().create_connection(
                    lambda: framed, host, port, ssl=context, server_hostname=None if context is None else ""
                )
        except BaseException as error:
            framed.abort()
            if isinstance(error, (OSError, ValueError, OverflowError)):
                # The last two are what a host name or port that makes no sense raises.
                raise Unreachable(f"{where} cannot be reached: {why_closed(error)}") from error
            raise
        if context is not None:
            names = certificate_names(framed.transport)
            wanted = (server_name or host).lower()
            if wanted not in names:
                framed.abort()
                carried = ", ".join(sorted(names)) or "nobody"
                raise Unreachable(f"the certificate at {where} names {carried}, not {wanted}")
        return connection

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._framed.is_closing

    def send(self, message: object) -> None:
        """Queue a message.  Never blocks.

        Raises:
            Unreachable: the connection is closed; nothing was sent.
            Overloaded: the member does not keep up with what we send; nothing was sent.
            TooLarge: the message is over the limit of a frame; nothing was sent.
        """
        if self._framed.is_closing:
            raise Unreachable("the connection is closed")
        frame = call_frame(self._vocabulary, message, self._frame_bytes_max)
        waiting = self._framed.queued_bytes
        if waiting and waiting + len(frame) > self._queue_bytes_max:
            raise Overloaded("the member does not keep up with the requests on this connection")
        self._framed.send(frame)

    async def close(self) -> None:
        """Pass on what is queued, for a short while, and close.  ``on_closed`` is called for this too."""
        self._framed.close()
        await self._framed.wait_closed()

    def abort(self, reason: Exception) -> None:
        """Close at once, and forget what is queued.  ``on_closed`` is told of ``reason``."""
        self._framed.abort(reason)

    def _on_frame(self, kind: int, body: bytes) -> None:
        self.on_message(self._vocabulary.decode(kind, body))

    def _on_lost(self, error: Exception | None) -> None:
        self.on_closed(error)


def call_frame(vocabulary: Vocabulary, message: object, frame_bytes_max: int) -> bytes:
    """One encoded frame.

    Raises:
        TooLarge: it would be over the limit.
    """
    kind, body = vocabulary.encode(message)
    try:
        return encode_frame(kind, body, frame_bytes_max)
    except ProtocolError as error:
        raise TooLarge(f"the message is over the limit of {frame_bytes_max} bytes") from error
