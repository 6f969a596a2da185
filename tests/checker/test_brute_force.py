"""The search agrees with the definition, on histories small enough to try every order."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxon.checker import History, Linearizable, Model, NotLinearizable, Operation, check_history
from tests.checker.brute_force import comes_before, explains, is_linearizable
from tests.checker.histories import SUBJECTS, Clients, Subject, generate, small_histories, spoil

SEEDS = 500
"""For each model; each seed is two histories."""


def judged(history: History[Any, Any], model: Model[Any, Any, Any]) -> bool:
    """What the checker says, after its proof was looked at."""
    result = check_history(history, model)
    if isinstance(result, Linearizable):
        order = [placed.operation for placed in result.order]
        demand_order(order, history)
        for part in model.partition(history).values():
            assert explains([operation for operation in order if operation in part.operations], model)
        return True
    assert isinstance(result, NotLinearizable)
    part = model.partition(history)[result.part]
    for dead_end in result.dead_ends:
        demand_dead_end(dead_end, result.impossible, part, model)
    return False


def demand_order(order: list[Operation[Any, Any]], history: History[Any, Any]) -> None:
    """Everything known is in it once, nothing else but unknown operations of the history, and time is kept."""
    left = list(history.operations)
    for operation in order:
        left.remove(operation)
    assert all(operation.is_unknown for operation in left)
    for place, operation in enumerate(order):
        assert not any(comes_before(later, operation) for later in order[place + 1 :])


def demand_dead_end(dead_end: Any, impossible: Any, part: History[Any, Any], model: Model[Any, Any, Any]) -> None:
    """It is a valid order, with everything that returned before the impossible operation, and nothing can follow it."""
    order = [placed.operation for placed in dead_end.order]
    assert explains(order, model)
    left = list(part.operations)
    for operation in order:
        left.remove(operation)
    returns = [operation.returned for operation in left if operation.returned is not None]
    assert min(returns) == impossible.returned
    assert dead_end.unplaced[0].operation == impossible
    assert len(dead_end.unplaced) == sum(
        not operation.is_unknown and operation.call <= impossible.returned for operation in left
    )
    for unplaced in dead_end.unplaced:
        assert not model.step(dead_end.state, unplaced.operation.input, unplaced.operation.output)[0]
        assert unplaced.objection


@pytest.mark.parametrize("name", SUBJECTS)
def test_small_histories_are_judged_as_the_definition_does(name: str) -> None:
    subject = SUBJECTS[name]
    verdicts: Counter[bool] = Counter()
    for seed, history, spoilt in small_histories(subject, range(SEEDS)):
        assert judged(history, subject.model), f"seed {seed}: this really happened"
        expected = is_linearizable(spoilt, subject.undivided)
        assert judged(spoilt, subject.model) == expected, f"seed {seed}"
        verdicts[expected] += 1
    # Neither answer may be so rare that agreeing on it means nothing.
    assert min(verdicts[True], verdicts[False]) > SEEDS // 10


@pytest.mark.slow
@pytest.mark.parametrize("name", SUBJECTS)
def test_many_more_small_histories(name: str) -> None:
    subject = SUBJECTS[name]
    for seed, history, spoilt in small_histories(subject, range(10_000, 20_000)):
        assert judged(history, subject.model), f"seed {seed}: this really happened"
        assert judged(spoilt, subject.model) == is_linearizable(spoilt, subject.undivided), f"seed {seed}"


@st.composite
def anything(draw: st.DrawFn) -> tuple[Subject, History[Any, Any]]:
    """Operations with any intervals; the outputs are those of some execution, one of them perhaps another's."""
    subject = SUBJECTS[draw(st.sampled_from(sorted(SUBJECTS)))]
    random = Random(draw(st.integers(0, 2**16)))
    execute = subject.executor()
    operations = []
    for number in range(draw(st.integers(1, 6))):
        given_input = subject.draw(random, number)
        call = draw(st.integers(0, 12))
        output = execute(given_input)
        if draw(st.booleans()):
            operations.append(Operation(f"p{number}", call, given_input, call + draw(st.integers(0, 12)), output))
        else:
            operations.append(Operation(f"p{number}", call, given_input))
    history = History(tuple(operations))
    return subject, spoil(history, random) if draw(st.booleans()) else history


@settings(max_examples=200, deadline=None)
@given(anything())
def test_any_intervals_are_judged_as_the_definition_does(example: tuple[Subject, History[Any, Any]]) -> None:
    subject, history = example
    assert judged(history, subject.model) == is_linearizable(history, subject.undivided)


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("unknown", [0.0, 0.05])
def test_long_histories_that_happened_are_linearizable(name: str, unknown: float) -> None:
    subject = SUBJECTS[name]
    # Who may have taken something from a queue is the hardest question there is here; see docs/checker.md.
    length = 40 if name == "queue" and unknown else 150
    for seed in range(3):
        history = generate(subject, Random(seed), length, Clients(processes=5, unknown=unknown, reach=30))
        assert judged(history, subject.model)
