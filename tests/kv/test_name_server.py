"""The name server against a plain dictionary, and against bytes that mean nothing."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import FIRST_SLOT
from paxon.errors import BadRequest, ProtocolError, SnapshotUnusable
from paxon.kv import name_server as kv
from paxon.kv.name_server import Compared, Deleted, Found, NameServer, Written, read_reply
from paxon.rsm.machine import PIECE_BYTES, ByteMachine, Capturable, Context

CONTEXT = Context(FIRST_SLOT, 0)
# Few of each, so that they meet.
KEYS = st.sampled_from([b"a", b"b", b"\x00", b"\xff" * kv.KEY_BYTES_MAX])
VALUES = st.sampled_from([b"", b"1", b"2"])
PUTS = st.tuples(st.just("put"), KEYS, VALUES)
DELETES = st.tuples(st.just("delete"), KEYS)
COMPARES = st.tuples(st.just("compare"), KEYS, st.none() | VALUES, VALUES)
STEPS = st.lists(PUTS | DELETES | COMPARES, max_size=60)

Step = tuple[str, bytes] | tuple[str, bytes, bytes] | tuple[str, bytes, bytes | None, bytes]


class Model:
    """The same behaviour, written without regard to bytes or speed."""

    def __init__(self) -> None:
        self.histories: dict[bytes, list[bytes]] = {}

    def value(self, key: bytes) -> bytes | None:
        return self.histories[key][-1] if key in self.histories else None

    def version(self, key: bytes) -> int:
        return len(self.histories.get(key, []))

    def put(self, key: bytes, value: bytes) -> None:
        self.histories.setdefault(key, []).append(value)


def apply(machine: NameServer, command: bytes) -> bytes:
    return machine.apply(command, CONTEXT)


@given(STEPS)
def test_it_behaves_like_a_dictionary_with_histories(steps: list[Step]) -> None:
    machine, model = NameServer(), Model()
    for step in steps:
        match step:
            case ("put", key, bytes(value)):
                model.put(key, value)
                reply = read_reply(apply(machine, kv.put(key, value)), Written)
                assert reply == Written(model.version(key))
            case ("delete", key):
                version = model.version(key)
                model.histories.pop(key, None)
                deleted = read_reply(apply(machine, kv.delete(key)), Deleted)
                assert deleted == Deleted(version)
                assert deleted.existed == (version > 0)
            case ("compare", key, expected, value):
                found = model.value(key)
                if found == expected:
                    model.put(key, value)
                compared = read_reply(apply(machine, kv.compare_and_put(key, expected, value)), Compared)
                assert compared == Compared(found == expected, model.version(key), found)
    for key in {step[1] for step in steps}:
        assert read_reply(machine.query(kv.get(key)), Found) == Found(model.value(key), model.version(key))
    assert len(machine) == len(model.histories)


@given(STEPS)
def test_two_of_them_agree_byte_by_byte(steps: list[Step]) -> None:
    one, other = NameServer(), NameServer()
    for step in steps:
        assert apply(one, encoded(step)) == apply(other, encoded(step))


def encoded(step: Step) -> bytes:
    match step:
        case ("put", key, bytes(value)):
            return kv.put(key, value)
        case ("compare", key, expected, value):
            return kv.compare_and_put(key, expected, value)
    return kv.delete(step[1])


@given(st.binary(max_size=64))
def test_no_bytes_make_it_raise(noise: bytes) -> None:
    machine: ByteMachine = NameServer()
    assert isinstance(machine, Capturable)
    msgspec.msgpack.decode(machine.apply(noise, CONTEXT))
    msgspec.msgpack.decode(machine.query(noise))


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"put",
        b"\xc1",
        b"\x91" * 100_000,
        msgspec.msgpack.encode([9, b"key", b"value"]),
        msgspec.msgpack.encode([1, "key", b"value"]),
        msgspec.msgpack.encode([1, b"key"]),
        msgspec.msgpack.encode([1, b"key", b"value", b"of another release"]),
        msgspec.msgpack.encode([2, b""]),
        msgspec.msgpack.encode([2, b"k" * (kv.KEY_BYTES_MAX + 1)]),
    ],
    ids=lambda command: command[:12].hex() or "empty",
)
def test_a_command_without_sense_is_refused_and_changes_nothing(command: bytes) -> None:
    machine = NameServer()
    with pytest.raises(BadRequest):
        read_reply(apply(machine, command), Written)
    assert len(machine) == 0


@pytest.mark.parametrize("question", [b"", b"\xc1", msgspec.msgpack.encode([1, b""]), kv.delete(b"key")])
def test_a_question_without_sense_is_refused(question: bytes) -> None:
    with pytest.raises(BadRequest):
        read_reply(NameServer().query(question), Found)


@pytest.mark.parametrize("key", [b"", b"k" * (kv.KEY_BYTES_MAX + 1)])
def test_a_bad_key_is_refused_before_it_is_sent(key: bytes) -> None:
    with pytest.raises(BadRequest, match="key"):
        kv.put(key, b"")
    with pytest.raises(BadRequest, match="key"):
        kv.delete(key)
    with pytest.raises(BadRequest, match="key"):
        kv.compare_and_put(key, None, b"")
    with pytest.raises(BadRequest, match="key"):
        kv.get(key)


def test_a_reply_of_another_kind_is_the_other_sides_fault() -> None:
    machine = NameServer()
    with pytest.raises(ProtocolError, match="Written"):
        read_reply(apply(machine, kv.put(b"key", b"")), Deleted)
    with pytest.raises(ProtocolError):
        read_reply(b"\xc1", Deleted)


@pytest.mark.parametrize("body", [b"\x92\x05\xa2\xff\xfe", b"\x93\x02\x01" + b"\x91" * 100_000])
def test_a_reply_with_broken_text_or_a_deep_nest_is_the_other_sides_fault(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not one of the name server's"):
        read_reply(body, Deleted)


def test_figure_2_of_the_paper() -> None:
    """Section 4.1: an update changes the value and says so; a read answers with the value and changes nothing."""
    machine = NameServer()
    apply(machine, kv.put(b"name", b"value"))
    assert read_reply(machine.query(kv.get(b"name")), Found).value == b"value"
    assert read_reply(machine.query(kv.get(b"name")), Found).version == 1
    assert read_reply(apply(machine, kv.put(b"name", b"new")), Written).version == 2
    assert read_reply(machine.query(kv.get(b"name")), Found).value == b"new"


@pytest.mark.parametrize(("expected", "is_written"), [(b"old", True), (b"new", False), (b"", False), (None, False)])
def test_a_compare_and_put_over_a_value_expects_just_that(expected: bytes | None, is_written: bool) -> None:
    machine = NameServer()
    apply(machine, kv.put(b"name", b"old"))
    reply = read_reply(apply(machine, kv.compare_and_put(b"name", expected, b"new")), Compared)
    assert reply == Compared(is_written, 2 if is_written else 1, b"old")
    assert read_reply(machine.query(kv.get(b"name")), Found).value == (b"new" if is_written else b"old")


def entries(server: NameServer) -> list[tuple[bytes, tuple[bytes, int]]]:
    """In their order, which is part of the state: captures of equal states are equal."""
    return list(server._entries.items())


@given(before=STEPS, meanwhile=STEPS, after=STEPS, taken=st.integers(0, 5))
def test_what_changes_meanwhile_is_not_in_a_capture(
    before: list[Step], meanwhile: list[Step], after: list[Step], taken: int
) -> None:
    server, untouched = NameServer(), NameServer()
    for step in before:
        server.apply(encoded(step), CONTEXT)
        untouched.apply(encoded(step), CONTEXT)
    pieces = server.capture()
    kept = list(itertools.islice(pieces, taken))
    for step in meanwhile:
        server.apply(encoded(step), CONTEXT)
    kept += pieces
    assert kept == list(untouched.capture())
    restored = NameServer()
    restored.restore(kept)
    assert entries(restored) == entries(untouched)
    # Neither a capture nor a restored state leaves a trace in what follows.
    for step in meanwhile + after:
        untouched.apply(encoded(step), CONTEXT)
        restored.apply(encoded(step), CONTEXT)
    for step in after:
        server.apply(encoded(step), CONTEXT)
    assert entries(server) == entries(restored) == entries(untouched)


def test_pieces_are_small_and_a_large_value_is_one_by_itself() -> None:
    server = NameServer()
    large = bytes(3 * PIECE_BYTES)
    for number in range(200):
        server.apply(kv.put(b"%d" % number, large if number == 70 else bytes(1000)), CONTEXT)
    sizes = [len(piece) for piece in server.capture()]
    assert sum(size > PIECE_BYTES for size in sizes) == 1
    assert len(sizes) == 1 + 2 + 1 + 3


def test_what_a_capture_kept_is_let_go_of() -> None:
    server = NameServer()
    for number in range(10):
        server.apply(kv.put(b"%d" % number, b"1"), CONTEXT)
    pieces = server.capture()
    for number in range(10):
        server.apply(kv.put(b"%d" % number, b"2"), CONTEXT)
    del pieces
    for _ in range(6):
        server.apply(kv.put(b"0", b"3"), CONTEXT)
    assert server._before is None


def test_a_capture_that_was_ended_does_not_end_the_next_one() -> None:
    server = NameServer()
    server.apply(kv.put(b"a", b"1"), CONTEXT)
    first = server.capture()
    second = server.capture()
    del first
    server.apply(kv.put(b"a", b"2"), CONTEXT)
    restored = NameServer()
    restored.restore(second)
    assert entries(restored) == [(b"a", (b"1", 1))]


@pytest.mark.parametrize(
    "pieces", [[], [b"?"], [msgspec.msgpack.encode([1]), b"?"], [msgspec.msgpack.encode([2])]], ids=repr
)
def test_what_is_no_capture_of_a_name_server_is_refused_and_changes_nothing(pieces: list[bytes]) -> None:
    server = NameServer()
    server.apply(kv.put(b"a", b"1"), CONTEXT)
    with pytest.raises(SnapshotUnusable):
        server.restore(pieces)
    assert entries(server) == [(b"a", (b"1", 1))]
