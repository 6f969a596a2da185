"""What a state is, in plain words: contents, order, and what is held twice.  The dumb version of a capture."""

from collections.abc import Mapping
from typing import Any

from paxon.rsm.tracked import TrackedDict, TrackedList
from paxon.rsm.tracked_set import TrackedSet

Form = list[tuple[str, list[Any]]]


def form(attributes: Mapping[str, Any]) -> Form:
    """Every container that can be reached, in the order in which it is met, with what it holds.

    Two states are equal in everything that a command can see if and only if their forms are.
    """
    met: list[Any] = [dict(attributes)]
    numbers: dict[int, int] = {}

    def told(value: Any) -> Any:
        if isinstance(value, TrackedDict | TrackedList | TrackedSet):
            if id(value) not in numbers:
                numbers[id(value)] = len(met)
                met.append(value)
            return "container", numbers[id(value)]
        if type(value) is tuple:
            return "tuple", [told(item) for item in value]
        if type(value) is frozenset:
            return "frozenset", sorted(map(repr, map(told, value)))
        # Of 1, 1.0 and True, each is itself; and a number that is none is equal to itself here.
        return type(value), repr(value)

    found: Form = []
    for container in met:
        held = [part for pair in container.items() for part in pair] if isinstance(container, dict) else list(container)
        found.append((type(container).__name__, [told(value) for value in held]))
    return found
