"""A twin survives the loss of either copy, and says so."""

import errno

import pytest

from paxon.errors import LedgerCorrupt, LedgerTooNew
from paxon.storage.twin import Twin
from tests.storage.disk import FailNth, MemoryDirectory

NAMES = ("value", "value.copy")


def written(*values: bytes) -> MemoryDirectory:
    disk = MemoryDirectory()
    twin = Twin(disk, "value")
    for value in values:
        twin.write(value)
    return disk.crash()


def test_nothing_was_written() -> None:
    assert Twin(MemoryDirectory(), "value").read() is None


def test_the_last_value_is_read() -> None:
    disk = written(b"one", b"", b"three")
    twin = Twin(disk, "value")
    assert twin.read() == b"three"
    twin.write(b"four")
    assert Twin(disk.crash(), "value").read() == b"four"
    assert disk.names() == list(NAMES)


def test_golden_bytes() -> None:
    disk = written(b"\x01\x02")
    expected = "504158545749 4e0a 0001 0000000000000001 00000002 0102 3707a1c8"
    assert disk.read("value") == disk.read("value.copy") == bytes.fromhex(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_of_one_copy(name: str) -> None:
    whole = written(b"one", b"two")
    for offset in range(len(whole.read(name))):
        for bit in range(8):
            disk = whole.copy()
            disk.flip(name, offset, bit)
            findings: list[str] = []
            assert Twin(disk, "value").read() == b"two"
            assert Twin(disk, "value").damage() == [f"data/{name} is damaged"]
            assert Twin(disk, "value").read_and_repair(findings.append) == b"two"
            assert findings == [f"data/{name} is damaged; it was repaired from the other copy"]
            assert disk.crash().read(name) == whole.read(name)


@pytest.mark.parametrize("name", NAMES)
def test_one_copy_cut_short_or_missing_or_unreadable(name: str) -> None:
    whole = written(b"one", b"two")
    for size in range(len(whole.read(name))):
        disk = whole.copy()
        disk.put(name, whole.read(name)[:size])
        assert Twin(disk, "value").read() == b"two"
    disk = whole.copy()
    disk.remove(name)
    assert Twin(disk, "value").read_and_repair(pytest.fail) == b"two"
    assert disk.read(name) == whole.read(name)
    disk.before = FailNth(1 + NAMES.index(name), errno.EIO)
    assert Twin(disk, "value").read() == b"two"
    disk.before = FailNth(1 + NAMES.index(name), errno.EACCES)
    with pytest.raises(OSError, match="on purpose"):
        Twin(disk, "value").read()


def test_the_newer_copy_wins_and_the_older_follows() -> None:
    disk = written(b"one", b"two")
    disk.put("value.copy", written(b"one").read("value.copy"))
    assert Twin(disk, "value").read_and_repair(pytest.fail) == b"two"
    assert disk.read("value.copy") == disk.read("value")


def test_both_copies_damaged() -> None:
    disk = written(b"one")
    for name in NAMES:
        disk.flip(name, 24, 3)
    with pytest.raises(LedgerCorrupt, match="no whole copy of value is left in data: replace this member"):
        Twin(disk, "value").read()


def test_one_twin_does_not_pass_for_another() -> None:
    disk = written(b"one")
    disk.put("other", disk.read("value"))
    with pytest.raises(LedgerCorrupt):
        Twin(disk, "other").read()


def test_a_newer_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("paxon.storage.twin.VERSION", 2)
        disk = written(b"one")
    with pytest.raises(LedgerTooNew, match="data/value has format 2, this release reads up to 1"):
        Twin(disk, "value").read()


def test_a_leftover_is_replaced() -> None:
    disk = written(b"one")
    disk.put("value.tmp", b"half")
    Twin(disk, "value").write(b"two")
    assert disk.names() == list(NAMES)


def test_a_full_disk_leaves_a_whole_value() -> None:
    for nth in range(1, 9):
        disk = written(b"one")
        twin = Twin(disk, "value")
        assert twin.read() == b"one"
        disk.before = FailNth(nth, errno.ENOSPC, spared=frozenset({"sync_directory"}))
        with pytest.raises(OSError, match="on purpose"):
            twin.write(b"two")
        disk.before = lambda operation, name: None
        assert Twin(disk.crash(), "value").read() in (b"one", b"two")
        twin.write(b"three")
        assert Twin(disk.crash(), "value").read() == b"three"
        assert disk.names() == list(NAMES)
