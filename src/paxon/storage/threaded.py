"""The ledger file beside an event loop: syncs in one thread, recalls in another, snapshots in a third.

Knows: threads.  Does not know: what is in the files.  A sync takes as long as the disk likes; the loop, and with it
every heartbeat, goes on meanwhile.  Recalls have a thread of their own, so that a member that is far behind costs
nobody a slow vote, and so have snapshots, which are long.
"""

import errno
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from paxon.core.decree import Slot
from paxon.core.ledger import Outcome, Record
from paxon.errors import LedgerError, LedgerSyncFailed, check
from paxon.storage.ledger_file import LedgerFile

RECALLS_MAX = 64
"""Recalls that may wait.  Whoever asks beyond that is told that the file has nothing, and asks again."""

Work = Callable[[], None]

T = TypeVar("T")


class ThreadedDisk:
    """One ledger file, and the tasks beside it, served by three threads until ``close``.

    Every method is called on the loop's thread, and every callback runs there.
    """

    def __init__(
        self,
        ledger_file: LedgerFile,
        loop: AbstractEventLoop,
        damaged: Callable[[Exception], None] | None = None,
    ) -> None:
        """``damaged`` is told when a recall finds damage.  The running process's votes are not affected by it."""
        self._ledger_file = ledger_file
        self._loop = loop
        self._damaged = damaged
        self._syncing = False
        self._recalls = 0
        # A SimpleQueue hands over in C; an executor makes a future per call, a fifth more delay for nothing we use.
        self._sync_work: SimpleQueue[Work | None] = SimpleQueue()
        self._recall_work: SimpleQueue[Work | None] = SimpleQueue()
        self._other_work: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = [
            Thread(target=_work_through, args=(self._sync_work,), name="paxon-sync", daemon=True),
            Thread(target=_work_through, args=(self._recall_work,), name="paxon-recall", daemon=True),
            Thread(target=_work_through, args=(self._other_work,), name="paxon-snapshot", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def append(self, records: Sequence[Record]) -> None:
        """Queue records for the file."""
        # After a failed sync the records go nowhere: nothing is ever reported durable again, and the host hears of the
        # failure through the callback of that sync, which may still be on its way.
        with suppress(LedgerSyncFailed):
            self._ledger_file.append(records)

    def sync(self, synced: Callable[[int], None], failed: Callable[[OSError], None]) -> None:
        """Make everything appended so far durable, then call ``synced`` with the last durable line.

        ``failed`` with ``ENOSPC`` or ``EDQUOT`` means that nothing was lost and ``sync`` may be called again; any other
        error is final.
        """
        check(not self._syncing, "at most one sync is under way")
        self._syncing = True

        def work() -> None:
            try:
                line = self._ledger_file.sync()
            except OSError as error:
                self._answer(report_failure, error)
            except Exception as error:
                # An ENOSPC of the sync itself, as opposed to a write's, is final too: its number must not get out.
                self._answer(report_failure, OSError(errno.EIO, str(error)))
            else:
                self._answer(report_success, line)

        def report_success(line: int) -> None:
            self._syncing = False
            synced(line)

        def report_failure(error: OSError) -> None:
            self._syncing = False
            failed(error)

        self._sync_work.put(work)

    def recall(self, from_slot: Slot, bytes_max: int, found: Callable[[tuple[Outcome, ...]], None]) -> None:
        """Read passed decrees back, in slot order from ``from_slot``, about ``bytes_max`` at the most.

        ``found`` gets an empty tuple if the file does not have that slot's outcome, or too many recalls are waiting.
        """
        if self._recalls >= RECALLS_MAX:
            self._loop.call_soon(found, ())
            return
        self._recalls += 1

        def work() -> None:
            outcomes: tuple[Outcome, ...] = ()
            try:
                outcomes = self._ledger_file.recall(from_slot, bytes_max)
            except (LedgerError, OSError) as error:
                if self._damaged is not None and not isinstance(error, LedgerSyncFailed):
                    self._answer(self._damaged, error)
            self._answer(report, outcomes)

        def report(outcomes: tuple[Outcome, ...]) -> None:
            self._recalls -= 1
            found(outcomes)

        self._recall_work.put(work)

    def trim(
        self,
        slot: Slot,
        stamp_ms: int,
        tail_bytes: int,
        trimmed: Callable[[None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Let go of what nobody needs who has a durable snapshot of all slots below ``slot``."""
        # Where recalls are carried out, so that no segment goes while one of them reads it.
        self._put(self._recall_work, lambda: self._ledger_file.trim(slot, stamp_ms, tail_bytes), trimmed, failed)

    def work(self, task: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Carry out ``task`` beside everything else, then call ``done`` with its result, or ``failed``."""
        self._put(self._other_work, task, done, failed)

    @property
    def first_slot(self) -> Slot:
        """Decrees below are not in the file any more."""
        return self._ledger_file.first_slot

    @property
    def written_bytes(self) -> int:
        """A count of bytes that grows as the ledger does."""
        return self._ledger_file.written_bytes

    def _put(
        self,
        queue: "SimpleQueue[Work | None]",
        task: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        def work() -> None:
            try:
                result = task()
            except Exception as error:
                self._answer(failed, error)
            else:
                self._answer(done, result)

        queue.put(work)

    def close(self) -> None:
        """Wait for what is under way, stop the threads and close the ledger file."""
        for work in (self._sync_work, self._recall_work, self._other_work):
            work.put(None)
        for thread in self._threads:
            thread.join()
        self._ledger_file.close()

    def _answer(self, callback: Callable[[T], None], value: T) -> None:
        # A loop that was closed meanwhile has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, value)


def _work_through(queue: SimpleQueue[Work | None]) -> None:
    while (work := queue.get()) is not None:
        work()
