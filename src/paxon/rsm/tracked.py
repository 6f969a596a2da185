"""Plain data that can take back what a command did to it.

Knows: containers, and how to undo their changes.  Does not know: commands, or why one failed.

Theory of operation.  A command that raises must leave no trace, on every member alike, and most
commands that raise do so because of what a client sent: it must be cheap.  Copying the state
before each command costs as much as the state is large; building it again from a snapshot costs
more.  So the containers of a state machine write into a journal how to undo each change.  The
journal is emptied after a command that went well, and played backwards after one that did not.

Whatever is put into a tracked container, or assigned to an attribute of a state machine, is
tracked from there on: a plain ``dict`` becomes a ``TrackedDict`` with the same contents, to any
depth.  It is a copy: later changes of the plain object do not reach the state.  What is neither
such a container nor immutable is refused, because nobody would notice when it changes.

``TrackedDict`` is a ``dict``.  ``TrackedList`` is no ``list`` and ``TrackedSet`` no ``set``, because
functions written in C, such as those of ``heapq``, change these without asking anybody.
"""

from collections import UserList
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, SupportsIndex, TypeVar

from paxon.rsm.immutable import SCALARS, immutable, require_shallow
from paxon.rsm.journal import Journal
from paxon.rsm.tracked_set import Streams, TrackedSet

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Final = object()
_set: Final[Callable[[dict[Any, Any], Any, Any], None]] = dict.__setitem__
_delete: Final[Callable[[dict[Any, Any], Any], None]] = dict.__delitem__


class TrackedDict(dict[K, V]):
    """A dictionary whose changes are noted."""

    __slots__ = ("journal", "place")

    def __init__(self, journal: Journal, items: Mapping[K, V]) -> None:
        self.journal = journal
        self.place = journal.place
        for key, value in items.items():
            super().__setitem__(immutable(key), tracked(value, journal))

    def __setitem__(self, key: K, value: V) -> None:
        journal = self.journal
        if type(value) not in SCALARS:
            value = tracked(value, journal)
        before = self.get(key, _ABSENT)
        if before is _ABSENT:
            journal.change(self, partial(_delete, self, immutable(key)))
        else:
            journal.change(self, partial(_set, self, key, before))
        _set(self, key, value)

    def __delitem__(self, key: K) -> None:
        self.journal.change(self, partial(_set, self, key, self[key]))
        super().__delitem__(key)

    def __ior__(self, other: Any) -> "TrackedDict[K, V]":  # type: ignore[override, misc]
        self.update(other)
        return self

    def pop(self, key: K, default: Any = _ABSENT) -> Any:
        """See ``dict``."""
        if key not in self and default is not _ABSENT:
            return default
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[K, V]:
        """See ``dict``."""
        for key in reversed(self):
            return key, self.pop(key)
        raise KeyError("popitem(): dictionary is empty")

    def clear(self) -> None:
        """See ``dict``."""
        if self:
            self.journal.change(self, partial(dict.update, self, dict(self)))
            super().clear()

    def setdefault(self, key: K, default: Any = None) -> Any:
        """See ``dict``."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *others: Any, **more: Any) -> None:
        """See ``dict``."""
        for key, value in dict(*others, **more).items():
            self[key] = value

    def copy(self) -> dict[K, V]:
        """A plain dictionary with the same items."""
        return dict(self)

    def plain(self) -> dict[K, Any]:
        """The same contents without tracking, to any depth."""
        return {key: plain(value) for key, value in self.items()}

    def streams(self) -> Streams:
        """See ``Streams``."""
        return iter(self), iter(self.values())

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # What is copied leaves the state.
        return dict, (dict(self),)


class TrackedList(UserList[V]):
    """A list whose changes are noted."""

    def __init__(self, journal: Journal, items: Iterable[V] = ()) -> None:
        self.journal = journal
        self.place = journal.place
        self.data = [tracked(item, journal) for item in items]

    def _note_whole(self) -> None:
        """Note all items, for changes that cost as much as that anyway."""
        self.journal.change(self, partial(self.data.__setitem__, slice(None), list(self.data)))

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            items = [tracked(item, self.journal) for item in value]
            self._note_whole()
            self.data[index] = items
            return
        value = tracked(value, self.journal)
        self.journal.change(self, partial(self.data.__setitem__, index, self.data[index]))
        self.data[index] = value

    def __delitem__(self, index: Any) -> None:
        if isinstance(index, slice):
            self._note_whole()
            del self.data[index]
        else:
            self.pop(index)

    def append(self, item: V) -> None:
        """See ``list``."""
        item = tracked(item, self.journal)
        self.journal.change(self, self.data.pop)
        self.data.append(item)

    def insert(self, i: int, item: V) -> None:
        """See ``list``."""
        item = tracked(item, self.journal)
        self._note_whole()
        self.data.insert(i, item)

    def pop(self, i: SupportsIndex = -1) -> V:
        """See ``list``."""
        at = i.__index__()
        if at in (-1, len(self.data) - 1):
            self.journal.change(self, partial(self.data.append, self.data[at]))
        else:
            self._note_whole()
        return self.data.pop(at)

    def remove(self, item: V) -> None:
        """See ``list``."""
        self.pop(self.data.index(item))

    def clear(self) -> None:
        """See ``list``."""
        self._note_whole()
        self.data.clear()

    def reverse(self) -> None:
        """See ``list``."""
        self._note_whole()
        self.data.reverse()

    def sort(self, /, *args: Any, **kwds: Any) -> None:
        """See ``list``."""
        self._note_whole()
        self.data.sort(*args, **kwds)

    def extend(self, other: Iterable[V]) -> None:
        """See ``list``."""
        for item in list(other):
            self.append(item)

    def __iadd__(self, other: Iterable[V]) -> "TrackedList[V]":
        self.extend(other)
        return self

    def __imul__(self, n: int) -> "TrackedList[V]":
        self._note_whole()
        self.data *= n
        return self

    def __add__(self, other: Iterable[V]) -> list[V]:  # type: ignore[override]
        return [*self.data, *other]

    def __radd__(self, other: Iterable[V]) -> list[V]:  # type: ignore[override]
        return [*other, *self.data]

    def __mul__(self, n: int) -> list[V]:  # type: ignore[override]
        return self.data * n

    __rmul__ = __mul__  # type: ignore[assignment]

    def copy(self) -> list[V]:  # type: ignore[override]
        """A plain list with the same items."""
        return list(self.data)

    __copy__ = copy  # type: ignore[assignment]

    def plain(self) -> list[Any]:
        """The same contents without tracking, to any depth."""
        return [plain(item) for item in self.data]

    def streams(self) -> Streams:
        """See ``Streams``."""
        return (iter(self.data),)

    def fill(self, values: Iterable[V]) -> None:
        """Append ``values``, which are such as a state holds, unseen by the journal: for a list that is being made."""
        self.data.extend(values)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return list, (self.data,)


CONTAINERS: Final = (TrackedDict, TrackedList, TrackedSet)


def tracked(value: Any, journal: Journal, depth: int = 0) -> Any:
    """``value`` as a state may hold it: containers tracked, everything else immutable.

    Raises:
        TypeError: if it could change without the journal's knowing, or a snapshot could not hold it.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is dict:
        return TrackedDict(journal, value)
    if kind is list:
        return TrackedList(journal, value)
    if kind is set:
        return TrackedSet(journal, value)
    if kind is tuple:
        require_shallow(depth)
        return tuple([tracked(item, journal, depth + 1) for item in value])
    if isinstance(value, CONTAINERS):
        # Held twice within one state it stays one.  One of another state notes its changes elsewhere: a copy of it.
        return value if value.journal is journal else tracked(value.plain(), journal)
    return immutable(value)


def plain(value: Any) -> Any:
    """``value`` without tracking, to any depth."""
    if type(value) in SCALARS:
        return value
    if isinstance(value, CONTAINERS):
        return value.plain()
    if type(value) is tuple:
        return tuple(plain(item) for item in value)
    return value
