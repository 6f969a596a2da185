"""Replicated objects: calls in bytes, results and refusals out of bytes, and nothing left of what failed."""

from typing import Any

import msgspec
import pytest

from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.errors import ApplyFailed, BadRequest, ContractError, LedgerTooNew, Rejected
from paxon.rsm.applier import Applier
from paxon.rsm.calls import head_of
from paxon.rsm.contract import Context, StateMachine, command, query, state_of
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import ReplicatedObject, Signature, question, submission
from paxon.rsm.tracked import plain
from tests.rsm.inventory import Inventory, OutOfStock, Reserved

SIGNATURE = Signature(Inventory)


class Shop:
    """An inventory behind bytes, with every call decided in a slot of its own."""

    def __init__(self) -> None:
        self.replica = ReplicatedObject(Inventory())
        self.slot = 0

    def do(self, method: Any, *arguments: Any, **named: Any) -> Any:
        """Have a command applied."""
        call, read = submission(SIGNATURE, method, *arguments, **named)
        self.slot += 1
        return read(self.replica.apply(call, Decided(Slot(self.slot), 1000 * self.slot)))

    def ask(self, method: Any, *arguments: Any, **named: Any) -> Any:
        """Ask a query."""
        call, read = question(SIGNATURE, method, *arguments, **named)
        return read(self.replica.query(call))

    @property
    def state(self) -> dict[str, Any]:
        """All of the state, as plain data."""
        return {name: plain(value) for name, value in state_of(self.replica.machine).items()}


def test_a_command_returns_its_typed_result() -> None:
    shop = Shop()
    assert shop.do(Inventory.supply, "bolt", amount=3) == 3
    assert shop.do(Inventory.supply, "bolt") == 4
    assert shop.do(Inventory.reserve, "bolt", order="o-1") == Reserved("o-1", 3)
    assert shop.ask(Inventory.left, "bolt") == 3
    assert shop.ask(Inventory.orders_of, order="o-1") == ["bolt"]


def test_a_refusal_reaches_the_caller_as_what_it_is_and_leaves_no_trace() -> None:
    shop = Shop()
    shop.do(Inventory.supply, "nut")
    before = shop.state
    with pytest.raises(OutOfStock) as caught:
        shop.do(Inventory.reserve, "bolt", order="o-1")
    assert caught.value.args == ("bolt", 2)
    assert shop.state == before
    assert shop.replica.failures == 0


def test_any_other_exception_leaves_no_trace_either_and_is_counted() -> None:
    shop = Shop()
    shop.do(Inventory.supply, "bolt")
    shop.do(Inventory.reserve, "bolt", order="o-1")
    before = shop.state
    with pytest.raises(LookupError, match="no bolt any more"):
        shop.do(Inventory.reckless, "bolt")
    assert shop.state == before
    assert shop.replica.failures == 1
    assert shop.do(Inventory.supply, "bolt") == 1


def test_behind_an_applier_a_failure_is_a_decided_result_and_the_log_goes_on() -> None:
    applier = Applier(ReplicatedObject(Inventory()))
    calls = [
        submission(SIGNATURE, Inventory.reckless, "bolt")[0],
        submission(SIGNATURE, Inventory.supply, "bolt")[0],
        b"nonsense",
    ]
    failed, done, nonsense = applier.apply(Slot(1), Decree(Ballot(1, NodeId(1)), 5, tuple(calls)))
    assert isinstance(failed, ApplyFailed)
    assert "KeyError" in str(failed)
    assert isinstance(done, bytes)
    assert isinstance(nonsense, ApplyFailed)


def test_a_query_that_changes_something_is_taken_back() -> None:
    shop = Shop()
    assert shop.ask(Inventory.meddling) == 1
    assert shop.ask(Inventory.meddling) == 1


def test_slot_time_and_chance_are_decided_and_chance_differs_from_command_to_command() -> None:
    call, read = submission(SIGNATURE, Inventory.draw)
    drawn = []
    for _ in range(2):
        replica = ReplicatedObject(Inventory())
        drawn.append([read(replica.apply(call, Decided(slot, 77))) for slot in (Slot(3), Slot(3), Slot(4))])
    assert drawn[0] == drawn[1]
    assert [(slot, now_ms) for slot, now_ms, _ in drawn[0]] == [(3, 77), (3, 77), (4, 77)]
    assert len({chance for _, _, chance in drawn[0]}) == 3


def test_wrong_arguments_are_the_callers_error_at_once() -> None:
    shop: Any = Shop()
    for arguments, named in (((), {}), (("bolt", 1, 2), {}), (("bolt",), {"colour": "red"}), (("bolt", "many"), {})):
        with pytest.raises(TypeError):
            shop.do(Inventory.supply, *arguments, **named)
    assert shop.slot == 0


def test_a_query_is_not_submitted_and_a_command_not_read() -> None:
    with pytest.raises(ContractError, match="read it, and do not submit it"):
        SIGNATURE.spelling(Inventory.left, is_command=True)
    with pytest.raises(ContractError, match="changes the state: submit it"):
        SIGNATURE.spelling(Inventory.supply, is_command=False)
    with pytest.raises(ContractError, match=r"'StateMachine.__setattr__' is no marked method of Inventory"):
        SIGNATURE.spelling(Inventory.__setattr__, is_command=True)


class Renamed(StateMachine):
    """The next release of a program: another type for an argument, and a command less."""

    @command
    def supply(self, ctx: Context, sku: str, amount: float = 1) -> float:
        """As before, nearly."""
        return amount


@pytest.mark.parametrize("method", [Inventory.supply, Inventory.draw], ids=["changed", "missing"])
def test_a_command_that_this_code_does_not_have_stops_the_member_and_parts_nobody(method: Any) -> None:
    arguments = ("bolt",) if method is Inventory.supply else ()
    call, _ = submission(SIGNATURE, method, *arguments)
    replica = ReplicatedObject(Renamed())
    with pytest.raises(BadRequest, match="is no command of Renamed here"):
        replica.check(call)
    with pytest.raises(LedgerTooNew, match=r"slot 1 calls .* start the release of your program that has it"):
        replica.apply(call, Decided(Slot(1), 0))
    with pytest.raises(LedgerTooNew):
        Applier(replica).apply(Slot(1), Decree(Ballot(1, NodeId(1)), 0, (call,)))


def test_what_is_no_call_is_refused_before_anybody_decides_on_it() -> None:
    replica = ReplicatedObject(Inventory())
    good, _ = submission(SIGNATURE, Inventory.supply, "bolt")
    replica.check(good)
    head, body = head_of(good), good[len(head_of(good)) :]
    arguments = msgspec.msgpack.decode(body)
    for bad in (
        b"",
        b"\xc1",
        good[:-1],
        good + b"\x00",
        head + msgspec.msgpack.encode({**arguments, "colour": "red"}),
        head + msgspec.msgpack.encode({"sku": 7}),
        head + msgspec.msgpack.encode([]),
        head + b"\x91" * 100_000,
        head[:-1] + b"\x00" + body,
        b"\x00" + body,
        b"\xff" * 300,
    ):
        with pytest.raises(BadRequest):
            replica.check(bad)


class Versions(StateMachine):
    """Two releases of one command side by side."""

    def __init__(self) -> None:
        self.total = 0

    @command(name="add")
    def _add_1(self, ctx: Context, amount: int) -> int:
        self.total += amount
        return self.total

    @command(version=2)
    def add(self, ctx: Context, amount: int, times: int = 1) -> int:
        """Add, so many times."""
        self.total += amount * times
        return self.total

    @query
    def sum(self) -> int:
        """All of it."""
        return self.total


def test_calls_of_an_old_version_in_the_log_still_mean_what_they_meant() -> None:
    signature, replica = Signature(Versions), ReplicatedObject(Versions())
    for method, named, total in ((Versions._add_1, {}, 2), (Versions.add, {"times": 3}, 8)):
        call, read = submission(signature, method, amount=2, **named)
        assert read(replica.apply(call, Decided(Slot(1), 0))) == total


class Careless(StateMachine):
    """Returns and raises what cannot travel."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    @command
    def give(self, ctx: Context, number: int) -> int:
        """Return what is no plain data."""
        self.seen.append(number)
        return object()  # type: ignore[return-value]

    @command
    def refuse(self, ctx: Context, number: int) -> int:
        """Refuse with what is no plain data."""
        self.seen.append(number)
        raise Rejected(object())

    @command
    def keep(self, ctx: Context, number: int) -> int:
        """Put what is no plain data into the state."""
        self.seen.append(number)
        self.seen.append(object())  # type: ignore[arg-type]
        return number


@pytest.mark.parametrize("method", [Careless.give, Careless.refuse, Careless.keep], ids=lambda method: method.__name__)
def test_what_cannot_travel_or_stay_is_a_failure_without_a_trace(method: Any) -> None:
    replica = ReplicatedObject(Careless())
    call, _ = submission(Signature(Careless), method, 1)
    with pytest.raises(TypeError):
        replica.apply(call, Decided(Slot(1), 0))
    assert list(replica.machine.seen) == []


def test_a_refusal_of_a_class_that_the_caller_does_not_have_is_a_plain_one() -> None:
    supply = SIGNATURE.spelling(Inventory.supply, is_command=True)
    reply = msgspec.msgpack.encode((2, "elsewhere:Unheard", [1], "never heard of"))
    with pytest.raises(Rejected, match="never heard of") as caught:
        supply.result(reply)
    assert type(caught.value) is Rejected


@pytest.mark.parametrize(("text", "instead"), [(b"supply", b"supp\xff\xfe"), (b"bolt", b"bo\xff\xfe")])
def test_a_call_with_broken_text_is_refused_at_the_door(text: bytes, instead: bytes) -> None:
    call, _ = submission(SIGNATURE, Inventory.supply, "bolt", amount=3)
    with pytest.raises(BadRequest, match=r"no call of a replicated object|does not take these arguments"):
        ReplicatedObject(Inventory()).check(call.replace(text, instead))
