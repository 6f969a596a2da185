"""One read barrier for everybody who reads in the same turn of the loop.

Knows: who waits for which barrier.  Does not know: how a barrier is established.

A barrier costs the leader a round whoever waits for it, and a host a handful of objects.  Reads that
are asked in one turn of the loop were all asked before the barrier is, so one is right for all of them.
"""

import asyncio
from collections.abc import Callable

from paxon.errors import RequestError
from paxon.node.ports import Reply


class _Turn:
    """The readers of one turn.  Satisfies ``Reply``."""

    def __init__(self, timeout_ms: int) -> None:
        self.timeout_ms = timeout_ms
        self.readers: list[asyncio.Future[int]] = []

    def done(self) -> bool:
        """Whether nobody waits any more."""
        return all(reader.done() for reader in self.readers)

    def set_result(self, result: int, /) -> None:
        """Everybody may read."""
        for reader in self.readers:
            if not reader.done():
                reader.set_result(result)

    def set_exception(self, error: Exception, /) -> None:
        """Nobody may."""
        for reader in self.readers:
            if not reader.done():
                reader.set_exception(error)


class SharedBarrier:
    """Groups the readers of each turn of the loop, by their time limit."""

    def __init__(self, ask: Callable[[Reply[int], int], None]) -> None:
        """``ask`` is called with a reply and a time limit in milliseconds."""
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._turns: dict[int, _Turn] = {}

    def join(self, timeout_ms: int) -> "asyncio.Future[int]":
        """The future of one reader: it gets the barrier's result, or a ``RequestError``."""
        turn = self._turns.get(timeout_ms)
        if turn is None:
            if not self._turns:
                self._loop.call_soon(self._ask_all)
            turn = self._turns[timeout_ms] = _Turn(timeout_ms)
        reader: asyncio.Future[int] = self._loop.create_future()
        turn.readers.append(reader)
        return reader

    def _ask_all(self) -> None:
        turns, self._turns = self._turns, {}
        for turn in turns.values():
            try:
                self._ask(turn, turn.timeout_ms)
            except RequestError as error:
                turn.set_exception(error)
