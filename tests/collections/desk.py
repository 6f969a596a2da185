"""A ready-made structure behind bytes, at a decided time that only grows, and how it is compared with a plain model."""

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from paxon.collections.lapsing import GRAIN_MS, Lapsing
from paxon.core.decree import Slot
from paxon.errors import Rejected
from paxon.rsm.contract import Context, StateMachine, state_of
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import ReplicatedObject, question, submission
from paxon.rsm.tracked import plain

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")

BEGIN_MS = 10_000 * GRAIN_MS
"""Some moment."""

names = st.sampled_from(["north", "south"])
parties = st.sampled_from([b"ada", b"bob", b"cyd", b"dee"])
durations = st.integers(1, 400)


def moment(now_ms: int, duration_ms: int) -> int:
    """When something ends that begins now, as a model finds out: by counting moments."""
    moments = range(BEGIN_MS, BEGIN_MS + 10**9, GRAIN_MS)
    return next(moment for moment in moments[(now_ms - BEGIN_MS) // GRAIN_MS :] if moment >= now_ms + duration_ms)


class Desk(Generic[M]):
    """One structure, every call of it in bytes and in a slot of its own, and what time makes due before the call."""

    def __init__(self, kind: Callable[[], M], event: Any = None) -> None:
        """``event`` is the type of the structure's events."""
        self.kind = kind
        self.event = event
        self.events: list[tuple[str, Any]] = []
        """What was emitted, with its topic."""
        self.now_ms = BEGIN_MS
        self.slot = 0
        self.replica = ReplicatedObject(kind(), self._on_event)

    def _on_event(self, topic: str, body: bytes) -> None:
        self.events.append((topic, msgspec.msgpack.decode(body, type=self.event)))

    @property
    def machine(self) -> M:
        """The structure itself."""
        return self.replica.machine

    @property
    def state(self) -> dict[str, Any]:
        """All that it knows, as plain data."""
        return {name: plain(value) for name, value in state_of(self.machine).items()}

    def decided(self) -> Decided:
        """What is decided beside the next command."""
        self.slot += 1
        return Decided(Slot(self.slot), self.now_ms)

    def do(self, method: Callable[Concatenate[M, Context, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """Have a command applied; if it is refused, see that it left no trace."""
        self.lapse()
        before, emitted = self.state, len(self.events)
        call, read = submission(self.replica.signature, method, *arguments, **named)
        try:
            return read(self.replica.apply(call, self.decided()))
        except Rejected:
            assert self.state == before
            assert len(self.events) == emitted
            raise

    def ask(self, method: Callable[Concatenate[M, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """Ask a query."""
        call, read = question(self.replica.signature, method, *arguments, **named)
        return read(self.replica.query(call))

    def later(self, duration_ms: int) -> None:
        """Let time pass, and what it makes due be done, while nobody calls."""
        self.now_ms += duration_ms
        self.lapse()

    def lapse(self) -> None:
        """Do what the contract has done before the first command at this time."""
        due_ms = self.machine.next_due_ms()
        if due_ms is not None and due_ms <= self.now_ms:
            self.replica.on_due(self.decided())
        assert self.replica.failures == 0

    def move(self) -> None:
        """Go on with what comes out of a snapshot."""
        pieces = list(self.replica.capture())
        self.replica = ReplicatedObject(self.kind(), self._on_event)
        self.replica.restore(pieces)

    def refused(
        self,
        refusal: type[Rejected],
        method: Callable[Concatenate[M, Context, P], R],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> Rejected:
        """Have a command refused, and return the refusal."""
        with pytest.raises(refusal) as caught:
            self.do(method, *arguments, **named)
        return caught.value


class Comparison(RuleBasedStateMachine, Generic[M]):
    """A structure beside a plain model of it: what holds for all of them."""

    desk: Desk[M]

    def __init__(self) -> None:
        super().__init__()
        self.desk = self.new_desk()

    def new_desk(self) -> Desk[M]:
        """The structure at its beginning."""
        raise NotImplementedError

    def expire(self) -> None:
        """Let the model do what time has made due."""

    @property
    def now_ms(self) -> int:
        """The decided time."""
        return self.desk.now_ms

    @rule(duration_ms=st.integers(0, 600))
    def time_passes(self, duration_ms: int) -> None:
        """Nobody calls for a while."""
        self.desk.later(duration_ms)
        self.expire()

    @rule()
    def it_moves(self) -> None:
        """A snapshot is taken and installed."""
        self.desk.move()

    @invariant()
    def nothing_is_due(self) -> None:
        """What ``on_due`` promises."""
        due_ms = self.desk.machine.next_due_ms()
        assert due_ms is None or due_ms > self.desk.now_ms

    @invariant()
    def what_lapses_is_in_order(self) -> None:
        """The invariants of ``Lapsing``."""
        machine = self.desk.machine
        if not isinstance(machine, Lapsing):
            return
        assert sorted(machine.due_moments) == sorted(machine.due_keys)
        assert machine.due_count == sum(map(len, machine.due_keys.values()))
        assert all(later >= self.desk.now_ms for later in machine.due_keys)
        if machine.due_moments:
            assert machine.due_moments[0] == min(machine.due_keys)
            assert machine.due_keys[machine.due_moments[0]]


def case_of(kind: type[Comparison[Any]]) -> Any:
    """What pytest runs for a comparison: fewer and shorter runs than Hypothesis likes, for there are many of them."""
    case = kind.TestCase
    case.settings = settings(max_examples=60, stateful_step_count=30)
    return case
