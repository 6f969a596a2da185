"""The faces of a cluster for programs without an event loop: the same calls, which wait instead of being awaited.

Knows: how each call is run on a loop in another thread.  Does not know: what the calls do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from copy import copy
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, Self, TypeVar

from paxon.client.caller import DEFAULT_TIMEOUT_S, Caller
from paxon.client.connecting import OutsideClient
from paxon.client.connecting import connect as connect_async
from paxon.client.loop_thread import LoopThread
from paxon.client.observed import Observed
from paxon.client.opening import Cluster, Member, open_member
from paxon.client.session import DEFAULT_TTL_S
from paxon.client.statistics import ClientStatistics, MemberStatistics
from paxon.core.decree import Slot
from paxon.net.tls import TlsFiles
from paxon.node.consistency import Consistency
from paxon.node.status import MemberStatus
from paxon.rsm.contract import Context, StateMachine

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E")
T = TypeVar("T")
CallerT = TypeVar("CallerT", bound=Caller)


class BlockingCaller(Generic[CallerT]):
    """A program's hold on a cluster, with calls that wait.  Safe to use from many threads.

    Every method is that of ``Caller`` without ``await``, and raises what that raises in the calling thread;
    beside it ``RuntimeError``, if the context is over or the thread runs an event loop, and
    ``OutcomeUnknown``, if the context ends while a call is under way.
    """

    def __init__(self, caller: CallerT, thread: LoopThread) -> None:
        self._caller = caller
        self._thread = thread

    def submit(self, method: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """See ``Caller.submit``."""
        return self._thread.call(lambda: self._caller.submit(method, *arguments, **named))

    def read(self, method: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """See ``Caller.read``."""
        return self._thread.call(lambda: self._caller.read(method, *arguments, **named))

    @property
    def token(self) -> Slot:
        """See ``Caller.token``."""
        return self._caller.token

    def within(self, timeout: float) -> Self:
        """See ``Caller.within``."""
        return self._around(self._caller.within(timeout))

    def reading(self, consistency: Consistency) -> Self:
        """See ``Caller.reading``."""
        return self._around(self._caller.reading(consistency))

    @contextmanager
    def session(self, ttl: float = DEFAULT_TTL_S) -> Iterator[Self]:
        """See ``Caller.session``."""
        with self._thread.entered(lambda: self._caller.session(ttl)) as caller:
            yield self._around(caller)

    def watch(
        self, machine: type[StateMachine], topic: str, event: type[E], *, since: int | None = None
    ) -> Iterator[Observed[E]]:
        """See ``Caller.watch``.  Each step waits for the next event."""
        feed = self._caller.watch(machine, topic, event, since=since)
        try:
            while True:
                try:
                    yield self._thread.call(feed.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            if self._thread.is_open:
                self._thread.call(feed.aclose)

    def _around(self, caller: CallerT) -> Self:
        other = copy(self)
        other._caller = caller
        return other

    def _ask(self, question: Callable[[], T]) -> T:
        """What ``question``, asked where the member runs, returns."""

        async def ask() -> T:
            return question()

        return self._thread.call(ask)


class BlockingMember(BlockingCaller[Member]):
    """One running member, and the whole cluster through it.  Made by ``paxon.sync.open``."""

    @property
    def name(self) -> str:
        """See ``Member.name``."""
        return self.status().member

    @property
    def is_leader(self) -> bool:
        """See ``Member.is_leader``."""
        return self._ask(lambda: self._caller.is_leader)

    def status(self) -> MemberStatus:
        """See ``Member.status``."""
        return self._ask(self._caller.status)

    def statistics(self) -> MemberStatistics:
        """See ``Member.statistics``."""
        return self._ask(self._caller.statistics)

    def wait_leader(self) -> str:
        """See ``Member.wait_leader``."""
        return self._thread.call(self._caller.wait_leader)

    def wait_failed(self) -> Exception:
        """See ``Member.wait_failed``.  For a thread that does nothing else."""
        return self._thread.call(self._caller.wait_failed)


class BlockingClient(BlockingCaller[OutsideClient]):
    """A cluster from outside.  Made by ``paxon.sync.connect``."""

    @property
    def endpoint(self) -> str:
        """See ``OutsideClient.endpoint``."""
        return self._caller.endpoint

    def statistics(self) -> ClientStatistics:
        """See ``OutsideClient.statistics``."""
        return self._ask(self._caller.statistics)


@contextmanager
def open_blocking(
    *machines: type[StateMachine],
    node: str,
    data: str | Path,
    cluster: Cluster,
    parts: Mapping[str, type[StateMachine]] | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> Iterator[BlockingMember]:
    """Run one member of a cluster in this process, on an event loop in a thread of its own.

        with paxon.sync.open(Inventory, node="n1", data="./n1", cluster="cluster.toml") as member:
            member.submit(Inventory.supply, "sku-1", 5)

    Everything is as in ``paxon.open``, without ``await``.  Leaving the context, by an exception and by
    Ctrl-C too, stops the member in good order.

    Raises:
        RuntimeError: this thread runs an event loop: use ``paxon.open`` there.
        ConfigurationError, ContractError, LedgerError: see ``paxon.open``.
    """

    def opened() -> AbstractAsyncContextManager[Member]:
        return open_member(*machines, node=node, data=data, cluster=cluster, parts=parts, timeout=timeout)

    with LoopThread() as thread, thread.entered(opened) as member:
        yield BlockingMember(member, thread)


@contextmanager
def connect_blocking(
    endpoints: str | Iterable[str],
    *machines: type[StateMachine],
    parts: Mapping[str, type[StateMachine]] | None = None,
    tls: TlsFiles | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> Iterator[BlockingClient]:
    """Use a cluster from outside, on an event loop in a thread of its own.

        with paxon.sync.connect("one.example:7400,two.example:7400", Inventory) as client:
            left = client.read(Inventory.left, "sku-1")

    Everything is as in ``paxon.connect``, without ``await``.

    Raises:
        RuntimeError: this thread runs an event loop: use ``paxon.connect`` there.
        Unreachable, ConfigurationError, ContractError, BadRequest: see ``paxon.connect``.
    """

    def opened() -> AbstractAsyncContextManager[OutsideClient]:
        return connect_async(endpoints, *machines, parts=parts, tls=tls, timeout=timeout)

    with LoopThread() as thread, thread.entered(opened) as client:
        yield BlockingClient(client, thread)
