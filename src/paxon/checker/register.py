"""Registers: one value that is read and written, and the same with compare-and-set."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from paxon.checker.history import Operation
from paxon.checker.model import Done, Got, Read, Scalar, SequentialModel, Write, plain_text, unseen_alike


class CompareAndSet(Struct, frozen=True, tag="compare_and_set", forbid_unknown_fields=True):
    """Input: ``value`` if the register holds ``expected``.  Answered by ``Swapped``."""

    expected: Scalar
    value: Scalar


class Swapped(Struct, frozen=True, tag="swapped", forbid_unknown_fields=True):
    """Output: whether the register held what was expected, and now holds the new value."""

    swapped: bool


RegisterInput: TypeAlias = Read | Write
RegisterOutput: TypeAlias = Got | Done
CompareAndSetInput: TypeAlias = Read | Write | CompareAndSet
CompareAndSetOutput: TypeAlias = Got | Done | Swapped


class Register(SequentialModel[RegisterInput, RegisterOutput, Scalar]):
    """One value.  Inputs ``Read`` and ``Write``; outputs ``Got`` and ``Done``.  The state is the value."""

    inputs = RegisterInput
    outputs = RegisterOutput

    def __init__(self, initial: Scalar = None) -> None:
        self._initial = initial

    def init(self) -> Scalar:
        """The value before the first write."""
        return self._initial

    def apply(self, state: Scalar, input: RegisterInput) -> tuple[RegisterOutput, Scalar]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        if isinstance(input, Read):
            return Got(state), state
        return Done(), input.value

    def changes_nothing(self, input: RegisterInput, output: RegisterOutput | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return isinstance(input, Read)

    def simplified(self, operations: Sequence[Operation[RegisterInput, RegisterOutput]]) -> Sequence[RegisterInput]:
        """See ``Model.simplified``."""
        return unseen_alike(operations, (Write,), _seen)

    def output_text(self, output: RegisterOutput) -> str:
        """See ``Model.output_text``."""
        return output_text(output)


class CompareAndSetRegister(SequentialModel[CompareAndSetInput, CompareAndSetOutput, Scalar]):
    """One value, with compare-and-set beside ``Read`` and ``Write``.  The state is the value."""

    inputs = CompareAndSetInput
    outputs = CompareAndSetOutput

    def __init__(self, initial: Scalar = None) -> None:
        self._initial = initial

    def init(self) -> Scalar:
        """The value before the first write."""
        return self._initial

    def apply(self, state: Scalar, input: CompareAndSetInput) -> tuple[CompareAndSetOutput, Scalar]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        if isinstance(input, Read):
            return Got(state), state
        if isinstance(input, Write):
            return Done(), input.value
        if state == input.expected:
            return Swapped(True), input.value
        return Swapped(False), state

    def changes_nothing(self, input: CompareAndSetInput, output: CompareAndSetOutput | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return isinstance(input, Read) or output == _NOT_SWAPPED

    def simplified(
        self, operations: Sequence[Operation[CompareAndSetInput, CompareAndSetOutput]]
    ) -> Sequence[CompareAndSetInput]:
        """See ``Model.simplified``."""
        return unseen_alike(operations, (Write, CompareAndSet), _seen)

    def input_text(self, input: CompareAndSetInput) -> str:  # noqa: A002
        """See ``Model.input_text``."""
        if isinstance(input, CompareAndSet):
            return f"set {plain_text(input.expected)} to {plain_text(input.value)}"
        return plain_text(input)

    def output_text(self, output: CompareAndSetOutput) -> str:
        """See ``Model.output_text``."""
        return output_text(output)


_NOT_SWAPPED = Swapped(False)


def output_text(output: Got | Done | Swapped) -> str:
    """An output in a few words."""
    if isinstance(output, Got):
        return plain_text(output.value)
    if isinstance(output, Swapped):
        return "swapped" if output.swapped else "not swapped"
    return "done"


def _seen(operation: Operation[Any, Any]) -> Iterator[Scalar]:
    if isinstance(operation.output, Got):
        yield operation.output.value
    if isinstance(operation.input, CompareAndSet):
        yield operation.input.expected
