"""Maps by name, as objects.

Knows: how a map's name goes with each call, and pages.  Does not know: what keys and values mean.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from paxon.client.observed import Observed
from paxon.client.recipes.calls import Calls
from paxon.collections.maps import Entry, MapEvent, Maps
from paxon.collections.values import PAGE_MAX, Value

MAP_EVENT: Any = MapEvent
"""A type checker takes a union for no type."""

PAGE: Final = PAGE_MAX
"""Keys that are asked for at a time."""


class Map:
    """Values by key.  Made by ``Caller.map``."""

    def __init__(self, calls: Calls, name: str) -> None:
        self.name = name
        self._calls = calls

    async def put(self, key: str, value: Value) -> int:
        """Give the key this value; its version from here on.

        Raises:
            LimitReached: if the map, or all together, have too many keys.
        """
        return await self._calls.submit(Maps.put, self.name, key, value)

    async def compare_and_put(self, key: str, value: Value, version: int) -> int:
        """Give the key this value if it has this version, 0 if it is not there; its version from here on.

        Raises:
            Changed: if it has another version, with that one.
            LimitReached: if the map, or all together, have too many keys.
        """
        return await self._calls.submit(Maps.compare_and_put, self.name, key, value, version)

    async def delete(self, key: str) -> Entry | None:
        """Have the key no more; what it had."""
        return await self._calls.submit(Maps.delete, self.name, key)

    async def compare_and_delete(self, key: str, version: int) -> Entry | None:
        """Have the key no more if it has this version; what it had.

        Raises:
            Changed: if it has another version, with that one.
        """
        return await self._calls.submit(Maps.compare_and_delete, self.name, key, version)

    async def clear(self) -> int:
        """Have no key any more; how many there were."""
        return await self._calls.submit(Maps.clear, self.name)

    async def get(self, key: str) -> Entry | None:
        """What the key has, value and version, if it is there."""
        return await self._calls.read(Maps.get, self.name, key)

    async def size(self) -> int:
        """How many keys there are."""
        return await self._calls.read(Maps.size, self.name)

    async def items(self) -> AsyncIterator[tuple[str, Entry]]:
        """All keys with what they have, in the order of the keys.

        They come page by page: a key that is there all the while is met exactly once, whatever changes in between.
        """
        after: str | None = None
        while True:
            page = await self._calls.read(Maps.items, self.name, after, PAGE)
            for key, entry in page:
                yield key, entry
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def watch(self, *, since: int | None = None) -> AsyncIterator[Observed[MapEvent]]:
        """Every change, as ``Caller.watch`` has it: ``Put``, ``Deleted``, ``Cleared``."""
        return self._calls.watch(Maps, f"map/{self.name}", MAP_EVENT, since=since)
