"""Semaphores: up to so many holders at a time.

Knows: that a permit is a seat in ``Semaphores``.  Does not know: what it permits.
"""

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.seats import Seating
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.seats import Grant, Place, Seat
from paxon.collections.semaphores import Semaphores


class Semaphore(Seating):
    """A semaphore.  Made by ``Caller.semaphore``."""

    machine = Semaphores

    def __init__(self, calls: Calls, name: str, limit: int, rule: HoldingRule, limit_s: float, value: str) -> None:
        super().__init__(calls, name, rule, limit_s)
        self.limit = limit
        self._value = value

    async def holders(self) -> tuple[Seat, ...]:
        """Who has a permit, in the order of their grants."""
        return await self._calls.read(Semaphores.holders, self.name)

    async def waiting(self) -> tuple[Seat, ...]:
        """Who waits for one, the next one first."""
        return await self._calls.read(Semaphores.contenders, self.name)

    async def _seek(self, calls: Calls, seeker: bytes) -> Grant | Place | None:
        return await calls.submit(Semaphores.seek, self.name, seeker, self._rule.ttl_ms, True, self.limit, self._value)
