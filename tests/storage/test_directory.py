"""The operating system's directory keeps the promises that the rest of storage relies on."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from paxon.errors import ConfigurationError, LedgerInUse
from paxon.storage.directory import OsDirectory
from tests.storage.scripts import flat, groups, opened, write


def test_what_is_written_is_read(tmp_path: Path) -> None:
    directory = OsDirectory(tmp_path / "a" / "data")
    directory.create("f")
    with pytest.raises(FileExistsError):
        directory.create("f")
    directory.pwrite("f", 3, b"abc")
    assert directory.read("f") == b"\0\0\0abc"
    assert directory.pread("f", 2, 2) == b"\0a"
    assert directory.pread("f", 4, 100) == b"bc"
    assert directory.pread("f", 100, 1) == b""
    directory.preallocate("f", 10)
    assert directory.size("f") == 10
    directory.truncate("f", 4)
    directory.sync("f")
    directory.rename("f", "g")
    directory.pwrite("g", 0, b"z")
    directory.sync("g")
    directory.sync_directory()
    directory.release("g")
    directory.pwrite("g", 1, b"y")
    assert directory.names() == ["g"]
    assert directory.read("g") == b"zy\0a"
    directory.remove("g")
    with pytest.raises(FileNotFoundError):
        directory.read("g")
    directory.close()


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    directory = OsDirectory(tmp_path / "data")
    directory.lock()
    directory.create("f")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for name in ("f", "lock"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600
    directory.close()


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="chmod o-w"):
        OsDirectory(tmp_path)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match="is not a directory"):
            OsDirectory(path)
    with pytest.raises(ConfigurationError, match="is not a directory"):
        OsDirectory(tmp_path / "missing", create=False)
    assert not (tmp_path / "missing").exists()


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    program = (
        "import sys; from paxon.storage.directory import OsDirectory\n"
        "directory = OsDirectory(sys.argv[1]); directory.lock(); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        directory = OsDirectory(tmp_path)
        with pytest.raises(LedgerInUse, match=f"{tmp_path} is in use by the process with pid {other.pid}; stop"):
            directory.lock()
        other.kill()
    directory.lock()
    directory.lock()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    directory.close()
    OsDirectory(tmp_path).lock()


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = OsDirectory(tmp_path)
    directory.create("f")
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: real(descriptor, bytes(data)[:3], offset))
    directory.pwrite("f", 1, b"0123456789")
    assert directory.read("f") == b"\x000123456789"
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: 0)
    with pytest.raises(OSError, match="takes no more") as caught:
        directory.pwrite("f", 1, b"0123456789")
    assert caught.value.errno == errno.EIO
    directory.close()


def test_a_ledger_on_a_real_disk(tmp_path: Path) -> None:
    directory = OsDirectory(tmp_path)
    plan = groups(slots=30, size=500)
    for number in range(len(plan)):
        ledger_file, replayed, findings = opened(directory)
        assert (replayed, findings) == (flat(plan[:number]), [])
        write(ledger_file, plan[number : number + 1])
        if number % 2:
            ledger_file.close()
    assert len(os.listdir("/proc/self/fd")) < 100
    directory.close()
