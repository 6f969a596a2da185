"""Snapshots of a replicated object: its attributes with all that is in them, or what its class makes of them itself.

Knows: how a snapshot begins, and what a later release of a class may have changed.  Does not know: calls, or files.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from types import FunctionType
from typing import Any, Final, get_type_hints

from msgspec import Struct, msgpack

from paxon.errors import ContractError, SnapshotUnusable, check
from paxon.rsm.capture import captured
from paxon.rsm.contract import JOURNAL, MARK, StateMachine, journal_of, replace_state, state_of
from paxon.rsm.machine import MALFORMED
from paxon.rsm.pieces import begun, cut, joined
from paxon.rsm.restore import restored
from paxon.rsm.schema import describe
from paxon.rsm.tracked import plain, tracked

FORMAT: Final = 1
"""Of what follows the first piece, and of everything in it."""


class Beginning(Struct, frozen=True, array_like=True):
    """The first piece."""

    format: int
    kind: str
    """The name of the machine's class, without its module: code may be moved."""
    is_own: bool
    """Whether the class's own ``snapshot`` made what follows."""
    deleted: list[str]
    """Attributes that ``__init__`` makes and the state does not have."""


_encode: Final = msgpack.Encoder().encode
_read_beginning: Final = msgpack.Decoder(Beginning).decode


class Snapshots:
    """What takes and reads back the snapshots of one machine."""

    def __init__(self, machine: StateMachine) -> None:
        """``machine`` is as its ``__init__`` made it.

        Raises:
            ContractError: see ``snapshot_type``.
        """
        self._machine = machine
        self._kind = type(machine)
        self._own = snapshot_type(self._kind)
        self._initial = frozenset(state_of(machine))

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        return begun(self._own_pieces() if self._own is not None else self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        state = state_of(self._machine)
        with closing(captured(journal_of(self._machine), state)) as pieces:
            yield b""
            yield self._beginning(sorted(self._initial - state.keys()))
            yield from pieces

    def _own_pieces(self) -> Generator[bytes, None, None]:
        machine: Any = self._machine
        check(journal_of(machine).is_empty, "a state is looked at between commands")
        try:
            body = _encode(plain(machine.snapshot()))
        finally:
            # It only looks: what it changed here, it changed on this member alone.
            journal_of(machine).take_back()
        try:
            msgpack.decode(body, type=self._own)
        except MALFORMED as error:
            # Whoever is wrong learns it here, and not when the state is needed.
            raise TypeError(f"{self._kind.__name__}.snapshot returned no {self._own}: {error}") from error
        yield b""
        yield self._beginning([])
        yield from cut(body)

    def _beginning(self, deleted: list[str]) -> bytes:
        return _encode(Beginning(FORMAT, self._kind.__qualname__, self._own is not None, deleted))

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        stream = iter(pieces)
        try:
            beginning = _read_beginning(next(stream, b""))
        except MALFORMED as error:
            raise SnapshotUnusable(f"this is no snapshot of a replicated object: {error}") from error
        if beginning.format > FORMAT:
            raise SnapshotUnusable(
                f"the state has format {beginning.format}, this release knows up to {FORMAT}: upgrade Paxon"
            )
        if beginning.kind != self._kind.__qualname__:
            raise SnapshotUnusable(
                f"the state is one of {beginning.kind}, and this program has {self._kind.__qualname__}: "
                "start the program that it belongs to, and leave classes their names"
            )
        if beginning.is_own:
            self._restore_own(stream)
        else:
            attributes = restored(journal_of(self._machine), stream)
            if JOURNAL in attributes:
                raise SnapshotUnusable(f"the state has an attribute {JOURNAL}, which is none of a state's")
            self._add_new(attributes, beginning.deleted)
            replace_state(self._machine, attributes)

    def _restore_own(self, stream: Iterable[bytes]) -> None:
        if self._own is None:
            raise SnapshotUnusable(
                f"the state was made by a {self._kind.__name__} with a snapshot method, which it does not have here: "
                "start the release of your program that has it"
            )
        records = list(joined(stream))
        machine: Any = self._machine
        try:
            (body,) = records
            machine.restore(msgpack.decode(body, type=self._own))
        except MemoryError:
            raise
        except Exception as error:  # It is the user's, and may raise anything.
            journal_of(machine).take_back()
            raise SnapshotUnusable(
                f"{self._kind.__name__} cannot be restored from its snapshot: {type(error).__name__}: {error}"
            ) from error
        journal_of(machine).forget()

    def _add_new(self, attributes: dict[str, Any], deleted: list[str]) -> None:
        """Add attributes that are younger than the snapshot, as ``__init__`` makes them."""
        new = self._initial.difference(attributes, deleted)
        if new:
            # The present ones have changed since.
            initial = state_of(self._kind())
            journal = journal_of(self._machine)
            attributes.update((name, tracked(initial[name], journal)) for name in sorted(new))


def snapshot_type(kind: type[StateMachine]) -> Any:
    """The type of what the class's own ``snapshot`` returns; ``None`` if it has none.

    Raises:
        ContractError: if it has only one of ``snapshot`` and ``restore``, or they do not say the same of their data.
    """
    # Marked methods of these names are commands and queries like any other.
    found = {
        name: function
        for name in ("snapshot", "restore")
        if isinstance(function := getattr(kind, name, None), FunctionType) and not hasattr(function, MARK)
    }
    if not found:
        return None
    if len(found) == 1:
        has, lacks = ("snapshot", "restore") if "snapshot" in found else ("restore", "snapshot")
        raise ContractError(f"{kind.__name__} has {has} and no {lacks}: write both, or neither")
    given = _only_hint(kind, found["snapshot"], "return", "snapshot(self) -> T")
    *_, name = found["restore"].__code__.co_varnames[: found["restore"].__code__.co_argcount]
    taken = _only_hint(kind, found["restore"], name, "restore(self, data: T) -> None")
    if given != taken:
        raise ContractError(f"{kind.__name__}.restore does not take what snapshot returns: give both one type")
    try:
        describe(given)
    except TypeError as error:
        raise ContractError(f"{kind.__name__}.snapshot has a type that cannot be carried: {error}") from error
    return given


def _only_hint(kind: type, function: FunctionType, name: str, form: str) -> Any:
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ContractError(f"{kind.__name__}.{function.__name__} has a type that is not defined: {error}") from error
    count = function.__code__.co_argcount
    if name not in hints or count != (1 if name == "return" else 2):
        raise ContractError(f"{kind.__name__}.{function.__name__} does not say what its data is: write def {form}")
    return hints[name]
