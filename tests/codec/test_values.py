"""Values come back as they went, and nothing else comes back."""

from contextlib import suppress
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from paxon.codec.messages import MESSAGE_KINDS
from paxon.codec.records import RECORD_KINDS
from paxon.codec.values import INTEGER_MAX, Vocabulary
from paxon.core.decree import NODE_ID_MAX, ROUND_MAX, Ballot, Decree, NodeId, Slot
from paxon.core.messages import BeginBallot, LastVote, Voted
from paxon.errors import InvariantViolation, ProtocolError
from tests.codec.examples import HIGH, LOW, MESSAGES

WORDS = Vocabulary(MESSAGE_KINDS)

counts = st.integers(0, INTEGER_MAX)
ballots = st.builds(Ballot, st.integers(0, ROUND_MAX), st.integers(0, NODE_ID_MAX).map(NodeId))
slots = counts.map(Slot)
decrees = st.builds(Decree, ballots, counts, st.lists(st.binary(max_size=20), max_size=4).map(tuple))
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    Slot: slots,
    Ballot: ballots,
    Decree: decrees,
    int: counts,
    NodeId: st.integers(0, NODE_ID_MAX).map(NodeId),
    bool: st.booleans(),
}


def some(member: type) -> st.SearchStrategy[object]:
    """Any value of a class of the vocabulary."""
    return st.fixed_dictionaries({name: _field(annotation) for name, annotation in _annotations(member).items()}).map(
        lambda fields: member(**fields)
    )


def _annotations(member: type) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(member)}


def _field(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in FIELDS:
        return FIELDS[annotation]
    member = annotation.__args__[0]
    if get_origin(member) is tuple:
        return st.lists(st.tuples(*map(_field, get_args(member))), max_size=3).map(tuple)
    return st.lists(some(member), max_size=3).map(tuple)


@given(st.one_of([some(member) for member in MESSAGE_KINDS.values()]))
def test_messages_come_back(message: object) -> None:
    assert WORDS.decode(*WORDS.encode(message)) == message


@given(st.one_of([some(member) for member in RECORD_KINDS.values()]))
def test_records_come_back(record: object) -> None:
    records = Vocabulary(RECORD_KINDS)
    assert records.decode(*records.encode(record)) == record


@given(st.sampled_from(MESSAGES), st.data())
def test_damaged_bodies_are_refused_or_are_values(message: object, data: st.DataObject) -> None:
    """A changed body never raises anything but a ``ProtocolError``."""
    kind, body = WORDS.encode(message)
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + data.draw(st.binary(max_size=3)) + body[place + data.draw(st.integers(0, 3)) :]
    with suppress(ProtocolError):
        WORDS.encode(WORDS.decode(kind, changed))


@given(st.integers(0, 255), st.binary(max_size=200))
def test_any_bytes(kind: int, body: bytes) -> None:
    with suppress(ProtocolError):
        WORDS.decode(kind, body)


def body_of(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        body_of({"ballot": HIGH}),
        body_of({"ballot": HIGH, "slot": "9"}),
        body_of({"ballot": HIGH, "slot": 9.0}),
        body_of({"ballot": HIGH, "slot": True}),
        body_of({"ballot": HIGH, "slot": None}),
        body_of([HIGH, 9]),
        body_of({"ballot": {"round": 1}, "slot": 9}),
        body_of(Voted(HIGH, Slot(9))) + b"\0",
        body_of(Voted(HIGH, Slot(9)))[:-1],
        b"\x81" * 100_000,
    ],
)
def test_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="a malformed Voted"):
        WORDS.decode(4, body)


@pytest.mark.parametrize(
    "body",
    [b"\x81\xa4text\xa2\xff\xfe", b"\x81\xa4text\xa1\xc4", b"\x82\xa1x" + b"\x91" * 100_000],
)
def test_broken_text_and_a_deep_nest_in_an_unknown_field_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="a malformed Plain"):
        MIXED.decode(65, body)


@pytest.mark.parametrize(
    "message",
    [
        Voted(HIGH, Slot(-1)),
        Voted(HIGH, Slot(INTEGER_MAX + 1)),
        Voted(Ballot(-1, NodeId(1)), Slot(1)),
        Voted(Ballot(ROUND_MAX + 1, NodeId(1)), Slot(1)),
        Voted(Ballot(1, NodeId(-1)), Slot(1)),
        Voted(Ballot(1, NodeId(NODE_ID_MAX + 1)), Slot(1)),
    ],
)
def test_integers_out_of_range_are_refused(message: Voted) -> None:
    with pytest.raises(ProtocolError, match="integer out of range"):
        WORDS.decode(4, body_of(message))


def test_integers_deep_inside_are_looked_at() -> None:
    begin = MESSAGES[2]
    last_vote = MESSAGES[1]
    assert isinstance(begin, BeginBallot)
    assert isinstance(last_vote, LastVote)
    bad = msgspec.structs.replace(begin, decree=Decree(LOW, -1, ()))
    with pytest.raises(ProtocolError, match="a BeginBallot with an integer out of range"):
        WORDS.decode(3, body_of(bad))
    votes = (*last_vote.votes, msgspec.structs.replace(last_vote.votes[0], slot=Slot(-3)))
    with pytest.raises(ProtocolError, match="a LastVote with an integer out of range"):
        WORDS.decode(2, body_of(msgspec.structs.replace(last_vote, votes=votes)))


def test_the_highest_ballot_fits_a_signed_term() -> None:
    assert Ballot(ROUND_MAX, NodeId(NODE_ID_MAX)).term == INTEGER_MAX


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ProtocolError, match="unknown kind 99: its sender may be of a newer release"):
        WORDS.decode(99, b"")


def test_fields_of_a_newer_release_are_skipped() -> None:
    class NewerVoted(Struct):
        ballot: Ballot
        slot: Slot
        mood: str = "good"

    assert WORDS.decode(4, body_of(NewerVoted(HIGH, Slot(9)))) == Voted(HIGH, Slot(9))


class Mixed(Struct, frozen=True):
    """Every shape of field that a layer above uses."""

    pairs: tuple[tuple[int, bytes], ...]
    either: Slot | None
    text: str
    flag: bool
    number: int


class Plain(Struct, frozen=True):
    text: str


MIXED = Vocabulary({64: Mixed, 65: Plain})


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (Mixed(((1, b"a"), (2, b"b")), None, "x", True, 0), True),
        (Mixed((), Slot(3), "x", False, 7), True),
        (Mixed(((1, b"a"), (-2, b"b")), None, "x", True, 0), False),
        (Mixed((), Slot(-3), "x", True, 0), False),
        (Mixed((), None, "x", True, -1), False),
        (Plain("-1"), True),
    ],
)
def test_every_shape_of_field(value: object, fits: bool) -> None:
    kind, body = MIXED.encode(value)
    if fits:
        assert MIXED.decode(kind, body) == value
    else:
        with pytest.raises(ProtocolError):
            MIXED.decode(kind, body)


def test_a_vocabulary_is_unambiguous() -> None:
    with pytest.raises(InvariantViolation, match="one kind"):
        Vocabulary({1: Plain, 2: Plain})
    for kind in (0, 256, -1):
        with pytest.raises(InvariantViolation, match="from 1 to 255"):
            Vocabulary({kind: Plain})
    with pytest.raises(InvariantViolation, match="Plain is not in the vocabulary"):
        WORDS.encode(Plain("x"))
