"""The definition of linearizability, tried literally: every choice of unknown operations, in every order."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from paxon.checker import History, Model, Operation

Operations = Sequence[Operation[Any, Any]]


def comes_before(one: Operation[Any, Any], other: Operation[Any, Any]) -> bool:
    """Whether ``one`` was over when ``other`` began."""
    return one.returned is not None and one.returned < other.call


def explains(order: Operations, model: Model[Any, Any, Any]) -> bool:
    """Whether an order keeps to time and is what the model does."""
    for place, operation in enumerate(order):
        if any(comes_before(later, operation) for later in order[place + 1 :]):
            return False
    state = model.init()
    for operation in order:
        fits, state = model.step(state, operation.input, operation.output)
        if not fits:
            return False
    return True


def is_linearizable(history: History[Any, Any], model: Model[Any, Any, Any]) -> bool:
    """Whether any order of the known operations and of any of the unknown ones explains the history.

    The history is not divided, nothing is remembered and no input is simplified.
    """
    known = [operation for operation in history.operations if not operation.is_unknown]
    unknown = [operation for operation in history.operations if operation.is_unknown]
    return any(
        _can_end(model, model.init(), [*known, *chosen])
        for count in range(len(unknown) + 1)
        for chosen in combinations(unknown, count)
    )


def _can_end(model: Model[Any, Any, Any], state: Any, left: list[Operation[Any, Any]]) -> bool:
    if not left:
        return True
    for place, operation in enumerate(left):
        others = left[:place] + left[place + 1 :]
        if any(comes_before(other, operation) for other in others):
            continue
        fits, after = model.step(state, operation.input, operation.output)
        if fits and _can_end(model, after, others):
            return True
    return False
