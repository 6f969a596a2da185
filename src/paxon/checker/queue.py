"""A queue: first in, first out."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec import Struct

from paxon.checker.history import Operation
from paxon.checker.model import Done, Got, Scalar, SequentialModel, plain_text, unseen_alike
from paxon.checker.register import output_text


class Enqueue(Struct, frozen=True, tag="enqueue", forbid_unknown_fields=True):
    """Input: ``value`` is last in the queue.  Answered by ``Done``."""

    value: str | int


class Dequeue(Struct, frozen=True, tag="dequeue", forbid_unknown_fields=True):
    """Input: take what is first in the queue.  Answered by ``Got``, with ``None`` if the queue was empty."""


QueueInput: TypeAlias = Enqueue | Dequeue
QueueOutput: TypeAlias = Done | Got
QueueState: TypeAlias = tuple[Scalar, ...]


class Queue(SequentialModel[QueueInput, QueueOutput, QueueState]):
    """A queue that starts empty.  Inputs ``Enqueue`` and ``Dequeue``; outputs ``Done`` and ``Got``.

    The state is what is in it, first to last.  Each step copies it, so a check takes time
    that grows with the length of the queue.
    """

    inputs = QueueInput
    outputs = QueueOutput

    def init(self) -> QueueState:
        """The empty queue."""
        return ()

    def apply(self, state: QueueState, input: QueueInput) -> tuple[QueueOutput, QueueState]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        if isinstance(input, Enqueue):
            return Done(), (*state, input.value)
        if not state:
            return Got(None), state
        return Got(state[0]), state[1:]

    def changes_nothing(self, input: QueueInput, output: QueueOutput | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return output == _EMPTY

    def simplified(self, operations: Sequence[Operation[QueueInput, QueueOutput]]) -> Sequence[QueueInput]:
        """See ``Model.simplified``."""
        return unseen_alike(operations, (Enqueue,), _seen)

    def hints(self, operations: Sequence[Operation[QueueInput, QueueOutput]]) -> Sequence[int | None]:
        """See ``Model.hints``: values go in as they came out.

        Which of two values that were put in at the same time is the first shows only when
        they are taken out, and a search that has guessed wrong has a long way back.
        """
        taken: dict[Scalar, list[int]] = {}
        returning = sorted((operation for operation in operations if not operation.is_unknown), key=_returned)
        for rank, operation in enumerate(returning, 1):
            if isinstance(operation.output, Got):
                taken.setdefault(operation.output.value, []).append(rank)
        hints: list[int | None] = []
        for operation in operations:
            ranks = taken.get(operation.input.value, []) if isinstance(operation.input, Enqueue) else []
            never = len(returning) + 1 if isinstance(operation.input, Enqueue) and not operation.is_unknown else None
            hints.append(ranks.pop(0) if ranks else never)
        return hints

    def output_text(self, output: QueueOutput) -> str:
        """See ``Model.output_text``."""
        return "empty" if output == _EMPTY else output_text(output)

    def state_text(self, state: QueueState) -> str:
        """See ``Model.state_text``."""
        return f"[{', '.join(plain_text(value) for value in state)}]" if state else "empty"


_EMPTY = Got(None)


def _returned(operation: Operation[QueueInput, QueueOutput]) -> int:
    return operation.returned or 0


def _seen(operation: Operation[QueueInput, QueueOutput]) -> Iterator[Scalar]:
    if isinstance(operation.output, Got):
        yield operation.output.value
