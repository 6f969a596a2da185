"""A small value kept twice, so that no single damaged file loses it.

    magic 8 | version u16 | sequence u64 | length u32 | value | crc32c u32

Big-endian.  The checksum covers everything before it and begins with the file's purpose, so that one twin never passes
for another.  This envelope is the same in every version, so that a newer one is told from a damaged one.

Theory of operation: each copy is replaced by writing a temporary file, syncing it, renaming it over the copy and
syncing the directory, first ``name``, then ``name.copy``.  A crash therefore leaves each copy whole, old or new, and at
least one of them new once ``write`` has returned.  A copy that fails its checksum is damage, never a crash.
"""

import errno
from collections.abc import Callable
from struct import Struct as Layout

from google_crc32c import extend

from paxon.errors import LedgerCorrupt, LedgerTooNew
from paxon.storage.directory import TEMPORARY, Directory, create_afresh, discard, put_in_place

VERSION = 1

COPY = ".copy"

_MAGIC = b"PAXTWIN\n"
_HEADER = Layout(">8sHQI")
_CHECKSUM = Layout(">I")


class Twin:
    """One value under ``name`` and ``name.copy``."""

    def __init__(self, directory: Directory, name: str) -> None:
        self._directory = directory
        self._name = name
        self._names = (name, name + COPY)
        self._sequence = 0

    def read(self) -> bytes | None:
        """The newest whole value; None if there never was one.  Changes nothing.

        Raises:
            LedgerCorrupt: if no copy is whole.
            LedgerTooNew: if a newer release wrote it.
        """
        return self._examine()[0]

    def read_and_repair(self, report: Callable[[str], None]) -> bytes | None:
        """The newest whole value, after making both copies agree; ``report`` is told of damage in one of them.

        Raises:
            LedgerCorrupt: if no copy is whole.
            LedgerTooNew: if a newer release wrote it.
            LedgerSyncFailed: if the repaired copy's name cannot be made durable.
        """
        value, stale, damage = self._examine()
        for finding in damage:
            report(f"{finding}; it was repaired from the other copy")
        if value is not None:
            for name in stale:
                self._write_copy(name, value)
        return value

    def damage(self) -> list[str]:
        """What is wrong with one of the copies, for whoever only looks.

        Raises:
            LedgerCorrupt: if no copy is whole.
            LedgerTooNew: if a newer release wrote it.
        """
        return self._examine()[2]

    def write(self, value: bytes) -> None:
        """Replace the value durably.  After ``OSError`` it is the old or the new one, and writing may be repeated.

        Raises:
            LedgerSyncFailed: if a name cannot be made durable.
        """
        self._sequence += 1
        for name in self._names:
            self._write_copy(name, value)

    def _examine(self) -> tuple[bytes | None, list[str], list[str]]:
        """The value, the copies that do not have it, and what is wrong with them."""
        values: dict[str, tuple[int, bytes]] = {}
        stale: list[str] = []
        damage: list[str] = []
        missing = 0
        for name in self._names:
            try:
                data = self._directory.read(name)
            except FileNotFoundError:
                missing += 1
                stale.append(name)
                continue
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = b""
            found = self._parse(data)
            if found is None:
                damage.append(f"{self._directory.where}/{name} is damaged")
                stale.append(name)
            else:
                values[name] = found
        if not values:
            if missing == len(self._names):
                return None, [], []
            raise LedgerCorrupt(
                f"no whole copy of {self._name} is left in {self._directory.where}: "
                "replace this member by a new one with an empty directory, and keep this directory for inspection"
            )
        self._sequence, newest = max(values.values())
        stale += [name for name, (sequence, _) in values.items() if sequence < self._sequence]
        return newest, stale, damage

    def _write_copy(self, name: str, value: bytes) -> None:
        data = _HEADER.pack(_MAGIC, VERSION, self._sequence, len(value)) + value
        data += _CHECKSUM.pack(self._checksum(data))
        temporary = name + TEMPORARY
        try:
            create_afresh(self._directory, temporary)
            self._directory.pwrite(temporary, 0, data)
            self._directory.sync(temporary)
            put_in_place(self._directory, name, temporary)
        except OSError:
            discard(self._directory, temporary)
            raise
        finally:
            self._directory.release(name)

    def _parse(self, data: bytes) -> tuple[int, bytes] | None:
        """Sequence and value of one copy; None if it is damaged."""
        if len(data) < _HEADER.size + _CHECKSUM.size:
            return None
        magic, version, sequence, length = _HEADER.unpack_from(data)
        covered = data[: -_CHECKSUM.size]
        if magic != _MAGIC or len(covered) != _HEADER.size + length:
            return None
        if _CHECKSUM.unpack_from(data, len(covered))[0] != self._checksum(covered):
            return None
        if version > VERSION:
            raise LedgerTooNew(
                f"{self._directory.where}/{self._name} has format {version}, this release reads up to {VERSION}: "
                "start the release that wrote it, or a newer one"
            )
        return sequence, covered[_HEADER.size :]

    def _checksum(self, covered: bytes) -> int:
        return int(extend(extend(0, self._name.encode()), covered))
