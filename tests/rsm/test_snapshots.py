"""Snapshots of replicated objects: what a release takes, it and the next read back; and what a class makes itself."""

from typing import Any

import msgspec
import pytest

from paxon.core.decree import Slot
from paxon.errors import ContractError, InvariantViolation, SnapshotUnusable
from paxon.rsm.assembly import Assembly
from paxon.rsm.contract import Context, StateMachine, command, journal_of, query, state_of
from paxon.rsm.machine import PIECE_BYTES
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import ReplicatedObject, Signature, submission
from paxon.rsm.snapshots import FORMAT, Beginning, snapshot_type
from tests.rsm.forms import form
from tests.rsm.inventory import Inventory

SIGNATURE = Signature(Inventory)


def supply(replica: ReplicatedObject[Inventory], sku: str) -> None:
    """Change something."""
    replica.apply(submission(SIGNATURE, Inventory.supply, sku)[0], Decided(Slot(1), 0))


def supplied() -> ReplicatedObject[Inventory]:
    """An inventory with something in it."""
    replica = ReplicatedObject(Inventory())
    for sku in ("bolt", "nut"):
        supply(replica, sku)
    replica.apply(submission(SIGNATURE, Inventory.reserve, "bolt", order="o-1")[0], Decided(Slot(2), 0))
    return replica


def state_in(replica: ReplicatedObject[Any]) -> object:
    """All that a command can see."""
    return form(state_of(replica.machine))


def test_a_snapshot_is_restored_whatever_happened_since_and_whatever_was_there() -> None:
    replica = supplied()
    before = state_in(replica)
    pieces = replica.capture()
    supply(replica, "screw")
    taken = list(pieces)
    other = ReplicatedObject(Inventory())
    supply(other, "washer")
    other.restore(iter(taken))
    assert state_in(other) == before
    assert list(other.capture()) == taken
    supply(other, "screw")
    assert state_in(other) == state_in(replica)


def test_what_is_restored_takes_back_what_fails() -> None:
    replica = supplied()
    other = ReplicatedObject(Inventory())
    other.restore(replica.capture())
    for member in (replica, other):
        with pytest.raises(LookupError):
            member.apply(submission(SIGNATURE, Inventory.reckless, "bolt")[0], Decided(Slot(3), 0))
    assert state_in(other) == state_in(replica)
    assert other.machine.stock == {"bolt": 0, "nut": 1}


def test_a_snapshot_that_is_none_leaves_everything_as_it_was() -> None:
    replica = supplied()
    before = state_in(replica)
    beginning, *rest = supplied().capture()
    newer = msgspec.msgpack.encode(Beginning(FORMAT + 1, "Inventory", False, []))
    foreign = msgspec.msgpack.encode(Beginning(FORMAT, "Other", False, []))
    own = msgspec.msgpack.encode(Beginning(FORMAT, "Inventory", True, []))
    for pieces, told in (
        ([], "no snapshot of a replicated object"),
        ([b"\xc1"], "no snapshot of a replicated object"),
        ([beginning], "the end of the state is missing"),
        ([newer, *rest], f"has format {FORMAT + 1}, this release knows up to {FORMAT}: upgrade"),
        ([foreign, *rest], "is one of Other, and this program has Inventory"),
        ([own, *rest], "was made by a Inventory with a snapshot method"),
        ([beginning, *rest, *rest], "goes on where it should end"),
    ):
        with pytest.raises(SnapshotUnusable, match=told):
            replica.restore(pieces)
        assert state_in(replica) == before
    replica.restore([beginning, *rest])


def test_no_snapshot_reaches_what_is_none_of_the_state() -> None:
    sneaky = ReplicatedObject(Inventory())
    sneaky.machine.__dict__["_paxon_journa1"] = 1
    pieces = [piece.replace(b"_paxon_journa1", b"_paxon_journal") for piece in sneaky.capture()]
    replica = supplied()
    with pytest.raises(SnapshotUnusable, match="none of a state's"):
        replica.restore(pieces)
    supply(replica, "still works")


def test_a_capture_within_a_command_or_beside_another_is_our_bug() -> None:
    replica = supplied()
    replica.machine.stock["bolt"] = 7
    with pytest.raises(InvariantViolation, match="between commands"):
        replica.capture()
    journal_of(replica.machine).take_back()
    pieces = replica.capture()
    with pytest.raises(InvariantViolation, match="one capture"):
        replica.capture()
    pieces.close()
    assert list(replica.capture()) == list(supplied().capture())


def test_a_capture_of_parts_that_is_given_up_ends_all_of_theirs() -> None:
    assembly = Assembly({"one": Inventory(), "two": Inventory()})
    for taken in range(3):
        pieces = assembly.capture()
        for _ in range(taken):
            next(pieces)
        pieces.close()
    assert len(list(assembly.capture())) > 2


# --- the next release of a class ---


class Grown(Inventory):
    """The next release of an inventory."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = ["new"]
        self.limit = 5


def test_an_attribute_that_is_new_is_as_init_makes_it() -> None:
    taken = list(supplied().capture())
    later: type[Grown] = type("Inventory", (Grown,), {})
    grown = ReplicatedObject(later())
    grown.machine.notes.append("changed since")
    grown.machine.limit = 6
    journal_of(grown.machine).forget()
    grown.restore(taken)
    assert state_of(grown.machine).keys() == {"stock", "orders", "changes", "notes", "limit"}
    assert (list(grown.machine.notes), grown.machine.limit) == (["new"], 5)
    grown.machine.notes.append("taken back")
    journal_of(grown.machine).take_back()
    assert list(grown.machine.notes) == ["new"]


def test_an_attribute_that_was_deleted_stays_so() -> None:
    replica = ReplicatedObject(Grown())
    del replica.machine.limit
    journal_of(replica.machine).forget()
    other = ReplicatedObject(Grown())
    other.restore(replica.capture())
    assert state_in(other) == state_in(replica)
    assert not hasattr(other.machine, "limit")


# --- a class that brings its own ---


class Sums(StateMachine):
    """Numbers, and what follows from them."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.total = 0

    @command
    def add(self, ctx: Context, number: int) -> int:
        """Add one."""
        self.numbers.append(number)
        self.total += number
        return self.total

    def snapshot(self) -> list[int]:
        """See ``StateMachine``."""
        self.total = -1  # A snapshot changes nothing, whatever it does.
        return self.numbers

    def restore(self, data: list[int]) -> None:
        """See ``StateMachine``."""
        self.numbers = data
        self.total = sum(data)
        if self.total < 0:
            raise LookupError("below zero")


def sums(*numbers: int) -> ReplicatedObject[Sums]:
    """These numbers."""
    replica = ReplicatedObject(Sums())
    for number in numbers:
        replica.apply(submission(Signature(Sums), Sums.add, number)[0], Decided(Slot(1), 0))
    return replica


def test_a_class_may_bring_its_own_snapshot() -> None:
    replica, other = sums(1, 2), sums(9)
    pieces = replica.capture()
    replica.apply(submission(Signature(Sums), Sums.add, 7)[0], Decided(Slot(2), 0))
    taken = list(pieces)
    other.restore(taken)
    assert state_in(other) == state_in(sums(1, 2))
    assert list(other.capture()) == taken
    assert state_in(replica) == state_in(sums(1, 2, 7))


def test_a_snapshot_of_ones_own_is_cut_into_pieces_too() -> None:
    replica = sums(*range(0))
    replica.machine.numbers = list(range(100_000))
    journal_of(replica.machine).forget()
    taken = list(replica.capture())
    assert len(taken) > 3
    assert max(map(len, taken)) <= PIECE_BYTES + 1
    other = sums()
    other.restore(taken)
    assert other.machine.total == sum(range(100_000))


def test_a_snapshot_that_the_class_cannot_take_in_is_unusable_and_leaves_everything_as_it_was() -> None:
    beginning, body = sums(1).capture()
    for rest in (
        list(sums(-5).capture())[1:],
        [],
        [body, body],
        [b"\x00" + msgspec.msgpack.encode(["one"])],
        [b"\x00"],
        [b"\x02" + body[1:]],
        [b""],
    ):
        replica = sums(1, 2)
        with pytest.raises(SnapshotUnusable):
            replica.restore([beginning, *rest])
        assert state_in(replica) == state_in(sums(1, 2))


def test_a_snapshot_that_is_not_what_it_says_is_told_when_it_is_taken() -> None:
    replica = sums(1)
    replica.machine.numbers.append("two")  # type: ignore[arg-type]
    journal_of(replica.machine).forget()
    with pytest.raises(TypeError, match="snapshot returned no"):
        replica.capture()


def only_snapshot(self: Any) -> int: ...  # type: ignore[empty-body]
def untyped_snapshot(self: Any): ...  # type: ignore[no-untyped-def]
def snapshot_of_anything(self: Any) -> Any: ...
def snapshot_of_nowhere(self: Any) -> "Nowhere": ...  # type: ignore[name-defined]  # noqa: F821
def snapshot_with_more(self: Any, more: int) -> int: ...  # type: ignore[empty-body]
def restore_int(self: Any, data: int) -> None: ...
def restore_text(self: Any, data: str) -> None: ...
def restore_anything(self: Any, data: Any) -> None: ...
def restore_untyped(self: Any, data) -> None: ...  # type: ignore[no-untyped-def]
def restore_nothing(self: Any) -> None: ...


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ({"snapshot": only_snapshot}, "has snapshot and no restore: write both, or neither"),
        ({"restore": restore_int}, "has restore and no snapshot: write both, or neither"),
        ({"snapshot": untyped_snapshot, "restore": restore_int}, r"write def snapshot\(self\) -> T"),
        ({"snapshot": snapshot_with_more, "restore": restore_int}, r"write def snapshot\(self\) -> T"),
        ({"snapshot": only_snapshot, "restore": restore_untyped}, r"write def restore\(self, data: T\) -> None"),
        ({"snapshot": only_snapshot, "restore": restore_nothing}, r"write def restore\(self, data: T\) -> None"),
        ({"snapshot": only_snapshot, "restore": restore_text}, "give both one type"),
        ({"snapshot": snapshot_of_anything, "restore": restore_anything}, "cannot be carried: Any says nothing"),
        ({"snapshot": snapshot_of_nowhere, "restore": restore_int}, "has a type that is not defined"),
    ],
)
def test_a_class_that_says_it_wrong_is_told(methods: dict[str, Any], told: str) -> None:
    kind: Any = type("Faulty", (Inventory,), methods)
    with pytest.raises(ContractError, match=told):
        ReplicatedObject(kind())


def test_marked_methods_of_these_names_are_commands_and_queries_like_any_other() -> None:
    class Photographer(Inventory):
        @query
        def snapshot(self) -> int:
            """How many kinds there are."""
            return len(self.stock)

        @command
        def restore(self, ctx: Context) -> None:
            """Begin anew."""
            self.stock = {}

    assert snapshot_type(Photographer) is None
    assert snapshot_type(Sums) == list[int]


def test_a_class_with_slots_is_told() -> None:
    kind: Any = type("Slotted", (Inventory,), {"__slots__": ("hidden",)})
    with pytest.raises(ContractError, match="has __slots__, in which changes go unnoticed"):
        ReplicatedObject(kind())
