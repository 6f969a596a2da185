"""Keys and values with a version for each key: the model of ``paxon.kv.name_server``, by text instead of bytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from paxon.checker.history import History, Operation
from paxon.checker.model import Scalar, SequentialModel, by_key, plain_text, unseen_alike


class Get(Struct, frozen=True, tag="get", forbid_unknown_fields=True):
    """Input: what is the value of ``key``?  Answered by ``Found``."""

    key: str


class Put(Struct, frozen=True, tag="put", forbid_unknown_fields=True):
    """Input: ``key`` has ``value`` from here on.  Answered by ``Written``."""

    key: str
    value: str | int


class Delete(Struct, frozen=True, tag="delete", forbid_unknown_fields=True):
    """Input: ``key`` has no value from here on.  Answered by ``Deleted``."""

    key: str


class CompareAndPut(Struct, frozen=True, tag="compare_and_put", forbid_unknown_fields=True):
    """Input: ``key`` gets ``value`` if it has the ``expected`` one; ``None`` expects none.

    Answered by ``Compared``.
    """

    key: str
    expected: Scalar
    value: str | int


class Found(Struct, frozen=True, tag="found", forbid_unknown_fields=True):
    """Output: the value and version of the key, ``None`` and 0 if it has no value; no version if not told."""

    value: Scalar
    version: int | None = None


class Written(Struct, frozen=True, tag="written", forbid_unknown_fields=True):
    """Output: the put happened, and the key has this version after it, if told."""

    version: int | None = None


class Deleted(Struct, frozen=True, tag="deleted", forbid_unknown_fields=True):
    """Output: the key has no value; ``version`` is that of the value it had, 0 for none, if told."""

    version: int | None = None


class Compared(Struct, frozen=True, tag="compared", forbid_unknown_fields=True):
    """Output: whether it was ``written``, the value ``found`` before, and the version after, if told."""

    written: bool
    found: Scalar
    version: int | None = None


KeyValueInput: TypeAlias = Get | Put | Delete | CompareAndPut
KeyValueOutput: TypeAlias = Found | Written | Deleted | Compared
KeyValueState: TypeAlias = tuple[Scalar, int]


class KeyValue(SequentialModel[KeyValueInput, KeyValueOutput, KeyValueState]):
    """Keys without values at first, each a part of its own.  The state is one key's value and version.

    A version counts the changes of its key: 1 when the key gets a value, one more with every
    put after that.  A deleted key is forgotten, so a later put starts at 1 again.
    """

    inputs = KeyValueInput
    outputs = KeyValueOutput

    def init(self) -> KeyValueState:
        """No value."""
        return None, 0

    def apply(self, state: KeyValueState, input: KeyValueInput) -> tuple[KeyValueOutput, KeyValueState]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        value, version = state
        if isinstance(input, Get):
            return Found(value, version), state
        if isinstance(input, Put):
            return Written(version + 1), (input.value, version + 1)
        if isinstance(input, Delete):
            return Deleted(version), (None, 0)
        if value != input.expected:
            return Compared(False, value, version), state
        return Compared(True, value, version + 1), (input.value, version + 1)

    def fits(self, answer: KeyValueOutput, output: KeyValueOutput) -> bool:
        """See ``SequentialModel.fits``."""
        return answer == output or (output.version is None and replace(answer, version=None) == output)

    def changes_nothing(self, input: KeyValueInput, output: KeyValueOutput | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return (
            isinstance(input, Get)
            or output == _NOTHING_DELETED
            or (isinstance(output, Compared) and not output.written)
        )

    def partition(
        self, history: History[KeyValueInput, KeyValueOutput]
    ) -> Mapping[str, History[KeyValueInput, KeyValueOutput]]:
        """See ``Model.partition``: one part for each key."""
        return by_key(history, _key_of)

    def simplified(self, operations: Sequence[Operation[KeyValueInput, KeyValueOutput]]) -> Sequence[KeyValueInput]:
        """See ``Model.simplified``."""
        return unseen_alike(operations, (Put, CompareAndPut), _seen)

    def input_text(self, input: KeyValueInput) -> str:  # noqa: A002
        """See ``Model.input_text``."""
        return input_text(input)

    def output_text(self, output: KeyValueOutput) -> str:
        """See ``Model.output_text``."""
        version = "" if output.version is None else f" (v{output.version})"
        if isinstance(output, Found):
            return f"{plain_text(output.value)}{version if output.version else ''}"
        if isinstance(output, Compared):
            return f"{'written' if output.written else f'not written, found {plain_text(output.found)}'}{version}"
        if isinstance(output, Deleted):
            return "nothing to delete" if output.version == 0 else f"deleted{version}"
        return f"written{version}"

    def state_text(self, state: KeyValueState) -> str:
        """See ``Model.state_text``."""
        value, version = state
        return f"value {plain_text(value)}, v{version}" if version else "no value"


_NOTHING_DELETED = Deleted(0)


def input_text(input: KeyValueInput) -> str:  # noqa: A002 - it is the operation's field.
    """An input in a few words, with an equals sign between key and value."""
    if isinstance(input, Put):
        return f"put {input.key}={plain_text(input.value)}"
    if isinstance(input, CompareAndPut):
        return f"put {input.key}={plain_text(input.value)} if {plain_text(input.expected)}"
    return plain_text(input)


def _key_of(input: KeyValueInput) -> str:  # noqa: A002 - it is the operation's field.
    return input.key


def _seen(operation: Operation[KeyValueInput, KeyValueOutput]) -> Iterator[Scalar]:
    if isinstance(operation.output, Found):
        yield operation.output.value
    elif isinstance(operation.output, Compared):
        yield operation.output.found
    if isinstance(operation.input, CompareAndPut):
        yield operation.input.expected
