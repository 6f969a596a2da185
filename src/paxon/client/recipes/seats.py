"""Seats that a program holds: waiting in the queue for one, having it, and leaving it.

Knows: how a seat of ``paxon.collections.seats`` is sought, kept and given back.  Does not know: how many may hold
one together, or what for; locks, elections and semaphores say that.

Theory of operation.  Whoever waits has a place in the queue, which lapses like a grant, and seeks again in time to keep
it.  The event that tells of its grant makes it seek at once: that answer is the grant, and the time before it was
sent is what the holder counts from.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Final

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.hints import Hints, listening
from paxon.client.recipes.keeper import Keeper
from paxon.client.recipes.moments import moment_now
from paxon.client.recipes.patience import CLEANING_S_MAX, Patience, in_words, within
from paxon.collections.holding_rule import HoldingRule, Moment
from paxon.collections.seats import Grant, Granted, Left, Place, SeatEvent, Seats
from paxon.errors import LockLost, NotGranted, RequestError

IDENTITY_BYTES: Final = 16
"""Random bytes that name one attempt of one process: two never meet."""

SEAT_EVENT: Any = SeatEvent
"""A type checker takes a union for no type."""


class Hold:
    """What a program holds for as long as its block lasts.

    ``token`` is greater than that of every grant before it.  Send it along with everything that the lock protects:
    a resource that remembers the greatest token it has seen, and refuses smaller ones, is safe even from a holder that
    was stopped in the middle of a step and goes on when it is too late.
    """

    def __init__(self, name: str, token: int, keeper: Keeper) -> None:
        self.name = name
        self.token = token
        self._keeper = keeper

    @property
    def is_valid(self) -> bool:
        """Whether it is certainly held at this moment, by this process's own clock."""
        return self._keeper.is_valid

    @property
    def left(self) -> float:
        """For how many seconds it is certainly held if it is not renewed any more."""
        return self._keeper.left_s if self._keeper.is_valid else 0.0

    def check(self) -> None:
        """Return if it is certainly held at this moment: right before something that is not to happen late.

        Raises:
            GrantLost: if not.
        """
        self._keeper.check()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} token={self.token} {'valid' if self.is_valid else 'lost'}>"


class Seating(ABC):
    """One name that can be held.  ``async with`` holds it; each task that enters holds, or waits, for itself.

    It cannot be entered twice by one task without leaving in between: the task would wait for itself.
    """

    machine: type[Seats]
    """The structure that keeps the seats."""

    def __init__(self, calls: Calls, name: str, rule: HoldingRule, limit_s: float) -> None:
        """``limit_s`` is how long whoever enters waits; ``math.inf`` is for ever."""
        self.name = name
        self._calls = calls
        self._rule = rule
        self._limit_s = limit_s
        self._entered: dict[asyncio.Task[Any] | None, AbstractAsyncContextManager[Hold]] = {}

    async def __aenter__(self) -> Hold:
        """
        Raises:
            NotGranted: it was not granted in time; nothing is held.
            RequestError: the cluster refuses it; nothing is held.
        """
        task = asyncio.current_task()
        if task in self._entered:
            raise RuntimeError(f"{self.name!r} is held by this very task, which would wait for itself")
        holding = self._holding()
        hold = await holding.__aenter__()
        self._entered[task] = holding
        return hold

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """
        Raises:
            LockLost: it was lost before the block ended.
        """
        return await self._entered.pop(asyncio.current_task()).__aexit__(kind, error, trace)

    # --- what each kind of seat says ---

    @abstractmethod
    async def _seek(self, calls: Calls, seeker: bytes) -> Grant | Place | None:
        """Seek the seat, and wait for it if it is taken."""

    @property
    def _seat_name(self) -> str:
        """The name of the seat in ``machine``."""
        return self.name

    # --- holding ---

    @asynccontextmanager
    async def _holding(self) -> AsyncIterator[Hold]:
        seeker = secrets.token_bytes(IDENTITY_BYTES)
        keeper: Keeper | None = None
        try:
            token, sent = await self._wait_granted(seeker)

            async def renew(limit_s: float) -> None:
                calls = within(self._calls, limit_s)
                await calls.submit(self.machine.renew, self._seat_name, seeker, token, self._rule.ttl_ms)

            keeper = Keeper(renew, self._rule, sent, self._losing)
            async with keeper.kept():
                yield Hold(self.name, token, keeper)
        finally:
            # What is lost lapses by itself, and whoever lost it has other worries than to say so.
            if keeper is None or keeper.lost is None:
                await self._leave(seeker)

    async def _wait_granted(self, seeker: bytes) -> tuple[int, Moment]:
        """The token of a grant, and a moment before it was asked for.

        Raises:
            NotGranted: there was none in time.
            RequestError: there will be none.
        """
        patience = Patience(self._limit_s)
        granted, failure = await self._ask(seeker, patience)
        if granted is not None:
            return granted
        async with self._listening(seeker) as hints:
            while patience.left_s:
                # Asked again before the first wait too: the event may have come before anybody listened.
                granted, failure = await self._ask(seeker, patience)
                if granted is not None:
                    return granted
                if failure is None:
                    await hints.wait(patience.left_s)
        limit = in_words(self._limit_s)
        if failure is not None:
            raise NotGranted(f"{self.name!r} was not granted{limit}, for nobody could be asked: {failure}") from failure
        raise NotGranted(f"{self.name!r} was not granted{limit}: others hold it; wait longer, or try again later")

    async def _ask(self, seeker: bytes, patience: Patience) -> tuple[tuple[int, Moment] | None, RequestError | None]:
        """A token and the moment before it was asked for; or neither, and why the cluster could not be asked."""
        sent = moment_now()
        try:
            answer = await self._seek(within(self._calls, patience.attempt_s()), seeker)
        except RequestError as error:
            await patience.pause(error)
            return None, error
        # A grant is not prolonged beyond what an earlier one promised, and never less than asked for just now.
        return ((answer.token, sent) if isinstance(answer, Grant) else None), None

    def _listening(self, seeker: bytes) -> AbstractAsyncContextManager[Hints]:
        def is_news(event: SeatEvent) -> bool:
            # A place that lapsed, as after a pause, is sought again at once too.
            return isinstance(event, Granted | Left) and event.seeker == seeker

        topic = f"{self.machine.TOPIC}/{self._seat_name}"
        # Whoever waits asks at least this often, which is also what keeps its place in the queue.
        return listening(self._calls, self.machine, topic, SEAT_EVENT, is_news, self._rule.pause_s)

    async def _leave(self, seeker: bytes) -> None:
        """Give up what there may be.  If nobody can be told, it lapses."""
        with suppress(RequestError):
            calls = within(self._calls, min(CLEANING_S_MAX, self._rule.ttl_s))
            await calls.submit(self.machine.withdraw, self._seat_name, seeker)

    def _losing(self, why: str) -> LockLost:
        return LockLost(f"{self.name!r} is not held any more: {why}")
