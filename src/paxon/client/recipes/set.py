"""Sets by name, as objects.

Knows: how a set's name goes with each call, and pages.  Does not know: what elements mean.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from paxon.client.observed import Observed
from paxon.client.recipes.calls import Calls
from paxon.collections.sets import SetEvent, Sets
from paxon.collections.values import PAGE_MAX

SET_EVENT: Any = SetEvent
"""A type checker takes a union for no type."""

PAGE: Final = PAGE_MAX
"""Elements that are asked for at a time."""


class Set:
    """A set of text.  Made by ``Caller.set``."""

    def __init__(self, calls: Calls, name: str) -> None:
        self.name = name
        self._calls = calls

    async def add(self, element: str) -> bool:
        """Have the element in the set; whether it is new there.

        Raises:
            LimitReached: if the set, or all together, have too many elements.
        """
        return await self._calls.submit(Sets.add, self.name, element)

    async def discard(self, element: str) -> bool:
        """Have the element in the set no more; whether it was there."""
        return await self._calls.submit(Sets.discard, self.name, element)

    async def contains(self, element: str) -> bool:
        """Whether the element is in the set."""
        return await self._calls.read(Sets.contains, self.name, element)

    async def size(self) -> int:
        """How many there are."""
        return await self._calls.read(Sets.size, self.name)

    async def members(self) -> AsyncIterator[str]:
        """All elements in their own order.

        They come page by page: one that is there all the while is met exactly once, whatever changes in between.
        """
        after: str | None = None
        while True:
            page = await self._calls.read(Sets.members, self.name, after, PAGE)
            for element in page:
                yield element
            if len(page) < PAGE:
                return
            after = page[-1]

    def watch(self, *, since: int | None = None) -> AsyncIterator[Observed[SetEvent]]:
        """Every change, as ``Caller.watch`` has it: ``Added``, ``Discarded``."""
        return self._calls.watch(Sets, f"set/{self.name}", SET_EVENT, since=since)
