"""How much the search has to try.  Steps are counted, never time: they are the same on every machine."""

from random import Random
from typing import Any

import pytest

from paxon.checker import (
    History,
    Linearizable,
    NotLinearizable,
    OutOfBudget,
    check_history,
    check_parts,
    verdict,
)
from paxon.checker.counter import Add, Counter, Total
from paxon.checker.key_value import Found, Get, KeyValue, Put, Written
from paxon.checker.model import Done, Got, Read, Write
from paxon.checker.queue import Dequeue, Enqueue, Queue
from paxon.checker.register import Register
from paxon.checker.revisions import Revisions
from tests.checker.brute_force import is_linearizable
from tests.checker.histories import SUBJECTS, Clients, generate, request


def test_ten_thousand_operations_on_ten_keys() -> None:
    model = KeyValue()
    parts = [generate(SUBJECTS["key-value"], Random(seed), 2_000, Clients(10, 0.02, 40)) for seed in range(5)]
    # Five times the keys a and b make ten.
    operations = []
    for number, part in enumerate(parts):
        for operation in part.operations:
            given = type(operation.input)(f"{operation.input.key}{number}", *_fields(operation.input)[1:])
            operations.append(request(operation.process, operation.call, given, operation.returned, operation.output))
    history = History(tuple(operations))
    assert (len(history), len(model.partition(history))) == (10_000, 10)
    result = check_history(history, model)
    assert isinstance(result, Linearizable)
    assert result.steps < 5 * len(history)


def test_length_alone_costs_nothing() -> None:
    operations = tuple(request("a", time, Write(time % 7), time, Done()) for time in range(0, 60_000, 3))
    result = check_history(History(operations), Register())
    assert isinstance(result, Linearizable)
    assert result.steps == len(operations)


def test_observations_are_not_permuted() -> None:
    # Thirty reads beside one another, thirty times over, and then one that is wrong: orders without number.
    operations = [
        request(f"p{reader}", round_ * 10 + 1, Read(), round_ * 10 + 9, Got(round_ - 1 if reader % 2 else round_))
        for round_ in range(1, 31)
        for reader in range(30)
    ]
    operations += [request("w", round_ * 10 + 2, Write(round_), round_ * 10 + 8, Done()) for round_ in range(31)]
    good = check_history(History(tuple(operations)), Register())
    assert isinstance(good, Linearizable)
    operations.append(request("w", 400, Read(), 401, Got(3)))
    bad = check_history(History(tuple(operations)), Register())
    assert isinstance(bad, NotLinearizable)
    assert max(good.steps, bad.steps) < 3 * len(operations)


def test_unknown_twins_are_not_permuted() -> None:
    unknown = [request(f"c{number}", number, Add()) for number in range(24)]
    reads = [request("r", 100 + 2 * time, Read(), 101 + 2 * time, Total(time)) for time in range(25)]
    good = check_history(History((*unknown, *reads)), Counter())
    assert isinstance(good, Linearizable)
    bad = check_history(History((*unknown, *reads, request("r", 500, Read(), 501, Total(25)))), Counter())
    assert isinstance(bad, NotLinearizable)
    assert max(good.steps, bad.steps) < 1_000


def test_unknown_writes_that_nobody_saw_are_twins() -> None:
    unknown = [request(f"c{number}", number, Put("k", f"lost {number}")) for number in range(24)]
    puts = [request("r", 100 + 2 * time, Put("k", time), 101 + 2 * time, Written(2 * time)) for time in range(1, 12)]
    stale = request("r", 500, Get("k"), 501, Found(10, 20))
    good = check_history(History((*unknown, *puts)), KeyValue())
    assert isinstance(good, Linearizable)
    bad = check_history(History((*unknown, *puts, stale)), KeyValue())
    assert isinstance(bad, NotLinearizable)
    assert max(good.steps, bad.steps) < 2_000


def test_an_unknown_operation_without_effect_is_not_tried() -> None:
    unknown = [request(f"c{number}", number, Write(1)) for number in range(30)]
    reads = request("r", 100, Read(), 101, Got(1)), request("r", 102, Read(), 103, Got(2))
    result = check_history(History((*unknown, *reads)), Register())
    assert isinstance(result, NotLinearizable)
    assert result.steps < 200


def test_unknown_reads_are_nothing() -> None:
    operations = [request(f"c{number}", number, Read()) for number in range(1_000)]
    result = check_history(History(tuple(operations)), Register())
    assert result == Linearizable((), 0)


def test_values_enter_a_queue_as_they_left_it() -> None:
    values = list(range(12))
    Random(4).shuffle(values)
    puts = [request(f"p{value}", value, Enqueue(value), 100, Done()) for value in range(12)]
    takes = [request("t", 200 + 2 * time, Dequeue(), 201 + 2 * time, Got(value)) for time, value in enumerate(values)]
    result = check_history(History((*puts, *takes)), Queue())
    assert isinstance(result, Linearizable)
    assert result.steps < 60


@pytest.mark.parametrize("unknown", [0.0, 0.03])
def test_revisions_lead_through_all_keys_at_once(unknown: float) -> None:
    for seed in range(3):
        history = generate(SUBJECTS["revisions"], Random(seed), 1_000, Clients(8, unknown, 30))
        result = check_history(history, Revisions(), steps_max=100_000)
        assert isinstance(result, Linearizable)
        assert result.steps < 10 * len(history)


def test_what_was_used_up_is_told_apart() -> None:
    # With 1 and 2 the total is 3, as with 3 alone; but only the second leaves the 1 that is wanted next.
    unknown = [request(f"c{amount}", time, Add(amount)) for time, amount in enumerate((3, 1, 2))]
    reads = [request("r", 10, Read(), 11, Total(3)), request("r", 12, Read(), 13, Total(4))]
    history = History((*unknown, *reads))
    assert is_linearizable(history, Counter())
    assert isinstance(check_history(history, Counter()), Linearizable)


@pytest.fixture
def hard() -> History[Any, Any]:
    """Sixteen values go into a queue at once, fifteen come out, and all of them again that nobody put there."""
    puts = [request(f"p{value}", 0, Enqueue(value), 100, Done()) for value in range(16)]
    lost = [request(f"l{value}", 0, Dequeue()) for value in range(8)]
    takes = [request("t", 200 + 2 * value, Dequeue(), 201 + 2 * value, Got(value % 15)) for value in range(16)]
    return History((*puts, *lost, *takes))


def test_the_budget_is_kept(hard: History[Any, Any]) -> None:
    for steps_max in (1, 10, 5_000):
        result = check_history(hard, Queue(), steps_max=steps_max)
        assert isinstance(result, OutOfBudget)
        # One look at the candidates may exceed it.
        assert steps_max <= result.steps <= steps_max + len(hard)
        assert len(result.prefix) <= len(hard)


def test_a_budget_that_suffices_changes_nothing() -> None:
    history = generate(SUBJECTS["register"], Random(2), 100, Clients())
    free = check_history(history, Register())
    assert check_history(history, Register(), steps_max=free.steps + 1) == free


def test_a_failed_part_counts_more_than_one_without_an_answer() -> None:
    good = [request("a", time, Put("a", time), time, Written()) for time in range(0, 90, 3)]
    bad = request("b", 0, Get("b"), 1, Found(1, 1))
    history = History((*good, bad))
    parts = check_parts(history, KeyValue(), steps_max=20)
    assert [type(part.result) for part in parts] == [OutOfBudget, NotLinearizable]
    assert verdict(parts) == parts[1].result == check_history(history, KeyValue(), steps_max=20)
    assert verdict(parts[:1]) == parts[0].result
    assert verdict([]) == Linearizable((), 0)


def test_the_same_history_takes_the_same_steps_in_any_order_of_lines() -> None:
    history = generate(SUBJECTS["key-value"], Random(7), 300, Clients(processes=6))
    again = History(tuple(reversed(history.operations)))
    assert sum(part.result.steps for part in check_parts(history, KeyValue())) > 0
    assert isinstance(check_history(history, KeyValue()), Linearizable)
    assert isinstance(check_history(again, KeyValue()), Linearizable)


def _fields(given: object) -> tuple[object, ...]:
    return tuple(getattr(given, name) for name in given.__struct_fields__)  # type: ignore[attr-defined]
