"""Looks at a ledger without being its member: for the operator, whatever state it is in.

Knows: everything in the directory.  Takes no lock and changes nothing, so it may run beside the member; the last
records of a running member may then look torn.
"""

from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from paxon.core.decree import FIRST_SLOT, Ballot, Decree, Slot
from paxon.core.ledger import Jumped, Ledger, Outcome, Passed, Record, Vote
from paxon.errors import ForeignIdentity, InvariantViolation, LedgerCorrupt, SnapshotUnusable
from paxon.storage.ballots import BALLOTS, Ballots, compare, decode_ballots
from paxon.storage.beginning import BEGINNING, UNTRIMMED, Trimmed, decode_trimmed
from paxon.storage.directory import Directory
from paxon.storage.identity import IDENTITY, PEERS, Identity, read_identity
from paxon.storage.scan import Damage, Scan
from paxon.storage.segment import Frame, segment_name
from paxon.storage.snapshot_file import Snapshot, SnapshotReader, snapshot_name, snapshot_slots
from paxon.storage.twin import Twin
from paxon.storage.window import record_of

RACES_MAX = 3
"""How often a look is begun anew because a file was gone.  Files go when a snapshot was taken, which is rare."""

TWINS = (IDENTITY, PEERS, BALLOTS, BEGINNING)
"""What is kept twice, and damage to both copies of it fatal."""


class Line(Struct, frozen=True):
    """One record of the ledger, and where it is."""

    segment: str
    offset: int
    line: int
    synced: int
    """The last line that was durable when this one was written."""
    kind: str
    slot: Slot | None
    ballot: Ballot | None
    """The ballot of the record itself; for an outcome, the one in which its decree was first proposed."""
    commands: int
    command_bytes: int
    stamp_ms: int | None

    @property
    def term(self) -> int | None:
        """The ballot as one integer."""
        return None if self.ballot is None else self.ballot.term


class Report(Struct, frozen=True):
    """What ``verify`` found."""

    identity: Identity
    segments: int
    disk_bytes: int
    records: int
    first_slot: Slot
    """Decrees below have made room for a snapshot."""
    passed_until: Slot
    """Every slot below has passed, as far as the ledger could be read."""
    promised: Ballot
    tried: Ballot
    torn_bytes: int
    """What a crash left of the last write.  Harmless: it was never durable, and the member's next start removes it."""
    unproven_records: int
    """Good records at the end that nothing proves durable yet.  Damage to them would look like a torn tail."""
    damage: str | None
    """Why the member refuses to start, in one sentence."""
    damage_at: Damage | None
    """Where the segments are damaged, if that is why."""
    last_slot: Slot | None
    """The slot of the last record that could be read."""
    snapshots: tuple[Snapshot, ...]
    """The sound ones, newest first."""
    damaged_snapshots: tuple[str, ...]
    """What is wrong with the others.  The member does without them."""
    repairable: tuple[str, ...]
    """Damage to one of two copies, which the member's next start repairs."""

    @property
    def sound(self) -> bool:
        """Whether the member can start."""
        return self.damage is None


def show(directory: Directory) -> Iterator[Line]:
    """Every record that can be read, in order; ends at a torn tail.

    Raises:
        LedgerCorrupt: at the first damage, after the records ahead of it.
        LedgerTooNew: if a newer release wrote the ledger.
        ForeignIdentity: if a file of another member lies among the segments.
    """
    trimmed = _trimmed(directory)
    scan = Scan(directory, _owner(directory).storage, trimmed.segment, trimmed.ledger.line)
    slot: Slot | None = None
    for frame in scan.frames():
        record = record_of(frame, f"{directory.where}/{segment_name(scan.number)}")
        shown = _line(segment_name(scan.number), frame, record)
        slot = shown.slot or slot
        yield shown
    if scan.damage is not None:
        raise LedgerCorrupt(scan.damage.describe(directory.where, slot))


def verify(directory: Directory) -> Report:
    """Read everything and replay it.

    Raises:
        LedgerCorrupt: if there is no identity to check against, or it is damaged.
        LedgerTooNew: if a newer release wrote the ledger.
    """
    for _ in range(RACES_MAX):
        # A running member may trim its ledger between our looking at the names and our reading.
        with suppress(FileNotFoundError):
            return _verify(directory)
    return _verify(directory)


def _verify(directory: Directory) -> Report:
    identity = _owner(directory)
    scan = Scan(directory, identity.storage)
    ledger = Ledger()
    trimmed = UNTRIMMED
    reading = _Reading()
    proven = 0
    repairable: list[str] = []
    try:
        kept = decode_ballots(directory.where, Twin(directory, BALLOTS).read())
        trimmed = _trimmed(directory)
        scan = Scan(directory, identity.storage, trimmed.segment, trimmed.ledger.line)
        ledger = Ledger(trimmed.ledger)
        reading.read(directory, scan, ledger)
        if reading.damage_at is None:
            compare(directory.where, scan, Ballots(ledger.next_ballot, ledger.last_tried, ledger.line), kept)
            proven = max(scan.proven, kept.line if kept is not None else 0)
        repairable = [finding for name in TWINS for finding in Twin(directory, name).damage()]
    except (LedgerCorrupt, ForeignIdentity) as error:
        reading.damage = reading.damage or str(error)
    snapshots, damaged_snapshots = _snapshots(directory)
    begins_at = trimmed.ledger.slot
    is_reached = begins_at == FIRST_SLOT or any(snapshot.slot >= begins_at for snapshot in snapshots)
    if reading.damage is None and not is_reached:
        lack = f"the ledger begins at slot {begins_at}, and no sound snapshot reaches it"
        reading.damage = "; ".join([lack, *damaged_snapshots])
    return Report(
        identity=identity,
        segments=len(scan.numbers),
        disk_bytes=sum(directory.size(segment_name(number)) for number in scan.numbers),
        records=ledger.line - trimmed.ledger.line,
        first_slot=trimmed.ledger.slot,
        passed_until=ledger.passed_until,
        promised=ledger.next_ballot,
        tried=ledger.last_tried,
        torn_bytes=scan.torn.end - scan.torn.offset if scan.torn is not None else 0,
        unproven_records=scan.line - proven if reading.damage is None else 0,
        damage=reading.damage,
        damage_at=reading.damage_at,
        last_slot=reading.last_slot,
        snapshots=tuple(snapshots),
        damaged_snapshots=tuple(damaged_snapshots),
        repairable=tuple(repairable),
    )


class _Reading:
    """How far a ledger could be read, and why no further."""

    def __init__(self) -> None:
        self.last_slot: Slot | None = None
        self.damage_at: Damage | None = None
        self.damage: str | None = None

    def read(self, directory: Directory, scan: Scan, ledger: Ledger) -> None:
        """Replay everything into ``ledger``.

        Raises:
            LedgerError: as a scan does.
        """
        for frame in scan.frames():
            record = record_of(frame, f"{directory.where}/{segment_name(scan.number)}")
            try:
                ledger.replay(record)
            except InvariantViolation as error:
                reason = f"the record contradicts what is before it: {error}"
                self.damage_at = Damage(segment_name(scan.number), frame.offset, frame.line, reason)
                break
            ledger.forget_what_the_file_keeps()
            self.last_slot = getattr(record, "slot", self.last_slot)
        self.damage_at = self.damage_at or scan.damage
        if self.damage_at is not None:
            self.damage = self.damage_at.describe(directory.where, self.last_slot)


def _snapshots(directory: Directory) -> tuple[list[Snapshot], list[str]]:
    """The sound snapshots, newest first, and what is wrong with the others."""
    sound: list[Snapshot] = []
    damaged: list[str] = []
    for slot in snapshot_slots(directory.names()):
        try:
            sound.append(SnapshotReader(directory, snapshot_name(slot)).verify(slot))
        except SnapshotUnusable as error:
            damaged.append(str(error))
    return sound, damaged


def _trimmed(directory: Directory) -> Trimmed:
    return decode_trimmed(directory.where, Twin(directory, BEGINNING).read())


def _owner(directory: Directory) -> Identity:
    identity = read_identity(directory)
    if identity is None:
        raise LedgerCorrupt(f"{directory.where} is no member's data directory: it has no identity")
    return identity


def _line(segment: str, frame: Frame, record: Record) -> Line:
    slot: Slot | None = None
    ballot: Ballot | None = None
    decree: Decree | None = None
    match record:
        case Vote(slot=slot, ballot=ballot, decree=decree):
            pass
        case Outcome(slot=slot, decree=decree):
            ballot = decree.ballot
        case Passed(slot=slot, ballot=ballot):
            pass
        case Jumped(slot=slot):
            pass
        case _:
            ballot = record.ballot
    return Line(
        segment=segment,
        offset=frame.offset,
        line=frame.line,
        synced=frame.synced,
        kind=type(record).__name__,
        slot=slot,
        ballot=ballot,
        commands=0 if decree is None else len(decree.commands),
        command_bytes=0 if decree is None else sum(map(len, decree.commands)),
        stamp_ms=None if decree is None else decree.stamp_ms,
    )
