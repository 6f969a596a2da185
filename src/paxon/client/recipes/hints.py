"""News from the change feed for whoever waits: that it is worth asking again.

Knows: how to listen beside something else, and to go on listening.  Does not know: what is asked.

Theory of operation.  An event is a hint and no more: whoever waits asks the cluster again, and takes its answer.  So
events that come late, twice or never cost time and not correctness.  One may never come that was told while the watch
was still on its way to a member; so the first waits are short, and none is without an end.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

from paxon.client.recipes.calls import Calls
from paxon.errors import RequestError
from paxon.rsm.contract import StateMachine

E = TypeVar("E")
S = TypeVar("S")

_NOTHING: Final = object()
"""Unlike every state, ``None`` included."""

WAIT_S_MIN: Final = 0.25
"""The first wait for a hint.  A watch has reached its member by then, or the next one will do."""

REFRESH_S: Final = 5.0
"""How often whoever follows a state, or waits for something that has no end, asks without having heard anything."""

RESTART_PAUSE_S: Final = 0.25
"""Before a broken watch is begun again."""


class Hints:
    """Whether there is news.  Made by ``listening``."""

    def __init__(self, wait_s_max: float) -> None:
        self._news = asyncio.Event()
        self._wait_s = min(WAIT_S_MIN, wait_s_max)
        self._wait_s_max = wait_s_max

    def give(self) -> None:
        """There is news."""
        self._news.set()

    async def wait(self, limit_s: float) -> None:
        """Return at the next news, or when it is time to ask without any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._wait_s, limit_s)):
                await self._news.wait()
        self._wait_s = min(2 * self._wait_s, self._wait_s_max)
        self._news.clear()


@asynccontextmanager
async def listening(
    calls: Calls,
    machine: type[StateMachine],
    topic: str,
    event: type[E],
    is_news: Callable[[E], bool],
    wait_s_max: float,
) -> AsyncIterator[Hints]:
    """Listen for events under ``topic`` for as long as the context lasts.  No wait is longer than ``wait_s_max``."""
    hints = Hints(wait_s_max)
    task = asyncio.ensure_future(_listen(calls, machine, topic, event, is_news, hints))
    # Let the watch begin before whoever called asks for anything.
    await asyncio.sleep(0)
    try:
        yield hints
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _listen(
    calls: Calls, machine: type[StateMachine], topic: str, event: type[E], is_news: Callable[[E], bool], hints: Hints
) -> None:
    while True:
        try:
            async for seen in calls.watch(machine, topic, event):
                if is_news(seen.event):
                    hints.give()
        except RequestError:
            # Whatever was told in between is missed.
            hints.give()
            await asyncio.sleep(RESTART_PAUSE_S)


async def changes(
    calls: Calls,
    machine: type[StateMachine],
    topic: str,
    event: type[E],
    is_news: Callable[[E], bool],
    read: Callable[[], Awaitable[S]],
    essence: Callable[[S], object],
) -> AsyncIterator[S]:
    """What ``read`` answers: now, and whenever its ``essence`` is another one than before.

    Raises:
        RequestError: nobody can be asked.
    """
    told: object = _NOTHING
    async with listening(calls, machine, topic, event, is_news, REFRESH_S) as hints:
        while True:
            state = await read()
            if told is _NOTHING or essence(state) != told:
                told = essence(state)
                yield state
            await hints.wait(REFRESH_S)
