"""Applies decrees to a state machine: in slot order, each command once, whatever the machine does.

Knows: slots, decrees, and that a failing command is a result like any other (the log must
never wedge on one).  Does not know: ballots, clients, or what a command says.
"""

from collections.abc import Generator, Iterable
from contextlib import closing

from msgspec import Struct, msgpack

from paxon.core.decree import FIRST_SLOT, Decree, Slot
from paxon.errors import InvariantViolation, SnapshotUnusable, check
from paxon.rsm.attempt import Result, attempt, failure, not_bytes
from paxon.rsm.machine import MALFORMED, ByteMachine, Capturable, Context
from paxon.rsm.pieces import begun

CAPTURE_VERSION = 1
"""Of the first piece of a capture, and of the order of those behind it."""


class _Head(Struct, frozen=True, array_like=True):
    """The first piece of a capture.  A later version keeps ``version`` where it is, and may add fields."""

    version: int
    slot: Slot
    now_ms: int


class Applier:
    """One state machine and how far it has come.

    Invariants: every slot in ``[FIRST_SLOT, applied_until)`` was applied, once and in order,
    and no other, here or where a restored state was captured; ``now_ms`` is the highest stamp among them.
    """

    def __init__(self, machine: ByteMachine) -> None:
        self._machine = machine
        self.applied_until = FIRST_SLOT
        """Every slot below has been applied.  For others to look at."""
        self._now_ms = 0

    @property
    def now_ms(self) -> int:
        """The decided time of the last applied slot; 0 before the first."""
        return self._now_ms

    def apply(self, slot: Slot, decree: Decree) -> list[Result]:
        """Apply the commands of ``decree``; the results are in their order.  A no-op applies nothing.

        Raises:
            InvariantViolation: if ``slot`` is not the next one.
            Exception: see ``attempt``.
        """
        check(slot == self.applied_until, "slots are applied in order, each once")
        if decree.stamp_ms > self._now_ms:
            self._now_ms = decree.stamp_ms
        context = Context(slot, self._now_ms)
        machine = self._machine
        results = [attempt(machine, command, context) for command in decree.commands]
        self.applied_until = Slot(slot + 1)
        return results

    @property
    def is_capturable(self) -> bool:
        """Whether ``capture`` and ``restore`` are there to be used."""
        return isinstance(self._machine, Capturable)

    def capture(self) -> Generator[bytes, None, None]:
        """The machine's state and how far it has come, as of this call; see ``Capturable``.

        Raises:
            SnapshotUnusable: if the machine, or one inside it, has no capture.
            Exception: see the machine.
        """
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        head = msgpack.encode(_Head(CAPTURE_VERSION, self.applied_until, self._now_ms))
        with closing(self._capturable().capture()) as pieces:
            yield b""
            yield head
            yield from pieces

    def _capturable(self) -> Capturable:
        if not isinstance(self._machine, Capturable):
            raise SnapshotUnusable(f"{type(self._machine).__name__} has no capture and restore")
        return self._machine

    def restore(self, pieces: Iterable[bytes]) -> None:
        """Have a captured state in place of the present one.  After an error the state is worth nothing.

        Raises:
            SnapshotUnusable: if the pieces are no capture, one of a newer release, or one that this machine cannot
                restore.
        """
        machine = self._capturable()
        remaining = iter(pieces)
        try:
            head = msgpack.decode(next(remaining, b""), type=_Head)
        except MALFORMED as error:
            raise SnapshotUnusable(f"this is no snapshot of a state machine: {error}") from error
        if head.version > CAPTURE_VERSION:
            raise SnapshotUnusable(
                f"the state in the snapshot has format {head.version}, this release reads up to {CAPTURE_VERSION}: "
                "start the release that wrote it, or a newer one"
            )
        machine.restore(remaining)
        self.applied_until, self._now_ms = head.slot, head.now_ms

    def query(self, question: bytes) -> bytes:
        """The machine's answer from the state of all slots below ``applied_until``.

        Raises:
            ApplyFailed: if the machine raised.
        """
        try:
            answer: object = self._machine.query(question)
        except (InvariantViolation, MemoryError):
            raise
        except Exception as error:
            raise failure(error) from error
        if not isinstance(answer, bytes):
            raise not_bytes(answer)
        return answer
