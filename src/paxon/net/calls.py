"""The members' side of calls: requests from clients in, replies out, over the same frames as between members.

Knows: connections and their limits.  Does not know: what a message means, which reply belongs
to which request, or who a caller is beyond the names in its certificate.

A reply cannot be dropped the way a member's message can, and a slow caller must not fill our
memory: one that lets too much wait for it is disconnected, and comes back when it can.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import cached_property

from msgspec import Struct

from paxon.codec.values import Vocabulary
from paxon.errors import Overloaded, PaxonError, ProtocolError
from paxon.net.addresses import written
from paxon.net.call_connection import CallConnection, CallLimits, call_frame
from paxon.net.complaints import Complaints
from paxon.net.framed import Framed
from paxon.net.listener import Listener
from paxon.net.tls import TlsContexts, TlsFiles, certificate_names

__all__ = ["CallConnection", "CallLimits", "CallServer", "Caller", "CallsStatistics"]

logger = logging.getLogger("paxon.net")


class CallsStatistics(Struct, frozen=True):
    """What the server's connections are up to, and what went wrong since the start."""

    connections: int
    connections_refused: int
    """Over the limit of connections."""
    callers_too_slow: int
    """Disconnected because too much waited for them."""
    protocol_errors: int
    arrivals_failed: int


class Caller:
    """One client's connection, as the server sees it.  Compared by identity."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        limits: CallLimits,
        on_request: Callable[["Caller", object], None],
        on_closed: Callable[["Caller", Exception | None], None],
    ) -> None:
        self._vocabulary = vocabulary
        self._limits = limits
        self._on_request = on_request
        self._on_closed = on_closed
        self.framed = Framed(
            self._on_frame,
            self._on_lost,
            frame_bytes_max=limits.frame_bytes_max,
            queue_bytes_max=limits.reply_bytes_max,
            on_overflow=self._on_overflow,
        )

    @cached_property
    def address(self) -> str:
        """Where the caller's end of the connection is, for logs."""
        name = self.framed.transport.get_extra_info("peername")
        return written(*name[:2]) if name else "unknown"

    @cached_property
    def certificate_names(self) -> frozenset[str]:
        """The names that the caller's certificate stands for; empty without TLS."""
        return certificate_names(self.framed.transport)

    @property
    def is_closed(self) -> bool:
        """Whether replies are of no use any more."""
        return self.framed.is_closing

    def reply(self, message: object) -> None:
        """Queue a reply; dropped if the caller is gone.

        Raises:
            TooLarge: the message is over the limit of a frame; nothing was sent.
        """
        if not self.framed.is_closing:
            self.framed.send(call_frame(self._vocabulary, message, self._limits.frame_bytes_max))

    def close(self) -> None:
        """Pass on what is queued, for a short while, and close."""
        self.framed.close()

    def _on_frame(self, kind: int, body: bytes) -> None:
        self._on_request(self, self._vocabulary.decode(kind, body))

    def _on_overflow(self) -> None:
        self.framed.abort(Overloaded("too many replies wait for this caller"))

    def _on_lost(self, error: Exception | None) -> None:
        self._on_closed(self, error)


class CallServer:
    """Listens for clients and hands their messages to ``on_request``.

    Invariant: at most ``connections_max`` callers, each with at most ``reply_bytes_max`` waiting for it.
    ``on_closed`` is called once for each caller of which ``on_request`` may have been called.
    """

    def __init__(
        self,
        *,
        listen: tuple[str, int],
        vocabulary: Vocabulary,
        on_request: Callable[[Caller, object], None],
        on_closed: Callable[[Caller], None],
        tls: TlsFiles | None = None,
        limits: CallLimits | None = None,
    ) -> None:
        """Prepare; ``start`` listens.  A ``ProtocolError`` from ``on_request`` closes that caller's connection.

        Raises:
            ConfigurationError: the TLS files cannot be used.
        """
        self._vocabulary = vocabulary
        self._on_request = on_request
        self._on_closed = on_closed
        self._tls = None if tls is None else TlsContexts(tls)
        self._limits = limits or CallLimits()
        patience_s = self._limits.handshake_timeout_s
        self._listener = Listener(listen, self._on_arrival, self._limits.unfinished_handshakes_max, patience_s)
        self._callers: set[Caller] = set()
        self._complaints = Complaints(limit=64)
        self._is_stopping = False
        self._connections_refused = 0
        self._callers_too_slow = 0
        self._protocol_errors = 0

    async def start(self) -> None:
        """Listen from here on.

        Raises:
            ConfigurationError: the address is in use, or not one that we may listen on.
        """
        await self._listener.start()
        logger.info("listening for clients", extra={"fields": {"address": written(*self.address)}})

    async def close(self) -> None:
        """Stop listening and close every connection; replies that are queued have a moment to leave."""
        self._is_stopping = True
        await self._listener.close()
        callers = list(self._callers)
        for caller in callers:
            caller.close()
        await asyncio.gather(*(caller.framed.wait_closed() for caller in callers))

    @property
    def address(self) -> tuple[str, int]:
        """Where we listen, with the port that the system chose if none was asked for.  Valid once started."""
        return self._listener.address

    def statistics(self) -> CallsStatistics:
        """How many callers there are, and the counts of what went wrong."""
        return CallsStatistics(
            connections=len(self._callers),
            connections_refused=self._connections_refused,
            callers_too_slow=self._callers_too_slow,
            protocol_errors=self._protocol_errors,
            arrivals_failed=self._listener.arrivals_failed,
        )

    async def _on_arrival(self, connection: socket.socket) -> None:
        if len(self._callers) >= self._limits.connections_max:
            self._connections_refused += 1
            text = f"more than {self._limits.connections_max} connections"
            self._complaints.say("client refused", written(*self.address), text)
            connection.close()
            return
        caller = Caller(self._vocabulary, self._limits, self._on_request, self._on_caller_closed)
        # Counted from here on: connections that are still shaking hands must not slip past the limit together.
        self._callers.add(caller)
        context = None if self._tls is None else self._tls.server()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: caller.framed, connection, ssl=context)
        except BaseException:
            self._callers.discard(caller)
            caller.framed.abort()
            raise

    def _on_caller_closed(self, caller: Caller, error: Exception | None) -> None:
        self._callers.discard(caller)
        if isinstance(error, Overloaded):
            self._callers_too_slow += 1
        elif isinstance(error, ProtocolError):
            self._protocol_errors += 1
        if isinstance(error, PaxonError):
            # By machine, not by port: the same client comes back from another one.
            self._complaints.say("client disconnected", caller.address.rpartition(":")[0], str(error))
        self._on_closed(caller)
