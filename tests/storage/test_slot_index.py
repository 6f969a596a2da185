"""The index finds what a dictionary of everything finds."""

import random

import pytest

from paxon.core.decree import Slot
from paxon.core.ledger import Ledger, Outcome, Passed, Record, Vote
from paxon.errors import InvariantViolation
from paxon.storage.slot_index import SlotIndex
from tests.storage.scripts import FIRST, decree, passed, vote


@pytest.mark.parametrize("seed", range(20))
def test_against_a_dictionary(seed: int) -> None:
    chance = random.Random(seed)
    index, ledger = SlotIndex(), Ledger()
    latest: dict[int, int] = {}
    known: dict[int, int] = {}
    for number in range(200):
        slot = Slot(chance.randrange(1, 60))
        records: list[Record] = [vote(slot), passed(slot), Outcome(slot, decree(slot))]
        record = chance.choice(records)
        valid = not ledger.knows(slot) and (isinstance(record, Outcome) or isinstance(record, Vote) != (slot in latest))
        if not valid:
            continue
        ledger.write(record)
        index.note(record, number)
        if not isinstance(record, Passed):
            latest[slot] = number
        if not isinstance(record, Vote):
            known[slot] = latest[slot]
        assert index.passed_until == ledger.passed_until
        for start in (0, 1, slot, 30):
            expected: list[int] = []
            while start + len(expected) in known:
                expected.append(known[start + len(expected)])
            assert list(index.positions(Slot(start), 1000)) == expected
            assert list(index.positions(Slot(start), 2)) == expected[:2]


def test_a_slot_passes_by_a_vote() -> None:
    with pytest.raises(InvariantViolation):
        SlotIndex().note(Passed(Slot(1), FIRST), 7)
