"""Locks that many readers or one writer hold.

Knows: the two ways to hold one.  Does not know: what is read or written.
"""

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.seats import Seating
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.rwlocks import RWLocks
from paxon.collections.seats import Grant, Place, Seat


class RWLock:
    """A lock for readers and writers.  Made by ``Caller.rwlock``."""

    def __init__(self, calls: Calls, name: str, rule: HoldingRule, limit_s: float, value: str) -> None:
        self.name = name
        self._calls = calls
        self._rule = rule
        self._limit_s = limit_s
        self._value = value

    def read(self) -> "ReadOrWrite":
        """Hold it beside other readers: ``async with member.rwlock("index").read():``."""
        return ReadOrWrite(self._calls, self.name, self._rule, self._limit_s, self._value, write=False)

    def write(self) -> "ReadOrWrite":
        """Hold it alone."""
        return ReadOrWrite(self._calls, self.name, self._rule, self._limit_s, self._value, write=True)

    async def holders(self) -> tuple[Seat, ...]:
        """Who has the lock, in the order of their grants."""
        return await self._calls.read(RWLocks.holders, self.name)

    async def waiting(self) -> tuple[Seat, ...]:
        """Who waits for it, the next one first."""
        return await self._calls.read(RWLocks.contenders, self.name)


class ReadOrWrite(Seating):
    """One way to hold a lock for readers and writers."""

    machine = RWLocks

    def __init__(self, calls: Calls, name: str, rule: HoldingRule, limit_s: float, value: str, *, write: bool) -> None:
        super().__init__(calls, name, rule, limit_s)
        self._value = value
        self._write = write

    async def _seek(self, calls: Calls, seeker: bytes) -> Grant | Place | None:
        return await calls.submit(RWLocks.seek, self.name, seeker, self._rule.ttl_ms, True, self._write, self._value)
