"""The places of a data directory where bytes can rot, and what a start must make of each.

Knows: the layout in docs/ledger-format.md, as far as a place needs it.  Does not know: members, or
when a disk is damaged.  Every place is damaged on one member at most, and only so many members are
damaged beyond repair that the others can go on: there is always a good copy left.
"""

from collections.abc import Callable
from enum import Enum
from random import Random

from msgspec import Struct

from paxon.sim.directory import SECTOR_BYTES, SimDirectory
from paxon.storage.ballots import BALLOTS
from paxon.storage.beginning import BEGINNING, decode_trimmed
from paxon.storage.identity import IDENTITY, PEERS, REMEMBERED
from paxon.storage.segment import FRAME_BYTES, HEADER_BYTES_MAX, segment_name, segment_numbers
from paxon.storage.snapshot_file import snapshot_name, snapshot_slots
from paxon.storage.twin import COPY, Twin

TWINS = (IDENTITY, PEERS, BALLOTS, BEGINNING, REMEMBERED)
"""What is kept twice."""


class End(Enum):
    """What the next start makes of damage."""

    REPAIRED = "the other copy is used, and the member starts"
    REFUSED = "the member does not start, and names the file"
    CUT_OR_REFUSED = (
        "refused if the bytes are needed and known to be durable; cut, written over, or done without, if not"
    )
    FORGOTTEN = "the disk is sound and has too little: the other members refuse it"


class Damage(Struct, frozen=True):
    """What is done to a disk."""

    fault: str
    what: str
    end: End
    apply: Callable[[], None]
    """Does it."""
    file: str = ""
    """The file that a refusal has to name, if it has to name one."""


def twin_copy(directory: SimDirectory, random: Random) -> Damage | None:
    """One copy of something that is kept twice is damaged, or its name is lost."""
    names = [name for base in TWINS for name in (base, base + COPY)]
    there = [name for name in names if {name, _other(name)} <= set(directory.names())]
    if not there:
        return None
    name = random.choice(there)
    if random.random() < 0.25:
        return Damage("D10", f"the directory entry of {name} is lost", End.REPAIRED, lambda: directory.lose_name(name))
    return _rot(directory, name, 0, directory.size(name), random, End.REPAIRED)


def both_copies(directory: SimDirectory, random: Random) -> Damage | None:
    """Both copies of the identity, of the ballots, or of the note where the ledger begins are damaged."""
    base = random.choice((IDENTITY, BALLOTS, BEGINNING))
    if not {base, base + COPY} <= set(directory.names()):
        return None
    one, other = (_rot(directory, name, 0, directory.size(name), random, End.REFUSED) for name in (base, base + COPY))

    def both() -> None:
        one.apply()
        other.apply()

    # A running member may write the twin anew before anybody reads it.
    return Damage("D5", f"{one.what} and {other.what}", End.CUT_OR_REFUSED, both, base)


def segment_header(directory: SimDirectory, random: Random) -> Damage | None:
    """The beginning of a segment is damaged."""
    numbers = _segments(directory)
    if not numbers:
        return None
    name = segment_name(random.choice(numbers))
    return _rot(directory, name, 0, 8, random, End.REFUSED)


def ledger_middle(directory: SimDirectory, random: Random) -> Damage | None:
    """A record with a later segment behind it is damaged."""
    found = _sealed(directory, random)
    return found and _rot(directory, *found, random, End.REFUSED)


def ledger_middle_misplaced(directory: SimDirectory, random: Random) -> Damage | None:
    """A sector with a later segment behind it holds what belongs elsewhere."""
    found = _sealed(directory, random)
    return found and _misplaced(directory, *found, random, End.REFUSED)


def ledger_tail(directory: SimDirectory, random: Random) -> Damage | None:
    """Bytes of the last segment are damaged, more often than not the last ones."""
    found = _tail(directory)
    if found is None:
        return None
    name, first, end = found
    return _rot(directory, name, max(first, end - random.choice((40, 400, 4_000))), end, random, End.CUT_OR_REFUSED)


def ledger_tail_misplaced(directory: SimDirectory, random: Random) -> Damage | None:
    """A sector of the last segment holds what belongs elsewhere."""
    found = _tail(directory)
    return found and _misplaced(directory, *found, random, End.CUT_OR_REFUSED)


def missing_segment(directory: SimDirectory, random: Random) -> Damage | None:
    """A segment with a later one behind it is gone."""
    numbers = _segments(directory)
    if len(numbers) < 2:
        return None
    name = segment_name(random.choice(numbers[:-1]))
    return Damage("D11", f"{name} is missing", End.REFUSED, lambda: directory.lose_name(name), name)


def last_segment_missing(directory: SimDirectory, random: Random) -> Damage | None:
    """The newest segment is gone: the others are a whole ledger, only an older one."""
    numbers = _segments(directory)
    if len(numbers) < 2:
        return None
    name = segment_name(numbers[-1])
    what = f"{name}, the newest, is missing"
    return Damage("D11", what, End.CUT_OR_REFUSED, lambda: directory.lose_name(name), "ledger")


def segment_too_new(directory: SimDirectory, random: Random) -> Damage | None:
    """The newest segment has the number of the one after the next: one in between is not there."""
    numbers = _segments(directory)
    if not numbers:
        return None
    name, next_name = segment_name(numbers[-1]), segment_name(numbers[-1] + 1)
    what = f"{name} is found as the next one"
    return Damage("D11", what, End.REFUSED, lambda: directory.give_name(name, next_name), name)


def snapshot_file(directory: SimDirectory, random: Random) -> Damage | None:
    """A snapshot is damaged: the newest, or an older one that is needed only if that one is."""
    slots = snapshot_slots(directory.names())
    if not slots:
        return None
    name = snapshot_name(random.choice(slots))
    return _rot(directory, name, 0, directory.size(name), random, End.CUT_OR_REFUSED)


Place = Callable[[SimDirectory, Random], Damage | None]

REPAIRABLE: tuple[Place, ...] = (twin_copy,)
"""Damage that a member outlives."""

FATAL: tuple[Place, ...] = (
    both_copies,
    segment_header,
    ledger_middle,
    ledger_middle_misplaced,
    ledger_tail,
    ledger_tail_misplaced,
    missing_segment,
    last_segment_missing,
    segment_too_new,
    snapshot_file,
)
"""Damage after which a member may stay out for good."""


def _segments(directory: SimDirectory) -> list[int]:
    """The segments that the ledger consists of: a crash may have left others, in which nothing matters."""
    first = decode_trimmed(directory.where, Twin(directory, BEGINNING).read()).segment
    return [number for number in segment_numbers(directory.names()) if number >= first]


def _other(name: str) -> str:
    return name.removesuffix(COPY) if name.endswith(COPY) else name + COPY


def _rot(directory: SimDirectory, name: str, first: int, end: int, random: Random, outcome: End) -> Damage:
    """A bit in ``[first, end)`` flips, or the part of a sector that lies there becomes zeros."""
    at = random.randrange(first, max(first + 1, end))
    from_, until = max(first, at - at % SECTOR_BYTES), min(end, at - at % SECTOR_BYTES + SECTOR_BYTES)
    zeros = bytes(until - from_)
    if random.getrandbits(1) or directory.pread(name, from_, len(zeros)) == zeros:
        flipped = bytes([directory.pread(name, at, 1)[0] ^ 1 << random.randrange(8)])
        what = f"a bit of {name} flips at offset {at}"
        return Damage("D5", what, outcome, lambda: directory.overwrite(name, at, flipped), name)
    what = f"{len(zeros)} bytes of {name} at offset {from_} become zeros"
    return Damage("D5", what, outcome, lambda: directory.overwrite(name, from_, zeros), name)


def _misplaced(directory: SimDirectory, name: str, first: int, end: int, random: Random, outcome: End) -> Damage | None:
    """One sector's bytes are found at another's place: a write that went astray, and one that is missing."""
    sectors = range(-(-first // SECTOR_BYTES), end // SECTOR_BYTES)
    if len(sectors) < 2:
        return None
    source, target = (sector * SECTOR_BYTES for sector in random.sample(sectors, 2))
    data = directory.pread(name, source, SECTOR_BYTES)
    if data == directory.pread(name, target, SECTOR_BYTES):
        # In the middle of one long command, say: nothing would be damaged.
        return None
    what = f"the sector at {source} of {name} is found at {target}"
    return Damage("D6", what, outcome, lambda: directory.overwrite(name, target, data), name)


def _sealed(directory: SimDirectory, random: Random) -> tuple[str, int, int] | None:
    """Some segment with a later one behind it, and where its records lie."""
    numbers = _segments(directory)[:-1]
    if not numbers:
        return None
    name = segment_name(random.choice(numbers))
    size = directory.size(name)
    return (name, HEADER_BYTES_MAX, size) if size > HEADER_BYTES_MAX else None


def _tail(directory: SimDirectory) -> tuple[str, int, int] | None:
    """The last segment, and where its records lie."""
    numbers = _segments(directory)
    if not numbers:
        return None
    name = segment_name(numbers[-1])
    written = len(directory.read(name).rstrip(b"\0"))
    return (name, HEADER_BYTES_MAX, written) if written > HEADER_BYTES_MAX + FRAME_BYTES else None
