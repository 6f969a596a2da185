"""A heap in a list of a state, where ``heapq`` cannot be: it changes lists without asking them.

Knows: what is lower.  Does not know: what an entry stands for.
"""

from typing import Final, TypeVar

E = TypeVar("E", int, tuple[int, int])

CHILDREN: Final = 4
"""Of one entry.  A write to a list of a state costs ten times as much as a read, so the heap is flat."""


def push(heap: list[E], entry: E) -> None:
    """Have one more entry."""
    last = place = len(heap)
    heap.append(entry)
    while place and entry < heap[above := (place - 1) // CHILDREN]:
        heap[place] = heap[above]
        place = above
    if place != last:
        heap[place] = entry


def pop(heap: list[E]) -> E:
    """Take out the lowest entry, which is the first.

    Raises:
        IndexError: if there is none.
    """
    first, entry = heap[0], heap.pop()
    if not heap:
        return first
    place = 0
    while (begin := CHILDREN * place + 1) < len(heap):
        below, lowest = begin, heap[begin]
        for other in range(begin + 1, min(begin + CHILDREN, len(heap))):
            if heap[other] < lowest:
                below, lowest = other, heap[other]
        if entry < lowest:
            break
        heap[place] = lowest
        place = below
    heap[place] = entry
    return first
