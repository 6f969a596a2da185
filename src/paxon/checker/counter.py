"""A counter: numbers are added to it, and its total is read."""

from typing import TypeAlias

from msgspec import Struct

from paxon.checker.model import Read, SequentialModel


class Add(Struct, frozen=True, tag="add", forbid_unknown_fields=True):
    """Input: the total grows by ``amount``, which may be negative.  Answered by ``Total``."""

    amount: int = 1


class Total(Struct, frozen=True, tag="total", forbid_unknown_fields=True):
    """Output: the total, after the addition if it was one; ``None`` if the client was not told."""

    total: int | None = None


CounterInput: TypeAlias = Read | Add


class Counter(SequentialModel[CounterInput, Total, int]):
    """A total that starts at 0.  Inputs ``Read`` and ``Add``; output ``Total``.  The state is the total."""

    inputs = CounterInput
    outputs = Total

    def init(self) -> int:
        """Nothing was added yet."""
        return 0

    def apply(self, state: int, input: CounterInput) -> tuple[Total, int]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        after = state + input.amount if isinstance(input, Add) else state
        return Total(after), after

    def fits(self, answer: Total, output: Total) -> bool:
        """See ``SequentialModel.fits``."""
        return output.total is None or answer.total == output.total

    def changes_nothing(self, input: CounterInput, output: Total | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return isinstance(input, Read) or input.amount == 0

    def output_text(self, output: Total) -> str:
        """See ``Model.output_text``."""
        return "done" if output.total is None else str(output.total)
