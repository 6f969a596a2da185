"""Is a history linearizable?  Divides it, searches each part, and puts the findings into words and structs."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from paxon.checker.history import History, InputT, Operation, OutputT
from paxon.checker.model import Model, StateT
from paxon.checker.result import DeadEnd, Linearizable, NotLinearizable, OutOfBudget, Part, Placed, Result, Unplaced
from paxon.checker.search import Ending, Search
from paxon.errors import check

EXPLAIN_STEPS_MAX: Final = 100_000
"""How much a better explanation of a known answer may cost: less than a second."""


def check_history(
    history: History[InputT, OutputT], model: Model[InputT, OutputT, StateT], *, steps_max: int | None = None
) -> Result[InputT, OutputT, StateT]:
    """Whether some order of the operations, each within its interval, is what one ``model`` would do.

    Stops at the first part that is not linearizable.  With ``steps_max``, the model is asked
    at most about that often for each part, and the answer may be ``OutOfBudget``; without it
    the search may take as long as the worst case wants, which is exponential.

    Raises:
        InvariantViolation: if the model contradicts itself, as when ``simplified`` changes which orders are possible.
    """
    parts = []
    for part in _checked(history, model, steps_max):
        parts.append(part)
        if isinstance(part.result, NotLinearizable):
            break
    return verdict(parts)


def check_parts(
    history: History[InputT, OutputT], model: Model[InputT, OutputT, StateT], *, steps_max: int | None = None
) -> tuple[Part[InputT, OutputT, StateT], ...]:
    """As ``check_history``, but every part is checked, and each has its own result.

    Raises:
        InvariantViolation: as ``check_history`` does.
    """
    return tuple(_checked(history, model, steps_max))


def verdict(parts: Iterable[Part[InputT, OutputT, StateT]]) -> Result[InputT, OutputT, StateT]:
    """One result for all parts: the first that is not linearizable, else the first without an answer, else an order."""
    parts = list(parts)
    for kind in (NotLinearizable, OutOfBudget):
        for part in parts:
            if isinstance(part.result, kind):
                return part.result
    orders = [part.result.order for part in parts if isinstance(part.result, Linearizable)]
    # Times never fall within one part's order and sorting is stable, so this keeps every part's order.
    merged = sorted(chain.from_iterable(orders), key=lambda placed: placed.time)
    return Linearizable(tuple(merged), sum(part.result.steps for part in parts))


def _checked(
    history: History[InputT, OutputT], model: Model[InputT, OutputT, StateT], steps_max: int | None
) -> Iterator[Part[InputT, OutputT, StateT]]:
    for key, part in model.partition(history).items():
        yield Part(key, part, _result(key, part, model, steps_max))


def _result(
    key: str, part: History[InputT, OutputT], model: Model[InputT, OutputT, StateT], steps_max: int | None
) -> Result[InputT, OutputT, StateT]:
    search = Search(part.operations, model)
    ending = search.run(steps_max)
    if ending is Ending.FOUND:
        order = _replayed([search.operation_at(step) for step in search.path], model)
        return Linearizable(order, search.steps)
    if ending is Ending.EXHAUSTED:
        # Simplified inputs give the right answer early, true ones the better reasons.
        thorough = Search(part.operations, model, simplify=False)
        if thorough.run(EXPLAIN_STEPS_MAX) is Ending.EXHAUSTED:
            thorough.steps += search.steps
            search = thorough
    furthest = search.furthest
    orders = sorted(furthest.orders.values(), key=lambda path: sum(step < 0 for step in path))
    placed = [_replayed([search.operation_at(step) for step in path], model) for path in orders]
    if ending is Ending.OUT_OF_BUDGET:
        return OutOfBudget(key, placed[0], search.steps)
    dead_ends = tuple(
        _dead_end(order, search.next_after(path), model) for order, path in zip(placed, orders, strict=True)
    )
    return NotLinearizable(key, dead_ends[0].unplaced[0].operation, dead_ends, search.steps)


def _replayed(
    order: Iterable[Operation[InputT, OutputT]], model: Model[InputT, OutputT, StateT]
) -> tuple[Placed[InputT, OutputT, StateT], ...]:
    """An order with times and states.  The search saw simplified inputs; here the true ones have to fit as well."""
    placed = []
    state = model.init()
    time: int | None = None
    for operation in order:
        time = operation.call if time is None else max(time, operation.call)
        fits, state = model.step(state, operation.input, operation.output)
        check(fits, "an order that the search found is one that the model allows")
        check(operation.returned is None or time <= operation.returned, "an order keeps to the intervals")
        placed.append(Placed(operation, time, state))
    return tuple(placed)


def _dead_end(
    order: tuple[Placed[InputT, OutputT, StateT], ...],
    candidates: Iterable[Operation[InputT, OutputT]],
    model: Model[InputT, OutputT, StateT],
) -> DeadEnd[InputT, OutputT, StateT]:
    state = order[-1].state if order else model.init()
    unplaced = tuple(
        Unplaced(operation, model.objection(state, operation.input, operation.output))
        for operation in candidates
        if operation.output is not None
    )
    return DeadEnd(order, state, unplaced)
