"""Sets of text by name.

Knows: elements.  Does not know: what they mean.
"""

from typing import TypeAlias

from msgspec import Struct

from paxon.collections.refusals import LimitReached
from paxon.collections.tables import page
from paxon.collections.values import ENTRIES_MAX, KEYS_MAX, Key, Name, PageSize
from paxon.rsm.contract import Context, StateMachine, command, query


class Added(Struct, frozen=True, tag="added"):
    """The element is in the set from here on."""

    name: Name
    element: Key


class Discarded(Struct, frozen=True, tag="discarded"):
    """The element is in the set no more."""

    name: Name
    element: Key


SetEvent: TypeAlias = Added | Discarded


class Sets(StateMachine):
    """Sets by name.  Events are ``SetEvent`` under ``set/NAME``.

    Elements are text, which has an order for their pages to come in.

    * ``count`` is the number of all elements; a set without any leaves no trace.
    """

    def __init__(self) -> None:
        self.sets: dict[str, set[str]] = {}
        self.count = 0

    @command
    def add(self, ctx: Context, name: Name, element: Key) -> bool:
        """Have the element in the set; whether it was not there before.

        Raises:
            LimitReached: if the set, or all together, have too many elements.
        """
        if self.contains(name, element):
            return False
        if self.size(name) >= KEYS_MAX:
            raise LimitReached(f"the set {name!r} has {KEYS_MAX} elements: discard some, or begin another set")
        if self.count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} elements are in all sets together: discard some")
        self.count += 1
        self.sets.setdefault(name, set()).add(element)
        self._tell(ctx, Added(name, element))
        return True

    @command
    def discard(self, ctx: Context, name: Name, element: Key) -> bool:
        """Have the element in the set no more; whether it was there."""
        if not self.contains(name, element):
            return False
        self.count -= 1
        elements = self.sets[name]
        elements.discard(element)
        if not elements:
            del self.sets[name]
        self._tell(ctx, Discarded(name, element))
        return True

    @query
    def contains(self, name: Name, element: Key) -> bool:
        """Whether the element is in the set."""
        return element in self.sets.get(name, ())

    @query
    def size(self, name: Name) -> int:
        """How many elements the set has."""
        return len(self.sets.get(name, ()))

    @query
    def members(self, name: Name, after: Key | None = None, limit: PageSize = 100) -> tuple[str, ...]:
        """Elements beyond ``after``, in their own order.  A short page is the last."""
        return tuple(page(self.sets.get(name, ()), after, limit))

    def _tell(self, ctx: Context, event: SetEvent) -> None:
        ctx.emit(f"set/{event.name}", event)
