"""The real clock: an event loop's timers, the wall clock, and the system's chance."""

import asyncio
import secrets
import time
from collections.abc import Callable

from paxon.node.ports import Timer


class LoopClock:
    """``ports.Clock`` over a running asyncio loop, uvloop included."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic_ms(self) -> int:
        """The loop's own time, so that ``call_at`` and this agree."""
        return int(self._loop.time() * 1000)

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def chance(self) -> int:
        """32 random bits."""
        return secrets.randbits(32)

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """A loop timer."""
        return self._loop.call_at(when_ms / 1000, callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """The next turn of the loop."""
        self._loop.call_soon(callback)
