"""Snapshots in real processes' clothes: files, threads, links, and a member that comes back to a trimmed ledger."""

import asyncio
from pathlib import Path

import pytest

from paxon.node.settings import SnapshotSettings
from paxon.storage.directory import OsDirectory
from paxon.storage.identity import DataDirectory
from paxon.storage.inspect import verify
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.snapshot_file import snapshot_slots
from tests.net.harness import PATIENCE_S, run
from tests.node.nodes import Cluster, cluster, tapped

SEGMENT_BYTES = 8 * 1024
OFTEN = SnapshotSettings(every_bytes=1 << 40, every_slots=20, tail_bytes=0, part_bytes=4096)
VALUE = b"x" * 300


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small segments, and little in memory."""

    def small_segments(self: DataDirectory, segment_bytes: int = SEGMENT_BYTES) -> LedgerFile:
        return original(self, segment_bytes)

    original = DataDirectory.ledger
    monkeypatch.setattr(DataDirectory, "ledger", small_segments)
    monkeypatch.setattr("paxon.core.ledger.KEPT_SLOTS", 4)


async def write_until_trimmed(town: Cluster, at: str, *names: str) -> None:
    """Snapshots are looked for when something is applied, so go on writing until enough of them were taken."""
    async with asyncio.timeout(PATIENCE_S):
        for name in names:
            number = 0
            while verify(OsDirectory(town.configs[name].directory)).first_slot <= 40:
                await town.put_for_sure(at, b"more %d" % (number % 10), VALUE)
                number += 1


async def write(town: Cluster, at: str, first: int, last: int) -> None:
    for number in range(first, last):
        await town.put_for_sure(at, b"%d" % number, VALUE)


def snapshots(town: Cluster, name: str) -> list[int]:
    return list(snapshot_slots([path.name for path in town.configs[name].directory.iterdir()]))


def test_a_restart_begins_with_a_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, size=1, snapshots=OFTEN) as town:
            await write(town, "n1", 0, 100)
            await write_until_trimmed(town, "n1", "n1")
            await town.stop("n1")
            assert len(snapshots(town, "n1")) == 2
            report = verify(OsDirectory(tmp_path / "n1"))
            assert report.sound
            await town.start("n1")
            for number in (0, 50, 99):
                assert await town.get("n1", b"%d" % number) == VALUE

    run(main)


def test_who_was_away_for_too_long_fetches_a_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with tapped() as tap, cluster(tmp_path, snapshots=OFTEN) as town:
            away = (await town.followers())[0]
            await write(town, away, 0, 3)
            await town.drop(away)
            at = await town.leader()
            await write(town, at, 3, 120)
            await write_until_trimmed(town, at, *town.nodes)
            await town.start(away)
            await tap.until("snapshot arrived")
            for number in (0, 60, 119):
                assert await town.get(away, b"%d" % number) == VALUE
            await write(town, away, 120, 125)
            # And what it has by now is what it starts with the next time.
            await town.drop(away)
            await town.start(away)
            assert await town.get(away, b"124") == VALUE

    run(main)
