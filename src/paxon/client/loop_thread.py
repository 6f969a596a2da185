"""An event loop in a thread of its own, for programs that have none.

Knows: how to run a coroutine there and wait for it here.  Does not know: what is run.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar

from paxon.errors import OutcomeUnknown
from paxon.node.member import best_loop_factory

T = TypeVar("T")

CLEAN_UP_S: Final = 15.0
"""How long an interrupted call may take to tidy up: as long as a member that hands its leadership over."""


class LoopThread:
    """A running loop, for as long as the context lasts.  Its methods are called from any thread but its own.

    Not a daemon: the interpreter does not end before what runs here has been closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="paxon")

    def __enter__(self) -> Self:
        _require_no_loop()
        self._thread.start()
        self._loop, self._stopping = self._begun.result()
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            # Whoever had the lock before has their coroutine on the loop, and it is cancelled with the rest.
            self._is_open = False
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    @property
    def is_open(self) -> bool:
        """Whether ``call`` may be used."""
        return self._is_open

    def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Await on the loop what ``make``, called there, returns; wait for the outcome here.

        Raises:
            RuntimeError: this thread runs an event loop, which must not wait; or the context is over.
            OutcomeUnknown: the context ended while the call was under way.
            BaseException: what the awaited raises; and ``KeyboardInterrupt``, which ends it.
        """
        _require_no_loop()
        is_over = threading.Event()

        async def run() -> T:
            try:
                return await make()
            finally:
                is_over.set()

        with self._lock:
            if not self._is_open:
                raise RuntimeError("this is closed: open it again")
            future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except CancelledError:
            raise OutcomeUnknown("it was closed with the call under way") from None
        except BaseException:
            if not future.done():
                # Interrupted.  What is under way ends first, or it would be torn down half way.
                future.cancel()
                is_over.wait(CLEAN_UP_S)
            raise

    @contextmanager
    def entered(self, make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
        """An asynchronous context as one of this thread.  It is not told of exceptions, and ends in good order."""
        opened = make()
        value = self.call(opened.__aenter__)
        try:
            yield value
        finally:
            self.call(lambda: opened.__aexit__(None, None, None))

    def _run(self) -> None:
        async def main() -> None:
            stopping = asyncio.Event()
            self._begun.set_result((asyncio.get_running_loop(), stopping))
            await stopping.wait()

        try:
            with asyncio.Runner(loop_factory=best_loop_factory()) as runner:
                runner.run(main())
        except BaseException as error:
            if self._begun.done():
                raise
            self._begun.set_exception(error)


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "paxon.sync waits, and this thread runs an event loop, which must not: "
        "use paxon.open or paxon.connect with await, or call from another thread, as with asyncio.to_thread"
    )
