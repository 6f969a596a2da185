"""What clients did and saw: operations with the times of their calls and returns, and JSON lines of them.

Knows: intervals, and which outcomes are unknown.  Does not know: what an input means, how
long a unit of time is, or which clock it was read from, as long as all processes read the same one.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from paxon.errors import PaxonError

if TYPE_CHECKING:
    from paxon.checker.model import Model

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class HistoryInvalid(PaxonError):
    """A history cannot be used as it is: the message says which operation is wrong and how."""


class Operation(
    Struct,
    Generic[InputT, OutputT],
    frozen=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"returned": "return"},
):
    """One request of one process, from its call to its return.

    It takes effect at one instant in ``[call, returned]``.  Without a return its outcome is
    unknown: it takes effect at one instant from ``call`` on, or never.  An operation comes
    before another if it returned strictly before the other was called.

    Invariants: ``returned`` and ``output`` are both there or both ``None``; ``call <= returned``.

    Raises:
        HistoryInvalid: if an invariant does not hold.
    """

    process: str
    call: int
    input: InputT
    returned: int | None = None
    output: OutputT | None = None

    def __post_init__(self) -> None:
        if (self.returned is None) != (self.output is None):
            raise HistoryInvalid(
                f"{self.process} at {self.call}: a return time and an output are both given, or neither is"
            )
        if self.returned is not None and self.returned < self.call:
            raise HistoryInvalid(f"{self.process} at {self.call}: it returned at {self.returned}, before its call")

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows if it took effect."""
        return self.returned is None


class History(Struct, Generic[InputT, OutputT], frozen=True):
    """Operations in any order.  Operations that certainly did nothing are left out of a history."""

    operations: tuple[Operation[InputT, OutputT], ...]

    def __len__(self) -> int:
        return len(self.operations)

    @classmethod
    def load(cls, lines: Iterable[str | bytes], model: "Model[InputT, OutputT, Any]") -> "History[InputT, OutputT]":
        """The history in ``lines``, one JSON object each; an open file will do.  Empty lines are skipped.

        Raises:
            HistoryInvalid: if a line is no operation with an input and an output of ``model``;
                it names the line's number, counted from 1.
        """
        decode = msgspec.json.Decoder(Operation[model.inputs, model.outputs]).decode  # type: ignore[name-defined]
        operations = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                operations.append(decode(line))
            except (msgspec.MsgspecError, HistoryInvalid, UnicodeError, RecursionError) as error:
                raise HistoryInvalid(f"line {number}: {error}") from error
        return cls(tuple(operations))

    def dump(self) -> Iterator[str]:
        """The lines that ``load`` reads, each with its line feed."""
        encode = msgspec.json.Encoder().encode
        for operation in self.operations:
            yield f"{encode(operation).decode()}\n"


class Recorder(Generic[InputT, OutputT]):
    """A history in the making, for one event loop or one thread.

    Time is the caller's: any integer that never runs backwards and is the same for all processes.
    """

    def __init__(self) -> None:
        self._operations: dict[int, Operation[InputT, OutputT]] = {}
        self._calls = 0

    def call(self, process: str, input: InputT, now: int) -> int:  # noqa: A002 - it is the operation's field.
        """``process`` is about to send ``input``.  Returns the number to report the outcome under."""
        self._calls += 1
        self._operations[self._calls] = Operation(process, now, input)
        return self._calls

    def returned(self, number: int, output: OutputT, now: int) -> None:
        """The answer is here.

        Raises:
            HistoryInvalid: if ``now`` is before the call.
            KeyError: if no such operation is open or finished.
        """
        began = self._operations[number]
        self._operations[number] = Operation(began.process, began.call, began.input, now, output)

    def refused(self, number: int) -> None:
        """It certainly did nothing, and never will: it is no part of the history.

        Raises:
            KeyError: if there is no such operation.
        """
        del self._operations[number]

    def history(self) -> History[InputT, OutputT]:
        """Everything so far.  What has neither returned nor been refused is unknown."""
        return History(tuple(self._operations.values()))
