"""A ledger file whose syncs take virtual time, and may be cut short."""

import errno
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from paxon.core.decree import Slot
from paxon.core.ledger import Outcome, Record
from paxon.errors import LedgerCorrupt, LedgerError, LedgerSyncFailed
from paxon.sim.agenda import Agenda, Event, Life, Trace
from paxon.sim.directory import SimDirectory
from paxon.sim.fuse import Fuse, PowerCut
from paxon.sim.oracle import Oracle
from paxon.sim.plan import MachineFaults
from paxon.sim.shortages import Shortages
from paxon.sim.strikes import FILE_POINTS, Strikes
from paxon.storage.ledger_file import LedgerFile

T = TypeVar("T")

POINTS_MAX = 16
"""A crash during a sync comes at one of this many points, before or after a file operation: it rarely has more, so
every stage is hit."""


class SimDisk:
    """Satisfies ``Disk``, for one life of one member."""

    def __init__(
        self,
        agenda: Agenda,
        trace: Trace,
        strikes: Strikes,
        life: Life,
        file: LedgerFile,
        directory: SimDirectory,
        oracle: Oracle,
        random: Random,
        faults: Callable[[], MachineFaults],
        fuse: Fuse,
        shortages: Shortages,
        damaged: Callable[[Exception], None],
    ) -> None:
        """``damaged`` is told of damage that a recall finds."""
        self._agenda = agenda
        self._trace = trace
        self._strikes = strikes
        self._life = life
        self._file = file
        self._directory = directory
        self._oracle = oracle
        self._random = random
        self._faults = faults
        self._label = f"sync {life.member}"
        self._fuse = fuse
        self._shortages = shortages
        self._damaged = damaged
        self._queued: list[Record] = []
        """Appended while a sync is under way: that sync need not cover them, so it does not."""
        self.waits_for_hand = False
        """Whether syncs complete only when somebody calls ``complete``."""
        self._under_way: Event | None = None
        self._tasks: deque[Callable[[], None]] = deque()
        """What is to be done beside the ledger: the first is under way."""
        self._synced: Callable[[int], None] | None = None
        self._failed: Callable[[OSError], None] | None = None

    @property
    def is_syncing(self) -> bool:
        """Whether a sync is under way."""
        return self._synced is not None

    def append(self, records: Sequence[Record]) -> None:
        """See ``Disk``."""
        self._shortages.allocate("memory to append")
        self._queued.extend(records)
        self._trace.watcher.wrote(self._life.member, records)
        self._oracle.wrote(self._life.member, records)

    def sync(self, synced: Callable[[int], None], failed: Callable[[OSError], None]) -> None:
        """See ``Disk``."""
        self._synced, self._failed = synced, failed
        self._file.append(self._queued)
        self._queued = []
        self._trace.watcher.sync_began(self._life.member)
        if not self.waits_for_hand:
            delay_ms = self._delay()
            self._under_way = self._agenda.after(delay_ms, self._label, self.complete, self._life)

    def complete(self) -> None:
        """The sync under way reaches its end; its host hears of it in an event of its own."""
        synced, failed = self._synced, self._failed
        if synced is None or failed is None:
            return
        self._synced = self._failed = None
        self._trace.counts["syncs"] += 1
        try:
            line = self._file.sync()
        except (OSError, LedgerSyncFailed) as error:
            reason = error if isinstance(error, OSError) else OSError(errno.EIO, str(error))
            self._trace.counts["failed syncs"] += 1
            self._trace.watcher.sync_ended(self._life.member, f"failed: {error}")
            self._agenda.after(0, f"sync of {self._life.member} failed", lambda: failed(reason), self._life)
            return
        self._trace.watcher.sync_ended(self._life.member, f"durable through line {line}")
        self._oracle.synced(self._life.member, line)
        self._agenda.after(0, f"synced {self._life.member} {line}", lambda: synced(line), self._life)

    def abandon(self) -> None:
        """The sync under way never begins to reach the disk."""
        self._synced = self._failed = None

    def crash(self) -> None:
        """The process ends; a sync and a task under way got through some of their file operations."""
        if self._synced is not None:
            self._get_through_some_of(self._file.sync)
        if self._tasks:
            self._get_through_some_of(self._tasks[0])

    def _get_through_some_of(self, work: Callable[[], object]) -> None:
        self._fuse.light(FILE_POINTS, self._random.randrange(POINTS_MAX), 0)
        try:
            work()
        except (PowerCut, OSError, LedgerError):
            pass
        finally:
            self._fuse.put_out()

    def recall(self, from_slot: Slot, bytes_max: int, found: Callable[[tuple[Outcome, ...]], None]) -> None:
        """See ``Disk``."""
        self._trace.counts["recalls"] += 1

        def read() -> None:
            try:
                outcomes = self._file.recall(from_slot, bytes_max)
            except LedgerCorrupt as error:
                outcomes = ()
                self._damaged(error)
            except (OSError, LedgerSyncFailed):
                # As ``ThreadedDisk`` has it: whoever asked asks again.
                outcomes = ()
            found(outcomes)

        self._agenda.after(self._delay(), f"recall {self._life.member}", read, self._life)

    def trim(
        self,
        slot: Slot,
        stamp_ms: int,
        tail_bytes: int,
        trimmed: Callable[[None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """See ``Disk``."""

        def trim() -> None:
            segments = self._file.disk_bytes
            self._file.trim(slot, stamp_ms, tail_bytes)
            if self._file.disk_bytes < segments:
                self._trace.counts["trimmed ledgers"] += 1
                if not self._directory.lies:
                    self._oracle.trimmed(self._life.member, self._file.first_slot, self._directory.durable())

        self.work(trim, trimmed, failed)

    def work(self, task: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """See ``Disk``."""

        def carry_out() -> None:
            self._tasks.popleft()
            if self._tasks:
                self._plan_task()
            try:
                result = task()
            except (OSError, LedgerError) as error:
                reason = error
                self._agenda.after(0, f"task of {self._life.member} failed", lambda: failed(reason), self._life)
            else:
                self._agenda.after(0, f"task of {self._life.member} done", lambda: done(result), self._life)

        self._tasks.append(carry_out)
        if len(self._tasks) == 1:
            self._plan_task()

    def _plan_task(self) -> None:
        task = self._tasks[0]
        self._agenda.after(self._delay(), f"task of {self._life.member}", task, self._life)

    @property
    def first_slot(self) -> Slot:
        """See ``Disk``."""
        return self._file.first_slot

    @property
    def written_bytes(self) -> int:
        """See ``Disk``."""
        return self._file.written_bytes

    def _delay(self) -> int:
        faults = self._faults()
        if faults.slow_sync and self._random.random() < faults.slow_sync:
            delay_ms = self._random.randint(1, faults.slow_sync_ms)
            if self._strikes.strike("D7", f"the disk of {self._life.member} takes {delay_ms} ms"):
                return delay_ms
        return self._random.randint(*faults.sync_ms)
