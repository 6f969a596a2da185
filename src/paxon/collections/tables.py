"""Things by name and key, where a name without things leaves no trace.

Knows: dictionaries within a dictionary.  Does not know: what is in them.
"""

from collections.abc import Iterable
from heapq import nsmallest
from typing import TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Ordered = TypeVar("Ordered", str, int)

Table: TypeAlias = dict[str, dict[K, V]]


def put_in(table: Table[K, V], name: str, key: K, value: V) -> None:
    """Put one thing under a name; a key that is there already keeps its place in the order."""
    table.setdefault(name, {})[key] = value


def take_out(table: Table[K, V], name: str, key: K) -> V:
    """Take one thing out, and the name with it if that was the last.

    Raises:
        KeyError: if it is not there.
    """
    things = table[name]
    value = things.pop(key)
    if not things:
        del table[name]
    return value


def find(table: Table[K, V], name: str, key: K) -> V | None:
    """One thing, if it is there."""
    return table[name].get(key) if name in table else None


def page(keys: Iterable[Ordered], after: Ordered | None, size: int) -> list[Ordered]:
    """The first ``size`` keys beyond ``after`` in their own order.

    Whoever asks page by page meets every key that is there all the while exactly once, whatever is put in or taken
    out between two pages, because a page depends on no memory of the one before.
    """
    return nsmallest(size, keys if after is None else (key for key in keys if key > after))
