"""Tracked containers: they behave like the plain ones, and take everything back."""

import copy
import dataclasses
import datetime
import enum
import heapq
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.rsm.journal import Journal
from paxon.rsm.tracked import TrackedDict, TrackedList, plain, tracked
from paxon.rsm.tracked_set import TrackedSet

keys = st.integers(0, 5)
items = st.integers(0, 9)

DICT_CHANGES = st.one_of(
    st.tuples(st.just("__setitem__"), keys, items),
    st.tuples(st.just("__delitem__"), keys),
    st.tuples(st.just("pop"), keys),
    st.tuples(st.just("pop"), keys, items),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("setdefault"), keys, items),
    st.tuples(st.just("update"), st.dictionaries(keys, items, max_size=3)),
    st.tuples(st.just("__ior__"), st.dictionaries(keys, items, max_size=3)),
    st.tuples(st.just("clear")),
)
places = st.one_of(st.integers(-6, 6), st.slices(5))
LIST_CHANGES = st.one_of(
    st.tuples(st.just("append"), items),
    st.tuples(st.just("insert"), st.integers(-6, 6), items),
    st.tuples(st.just("extend"), st.lists(items, max_size=3)),
    st.tuples(st.just("__iadd__"), st.lists(items, max_size=3)),
    st.tuples(st.just("__imul__"), st.integers(0, 2)),
    st.tuples(st.just("__setitem__"), st.integers(-6, 6), items),
    st.tuples(st.just("__setitem__"), st.slices(5), st.lists(items, max_size=3)),
    st.tuples(st.just("__delitem__"), places),
    st.tuples(st.just("pop")),
    st.tuples(st.just("pop"), st.integers(-6, 6)),
    st.tuples(st.just("remove"), items),
    st.tuples(st.just("sort")),
    st.tuples(st.just("reverse")),
    st.tuples(st.just("clear")),
)
SET_CHANGES = st.one_of(
    st.tuples(st.just("add"), items),
    st.tuples(st.just("discard"), items),
    st.tuples(st.just("remove"), items),
    st.tuples(st.just("update"), st.sets(items, max_size=3)),
    st.tuples(st.just("difference_update"), st.sets(items, max_size=3)),
    st.tuples(st.just("__ior__"), st.sets(items, max_size=3)),
    st.tuples(st.just("__iand__"), st.sets(items, max_size=3)),
    st.tuples(st.just("__isub__"), st.sets(items, max_size=3)),
    st.tuples(st.just("__ixor__"), st.sets(items, max_size=3)),
    st.tuples(st.just("clear")),
)


def outcome(target: Any, change: tuple[Any, ...]) -> object:
    """What a change returns, or the kind of error that it raises."""
    name, *arguments = change
    try:
        result = getattr(target, name)(*arguments)
    except (KeyError, IndexError, ValueError) as error:
        return type(error)
    return None if result is target else result


def both_ways(model: Any, before: Any, changes: list[tuple[Any, ...]]) -> None:
    """The tracked container does what the plain one does, and is as before once it takes that back."""
    journal = Journal()
    held = tracked(before, journal)
    journal.forget()
    for change in changes:
        assert outcome(held, change) == outcome(model, change)
        assert held == model
    journal.take_back()
    assert held == before
    assert plain(held) == before


@given(st.dictionaries(keys, items), st.lists(DICT_CHANGES))
def test_a_dict_behaves_like_a_dict_and_takes_back(before: dict[int, int], changes: list[tuple[Any, ...]]) -> None:
    both_ways(dict(before), before, changes)


@given(st.lists(items, max_size=6), st.lists(LIST_CHANGES))
def test_a_list_behaves_like_a_list_and_takes_back(before: list[int], changes: list[tuple[Any, ...]]) -> None:
    both_ways(list(before), before, changes)


@given(st.sets(items), st.lists(SET_CHANGES))
def test_a_set_behaves_like_a_set_and_takes_back(before: set[int], changes: list[tuple[Any, ...]]) -> None:
    both_ways(set(before), before, changes)


def test_what_is_forgotten_is_not_taken_back() -> None:
    journal = Journal()
    held = tracked({"a": 1}, journal)
    held["b"] = 2
    journal.forget()
    held["c"] = 3
    journal.take_back()
    assert held == {"a": 1, "b": 2}


def test_containers_within_containers_are_tracked_at_any_depth() -> None:
    journal = Journal()
    held = tracked({"orders": {1: {"lines": [1, 2], "tags": {"new"}}}}, journal)
    journal.forget()
    held["orders"][1]["lines"].append(3)
    held["orders"][1]["tags"].add("paid")
    held["orders"][2] = {"lines": [], "tags": set()}
    held["orders"][2]["lines"].append(9)
    journal.take_back()
    assert plain(held) == {"orders": {1: {"lines": [1, 2], "tags": {"new"}}}}


def test_a_container_inside_a_tuple_is_tracked() -> None:
    journal = Journal()
    held = tracked({"pair": (1, [2])}, journal)
    journal.forget()
    held["pair"][1].append(3)
    journal.take_back()
    assert plain(held) == {"pair": (1, [2])}


def test_a_change_that_is_refused_changes_and_notes_nothing() -> None:
    journal = Journal()
    held = tracked({"a": 1}, journal)
    journal.forget()
    with pytest.raises(TypeError, match="cannot hold"):
        held["b"] = object()
    with pytest.raises(TypeError, match="cannot hold"):
        held[object()] = 1
    journal.take_back()
    assert held == {"a": 1}


def test_a_container_held_twice_stays_one() -> None:
    journal = Journal()
    held = tracked({"a": [1]}, journal)
    held["b"] = held["a"]
    held["b"].append(2)
    assert held["a"] is held["b"]


def test_a_container_of_another_state_is_copied() -> None:
    mine, yours = Journal(), Journal()
    theirs = tracked([1], yours)
    held = tracked({}, mine)
    held["a"] = theirs
    theirs.append(2)
    assert plain(held) == {"a": [1]}


class Colour(enum.Enum):
    RED = 1


class Point(msgspec.Struct, frozen=True):
    x: int
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Line:
    start: Point
    colours: frozenset[Colour] = frozenset()


IMMUTABLE = (
    None,
    True,
    1,
    1.5,
    "text",
    b"bytes",
    (1, ("two", b"three")),
    frozenset({1}),
    Colour.RED,
    Point(1, ("a",)),
    Line(Point(1), frozenset({Colour.RED})),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
)


@pytest.mark.parametrize("value", IMMUTABLE, ids=repr)
def test_what_is_immutable_is_held_as_it_is(value: object) -> None:
    held = tracked({"a": value, value: 1}, Journal())
    assert held["a"] == value
    assert held[value] == 1


@dataclasses.dataclass
class Open:
    x: int


class OpenStruct(msgspec.Struct):
    x: int


class Holder(msgspec.Struct, frozen=True):
    inside: Any


@pytest.mark.parametrize(
    "value",
    [
        Open(1),
        OpenStruct(1),
        object(),
        bytearray(b"x"),
        Holder([1]),
        Holder((1, {2})),
        Holder(Holder({})),
        (Open(1),),
        [Open(1)],
        {1: {2: Open(1)}},
        iter([1]),
        lambda: 1,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_change_unnoticed_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"cannot hold|could change unnoticed"):
        tracked(value, Journal())


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(TypeError, match="in the field inside of Holder: a list could change unnoticed here"):
        tracked(Holder([1]), Journal())


def test_functions_in_c_cannot_change_a_list_behind_our_back() -> None:
    held = tracked([3, 1], Journal())
    with pytest.raises(TypeError):
        heapq.heappush(held, 2)


def test_a_set_has_the_order_of_entering() -> None:
    journal = Journal()
    held = tracked(set[str](), journal)
    for word in ("delta", "alpha", "charlie", "bravo"):
        held.add(word)
    assert list(held) == ["delta", "alpha", "charlie", "bravo"]
    assert held.pop() == "delta"


@pytest.mark.parametrize("before", [{"a": [1]}, [1, {2}], {1, 2}], ids=["dict", "list", "set"])
def test_a_copy_is_plain_and_leaves_the_state_alone(before: Any) -> None:
    held = tracked(before, Journal())
    for copied in (held.copy(), copy.copy(held)):
        assert type(copied) is type(before)
        assert copied == before
    deep = copy.deepcopy(held)
    assert not isinstance(deep, TrackedDict | TrackedList | TrackedSet)
    assert deep == before
