"""Rate limiters: so much in so much time, for all processes together.

Knows: how to wait until there is enough.  Does not know: what is limited.
"""

import asyncio

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.patience import Patience, in_words
from paxon.collections.rate_limiters import RateLimiters, Taken, Wait
from paxon.errors import NotGranted


class RateLimiter:
    """A rate limiter.  Made by ``Caller.rate_limiter``."""

    def __init__(self, calls: Calls, name: str, rate: int, burst: int, per_ms: int, limit_s: float) -> None:
        self.name = name
        self.rate = rate
        self.burst = burst
        self._calls = calls
        self._per_ms = per_ms
        self._limit_s = limit_s

    async def take(self, amount: int = 1) -> None:
        """Take so much, and wait for it if it is not there.

        Raises:
            NotGranted: it will not be there in time; nothing was taken.
            OverBurst: it is more than the limiter ever gives at once.
            RequestError: nobody could be asked.
        """
        patience = Patience(self._limit_s)
        while isinstance(answer := await self._take(amount), Wait):
            wait_s = answer.wait_ms / 1000
            if wait_s > patience.left_s:
                raise NotGranted(
                    f"{amount} of {self.name!r} will not be there{in_words(self._limit_s)}: try again in {wait_s:g} s"
                )
            # Others may be first, and then it is asked again.
            await asyncio.sleep(wait_s)

    async def try_take(self, amount: int = 1) -> bool:
        """Take so much if it is there; whether it was.

        Raises:
            OverBurst: it is more than the limiter ever gives at once.
            RequestError: nobody could be asked.
        """
        return isinstance(await self._take(amount), Taken)

    async def _take(self, amount: int) -> Taken | Wait:
        return await self._calls.submit(RateLimiters.take, self.name, amount, self.rate, self._per_ms, self.burst)
