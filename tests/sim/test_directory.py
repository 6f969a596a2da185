"""The disk that forgets: what a power cut may and may not take."""

import errno
from random import Random

import pytest

from paxon.core.decree import FIRST_SLOT, Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Record, Vote
from paxon.sim.agenda import Agenda
from paxon.sim.directory import SECTOR_BYTES, SimDirectory
from paxon.sim.fuse import Fuse, PowerCut
from paxon.sim.strikes import FILE_POINTS, Strikes
from paxon.storage.identity import DataDirectory

NAME = "file"


def directory(seed: int = 0) -> SimDirectory:
    return with_fuse(seed)[0]


def with_fuse(seed: int) -> tuple[SimDirectory, Fuse]:
    fuse = Fuse(NodeId(1), Strikes(Agenda()))
    return SimDirectory(1, Random(seed), fuse), fuse


def with_file(seed: int, content: bytes) -> SimDirectory:
    made = directory(seed)
    made.create(NAME)
    made.pwrite(NAME, 0, content)
    made.sync(NAME)
    made.sync_directory()
    return made


def test_what_was_synced_survives_a_power_cut() -> None:
    for seed in range(20):
        made = with_file(seed, b"kept")
        made.power_cut()
        assert made.read(NAME) == b"kept"


def test_of_what_was_not_synced_any_sectors_survive() -> None:
    old, new = b"o" * 3 * SECTOR_BYTES, b"n" * 3 * SECTOR_BYTES
    fates = set()
    for seed in range(200):
        made = with_file(seed, old)
        made.pwrite(NAME, 0, new)
        assert made.read(NAME) == new
        made.power_cut()
        left = made.read(NAME)
        sectors = [left[at : at + SECTOR_BYTES] for at in range(0, len(left), SECTOR_BYTES)]
        assert all(len(set(sector)) == 1 for sector in sectors)
        fates.add(bytes(sector[0] for sector in sectors))
    assert len(fates) == 8


def test_the_death_of_a_process_loses_nothing_and_makes_nothing_durable() -> None:
    made = with_file(1, b"old")
    made.pwrite(NAME, 0, b"new")
    assert made.read(NAME) == b"new"
    left = set()
    for seed in range(20):
        made = with_file(seed, b"old")
        made.pwrite(NAME, 0, b"new")
        made.power_cut()
        left.add(made.read(NAME))
    assert left == {b"old", b"new"}


def test_names_survive_up_to_some_change_unless_synced() -> None:
    left = set()
    for seed in range(40):
        made = with_file(seed, b"x")
        made.rename(NAME, "a")
        made.rename("a", "b")
        made.power_cut()
        left.add(tuple(made.names()))
    assert left == {(NAME,), ("a",), ("b",)}
    made = with_file(0, b"x")
    made.rename(NAME, "a")
    made.sync_directory()
    made.power_cut()
    assert made.names() == ["a"]


def test_a_failed_sync_is_reported_once_and_the_next_one_lies() -> None:
    made = with_file(3, b"old")
    made.pwrite(NAME, 0, b"new")
    made.fails_sync = True
    with pytest.raises(OSError, match="Input/output error"):
        made.sync(NAME)
    made.sync(NAME)
    assert made.read(NAME) == b"new"


def test_a_full_disk_refuses_growth_and_nothing_else() -> None:
    made = with_file(0, b"12345678")
    made.is_full = True
    made.pwrite(NAME, 0, b"87654321")
    with pytest.raises(OSError, match="No space left") as caught:
        made.pwrite(NAME, 4, b"87654321")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        made.create("other")


@pytest.mark.parametrize("seed", range(60))
def test_the_ledger_file_keeps_what_it_called_durable_whenever_the_power_goes(seed: int) -> None:
    random = Random(seed)
    made, fuse = with_fuse(seed)
    written: list[Record] = []
    durable = 0
    for _ in range(12):
        if random.getrandbits(1):
            fuse.light(FILE_POINTS, random.randrange(80), 0)
        try:
            data = DataDirectory.open(made, "sim", "m1", NodeId(1), "storage")
            file = data.ledger(4096)
            found: list[Record] = []
            file.replay(found.append)
            assert len(found) >= durable
            assert found == written[: len(found)]
            written, durable = found, len(found)
            for _ in range(random.randrange(6)):
                group: list[Record] = [_vote(len(written) + number, random) for number in range(random.randrange(1, 5))]
                written += group
                file.append(group)
                durable = file.sync()
        except PowerCut:
            pass
        fuse.put_out()
        made.end_of_process()
        if random.getrandbits(1):
            made.power_cut()


def _vote(line: int, random: Random) -> Vote:
    ballot = Ballot(1 + line, NodeId(1))
    return Vote(Slot(FIRST_SLOT + line), ballot, Decree(ballot, 0, (bytes(random.randrange(600)),)))
