"""A result in sentences, for people who want to know what is wrong with a history."""

from typing import Final

from paxon.checker.history import InputT, Operation, OutputT
from paxon.checker.model import WHOLE, Model, StateT
from paxon.checker.result import DeadEnd, Linearizable, NotLinearizable, Placed, Result

UNPLACED_MAX: Final = 6
"""How many operations of one dead end are explained.  The first is the one that matters most."""

LAST_MAX: Final = 3
"""How many operations before a dead end are named."""


def operation_text(operation: Operation[InputT, OutputT], model: Model[InputT, OutputT, StateT]) -> str:
    """Input and output in a few words, as ``get k → 1``."""
    output = "?" if operation.output is None else model.output_text(operation.output)
    return f"{model.input_text(operation.input)} → {output}"


def interval_text(operation: Operation[InputT, OutputT]) -> str:
    """When it was called and when it returned."""
    end = "never heard of again" if operation.returned is None else f"returned at {operation.returned}"
    return f"called at {operation.call}, {end}"


def part_text(key: str) -> str:
    """A part's name, for headings."""
    return "all operations" if key == WHOLE else f"key {key}"


def explain(result: Result[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT]) -> list[str]:
    """The result in paragraphs, each a line.  Lines that begin with a hyphen belong to the one above them."""
    if isinstance(result, Linearizable):
        return [f"Linearizable: an order of {_count(len(result.order), 'operation')} explains everything."]
    if isinstance(result, NotLinearizable):
        return _explain_failure(result, model)
    return [
        f"No answer: the search of {part_text(result.part)} was given up after {_count(result.steps, 'step')}, "
        f"with {_count(len(result.prefix), 'operation')} in order. Allow more steps, or record less at a time."
    ]


def _explain_failure(
    result: NotLinearizable[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT]
) -> list[str]:
    operation = result.impossible
    lines = [
        "Not linearizable." if result.part == WHOLE else f"Not linearizable: {part_text(result.part)}.",
        f"The first impossible operation is {operation.process}: {operation_text(operation, model)}, "
        f"{interval_text(operation)}. Everything that returned before it can be put in order; "
        "no order has this one too.",
    ]
    for number, dead_end in enumerate(result.dead_ends, 1):
        way = f"Way {number} of {len(result.dead_ends)}: " if len(result.dead_ends) > 1 else ""
        lines.append(f"{way}{_where(dead_end, model)} What might come next, and why it cannot:")
        for unplaced in dead_end.unplaced[:UNPLACED_MAX]:
            other = unplaced.operation
            text = operation_text(other, model)
            lines.append(f"- {other.process}: {text} ({interval_text(other)}): it {unplaced.objection}.")
        lines.append(f"- {_where_else(operation, dead_end, model)}")
        if len(dead_end.unplaced) > UNPLACED_MAX:
            lines.append(f"- and {len(dead_end.unplaced) - UNPLACED_MAX} more.")
    return lines


def _where(dead_end: DeadEnd[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT]) -> str:
    state = model.state_text(dead_end.state)
    if not dead_end.order:
        return f"Nothing can come first. The state is: {state}."
    last = dead_end.order[-LAST_MAX:]
    named = ", then ".join(_placed_text(placed, model) for placed in last)
    head = f"{_count(len(dead_end.order), 'operation')} can be put in order"
    return f"{head}, {'these' if len(last) == len(dead_end.order) else 'at last'}: {named}. The state is then: {state}."


def _where_else(
    impossible: Operation[InputT, OutputT],
    dead_end: DeadEnd[InputT, OutputT, StateT],
    model: Model[InputT, OutputT, StateT],
) -> str:
    """The last place in the order at which the impossible operation would fit, and why it cannot be there."""
    states = [model.init(), *(placed.state for placed in dead_end.order)]
    fitting = [
        number for number, state in enumerate(states) if model.step(state, impossible.input, impossible.output)[0]
    ]
    if not fitting:
        return f"At no place in this order would {impossible.process} get that answer."
    place = fitting[-1]
    where = (
        f"right after number {place} ({_placed_text(dead_end.order[place - 1], model)})"
        if place
        else "at the very first"
    )
    for number, placed in enumerate(dead_end.order[place:], place + 1):
        returned = placed.operation.returned
        if returned is not None and returned < impossible.call:
            return (
                f"It would fit {where}, but number {number} ({_placed_text(placed, model)}) comes after that and "
                f"returned at {returned}, before {impossible.process} called at {impossible.call}."
            )
    return f"It would fit {where}, but then what comes after it fits no longer."


def _placed_text(placed: Placed[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT]) -> str:
    return f"{placed.operation.process}: {operation_text(placed.operation, model)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
