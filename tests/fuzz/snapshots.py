"""Targets: captured states, as they might come from a damaged file or another member."""

import datetime
import decimal
from collections.abc import Iterator, Mapping

from paxon.core.decree import Slot
from paxon.errors import SnapshotUnusable
from paxon.rsm.contract import Context, StateMachine, command, journal_of
from paxon.rsm.machine import Capturable
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import ReplicatedObject
from paxon.rsm.session_requests import Close, Open, Perform, Request, encode
from paxon.rsm.sessions import Sessions
from tests.fuzz.oracle import Draw, Target, refusing
from tests.rsm.inventory import Reserved

_SIZE_BYTES = 2
"""Of the length before each piece."""


class Everything(StateMachine):
    """A state with every kind of value in it."""

    def __init__(self) -> None:
        shared = {"x": [1, 2.5, None, True], "y": {b"bytes", ("tuple", -1)}}
        self.first: object = shared
        self.second: object = [self.first, ([1], {2: {3}}), 1 << 70, "half \ud800", "ü", frozenset({1, "two"})]
        self.records: object = {Reserved("o-1", 3): datetime.UTC, datetime.date(2020, 1, 2): decimal.Decimal("1.50")}
        self.times: object = [datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), datetime.timedelta(1), 1j]

    @command
    def nothing(self, ctx: Context) -> None:
        """Change nothing."""


def _object() -> ReplicatedObject[Everything]:
    return ReplicatedObject(Everything())


_REQUESTS: tuple[Request, ...] = (
    Open(b"a", 50),
    Open(b"b", 50),
    Perform(b"a", 0, 0, b"no call"),
    Perform(b"a", 1, 0, None),
    Close(b"b"),
)


def _sessions() -> Sessions:
    sessions = Sessions(_object())
    for number, request in enumerate(_REQUESTS):
        sessions.apply(encode(request), Decided(Slot(number + 1), 100 + number))
    return sessions


def _pieces(data: bytes) -> Iterator[bytes]:
    draw = Draw(data)
    while not draw.is_empty:
        yield draw.take(int.from_bytes(draw.take(_SIZE_BYTES)))


def _restores(data: bytes, member: Capturable, other: Capturable) -> None:
    before = list(member.capture())
    with refusing(SnapshotUnusable) as watch:
        member.restore(_pieces(data))
    after = list(member.capture())
    if watch.is_refused:
        assert after == before, "pieces that are unusable changed the state"
        return
    other.restore(after)
    assert list(other.capture()) == after, "a state changes on its way"


def states(data: bytes) -> None:
    """Pieces are refused in words, with the state as before, or are a state that can be captured and restored."""
    _restores(data, _object(), _object())


def session_states(data: bytes) -> None:
    """The same with sessions around it."""
    _restores(data, _sessions(), _sessions())


def _seed(member: Capturable) -> bytes:
    return b"".join(len(piece).to_bytes(_SIZE_BYTES) + piece for piece in member.capture())


def _empty() -> ReplicatedObject[Everything]:
    replica = _object()
    state = replica.machine
    state.first, state.second, state.records, state.times = [], {}, (), 0
    journal_of(state).forget()
    return replica


TARGETS: Mapping[str, Target] = {
    "states": Target(states, (_seed(_object()), _seed(_empty()))),
    "session-states": Target(session_states, (_seed(_sessions()), _seed(Sessions(_empty())))),
}
