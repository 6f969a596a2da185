"""The bytes of one message and one record of every class, pinned: peers and ledgers of other releases have them."""

from typing import get_args

import pytest

from paxon.codec.messages import HOST_KINDS_FROM, MESSAGE_KINDS
from paxon.codec.records import RECORD_KINDS, decode_record, encode_record
from paxon.codec.values import Vocabulary
from paxon.core.ledger import Record
from paxon.core.messages import Message
from tests.codec.examples import MESSAGES, RECORDS

GOLDEN_MESSAGES = [
    (
        1,
        "82a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07",
    ),
    (
        2,
        "85a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07a5766f74657391"
        "83a4736c6f7409a662616c6c6f7482a5726f756e6403a56f776e657201a664656372656583a662616c6c6f7482a5726f"
        "756e6403a56f776e657201a87374616d705f6d73cf0000018bcfe56800a8636f6d6d616e647392c4036f6e65c400a86f"
        "7574636f6d65739182a4736c6f7408a664656372656583a662616c6c6f7482a5726f756e6403a56f776e657201a87374"
        "616d705f6d73cf0000018bcfe56800a8636f6d6d616e647392c4036f6e65c400a87374616d705f6d73cf0000018bcfe5"
        "6801",
    ),
    (
        3,
        "84a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa4736c6f7409a664656372656583a662616c6c6f74"
        "82a5726f756e6403a56f776e657201a87374616d705f6d73cf0000018bcfe56800a8636f6d6d616e647392c4036f6e65"
        "c400ac7061737365645f756e74696c07",
    ),
    (
        4,
        "82a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa4736c6f7409",
    ),
    (
        5,
        "83a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07a86f7574636f6d"
        "65739182a4736c6f7408a664656372656583a662616c6c6f7482a5726f756e6403a56f776e657201a87374616d705f6d"
        "73cf0000018bcfe56800a8636f6d6d616e647392c4036f6e65c400",
    ),
    (
        6,
        "82a662616c6c6f7482a5726f756e6403a56f776e657201a2627982a5726f756e64cd012ca56f776e6572cdffff",
    ),
    (
        7,
        "81a966726f6d5f736c6f7407",
    ),
    (
        8,
        "83a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa9726f6c6c5f63616c6c04ac7061737365645f756e74696c07",
    ),
    (
        9,
        "83a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa9726f6c6c5f63616c6c04ac7061737365645f756e74696c07",
    ),
    (
        10,
        "82a763616e7661737305ac7061737365645f756e74696c07",
    ),
    (
        11,
        "84a763616e7661737305a8737570706f727473c3ab6e6578745f62616c6c6f7482a5726f756e64cd012ca56f776e6572"
        "cdffffac7061737365645f756e74696c07",
    ),
    (
        12,
        "82a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07",
    ),
    (
        1,
        "83a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07a46c696e65ce00011170",
    ),
    (
        2,
        "86a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffac7061737365645f756e74696c07a5766f74657390"
        "a86f7574636f6d657390a87374616d705f6d73cf0000018bcfe56801a46c696e65ce00011171",
    ),
    (
        4,
        "83a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa4736c6f7409a46c696e65ce00011172",
    ),
    (
        8,
        "84a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa9726f6c6c5f63616c6c04ac7061737365645f756e"
        "74696c07a56c696e6573929201ce0001117392cdffff05",
    ),
]

GOLDEN_RECORDS = [
    (
        1,
        "81a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffff",
    ),
    (
        2,
        "81a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffff",
    ),
    (
        3,
        "83a4736c6f7409a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffffa664656372656583a662616c6c6f74"
        "82a5726f756e6403a56f776e657201a87374616d705f6d73cf0000018bcfe56800a8636f6d6d616e647392c4036f6e65"
        "c400",
    ),
    (
        4,
        "82a4736c6f7409a662616c6c6f7482a5726f756e64cd012ca56f776e6572cdffff",
    ),
    (
        5,
        "82a4736c6f7408a664656372656583a662616c6c6f7482a5726f756e6403a56f776e657201a87374616d705f6d73cf00"
        "00018bcfe56800a8636f6d6d616e647392c4036f6e65c400",
    ),
    (
        6,
        "82a4736c6f7407a87374616d705f6d73cf0000018bcfe56800",
    ),
]

WORDS = Vocabulary(MESSAGE_KINDS)


def test_every_class_has_a_kind() -> None:
    assert set(MESSAGE_KINDS.values()) == set(get_args(Message)) == {type(message) for message in MESSAGES}
    assert set(RECORD_KINDS.values()) == set(get_args(Record)) == {type(record) for record in RECORDS}
    assert max(MESSAGE_KINDS) < HOST_KINDS_FROM


@pytest.mark.parametrize(("message", "golden"), list(zip(MESSAGES, GOLDEN_MESSAGES, strict=True)))
def test_messages(message: Message, golden: tuple[int, str]) -> None:
    kind, body = golden[0], bytes.fromhex(golden[1])
    assert WORDS.encode(message) == (kind, body)
    assert WORDS.decode(kind, body) == message


@pytest.mark.parametrize(("record", "golden"), list(zip(RECORDS, GOLDEN_RECORDS, strict=True)))
def test_records(record: Record, golden: tuple[int, str]) -> None:
    kind, body = golden[0], bytes.fromhex(golden[1])
    assert encode_record(record) == (kind, body)
    assert decode_record(kind, body) == record
