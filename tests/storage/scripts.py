"""Records that make sense one after another, and short ways to a ledger file."""

from collections.abc import Sequence

from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Ledger, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.storage.directory import Directory
from paxon.storage.ledger_file import LedgerFile

STORAGE = "5f3c"
SEGMENT = 4096

FIRST = Ballot(1, NodeId(1))
SECOND = Ballot(2, NodeId(2))


def decree(slot: int, size: int = 10, ballot: Ballot = FIRST) -> Decree:
    """A decree that can be told from any other slot's."""
    return Decree(ballot, 1000 + slot, (slot.to_bytes(2, "big") * (size // 2),))


def vote(slot: int, size: int = 10, ballot: Ballot = FIRST) -> Vote:
    return Vote(Slot(slot), ballot, decree(slot, size, ballot))


def passed(slot: int, ballot: Ballot = FIRST) -> Passed:
    return Passed(Slot(slot), ballot)


def groups(slots: int = 6, size: int = 10) -> list[list[Record]]:
    """Groups as a member would sync them: two ballots, votes ahead of passing, one outcome told by somebody else."""
    plan: list[list[Record]] = [[TriedBallot(FIRST), PromisedBallot(FIRST)]]
    for slot in range(1, slots + 1):
        group: list[Record] = [vote(slot, size)]
        if slot > 1:
            group.append(passed(slot - 1))
        plan.append(group)
    plan.append([PromisedBallot(SECOND), passed(slots), Outcome(Slot(slots + 1), decree(slots + 1, size, SECOND))])
    plan.append([vote(slots + 2, size, SECOND), vote(slots + 3, size, SECOND)])
    return plan


def flat(plan: Sequence[Sequence[Record]]) -> list[Record]:
    return [record for group in plan for record in group]


def opened(directory: Directory, segment_bytes: int = SEGMENT) -> tuple[LedgerFile, list[Record], list[str]]:
    """A replayed ledger file, what it replayed, and what it reported."""
    findings: list[str] = []
    ledger_file = LedgerFile(directory, STORAGE, segment_bytes, findings.append)
    replayed: list[Record] = []
    ledger = Ledger()

    def take(record: Record) -> None:
        ledger.write(record)
        replayed.append(record)

    ledger_file.replay(take)
    assert ledger_file.line == ledger_file.synced_line == ledger.line == len(replayed)
    return ledger_file, replayed, findings


def write(ledger_file: LedgerFile, plan: Sequence[Sequence[Record]]) -> None:
    """Append and sync group by group."""
    for group in plan:
        ledger_file.append(group)
        assert ledger_file.sync() == ledger_file.line
