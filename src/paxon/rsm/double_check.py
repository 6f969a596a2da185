"""Development mode: a replicated object that notices when its class is not deterministic.

Knows: what a command did here, and what the same command did to a twin, or on another member.  Does
not know: who the members are, or how their words of it travel.

Theory of operation.  Every command is applied twice, to the state and to a twin that has had the
same commands: whatever reads a clock, draws by lot, counts calls or shares state between objects
answers differently or leaves another state.  What differs from process to process only, such as
the order of a plain set of text, is noticed by comparing a digest of the state after each command
with the other members', who tell theirs through the log (``Compare`` in ``assembly``).

A digest costs as much as the state is large: this is for development, on small states.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec import Struct

from paxon.errors import InvariantViolation, LedgerTooNew, NotDeterministic
from paxon.rsm.calls import read_head
from paxon.rsm.contract import StateMachine
from paxon.rsm.machine import Context
from paxon.rsm.objects import ReplicatedObject

M = TypeVar("M", bound=StateMachine)

DIGEST_BYTES: Final = 8
"""Enough to notice; nobody gains by making two states alike."""

NOBODY: Final = "time"
"""In the place of a command's name: what time made due."""


class Step(Struct, frozen=True, array_like=True):
    """What one command left behind: ``digest`` is that of the part's state after it."""

    slot: int
    number: int
    part: str
    command: str
    digest: bytes

    def __str__(self) -> str:
        what = "what time made due" if self.command == NOBODY else f"the command {self.command}"
        return f"{what} of {self.part} in slot {self.slot}"


class DoubleChecked(ReplicatedObject[M]):
    """A replicated object beside its twin.

    Invariant: between two commands both have equal states, or ``NotDeterministic`` was raised.
    """

    def __init__(
        self, part: str, kind: Callable[[], M], on_event: Callable[[str, bytes], None], on_step: Callable[[Step], None]
    ) -> None:
        """``kind`` makes an empty machine; ``on_step`` is told of everything that may have changed the state.

        Raises:
            ContractError: if the class cannot be replicated as it is written.
        """
        super().__init__(kind(), on_event)
        self._part = part
        self._kind = kind
        self._twin = ReplicatedObject(kind())
        self._on_step = on_step
        self._step_slot = 0
        self._step_number = 0

    def apply(self, command: bytes, context: Context) -> bytes:
        """See ``ReplicatedObject``.

        Raises:
            NotDeterministic: if the twin answers otherwise, or has another state afterwards.
        """
        ours = _outcome(super().apply, command, context)
        # Only what we may carry out, the twin may.
        self._twin.usable = self.usable
        twins = _outcome(self._twin.apply, command, context)
        step = self._step(context.slot, read_head(command)[0])
        if repr(ours) != repr(twins):
            again = f"{step} gave {ours!r} and, applied once more to the same state, {twins!r}"
            raise NotDeterministic(f"{again}. {ADVICE}")
        self._compare(step)
        if isinstance(ours, Exception):
            raise ours
        return ours

    def on_due(self, context: Context) -> None:
        """See ``ReplicatedObject``.

        Raises:
            NotDeterministic: if the twin has another state afterwards.
        """
        super().on_due(context)
        self._twin.on_due(context)
        self._compare(self._step(context.slot, NOBODY))

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``ReplicatedObject``."""
        taken = list(pieces)
        super().restore(taken)
        self._twin = ReplicatedObject(self._kind())
        self._twin.restore(taken)

    def _step(self, slot: int, command: str) -> Step:
        self._step_number = self._step_number + 1 if slot == self._step_slot else 0
        self._step_slot = slot
        return Step(slot, self._step_number, self._part, command, _digest(self._twin))

    def _compare(self, step: Step) -> None:
        # While a snapshot is being taken there cannot be a second look at the state; the next command looks again.
        if not self.is_captured and _digest(self) != step.digest:
            raise NotDeterministic(f"{step} left another state than when it was applied once more. {ADVICE}")
        self._on_step(step)


def _outcome(apply: Callable[[bytes, Context], bytes], command: bytes, context: Context) -> "bytes | Exception":
    try:
        return apply(command, context)
    except (InvariantViolation, LedgerTooNew, MemoryError):
        raise
    except Exception as error:
        return error


ADVICE: Final = (
    "It depends on something beside the state, the context and its arguments: a clock, chance, the order of a set, "
    "or something that two objects share."
)


class Comparison:
    """What members told of their steps, as far as it is of use: replicated state of development mode alone."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int, str], tuple[str, Step]] = {}

    def compare(self, member: str, steps: Iterable[Step]) -> None:
        """Hold what ``member`` tells of its steps against what others told before.

        Raises:
            NotDeterministic: at the first step after which two members had different states.
        """
        for step in steps:
            place = (step.slot, step.number, step.part)
            other, theirs = self._told.setdefault(place, (member, step))
            if theirs.digest != step.digest:
                raise NotDeterministic(f"{step} left {other} and {member} with different states. {ADVICE}")
        while len(self._told) > STEPS_KEPT:
            del self._told[next(iter(self._told))]


STEPS_KEPT: Final = 10_000
"""Of other members: far more than they tell at once, so that one that is late is compared too."""


def _digest(replicated: ReplicatedObject[M]) -> bytes:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for piece in replicated.capture():
        digest.update(piece)
    return digest.digest()
