"""What a program does with a cluster: submit commands, read, watch.  Members and outside clients share it.

Knows: the typed calls of replicated classes, the default session and the default time limit.  Does
not know: whether the cluster runs in this process or elsewhere.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from copy import copy
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from msgspec import msgpack, structs

from paxon.client.channel import Channel
from paxon.client.observed import Observed
from paxon.client.parts import Parts
from paxon.client.recipes.face import Recipes
from paxon.client.session import DEFAULT_TTL_S, Session
from paxon.client.statistics import CallerStatistics, Counts
from paxon.client.tracing import Tracer, span_of
from paxon.core.decree import Slot
from paxon.errors import BadRequest
from paxon.node.consistency import LINEARIZABLE, Consistency
from paxon.node.service import TIMEOUT_MS_MAX
from paxon.rsm.contract import Context, StateMachine
from paxon.rsm.session_requests import result_of

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E")

DEFAULT_TIMEOUT_S: Final = 10.0


class Caller(Recipes):
    """A program's hold on a cluster.  Safe to use from many tasks of one event loop."""

    def __init__(self, parts: Parts, channel: Channel, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """
        Raises:
            BadRequest: if ``timeout_s`` is no time limit.
        """
        self._parts = parts
        self._channel = channel
        self._timeout_s = _checked(timeout_s)
        self._consistency: Consistency = LINEARIZABLE
        self._counts = Counts()
        self._session = Session(channel, counts=self._counts)
        self._seen = _Seen()
        self._tracer: Tracer | None = None

    # --- calls ---

    async def submit(
        self, method: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs
    ) -> R:
        """Have a command applied on every member, exactly once, and return what it returned.

            left = await member.submit(Inventory.reserve, "sku-1", order="o-9")

        Commands that one ``Caller`` submits are applied in the order of submission.

        Raises:
            Rejected: the command's own refusal, of its own class.
            ApplyFailed: the command raised something else; the state is as before.
            OutcomeUnknown: the deadline passed; the command may have been applied.
            RequestError: it was not applied; the class says why.
            ContractError, TypeError: the call makes no sense; nothing was sent.
        """
        command = self._parts.command(method)
        if self._tracer is not None:
            with span_of(self._tracer, "submit", command):
                return await self._untraced().submit(method, *arguments, **named)
        call = command.call(arguments, named)
        if not self._channel.is_usable(command.part, command.ability):
            await self._channel.wait_usable(command.part, command.ability, self._timeout_s)
        session = self._session
        if not session.is_ready:
            await session.wait_ready(self._timeout_s)
        self._counts.submitted += 1
        applied = await session.begin(call, self._timeout_s)
        self._seen.note(applied.slot)
        result: R = command.result(result_of(applied.result))
        return result

    async def read(self, method: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """Ask a query.  It sees every command that was acknowledged before, unless ``reading`` says otherwise.

        Raises:
            Rejected: the query's own refusal.
            ApplyFailed: the query raised something else.
            RequestError: there is no answer in time.
            ContractError, TypeError: the call makes no sense; nothing was sent.
        """
        query = self._parts.query(method)
        if self._tracer is not None:
            with span_of(self._tracer, "read", query):
                return await self._untraced().read(method, *arguments, **named)
        self._counts.read += 1
        timeout_ms = int(self._timeout_s * 1000)
        result: R
        slot, result = await self._channel.read(query, arguments, named, timeout_ms, self._consistency)
        self._seen.note(slot)
        return result

    @property
    def token(self) -> Slot:
        """The latest log entry that anything seen through this caller reflects: what causal reads ask for."""
        return self._seen.slot

    def statistics(self) -> CallerStatistics:
        """What was done through this caller, as of now."""
        return CallerStatistics(**self._figures())

    def _figures(self) -> dict[str, int]:
        return {**structs.asdict(self._counts), "in_flight": self._session.in_flight}

    # --- choices ---

    @property
    def timeout(self) -> float:
        """The time limit of each call in seconds."""
        return self._timeout_s

    def within(self, timeout: float) -> Self:
        """The same cluster and session, with a time limit of ``timeout`` seconds for each call.

        Raises:
            BadRequest: if that is no time limit.
        """
        other = copy(self)
        other._timeout_s = _checked(timeout)
        return other

    def traced(self, tracer: Tracer) -> Self:
        """The same cluster and session, with a span for each call: give it an OpenTelemetry tracer.

            member.traced(opentelemetry.trace.get_tracer("checkout"))

        A span has the part, the method and its version as attributes, and records what the call raised.
        """
        other = copy(self)
        other._tracer = tracer
        return other

    def _untraced(self) -> Self:
        other = copy(self)
        other._tracer = None
        return other

    def reading(self, consistency: Consistency) -> Self:
        """The same cluster and session, with reads that promise something else (docs/reads.md).

        token = member.token  # may travel to another program
        await other.reading(paxon.AtLeast(token)).read(Inventory.left, "sku-1")
        await other.reading(paxon.Stale(max_age_ms=500)).read(Inventory.left, "sku-1")
        """
        other = copy(self)
        other._consistency = consistency
        return other

    @asynccontextmanager
    async def session(self, ttl: float = DEFAULT_TTL_S) -> AsyncIterator[Self]:
        """The same cluster through a session of its own, whose commands wait for nobody else's.

        ``ttl`` is how many seconds of decided time the session outlives this program.
        """
        other = copy(self)
        session = Session(self._channel, ttl, self._counts)
        other._session = session
        try:
            yield other
        finally:
            await session.close()

    # --- the change feed ---

    async def watch(
        self, machine: type[StateMachine], topic: str, event: type[E], *, since: int | None = None
    ) -> AsyncGenerator[Observed[E], None]:
        """Every event that commands of ``machine`` emit under ``topic``, each an ``event``, in order and without a gap.

        From event number ``since`` on, or from now on.  An iteration goes on through changes of
        leader and lost connections.

        Raises:
            Compacted: events from ``since`` on are kept no more.
            RequestError: no member that hears a leader could be reached for the time limit.
        """
        part = self._parts.part_named(machine)
        decode = msgpack.Decoder(event).decode
        if since is not None and since < 1:
            raise BadRequest(f"events are numbered from 1, and not from {since}")
        async with aclosing(self._channel.events(part, topic, since, self._timeout_s)) as feed:
            async for some in feed:
                for one in some:
                    if one.topic == topic:
                        yield Observed(one.number, one.slot, one.topic, decode(one.body))

    async def close(self) -> None:
        """End the default session."""
        await self._session.close()


class _Seen:
    """The latest slot that was seen, shared by every view of one caller."""

    def __init__(self) -> None:
        self.slot = Slot(0)

    def note(self, slot: int) -> None:
        """Something as of ``slot`` was seen."""
        if slot > self.slot:
            self.slot = Slot(slot)


def _checked(timeout_s: float) -> float:
    if not 0.001 <= timeout_s <= TIMEOUT_MS_MAX / 1000:
        raise BadRequest(f"a time limit is from 0.001 to {TIMEOUT_MS_MAX // 1000} seconds, not {timeout_s:g}")
    return timeout_s
