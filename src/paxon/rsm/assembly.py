"""Several state machines in one log: a user's own and the ready-made ones, each a named part.

Knows: which part a command is for, which calls every member understands, and what time makes due.
Does not know: what a part does, sessions, or members beyond their names.

Theory of operation.  Members are upgraded one by one.  A call that one release decides and
another does not have would stop every member of the other, so each member announces through
the log which calls its code has, and a call is used only once every member that ever announced
anything has it.  That follows from the log alone, so members agree on it; a member that
comes up with older code than the log uses says so and stops (``LedgerTooNew``).
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Final, TypeVar

from msgspec import Struct, msgpack

from paxon.errors import BadRequest, ContractError, NotYetKnown, SnapshotUnusable
from paxon.rsm.attempt import Result, attempt
from paxon.rsm.contract import Ability, StateMachine
from paxon.rsm.double_check import Comparison, DoubleChecked, Step
from paxon.rsm.feed import Event, Feed
from paxon.rsm.machine import MALFORMED, PIECE_BYTES, ByteMachine, Capturable, Context
from paxon.rsm.objects import ReplicatedObject
from paxon.rsm.pieces import begun

T = TypeVar("T")


class PartCall(Struct, frozen=True):
    """Command or question: ``body`` for one part.  Its result is the part's."""

    part: str
    body: bytes


class Announce(Struct, frozen=True, array_like=True, tag=2):
    """Command: the code of ``member`` has these calls, by part.  Its result is empty."""

    member: str
    abilities: dict[str, tuple[Ability, ...]]


class Compare(Struct, frozen=True, array_like=True, tag=3):
    """Command of development mode: what ``member`` had after these steps.  Without that mode it does nothing."""

    member: str
    steps: tuple[Step, ...]


Command = PartCall | Announce | Compare

_encode: Final = msgpack.Encoder().encode
_decode: Final = msgpack.Decoder(Announce | Compare).decode

PART_BYTES_MAX: Final = 127
"""The longest name of a part, in bytes of UTF-8.  A call for a part begins with that length, and then the name; no
MessagePack array begins with a number so low."""


def head_for(part: str) -> bytes:
    """What every call for this part begins with.

    Raises:
        ContractError: if the name is empty or too long.
    """
    name = part.encode()
    if not 0 < len(name) <= PART_BYTES_MAX:
        raise ContractError(f"the name of a part has 1 to {PART_BYTES_MAX} bytes, not {len(name)}")
    return bytes([len(name)]) + name


def encode(command: Command) -> bytes:
    """A command or question for an assembly in bytes."""
    return head_for(command.part) + command.body if isinstance(command, PartCall) else _encode(command)


def part_of(call: bytes) -> str | None:
    """The part that a command or question is for; ``None`` if it is for none."""
    return call[1 : call[0] + 1].decode(errors="replace") if call and call[0] <= PART_BYTES_MAX else None


FORMAT: Final = 1
"""Of a captured assembly."""


class Beginning(Struct, frozen=True, array_like=True):
    """The first piece of a captured assembly."""

    format: int
    announced: dict[str, dict[str, tuple[Ability, ...]]]
    next_event: int
    parts: list[str]


class Assembly:
    """Parts by name.  Satisfies ``rsm.machine.ByteMachine`` and ``Timed``, and ``Capturable`` if its parts do.

    Invariant: ``_due_ms`` has the ``next_due_ms`` of every timed part as of its last command.
    """

    def __init__(self, parts: Mapping[str, StateMachine | ByteMachine], *, is_checked: bool = False) -> None:
        """``is_checked`` is development mode; see ``double_check``.

        Raises:
            ContractError: if a class cannot be replicated as it is written.
        """
        self._steps: list[Step] | None = [] if is_checked else None
        """In development mode, what was not told to the other members yet."""
        self._comparison = Comparison()
        self.feed = Feed()
        self.parts: dict[str, ByteMachine] = {}
        self.objects: dict[str, ReplicatedObject[StateMachine]] = {}
        self._timed: dict[str, ReplicatedObject[StateMachine]] = {}
        self._due_ms: dict[str, int | None] = {}
        self._next_due_ms: int | None = None
        self._announced: dict[str, dict[str, tuple[Ability, ...]]] = {}
        self._slot = 0
        self._has_changed: Callable[[], None] = lambda: None
        for name, machine in parts.items():
            if not isinstance(machine, StateMachine):
                self.parts[name] = machine
                continue
            part = self._replicated(name, machine)
            # Nothing is known to anybody until somebody announces it.
            part.usable = frozenset()
            self.parts[name] = self.objects[name] = part
            if part.is_timed:
                self._timed[name] = part
                self._due_ms[name] = None
        self._by_head = {head_for(name): (name, part, name in self._timed) for name, part in self.parts.items()}

    # --- what this code can do, and what all can ---

    @property
    def abilities(self) -> dict[str, tuple[Ability, ...]]:
        """The commands that this code has, by part."""
        return {name: part.signature.abilities for name, part in self.objects.items()}

    def has_announced(self, member: str) -> bool:
        """Whether the log says of ``member`` exactly what this code has."""
        return self._announced.get(member) == self.abilities

    def on_announced(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every announcement.  Not part of the state."""
        self._has_changed = listener

    def require_usable(self, part: str, ability: Ability) -> None:
        """See that every member that ever announced anything has this command.

        Raises:
            NotYetKnown: if one has not, with its name.
        """
        usable = self.objects[part].usable
        if usable is not None and ability not in usable:
            lacking = self.lacking(part, ability)
            who = f"the code of {', '.join(lacking)} does not have it" if lacking else "no member has announced it"
            what = f"{ability[0]} (version {ability[1]})"
            raise NotYetKnown(f"{what} cannot be used yet: {who}; upgrade it, then try again")

    def lacking(self, part: str, ability: Ability) -> list[str]:
        """The members that announced what they have, and do not have this command."""
        return sorted(member for member, abilities in self._announced.items() if ability not in abilities.get(part, ()))

    # --- development mode ---

    def steps_to_tell(self, count: int) -> tuple[Step, ...]:
        """What the other members are to be told next, up to ``count`` steps; nothing outside development mode."""
        if not self._steps:
            return ()
        told, self._steps[:] = tuple(self._steps[:count]), self._steps[count:]
        return told

    def _note_step(self, step: Step) -> None:
        if self._steps is not None:
            self._steps.append(step)

    # --- commands and questions ---

    def check(self, command: bytes) -> None:
        """See that a command from outside is one that every member can carry out, before anybody decides on it.

        Raises:
            BadRequest: if it makes no sense, or only members say such things.
            NotYetKnown: if not every member has the call.
        """
        if not command or command[0] > PART_BYTES_MAX:
            raise BadRequest("this is no call for a part, and nobody but members says anything else")
        size = command[0] + 1
        name, part, _ = self._addressed(command[:size])
        if isinstance(part, ReplicatedObject):
            self.require_usable(name, part.check(command[size:]))

    def apply(self, command: bytes, context: Context) -> bytes:
        """Carry out one encoded ``Command``.

        Raises:
            BadRequest: if it makes no sense.
            NotYetKnown: if not every member has the call.
            Exception: whatever the part raises.
        """
        self._slot = context.slot
        if command and command[0] <= PART_BYTES_MAX:
            size = command[0] + 1
            head = command[:size]
            name, part, is_timed = self._by_head.get(head) or self._addressed(head)
            if not is_timed:
                return part.apply(command[size:], context)
            try:
                return part.apply(command[size:], context)
            finally:
                self._look_at_due(name)
        try:
            decoded = _decode(command)
        except MALFORMED as error:
            raise BadRequest(f"this is no command for parts: {error}") from error
        if isinstance(decoded, Compare):
            if self._steps is not None:
                self._comparison.compare(decoded.member, decoded.steps)
            return b""
        self._announced[decoded.member] = decoded.abilities
        self._find_usable()
        self._has_changed()
        return b""

    def apply_all(self, commands: Sequence[bytes], context: Context) -> list[Result]:
        """See ``Batched``: for less, if all are for one part."""
        head = commands[0][: commands[0][0] + 1] if commands and commands[0] else b""
        found = self._by_head.get(head)
        others = [command for command in commands if not command.startswith(head)]
        if found is None or others:
            return [attempt(self, command, context) for command in commands]
        self._slot = context.slot
        name, part, is_timed = found
        calls = [command[len(head) :] for command in commands]
        try:
            return [attempt(part, call, context) for call in calls]
        finally:
            if is_timed:
                self._look_at_due(name)

    def query(self, question: bytes) -> bytes:
        """Answer one question for a part.

        Raises:
            BadRequest: if it makes no sense.
            Exception: whatever the part raises.
        """
        size = question[0] + 1 if question else 0
        _, part, _ = self._addressed(question[:size])
        return part.query(question[size:])

    def _addressed(self, head: bytes) -> tuple[str, ByteMachine, bool]:
        found = self._by_head.get(head)
        if found is None:
            there_are = ", ".join(map(repr, self.parts))
            raise BadRequest(f"there is no part {head[1:].decode(errors='replace')!r} here; there are {there_are}")
        return found

    # --- time ---

    def next_due_ms(self) -> int | None:
        """The decided time at which some part has something to do."""
        return self._next_due_ms

    def on_due(self, context: Context) -> None:
        """Let every part do what time has made due."""
        self._slot = context.slot
        for name, part in self._timed.items():
            due_ms = self._due_ms[name]
            if due_ms is not None and due_ms <= context.now_ms:
                part.on_due(context)
                self._look_at_due(name)

    def _look_at_due(self, name: str) -> None:
        due_ms = self._timed[name].next_due_ms()
        if due_ms != self._due_ms[name]:
            self._due_ms[name] = due_ms
            self._next_due_ms = min((due for due in self._due_ms.values() if due is not None), default=None)

    # --- inside ---

    def _replicated(self, name: str, machine: StateMachine) -> ReplicatedObject[StateMachine]:
        on_event = partial(self._on_event, name)
        if self._steps is None:
            return ReplicatedObject(machine, on_event)
        return DoubleChecked(name, type(machine), on_event, self._note_step)

    def _find_usable(self) -> None:
        for name, part in self.objects.items():
            known = [frozenset(abilities.get(name, ())) for abilities in self._announced.values()]
            part.usable = frozenset.intersection(*known) if known else frozenset()

    def _on_event(self, part: str, topic: str, body: bytes) -> None:
        self.feed.append(self._slot, part, topic, body)

    # --- snapshots ---

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``.

        Raises:
            SnapshotUnusable: if a part cannot be captured.
        """
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        """The beginning, then a section for the feed and one for each part; see ``_Sections``."""
        # Given up at any moment, a capture of one part or of all: none of them may go on.
        with ExitStack() as under_way:
            captures: list[Iterator[bytes]] = []
            for name, part in self.parts.items():
                if not isinstance(part, Capturable):
                    raise SnapshotUnusable(f"the part {name!r} cannot be captured: it has no capture and restore")
                captures.append(under_way.enter_context(closing(part.capture())))
            beginning = Beginning(FORMAT, dict(self._announced), self.feed.next_number, list(self.parts))
            events = self.feed.events()
            yield b""
            yield _encode(beginning)
            for captured in (_event_pieces(events), *captures):
                for piece in captured:
                    yield _MORE + piece
                yield _END

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``.

        Raises:
            SnapshotUnusable: if the pieces are no capture of an assembly, or of parts that this code does not have.
        """
        stream = iter(pieces)
        beginning = _read(next(stream, b""), Beginning)
        if beginning.format > FORMAT:
            raise SnapshotUnusable(
                f"the state has format {beginning.format}, this release knows up to {FORMAT}: upgrade"
            )
        unknown = [name for name in beginning.parts if name not in self.parts]
        if unknown:
            raise SnapshotUnusable(
                f"the state has a part {unknown[0]!r}, which this program does not open: start the release that has it"
            )
        section = _Sections(stream)
        events = [event for piece in section.next() for event in _read(piece, list[Event])]
        for name in beginning.parts:
            part = self.parts[name]
            if not isinstance(part, Capturable):
                raise SnapshotUnusable(f"the part {name!r} cannot be restored: it has no capture and restore")
            captured = section.next()
            part.restore(captured)
            if next(captured, None) is not None:
                raise SnapshotUnusable(f"the state of the part {name!r} goes on where it should end")
        self.feed.replace(beginning.next_event, events)
        self._announced = beginning.announced
        self._find_usable()
        for name in self._timed:
            self._look_at_due(name)
        self._has_changed()


_MORE, _END = b"\x01", b"\x00"


def _read(piece: bytes, kind: type[T]) -> T:
    try:
        return msgpack.decode(piece, type=kind)
    except MALFORMED as error:
        raise SnapshotUnusable(f"the state of an assembly cannot be read: {error}") from error


def _event_pieces(events: list[Event]) -> Iterator[bytes]:
    some: list[Event] = []
    size = 0
    for event in events:
        some.append(event)
        size += len(event.body) + len(event.topic)
        if size >= PIECE_BYTES:
            yield _encode(some)
            some, size = [], 0
    if some:
        yield _encode(some)


class _Sections:
    """Takes a stream of pieces apart into its sections, one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def next(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if piece == _END:
                return
            if piece[:1] != _MORE:
                raise SnapshotUnusable("the state of an assembly has a piece that belongs nowhere")
            yield piece[1:]
        raise SnapshotUnusable("the state of an assembly ends too early")
