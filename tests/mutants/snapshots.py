"""Mutants of snapshots and trimmed ledgers: what may go, what must stay, and whose state is put in whose place."""

from collections.abc import Callable

from msgspec import structs

from paxon.core.decree import NO_BALLOT, Slot
from paxon.core.effects import Effects
from paxon.core.ledger import Ledger, Record, Vote
from paxon.kv.name_server import Before, NameServer
from paxon.node.host import Host
from paxon.node.requests import Requests
from paxon.storage import beginning, snapshot_store
from paxon.storage.beginning import BEGINNING, Trimmed
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.slot_index import SlotIndex
from paxon.storage.snapshot_file import Snapshot, SnapshotReader
from paxon.storage.snapshot_store import Draft, SnapshotStore
from paxon.storage.twin import Twin
from tests.mutants.mutant import Patch, mutant

# --- what goes with the oldest segments ---


@mutant("3.3.2; docs/protocol.md", "tests/storage/test_trim.py::test_what_is_not_covered_stays")
def trimmed_beyond_the_snapshot(patch: Patch) -> None:
    """Segments go whose decrees are in no snapshot yet."""
    trim = LedgerFile.trim

    def greedy(self: LedgerFile, slot: Slot, stamp_ms: int, tail_bytes: int) -> None:
        trim(self, self._index.passed_until, stamp_ms, tail_bytes)

    patch.replace(LedgerFile, "trim", greedy)


@mutant("I7", "tests/storage/test_trim.py::test_a_vote_in_a_slot_that_has_not_passed_keeps_its_segment")
def votes_go_with_their_segment(patch: Patch) -> None:
    """A segment goes although it has a vote in a slot that has not passed."""
    lowest = SlotIndex.lowest_from

    def lowest_passed(self: SlotIndex, slot: Slot) -> int | None:
        index = self.copy()
        index._beyond = {}
        return lowest(index, slot)

    patch.replace(SlotIndex, "lowest_from", lowest_passed)


@mutant("I7", "tests/storage/test_trim.py::test_ballots_of_removed_segments_are_remembered")
def ballots_go_with_their_segment(patch: Patch) -> None:
    """What was promised and tried in the segments that went is forgotten."""
    decode = beginning.decode_trimmed

    def without_ballots(where: str, value: bytes | None) -> Trimmed:
        trimmed = decode(where, value)
        ledger = structs.replace(trimmed.ledger, last_tried=NO_BALLOT, next_ballot=NO_BALLOT)
        return structs.replace(trimmed, ledger=ledger)

    patch.replace(beginning, "decode_trimmed", without_ballots)


@mutant("erratum E2", "tests/core/test_ledger.py::test_a_vote_below_the_beginning_is_still_a_promise")
def votes_below_the_beginning_promise_nothing(patch: Patch) -> None:
    """A vote in a slot that the ledger has let go of is passed over, and with it the promise that it implies."""
    replay = Ledger.replay

    def forgetful(self: Ledger, record: Record) -> None:
        promised = self.next_ballot
        replay(self, record)
        if isinstance(record, Vote) and record.slot < self._begins_at:
            self.next_ballot = promised

    patch.replace(Ledger, "replay", forgetful)


@mutant("docs/ledger-format.md", "tests/storage/test_trim.py::test_what_was_removed_is_not_missed")
def segments_go_without_a_note(patch: Patch) -> None:
    """Segments are removed, and nothing durable says where the ledger begins."""
    write = Twin.write

    def careless(self: Twin, value: bytes) -> None:
        if self._name != BEGINNING:
            write(self, value)

    patch.replace(Twin, "write", careless)


@mutant("docs/ledger-format.md", "tests/storage/test_trim.py::test_a_tail_is_kept")
def no_tail_is_kept(patch: Patch) -> None:
    """Nothing stays beside a snapshot, so that every short absence copies a state."""
    trim = LedgerFile.trim

    def bare(self: LedgerFile, slot: Slot, stamp_ms: int, tail_bytes: int) -> None:
        trim(self, slot, stamp_ms, 0)

    patch.replace(LedgerFile, "trim", bare)


# --- what counts as a snapshot ---


@mutant("docs/ledger-format.md", "tests/storage/test_snapshot_store.py::test_a_file_is_read_back_before_it_has_a_name")
def snapshots_not_read_back(patch: Patch) -> None:
    """A file that was written is taken for a snapshot unread."""

    def unread(self: Draft, breathe: Callable[[], None]) -> Snapshot:
        self._sync()
        return SnapshotReader(self._directory, self.name).peek(self._slot)

    patch.replace(Draft, "seal", unread)


@mutant(
    "docs/ledger-format.md",
    "tests/storage/test_snapshot_store.py::test_what_was_kept_survives_a_crash_and_nothing_else_does",
)
def snapshots_not_synced(patch: Patch) -> None:
    """A snapshot gets its name while its bytes are in the page cache alone."""

    def written_only(self: Draft) -> None:
        self._synced = self.size

    patch.replace(Draft, "_sync", written_only)


@mutant("docs/ledger-format.md", "tests/storage/test_snapshot_store.py::test_parts_of_a_file_are_the_file")
def fetched_file_stays_a_draft(patch: Patch) -> None:
    """Another member's snapshot takes the place of decrees before its name is durable."""

    def unnamed(self: SnapshotStore, draft: Draft, expected: Snapshot | None = None) -> Snapshot:
        snapshot = draft.seal()
        self.snapshots = (snapshot, *self.snapshots)
        return snapshot

    patch.replace(SnapshotStore, "keep", unnamed)


@mutant(
    "docs/protocol.md", "tests/storage/test_snapshot_store.py::test_a_file_that_is_not_what_was_offered_is_not_kept"
)
def any_file_will_do(patch: Patch) -> None:
    """What arrived is not compared with what was offered."""
    keep = SnapshotStore.keep

    def trusting(self: SnapshotStore, draft: Draft, expected: Snapshot | None = None) -> Snapshot:
        return keep(self, draft)

    patch.replace(SnapshotStore, "keep", trusting)


@mutant("bit rot (fault D5)", "tests/storage/test_snapshot_store.py::test_a_damaged_one_is_passed_over")
def damaged_snapshots_are_used(patch: Patch) -> None:
    """A snapshot whose ends are whole is taken to be whole."""
    patch.replace(SnapshotReader, "verify", lambda self, expected, *breathe: self.peek(expected))


@mutant("decision 13", "tests/storage/test_snapshot_store.py::test_the_oldest_are_pruned")
def one_snapshot_is_kept(patch: Patch) -> None:
    """Only the newest snapshot stays, and damage to it costs the member."""
    patch.replace(snapshot_store, "KEPT", 1)


@mutant(
    "bit rot (fault D5); decision 13",
    "tests/node/test_snapshots.py::test_a_damaged_file_is_noticed_by_its_owner_which_takes_another",
)
def damaged_snapshots_are_handed_out(patch: Patch) -> None:
    """A member offers a damaged file again and again, and nobody who needs it ever gets on."""

    def unchecked(self: SnapshotStore, snapshot: Snapshot, offset: int, size: int) -> bytes:
        return self._directory.pread(f"snapshot-{snapshot.slot:016d}", offset, size)

    patch.replace(SnapshotStore, "read", unchecked)


@mutant(
    "rsm.machine.Capturable", "tests/kv/test_name_server.py::test_a_capture_that_was_ended_does_not_end_the_next_one"
)
def captures_see_what_comes_later(patch: Patch) -> None:
    """A state that is being captured shows changes that were made after the capture began."""

    def forgetful(self: NameServer, key: bytes, before: Before) -> None:
        before.clear()

    patch.replace(NameServer, "_about_to_change", forgetful)


# --- taking over another member's ---


@mutant(
    "3.3.2; docs/protocol.md",
    "tests/node/test_snapshots.py::test_who_was_away_for_too_long_gets_a_snapshot_and_then_decrees",
)
def nothing_says_that_we_jumped(patch: Patch) -> None:
    """A fetched state is in place, and the ledger has no record of what it jumped over."""
    patch.replace(Host, "_jump", lambda self: Effects())


@mutant(
    "3.3.2; core.ledger.Ledger",
    "tests/core/test_ledger.py::test_a_jump_takes_the_place_of_everything_below_and_of_nothing_else",
)
def a_jump_keeps_votes(patch: Patch) -> None:
    """Votes in slots below a snapshot stay, although what passed there is known to have passed."""
    jump = Ledger._jump

    def hoarding(self: Ledger, slot: Slot) -> None:
        votes = dict(self.votes)
        jump(self, slot)
        self.votes = votes

    patch.replace(Ledger, "_jump", hoarding)


@mutant(
    "docs/protocol.md",
    "tests/node/test_snapshots.py::test_commands_whose_slots_were_jumped_over_have_an_unknown_fate",
)
def a_jump_forgets_proposals(patch: Patch) -> None:
    """Nobody is told of the commands that were in the slots a member jumped over."""
    patch.replace(Requests, "jump", lambda self, until: None)


@mutant(
    "3.3.2; docs/ledger-format.md",
    "tests/node/test_snapshots.py::test_a_crash_between_the_file_and_the_record_leaves_the_new_state",
)
def a_state_ahead_of_its_ledger(patch: Patch) -> None:
    """A member starts with a snapshot that its ledger does not reach, and does not write so down."""
    start = Host.start

    def silent(self: Host) -> None:
        jump, self._jump = self._jump, Effects  # type: ignore[method-assign]  # what the mutant is about
        start(self)
        self._jump = jump  # type: ignore[method-assign]  # as it was

    patch.replace(Host, "start", silent)
