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

import dataclasses
from collections import UserList
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, MutableSet
from enum import Enum
from functools import partial
from typing import Any, Final, SupportsIndex, TypeVar, cast

import msgspec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T", bound=Hashable)

_ABSENT: Final = object()

_SCALARS: Final = frozenset({type(None), bool, int, float, complex, str, bytes})

_IMMUTABLE_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress"})
"""Of the standard library: every value that these define is immutable."""


class Journal:
    """How to take back what was changed since the last ``forget``."""

    __slots__ = ("_undos",)

    def __init__(self) -> None:
        self._undos: list[Callable[[], object]] = []

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take one change back.  ``undo`` must not note anything itself."""
        self._undos.append(undo)

    def forget(self) -> None:
        """Let what was changed stay."""
        if self._undos:
            self._undos.clear()

    def take_back(self) -> None:
        """Undo every change since the last ``forget``, the latest first.

        All contents are then as they were.  A key that was removed and is back may stand
        elsewhere in the order of its dictionary or set: at the same place on every member.
        """
        undos, self._undos = self._undos, []
        for undo in reversed(undos):
            undo()


class TrackedDict(dict[K, V]):
    """A dictionary whose changes are noted."""

    __slots__ = ("journal",)

    def __init__(self, journal: Journal, items: Mapping[K, V]) -> None:
        self.journal = journal
        for key, value in items.items():
            super().__setitem__(_key(key), tracked(value, journal))

    def __setitem__(self, key: K, value: V) -> None:
        value = tracked(value, self.journal)
        if key in self:
            self.journal.note(partial(dict.__setitem__, self, key, dict.__getitem__(self, key)))
        else:
            self.journal.note(partial(dict.__delitem__, self, _key(key)))
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        value = self[key]
        super().__delitem__(key)
        self.journal.note(partial(dict.__setitem__, self, key, value))

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
        key, value = super().popitem()
        self.journal.note(partial(dict.__setitem__, self, key, value))
        return key, value

    def clear(self) -> None:
        """See ``dict``."""
        if self:
            self.journal.note(partial(dict.update, self, dict(self)))
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

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # What is copied leaves the state.
        return dict, (dict(self),)


class TrackedList(UserList[V]):
    """A list whose changes are noted."""

    def __init__(self, journal: Journal, items: Iterable[V] = ()) -> None:
        self.journal = journal
        self.data = [tracked(item, journal) for item in items]

    def _note_whole(self) -> None:
        """Note all items, for changes that cost as much as that anyway."""
        self.journal.note(partial(self.data.__setitem__, slice(None), list(self.data)))

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            items = [tracked(item, self.journal) for item in value]
            self._note_whole()
            self.data[index] = items
            return
        value = tracked(value, self.journal)
        before = self.data[index]
        self.data[index] = value
        self.journal.note(partial(self.data.__setitem__, index, before))

    def __delitem__(self, index: Any) -> None:
        if isinstance(index, slice):
            self._note_whole()
            del self.data[index]
        else:
            self.pop(index)

    def append(self, item: V) -> None:
        """See ``list``."""
        self.data.append(tracked(item, self.journal))
        self.journal.note(self.data.pop)

    def insert(self, i: int, item: V) -> None:
        """See ``list``."""
        self._note_whole()
        self.data.insert(i, tracked(item, self.journal))

    def pop(self, i: SupportsIndex = -1) -> V:
        """See ``list``."""
        place = i.__index__()
        is_last = place in (-1, len(self.data) - 1)
        if not is_last:
            self._note_whole()
        item = self.data.pop(place)
        if is_last:
            self.journal.note(partial(self.data.append, item))
        return item

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

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return list, (self.data,)


class TrackedSet(MutableSet[T]):
    """A set whose changes are noted, and whose order is that of entering.

    The order of a plain set of text differs from process to process: a state machine that
    takes "some" element of it parts its members.
    """

    __slots__ = ("_items", "journal")

    def __init__(self, journal: Journal, items: Iterable[T] = ()) -> None:
        self.journal = journal
        self._items: dict[T, None] = {_key(item): None for item in items}

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
            self._items[_key(value)] = None
            self.journal.note(partial(self._items.__delitem__, value))

    def discard(self, value: T) -> None:
        """See ``set``."""
        if value in self._items:
            del self._items[value]
            self.journal.note(partial(self._items.__setitem__, value, None))

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
            self.journal.note(partial(self._items.update, dict(self._items)))
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

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return set, (list(self._items),)


CONTAINERS: Final = (TrackedDict, TrackedList, TrackedSet)


def tracked(value: Any, journal: Journal) -> Any:
    """``value`` as a state may hold it: containers tracked, everything else immutable.

    Raises:
        TypeError: if it could change without the journal's knowing.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return TrackedDict(journal, value)
    if kind is list:
        return TrackedList(journal, value)
    if kind is set:
        return TrackedSet(journal, value)
    if kind is tuple:
        return tuple(tracked(item, journal) for item in value)
    if isinstance(value, CONTAINERS):
        # Held twice within one state it stays one.  One of another state notes its changes elsewhere: a copy of it.
        return value if value.journal is journal else tracked(value.plain(), journal)
    _refuse_what_may_change(value)
    return value


def plain(value: Any) -> Any:
    """``value`` without tracking, to any depth."""
    if isinstance(value, CONTAINERS):
        return value.plain()
    if type(value) is tuple:
        return tuple(plain(item) for item in value)
    return value


def _key(key: K) -> K:
    """``key``, seen to be immutable: being hashable says little, since any object is unless it says otherwise."""
    if type(key) not in _SCALARS:
        _refuse_what_may_change(key)
    return key


def _refuse_what_may_change(value: object) -> None:
    kind = type(value)
    if kind in _SCALARS or isinstance(value, Enum) or kind.__module__ in _IMMUTABLE_MODULES:
        return
    if isinstance(value, tuple | frozenset):
        for item in cast(Iterable[object], value):
            _refuse_what_may_change(item)
        return
    for name in _fields(kind):
        try:
            _refuse_what_may_change(getattr(value, name))
        except TypeError as error:
            raise TypeError(f"in the field {name} of {kind.__name__}: {error}") from None


_fields_by_kind: dict[type, tuple[str, ...]] = {}


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a type of immutable records."""
    fields = _fields_by_kind.get(kind)
    if fields is None:
        fields = _fields_by_kind[kind] = _fields_of(kind)
    return fields


def _fields_of(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen:
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind) and cast(Any, kind).__dataclass_params__.frozen:
        return tuple(field.name for field in dataclasses.fields(kind))
    if kind in (dict, list, set) or issubclass(kind, CONTAINERS):
        raise TypeError(f"a {kind.__name__} could change unnoticed here: use a tuple or a frozenset")
    raise TypeError(
        f"a state cannot hold a {kind.__name__}: it holds numbers, text, bytes, None, enums, dates, tuples, dict, "
        "list, set, and frozen dataclasses or structs of these"
    )
