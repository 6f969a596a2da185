"""A directory on a disk that forgets: what was not synced may be lost, kept, or torn when the power goes.

Theory of operation: every file has the bytes that a reader sees and the bytes that are on the
platter, and a list of the changes between the two.  A power cut lets any subset of the changed
sectors reach the platter and forgets the rest; names survive up to some point in the order in
which they changed, as a journaling file system has it.  The death of a process alone loses
nothing that was written, but does not make it durable either; it gives the lock back.
"""

import copy
import errno
import os
from collections.abc import Callable, Sequence
from random import Random

from paxon.errors import LedgerInUse
from paxon.sim.fuse import Fuse
from paxon.storage.twin import COPY

ROOM = frozenset({"create", "grow", "rename"})
"""What needs room: a new file, a longer one, another entry in the directory."""

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class _File:
    """One file, whatever its name."""

    __slots__ = ("changes", "durable", "seen")

    def __init__(self) -> None:
        self.seen = bytearray()
        self.durable = bytearray()
        self.changes: list[tuple[int, bytes] | int] = []
        """Writes as (offset, data), and new sizes, since the last sync."""


class Image:
    """A directory's durable files, by name."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files


class SimDirectory:
    """Satisfies ``Directory``; outlives the lives of its member."""

    def __init__(self, member: int, random: Random, fuse: Fuse) -> None:
        self._where = f"member-{member}"
        self._random = random
        self._fuse = fuse
        self._files: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._name_changes: list[dict[str, _File]] = []
        """The names after each change since the last ``sync_directory``."""
        self.is_full = False
        """Whether the disk has no room: writes that need more fail."""
        self.full_for = ROOM
        """What a disk without room has no room for."""
        self.full_errno = errno.ENOSPC
        """What a disk without room says: it may be the quota that is used up."""
        self.read_only_errno = 0
        """What every change is refused with, if it is."""
        self._before_lie: Image | None = None
        """What is on the platter while the disk only pretends to sync."""
        self.may_lose_names: Callable[[int], bool] = lambda lost: True
        """Asked whether a power cut may take back so many changes of names."""
        self.fails_sync = False
        """Whether the next sync of a file fails for good."""
        self.has_no_descriptors = False
        """Whether the process has as many files open as it may."""
        self._writable: set[str] = set()
        """Files that the process holds open for writing."""
        self._locks: list[SimDirectory] = []
        """The process that has the lock, if one has.  All processes on this directory share the list."""

    # --- what the simulator does to it ---

    def image(self) -> "Image":
        """What is durable now, to be put back later."""
        return Image({name: bytes(file.durable) for name, file in self._durable_names.items()})

    def durable(self) -> "SimDirectory":
        """Another directory with what is durable now."""
        other = SimDirectory(0, self._random, self._fuse)
        other.put_back(self.image())
        return other

    def put_back(self, image: "Image") -> None:
        """Replace everything by what was durable once.  For a directory that no process has."""
        self._files = {}
        for name, content in image.files.items():
            file = self._files[name] = _File()
            file.seen, file.durable = bytearray(content), bytearray(content)
        self._durable_names = dict(self._files)
        self._name_changes.clear()
        self._before_lie = None

    def begin_lie(self) -> None:
        """Report syncs done from here on, and write nothing."""
        self._before_lie = self._before_lie or self.image()

    def end_lie(self) -> None:
        """What was only pretended is written after all."""
        self._before_lie = None

    @property
    def lies(self) -> bool:
        """Whether syncs are only pretended."""
        return self._before_lie is not None

    def overwrite(self, name: str, offset: int, data: bytes) -> None:
        """Bytes change where they lie."""
        file = self._file(name)
        file.seen[offset : offset + len(data)] = data
        file.durable[offset : offset + len(data)] = data[: max(0, len(file.durable) - offset)]

    def lose_name(self, name: str) -> None:
        """A directory entry is gone."""
        self._files.pop(name, None)
        self._durable_names.pop(name, None)
        for names in self._name_changes:
            names.pop(name, None)

    def give_name(self, old: str, new: str) -> None:
        """A file is found under another name."""
        file = self._file(old)
        self.lose_name(old)
        for names in (self._files, self._durable_names, *self._name_changes):
            names[new] = file

    def twins_agree(self, twins: Sequence[str]) -> bool:
        """Whether the two files of each twin that exists hold the same."""
        pairs = [(name, name + COPY) for name in twins if name in self._files or name + COPY in self._files]
        return all({one, other} <= set(self._files) and self.read(one) == self.read(other) for one, other in pairs)

    def power_cut(self) -> None:
        """Forget what was not synced, or some of it."""
        if self._before_lie is not None:
            self.put_back(self._before_lie)
            return
        # Every file that has a name in either world takes its losses once, in the order of names.
        files = {id(file): file for name in sorted(self._files) for file in (self._files[name],)}
        files.update({id(file): file for name in sorted(self._durable_names) for file in (self._durable_names[name],)})
        for file in files.values():
            self._tear(file)
            file.seen = file.durable[:]
        survived = self._random.randint(0, len(self._name_changes))
        lost = len(self._name_changes) - survived
        if lost and not self.may_lose_names(lost):
            survived += lost
        if survived:
            self._durable_names = dict(self._name_changes[survived - 1])
        self._name_changes.clear()
        self._files = dict(self._durable_names)

    def end_of_process(self) -> None:
        """The process that used this directory is gone."""
        self._writable.clear()
        self.close()

    def of_another_process(self) -> "SimDirectory":
        """The same directory as a second process on the machine has it."""
        other = copy.copy(self)
        other._writable = set()
        return other

    def contents(self) -> dict[str, bytes]:
        """What a reader sees in every file, by name."""
        return {name: bytes(file.seen) for name, file in sorted(self._files.items())}

    def _tear(self, file: _File) -> None:
        platter = file.durable
        for change in file.changes:
            if isinstance(change, int):
                if self._random.getrandbits(1):
                    _resize(platter, change)
                continue
            offset, data = change
            fate = self._random.randrange(4)
            at = offset
            while at < offset + len(data):
                end = min(at - at % SECTOR_BYTES + SECTOR_BYTES, offset + len(data))
                # A quarter of the writes survive whole and a quarter not at all; of the rest, any sectors.
                if fate == 0 or (fate > 1 and self._random.getrandbits(1)):
                    if len(platter) < end:
                        _resize(platter, end)
                    platter[at:end] = data[at - offset : end - offset]
                at = end
        file.changes.clear()

    # --- what the member does with it ---

    @property
    def where(self) -> str:
        """See ``Directory``."""
        return self._where

    def lock(self) -> None:
        """See ``Directory``."""
        if self._locks:
            raise LedgerInUse(f"{self._where} is in use by another process")
        self._locks.append(self)

    def names(self) -> list[str]:
        """See ``Directory``."""
        return sorted(self._files)

    def create(self, name: str) -> None:
        """See ``Directory``."""
        if name in self._files:
            raise FileExistsError(errno.EEXIST, "File exists", name)
        self._open()
        self._need_room("create")
        self._before("create")
        self._change_names(lambda names: names.update({name: _File()}))
        self._fuse.reached("after create")

    def read(self, name: str) -> bytes:
        """See ``Directory``."""
        self._open()
        return bytes(self._file(name).seen)

    def pread(self, name: str, offset: int, size: int) -> bytes:
        """See ``Directory``."""
        self._open()
        return bytes(self._file(name).seen[offset : offset + size])

    def pwrite(self, name: str, offset: int, data: bytes) -> None:
        """See ``Directory``."""
        self._open_writable(name)
        self._before("write")
        file = self._file(name)
        if offset + len(data) > len(file.seen):
            if self.is_full and "grow" in self.full_for:
                # A short write: what fits the block that is there is taken, and the next call says why not more.
                data = data[: self._random.randint(0, len(data))]
                end = min(offset + len(data), len(file.seen))
                file.seen[offset:end] = data[: max(0, end - offset)]
                file.changes.append((offset, bytes(data[: max(0, end - offset)])))
            self._need_room("grow")
            _resize(file.seen, offset + len(data))
        file.seen[offset : offset + len(data)] = data
        file.changes.append((offset, bytes(data)))
        self._fuse.reached("after write")

    def size(self, name: str) -> int:
        """See ``Directory``."""
        return len(self._file(name).seen)

    def truncate(self, name: str, size: int) -> None:
        """See ``Directory``."""
        self._open_writable(name)
        self._before("truncate")
        file = self._file(name)
        _resize(file.seen, size)
        file.changes.append(size)
        self._fuse.reached("after truncate")

    def preallocate(self, name: str, size: int) -> None:
        """See ``Directory``."""
        if size > len(self._file(name).seen):
            self._need_room("grow")
            self.truncate(name, size)

    def sync(self, name: str) -> None:
        """See ``Directory``."""
        self._open_writable(name)
        self._before("sync")
        self._sync(self._file(name), name)
        self._fuse.reached("after sync")

    def _sync(self, file: _File, name: str) -> None:
        if self.fails_sync:
            self.fails_sync = False
            # The kernel reports the error once and holds the pages for clean: readers still see
            # them, a second sync succeeds without writing them, and the next power cut ends them.
            seen = file.seen
            self._tear(file)
            file.seen = seen
            raise OSError(errno.EIO, "Input/output error", name)
        # The changes and not the whole file: a segment is synced hundreds of times while it grows.
        for change in file.changes:
            if isinstance(change, int):
                _resize(file.durable, change)
                continue
            offset, data = change
            end = offset + len(data)
            if len(file.durable) < end:
                _resize(file.durable, end)
            file.durable[offset:end] = data
        file.changes.clear()

    def rename(self, old: str, new: str) -> None:
        """See ``Directory``."""
        file = self._file(old)
        self._need_room("rename")

        def change(names: dict[str, _File]) -> None:
            del names[old]
            names[new] = file

        self._before("rename")
        self._change_names(change)
        self._fuse.reached("after rename")
        self.release(new)
        if old in self._writable:
            self._writable.remove(old)
            self._writable.add(new)

    def remove(self, name: str) -> None:
        """See ``Directory``."""
        self._file(name)
        self.release(name)
        self._before("remove")
        self._change_names(lambda names: names.__delitem__(name))
        self._fuse.reached("after remove")

    def release(self, name: str) -> None:
        """See ``Directory``."""
        self._writable.discard(name)

    def sync_directory(self) -> None:
        """See ``Directory``."""
        self._open()
        self._before("directory sync")
        self._durable_names = dict(self._files)
        self._name_changes.clear()
        self._fuse.reached("after directory sync")

    def close(self) -> None:
        """See ``Directory``."""
        if self in self._locks:
            self._locks.remove(self)

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)
        return file

    def _change_names(self, change: Callable[[dict[str, _File]], None]) -> None:
        change(self._files)
        self._name_changes.append(dict(self._files))

    def _need_room(self, what: str) -> None:
        if self.is_full and what in self.full_for:
            raise OSError(self.full_errno, os.strerror(self.full_errno))

    def _open(self) -> None:
        if self.has_no_descriptors:
            raise OSError(errno.EMFILE, "Too many open files")

    def _open_writable(self, name: str) -> None:
        if name not in self._writable:
            self._open()
            self._writable.add(name)

    def _before(self, change: str) -> None:
        """A change is asked for, and the process may end before it; every change says when it is done, too."""
        if self.read_only_errno:
            raise OSError(self.read_only_errno, os.strerror(self.read_only_errno))
        self._fuse.reached(f"before {change}")


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))
