"""The applier: order, time, and commands that fail."""

from collections.abc import Generator, Iterable

import pytest
from msgspec import msgpack

from paxon.core.decree import FIRST_SLOT, NOOP, Ballot, Decree, NodeId, Slot
from paxon.errors import ApplyFailed, InvariantViolation, SnapshotUnusable
from paxon.rsm.applier import Applier
from paxon.rsm.machine import Context

BALLOT = Ballot(1, NodeId(1))


def decree(*commands: bytes, stamp_ms: int = 0) -> Decree:
    return Decree(BALLOT, stamp_ms, commands)


class Journal:
    """Remembers its commands and contexts; obeys a few that ask for trouble."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, Context]] = []

    def apply(self, command: bytes, context: Context) -> bytes:
        match command:
            case b"fail":
                raise KeyError("no such thing")
            case b"fail silently":
                raise RuntimeError
            case b"out of memory":
                raise MemoryError
            case b"broken":
                raise InvariantViolation("one and one are two")
            case b"not bytes":
                return 7  # type: ignore[return-value]  # what a careless machine does
        self.seen.append((command, context))
        return command.upper()

    def query(self, question: bytes) -> bytes:
        if question == b"fail":
            raise KeyError("no such thing")
        if question == b"not bytes":
            return None  # type: ignore[return-value]  # what a careless machine does
        return b",".join(command for command, _ in self.seen)


def test_commands_are_applied_in_order_and_answered_with_bare_bytes() -> None:
    applier = Applier(Journal())
    assert applier.applied_until == FIRST_SLOT
    assert applier.apply(FIRST_SLOT, decree(b"a", b"b")) == [b"A", b"B"]
    assert applier.apply(Slot(2), decree(b"c")) == [b"C"]
    assert applier.applied_until == Slot(3)
    assert applier.query(b"") == b"a,b,c"


def test_a_noop_applies_nothing_and_takes_its_slot() -> None:
    journal = Journal()
    applier = Applier(journal)
    assert applier.apply(FIRST_SLOT, NOOP) == []
    assert journal.seen == []
    assert applier.applied_until == Slot(2)


@pytest.mark.parametrize("slot", [0, 1, 3])
def test_a_slot_out_of_turn_is_our_bug(slot: int) -> None:
    applier = Applier(Journal())
    applier.apply(FIRST_SLOT, decree(b"a"))
    with pytest.raises(InvariantViolation):
        applier.apply(Slot(slot), decree(b"b"))
    assert applier.query(b"") == b"a"


def test_decided_time_never_runs_backwards() -> None:
    journal = Journal()
    applier = Applier(journal)
    for slot, stamp_ms in enumerate([50, 0, 40, 60], start=1):
        applier.apply(Slot(slot), decree(b"x", stamp_ms=stamp_ms))
    assert [context.now_ms for _, context in journal.seen] == [50, 50, 50, 60]
    assert [context.slot for _, context in journal.seen] == [1, 2, 3, 4]


def test_a_failing_command_is_a_result_and_the_rest_goes_on() -> None:
    applier = Applier(Journal())
    first, failed, silent, last = applier.apply(FIRST_SLOT, decree(b"a", b"fail", b"fail silently", b"b"))
    assert (first, last) == (b"A", b"B")
    assert isinstance(failed, ApplyFailed)
    assert str(failed) == "KeyError: 'no such thing'"
    assert failed.__traceback__ is None
    assert isinstance(silent, ApplyFailed)
    assert str(silent) == "RuntimeError"
    assert applier.query(b"") == b"a,b"


def test_a_result_that_is_not_bytes_is_a_failure_that_says_so() -> None:
    applier = Applier(Journal())
    [result] = applier.apply(FIRST_SLOT, decree(b"not bytes"))
    assert isinstance(result, ApplyFailed)
    assert "int" in str(result)
    with pytest.raises(ApplyFailed, match="NoneType"):
        applier.query(b"not bytes")


@pytest.mark.parametrize(("command", "error"), [(b"out of memory", MemoryError), (b"broken", InvariantViolation)])
def test_what_is_this_members_own_trouble_stops_it(command: bytes, error: type[Exception]) -> None:
    applier = Applier(Journal())
    with pytest.raises(error):
        applier.apply(FIRST_SLOT, decree(command))
    assert applier.applied_until == FIRST_SLOT


def test_a_failing_question_is_its_askers() -> None:
    with pytest.raises(ApplyFailed, match="KeyError"):
        Applier(Journal()).query(b"fail")


class Total:
    """A sum that can be captured."""

    def __init__(self) -> None:
        self.total = 0

    def apply(self, command: bytes, context: Context) -> bytes:
        self.total += int(command)
        return b"%d" % self.total

    def query(self, question: bytes) -> bytes:
        return b"%d" % self.total

    def capture(self) -> Generator[bytes, None, None]:
        return (piece for piece in [b"%d" % self.total])

    def restore(self, pieces: Iterable[bytes]) -> None:
        (piece,) = pieces
        self.total = int(piece)


def test_a_captured_state_goes_on_where_it_was_captured() -> None:
    applier = Applier(Total())
    applier.apply(FIRST_SLOT, decree(b"5", stamp_ms=70))
    pieces = applier.capture()
    applier.apply(Slot(2), decree(b"6", stamp_ms=80))

    other = Applier(Total())
    other.apply(FIRST_SLOT, decree(b"1"))
    other.restore(pieces)
    assert (other.applied_until, other.now_ms) == (Slot(2), 70), "as of the call, and not of the first piece"
    assert other.apply(Slot(2), decree(b"6", stamp_ms=60)) == [b"11"]
    assert other.now_ms == 70
    with pytest.raises(InvariantViolation):
        other.apply(Slot(4), decree(b"1"))


def test_equal_states_are_captured_in_equal_pieces() -> None:
    appliers = [Applier(Total()), Applier(Total())]
    for applier in appliers:
        applier.apply(FIRST_SLOT, decree(b"5", stamp_ms=70))
    assert list(appliers[0].capture()) == list(appliers[1].capture())


def test_a_machine_that_cannot_be_captured_says_so() -> None:
    applier = Applier(Journal())
    assert not applier.is_capturable
    with pytest.raises(SnapshotUnusable, match="Journal has no capture"):
        applier.capture()
    with pytest.raises(SnapshotUnusable, match="Journal has no capture"):
        applier.restore(Applier(Total()).capture())


@pytest.mark.parametrize(
    ("pieces", "claim"), [([], "no snapshot"), ([b"?"], "no snapshot"), ([msgpack.encode((2, 3, 4))], "has format 2")]
)
def test_what_is_no_capture_is_refused(pieces: list[bytes], claim: str) -> None:
    applier = Applier(Total())
    assert applier.is_capturable
    with pytest.raises(SnapshotUnusable, match=claim):
        applier.restore(pieces)
