"""What a member submits on nobody's behalf: what its code has, and that time goes on."""

import pytest

from paxon.collections.counters import Counters
from paxon.core.decree import Slot
from paxon.rsm.assembly import Assembly
from paxon.rsm.errands import TICK, errand
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import Open, encode
from paxon.rsm.sessions import Sessions

NOW_MS = 1_000
TTL_MS = 500


class Stage:
    """A member's machine that nobody has announced anything to."""

    def __init__(self) -> None:
        self.assembly = Assembly({"counters": Counters()})
        self.sessions = Sessions(self.assembly)

    def errand(self, *, is_leader: bool, now_ms: int = NOW_MS) -> bytes | None:
        return errand(self.sessions, self.assembly, "m1", is_leader, now_ms)

    def announce(self) -> None:
        announcement = self.errand(is_leader=False)
        assert announcement is not None
        self.apply(announcement)

    def apply(self, command: bytes, now_ms: int = NOW_MS) -> None:
        self.sessions.apply(command, Context(Slot(1), now_ms))


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_every_member_announces_its_commands_once(stage: Stage) -> None:
    stage.announce()
    assert stage.assembly.has_announced("m1")
    assert stage.errand(is_leader=False) is None
    assert stage.errand(is_leader=True) is None


def test_the_leader_lets_time_go_on_when_something_is_due(stage: Stage) -> None:
    stage.announce()
    stage.apply(encode(Open(b"session", TTL_MS)))
    assert stage.errand(is_leader=True, now_ms=NOW_MS + TTL_MS - 1) is None
    assert stage.errand(is_leader=False, now_ms=NOW_MS + TTL_MS) is None
    assert stage.errand(is_leader=True, now_ms=NOW_MS + TTL_MS) == TICK
    stage.apply(TICK, NOW_MS + TTL_MS)
    assert len(stage.sessions) == 0
    assert stage.errand(is_leader=True, now_ms=NOW_MS + TTL_MS) is None
