"""The data directory as the few file operations that storage needs.

Knows: names inside one directory.  Does not know: what is in the files.  Everything in this package goes through
``Directory``, so that a simulator can put a disk underneath which loses at a crash what was not synced.
"""

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Protocol

from paxon.errors import ConfigurationError, LedgerInUse, LedgerSyncFailed, check

LOCK = "lock"
TEMPORARY = ".tmp"
"""Ends the name of a file that is not complete yet.  Such files mean nothing after a crash."""

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The errors that go away when the operator makes room."""


class Directory(Protocol):
    """One flat directory.  Every operation raises ``OSError`` as the machine does.

    Nothing is durable before ``sync`` (a file's bytes and size) or ``sync_directory`` (creations, renames, removals).
    Reading is allowed from any thread; one file is written by one thread at a time.
    """

    @property
    def where(self) -> str:
        """What to call this directory in messages."""

    def lock(self) -> None:
        """Take the directory for this process alone, until ``close``.

        Raises:
            LedgerInUse: if another process has it.
        """

    def names(self) -> list[str]:
        """The files there are, sorted."""

    def create(self, name: str) -> None:
        """Make an empty file; ``FileExistsError`` if it is there."""

    def read(self, name: str) -> bytes:
        """A whole file; ``FileNotFoundError`` if it is not there."""

    def pread(self, name: str, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, fewer only at the end of the file."""

    def pwrite(self, name: str, offset: int, data: bytes) -> None:
        """Write all of ``data`` at ``offset``.  After an error any part of it may have been written."""

    def size(self, name: str) -> int:
        """How long the file is."""

    def truncate(self, name: str, size: int) -> None:
        """Cut the file, or extend it with zeros."""

    def preallocate(self, name: str, size: int) -> None:
        """Extend the file with zeros to ``size`` and reserve the space, so that writing there cannot fill the disk."""

    def sync(self, name: str) -> None:
        """Make the file's bytes and size durable."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing what had it."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def release(self, name: str) -> None:
        """No more writing to this file is coming: frees what is held open for it."""

    def sync_directory(self) -> None:
        """Make names durable."""

    def close(self) -> None:
        """Release everything held open, and the lock."""


class OsDirectory:
    """A directory of the operating system's.

    A file that is written to stays open until ``release``: Linux reports a failed write-back to the descriptors that
    were open when it failed, and a descriptor opened later for the sync alone may never hear of it.
    """

    def __init__(self, path: str | Path, create: bool = True) -> None:
        """
        Raises:
            ConfigurationError: if ``path`` is not a directory, or everybody may write to it.
        """
        self._path = Path(path)
        self._writable: dict[str, int] = {}
        self._lock: int | None = None
        try:
            if create:
                self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = self._path.stat().st_mode
        except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
            raise ConfigurationError(f"{self._path} is not a directory; name one for the data") from error
        if not stat.S_ISDIR(mode):
            raise ConfigurationError(f"{self._path} is not a directory; name one for the data")
        # Files are made readable by their owner alone, so a directory that others may list or search gives nothing
        # away.  One that anybody may write to lets anybody replace the ledger.
        if mode & stat.S_IWOTH:
            raise ConfigurationError(f"{self._path} may be written to by everybody; make it private (chmod o-w)")

    @property
    def where(self) -> str:
        """The path."""
        return str(self._path)

    def lock(self) -> None:
        """Take the directory for this process alone.

        Raises:
            LedgerInUse: if another process has it.
        """
        if self._lock is not None:
            return
        descriptor = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # An flock goes with its process, however that ends; a file holding a pid alone would outlive a crash.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise LedgerInUse(
                f"{self._path} is in use by the process with pid {holder}; "
                "stop that one, or give this member a directory of its own"
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        self._lock = descriptor
        os.ftruncate(descriptor, 0)
        try:
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            # The pid is only for the message: a full disk does not keep a member from starting to read.
            if error.errno not in DISK_FULL:
                raise

    def names(self) -> list[str]:
        """The files there are, sorted."""
        return sorted(os.listdir(self._path))

    def create(self, name: str) -> None:
        """Make an empty file, readable and writable by its owner alone."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._writable[name] = os.open(self._path / name, flags, 0o600)

    def read(self, name: str) -> bytes:
        """A whole file."""
        return (self._path / name).read_bytes()

    def pread(self, name: str, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``, fewer only at the end of the file."""
        # Opened for each call: sharing the writer's descriptor would race with its release, and the one reader
        # in a running member asks for large pieces.
        descriptor = os.open(self._path / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            pieces: list[bytes] = []
            while size > 0:
                piece = os.pread(descriptor, size, offset)
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
                size -= len(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            os.close(descriptor)

    def pwrite(self, name: str, offset: int, data: bytes) -> None:
        """Write all of ``data`` at ``offset``."""
        descriptor = self._open_writable(name)
        written = os.pwrite(descriptor, data, offset)
        while written < len(data):
            # A short write is how a disk that has just become full answers; the next one says so.
            more = os.pwrite(descriptor, memoryview(data)[written:], offset + written)
            if more == 0:
                raise OSError(errno.EIO, "the file takes no more bytes", name)
            written += more

    def size(self, name: str) -> int:
        """How long the file is."""
        return os.stat(self._path / name).st_size

    def truncate(self, name: str, size: int) -> None:
        """Cut the file, or extend it with zeros."""
        os.ftruncate(self._open_writable(name), size)

    def preallocate(self, name: str, size: int) -> None:
        """Extend the file to ``size`` and reserve the space."""
        # Where the file system cannot reserve, posix_fallocate of the C library writes zeros instead.
        os.posix_fallocate(self._open_writable(name), 0, size)

    def sync(self, name: str) -> None:
        """Make the file's bytes and size durable."""
        os.fdatasync(self._open_writable(name))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing what had it."""
        os.rename(self._path / old, self._path / new)
        self.release(new)
        if old in self._writable:
            self._writable[new] = self._writable.pop(old)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self.release(name)
        os.unlink(self._path / name)

    def release(self, name: str) -> None:
        """No more writing to this file is coming."""
        descriptor = self._writable.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def sync_directory(self) -> None:
        """Make names durable."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Release everything held open, and the lock."""
        for name in list(self._writable):
            self.release(name)
        if self._lock is not None:
            # The file stays: removing it would let a third process lock a new one while a second holds the old.
            os.close(self._lock)
            self._lock = None

    def _open_writable(self, name: str) -> int:
        descriptor = self._writable.get(name)
        if descriptor is None:
            descriptor = os.open(self._path / name, os.O_RDWR | os.O_CLOEXEC)
            self._writable[name] = descriptor
        return descriptor


def create_afresh(directory: Directory, temporary: str) -> None:
    """Create a temporary file, in place of one that an earlier attempt may have left behind."""
    try:
        directory.create(temporary)
    except FileExistsError:
        directory.remove(temporary)
        directory.create(temporary)


def put_in_place(directory: Directory, name: str, temporary: str) -> None:
    """Rename a finished and synced file to its name, and make the name durable.

    Raises:
        LedgerSyncFailed: if the name cannot be made durable.
    """
    check(temporary.endswith(TEMPORARY), "a file is put in place from its temporary name")
    directory.rename(temporary, name)
    try:
        directory.sync_directory()
    except OSError as error:
        # Whatever the error number: a second try might report success without having written anything.
        raise LedgerSyncFailed(f"{directory.where} could not be made durable: {error}") from error


def discard(directory: Directory, name: str) -> None:
    """Remove a temporary file that was not finished, if that is possible: leftovers are harmless."""
    try:
        directory.remove(name)
    except OSError:
        directory.release(name)


def remove_leftovers(directory: Directory, names: list[str]) -> list[str]:
    """Remove the temporary files that a crash left behind; what is left of ``names``."""
    for name in names:
        if name.endswith(TEMPORARY):
            directory.remove(name)
    return [name for name in names if not name.endswith(TEMPORARY)]
