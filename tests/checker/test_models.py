"""Histories made by hand, good and bad ones for each model.

A history is one line for each operation: process, call, return (``?`` if the outcome is
unknown), input, output.
"""

from typing import Any

import pytest

from paxon.checker import History, Linearizable, Model, NotLinearizable, Operation, check_history
from paxon.checker.counter import Add, Counter, Total
from paxon.checker.key_value import CompareAndPut, Compared, Delete, Deleted, Found, Get, KeyValue, Put, Written
from paxon.checker.model import Done, Got, Read, Write
from paxon.checker.queue import Dequeue, Enqueue, Queue
from paxon.checker.register import CompareAndSet, CompareAndSetRegister, Register, Swapped
from paxon.checker.revisions import PutIfUnchanged, Removed, Revisions, Seen, Stored, Tried
from tests.checker.brute_force import is_linearizable
from tests.checker.histories import AllKeys

Line = tuple[str, int, int | None, Any, Any]

UNKNOWN = None


def history_of(lines: list[Line]) -> History[Any, Any]:
    return History(
        tuple(Operation(process, call, given, returned, output) for process, call, returned, given, output in lines)
    )


REGISTER: dict[str, tuple[bool, list[Line]]] = {
    "nothing happened": (True, []),
    "a read before any write": (True, [("a", 0, 1, Read(), Got(None))]),
    "a read sees the write before it": (True, [("a", 0, 1, Write(1), Done()), ("b", 2, 3, Read(), Got(1))]),
    "a stale read": (
        False,
        [("a", 0, 1, Write(1), Done()), ("a", 2, 3, Write(2), Done()), ("b", 4, 5, Read(), Got(1))],
    ),
    "a read beside a write may see either": (
        True,
        [("a", 0, 9, Write(1), Done()), ("b", 1, 2, Read(), Got(None)), ("b", 3, 4, Read(), Got(1))],
    ),
    "two reads beside a write do not go back": (
        False,
        [("a", 0, 9, Write(1), Done()), ("b", 1, 2, Read(), Got(1)), ("c", 3, 4, Read(), Got(None))],
    ),
    "two readers disagree on the order of two writes": (
        False,
        [
            ("a", 0, 20, Write(1), Done()),
            ("b", 0, 20, Write(2), Done()),
            ("c", 1, 2, Read(), Got(1)),
            ("c", 3, 4, Read(), Got(2)),
            ("d", 5, 6, Read(), Got(1)),
        ],
    ),
    "a value that was never written": (False, [("a", 0, 1, Write(1), Done()), ("b", 2, 3, Read(), Got(7))]),
    "a value that is written later": (False, [("b", 0, 1, Read(), Got(1)), ("a", 2, 3, Write(1), Done())]),
    "a call at the instant of a return overlaps": (
        True,
        [("a", 0, 5, Write(1), Done()), ("b", 5, 6, Read(), Got(None))],
    ),
    "an unknown write is seen much later": (
        True,
        [
            ("a", 0, UNKNOWN, Write(1), None),
            ("b", 1, 2, Write(2), Done()),
            ("b", 50, 51, Read(), Got(2)),
            ("b", 60, 61, Read(), Got(1)),
        ],
    ),
    "an unknown write is never seen": (True, [("a", 0, UNKNOWN, Write(1), None), ("b", 1, 2, Read(), Got(None))]),
    "an unknown write takes effect once": (
        False,
        [
            ("a", 0, UNKNOWN, Write(1), None),
            ("b", 10, 11, Read(), Got(1)),
            ("b", 12, 13, Write(2), Done()),
            ("b", 14, 15, Read(), Got(1)),
        ],
    ),
    "an unknown write is not seen before its call": (
        False,
        [("b", 1, 2, Read(), Got(1)), ("a", 5, UNKNOWN, Write(1), None)],
    ),
    "two unknown writes with one value are two writes": (
        True,
        [
            ("a", 0, UNKNOWN, Write(1), None),
            ("c", 0, UNKNOWN, Write(1), None),
            ("b", 10, 11, Read(), Got(1)),
            ("b", 12, 13, Write(2), Done()),
            ("b", 14, 15, Read(), Got(1)),
        ],
    ),
}

COMPARE_AND_SET: dict[str, tuple[bool, list[Line]]] = {
    "one of two wins": (
        True,
        [
            ("a", 0, 5, CompareAndSet(None, 1), Swapped(True)),
            ("b", 0, 5, CompareAndSet(None, 2), Swapped(False)),
            ("a", 6, 7, Read(), Got(1)),
        ],
    ),
    "both win": (
        False,
        [("a", 0, 5, CompareAndSet(None, 1), Swapped(True)), ("b", 0, 5, CompareAndSet(None, 2), Swapped(True))],
    ),
    "nobody wins": (
        False,
        [("a", 0, 5, CompareAndSet(None, 1), Swapped(False)), ("b", 0, 5, CompareAndSet(None, 2), Swapped(False))],
    ),
    "a winner whose update is lost": (
        False,
        [
            ("a", 0, 1, CompareAndSet(None, 1), Swapped(True)),
            ("a", 2, 3, CompareAndSet(1, 2), Swapped(True)),
            ("b", 4, 5, Read(), Got(1)),
        ],
    ),
    "it loses to an unknown one": (
        True,
        [("a", 0, UNKNOWN, CompareAndSet(None, 1), None), ("b", 5, 6, CompareAndSet(None, 2), Swapped(False))],
    ),
    "an unknown one that lost has no effect": (
        False,
        [
            ("b", 0, 1, Write(5), Done()),
            ("a", 2, UNKNOWN, CompareAndSet(None, 1), None),
            ("b", 3, 4, Read(), Got(1)),
        ],
    ),
}

COUNTER: dict[str, tuple[bool, list[Line]]] = {
    "additions add up": (
        True,
        [("a", 0, 5, Add(2), Total()), ("b", 0, 5, Add(3), Total(3)), ("a", 6, 7, Read(), Total(5))],
    ),
    "a lost update": (
        False,
        [("a", 0, 5, Add(), Total(1)), ("b", 0, 5, Add(), Total(1)), ("a", 6, 7, Read(), Total(1))],
    ),
    "one request applied twice": (False, [("a", 0, 5, Add(), Total()), ("b", 6, 7, Read(), Total(2))]),
    "an unknown addition is applied at last": (
        True,
        [("a", 0, UNKNOWN, Add(), None), ("b", 1, 2, Read(), Total(0)), ("b", 3, 4, Read(), Total(1))],
    ),
    "an unknown addition applied twice": (
        False,
        [("a", 0, UNKNOWN, Add(), None), ("b", 1, 2, Read(), Total(1)), ("b", 3, 4, Read(), Total(2))],
    ),
    "an addition taken back": (
        False,
        [("a", 0, UNKNOWN, Add(), None), ("b", 1, 2, Read(), Total(1)), ("b", 3, 4, Read(), Total(0))],
    ),
}

QUEUE: dict[str, tuple[bool, list[Line]]] = {
    "first in, first out": (
        True,
        [
            ("a", 0, 1, Enqueue("x"), Done()),
            ("a", 2, 3, Enqueue("y"), Done()),
            ("b", 4, 5, Dequeue(), Got("x")),
            ("b", 6, 7, Dequeue(), Got("y")),
            ("b", 8, 9, Dequeue(), Got(None)),
        ],
    ),
    "the order is turned round": (
        False,
        [
            ("a", 0, 1, Enqueue("x"), Done()),
            ("a", 2, 3, Enqueue("y"), Done()),
            ("b", 4, 5, Dequeue(), Got("y")),
            ("b", 6, 7, Dequeue(), Got("x")),
        ],
    ),
    "at the same time either order is right": (
        True,
        [
            ("a", 0, 3, Enqueue("x"), Done()),
            ("c", 2, 3, Enqueue("y"), Done()),
            ("b", 4, 5, Dequeue(), Got("y")),
            ("b", 6, 7, Dequeue(), Got("x")),
        ],
    ),
    "one element taken twice": (
        False,
        [("a", 0, 1, Enqueue("x"), Done()), ("b", 2, 9, Dequeue(), Got("x")), ("c", 2, 9, Dequeue(), Got("x"))],
    ),
    "empty although something is in it": (
        False,
        [("a", 0, 1, Enqueue("x"), Done()), ("b", 2, 3, Dequeue(), Got(None))],
    ),
    "an element lost to an unknown taker": (
        True,
        [
            ("a", 0, 1, Enqueue("x"), Done()),
            ("c", 2, UNKNOWN, Dequeue(), None),
            ("b", 4, 5, Dequeue(), Got(None)),
        ],
    ),
    "one unknown taker does not explain two losses": (
        False,
        [
            ("a", 0, 1, Enqueue("x"), Done()),
            ("a", 2, 3, Enqueue("y"), Done()),
            ("c", 4, UNKNOWN, Dequeue(), None),
            ("b", 5, 6, Dequeue(), Got(None)),
        ],
    ),
}

KEY_VALUE: dict[str, tuple[bool, list[Line]]] = {
    "versions count and start again": (
        True,
        [
            ("a", 0, 1, Put("k", 1), Written(1)),
            ("a", 2, 3, Put("k", 2), Written(2)),
            ("a", 4, 5, Delete("k"), Deleted(2)),
            ("a", 6, 7, Get("k"), Found(None, 0)),
            ("a", 8, 9, CompareAndPut("k", None, 3), Compared(True, None, 1)),
            ("a", 10, 11, CompareAndPut("k", 2, 4), Compared(False, 3, 1)),
        ],
    ),
    "keys do not mix": (
        True,
        [("a", 0, 1, Put("k", 1), Written(1)), ("b", 2, 3, Get("l"), Found(None, 0))],
    ),
    "a version goes on after a delete": (
        False,
        [
            ("a", 0, 1, Put("k", 1), Written(1)),
            ("a", 2, 3, Delete("k"), Deleted(1)),
            ("a", 4, 5, Put("k", 2), Written(2)),
        ],
    ),
    "a put applied twice shows in the version": (
        False,
        [("a", 0, 1, Put("k", 1), Written(1)), ("b", 2, 3, Get("k"), Found(1, 2))],
    ),
    "an untold version fits any": (
        True,
        [("a", 0, 1, Put("k", 1), Written()), ("b", 2, 3, Get("k"), Found(1)), ("b", 4, 5, Delete("k"), Deleted())],
    ),
    "an untold version is no licence for the value": (
        False,
        [("a", 0, 1, Put("k", 1), Written()), ("b", 2, 3, Get("k"), Found(2))],
    ),
    "a stale read of one key of two": (
        False,
        [
            ("a", 0, 1, Put("l", 1), Written(1)),
            ("a", 2, 3, Put("k", 1), Written(1)),
            ("a", 4, 5, Put("k", 2), Written(2)),
            ("b", 6, 7, Get("k"), Found(1, 1)),
        ],
    ),
    "an unknown put is only counted": (
        True,
        [
            ("c", 0, UNKNOWN, Put("k", 9), None),
            ("a", 1, 2, Put("k", 1), Written(1)),
            ("a", 3, 4, Put("k", 2), Written(3)),
        ],
    ),
    "an unknown put that was seen cannot come again": (
        False,
        [
            ("c", 0, UNKNOWN, Put("k", 9), None),
            ("a", 1, 2, Get("k"), Found(9, 1)),
            ("a", 3, 4, Put("k", 2), Written(3)),
        ],
    ),
    "a put that nobody made": (False, [("a", 0, 1, Get("k"), Found(1, 1))]),
}

REVISIONS: dict[str, tuple[bool, list[Line]]] = {
    "one revision for all keys": (
        True,
        [
            ("a", 0, 1, Put("k", 1), Stored(1)),
            ("b", 0, 1, Put("l", 1), Stored(2, 1)),
            ("a", 2, 3, Delete("k"), Removed(True, 3)),
            ("a", 4, 5, Delete("k"), Removed(False, 3)),
            ("a", 6, 7, Get("l"), Seen(1, 2, 1, 3)),
            ("a", 8, 9, Put("k", 2), Stored(4, 1)),
            ("a", 10, 11, PutIfUnchanged("k", 4, 3), Tried(True, 5)),
            ("b", 10, 11, PutIfUnchanged("k", 4, 4), Tried(False, 5)),
            ("b", 12, 13, CompareAndPut("k", 3, 4), Tried(True, 6)),
            ("b", 14, 15, Get("k"), Seen(4, 6)),
        ],
    ),
    "one revision given twice": (
        False,
        [("a", 0, 9, Put("k", 1), Stored(1)), ("b", 0, 9, Put("l", 1), Stored(1))],
    ),
    "revisions against the order of time": (
        False,
        [("a", 0, 1, Put("k", 1), Stored(2)), ("b", 2, 3, Put("l", 1), Stored(1))],
    ),
    "each key alone would be in order": (
        False,
        [
            ("a", 0, 9, Put("k", 1), Stored(1)),
            ("a", 10, 19, Put("l", 1), Stored(2)),
            ("b", 11, 12, Get("l"), Seen(1, 2, revision=2)),
            ("b", 13, 14, Get("k"), Seen(1, 1, revision=1)),
        ],
    ),
    "a gap in the revisions needs an unknown change": (
        False,
        [("a", 0, 1, Put("k", 1), Stored(1)), ("a", 2, 3, Put("k", 2), Stored(3))],
    ),
    "and here it is": (
        True,
        [
            ("a", 0, 1, Put("k", 1), Stored(1)),
            ("a", 2, 3, Put("k", 2), Stored(3)),
            ("c", 0, UNKNOWN, Delete("k"), None),
            ("b", 4, 5, Get("k"), Seen(2, 3, version=1)),
        ],
    ),
    "an old revision of a key is stale": (
        False,
        [
            ("a", 0, 1, Put("k", 1), Stored(1)),
            ("a", 2, 3, Put("k", 1), Stored(2)),
            ("b", 4, 5, Get("k"), Seen(1, 1)),
        ],
    ),
}

MODELS: dict[str, tuple[Model[Any, Any, Any], Model[Any, Any, Any], dict[str, tuple[bool, list[Line]]]]] = {
    "register": (Register(), Register(), REGISTER),
    "compare-and-set": (CompareAndSetRegister(), CompareAndSetRegister(), COMPARE_AND_SET),
    "counter": (Counter(), Counter(), COUNTER),
    "queue": (Queue(), Queue(), QUEUE),
    "key-value": (KeyValue(), AllKeys(), KEY_VALUE),
    "revisions": (Revisions(), Revisions(), REVISIONS),
}


@pytest.mark.parametrize(("model", "story"), [(model, story) for model, (*_, all_) in MODELS.items() for story in all_])
def test_a_story(model: str, story: str) -> None:
    divided, undivided, stories = MODELS[model]
    expected, lines = stories[story]
    history = history_of(lines)
    assert isinstance(check_history(history, divided), Linearizable if expected else NotLinearizable)
    assert is_linearizable(history, undivided) == expected


def test_a_compare_and_set_register_is_a_register() -> None:
    for expected, lines in REGISTER.values():
        assert isinstance(check_history(history_of(lines), CompareAndSetRegister()), Linearizable) == expected


def test_a_register_may_start_with_a_value() -> None:
    history = history_of([("a", 0, 1, Read(), Got(5))])
    assert isinstance(check_history(history, Register(initial=5)), Linearizable)
    assert isinstance(check_history(history, CompareAndSetRegister(initial=5)), Linearizable)
    assert isinstance(check_history(history, Register()), NotLinearizable)


def test_the_impossible_operation_is_named_with_the_reason() -> None:
    _, lines = KEY_VALUE["a stale read of one key of two"]
    history = history_of(lines)
    result = check_history(history, KeyValue())
    assert isinstance(result, NotLinearizable)
    assert result.part == "k"
    assert result.impossible is history.operations[3]
    assert [placed.operation.input for placed in result.prefix] == [Put("k", 1), Put("k", 2)]
    assert result.states == ((2, 2),)
    assert result.dead_ends[0].unplaced[0].objection == "would answer 2 (v2)"


def test_alternatives_are_dead_ends_of_their_own() -> None:
    history = history_of(
        [
            ("a", 0, 5, Write(1), Done()),
            ("b", 0, 5, Write(2), Done()),
            ("c", 1, UNKNOWN, Write(3), None),
            ("d", 0, 5, Read(), Got(1)),
            ("e", 0, 5, Read(), Got(2)),
            ("f", 6, 7, Read(), Got(9)),
        ]
    )
    result = check_history(history, CompareAndSetRegister())
    assert isinstance(result, NotLinearizable)
    assert result.impossible is history.operations[-1]
    assert set(result.states) == {1, 2, 3}
    uses = [sum(placed.operation.is_unknown for placed in dead_end.order) for dead_end in result.dead_ends]
    assert uses == sorted(uses)
