"""The kind numbers of the ledger's records, and their bytes.

A number is for ever, as ledgers are.  Kind 0 is no record: the ledger file keeps it for a mark of its own.
"""

from collections.abc import Mapping
from typing import cast

from paxon.codec.values import Vocabulary
from paxon.core.ledger import Jumped, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote

RECORD_KINDS: Mapping[int, type] = {
    1: TriedBallot,
    2: PromisedBallot,
    3: Vote,
    4: Passed,
    5: Outcome,
    6: Jumped,
}

RECORDS = Vocabulary(RECORD_KINDS)


def encode_record(record: Record) -> tuple[int, bytes]:
    """The kind and the body of ``record``.

    Raises:
        InvariantViolation: if it is not a record.
    """
    return RECORDS.encode(record)


def decode_record(kind: int, body: bytes) -> Record:
    """The record that ``encode_record`` made these from.

    Raises:
        ProtocolError: if they are not a record's.
    """
    return cast(Record, RECORDS.decode(kind, body))
