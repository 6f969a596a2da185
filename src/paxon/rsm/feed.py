"""The change feed: what commands told those who watch, numbered and kept for a while.

Knows: the order of events and how many are kept.  Does not know: who watches, or what an event says.

The feed is part of the replicated state, so that whoever watched one member goes on at another
without a gap: event 17 is the same event on every member.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from paxon.errors import Compacted

EVENTS_KEPT: Final = 16_384
"""The most events that are kept for those who come back."""

BYTES_KEPT: Final = 16 * 1024 * 1024
"""And about how many bytes of them together."""

EVENT_BYTES: Final = 160
"""What one event costs beside its topic and its body, roughly."""


class Event(Struct, frozen=True, array_like=True):
    """Something that a command told.  ``number`` is its place in the feed, from 1 without gaps."""

    number: int
    slot: int
    part: str
    topic: str
    body: bytes


class Feed:
    """The latest events.

    Invariant: the kept events are those numbered ``[first_number, next_number)``.
    """

    def __init__(self) -> None:
        self._kept: deque[Event] = deque()
        self._bytes = 0
        self.next_number = 1
        self._listeners: dict[Callable[[], None], None] = {}

    @property
    def first_number(self) -> int:
        """The number of the oldest event that is kept; ``next_number`` if there is none."""
        return self._kept[0].number if self._kept else self.next_number

    def append(self, slot: int, part: str, topic: str, body: bytes) -> None:
        """Take one event, and let the oldest go if there are too many."""
        event = Event(self.next_number, slot, part, topic, body)
        self.next_number += 1
        self._keep(event)
        self._tell()

    def since(self, number: int) -> Iterator[Event]:
        """The kept events from ``number`` on.

        Raises:
            Compacted: if some of them are kept no more.
        """
        if number < self.first_number:
            raise Compacted(
                f"events before {self.first_number} are kept no more, and {number} was asked for: "
                "read the state as it is, and watch from there on"
            )
        return iter(list(islice(self._kept, number - self.first_number, None)))

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` whenever there are later events; returns what ends that.  Not part of the state."""
        self._listeners[listener] = None

        def end() -> None:
            self._listeners.pop(listener, None)

        return end

    def events(self) -> list[Event]:
        """What is kept, the oldest first."""
        return list(self._kept)

    def replace(self, next_number: int, events: list[Event]) -> None:
        """Have the contents of a captured feed."""
        self._kept.clear()
        self._bytes = 0
        self.next_number = next_number
        for event in events:
            self._keep(event)
        self._tell()

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()

    def _keep(self, event: Event) -> None:
        self._kept.append(event)
        self._bytes += _size(event)
        while len(self._kept) > EVENTS_KEPT or (self._bytes > BYTES_KEPT and len(self._kept) > 1):
            self._bytes -= _size(self._kept.popleft())


def _size(event: Event) -> int:
    return EVENT_BYTES + len(event.topic) + len(event.body)
