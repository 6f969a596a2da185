"""A line of those who wait for room, let in in the order in which they came.

Knows: who waits, and who was let in and has not gone on yet.  Does not know: room for what.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Line:
    """Those who wait.  Nobody overtakes anybody, however late somebody who was let in goes on."""

    def __init__(self, room: Callable[[], int]) -> None:
        """``room`` says for how many there is room, those included who were let in and have not gone on."""
        self._room = room
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._let_in = 0

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits, and nobody was let in who has not gone on."""
        return not self._waiting and not self._let_in

    async def wait(self) -> None:
        """Wait until there is room, which the caller takes before it waits for anything else.

        Raises:
            Exception: what ``turn_away`` was given.
        """
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        if not self._let_in:
            # Else it comes after those who are on their way in, at once perhaps.
            self.let_in()
        try:
            await place
        finally:
            # One that was let in and goes away makes room for the next.
            if place.done() and not place.cancelled() and place.exception() is None:
                if self._let_in == 1:
                    self.let_in()
                self._let_in -= 1

    def let_in(self) -> None:
        """Let in as many as there is room for."""
        if not self._waiting:
            return
        room = self._room() - self._let_in
        while self._waiting and room > 0:
            place = self._waiting.popleft()
            if not place.done():
                self._let_in += 1
                room -= 1
                place.set_result(None)

    def turn_away(self, error: BaseException) -> None:
        """Tell everybody who waits that there will be no room."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error)
