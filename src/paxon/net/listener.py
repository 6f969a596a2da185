"""A listening address: accepts connections and bounds the handshakes that are under way.

Knows: sockets and how many arrivals are unfinished.  Does not know: what a handshake is.

Theory of operation.  Each arrival runs in a task of its own, from the accepted socket to the
end of its handshake, under one deadline; so TLS and the words after it are bounded together,
and a certificate that was replaced on disk counts for the next arrival.  When too many are
unfinished, the *oldest* is cut off.  Refusing the newest instead would let somebody who only
opens connections lock everybody else out, while an honest handshake takes a few milliseconds
and is rarely the oldest of many.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

from paxon.errors import ConfigurationError, check
from paxon.net.addresses import written
from paxon.net.complaints import Complaints

logger = logging.getLogger("paxon.net")

BACKLOG = 128
"""Connections that the system may hold for us between two turns of the loop."""

SHORTAGE_PAUSE_S = 0.2
"""How long to wait when the system has no file descriptor or memory for another connection."""

ACCEPTS_PER_TURN = 16
"""How many connections are taken before the loop gets another turn."""

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """Listens on one address and hands each connection to ``on_arrival``, a coroutine that ends with the handshake."""

    def __init__(
        self,
        listen: tuple[str, int],
        on_arrival: Callable[[socket.socket], Awaitable[None]],
        unfinished_max: int,
        handshake_timeout_s: float,
    ) -> None:
        self._listen = listen
        self._on_arrival = on_arrival
        self._unfinished_max = unfinished_max
        self._handshake_timeout_s = handshake_timeout_s
        self._sockets: list[socket.socket] = []
        self._address: tuple[str, int] | None = None
        self._unfinished: dict[asyncio.Task[None], None] = {}
        """A set in the order of arrival."""
        self._complaints = Complaints(limit=32)
        self.arrivals_failed = 0

    @property
    def address(self) -> tuple[str, int]:
        """Where we listen, with the port that the system chose if ours was 0.  Valid once started."""
        check(self._address is not None, "where a listener listens is known once it was started")
        return cast(tuple[str, int], self._address)

    async def start(self) -> None:
        """Bind every address that the host's name stands for, and accept from here on.

        Raises:
            ConfigurationError: the address is in use, not ours, not allowed, or unknown.
        """
        host, port = self._listen
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {written(host, port)}: the host name is not known") from error
        failure: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                self._sockets.append(_bound(family, (address[0], port, *address[2:])))
            except OSError as error:
                # A name such as localhost may stand for an address of a family that this machine
                # has switched off; the others will do.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    self._close_sockets()
                    raise ConfigurationError(_why_not(error, host, port)) from error
                failure = error
                continue
            # A port that the system chose for the first address is taken for the others too.
            port = self._sockets[0].getsockname()[1]
        if not self._sockets:
            raise ConfigurationError(_why_not(failure or OSError("no address"), host, port)) from failure
        self._address = self._sockets[0].getsockname()[:2]
        for listening in self._sockets:
            self._watch(listening)

    async def close(self) -> None:
        """Stop listening and cut off unfinished handshakes."""
        self._close_sockets()
        tasks = list(self._unfinished)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, listening: socket.socket) -> None:
        # Not sock_accept: asyncio's may accept a connection for a future that was cancelled in
        # the same turn of the loop, and then nobody closes it.
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _close_sockets(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening)
            listening.close()
        self._sockets = []

    def _accept(self, listening: socket.socket) -> None:
        """Take the connections that wait, but not so many that nobody else gets a turn."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, address = listening.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._complaints.say("cannot accept connections", written(*self.address), error.strerror or "")
                    loop = asyncio.get_running_loop()
                    loop.remove_reader(listening)
                    loop.call_later(SHORTAGE_PAUSE_S, self._watch, listening)
                # Otherwise nobody waits, or who did is gone.
                return
            connection.setblocking(False)
            if len(self._unfinished) >= self._unfinished_max:
                self._complaints.say("too many unfinished handshakes", written(*self.address), "the oldest is cut off")
                oldest = next(iter(self._unfinished))
                del self._unfinished[oldest]
                oldest.cancel()
            task = asyncio.get_running_loop().create_task(self._arrive(connection))
            self._unfinished[task] = None
            # By host and not by port: a stranger's next attempt comes from another one.
            task.add_done_callback(partial(self._on_arrived, connection, address[0]))

    async def _arrive(self, connection: socket.socket) -> None:
        async with asyncio.timeout(self._handshake_timeout_s):
            await self._on_arrival(connection)

    def _on_arrived(self, connection: socket.socket, host: str, task: asyncio.Task[None]) -> None:
        self._unfinished.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        # Here and not in the task, which may have been cancelled before its first step.  If a
        # transport took the socket over, it has closed it by itself, and once more is harmless.
        connection.close()
        self.arrivals_failed += 1
        if isinstance(error, TimeoutError):
            self._complaints.say("handshake failed", host, f"no handshake within {self._handshake_timeout_s} s")
        elif isinstance(error, OSError):
            self._complaints.say("handshake failed", host, error.strerror or str(error))
        elif error is not None:
            logger.error("an arrival failed", exc_info=error, extra={"fields": {"peer": host}})


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise it would take the IPv4 port as well, and binding that would fail.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _why_not(error: OSError, host: str, port: int) -> str:
    address = written(host, port)
    match error.errno:
        case errno.EADDRINUSE:
            return f"address {address} is in use: stop the process that listens there, or choose another port"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"address {address} is not an address of this machine"
        case errno.EACCES | errno.EPERM:
            return f"listening on {address} is not allowed: choose a port above 1023"
        case _:
            return f"cannot listen on {address}: {error.strerror or error}"
