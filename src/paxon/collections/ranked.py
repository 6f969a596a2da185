"""Keys in the order of a number, kept in containers of a state, and what lapses when decided time reaches its number.

Knows: numbers and keys.  Does not know: what a key stands for.

Theory of operation.  A state holds plain containers only, and nothing beside it may remember what follows from it: such
a memory would be empty after a snapshot came in.  So the order itself is in the state: a binary heap in a list, and
beside it the place of each key in that list, by which a key in the middle is moved or taken out at once.  Every step
costs as many changes as the heap is high.  The usual alternative, to leave an outdated number in the heap until it
comes to the front, would keep one for every renewal of a lease, however long the lease.
"""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from paxon.rsm.contract import Context, StateMachine

K = TypeVar("K")


class Ranked(Generic[K]):
    """A view of two containers as keys by rank, the lowest first, equals by key.

    * ``heap[i] <= heap[2i + 1]`` and ``heap[i] <= heap[2i + 2]``, where those exist.
    * ``heap[places[key]] == (rank, key)`` for every key, and ``len(heap) == len(places)``.
    """

    __slots__ = ("_heap", "_places")

    def __init__(self, heap: list[tuple[int, K]], places: dict[K, int]) -> None:
        self._heap = heap
        self._places = places

    def __len__(self) -> int:
        return len(self._heap)

    def first(self) -> tuple[int, K] | None:
        """The lowest rank with its key; ``None`` if there is no key."""
        return self._heap[0] if self._heap else None

    def put(self, key: K, rank: int) -> None:
        """Give ``key`` this rank, whether or not it had one."""
        place = self._places.get(key)
        if place is None:
            place = len(self._heap)
            self._heap.append((rank, key))
        self._settle(place, (rank, key))

    def remove(self, key: K) -> None:
        """Take ``key`` out.

        Raises:
            KeyError: if it has no rank.
        """
        place = self._places.pop(key)
        last = self._heap.pop()
        if place < len(self._heap):
            self._settle(place, last)

    def _settle(self, place: int, entry: tuple[int, K]) -> None:
        """Put ``entry`` where it belongs, beginning with a place that is free for it."""
        heap = self._heap
        while place and entry < heap[above := (place - 1) // 2]:
            self._set(place, heap[above])
            place = above
        while (below := 2 * place + 1) < len(heap):
            if below + 1 < len(heap) and heap[below + 1] < heap[below]:
                below += 1
            if entry < heap[below]:
                break
            self._set(place, heap[below])
            place = below
        self._set(place, entry)

    def _set(self, place: int, entry: tuple[int, K]) -> None:
        self._heap[place] = entry
        self._places[entry[1]] = place


class Lapsing(StateMachine, ABC, Generic[K]):
    """A state machine some of whose parts end when decided time reaches the moment set for them (section 3.3.3).

    Between two commands nothing is due: every moment in the state is later than the last command's time, so that
    whatever a command finds has not lapsed.
    """

    def __init__(self) -> None:
        self.due_heap: list[tuple[int, K]] = []
        self.due_places: dict[K, int] = {}

    @property
    def _due(self) -> Ranked[K]:
        """What lapses, by the decided time at which it does."""
        return Ranked(self.due_heap, self.due_places)

    def next_due_ms(self) -> int | None:
        """See ``StateMachine``."""
        first = self._due.first()
        return None if first is None else first[0]

    def on_due(self, ctx: Context) -> None:
        """See ``StateMachine``."""
        due = self._due
        while (first := due.first()) is not None and first[0] <= ctx.now_ms:
            self._lapse(ctx, first[1])

    @abstractmethod
    def _lapse(self, ctx: Context, key: K) -> None:
        """Do what the end of ``key`` means; afterwards it is not due, or at a later time than ``ctx.now_ms``."""
