"""One event of the change feed, as whoever watches gets it."""

from typing import Generic, TypeVar

from msgspec import Struct

E = TypeVar("E")


class Observed(Struct, Generic[E], frozen=True):
    """One event of the change feed.

    ``number`` is its place in the feed, the same on every member: to go on after it, watch
    ``since=number + 1``.  ``slot`` is the log entry that it comes from.
    """

    number: int
    slot: int
    topic: str
    event: E
