"""A captured state is what it was when the capture began, whatever happens until the last piece."""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from paxon.errors import InvariantViolation, SnapshotUnusable
from paxon.rsm import capture as capture_module
from paxon.rsm import pieces as pieces_module
from paxon.rsm.capture import captured
from paxon.rsm.contract import StateMachine, journal_of, state_of
from paxon.rsm.journal import Journal
from paxon.rsm.machine import PIECE_BYTES
from paxon.rsm.restore import restored
from paxon.rsm.tracked import TrackedDict, TrackedList, tracked
from paxon.rsm.tracked_set import TrackedSet
from tests.core.steady import steady
from tests.rsm.forms import form
from tests.tidy.source import ROOT

SMALL = 300
"""A piece of so many bytes has a handful of values."""


class State(StateMachine):
    """A state of whatever a test puts there."""

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)
        journal_of(self).forget()

    def capture(self) -> Generator[bytes, None, None]:
        """Begin to capture all of it."""
        return captured(journal_of(self), state_of(self))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few values."""
    monkeypatch.setattr(capture_module, "PIECE_BYTES", SMALL)
    monkeypatch.setattr(pieces_module, "PIECE_BYTES", SMALL)


# --- any state, any change at any moment ---

immutables = st.sampled_from(
    [None, True, 1, 2.5, "", "text", "ü", b"x" * 60, (1, ("a",)), frozenset({1, "b"}), 1 << 70]
)
values = immutables | st.sampled_from(
    [
        [],
        {},
        set[int](),
        [[]],
        {"a": [1], "b": {"c": {2}}},
        ([1], {"a": (2, [3])}),
        list(range(12)),
        {number: str(number) for number in range(12)},
        set(range(12)),
        [[number] for number in range(12)],
        [[[[[1]]]]],
    ]
)
"""Whatever is put into a state is copied, and depth comes from putting these into one another."""
changes = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 7), st.integers(0, 200), st.integers(-1, 60), immutables, values),
    min_size=1,
    max_size=6,
)


def containers_of(machine: StateMachine) -> list[Any]:
    """Every container that can be reached from the machine, in an order that the state alone decides."""
    found: list[Any] = []
    waiting = list(state_of(machine).values())
    for value in waiting:
        if isinstance(value, tuple):
            waiting.extend(value)
        elif isinstance(value, TrackedDict | TrackedList | TrackedSet) and not any(value is known for known in found):
            found.append(value)
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return found


def change(machine: StateMachine, which: int, how: int, at: int, other: int, key: Any, value: Any) -> None:
    """Change one of the containers, or an attribute; the value may be a container that is there already."""
    found = containers_of(machine)
    if other >= 0 and found and other < 2 * len(found):
        value = found[other % len(found)]
    if not found or which % (len(found) + 1) == len(found):
        setattr(machine, "abc"[at % 3], value)
        return
    container = found[which % len(found)]
    with contextlib.suppress(KeyError, IndexError):
        if isinstance(container, TrackedDict):
            change_dict(container, how, at, key, value)
        elif isinstance(container, TrackedList):
            change_list(container, how, at, value)
        else:
            change_set(container, how, key)


def change_dict(held: Any, how: int, at: int, key: Any, value: Any) -> None:
    keys = list(held)
    if how <= 2:
        held[key] = value
    elif how == 3:
        held[keys[at % len(keys)] if keys else key] = value
    elif how == 4 and keys:
        del held[keys[at % len(keys)]]
    elif how == 5:
        held.popitem()
    elif how == 6:
        held.update({key: value, at: at})
    elif how == 7:
        held.clear()


def change_list(held: Any, how: int, at: int, value: Any) -> None:
    if how <= 1:
        held.append(value)
    elif how == 2:
        held.insert(at % (len(held) + 1), value)
    elif how == 3 and held:
        held[at % len(held)] = value
    elif how == 4 and held:
        held.pop(at % len(held))
    elif how == 5:
        held.pop()
    elif how == 6:
        held.reverse()
    elif how == 7:
        del held[at % 4 :]


def change_set(held: Any, how: int, key: Any) -> None:
    if how <= 3:
        held.add(key)
    elif how == 4:
        held.discard(key)
    elif how == 5:
        held.pop()
    elif how == 6:
        held.update(range(20))
    elif how == 7:
        held.clear()


class Captures(RuleBasedStateMachine):
    """Commands, some of which fail, and captures under way between them."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(capture_module, "PIECE_BYTES", SMALL)
        self.patch.setattr(pieces_module, "PIECE_BYTES", SMALL)
        self.state = State()
        self.under_way: Generator[bytes, None, None] | None = None
        self.taken: list[bytes] = []
        self.expected: object = None

    @initialize(a=values, b=values)
    def begin(self, a: Any, b: Any) -> None:
        self.state.a, self.state.b = a, b
        journal_of(self.state).forget()

    @rule(commanded=changes, fails=st.booleans())
    def command(self, commanded: list[Any], fails: bool) -> None:
        for one in commanded:
            change(self.state, *one)
        if fails:
            journal_of(self.state).take_back()
        else:
            journal_of(self.state).forget()

    @precondition(lambda self: self.under_way is None)
    @rule()
    def capture(self) -> None:
        self.expected = form(state_of(self.state))
        self.under_way = self.state.capture()
        self.taken = []

    @precondition(lambda self: self.under_way is not None)
    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        assert self.under_way is not None
        for _ in range(count):
            piece = next(self.under_way, None)
            if piece is None:
                self.judge()
                return
            self.taken.append(piece)

    @precondition(lambda self: self.under_way is not None)
    @rule()
    def give_up(self) -> None:
        assert self.under_way is not None
        self.under_way.close()
        self.under_way = None

    def judge(self) -> None:
        journal = Journal()
        again = restored(journal, self.taken)
        assert form(again) == self.expected
        assert list(captured(journal, again)) == self.taken, "equal states have unequal pieces"
        self.under_way = None

    def teardown(self) -> None:
        if self.under_way is not None:
            self.taken += self.under_way
            self.judge()
        self.patch.undo()


def test_what_is_captured_is_what_was_there_at_the_beginning() -> None:
    run_state_machine_as_test(Captures, settings=settings(steady, max_examples=100, stateful_step_count=30))


# --- the same, one rule at a time ---


def same(pieces: Any, **attributes: Any) -> bool:
    """Whether the pieces hold just these attributes, made anew."""
    return form(restored(Journal(), list(pieces))) == form(state_of(State(**attributes)))


def test_a_change_of_what_was_not_met_yet_is_not_captured() -> None:
    state: Any = State(inside=[[1], {"a": 1}, {1}])
    pieces = state.capture()
    state.inside[0].append(2)
    state.inside[1]["b"] = 2
    state.inside[2].add(2)
    state.inside.pop()
    state.more = 1
    del state.inside
    assert same(pieces, inside=[[1], {"a": 1}, {1}])


@pytest.mark.usefixtures("small")
def test_a_change_of_what_was_met_and_is_not_written_is_not_captured() -> None:
    state: Any = State(many=list(range(100)), inside=[1])
    pieces = state.capture()
    taken = [next(pieces)]
    state.inside.append(2)
    assert same([*taken, *pieces], many=list(range(100)), inside=[1])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("held", "damage"),
    [
        (list(range(100)), lambda held: held.clear()),
        (list(range(100)), lambda held: held.insert(0, -1)),
        (list(range(100)), lambda held: held.append(-1)),
        ({number: str(number) for number in range(100)}, lambda held: held.clear()),
        ({number: str(number) for number in range(100)}, lambda held: held.update({99: "other"})),
        ({number: str(number) for number in range(100)}, lambda held: held.update({100: "new"})),
        ({number: str(number) for number in range(100)}, lambda held: held.popitem()),
        (set(range(100)), lambda held: held.clear()),
        (set(range(100)), lambda held: held.add(100)),
    ],
)
def test_a_change_of_what_is_half_written_is_not_captured(held: Any, damage: Any) -> None:
    state: Any = State(held=held)
    pieces = state.capture()
    taken = [next(pieces) for _ in range(3)]
    for _ in range(2):
        damage(state.held)
    assert same([*taken, *pieces], held=held)


@pytest.mark.usefixtures("small")
def test_a_change_that_is_taken_back_is_not_captured_either() -> None:
    state: Any = State(many=list(range(100)), inside={"a": 1, "b": 2})
    pieces = state.capture()
    taken = [next(pieces)]
    del state.inside["a"]
    state.many.clear()
    taken.append(next(pieces))
    journal_of(state).take_back()
    assert list(state.inside) == ["b", "a"]
    assert same([*taken, *pieces], many=list(range(100)), inside={"a": 1, "b": 2})


@pytest.mark.usefixtures("small")
def test_what_is_captured_is_the_order_too() -> None:
    words = ["delta", "alpha", "charlie", "bravo"]
    state: Any = State(entered={}, chosen=set[str]())
    for word in words:
        state.entered[word] = len(word)
        state.chosen.add(word)
    journal_of(state).forget()
    again = restored(Journal(), state.capture())
    assert list(again["entered"]) == words
    assert list(again["chosen"]) == words


def test_what_is_held_twice_is_one_again_and_may_hold_itself() -> None:
    state: Any = State(first={"x": [1]}, second={})
    state.second["same"] = state.first["x"]
    state.second["pair"] = (state.first, 1)
    state.first["self"] = state.first
    journal_of(state).forget()
    again = restored(Journal(), state.capture())
    assert again["second"]["same"] is again["first"]["x"]
    assert again["second"]["pair"][0] is again["first"]
    assert again["first"]["self"] is again["first"]


def test_no_depth_is_too_deep() -> None:
    state: Any = State(chain=[])
    inner = state.chain
    for _ in range(20_000):
        inner.append([])
        inner = inner[0]
    journal_of(state).forget()
    again = restored(Journal(), state.capture())["chain"]
    depth = 0
    while again:
        again, depth = again[0], depth + 1
    assert depth == 20_000


def test_what_is_restored_can_change_and_take_back() -> None:
    state = State(a={"x": [1]}, b={3})
    journal = Journal()
    again = restored(journal, state.capture())
    again["a"]["x"].append(2)
    again["a"]["y"] = 1
    again["b"].add(4)
    journal.take_back()
    assert form(again) == form(state_of(state))


def test_a_capture_that_is_given_up_leaves_room_for_the_next() -> None:
    state: Any = State(a=[[1], [2]])
    for started in (0, 1):
        pieces: Generator[bytes, None, None] = state.capture()
        state.a[0].append(7)
        journal_of(state).forget()
        for _ in range(started):
            next(pieces)
        with pytest.raises(InvariantViolation, match="one capture of a state is under way at a time"):
            state.capture()
        pieces.close()
    dropped = state.capture()
    del dropped
    state.a[1].append(8)
    journal_of(state).forget()
    assert same(state.capture(), a=[[1, 7, 7], [2, 8]])


def test_a_state_is_not_captured_within_a_command() -> None:
    state: Any = State(a=[])
    state.a.append(1)
    with pytest.raises(InvariantViolation, match="between commands"):
        state.capture()


def test_pieces_are_about_as_large_as_they_should_be() -> None:
    state = State(
        small={number: (number, [str(number)]) for number in range(20_000)},
        large=[bytes(1000)] * 1000,
        huge=b"x" * (10 * PIECE_BYTES),
    )
    pieces = list(state.capture())
    assert max(map(len, pieces)) <= 2 * PIECE_BYTES + 1
    assert len(pieces) > 20
    assert form(restored(Journal(), pieces)) == form(state_of(state))


def test_an_unchanged_state_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that was made since, or is written already."""
    copied: list[object] = []
    part = capture_module.Contents.part

    def counted(contents: capture_module.Contents) -> None:
        copied.append(contents)
        part(contents)

    monkeypatch.setattr(capture_module.Contents, "part", counted)
    state: Any = State(a=[[1]], b={})
    pieces = state.capture()
    state.c = [1, 2]
    state.c.append(3)
    taken = list(pieces)
    state.a[0].append(2)
    assert copied == []
    assert same(taken, a=[[1]], b={})


# --- equal states, equal pieces ---


def sample() -> State:
    """A state in which everything is that could come in another order in another process."""
    words = ["delta", "alpha", "charlie", "bravo", "", "ü"]
    return State(
        sets=[set(words[:1]), frozenset(words), frozenset(map(len, words))],
        keys={(word, frozenset({word, word * 2})): {word: [word]} for word in words},
    )


def test_pieces_are_the_same_in_every_process() -> None:
    program = "from tests.rsm.test_capture import digest; print(digest())"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {digest()}


def digest() -> str:
    """What the pieces of ``sample`` are in short."""
    return hashlib.sha256(b"".join(sample().capture())).hexdigest()


def test_a_frozen_set_has_the_same_bytes_however_it_came_about() -> None:
    # Both have a place of their own in the table only if they come first.
    one, other = frozenset([0, 8]), frozenset([8, 0])
    assert list(one) != list(other)
    assert list(State(a=one).capture()) == list(State(a=other).capture())


# --- what is no captured state ---


def test_a_stream_that_lacks_a_piece_or_has_one_too_many_is_unusable(small: None) -> None:
    state = State(a=list(range(40)), b={"x": [1], "y": {2}}, c=b"x" * 4 * SMALL)
    pieces = list(state.capture())
    assert len(pieces) > 6
    for number in range(len(pieces)):
        for damaged in (
            pieces[:number],
            pieces[:number] + pieces[number + 1 :],
            [*pieces[: number + 1], *pieces[number:]],
        ):
            with pytest.raises(SnapshotUnusable):
                restored(Journal(), damaged)


def test_a_foreign_container_is_held_as_a_copy_and_captured_as_one() -> None:
    other = tracked([1], Journal())
    state = State(a=other)
    assert same(state.capture(), a=[1])
