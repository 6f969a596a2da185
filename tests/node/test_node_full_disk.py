"""A node on a file system that has no room left: a small one of its own, where the machine lets us mount one."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paxon.errors import RequestError
from paxon.node.consistency import STALE
from paxon.storage.identity import DataDirectory
from paxon.storage.ledger_file import LedgerFile
from tests.net.harness import run
from tests.node.nodes import Cluster, tapped

MIB = 1024 * 1024
SEGMENT_BYTES = 256 * 1024
VALUE = b"x" * 16 * 1024


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[list[Path]]:
    """Three file systems of 4 MiB."""
    with contextlib.ExitStack() as stack:
        made = []
        for name in ("n1", "n2", "n3"):
            where = tmp_path / name
            where.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)]
            if subprocess.run(command, capture_output=True).returncode != 0:
                pytest.skip("a file system can be mounted here only by root")
            stack.callback(subprocess.run, ["umount", str(where)], check=True)
            made.append(where)
        yield made


def fill(where: Path) -> Path:
    """Take what room there is; returns the file that holds it."""
    ballast = where / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (64 * 1024, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert shutil.disk_usage(where).free < 4096
    return ballast


def test_a_full_disk_costs_the_leadership_and_nothing_else(
    mounts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes go on elsewhere, what is there can be read, and with room again the member catches up by itself."""

    def small_segments(self: DataDirectory, segment_bytes: int = SEGMENT_BYTES) -> LedgerFile:
        return original(self, segment_bytes)

    original = DataDirectory.ledger
    monkeypatch.setattr(DataDirectory, "ledger", small_segments)

    async def main() -> None:
        town = Cluster(tmp_path)
        for name in town.names:
            town.configure(name, directory=tmp_path / name / "data")
        async with tapped() as tap:
            try:
                await town.start()
                full = await town.leader()
                others = await town.followers()
                await town.put(full, b"before", b"1")
                ballast = fill(tmp_path / full)
                refused: list[RequestError] = []
                for _ in range(100):
                    if tap.has("disk is full: no votes and no writes until there is room"):
                        break
                    try:
                        await town.put(full, b"much", VALUE)
                    except RequestError as error:
                        refused.append(error)
                await tap.until("disk is full: no votes and no writes until there is room")
                await tap.until("following leader")
                for number, name in enumerate([*others, full]):
                    await town.put_for_sure(name, b"after%d" % number, b"2")
                assert not town[full].is_leader
                assert await town.get(full, b"before", consistency=STALE) == b"1"
                assert await town.get(others[0], b"after2") == b"2"
                assert not town[full].failed.done()
                ballast.unlink()
                await tap.until("disk has room again")
                assert await town.get(full, b"after2") == b"2"
                await town.drop(others[0])
                await town.put_for_sure(full, b"needs its vote", b"3")
            finally:
                await town.drop()

    run(main)
