"""The start of a member: the newest snapshot, then the ledger, then what has passed since (section 3.3.2).

Knows: which of the three says what.  Does not know: how any of them is written.
"""

from collections.abc import Callable

from paxon.core.decree import FIRST_SLOT
from paxon.core.ledger import Beginning, Jumped, Ledger, Record
from paxon.errors import LedgerCorrupt
from paxon.rsm.applier import Applier
from paxon.storage.ballots import ADVICE
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.snapshot_file import snapshot_name
from paxon.storage.snapshot_store import SnapshotStore


def replay(
    ledger_file: LedgerFile,
    store: SnapshotStore,
    applier: Applier,
    begin: Callable[[Beginning], Ledger] = Ledger,
    read: Callable[[Ledger, Record], None] = lambda ledger, record: None,
) -> Ledger:
    """The ledger as its file has it, and ``applier`` with all that has passed by then.

    ``begin`` makes the ledger that is filled; ``read`` is told of every record, and the ledger it
    is the latest of, before what it says is applied.  The state may be
    ahead of the ledger afterwards, if a crash came between a snapshot and the records behind it:
    whoever goes on notes that with a ``Jumped``.

    Raises:
        LedgerError: if the ledger is damaged, or no snapshot takes the place of what it lacks.
    """
    ledger = Ledger()

    def restore(beginning: Beginning) -> None:
        nonlocal ledger
        ledger = begin(beginning)
        if not applier.is_capturable and beginning.slot == FIRST_SLOT:
            return
        snapshot = store.find(beginning.slot)
        if snapshot is not None:
            applier.restore(store.pieces(snapshot))

    def take(record: Record) -> None:
        ledger.replay(record)
        read(ledger, record)
        if isinstance(record, Jumped) and applier.applied_until < ledger.kept_from:
            raise LedgerCorrupt(
                f"{snapshot_name(record.slot)} is damaged or missing, and the ledger lacks the decrees from slot "
                f"{applier.applied_until} up to there. {ADVICE}"
            )
        while applier.applied_until < ledger.passed_until:
            slot = applier.applied_until
            applier.apply(slot, ledger.outcomes[slot])
        ledger.forget_what_the_file_keeps()

    ledger_file.replay(take, restore)
    return ledger
