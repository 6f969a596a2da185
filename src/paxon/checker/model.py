"""What a checked object is: its states, and what each operation does to them.

Knows: the interface between the search and the objects that it checks.  Does not know: any
object, beside the words that registers, counters and queues share.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from paxon.checker.history import History, InputT, Operation, OutputT

StateT = TypeVar("StateT", bound=Hashable)

Scalar: TypeAlias = str | int | None
"""What a register, a queue or a key may hold.  Bytes are spelled as text by whoever records them."""

WHOLE = ""
"""The key of the only part of a history that is not divided."""


class Read(Struct, frozen=True, tag="read", forbid_unknown_fields=True):
    """Input: what is the value?  Answered by ``Got``."""


class Write(Struct, frozen=True, tag="write", forbid_unknown_fields=True):
    """Input: ``value`` from here on.  Answered by ``Done``."""

    value: Scalar


class Got(Struct, frozen=True, tag="got", forbid_unknown_fields=True):
    """Output: the ``value`` that was there; ``None`` for none."""

    value: Scalar


class Done(Struct, frozen=True, tag="done", forbid_unknown_fields=True):
    """Output: it happened, and there is nothing more to say."""


class Model(Generic[InputT, OutputT, StateT]):
    """A kind of object, described as one that does one operation at a time.

    States, inputs and outputs are hashable values that never change.  A model is deterministic: a
    state and an input leave one next state.
    """

    inputs: ClassVar[Any]
    """The type of all inputs, as msgspec decodes it from JSON."""

    outputs: ClassVar[Any]
    """The type of all outputs.  ``None`` is no output: it stands for not knowing."""

    def init(self) -> StateT:
        """The state before anything happened."""
        raise NotImplementedError

    def step(self, state: StateT, input: InputT, output: OutputT | None) -> tuple[bool, StateT]:  # noqa: A002
        """Whether ``input`` in ``state`` may have answered ``output``, and the state after it.

        ``None`` asks about an unknown outcome, which fits every output.  The returned state
        counts only if the answer is true.
        """
        raise NotImplementedError

    def changes_nothing(self, input: InputT, output: OutputT | None) -> bool:  # noqa: A002
        """Whether an operation with this input and output leaves *every* state as it was.

        The search gets faster with every operation that this is true of.  False is always safe.
        """
        return False

    def partition(self, history: History[InputT, OutputT]) -> Mapping[str, History[InputT, OutputT]]:
        """Parts, by key, of which each is linearizable if and only if the whole is."""
        return {WHOLE: history}

    def simplified(self, operations: Sequence[Operation[InputT, OutputT]]) -> Sequence[InputT]:
        """The input of each operation as the search should see it.

        Inputs may be replaced if the answer stays the same, even by values that only ``step``
        and ``changes_nothing`` know.  Unknown operations with equal inputs are interchangeable, so the
        more of them are equal, the fewer orders there are to try.
        """
        return [operation.input for operation in operations]

    def hints(self, operations: Sequence[Operation[InputT, OutputT]]) -> Sequence[int | None]:
        """For each operation a number: of those that can come next, those with low ones are tried first.

        A hint never changes the answer, only the time until it is found.  ``None`` stands for
        0 if the outcome is known; an unknown operation without a hint is tried last of all.
        """
        return [None] * len(operations)

    def objection(self, state: StateT, input: InputT, output: OutputT) -> str:  # noqa: A002
        """Why ``input`` cannot have answered ``output`` in ``state``, in words after *it*."""
        return "cannot answer that in this state"

    def input_text(self, input: InputT) -> str:  # noqa: A002
        """An input in a few words, for pictures."""
        return plain_text(input)

    def output_text(self, output: OutputT) -> str:
        """An output in a few words."""
        return plain_text(output)

    def state_text(self, state: StateT) -> str:
        """A state in a few words."""
        return plain_text(state)


class SequentialModel(Model[InputT, OutputT, StateT]):
    """A model that is written as the object's own program: what does it answer, and what is it then?"""

    def apply(self, state: StateT, input: InputT) -> tuple[OutputT, StateT]:  # noqa: A002
        """The one answer to ``input`` in ``state``, and the state after it."""
        raise NotImplementedError

    def fits(self, answer: OutputT, output: OutputT) -> bool:
        """Whether ``output`` is what a client may have recorded for ``answer``.

        To override where a client is not told everything.
        """
        return answer == output

    def step(self, state: StateT, input: InputT, output: OutputT | None) -> tuple[bool, StateT]:  # noqa: A002
        """See ``Model.step``."""
        answer, after = self.apply(state, input)
        return output is None or self.fits(answer, output), after

    def objection(self, state: StateT, input: InputT, output: OutputT) -> str:  # noqa: A002
        """See ``Model.objection``."""
        return f"would answer {self.output_text(self.apply(state, input)[0])}"


def plain_text(value: object) -> str:
    """Words for a value: a struct is its tag and its fields, anything else what Python shows."""
    if isinstance(value, Struct):
        tag = value.__struct_config__.tag or type(value).__name__
        return " ".join([str(tag), *(plain_text(field) for field in msgspec.structs.astuple(value))])
    if value is None:
        return "nothing"
    return value if isinstance(value, str) and value and value.isprintable() else repr(value)


def by_key(
    history: History[InputT, OutputT], key_of: Callable[[InputT], str]
) -> Mapping[str, History[InputT, OutputT]]:
    """Parts of operations on one key each, in the order in which the keys first appear."""
    parts: dict[str, list[Operation[InputT, OutputT]]] = {}
    for operation in history.operations:
        parts.setdefault(key_of(operation.input), []).append(operation)
    return {key: History(tuple(operations)) for key, operations in parts.items()}


def unseen_alike(
    operations: Sequence[Operation[InputT, OutputT]],
    writers: tuple[type, ...],
    seen: Callable[[Operation[InputT, OutputT]], Iterable[Scalar]],
) -> Sequence[InputT]:
    """Inputs for ``Model.simplified`` in which all values that nobody ever saw are the same value.

    ``writers`` are the inputs whose ``value`` is written; ``seen`` says which values an
    operation's output reports and its input compares with.  A value outside all of those
    can be told from another one by nothing in the history.
    """
    known = {value for operation in operations for value in seen(operation)}
    substitute: list[Scalar] = []
    inputs = []
    for operation in operations:
        given: Any = operation.input
        if type(given) in writers and given.value not in known:
            substitute = substitute or [given.value]
            given = msgspec.structs.replace(given, value=substitute[0])
        inputs.append(given)
    return inputs
