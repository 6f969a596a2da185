"""A set that notes its changes, and has an order.

Knows: its elements and a journal.  Does not know: whose state it is.
"""

from collections.abc import Iterable, Iterator, MutableSet
from functools import partial
from typing import Any, SupportsIndex, TypeVar

from paxon.rsm.immutable import immutable
from paxon.rsm.journal import Journal

T = TypeVar("T")

Streams = tuple[Iterator[Any], ...]
"""What a container holds, in its order: its values, or its keys and its values, to be read in step."""


class TrackedSet(MutableSet[T]):
    """A set whose changes are noted, and whose order is that of entering.

    The order of a plain set of text differs from process to process: a state machine that
    takes "some" element of it parts its members.
    """

    __slots__ = ("_items", "journal", "place")

    def __init__(self, journal: Journal, items: Iterable[T] = ()) -> None:
        self.journal = journal
        self.place = journal.place
        self._items: dict[T, None] = {immutable(item): None for item in items}

    @classmethod
    def _from_iterable(cls, it: Iterable[T]) -> "set[T]":  # type: ignore[override]
        return set(it)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"TrackedSet({list(self._items)})"

    def add(self, value: T) -> None:
        """See ``set``."""
        if value not in self._items:
            self.journal.change(self, partial(self._items.__delitem__, immutable(value)))
            self._items[value] = None

    def discard(self, value: T) -> None:
        """See ``set``."""
        if value in self._items:
            self.journal.change(self, partial(self._items.__setitem__, value, None))
            del self._items[value]

    def pop(self) -> T:
        """Remove and return the element that has been here for longest.

        Raises:
            KeyError: if there is none.
        """
        for item in self._items:
            self.discard(item)
            return item
        raise KeyError("pop from an empty set")

    def clear(self) -> None:
        """See ``set``."""
        if self._items:
            self.journal.change(self, partial(self._items.update, dict(self._items)))
            self._items.clear()

    def update(self, *others: Iterable[T]) -> None:
        """See ``set``."""
        for other in others:
            for item in list(other):
                self.add(item)

    def difference_update(self, *others: Iterable[T]) -> None:
        """See ``set``."""
        for other in others:
            for item in list(other):
                self.discard(item)

    def issubset(self, other: Iterable[T]) -> bool:
        """See ``set``."""
        return set(self._items) <= set(other)

    def issuperset(self, other: Iterable[T]) -> bool:
        """See ``set``."""
        return all(item in self._items for item in other)

    def union(self, *others: Iterable[T]) -> set[T]:
        """See ``set``."""
        return set(self._items).union(*others)

    def intersection(self, *others: Iterable[T]) -> set[T]:
        """See ``set``."""
        return set(self._items).intersection(*others)

    def difference(self, *others: Iterable[T]) -> set[T]:
        """See ``set``."""
        return set(self._items).difference(*others)

    def copy(self) -> set[T]:
        """A plain set with the same elements."""
        return set(self._items)

    __copy__ = copy

    def plain(self) -> set[T]:
        """The same elements in a plain set."""
        return set(self._items)

    def streams(self) -> Streams:
        """See ``Streams``."""
        return (iter(self._items),)

    def fill(self, values: Iterable[T]) -> None:
        """Add ``values``, which are immutable, unseen by the journal: for a set that is being made."""
        self._items.update(dict.fromkeys(values))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return set, (list(self._items),)
