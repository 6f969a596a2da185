"""Development mode notices what is not deterministic, names it, and lets everything else be."""

import itertools
import random
import time
from typing import Any

import pytest

import paxon
from paxon.core.decree import Slot
from paxon.errors import NotDeterministic
from paxon.rsm.assembly import Announce, Assembly, Compare, PartCall, encode
from paxon.rsm.contract import Context, StateMachine, command
from paxon.rsm.double_check import Step
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import submission
from tests.rsm.inventory import Inventory

_calls = itertools.count()
_shared: list[int] = []


class Careless(StateMachine):
    """Every way to be different the second time."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.due_ms: int | None = None

    @command
    def answers_by_the_clock(self, ctx: Context) -> int:
        """The clock is read."""
        return time.perf_counter_ns()

    @command
    def keeps_a_lot(self, ctx: Context) -> None:
        """Chance is kept."""
        self.seen["lot"] = random.random()

    @command
    def counts_calls(self, ctx: Context) -> None:
        """Something outside the state is counted, and what is raised tells of it."""
        raise LookupError(f"call {next(_calls)}")

    @command
    def shares(self, ctx: Context) -> int:
        """Two objects share a list."""
        _shared.append(1)
        return len(_shared)

    @command
    def waits(self, ctx: Context) -> None:
        """Time makes something due."""
        self.due_ms = ctx.now_ms + 1

    def next_due_ms(self) -> int | None:
        """See the base class."""
        return self.due_ms

    def on_due(self, ctx: Context) -> None:
        """See the base class."""
        self.due_ms = None
        self.seen["due"] = random.random()


class Stage:
    """An assembly in development mode, and its log."""

    def __init__(self, machine: StateMachine) -> None:
        self.assembly = Assembly({"part": machine}, is_checked=True)
        self.slot = 0
        self.apply(encode(Announce("n1", self.assembly.abilities)))

    def apply(self, command: bytes) -> bytes:
        """One command in a slot of its own."""
        self.slot += 1
        return self.assembly.apply(command, Decided(Slot(self.slot), self.slot))

    def call(self, method: Any, *arguments: Any, **named: Any) -> bytes:
        """One call of the part."""
        signature = self.assembly.objects["part"].signature
        return self.apply(encode(PartCall("part", submission(signature, method, *arguments, **named)[0])))


@pytest.mark.parametrize("method", ["answers_by_the_clock", "keeps_a_lot", "counts_calls", "shares"])
def test_a_command_that_is_different_the_second_time_is_named_with_its_slot(method: str) -> None:
    stage = Stage(Careless())
    with pytest.raises(NotDeterministic, match=rf"the command {method} of part in slot 2"):
        stage.call(getattr(Careless, method))


def test_what_time_makes_due_is_looked_at_too() -> None:
    stage = Stage(Careless())
    stage.call(Careless.waits)
    with pytest.raises(NotDeterministic, match="what time made due of part in slot 9"):
        stage.assembly.on_due(Decided(Slot(9), 100))


def test_a_good_machine_is_not_accused_whatever_it_raises() -> None:
    stage, plain = Stage(Inventory()), Assembly({"part": Inventory()})
    plain.apply(encode(Announce("n1", plain.abilities)), Decided(Slot(1), 1))
    calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
        (Inventory.supply, ("bolt", 2), {}),
        (Inventory.reserve, ("bolt",), {"order": "o-1"}),
        (Inventory.reserve, ("nut",), {"order": "o-1"}),
        (Inventory.draw, (), {}),
    ]
    for method, arguments, named in calls:
        call = encode(PartCall("part", submission(plain.objects["part"].signature, method, *arguments, **named)[0]))
        answer = plain.apply(call, Decided(Slot(stage.slot + 1), stage.slot + 1))
        assert stage.apply(call) == answer
    with pytest.raises(LookupError):
        stage.call(Inventory.reckless, "bolt")
    steps = stage.assembly.steps_to_tell(100)
    assert [step.command for step in steps] == ["supply", "reserve", "reserve", "draw", "reckless"]
    assert stage.assembly.steps_to_tell(100) == ()


def test_two_members_whose_states_part_are_named_with_the_first_command_that_did_it() -> None:
    stage = Stage(Inventory())
    stage.call(Inventory.supply, "bolt", 2)
    stage.call(Inventory.supply, "nut", 2)
    ours = stage.assembly.steps_to_tell(100)
    stage.apply(encode(Compare("n1", ours)))
    stage.apply(encode(Compare("n2", ours[:1])))
    parted = Step(ours[1].slot, ours[1].number, ours[1].part, ours[1].command, b"another")
    with pytest.raises(NotDeterministic, match=r"the command supply of part in slot 3 left n1 and n3 with different"):
        stage.apply(encode(Compare("n3", (ours[0], parted))))
    outside = Assembly({"part": Inventory()})
    assert outside.apply(encode(Compare("n3", (parted,))), Decided(Slot(1), 1)) == b""


def test_while_a_snapshot_is_taken_commands_go_on_and_the_state_can_be_restored() -> None:
    stage = Stage(Inventory())
    stage.call(Inventory.supply, "bolt", 2)
    pieces = stage.assembly.capture()
    stage.call(Inventory.supply, "bolt", 2)
    taken = list(pieces)
    other = Stage(Inventory())
    other.assembly.restore(taken)
    other.call(Inventory.supply, "bolt", 1)
    assert other.assembly.objects["part"].machine.stock == {"bolt": 3}  # type: ignore[attr-defined]


def test_it_is_open_to_users() -> None:
    assert paxon.NotDeterministic is NotDeterministic
