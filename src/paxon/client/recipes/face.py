"""The recipes as methods: what ``Caller`` offers beside commands and queries.

Knows: each recipe's choices and their defaults.  Does not know: how a recipe works.
"""

import functools
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from paxon.client.recipes.barrier import Barrier
from paxon.client.recipes.calls import Calls
from paxon.client.recipes.counter import Counter
from paxon.client.recipes.election import ELECTION, ONCE, Election
from paxon.client.recipes.lock import Lock
from paxon.client.recipes.map import Map
from paxon.client.recipes.party import Party
from paxon.client.recipes.rate_limiter import RateLimiter
from paxon.client.recipes.rwlock import RWLock
from paxon.client.recipes.seats import Hold
from paxon.client.recipes.semaphore import Semaphore
from paxon.client.recipes.set import Set
from paxon.client.recipes.work import PriorityQueue, Queue
from paxon.collections.holding_rule import DEFAULT_CLOCK_ERROR_S, HoldingRule

R = TypeVar("R")

DEFAULT_TTL_S: Final = 10.0
"""How long after its holder's death something is free again.  Shorter, and a process that pauses loses it."""


class Recipes(Calls):
    """Locks, elections and the like.  docs/recipes.md says what each one promises.

    What they have in common: ``ttl`` is for how many seconds something is held after its holder was last heard of, and
    ``clock_error`` the bound in seconds on how far the wall clocks of two members may differ; the holder counts on its
    grant for that much less.  ``timeout`` is how many seconds to wait; ``math.inf`` is for ever, and ``None`` the time
    limit of a call.  ``value`` is text that others see beside the holder, such as an address.
    """

    def lock(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        value: str = "",
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> Lock:
        """One holder at a time.

            async with member.lock("nightly") as hold:
                await database.write(report, fence=hold.token)

        The block is entered only with the lock, or ``NotGranted`` is raised.  When the lock is lost, or can no longer
        be known to be held, the block is cancelled and raises ``LockLost``.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return Lock(self, name, HoldingRule(ttl, clock_error), self._limit_s(timeout), value)

    def rwlock(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        value: str = "",
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> RWLock:
        """Many readers or one writer: ``read()`` and ``write()`` are held as a ``lock`` is.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return RWLock(self, name, HoldingRule(ttl, clock_error), self._limit_s(timeout), value)

    def semaphore(
        self,
        name: str,
        limit: int,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        value: str = "",
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> Semaphore:
        """Up to ``limit`` holders at a time, each as of a ``lock``.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return Semaphore(self, name, limit, HoldingRule(ttl, clock_error), self._limit_s(timeout), value)

    def election(
        self,
        name: str,
        *,
        value: str = "",
        ttl: float = DEFAULT_TTL_S,
        timeout: float = math.inf,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> Election:
        """One leader at a time, and everybody can see who: ``campaign()``, ``run(work)``, ``leader()``, ``observe()``.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return Election(self, name, ELECTION + name, HoldingRule(ttl, clock_error), timeout, value)

    async def run_once(
        self,
        name: str,
        work: Callable[[Hold], Awaitable[R]],
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float = math.inf,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> R:
        """Run ``work`` in one process at a time of all that ask for this name, and return what it returned here.

            await member.run_once("scheduler", run_scheduler)

        The others wait.  When the process dies, or ``work`` ends in any way, the next one runs it.  When the seat is
        lost, ``work`` is cancelled, and begun again when it is this process's turn again.  What ``work`` raises is
        raised here, and not tried again.

        Raises:
            NotGranted: it was not this process's turn in time.
            BadRequest: if the ttl is too short for the clocks.
        """
        election = Election(self, name, ONCE + name, HoldingRule(ttl, clock_error), timeout, "")
        return await election.run(work)

    def singleton(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float = math.inf,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> Callable[[Callable[[Hold], Awaitable[R]]], Callable[[], Coroutine[Any, Any, R]]]:
        """Make ``run_once`` out of a coroutine function.

        @member.singleton("scheduler")
        async def scheduler(hold: paxon.Hold) -> None: ...

        await scheduler()

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        HoldingRule(ttl, clock_error)

        def decorate(work: Callable[[Hold], Awaitable[R]]) -> Callable[[], Coroutine[Any, Any, R]]:
            @functools.wraps(work)
            async def run() -> R:
                return await self.run_once(name, work, ttl=ttl, timeout=timeout, clock_error=clock_error)

            return run

        return decorate

    def queue(self, name: str) -> Queue:
        """Work, first in, first out: ``put(item)``, and ``async with queue.claim() as item``."""
        return Queue(self, name)

    def priority_queue(self, name: str) -> PriorityQueue:
        """Work, the lowest priority first, and first in, first out within one."""
        return PriorityQueue(self, name)

    def barrier(
        self,
        name: str,
        parties: int,
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> Barrier:
        """``parties`` processes wait for each other: ``await barrier.wait()``, again and again.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return Barrier(self, name, parties, HoldingRule(ttl, clock_error), self._limit_s(timeout))

    def party(self, name: str, *, ttl: float = DEFAULT_TTL_S, clock_error: float = DEFAULT_CLOCK_ERROR_S) -> Party:
        """Who is there: ``join(value)``, ``members()``, ``watch()``.

        Raises:
            BadRequest: if the ttl is too short for the clocks.
        """
        return Party(self, name, HoldingRule(ttl, clock_error))

    def rate_limiter(
        self, name: str, rate: int, burst: int, *, per: float = 1.0, timeout: float | None = None
    ) -> RateLimiter:
        """``rate`` in every ``per`` seconds, and up to ``burst`` at once after a rest: ``await limiter.take()``."""
        return RateLimiter(self, name, rate, burst, round(per * 1000), self._limit_s(timeout))

    def counter(self, name: str) -> Counter:
        """A whole number that all share."""
        return Counter(self, name)

    def map(self, name: str) -> Map:
        """Values by key that all share."""
        return Map(self, name)

    def set(self, name: str) -> Set:
        """A set of text that all share."""
        return Set(self, name)

    def _limit_s(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else timeout
