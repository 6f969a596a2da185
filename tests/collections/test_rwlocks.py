"""Locks for readers and writers: a writer is alone, and nobody waits for ever."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import rwlocks
from paxon.collections.refusals import OtherMode
from paxon.collections.rwlocks import RWLocks
from paxon.collections.seats import Grant, Place
from tests.collections.desk import Desk, case_of, durations, names, parties
from tests.collections.seats import SeatComparison, new_desk


class RWLocksComparison(SeatComparison[RWLocks]):
    def new_desk(self) -> Desk[RWLocks]:
        return new_desk(RWLocks)

    def fits(self, holders: list[str], mode: str) -> bool:
        return not holders or (mode == "read" and "write" not in holders)

    @rule(name=names, seeker=parties, ttl_ms=durations, wait=st.booleans(), write=st.booleans())
    def seeks(self, name: str, seeker: bytes, ttl_ms: int, wait: bool, write: bool) -> None:
        room, mode = self.rooms[name], "write" if write else "read"
        sitter = room.find(room.holders, seeker) or room.find(room.queue, seeker)
        if sitter is not None and sitter.mode != mode:
            self.desk.refused(OtherMode, RWLocks.seek, name, seeker, ttl_ms, wait, write)
            return
        expected = room.seek(self.now_ms, seeker, mode, ttl_ms, wait)
        result = self.desk.do(RWLocks.seek, name, seeker, ttl_ms, wait, write)
        self.compare(name, seeker, result, expected)

    @invariant()
    def a_writer_is_alone(self) -> None:
        for name in self.rooms:
            holders = self.desk.ask(RWLocks.holders, name)
            assert len(holders) == 1 or all(seat.room > 1 for seat in holders)


TestRWLocks = case_of(RWLocksComparison)


def test_a_waiting_writer_stops_later_readers_and_lets_them_in_after_it() -> None:
    desk = new_desk(RWLocks)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"ada", 100, True, False), Grant)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"bob", 100, True, False), Grant)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"cyd", 900, True, True), Place)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"dee", 900, True, False), Place)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"eve", 900, True, False), Place)
    desk.later(100)
    assert [seat.seeker for seat in desk.ask(RWLocks.holders, "lock")] == [b"cyd"]
    desk.do(RWLocks.resign, "lock", b"cyd", 3)
    assert [(seat.seeker, seat.token) for seat in desk.ask(RWLocks.holders, "lock")] == [(b"dee", 4), (b"eve", 5)]


def test_so_many_read_at_once_and_the_next_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rwlocks, "ABREAST_MAX", 2)
    desk = new_desk(RWLocks)
    for reader in (b"ada", b"bob"):
        assert isinstance(desk.do(RWLocks.seek, "lock", reader, 100, True, False), Grant)
    assert isinstance(desk.do(RWLocks.seek, "lock", b"cyd", 100, True, False), Place)


def test_readers_go_on_if_the_writer_before_them_gives_up_or_dies() -> None:
    for gives_up in (True, False):
        desk = new_desk(RWLocks)
        desk.do(RWLocks.seek, "lock", b"ada", 500, True, False)
        desk.do(RWLocks.seek, "lock", b"bob", 100, True, True)
        desk.do(RWLocks.seek, "lock", b"cyd", 500, True, False)
        if gives_up:
            desk.do(RWLocks.withdraw, "lock", b"bob")
        else:
            desk.later(100)
        assert [seat.seeker for seat in desk.ask(RWLocks.holders, "lock")] == [b"ada", b"cyd"]
