"""Keys and values under one revision that counts the changes of the whole store, as etcd does.

A version counts the changes of one key and starts again at 1 after a delete, as in
``paxon.kv.name_server``; the revision never does.  Reads are of the present: a question for
what a key was at an earlier revision has no place here.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from paxon.checker.history import Operation
from paxon.checker.key_value import CompareAndPut, Delete, Get, Put, input_text
from paxon.checker.model import Scalar, SequentialModel, plain_text, unseen_alike


class PutIfUnchanged(Struct, frozen=True, tag="put_if_unchanged", forbid_unknown_fields=True):
    """Input: ``key`` gets ``value`` if it was last changed by ``mod_revision``; 0 expects no value.

    Answered by ``Tried``.
    """

    key: str
    mod_revision: int
    value: str | int


class Seen(Struct, frozen=True, tag="seen", forbid_unknown_fields=True):
    """Output of ``Get``: value and revision of the key's last change, ``None`` and 0 if it has no value.

    ``version`` is the key's count of changes, ``revision`` that of the store at the time of
    the read; ``None`` if the client was not told.
    """

    value: Scalar
    mod_revision: int
    version: int | None = None
    revision: int | None = None


class Stored(Struct, frozen=True, tag="stored", forbid_unknown_fields=True):
    """Output of ``Put``: it happened and made this revision; and the key's version after it, if told."""

    revision: int
    version: int | None = None


class Removed(Struct, frozen=True, tag="removed", forbid_unknown_fields=True):
    """Output of ``Delete``: whether there was a value, and the store's revision after it.

    Only a delete that found something makes a revision.
    """

    existed: bool
    revision: int


class Tried(Struct, frozen=True, tag="tried", forbid_unknown_fields=True):
    """Output of ``CompareAndPut`` and ``PutIfUnchanged``: whether it was written, and the store's revision after it."""

    written: bool
    revision: int


class _Unknown(Struct, frozen=True):
    """What the search sees in place of an unknown change: the change, and the revisions that it cannot have made.

    ``taken`` are those that others are known to have made.  ``only`` is there if somebody saw
    what the change wrote, and says at which revision.
    """

    change: Any
    taken: frozenset[int]
    only: int | None

    @property
    def key(self) -> str:
        """The key that is changed."""
        return str(self.change.key)

    def could_make(self, revision: int) -> bool:
        """Whether this change can be the one that made ``revision``."""
        return revision == self.only if self.only is not None else revision not in self.taken


RevisionsInput: TypeAlias = Get | Put | Delete | CompareAndPut | PutIfUnchanged
RevisionsOutput: TypeAlias = Seen | Stored | Removed | Tried
Entry: TypeAlias = tuple[str, Scalar, int, int]
"""Key, value, revision of the last change, version."""

RevisionsState: TypeAlias = tuple[int, tuple[Entry, ...]]


class Revisions(SequentialModel[RevisionsInput, RevisionsOutput, RevisionsState]):
    """An empty store at revision ``initial``.  The state is the revision and the entries, sorted by key.

    The revision ties the keys together, so a history is not divided.  It also fixes the order
    of all changes whose outcome is known, which is why the search is fast all the same.
    """

    inputs = RevisionsInput
    outputs = RevisionsOutput

    def __init__(self, initial: int = 0) -> None:
        self._initial = initial

    def init(self) -> RevisionsState:
        """No keys."""
        return self._initial, ()

    def apply(
        self,
        state: RevisionsState,
        input: RevisionsInput,  # noqa: A002
    ) -> tuple[RevisionsOutput, RevisionsState]:
        """See ``SequentialModel.apply``."""
        revision, entries = state
        place = bisect_left(entries, (input.key,))
        here = entries[place : place + 1]
        _, value, mod_revision, version = here[0] if here and here[0][0] == input.key else _absent(input.key)
        if isinstance(input, Get):
            return Seen(value, mod_revision, version, revision), state
        behind = entries[place + (version > 0) :]
        if isinstance(input, Delete):
            if not version:
                return Removed(False, revision), state
            return Removed(True, revision + 1), (revision + 1, (*entries[:place], *behind))
        changed = (input.key, input.value, revision + 1, version + 1)
        after = (revision + 1, (*entries[:place], changed, *behind))
        if isinstance(input, Put):
            return Stored(revision + 1, version + 1), after
        if value == input.expected if isinstance(input, CompareAndPut) else mod_revision == input.mod_revision:
            return Tried(True, revision + 1), after
        return Tried(False, revision), state

    def step(
        self,
        state: RevisionsState,
        input: RevisionsInput | _Unknown,  # noqa: A002
        output: RevisionsOutput | None,
    ) -> tuple[bool, RevisionsState]:
        """See ``Model.step``."""
        if isinstance(input, _Unknown):
            # A change without an effect is no matter: the search leaves it out.
            return super().step(state, input.change, output) if input.could_make(state[0] + 1) else (False, state)
        # Most steps that fail do so by their revision, and this is cheaper than a copy of the entries.
        if output is not None and output.revision is not None and output.revision != state[0] + _makes_revision(output):
            return False, state
        return super().step(state, input, output)

    def fits(self, answer: RevisionsOutput, output: RevisionsOutput) -> bool:
        """See ``SequentialModel.fits``."""
        if isinstance(answer, Seen) and isinstance(output, Seen):
            version = None if output.version is None else answer.version
            revision = None if output.revision is None else answer.revision
            return output == replace(answer, version=version, revision=revision)
        if isinstance(answer, Stored) and isinstance(output, Stored) and output.version is None:
            return answer.revision == output.revision
        return answer == output

    def changes_nothing(self, input: RevisionsInput | _Unknown, output: RevisionsOutput | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return isinstance(input, Get) or (output is not None and not _makes_revision(output))

    def simplified(self, operations: Sequence[Operation[RevisionsInput, RevisionsOutput]]) -> Sequence[RevisionsInput]:
        """See ``Model.simplified``."""
        alike: Sequence[Any] = unseen_alike(operations, _WRITES, _seen)
        seen_at = _seen_at(operations)
        taken = {revision for revision in seen_at if revision is not None}
        for operation in operations:
            output = operation.output
            if output is not None and output.revision is not None and _makes_revision(output):
                taken.add(output.revision)
        others = frozenset(taken)
        inputs: list[Any] = [
            _Unknown(given, others, revision) if operation.is_unknown and not isinstance(given, Get) else given
            for operation, given, revision in zip(operations, alike, seen_at, strict=True)
        ]
        return inputs

    def hints(self, operations: Sequence[Operation[RevisionsInput, RevisionsOutput]]) -> Sequence[int | None]:
        """See ``Model.hints``: a write that was seen happened, and when it did is known."""
        return [None if revision is None else 0 for revision in _seen_at(operations)]

    def input_text(self, input: RevisionsInput) -> str:  # noqa: A002
        """See ``Model.input_text``."""
        if isinstance(input, PutIfUnchanged):
            return f"put {input.key}={plain_text(input.value)} if at {input.mod_revision}"
        return input_text(input)

    def output_text(self, output: RevisionsOutput) -> str:
        """See ``Model.output_text``."""
        if isinstance(output, Seen):
            return f"{plain_text(output.value)}{f' (at {output.mod_revision})' if output.mod_revision else ''}"
        if isinstance(output, Removed) and not output.existed:
            return f"nothing to delete at {output.revision}"
        if isinstance(output, Tried) and not output.written:
            return f"not written at {output.revision}"
        return f"revision {output.revision}"

    def state_text(self, state: RevisionsState) -> str:
        """See ``Model.state_text``."""
        revision, entries = state
        return f"revision {revision}: {', '.join(_entry_text(*entry) for entry in entries) or 'no keys'}"


_WRITES = (Put, CompareAndPut, PutIfUnchanged)


def _seen_at(operations: Sequence[Operation[RevisionsInput, RevisionsOutput]]) -> list[int | None]:
    """For each unknown write the revision it must have made, if readers agree on it and nobody else wrote the value."""
    writers: Counter[tuple[str, Scalar]] = Counter()
    seen: dict[tuple[str, Scalar], set[int]] = {}
    for operation in operations:
        given, output = operation.input, operation.output
        if isinstance(given, _WRITES):
            writers[given.key, given.value] += 1
        elif isinstance(output, Seen):
            seen.setdefault((given.key, output.value), set()).add(output.mod_revision)
    revisions: list[int | None] = []
    for operation in operations:
        made: set[int] = set()
        if operation.is_unknown and isinstance(operation.input, _WRITES):
            written = operation.input.key, operation.input.value
            made = seen.get(written, set()) if writers[written] == 1 else set()
        revisions.append(min(made) if len(made) == 1 else None)
    return revisions


def _absent(key: str) -> Entry:
    return key, None, 0, 0


def _makes_revision(output: RevisionsOutput) -> bool:
    """Whether an operation with this output changed something."""
    match output:
        case Stored():
            return True
        case Removed(existed=changed) | Tried(written=changed):
            return changed
        case Seen():
            return False


def _entry_text(key: str, value: Scalar, mod_revision: int, version: int) -> str:
    return f"{key}={plain_text(value)} (at {mod_revision}, v{version})"


def _seen(operation: Operation[RevisionsInput, RevisionsOutput]) -> Iterator[Scalar]:
    if isinstance(operation.output, Seen):
        yield operation.output.value
    if isinstance(operation.input, CompareAndPut):
        yield operation.input.expected
