"""Writes at a steady rate, whatever the answers do, so that a stall shows in full."""

import asyncio
import time

from paxon.client.client import Client

Write = tuple[float, float]
"""When it began and when it was answered, in seconds."""

KEYS = 1000


class Load:
    """One writer after another, until ``run`` is cancelled; ``drain`` then waits for the last of them."""

    def __init__(self, client: Client, rate: float) -> None:
        """``rate`` is per second."""
        self._client = client
        self._rate = rate
        self._writes: list[Write] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Begin one write after the other."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        number = 0
        while True:
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            number += 1
            task = asyncio.create_task(self._write(number, time.perf_counter()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for what was begun."""
        await asyncio.gather(*self._tasks)

    async def _write(self, number: int, began: float) -> None:
        await self._client.put(b"live-%d" % (number % KEYS), b"x" * 256)
        self._writes.append((began, time.perf_counter()))

    def take(self) -> list[Write]:
        """What was answered since the last call."""
        taken, self._writes = self._writes, []
        return taken


def latencies(writes: list[Write]) -> list[float]:
    """How long each took, sorted."""
    return sorted(end - begin for begin, end in writes)


def percentile(values: list[float], part: float) -> float:
    """Of sorted seconds, in milliseconds."""
    return round(values[min(len(values) - 1, int(len(values) * part))] * 1e3, 3)
