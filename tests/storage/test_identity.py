"""A data directory knows whose it is, and whose storage its peers have."""

import pytest

from paxon.core.decree import NodeId
from paxon.errors import Disowned, ForeignIdentity, LedgerCorrupt, LedgerInUse, LedgerTooNew, WrongCluster
from paxon.storage.identity import DataDirectory, Identity, Remembrance, read_identity
from paxon.storage.twin import Twin
from tests.storage.disk import MemoryDirectory


def opened(disk: MemoryDirectory, storage: str = "s1") -> DataDirectory:
    return DataDirectory.open(disk, "berlin", "anna", NodeId(3), storage)


def test_an_empty_directory_becomes_the_members() -> None:
    disk = MemoryDirectory()
    assert read_identity(disk) is None
    assert opened(disk).identity == Identity("berlin", "anna", NodeId(3), "s1")
    again = disk.crash()
    assert opened(again, "s2").identity.storage == "s1"
    assert read_identity(again) == Identity("berlin", "anna", NodeId(3), "s1")


@pytest.mark.parametrize("leftover", ["lock", "lost+found", "identity.tmp", "identity.copy.tmp"])
def test_what_an_empty_directory_may_hold(leftover: str) -> None:
    disk = MemoryDirectory()
    disk.put(leftover, b"x")
    assert opened(disk).identity.storage == "s1"
    assert not [name for name in disk.names() if name.endswith(".tmp")]


@pytest.mark.parametrize("name", ["ledger-0000000000000001.seg", "ballots", "passwd", "passwd.tmp"])
def test_a_directory_that_is_not_empty_and_nobodys_is_refused_and_left_alone(name: str) -> None:
    disk = MemoryDirectory()
    disk.put(name, b"x")
    with pytest.raises(ForeignIdentity, match=r"data is not empty and says of no member.*name an empty directory"):
        opened(disk)
    assert disk.names() == [name]
    disk.lock()


def test_another_cluster_is_refused() -> None:
    disk = MemoryDirectory()
    opened(disk).close()
    with pytest.raises(WrongCluster, match="data belongs to cluster berlin, not to paris: name"):
        DataDirectory.open(disk, "paris", "anna", NodeId(3), "s1")


def test_another_member_is_refused() -> None:
    disk = MemoryDirectory()
    opened(disk).close()
    with pytest.raises(ForeignIdentity, match="data belongs to member anna, not to bert: name"):
        DataDirectory.open(disk, "berlin", "bert", NodeId(3), "s1")
    with pytest.raises(ForeignIdentity, match="under the id 3, not 4: correct"):
        DataDirectory.open(disk, "berlin", "anna", NodeId(4), "s1")
    assert opened(disk).identity.storage == "s1", "a refusal gives the lock back"


def test_one_process_at_a_time() -> None:
    disk = MemoryDirectory()
    data = opened(disk)
    with pytest.raises(LedgerInUse):
        opened(disk)
    data.close()
    opened(disk)


def test_introduced_is_durable() -> None:
    disk = MemoryDirectory()
    data = opened(disk)
    assert data.introduced is False
    data.mark_introduced()
    data.mark_introduced()
    assert opened(disk.crash()).introduced


def test_peers_are_remembered_from_the_first_meeting_on() -> None:
    disk = MemoryDirectory()
    data = opened(disk)
    data.introduce("bert", "s7")
    data.introduce("bert", "s7")
    data.introduce("cleo", "s8")
    data = opened(disk.crash())
    assert data.peers == {"bert": "s7", "cleo": "s8"}
    with pytest.raises(ForeignIdentity, match="member bert came with storage s9, but its votes are on storage s7"):
        data.introduce("bert", "s9")
    assert data.peers["bert"] == "s7"


@pytest.mark.parametrize("name", ["identity", "identity.copy", "peers", "peers.copy"])
def test_one_damaged_copy_is_repaired_and_reported(name: str) -> None:
    disk = MemoryDirectory()
    data = opened(disk)
    data.introduce("bert", "s7")
    data.close()
    disk.flip(name, 20, 1)
    again = opened(disk)
    assert again.findings == [f"data/{name} is damaged; it was repaired from the other copy"]
    assert (again.identity.storage, again.peers) == ("s1", {"bert": "s7"})
    again.close()
    assert opened(disk).findings == []


def test_a_missing_copy_is_made_again() -> None:
    disk = MemoryDirectory()
    opened(disk).close()
    disk.remove("identity")
    assert opened(disk).identity.storage == "s1"
    assert "identity" in disk.names()


@pytest.mark.parametrize("value", ["identity", "peers"])
def test_both_copies_damaged_is_refused(value: str) -> None:
    disk = MemoryDirectory()
    data = opened(disk)
    data.introduce("bert", "s7")
    data.close()
    disk.flip(value, 20, 1)
    disk.flip(value + ".copy", 20, 1)
    with pytest.raises(LedgerCorrupt, match=f"no whole copy of {value}"):
        opened(disk)


BROKEN_TEXT = b"\x81\xa6member\xa2\xff\xfe"
DEEP_NEST = b"\x81\xa1x" + b"\x91" * 100_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("identity", BROKEN_TEXT, id="identity-text"),
        pytest.param("peers", BROKEN_TEXT, id="peers-text"),
        pytest.param("identity", DEEP_NEST, id="identity-nest"),
        pytest.param("peers", DEEP_NEST, id="peers-nest"),
        pytest.param("ballots", DEEP_NEST, id="ballots-nest"),
    ],
)
def test_a_whole_copy_without_sense_is_refused(name: str, value: bytes) -> None:
    """Checksums tell damage only; such a value was written by some other program."""
    disk = MemoryDirectory()
    opened(disk).close()
    Twin(disk, name).write(value)
    with pytest.raises(LedgerCorrupt, match=f"the {name} in data makes? no sense"):
        opened(disk).ledger().replay(lambda record: None)


def test_a_newer_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDirectory()
    with monkeypatch.context() as newer:
        newer.setattr("paxon.storage.twin.VERSION", 2)
        opened(disk).close()
    with pytest.raises(LedgerTooNew, match="start the release that wrote it"):
        opened(disk)


def test_leftovers_of_a_crash_are_removed() -> None:
    disk = MemoryDirectory()
    opened(disk).close()
    disk.put("ledger-0000000000000001.seg.tmp", b"half")
    opened(disk)
    assert not [name for name in disk.names() if name.endswith(".tmp")]


def test_every_start_has_a_higher_number() -> None:
    disk = MemoryDirectory()
    assert opened(disk).begin_life() == 1
    again = opened(disk.crash())
    assert again.begin_life() == 2
    assert again.identity.boot == 2


def test_the_longest_lease_that_any_life_may_have_granted_is_known_to_every_later_one() -> None:
    disk = MemoryDirectory()
    forgotten = []
    for lease_ms in (0, 300, 500, 0, 200):
        life = opened(disk)
        forgotten.append(life.forgotten_lease_ms)
        life.begin_life(lease_ms)
        disk = disk.crash()
    assert forgotten == [0, 0, 300, 500, 500]


def test_a_disowned_directory_is_never_opened_again() -> None:
    disk = MemoryDirectory()
    opened(disk).disown("an older copy was put back")
    with pytest.raises(Disowned, match="refused by the other members: an older copy was put back"):
        opened(disk.crash())


def test_what_is_remembered_of_peers_survives() -> None:
    disk = MemoryDirectory()
    known = {"bert": Remembrance(70, 3, 12345)}
    data = opened(disk)
    assert data.remembered == {}
    data.remember(known)
    assert opened(disk.crash()).remembered == known


def test_what_is_remembered_is_not_written_again_unless_it_changed() -> None:
    disk = MemoryDirectory()
    known = {"bert": Remembrance(70, 3, 12345)}
    data = opened(disk)
    data.remember(known)
    before = disk.read("remembered")
    data.remember(dict(known))
    assert disk.read("remembered") == before
    data.remember({"bert": Remembrance(71, 3, 12345)})
    assert disk.read("remembered") != before


def test_a_lost_memory_of_others_keeps_nobody_from_starting() -> None:
    disk = MemoryDirectory()
    opened(disk).remember({"bert": Remembrance(70, 3, 12345)})
    for name in ("remembered", "remembered.copy"):
        disk.put(name, b"x" * 60)
    again = disk.crash()
    data = opened(again)
    assert data.remembered == {}
    assert any("what was remembered of the other members is lost" in finding for finding in data.findings)
    data.remember({"bert": Remembrance(71, 3, 12345)})
    assert opened(again.crash()).remembered == {"bert": Remembrance(71, 3, 12345)}
