"""Whether a member on a disk that was tampered with does what it must: start, refuse to start, or stay out for good.

Knows: what was done to each disk, and what each place may come to.  Does not know: how a member
notices, or who tells it.  A member that stays out without a reason breaks a rule as much as one
that starts on a damaged disk.
"""

from collections.abc import Set

from paxon.core.decree import NodeId
from paxon.errors import Disowned, LedgerCorrupt, LedgerError, LedgerSyncFailed, SnapshotUnusable, check
from paxon.sim.atlas import TWINS, End
from paxon.sim.member import Member
from paxon.sim.shortages import OutOfMemory
from paxon.storage.beginning import BEGINNING, decode_trimmed
from paxon.storage.segment import segment_numbers
from paxon.storage.twin import Twin


def started(member: Member) -> None:
    """A process started: what was done to its disk is made good, or is for the others to notice."""
    damage = member.damage
    if damage is None or member.is_amnesiac:
        return
    # A running member may have let go of the damaged segment before anybody read it.
    is_fatal = damage.end is End.REFUSED and not _is_trimmed(member, damage.file)
    check(not is_fatal, f"member {member.number} does not start on a damaged disk ({damage.what})")
    if damage.end is End.REPAIRED:
        whole = member.directory.twins_agree(TWINS)
        check(whole, f"member {member.number} makes both copies of everything whole again ({damage.what})")
    if damage.end is not End.FORGOTTEN:
        # What forgot only how often it was started, or is a new storage, is refused for that some time.
        member.damage = None


def stays_out(member: Member, error: LedgerError, copied: Set[NodeId]) -> None:
    """A member is out for good: rightly so only if its disk was tampered with, or is one of the ``copied`` ones."""
    damage = member.damage
    if isinstance(error, Disowned):
        has_reason = damage is not None or member.number in copied
        check(has_reason, f"member {member.number} has no reason to stay out: {error}")
        return
    check(damage is not None, f"member {member.number} has no reason to stay out: {error}")
    if damage is not None:
        check(damage.end is not End.REPAIRED, f"member {member.number} outlives damage to one copy: {error}")
        check(damage.file in str(error), f"member {member.number} names the damaged file {damage.file}: {error}")


def gave_up(member: Member, error: Exception) -> None:
    """A process ended by itself, and may come back: its disk or memory failed, or it found damage while it ran.

    Raises:
        Exception: ``error`` itself, if it is neither a disk's fault nor that of too little memory.
    """
    if not isinstance(error, OSError | LedgerSyncFailed | LedgerCorrupt | SnapshotUnusable | OutOfMemory):
        raise error
    is_excused = not isinstance(error, LedgerCorrupt | SnapshotUnusable) or member.damage is not None
    check(is_excused, f"member {member.number} finds damage that nobody did: {error}")


def _is_trimmed(member: Member, file: str) -> bool:
    directory = member.directory
    first = decode_trimmed(directory.where, Twin(directory, BEGINNING).read()).segment
    return any(number < first for number in segment_numbers([file]))
