"""Locks: one holder at a time.

Knows: that a lock is an office in ``Terms``.  Does not know: what it protects.
"""

from typing import Final

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.seats import Seating
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.seats import Grant, Place, Seat
from paxon.collections.terms import Terms

LOCK: Final = "lock/"
"""The offices of locks begin like this, so that a lock and an election of one name do not meet."""


class Office(Seating):
    """An office in ``Terms``: what locks and elections hold."""

    machine = Terms

    def __init__(
        self, calls: Calls, name: str, office: str, rule: HoldingRule, limit_s: float, value: str = ""
    ) -> None:
        super().__init__(calls, name, rule, limit_s)
        self._office = office
        self._value = value

    @property
    def _seat_name(self) -> str:
        return self._office

    async def _seek(self, calls: Calls, seeker: bytes) -> Grant | Place | None:
        return await calls.submit(Terms.seek, self._office, seeker, self._rule.ttl_ms, True, self._value)


class Lock(Office):
    """A lock.  Made by ``Caller.lock``."""

    def __init__(self, calls: Calls, name: str, rule: HoldingRule, limit_s: float, value: str) -> None:
        super().__init__(calls, name, LOCK + name, rule, limit_s, value)

    async def holder(self) -> Seat | None:
        """Who has the lock; its ``value`` is the text that was given to ``lock``."""
        return await self._calls.read(Terms.holder, self._office)

    async def waiting(self) -> tuple[Seat, ...]:
        """Who waits for it, the next one first."""
        return await self._calls.read(Terms.contenders, self._office)
