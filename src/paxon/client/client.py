"""A client of the whole cluster: finds the leader, and repeats what is safe to repeat.

Knows: the members' endpoints, and for each failure whether the request can have been applied.
Does not know: how members agree.

Theory of operation.  A request goes to the endpoint that last worked.  If it fails, what
happens next depends on one question, whether it *can have been applied*.

* Certainly not (nobody was there to send it to, or a member refused it): it is tried again,
  at the endpoint that the refusal hints at, or the next one, until the deadline.
* Possibly (it was sent, and then the connection broke or the time ran out): a read is tried
  again all the same, since reading twice harms nobody.  A write ends with ``OutcomeUnknown``,
  and the caller decides: it alone knows whether doing it twice is harmless.

Every endpoint is tried once before the first pause, so that one dead member costs no waiting;
pauses grow and are jittered, so that clients do not return in step when a member does.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from msgspec import Struct

from paxon.client.connection import Broken, Late
from paxon.client.endpoints import Endpoints, reachable_or_none
from paxon.client.pool import CONNECT_TIMEOUT_S, Pool
from paxon.client.standard import ReplyT, name_command, name_question, read_name_answer
from paxon.errors import (
    Behind,
    DeadlineExceeded,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    Stopping,
    Unreachable,
)
from paxon.kv import name_server
from paxon.kv.name_server import Compared, Deleted, Found, Written
from paxon.net.tls import TlsFiles
from paxon.node.consistency import LINEARIZABLE, Consistency
from paxon.node.service import (
    TIMEOUT_MS_MAX,
    Failure,
    Query,
    Request,
    Result,
    StatusReply,
    StatusRequest,
    Submit,
    error_of,
)
from paxon.node.settings import Address
from paxon.node.status import MemberStatus

DEFAULT_TIMEOUT_S = 10.0

READ_ATTEMPT_S = 2.0
"""A read that has no answer after this is asked of another member.  Longer than an election normally takes."""

STATUS_TIMEOUT_S = 2.0

PAUSE_S_MIN = 0.02
PAUSE_S_MAX = 0.25
"""The first pause and the longest one.  The first is short because the usual reason, an election, is over soon."""

MEMBER_SHARE = 0.95
"""The part of the remaining time that a member is told.  It gives up a little before the client
does, so that its answer, which knows more than the client's clock, still arrives."""


class MemberReport(Struct, frozen=True):
    """What came of asking one endpoint for its status: exactly one of ``status`` and ``error`` is set."""

    endpoint: Address
    status: MemberStatus | None = None
    error: str | None = None


class Client:
    """A client of one cluster, for one event loop.

        async with Client(["127.0.0.1:7400", "127.0.0.1:7402"]) as client:
            await client.put(b"greeting", b"hello")

    Safe to use from many tasks at once: their requests share a connection.  Every request takes
    a ``timeout`` in seconds of its own.  What they raise says whether anything was applied: a
    ``RequestError`` means no, except for its branch ``OutcomeUnknown``, which means maybe.
    """

    def __init__(
        self,
        endpoints: Iterable[Address | str],
        *,
        tls: TlsFiles | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Opens nothing yet.

        Raises:
            ConfigurationError: an endpoint makes no sense, or there is none.
        """
        parsed = (Address.parse(one, what="endpoint") if isinstance(one, str) else one for one in endpoints)
        self.endpoints = Endpoints(parsed)
        """Whom to ask.  Shared with what else asks on this client's behalf, like ``pool``."""
        self._timeout_s = timeout
        self.pool = Pool(tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; what is under way ends as if the connection had broken."""
        await self.pool.close()

    # Keys and values.

    async def put(self, key: bytes, value: bytes, *, timeout: float | None = None) -> Written:
        """Set ``key`` to ``value``."""
        return await self._carry_out(name_server.put(key, value), Written, timeout)

    async def get(self, key: bytes, *, consistency: Consistency = LINEARIZABLE, timeout: float | None = None) -> Found:
        """The value of ``key``."""
        question = name_question(name_server.get(key))
        result = await self.query(question, consistency=consistency, timeout=timeout)
        return name_server.read_reply(result.body, Found)

    async def delete(self, key: bytes, *, timeout: float | None = None) -> Deleted:
        """Remove ``key``; the reply says whether it existed."""
        return await self._carry_out(name_server.delete(key), Deleted, timeout)

    async def compare_and_put(
        self, key: bytes, expected: bytes | None, value: bytes, *, timeout: float | None = None
    ) -> Compared:
        """Set ``key`` to ``value`` if it has the ``expected`` one; ``None`` expects it to have none."""
        return await self._carry_out(name_server.compare_and_put(key, expected, value), Compared, timeout)

    async def _carry_out(self, command: bytes, expected: type[ReplyT], timeout: float | None) -> ReplyT:
        result = await self.submit(name_command(command), timeout=timeout)
        return read_name_answer(result.body, expected)

    # Any state machine.

    async def submit(self, command: bytes, *, timeout: float | None = None) -> Result:
        """Have ``command`` applied, at most once.

        Raises:
            OutcomeUnknown: it may have been applied.
            RequestError: it was not applied.
        """
        wish = _Wish(lambda number, milliseconds: Submit(number, command, milliseconds), is_repeatable=False)
        return await self._fulfil(wish, timeout)

    async def query(
        self, question: bytes, *, consistency: Consistency = LINEARIZABLE, timeout: float | None = None
    ) -> Result:
        """The state machine's answer to ``question``, and the last slot it reflects.

        ``consistency`` says what the answer must reflect (docs/reads.md).  Whichever member is
        asked keeps that promise or refuses, and then the next one is asked.

        Raises:
            RequestError: there is no answer.
        """
        wish = _Wish(
            lambda number, milliseconds: Query(number, question, milliseconds, consistency), is_repeatable=True
        )
        return await self._fulfil(wish, timeout)

    async def status(self, *, timeout: float | None = None) -> list[MemberReport]:
        """Ask every endpoint, and the leader they name if it is none of them.  Does not raise for those that are down.

        Raises:
            ConfigurationError: the TLS files cannot be used.
        """
        timeout_s = min(self._timeout_s if timeout is None else timeout, STATUS_TIMEOUT_S)
        known = self.endpoints.known
        reports = list(await asyncio.gather(*(self._status_of(endpoint, timeout_s) for endpoint in known)))
        members = {report.status.member for report in reports if report.status is not None}
        named = {
            report.status.leader_endpoint
            for report in reports
            if report.status is not None and report.status.leader not in members and report.status.leader_endpoint
        }
        hinted = {reachable_or_none(endpoint) for endpoint in named} - {None, *known}
        others = sorted(address for address in hinted if address is not None)
        reports += await asyncio.gather(*(self._status_of(endpoint, timeout_s) for endpoint in others))
        return reports

    async def _status_of(self, endpoint: Address, timeout_s: float) -> MemberReport:
        try:
            connection = await self.pool.connected(endpoint, timeout_s)
            reply = await connection.call(StatusRequest, timeout_s)
        except (RequestError, Broken) as error:
            return MemberReport(endpoint, error=str(error))
        if isinstance(reply, StatusReply):
            return MemberReport(endpoint, status=reply.status)
        return MemberReport(endpoint, error=f"answered with a {type(reply).__name__}")

    # Trying, and trying again.

    async def _fulfil(self, wish: "_Wish", timeout: float | None) -> Result:
        """The result of a request, over as many attempts as are safe and fit the time."""
        loop = asyncio.get_running_loop()
        timeout_s = min(self._timeout_s if timeout is None else timeout, TIMEOUT_MS_MAX / 1000)
        deadline = loop.time() + timeout_s
        failures = _Failures(timeout_s)
        pause_s, tried = PAUSE_S_MIN, 0
        while (remaining_s := deadline - loop.time()) > 0:
            endpoint = self.endpoints.preferred
            try:
                return await self._attempt(wish, endpoint, remaining_s)
            except OutcomeUnknown as error:
                self.endpoints.leave(endpoint)
                if not wish.is_repeatable:
                    raise
                failures.add(endpoint, error)
            except (NotLeader, Behind, Stopping, Unreachable) as error:
                self.endpoints.leave(endpoint, error.hint if isinstance(error, NotLeader) else "")
                failures.add(endpoint, error)
            except Overloaded as error:
                failures.add(endpoint, error)
                # No use asking the others at once: they would forward it to the same full queue.
                tried = len(self.endpoints)
            tried += 1
            if tried >= len(self.endpoints):
                await asyncio.sleep(min(jittered(pause_s), max(0.0, deadline - loop.time())))
                pause_s, tried = min(2 * pause_s, PAUSE_S_MAX), 0
        raise failures.verdict()

    async def _attempt(self, wish: "_Wish", endpoint: Address, remaining_s: float) -> Result:
        """One request to one member.

        Raises:
            OutcomeUnknown: it may have been applied.
            RequestError: it was not.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        connection = await self.pool.connected(endpoint, min(remaining_s, CONNECT_TIMEOUT_S))
        remaining_s -= loop.time() - started
        if wish.is_repeatable:
            remaining_s = min(remaining_s, READ_ATTEMPT_S)
        milliseconds = max(1, int(remaining_s * 1000 * MEMBER_SHARE))
        try:
            reply = await connection.call(lambda number: wish.request(number, milliseconds), remaining_s)
        except Broken as broken:
            kind = DeadlineExceeded if isinstance(broken, Late) else OutcomeUnknown
            raise kind(f"{broken}" if wish.is_repeatable else f"{broken}; the write may have been applied") from broken
        if isinstance(reply, Result):
            return reply
        if isinstance(reply, Failure):
            raise error_of(reply)
        raise OutcomeUnknown(f"{endpoint} answered with a {type(reply).__name__}: is it of another release?")


class _Wish(Struct, frozen=True):
    """A request before it has a number and a time limit, and whether doing it twice harms nobody."""

    request: Callable[[int, int], Request]
    is_repeatable: bool


class _Failures:
    """Why attempts failed, and what to tell the caller in the end.  Nothing in here was applied."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._answered: RequestError | None = None
        """The last failure of a member that was there."""
        self._unreachable: dict[Address, str] = {}

    def add(self, endpoint: Address, error: RequestError) -> None:
        if isinstance(error, Unreachable):
            self._unreachable[endpoint] = str(error)
        else:
            self._answered = error

    def verdict(self) -> RequestError:
        """A refusal by a member outweighs others that are down: it says more about the cluster."""
        if self._answered is None:
            reasons = "; ".join(self._unreachable.values()) or f"nothing fits into {self._timeout_s:g} s"
            return Unreachable(f"no member could be reached: {reasons}")
        if isinstance(self._answered, OutcomeUnknown):
            # Only a read is tried again after that, and a read has no outcome to wonder about.
            return Unreachable(f"no member answered within {self._timeout_s:g} s; the last attempt: {self._answered}")
        return self._answered


def jittered(seconds: float) -> float:
    """Between half of ``seconds`` and all of it."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, keeps no secret
