"""A disk in memory that crashes and fails on purpose.

It keeps apart what programs see and what would survive.  Bytes survive in sectors: of what was written and not synced,
any subset of sectors may, and any subset of the names that were made, changed or removed.  A failed sync drops what it
should have written and holds it for written, as Linux does.
"""

import errno
import random
from collections.abc import Callable

from paxon.errors import LedgerInUse

SECTOR = 512


class _File:
    def __init__(self) -> None:
        self.seen = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > len(self.seen):
            self.seen.extend(bytes(end - len(self.seen)))
        self.seen[offset:end] = data
        self.dirty.update(range(offset // SECTOR, (end + SECTOR - 1) // SECTOR))

    def keep(self, sector: int) -> None:
        start = sector * SECTOR
        piece = self.seen[start : start + SECTOR]
        self.durable[start : start + len(piece)] = piece

    def resize_durable(self) -> None:
        if len(self.seen) < len(self.durable):
            del self.durable[len(self.seen) :]
        else:
            self.durable.extend(bytes(len(self.seen) - len(self.durable)))


class MemoryDirectory:
    """A ``Directory``.  ``before`` is called with each operation's name ahead of it, and may raise."""

    def __init__(self, before: Callable[[str, str], None] = lambda operation, name: None) -> None:
        self.before = before
        self.half_writes = False
        """Whether a write that fails has written half of its bytes first."""
        self._seen: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._locked = False

    # What a test does to the disk.

    def crash(self, chance: random.Random | None = None) -> "MemoryDirectory":
        """The disk after the power came back.  Without ``chance`` nothing unsynced survives."""
        after = MemoryDirectory()
        names = sorted(set(self._seen) | set(self._durable))
        for name in names:
            file = (self._seen if chance is not None and chance.random() < 0.5 else self._durable).get(name)
            if file is not None:
                after._durable[name] = after._seen[name] = self._survivor(file, chance)
        return after

    def restart(self) -> "MemoryDirectory":
        """The disk after the process alone died: everything that was written is still seen."""
        self.before = lambda operation, name: None
        self._locked = False
        return self

    def copy(self) -> "MemoryDirectory":
        """Another disk with the same files, all durable."""
        twin = MemoryDirectory()
        for name, file in self._seen.items():
            twin.put(name, bytes(file.seen))
        return twin

    def put(self, name: str, data: bytes) -> None:
        """Have a durable file."""
        file = _File()
        file.seen, file.durable = bytearray(data), bytearray(data)
        self._seen[name] = self._durable[name] = file

    def flip(self, name: str, offset: int, bit: int) -> None:
        """Damage one bit at rest."""
        self._seen[name].seen[offset] ^= 1 << bit

    @staticmethod
    def _survivor(file: _File, chance: random.Random | None) -> _File:
        survivor = _File()
        survivor.durable = bytearray(file.durable)
        if chance is not None:
            taken = _File()
            taken.seen, taken.durable = file.seen, survivor.durable
            if chance.random() < 0.5:
                taken.resize_durable()
            for sector in sorted(file.dirty):
                if chance.random() < 0.5:
                    if sector * SECTOR > len(taken.durable):
                        taken.durable.extend(bytes(sector * SECTOR - len(taken.durable)))
                    taken.keep(sector)
        survivor.seen = bytearray(survivor.durable)
        return survivor

    # What the program does.

    @property
    def where(self) -> str:
        return "data"

    def lock(self) -> None:
        self.before("lock", "lock")
        if self._locked:
            raise LedgerInUse("data is in use")
        self._locked = True

    def names(self) -> list[str]:
        self.before("names", "")
        return sorted(self._seen)

    def create(self, name: str) -> None:
        self.before("create", name)
        if name in self._seen:
            raise FileExistsError(errno.EEXIST, "exists", name)
        self._seen[name] = _File()

    def read(self, name: str) -> bytes:
        self.before("read", name)
        return bytes(self._file(name).seen)

    def pread(self, name: str, offset: int, size: int) -> bytes:
        self.before("pread", name)
        return bytes(self._file(name).seen[offset : offset + size])

    def pwrite(self, name: str, offset: int, data: bytes) -> None:
        file = self._file(name)
        try:
            self.before("pwrite", name)
        except OSError:
            if self.half_writes:
                file.write(offset, data[: len(data) // 2])
            raise
        file.write(offset, data)

    def size(self, name: str) -> int:
        self.before("size", name)
        return len(self._file(name).seen)

    def truncate(self, name: str, size: int) -> None:
        self.before("truncate", name)
        file = self._file(name)
        if size < len(file.seen):
            del file.seen[size:]
        else:
            file.seen.extend(bytes(size - len(file.seen)))

    def preallocate(self, name: str, size: int) -> None:
        self.before("preallocate", name)
        file = self._file(name)
        file.seen.extend(bytes(max(0, size - len(file.seen))))

    def sync(self, name: str) -> None:
        file = self._file(name)
        try:
            self.before("sync", name)
        except OSError:
            file.dirty.clear()
            raise
        file.resize_durable()
        for sector in file.dirty:
            file.keep(sector)
        file.dirty.clear()

    def rename(self, old: str, new: str) -> None:
        self.before("rename", new)
        self._file(old)
        self._seen[new] = self._seen.pop(old)

    def remove(self, name: str) -> None:
        self.before("remove", name)
        self._file(name)
        del self._seen[name]

    def release(self, name: str) -> None:
        pass

    def sync_directory(self) -> None:
        self.before("sync_directory", "")
        self._durable = dict(self._seen)

    def close(self) -> None:
        self._locked = False

    def _file(self, name: str) -> _File:
        if name not in self._seen:
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return self._seen[name]


class FailNth:
    """Makes the n-th operation fail, once or from then on; counts operations meanwhile."""

    def __init__(self, nth: int, number: int, for_good: bool = False, spared: frozenset[str] = frozenset()) -> None:
        self._nth = nth
        self._number = number
        self._for_good = for_good
        self._spared = spared
        self.count = 0
        self.failed: str | None = None
        """The operation that failed first."""

    def __call__(self, operation: str, name: str) -> None:
        if operation in self._spared:
            return
        self.count += 1
        if self.count == self._nth or (self._for_good and self.count > self._nth):
            self.failed = self.failed or operation
            raise OSError(self._number, "on purpose", name)
