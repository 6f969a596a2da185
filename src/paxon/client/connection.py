"""One connection to one member: many requests under way at once, each with its own number.

Knows: which reply belongs to which request, and whether a request can have reached the member.
Does not know: other members, or what is worth trying again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from paxon.errors import Overloaded, ProtocolError, Unreachable
from paxon.net.calls import CallConnection
from paxon.net.tls import TlsFiles
from paxon.node.ports import Reply as Waiter
from paxon.node.service import CLIENT_VOCABULARY, FRAME_BYTES_MAX, Reply, Request, StatusRequest
from paxon.node.settings import Address

PROBE_NUMBER: Final = 0
"""No request has this number: the reply to a probe is nobody's."""


class Broken(Exception):
    """The connection broke *after* the request may have been sent."""


class Late(Broken):
    """No reply in time; the connection itself seems to be well."""


class Connection:
    """A connection that is up, or was.

    Invariant: every number in ``_waiting`` is of a request that was handed to the connection and not answered.
    """

    def __init__(self, endpoint: Address) -> None:
        """Not connected yet: use ``open``."""
        self._endpoint = endpoint
        self._calls: CallConnection | None = None
        self._waiting: dict[int, Waiter[Reply]] = {}
        self._next_number = 1
        self._was_heard = False
        self._is_probed = False
        """Whether nothing was heard since the last ``probe``."""

    @classmethod
    async def open(cls, endpoint: Address, tls: TlsFiles | None, timeout_s: float) -> Self:
        """Connect.

        Raises:
            Unreachable: nobody answers there, or not one of the members.
            ConfigurationError: the TLS files cannot be used.
        """
        connection = cls(endpoint)
        connection._calls = await CallConnection.open(
            endpoint.host,
            endpoint.port,
            CLIENT_VOCABULARY,
            tls,
            timeout_s,
            on_message=connection._on_message,
            on_closed=connection._on_closed,
            frame_bytes_max=FRAME_BYTES_MAX,
        )
        return connection

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._calls is not None and not self._calls.is_closed

    def begin(self, make_request: Callable[[int], Request], waiter: Waiter[Reply]) -> int:
        """Send the request that ``make_request`` makes with a number, which is returned.

        ``waiter`` gets the reply, or ``Broken``, unless the number is ``forget``-ed before.

        Raises:
            Unreachable, Overloaded, TooLarge: nothing was sent.
        """
        if self._calls is None:
            raise Unreachable(f"{self._endpoint} is not connected")
        number = self._next_number
        self._next_number += 1
        self._calls.send(make_request(number))
        self._waiting[number] = waiter
        return number

    def forget(self, number: int) -> None:
        """A reply that comes after this is nobody's."""
        self._waiting.pop(number, None)

    async def call(self, make_request: Callable[[int], Request], timeout_s: float) -> Reply:
        """Send the request that ``make_request`` makes with a number, and wait for its reply.

        Raises:
            Unreachable, Overloaded, TooLarge: nothing was sent.
            Broken: it may have been sent, and there is no reply.
        """
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        number = self.begin(make_request, reply)
        try:
            async with asyncio.timeout(timeout_s):
                return await reply
        except TimeoutError:
            raise Late(f"{self._endpoint} did not answer in time") from None
        finally:
            self.forget(number)

    def tell(self, request: Request) -> None:
        """Send a request that has no reply of its own; dropped if the connection is gone or clogged."""
        if self._calls is not None:
            with suppress(Unreachable, Overloaded):
                self._calls.send(request)

    def probe(self) -> None:
        """Ask for a sign of life; give the connection up if nothing at all was heard since the last time."""
        if self._calls is None or self._calls.is_closed:
            return
        if self._is_probed:
            self._calls.abort(TimeoutError(f"{self._endpoint} gives no sign of life"))
            return
        self._is_probed = True
        self.tell(StatusRequest(PROBE_NUMBER))

    async def close(self) -> None:
        """Close; whoever waits gets ``Broken``."""
        if self._calls is not None:
            await self._calls.close()

    def _on_message(self, message: object) -> None:
        if not isinstance(message, Reply):
            raise ProtocolError(f"a member sent a {type(message).__name__}, which is no reply")
        self._was_heard = True
        self._is_probed = False
        waiter = self._waiting.pop(message.number, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(message)

    def _on_closed(self, error: Exception | None) -> None:
        reason = f"the connection to {self._endpoint} broke" + (f": {error}" if error else "")
        if not self._was_heard:
            reason += " (nothing was ever heard on it: is TLS on at one end only?)"
        waiters, self._waiting = self._waiting, {}
        for waiter in waiters.values():
            if not waiter.done():
                waiter.set_exception(Broken(reason))
