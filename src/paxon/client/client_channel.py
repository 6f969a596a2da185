"""A channel to a cluster elsewhere, over the members' ports for clients.

Knows: which member is asked, and when it is left for another.  Does not know: sessions; whoever
submits has to be prepared to send again.

Theory of operation.  Commands go to the preferred member over one connection, in the order in which they
are submitted, each once; what fails is reported, and sent again by the session to whoever is preferred by then.
A member is left when its connection breaks, when it says that it cannot reach a leader or stops, when
an attempt at a command has no outcome in a few seconds (it may be cut off from the others), and when it
gives no sign of life.  Commands need no timer each: one sweep looks at all of them.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from paxon.client.channel import Channel
from paxon.client.client import MEMBER_SHARE, PAUSE_S_MAX, PAUSE_S_MIN, Client, jittered
from paxon.client.connection import Broken, Connection
from paxon.client.parts import PartMethod
from paxon.client.pool import CONNECT_TIMEOUT_S
from paxon.errors import (
    BadRequest,
    Compacted,
    ConfigurationError,
    DeadlineExceeded,
    NotLeader,
    OutcomeUnknown,
    RequestError,
    Stopping,
    TooLarge,
    Unreachable,
)
from paxon.node.consistency import Consistency
from paxon.node.ports import Reply as Waiter
from paxon.node.proposals import Applied
from paxon.node.service import Events, Failure, Reply, Result, Submit, Unwatch, Watch, error_of
from paxon.node.settings import Address
from paxon.rsm.contract import Ability
from paxon.rsm.feed import Event

ATTEMPT_MS: Final = 3_000
"""How long one member may take over a command.  A member without the others must not use up a whole deadline."""

SWEEP_S: Final = 0.05
"""How often deadlines are looked at: how late a caller may hear that nobody answered."""

PROBE_S: Final = 2.5
"""How often a member that owes answers is asked for a sign of life; one that gives none until the next time is left."""

WATCH_MS: Final = 5_000
"""How long a member may let a watcher wait before it says that there is nothing."""

ENDS_WATCH: Final = (BadRequest, Compacted, TooLarge)
"""What another member would say too."""


class _Attempt:
    """One command at one member.  Satisfies ``node.ports.Reply``."""

    __slots__ = ("_channel", "_reply", "connection", "deadline", "endpoint", "number")

    def __init__(
        self,
        channel: "ClientChannel",
        endpoint: Address,
        connection: Connection,
        reply: Waiter[Applied],
        deadline: float,
    ) -> None:
        self._channel = channel
        self.endpoint = endpoint
        self.connection = connection
        self._reply = reply
        self.deadline = deadline
        self.number = 0
        """On the connection, once it was sent."""

    def done(self) -> bool:
        """See ``Reply``."""
        return False

    def set_result(self, result: Reply, /) -> None:
        """The member answered."""
        self._channel.attempts.pop(self, None)
        if isinstance(result, Result):
            if not self._reply.done():
                self._reply.set_result(Applied(result.slot, result.body))
        elif isinstance(result, Failure):
            self._fail(error_of(result))
        else:
            self._fail(OutcomeUnknown(f"{self.endpoint} answered with a {type(result).__name__}"))

    def set_exception(self, error: Exception, /) -> None:
        """The connection broke, or time is over."""
        self._channel.attempts.pop(self, None)
        self._fail(error if isinstance(error, RequestError) else OutcomeUnknown(str(error)))

    def _fail(self, error: RequestError) -> None:
        error = self._channel.on_failure(self.endpoint, error)
        if not self._reply.done():
            self._reply.set_exception(error)


class ClientChannel(Channel):
    """Satisfies ``Channel`` for a client's endpoints and connections.

    Invariant: ``attempts`` has every command that was sent and not answered.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._endpoints = client.endpoints
        self._pool = client.pool
        self._loop = asyncio.get_running_loop()
        self.attempts: dict[_Attempt, None] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._probe_at = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._unreachable: dict[Address, str] = {}
        """Why, of the endpoints that could not be reached the last time."""

    @property
    def endpoint(self) -> Address:
        """The member that is asked."""
        return self._endpoints.preferred

    @property
    def endpoints_known(self) -> int:
        """How many members this knows of."""
        return len(self._endpoints)

    async def wait_connected(self, timeout_s: float) -> None:
        """Return once a member was reached.

        Raises:
            Unreachable: none was in time.
            ConfigurationError: the TLS files cannot be used.
        """
        deadline = self._loop.time() + timeout_s
        pause_s = PAUSE_S_MIN
        while self._pool.existing(self._endpoints.preferred) is None:
            await self._connect()
            if self._pool.existing(self._endpoints.preferred) is None:
                if self._loop.time() + pause_s > deadline:
                    raise self._nobody()
                await asyncio.sleep(jittered(pause_s))
                pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def close(self) -> None:
        """Look after nothing any more; the connections are the client's to close."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)

    # --- commands ---

    def submit(self, command: bytes, reply: Waiter[Applied], timeout_ms: int) -> None:
        """See ``Channel``."""
        endpoint = self._endpoints.preferred
        connection = self._pool.existing(endpoint)
        if connection is None:
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.ensure_future(self._connect_again())
            raise self._nobody()
        limit_ms = min(timeout_ms, ATTEMPT_MS)
        attempt = _Attempt(self, endpoint, connection, reply, self._loop.time() + limit_ms / 1000)
        milliseconds = max(1, int(limit_ms * MEMBER_SHARE))
        attempt.number = connection.begin(lambda number: Submit(number, command, milliseconds), attempt)
        self.attempts[attempt] = None
        if self._sweeping is None:
            self._probe_at = self._loop.time() + PROBE_S
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def on_failure(self, endpoint: Address, error: RequestError) -> RequestError:
        """Leave a member that is of no use at present; what the failure means to whoever may send again."""
        if isinstance(error, NotLeader | Stopping | OutcomeUnknown):
            self._endpoints.leave(endpoint, error.hint if isinstance(error, NotLeader) else "")
        if isinstance(error, Stopping):
            # The end of one member is not that of the cluster.
            return NotLeader(f"{endpoint}: {error}")
        return error

    def _sweep(self) -> None:
        self._sweeping = None
        now = self._loop.time()
        late = [attempt for attempt in self.attempts if attempt.deadline <= now]
        for attempt in late:
            attempt.connection.forget(attempt.number)
            attempt.set_exception(DeadlineExceeded(f"{attempt.endpoint} did not answer in time"))
        if now >= self._probe_at:
            self._probe_at = now + PROBE_S
            for connection in {attempt.connection for attempt in self.attempts}:
                connection.probe()
        if self.attempts:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except ConfigurationError as error:
            # The files were good when the client began; who replaces them may not have finished.
            self._unreachable[self._endpoints.preferred] = str(error)

    async def _connect(self) -> None:
        """Try every endpoint once, or until one is reached."""
        for _ in range(len(self._endpoints)):
            endpoint = self._endpoints.preferred
            try:
                await self._pool.connected(endpoint, CONNECT_TIMEOUT_S)
            except Unreachable as error:
                self._unreachable[endpoint] = str(error)
                self._endpoints.leave(endpoint)
            else:
                self._unreachable.pop(endpoint, None)
                return

    def _nobody(self) -> Unreachable:
        reasons = "; ".join(self._unreachable.values()) or f"{self._endpoints.preferred} is not connected yet"
        return Unreachable(f"no member could be reached: {reasons}")

    # --- questions ---

    async def read(
        self,
        query: PartMethod,
        arguments: tuple[Any, ...],
        named: Mapping[str, Any],
        timeout_ms: int,
        consistency: Consistency,
    ) -> tuple[int, Any]:
        """See ``Channel``."""
        call = query.call(arguments, named)
        answer = await self._client.query(call, consistency=consistency, timeout=timeout_ms / 1000)
        return answer.slot, query.result(answer.body)

    # --- what may be used ---

    def is_usable(self, part: str, ability: Ability) -> bool:
        """See ``Channel``.  The member that is asked checks that before anybody decides on the command."""
        return True

    async def wait_usable(self, part: str, ability: Ability, timeout_s: float) -> None:
        """See ``Channel``."""

    # --- the change feed ---

    async def events(
        self, part: str, topic_prefix: str, since: int | None, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        """See ``Channel``."""
        pause_s, failing_since = PAUSE_S_MIN, None
        while True:
            endpoint = self._endpoints.preferred
            try:
                reply = await self._watch_once(endpoint, part, topic_prefix, since)
            except ENDS_WATCH:
                raise
            except RequestError as error:
                self._endpoints.leave(endpoint, error.hint if isinstance(error, NotLeader) else "")
                now = self._loop.time()
                failing_since = now if failing_since is None else failing_since
                if now - failing_since > patience_s:
                    raise Unreachable(f"no member could be watched for {patience_s:g} s: {error}") from error
                await asyncio.sleep(jittered(pause_s))
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
                continue
            pause_s, failing_since = PAUSE_S_MIN, None
            since = reply.next_number
            if reply.events:
                yield list(reply.events)

    async def _watch_once(self, endpoint: Address, part: str, topic_prefix: str, since: int | None) -> Events:
        connection = await self._pool.connected(endpoint, CONNECT_TIMEOUT_S)
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        number = connection.begin(lambda number: Watch(number, since, part, topic_prefix, WATCH_MS), waiter)
        try:
            async with asyncio.timeout(WATCH_MS / 1000 + PROBE_S):
                reply = await waiter
        except TimeoutError:
            raise Unreachable(f"{endpoint} did not answer in time") from None
        except Broken as broken:
            raise Unreachable(str(broken)) from broken
        finally:
            connection.forget(number)
            if not waiter.done() or waiter.cancelled():
                connection.tell(Unwatch(number))
        if isinstance(reply, Failure):
            raise error_of(reply)
        if not isinstance(reply, Events):
            raise Unreachable(f"{endpoint} answered with a {type(reply).__name__}: is it of another release?")
        return reply
