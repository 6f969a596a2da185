"""The connections of one client: at most one to each endpoint, made when it is needed.

Knows: which are open, and which are being opened.  Does not know: requests.
"""

import asyncio

from paxon.client.connection import Connection
from paxon.errors import Unreachable
from paxon.net.tls import TlsFiles
from paxon.node.settings import Address

CONNECT_TIMEOUT_S = 2.0
"""A member that is there accepts within this; one that is stopped or cut off must not use up a whole deadline."""


class Pool:
    """Open connections, and attempts at them that all requests share.

    Invariant: at most one attempt per endpoint is under way.
    """

    def __init__(self, tls: TlsFiles | None) -> None:
        self._tls = tls
        self._open_by_endpoint: dict[Address, Connection] = {}
        self._opening: dict[Address, asyncio.Task[Connection]] = {}
        self._is_closed = False

    def existing(self, endpoint: Address) -> Connection | None:
        """The open connection to ``endpoint``, if there is one."""
        connection = self._open_by_endpoint.get(endpoint)
        return connection if connection is not None and connection.is_open else None

    async def connected(self, endpoint: Address, timeout_s: float) -> Connection:
        """The open connection to ``endpoint``, made now if there is none.

        Raises:
            Unreachable: there is none within ``timeout_s``.
            ConfigurationError: the TLS files cannot be used.
            RuntimeError: the pool is closed.
        """
        connection = self.existing(endpoint)
        if connection is not None:
            return connection
        if self._is_closed:
            raise RuntimeError("the client is closed")
        opening = self._opening.get(endpoint)
        if opening is None:
            opening = self._opening[endpoint] = asyncio.ensure_future(self._open(endpoint))
            opening.add_done_callback(lambda task: self._on_opened(endpoint, task))
        try:
            async with asyncio.timeout(timeout_s):
                # Shielded because others may be waiting for it with more time to spare.
                return await asyncio.shield(opening)
        except TimeoutError:
            raise Unreachable(f"{endpoint} cannot be reached: no answer in time") from None

    async def close(self) -> None:
        """Close every connection, and make no more."""
        self._is_closed = True
        opening = list(self._opening.values())
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in self._open_by_endpoint.values()))
        self._open_by_endpoint.clear()

    async def _open(self, endpoint: Address) -> Connection:
        connection = await Connection.open(endpoint, self._tls, CONNECT_TIMEOUT_S)
        self._open_by_endpoint[endpoint] = connection
        return connection

    def _on_opened(self, endpoint: Address, task: "asyncio.Task[Connection]") -> None:
        del self._opening[endpoint]
        if not task.cancelled():
            task.exception()  # Looked at, so that the loop does not report it if nobody waits any more.
