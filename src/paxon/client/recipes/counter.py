"""Counters by name, as objects.

Knows: how a counter's name goes with each call.  Does not know: what is counted.
"""

from collections.abc import AsyncIterator

from paxon.client.observed import Observed
from paxon.client.recipes.calls import Calls
from paxon.collections.counters import Counted, Counters


class Counter:
    """A whole number, 0 until somebody changes it.  Made by ``Caller.counter``."""

    def __init__(self, calls: Calls, name: str) -> None:
        self.name = name
        self._calls = calls

    async def add(self, amount: int = 1) -> int:
        """Add to it, or take off it; its new value.

        Raises:
            OutOfRange: if that would be beyond what a counter holds.
        """
        return await self._calls.submit(Counters.add, self.name, amount)

    async def set(self, value: int) -> int:
        """Give it this value; what it was before."""
        return await self._calls.submit(Counters.set, self.name, value)

    async def compare_and_set(self, expected: int, value: int) -> None:
        """Give it this value if it has the expected one.

        Raises:
            Changed: if it has another, with that one.
        """
        await self._calls.submit(Counters.compare_and_set, self.name, expected, value)

    async def get(self) -> int:
        """Its value."""
        return await self._calls.read(Counters.get, self.name)

    def watch(self, *, since: int | None = None) -> AsyncIterator[Observed[Counted]]:
        """Every value that it is given, as ``Caller.watch`` has it."""
        return self._calls.watch(Counters, f"counter/{self.name}", Counted, since=since)
