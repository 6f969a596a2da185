"""Disks that rot, lie and forget, directories and addresses that are mixed up: each happens, and is noticed."""

import errno
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Beginning, Passed, Record, Vote
from paxon.core.messages import BeginBallot, Voted
from paxon.errors import Disowned, ForeignIdentity, InvariantViolation, LedgerCorrupt
from paxon.net.introductions import Introductions
from paxon.net.peer_memory import PeerMemory
from paxon.sim import greetings
from paxon.sim.agenda import Agenda
from paxon.sim.atlas import FATAL, REPAIRABLE, TWINS, Damage, End, Place
from paxon.sim.directory import SimDirectory
from paxon.sim.fuse import Fuse
from paxon.sim.greetings import Stranger
from paxon.sim.plan import plan_of
from paxon.sim.script import Script
from paxon.sim.strikes import Strikes
from paxon.sim.world import Violation, World
from paxon.storage import scan
from paxon.storage.identity import DataDirectory
from paxon.storage.segment import FRAME_BYTES, Frame
from paxon.storage.snapshot_store import Capture

SEGMENT_BYTES = 4096

DISKS = "disks"

Break = Callable[[pytest.MonkeyPatch], None]


def empty_directory(seed: int = 1) -> SimDirectory:
    """A directory of member 1, whose process may not be ended by it."""
    return SimDirectory(1, Random(seed), Fuse(NodeId(1), Strikes(Agenda())))


def vote(line: int) -> Vote:
    ballot = Ballot(1 + line, NodeId(1))
    return Vote(Slot(line), ballot, Decree(ballot, 0, (b"%d" % line * 40,)))


def filled(groups: int) -> tuple[SimDirectory, list[Record]]:
    """A directory with a ledger of some segments, whose process was killed."""
    made = empty_directory()
    data = DataDirectory.open(made, "sim", "m1", NodeId(1), "storage")
    data.begin_life()
    data.introduce("m2", "storage-2")
    file = data.ledger(SEGMENT_BYTES)
    file.replay(lambda record: None)
    records: list[Record] = []
    for _ in range(groups):
        group: list[Record] = [vote(len(records) + number) for number in (1, 2, 3)]
        file.append(group)
        file.sync()
        records += group
    made.end_of_process()
    return made, records


def behind_a_snapshot(groups: int) -> tuple[SimDirectory, list[Record]]:
    """The same with two snapshots, of which only the newer one reaches the ledger, whose oldest segments are gone."""
    made, records = filled(groups)
    data = DataDirectory.open(made, "sim", "m1", NodeId(1), "storage")
    file, store = data.ledger(SEGMENT_BYTES), data.snapshots()
    file.replay(lambda record: None)
    covered = Slot(len(records) // 2)
    passing: list[Record] = []
    passing += [Passed(vote.slot, vote.ballot) for vote in records if isinstance(vote, Vote)][:covered]
    file.append(passing)
    file.sync()
    for slot in (Slot(2), covered):
        capture = Capture(store, slot)
        capture.add([b"state", b"." * 600])
        capture.keep()
    file.trim(covered, 0, 0)
    assert file.first_slot > 2
    made.end_of_process()
    return made, records + passing


def read_back(directory: SimDirectory) -> list[Record]:
    """The records from where the ledger begins."""
    data = DataDirectory.open(directory, "sim", "m1", NodeId(1), "another")
    records: list[Record] = []
    store = data.snapshots()

    def begin(beginning: Beginning) -> None:
        store.find(beginning.slot)

    try:
        data.ledger(SEGMENT_BYTES).replay(records.append, begin)
    finally:
        directory.end_of_process()
    return records


def refusal(directory: SimDirectory) -> str:
    """Why the directory is refused; empty if it is not."""
    try:
        read_back(directory)
    except (LedgerCorrupt, ForeignIdentity) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("place", [*REPAIRABLE, *FATAL], ids=lambda place: place.__name__)
def test_every_place_of_the_atlas_ends_as_it_says(place: Place) -> None:
    ends: Counter[str] = Counter()
    for seed in range(60):
        directory, written = behind_a_snapshot(groups=24)
        written = written[len(written) - len(read_back(directory)) :]
        damage = place(directory, Random(seed))
        assert damage is not None
        damage.apply()
        if reason := refusal(directory):
            assert damage.end is not End.REPAIRED, damage.what
            assert damage.file in reason, damage.what
            assert "offset" in reason or not damage.file.endswith(".seg"), damage.what
            ends["refused"] += 1
            continue
        assert damage.end is not End.REFUSED, damage.what
        found = read_back(directory)
        assert found == written[: len(found)], f"{damage.what}: never anything that was not written"
        if damage.end is End.REPAIRED:
            assert found == written
            assert directory.twins_agree(TWINS), damage.what
        ends["started"] += 1
    if place in REPAIRABLE:
        assert ends == {"started": 60}
    else:
        assert ends["refused"] > 20


def test_a_lying_disk_shows_when_the_power_goes_and_not_before() -> None:
    directory, written = filled(groups=2)
    directory.begin_lie()
    directory.create("later")
    directory.sync_directory()
    data = DataDirectory.open(directory, "sim", "m1", NodeId(1), "another")
    file = data.ledger(SEGMENT_BYTES)
    file.replay(lambda record: None)
    file.append([vote(100)])
    assert file.sync() == len(written) + 1
    directory.end_of_process()
    directory.power_cut()
    assert not directory.lies, "a disk that was found out writes from here on"
    assert "later" not in directory.names()
    assert read_back(directory) == written


def test_what_a_lying_disk_pretended_is_there_if_the_power_stays() -> None:
    directory = empty_directory()
    directory.create("file")
    directory.sync_directory()
    directory.begin_lie()
    directory.pwrite("file", 0, b"x")
    directory.sync("file")
    directory.end_lie()
    directory.power_cut()
    assert directory.read("file") == b"x"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_directory_can_be_read(number: int) -> None:
    directory, _ = filled(groups=1)
    directory.read_only_errno = number
    assert directory.read("identity")
    changes: list[Callable[[], None]] = [
        lambda: directory.create("a"),
        lambda: directory.pwrite("identity", 0, b"x"),
        lambda: directory.truncate("identity", 0),
        lambda: directory.rename("identity", "a"),
        lambda: directory.remove("identity"),
    ]
    for change in changes:
        with pytest.raises(OSError, match=r"Read-only|denied") as caught:
            change()
        assert caught.value.errno == number


def test_a_disk_may_have_no_room_for_one_thing_and_some_for_another() -> None:
    directory, _ = filled(groups=1)
    directory.is_full, directory.full_errno = True, errno.EDQUOT
    directory.full_for = frozenset({"rename"})
    directory.create("a")
    with pytest.raises(OSError, match="quota") as caught:
        directory.rename("a", "b")
    assert caught.value.errno == errno.EDQUOT
    directory.full_for = frozenset({"grow"})
    directory.rename("a", "b")
    directory.is_full = False
    directory.pwrite("b", 0, b"12345678")
    directory.is_full = True
    left = set()
    for _ in range(40):
        directory.overwrite("b", 0, b"12345678")
        with pytest.raises(OSError, match="quota"):
            directory.pwrite("b", 6, b"xxxx")
        left.add(directory.read("b"))
    assert left == {b"12345678", b"123456x8", b"123456xx"}, "a short write, and the file is no longer than before"


def test_names_that_a_power_cut_takes_back_are_a_strike() -> None:
    asked: list[int] = []
    directory, _ = filled(groups=1)

    def may_lose(lost: int) -> bool:
        asked.append(lost)
        return False

    directory.may_lose_names = may_lose
    for number in range(20):
        directory.create(f"a{number}")
        directory.power_cut()
        assert f"a{number}" in directory.names(), "a strike that is spared takes nothing back"
    assert asked


# --- in a run ---


def test_every_disk_fault_strikes_in_a_few_runs() -> None:
    faults: Counter[str] = Counter()
    for seed in range(20):
        faults.update(World(seed, plan_of(seed, DISKS)).run().faults)
    assert {*(f"D{number}" for number in range(1, 12)), "N9"} <= set(faults)


def test_members_that_rightly_stay_out_are_no_more_than_the_others_can_spare() -> None:
    lost = 0
    for seed in range(8):
        world = World(seed, plan_of(seed, DISKS))
        world.run()
        left = set(world.core)
        roster = world.rosters.of(Slot(1))
        assert roster.is_promise_quorum(left)
        assert roster.is_vote_quorum(left)
        lost += len(world.members) - len(left)
    assert lost


def run_disks(seeds: int) -> None:
    for seed in range(seeds):
        World(seed, plan_of(seed, DISKS)).run()


def checksums_ignored(patch: pytest.MonkeyPatch) -> None:
    """The ledger takes whatever has the form of a record."""

    def decode_frame(data: bytes, at: int, size: int, seed: int, offset: int) -> Frame | None:
        frame = data[at : at + size]
        number = int.from_bytes
        kind, line, synced = frame[10], number(frame[11:19], "big"), number(frame[19:27], "big")
        return Frame(offset, offset + size, kind, line, synced, frame[FRAME_BYTES:])

    patch.setattr(scan, "decode_frame", decode_frame)


def storages_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Any storage will do under any name."""
    patch.setattr(Introductions, "introduce", lambda self, member, storage: None)


def lines_and_starts_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Whatever a member comes with is good enough."""
    patch.setattr(PeerMemory, "meet", lambda self, node, member, standing: None)


def starts_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Lines are compared, and starts are not."""
    original = PeerMemory.meet
    patch.setattr(
        PeerMemory,
        "meet",
        lambda self, node, member, standing: original(self, node, member, type(standing)(standing.line)),
    )


def welcomes_unjudged(patch: pytest.MonkeyPatch) -> None:
    """Who dials does not look at who answers, and who answers does not ask who was meant."""
    patch.setattr(greetings, "judge_welcome", lambda welcome, me, node, peer: None)
    patch.setattr(greetings, "judge_hello", lambda hello, me, peers, names: None)
    patch.setattr(Introductions, "introduce", lambda self, member, storage: None)


def hellos_unjudged(patch: pytest.MonkeyPatch) -> None:
    """Whoever dials is taken in."""
    patch.setattr(greetings, "judge_hello", lambda hello, me, peers, names: None)
    patch.setattr(Introductions, "introduce", lambda self, member, storage: None)
    patch.setattr(PeerMemory, "meet", lambda self, node, member, standing: None)


BROKEN: dict[Break, str] = {
    checksums_ignored: "reads back the records it wrote|names the damaged file|does not start on a damaged disk",
    storages_forgotten: "one storage for ever",
    lines_and_starts_forgotten: "invariant 14|second process on a copy",
    starts_forgotten: "second process on a copy",
    welcomes_unjudged: "N9|takes nothing from cluster",
    hellos_unjudged: "takes nothing from cluster|one storage for ever",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_rule_is_noticed(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation, match=rf"\A[^\n]*({BROKEN[broken]})"):
        run_disks(60)


# --- by hand ---


def forgetful(script: Script) -> None:
    """Member 2 votes for what member 1 then counts; an older copy of its directory is put back."""
    script.elect(1)
    script.settle()
    member = script.world.members[NodeId(2)]
    image = member.directory.image()
    script.submit(1)
    script.deliver(BeginBallot, to=2)
    script.sync(1, 2)
    assert script.deliver(Voted, sender=2, to=1) == 1
    script.sync(1)
    assert script.commands_in(1, 1), "it passed with member 2's vote, and nobody but member 1 knows"
    script.crash(2)
    member.damage = Damage("D9", "an older copy is put back", End.FORGOTTEN, lambda: None)
    member.directory.put_back(image)


def test_who_counted_a_vote_refuses_the_member_that_forgot_it() -> None:
    script = Script(3)
    forgetful(script)
    member = script.world.members[NodeId(2)]
    script.restart(2)
    assert "the ledger of m2 ends at line" in member.lost
    assert not member.is_alive
    with pytest.raises(Disowned, match="refused by the other members"):
        DataDirectory.open(member.directory, "sim", "m2", NodeId(2), "another")
    # The others go on, and what passed has passed.
    script.settle(among=(1, 3))
    assert script.commands_in(3, 1) == script.commands_in(1, 1)


def test_without_the_rule_the_member_that_forgot_its_vote_would_be_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    lines_and_starts_forgotten(monkeypatch)
    script = Script(3)
    forgetful(script)
    with pytest.raises(InvariantViolation, match="invariant 14: member 1 was told of line"):
        script.restart(2)


def test_a_member_that_lost_only_what_nobody_was_told_is_beyond_the_rule() -> None:
    """The limit that decision 10 names: who alone counted its own vote is gone with it."""
    script = Script(3)
    script.elect(1)
    script.settle()
    member = script.world.members[NodeId(1)]
    image = member.directory.image()
    script.submit(1)
    script.sync(1)
    script.crash(1)
    member.damage = Damage("D4", "the last sync was pretended", End.FORGOTTEN, lambda: None)
    member.directory.put_back(image)
    script.restart(1)
    assert script.world.trace.counts["losses that nobody remembers"] == 1
    assert "nobody who is there remembers" in member.lost, "a real member would vote: the simulator takes it out"


def test_an_emptied_disk_is_refused_by_all_who_met_it() -> None:
    script = Script(3)
    script.elect(1)
    script.settle()
    script.crash(3)
    member = script.world.members[NodeId(3)]
    member.damage = Damage("D9", "the directory is emptied", End.FORGOTTEN, lambda: None)
    member.directory.put_back(empty_directory().image())
    member.storages += 1
    script.restart(3)
    assert "member m3 came with storage storage-3.2, but its votes are on storage storage-3.1" in member.lost


def test_swapped_addresses_and_other_clusters_carry_nothing() -> None:
    script = Script(3)
    script.elect(1)
    script.settle()
    addresses = script.world.addresses
    addresses.moved.update({NodeId(2): NodeId(3), NodeId(3): Stranger(NodeId(3))})
    for process in addresses.processes.values():
        for number in (NodeId(2), NodeId(3)):
            process.lose(number)
    script.wait(1_000)
    script.mailbox.clear()
    script.submit(1)
    assert not script.waiting(sender=1), "nobody is where member 1 looks for him"
    addresses.moved.clear()
    script.wait(1_000)
    script.settle()
    assert script.commands_in(2, 1) == script.commands_in(3, 1) == script.commands_in(1, 1)
