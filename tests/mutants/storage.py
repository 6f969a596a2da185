"""Mutants of the storage: what is durable, what is damage, and whose directory it is."""

from collections.abc import Callable

from paxon.storage import ballots, directory, segment
from paxon.storage.directory import Directory, OsDirectory
from paxon.storage.identity import DataDirectory
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.scan import Scan, Torn
from paxon.storage.segment import FRAME_BYTES, Frame
from paxon.storage.tail import Tail
from paxon.storage.twin import Twin
from tests.mutants.mutant import Patch, mutant

# --- what is durable ---


@mutant(
    "docs/ledger-format.md",
    "tests/storage/test_ledger_file.py::test_what_was_synced_is_replayed",
)
def lines_reported_before_the_sync(patch: Patch) -> None:
    """Records are reported durable once they are written, without a sync."""
    patch.replace(Tail, "_sync", lambda self: None)


@mutant(
    "a failed sync (fault D2); docs/ledger-format.md",
    "tests/storage/test_ledger_faults.py::TestFailedSync::test_records_in_the_page_cache_alone_are_written_again",
)
def failed_sync_tried_again(patch: Patch) -> None:
    """After a sync that failed another one is believed, although the kernel may have dropped the pages."""
    sync = Tail._sync

    def hopeful(self: Tail) -> None:
        try:
            self._directory.sync(self._name)
        except OSError:
            sync(self)

    patch.replace(Tail, "_sync", hopeful)


@mutant(
    "a failed sync (fault D2); docs/ledger-format.md",
    "tests/storage/test_ledger_faults.py::TestFailedSync::test_whatever_the_error_it_is_final",
)
def failed_ledger_goes_on(patch: Patch) -> None:
    """A ledger file takes records and syncs after a sync failed for good."""
    patch.replace(LedgerFile, "_refuse_after_failure", lambda self: None)


@mutant(
    "a failed sync (fault D2); storage.ledger_file, step 2 of opening",
    "tests/storage/test_ledger_faults.py::TestFailedSync::test_records_in_the_page_cache_alone_are_written_again",
)
def unproven_records_not_rewritten(patch: Patch) -> None:
    """Records that may be in the page cache alone are taken for durable when a ledger is opened."""
    patch.replace(Scan, "unproven_from", property(lambda self: self.end))


@mutant(
    "a name that is not durable (fault D10); docs/ledger-format.md",
    "tests/storage/test_identity.py::test_introduced_is_durable",
)
def names_not_made_durable(patch: Patch) -> None:
    """A finished file gets its name, and the directory is not synced."""

    def renamed_only(where: Directory, name: str, temporary: str) -> None:
        where.rename(temporary, name)

    patch.replace(directory, "put_in_place", renamed_only)


# --- what is damage, and what a crash left ---


@mutant(
    "a power cut (fault D1); storage.ledger_file, step 1 of opening",
    "tests/storage/test_ledger_damage.py::TestCut::test_what_a_crash_left_behind_a_gap_never_follows_a_new_record",
)
def torn_tail_not_cut(patch: Patch) -> None:
    """What a crash left behind the last good record stays there."""

    cut = Tail._cut

    def tells_only(self: Tail, torn: Torn, report: Callable[[str], None]) -> None:
        cut(self, Torn(torn.offset, torn.offset), report)

    patch.replace(Tail, "_cut", tells_only)


@mutant(
    "damage at rest (fault D5); docs/ledger-format.md",
    "tests/storage/test_ledger_damage.py::TestFlip::test_the_message_says_where",
)
def damage_in_the_middle_cut_off(patch: Patch) -> None:
    """Damage with durable records behind it is taken for a torn tail."""
    patch.replace(segment, "candidates", lambda data, from_line: iter(()))


@mutant(
    "damage at rest (fault D5); docs/ledger-format.md",
    "tests/storage/test_ledger_file.py::TestRecall::test_damage_is_noticed",
)
def record_checksum_not_checked(patch: Patch) -> None:
    """A record is believed whatever its checksum says."""

    def believe(data: bytes, at: int, size: int, seed: int, offset: int) -> Frame | None:
        _, _, _, kind, line, synced = segment._FRAME.unpack_from(data, at)
        return Frame(offset, offset + size, kind, line, synced, data[at + FRAME_BYTES : at + size])

    patch.replace(segment, "decode_frame", believe)


@mutant(
    "a misdirected write (fault D6); storage.segment",
    "tests/storage/test_segment.py::test_a_frame_is_bound_to_its_storage_and_segment",
)
def checksum_without_place(patch: Patch) -> None:
    """A record's checksum does not tell which storage and segment it belongs to."""
    patch.replace(segment, "seed", lambda storage, number: 0)


@mutant(
    "a disk that lies (fault D4); storage.ballots",
    "tests/storage/test_ledger_file.py::TestBallots::test_a_lost_tried_ballot_is_refused",
)
def ballots_not_kept_twice(patch: Patch) -> None:
    """A sync that raised a ballot leaves the twin of the ballots as it was."""
    enter = LedgerFile._enter

    def forgetful(self: LedgerFile, positions: list[int]) -> None:
        enter(self, positions)
        self._kept = self._ballots

    patch.replace(LedgerFile, "_enter", forgetful)


@mutant(
    "a wiped or older disk (fault D9); storage.ballots",
    "tests/storage/test_ledger_file.py::TestBallots::test_a_lost_tried_ballot_is_refused",
)
def ballots_not_compared(patch: Patch) -> None:
    """A ledger that has lost what was durable is opened all the same."""
    patch.replace(ballots, "compare", lambda where, scan, found, expected: None)


@mutant("damage at rest (fault D5); storage.twin", "tests/storage/test_twin.py::test_a_full_disk_leaves_a_whole_value")
def twin_has_one_copy(patch: Patch) -> None:
    """A value that is kept twice is written once."""

    def write(self: Twin, value: bytes) -> None:
        self._sequence += 1
        self._write_copy(self._name, value)

    patch.replace(Twin, "write", write)


# --- whose directory it is ---


@mutant(
    "two processes (fault P6); storage.directory",
    "tests/storage/test_directory.py::test_a_second_process_is_told_who_has_it",
)
def directory_not_locked(patch: Patch) -> None:
    """Two processes may have one data directory."""
    patch.replace(OsDirectory, "lock", lambda self: None)


@mutant(
    "decision 3; a wiped or older disk (fault D9)",
    "tests/storage/test_identity.py::test_peers_are_remembered_from_the_first_meeting_on",
)
def new_storage_under_an_old_name(patch: Patch) -> None:
    """A member that comes with another storage than it had is taken at its word."""
    introduce = DataDirectory.introduce

    def trusting(self: DataDirectory, member: str, storage: str) -> None:
        self._peers.pop(member, None)
        introduce(self, member, storage)

    patch.replace(DataDirectory, "introduce", trusting)
