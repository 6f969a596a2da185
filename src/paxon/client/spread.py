"""Work that is spread over several turns of the loop, so that what its beginning sets off is not kept waiting.

Knows: how much was done in this turn.  Does not know: what is done.
"""

import asyncio
from collections import deque
from collections.abc import Callable

Work = Callable[[], object]


class Spread:
    """Does one piece of work after the other, in the order in which they come: at once, or in a later turn."""

    def __init__(self, size_max: int) -> None:
        """No piece is begun in a turn in which ``size_max`` was done."""
        self._loop = asyncio.get_running_loop()
        self._size_max = size_max
        self._waiting: deque[tuple[int, Work]] = deque()
        self._done = 0
        """The size of what was done in this turn."""

    def do(self, size: int, work: Work) -> None:
        """Do a piece of work of this size, which is 1 or more."""
        if self._waiting or self._done >= self._size_max:
            self._waiting.append((size, work))
            return
        is_first = self._done == 0
        self._done += size
        try:
            work()
        finally:
            if is_first:
                # After whatever the work has set off.
                self._loop.call_soon(self._next_turn)

    def finish(self) -> None:
        """Do everything that waits, now."""
        while self._waiting:
            self._waiting.popleft()[1]()

    def _next_turn(self) -> None:
        self._done = 0
        try:
            while self._waiting and self._done < self._size_max:
                size, work = self._waiting.popleft()
                self._done += size
                work()
        finally:
            if self._done:
                self._loop.call_soon(self._next_turn)
