"""What a check finds: an order, the place where every order ends, or that the search was given up."""

from typing import Generic, TypeAlias

from msgspec import Struct

from paxon.checker.history import History, InputT, Operation, OutputT
from paxon.checker.model import StateT


class Placed(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """An operation that was given its place in an order.

    ``time`` is the earliest instant at which it can have taken effect in that order, and
    ``state`` is what it left behind.
    """

    operation: Operation[InputT, OutputT]
    time: int
    state: StateT


class Unplaced(Struct, Generic[InputT, OutputT], frozen=True):
    """An operation that might come next in time but that the state does not allow, and why, in words after *it*."""

    operation: Operation[InputT, OutputT]
    objection: str


class DeadEnd(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """One way of getting as far as possible: the order up to there, the state it leads to, what cannot follow.

    Dead ends that differ only in values that nobody ever saw may count as one.
    """

    order: tuple[Placed[InputT, OutputT, StateT], ...]
    state: StateT
    unplaced: tuple[Unplaced[InputT, OutputT], ...]


class Linearizable(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """The history is linearizable, and ``order`` proves it.

    It has every operation whose outcome is known, and those unknown ones that took effect in
    it.  ``steps`` counts how often the model was asked.
    """

    order: tuple[Placed[InputT, OutputT, StateT], ...]
    steps: int


class NotLinearizable(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """No order explains the history.

    ``part`` is the key of the part that fails.  ``impossible`` is the operation at whose
    return the explanations run out: there are orders with everything that returned before
    it, and none that has it too.  ``dead_ends`` are the longest of those orders, at least
    one and with different states, the one that needs the fewest unknown operations first.
    """

    part: str
    impossible: Operation[InputT, OutputT]
    dead_ends: tuple[DeadEnd[InputT, OutputT, StateT], ...]
    steps: int

    @property
    def prefix(self) -> tuple[Placed[InputT, OutputT, StateT], ...]:
        """The longest order found."""
        return self.dead_ends[0].order

    @property
    def states(self) -> tuple[StateT, ...]:
        """The states that the longest orders lead to."""
        return tuple(dead_end.state for dead_end in self.dead_ends)


class OutOfBudget(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """The search of ``part`` was given up after ``steps`` steps: no answer.  ``prefix`` is how far it came."""

    part: str
    prefix: tuple[Placed[InputT, OutputT, StateT], ...]
    steps: int


Result: TypeAlias = (
    Linearizable[InputT, OutputT, StateT]
    | NotLinearizable[InputT, OutputT, StateT]
    | OutOfBudget[InputT, OutputT, StateT]
)


class Part(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """The operations under one key of the model's partition, and what was found about them."""

    key: str
    history: History[InputT, OutputT]
    result: Result[InputT, OutputT, StateT]
