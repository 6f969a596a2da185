"""The snapshots in a data directory: making, verifying, finding, fetching, and letting go of them (section 3.3.2).

Knows: which files there are.  Does not know: what is in a state, when one is captured, or threads: all of its methods
that touch files are called by one thread at a time, beside those of the ledger.

Theory of operation.  A file is written under a temporary name, synced every few megabytes and at the end, read back and
compared, and only then given its name; the name is synced.  So a crash leaves a file that means nothing, or a whole
one.  What is in ``snapshots`` has come all that way in this life of the process, or was found at its start.
"""

from collections.abc import Callable, Iterable, Iterator

from paxon.core.decree import FIRST_SLOT, Slot
from paxon.errors import LedgerCorrupt, SnapshotUnusable
from paxon.storage.ballots import ADVICE
from paxon.storage.directory import TEMPORARY, Directory, create_afresh, discard, put_in_place
from paxon.storage.snapshot_file import Snapshot, SnapshotEncoder, SnapshotReader, snapshot_name, snapshot_slots

KEPT = 2
"""How many snapshots are kept.  The ledger reaches back to the older one, so that one damaged file costs no member."""

SYNC_BYTES = 4 * 1024 * 1024
"""How much of a snapshot waits for a sync at a time: a file system that has a gigabyte to write makes the ledger's
syncs wait for it."""


class SnapshotStore:
    """The snapshots of one member.

    Invariant: ``snapshots`` has the newest first, and each of them is durable under its name.
    """

    def __init__(
        self, directory: Directory, report: Callable[[str], None], breathe: Callable[[], None] = lambda: None
    ) -> None:
        """``report`` is told in sentences of what was found damaged.

        ``breathe`` is called every so often by whatever reads a whole file beside a running member.  A thread that
        reads without a pause takes a processor from the loop, and votes wait for that.
        """
        self._directory = directory
        self._report = report
        self._breathe = breathe
        self.snapshots: tuple[Snapshot, ...] = ()
        """Replaced as a whole, so that any thread may look at it."""

    @property
    def newest(self) -> Snapshot | None:
        """The newest one, if there is any."""
        return self.snapshots[0] if self.snapshots else None

    @property
    def disk_bytes(self) -> int:
        """The size of all of them."""
        return sum(snapshot.size for snapshot in self.snapshots)

    @property
    def is_redundant(self) -> bool:
        """Whether the newest could be damaged without loss, if the ledger reached back to the one before it."""
        return len(self.snapshots) >= KEPT

    def find(self, from_slot: Slot) -> Snapshot | None:
        """The newest sound snapshot, to be called at the start; None if the ledger goes back to its beginning.

        ``from_slot`` is where the ledger begins: an older snapshot is of no use.

        Raises:
            LedgerCorrupt: if none will do, and one is needed.
        """
        found: Snapshot | None = None
        sound: list[Snapshot] = []
        damage = ""
        for slot in snapshot_slots(self._directory.names()):
            reader = self._reader(slot)
            try:
                # The older ones are read when they are needed: what is found damaged now may be so later as well.
                sound.append(reader.verify(slot) if found is None else reader.peek(slot))
            except SnapshotUnusable as error:
                damage = damage or str(error)
                self._report(f"{error}; an older one is used if the ledger reaches back to it")
            else:
                found = found or sound[-1]
        self.snapshots = tuple(sound)
        if found is not None and found.slot >= from_slot:
            return found
        if from_slot > FIRST_SLOT:
            why = damage or f"the ledger in {self._directory.where} begins at slot {from_slot}, and no snapshot does"
            raise LedgerCorrupt(f"{why}. {ADVICE}")
        return None

    def pieces(self, snapshot: Snapshot) -> Iterator[bytes]:
        """The captured state.

        Raises:
            SnapshotUnusable: if the file was damaged meanwhile.
        """
        return self._reader(snapshot.slot).read(snapshot.slot)

    def read(self, snapshot: Snapshot, offset: int, size: int) -> bytes:
        """Bytes of the file for another member, fewer only at its end; none if the file is gone.

        Raises:
            SnapshotUnusable: at offset 0, if the file was damaged meanwhile.  It is offered to nobody from then on.
            OSError: as the disk does.
        """
        if snapshot not in self.snapshots:
            return b""
        if offset == 0:
            # The other member would notice, but only at the end, and could do nothing but ask for the same again.
            try:
                self._reader(snapshot.slot).verify(snapshot.slot, self._breathe)
            except SnapshotUnusable as error:
                self._report(str(error))
                self.snapshots = tuple(other for other in self.snapshots if other != snapshot)
                raise
        return self._directory.pread(snapshot_name(snapshot.slot), offset, size)

    def draft(self, slot: Slot) -> "Draft":
        """Begin a file.

        Raises:
            OSError: as the disk does.
        """
        return Draft(self._directory, slot)

    def keep(self, draft: "Draft", expected: Snapshot | None = None) -> Snapshot:
        """Verify a finished draft, against what another member ``expected`` it to be, and give it its name.

        Raises:
            SnapshotUnusable: if what is read back is not what was written, or sent; the draft is gone then.
            OSError: as the disk does; the draft is gone then.
            LedgerSyncFailed: if the name cannot be made durable.
        """
        snapshot = draft.seal(self._breathe)
        if expected is not None and snapshot != expected:
            draft.discard()
            raise SnapshotUnusable(f"the snapshot that arrived is {snapshot}, and {expected} was announced")
        try:
            put_in_place(self._directory, snapshot_name(snapshot.slot), draft.name)
        except OSError:
            draft.discard()
            raise
        self._directory.release(snapshot_name(snapshot.slot))
        others = [other for other in self.snapshots if other.slot != snapshot.slot]
        self.snapshots = tuple(sorted([snapshot, *others], key=lambda kept: kept.slot, reverse=True))
        return snapshot

    def prune(self, spared: Iterable[Snapshot]) -> None:
        """Remove all but the newest ``KEPT`` and those that somebody is still fetching.

        Raises:
            OSError: as the disk does; the rest can be removed later.
        """
        kept = set(self.snapshots[:KEPT]) | (set(spared) & set(self.snapshots))
        # Nobody is handed a file that is about to go.
        self.snapshots = tuple(snapshot for snapshot in self.snapshots if snapshot in kept)
        slots = {snapshot.slot for snapshot in self.snapshots}
        for slot in snapshot_slots(self._directory.names()):
            if slot not in slots:
                self._directory.remove(snapshot_name(slot))

    def _reader(self, slot: Slot) -> SnapshotReader:
        return SnapshotReader(self._directory, snapshot_name(slot))


class Draft:
    """A snapshot file that is being written, by this member's capture or from another member's file."""

    def __init__(self, directory: Directory, slot: Slot) -> None:
        """
        Raises:
            OSError: as the disk does.
        """
        self._directory = directory
        self._slot = slot
        self.name = snapshot_name(slot) + TEMPORARY
        self.size = 0
        """How many bytes it has."""
        self._synced = 0
        create_afresh(directory, self.name)

    def append(self, data: bytes) -> None:
        """Add bytes to the file.

        Raises:
            OSError: as the disk does; the draft is gone then.
        """
        try:
            self._directory.pwrite(self.name, self.size, data)
            self.size += len(data)
            if self.size - self._synced >= SYNC_BYTES:
                self._sync()
        except OSError:
            self.discard()
            raise

    def seal(self, breathe: Callable[[], None] = lambda: None) -> Snapshot:
        """Sync the file and read it back.

        Raises:
            OSError: as the disk does; the draft is gone then.
            SnapshotUnusable: if it is not what was written; the draft is gone then.
        """
        try:
            self._sync()
            return SnapshotReader(self._directory, self.name).verify(self._slot, breathe)
        except (OSError, SnapshotUnusable):
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the file, if that is possible."""
        discard(self._directory, self.name)

    def _sync(self) -> None:
        self._directory.sync(self.name)
        self._synced = self.size


class Capture:
    """A draft made of the pieces of this member's own state."""

    def __init__(self, store: SnapshotStore, slot: Slot) -> None:
        """
        Raises:
            OSError: as the disk does.
        """
        self._store = store
        self._encoder = SnapshotEncoder(slot)
        self.draft = store.draft(slot)

    def add(self, pieces: Iterable[bytes]) -> None:
        """Write ``pieces`` behind those before.

        Raises:
            OSError: as the disk does; the draft is gone then.
        """
        self.draft.append(self._encoder.encode(pieces))

    def keep(self) -> Snapshot:
        """End the file; see ``SnapshotStore.keep``."""
        self.draft.append(self._encoder.end())
        return self._store.keep(self.draft)
