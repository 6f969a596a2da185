"""Values by key, in maps by name.

Knows: keys, values and their versions.  Does not know: what they mean.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from paxon.collections.refusals import Changed, LimitReached
from paxon.collections.tables import Table, find, page, put_in, take_out
from paxon.collections.values import ENTRIES_MAX, KEYS_MAX, Key, Name, PageSize, Value
from paxon.rsm.contract import Context, StateMachine, command, query

ABSENT = 0
"""The version of a key that is not there."""

Version: TypeAlias = Annotated[int, Meta(ge=ABSENT)]


class Entry(Struct, frozen=True):
    """What a key has.  ``version`` is greater than that of every entry before, whatever the map and the key."""

    value: Value
    version: Version


class Put(Struct, frozen=True, tag="put"):
    """The key has this value from here on."""

    name: Name
    key: Key
    value: Value
    version: Version


class Deleted(Struct, frozen=True, tag="deleted"):
    """The key is gone."""

    name: Name
    key: Key


class Cleared(Struct, frozen=True, tag="cleared"):
    """All keys of the map are gone."""

    name: Name


MapEvent: TypeAlias = Put | Deleted | Cleared


class Maps(StateMachine):
    """Maps by name.  Events are ``MapEvent`` under ``map/NAME``.

    * Versions only grow, and none is given twice: a key that is deleted and put again does not look unchanged.
    * ``count`` is the number of all keys.
    """

    def __init__(self) -> None:
        self.maps: Table[str, Entry] = {}
        self.count = 0
        self.last_version = ABSENT

    @command
    def put(self, ctx: Context, name: Name, key: Key, value: Value) -> int:
        """Give the key this value; its version from here on.

        Raises:
            LimitReached: if the map, or all together, have too many keys.
        """
        if find(self.maps, name, key) is None:
            self._demand_room(name)
            self.count += 1
        self.last_version += 1
        put_in(self.maps, name, key, Entry(value, self.last_version))
        self._tell(ctx, Put(name, key, value, self.last_version))
        return self.last_version

    @command
    def compare_and_put(self, ctx: Context, name: Name, key: Key, value: Value, version: Version) -> int:
        """Give the key this value if it has this version, ``ABSENT`` if it is not there; its version from here on.

        Raises:
            Changed: if it has another version, with that one.
            LimitReached: if the map, or all together, have too many keys.
        """
        self._demand(name, key, version)
        return self.put(ctx, name, key, value)

    @command
    def delete(self, ctx: Context, name: Name, key: Key) -> Entry | None:
        """Have the key no more; what it had."""
        if find(self.maps, name, key) is None:
            return None
        self.count -= 1
        self._tell(ctx, Deleted(name, key))
        return take_out(self.maps, name, key)

    @command
    def compare_and_delete(self, ctx: Context, name: Name, key: Key, version: Version) -> Entry | None:
        """Have the key no more if it has this version; what it had.

        Raises:
            Changed: if it has another version, with that one.
        """
        self._demand(name, key, version)
        return self.delete(ctx, name, key)

    @command
    def clear(self, ctx: Context, name: Name) -> int:
        """Have none of the map's keys any more; how many they were."""
        if name not in self.maps:
            return 0
        removed = len(self.maps.pop(name))
        self.count -= removed
        self._tell(ctx, Cleared(name))
        return removed

    @query
    def get(self, name: Name, key: Key) -> Entry | None:
        """What the key has, if it is there."""
        return find(self.maps, name, key)

    @query
    def size(self, name: Name) -> int:
        """How many keys the map has."""
        return len(self.maps.get(name, ()))

    @query
    def items(self, name: Name, after: Key | None = None, limit: PageSize = 100) -> tuple[tuple[str, Entry], ...]:
        """Keys beyond ``after`` with what they have, in the order of the keys.  A short page is the last."""
        entries = self.maps.get(name, {})
        return tuple((key, entries[key]) for key in page(entries, after, limit))

    def _demand(self, name: str, key: str, version: int) -> None:
        entry = find(self.maps, name, key)
        found = ABSENT if entry is None else entry.version
        if found != version:
            raise Changed(f"the version of {key!r} in {name!r}", found)

    def _demand_room(self, name: str) -> None:
        if self.size(name) >= KEYS_MAX:
            raise LimitReached(f"the map {name!r} has {KEYS_MAX} keys: delete some, or begin another map")
        if self.count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} keys are in all maps together: delete some, or clear a map")

    def _tell(self, ctx: Context, event: MapEvent) -> None:
        ctx.emit(f"map/{event.name}", event)
