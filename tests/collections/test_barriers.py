"""Barriers: all go on together, generation after generation, and only if all are there at the same time."""

import pytest
from hypothesis.stateful import invariant, rule

from paxon.collections import barriers
from paxon.collections.barriers import (
    BarrierEvent,
    Barriers,
    Entered,
    Gathering,
    Passed,
    Released,
    Waiting,
    Withdrawn,
)
from paxon.collections.refusals import LimitReached, NotWaiting, OtherLimit
from tests.collections.desk import Comparison, Desk, case_of, durations, moment, names, parties

PARTIES = {"north": 3, "south": 2}


class BarriersComparison(Comparison[Barriers]):
    """The model has those who wait, and those who were released, each with their generation and time."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, dict[bytes, int]] = {"north": {}, "south": {}}
        self.generation = {"north": 0, "south": 0}
        self.released: dict[tuple[str, bytes], tuple[int, int]] = {}
        self.greatest = 0

    def new_desk(self) -> Desk[Barriers]:
        return Desk(Barriers, BarrierEvent)

    def expire(self) -> None:
        for name, waiting in self.waiting.items():
            self.waiting[name] = {party: until for party, until in waiting.items() if until > self.now_ms}
        self.released = {who: entry for who, entry in self.released.items() if entry[1] > self.now_ms}

    @rule(name=names, party=parties, ttl_ms=durations)
    def enters(self, name: str, party: bytes, ttl_ms: int) -> None:
        waiting = self.waiting[name]
        is_first = not waiting
        waiting[party] = max(waiting.get(party, 0), moment(self.now_ms, ttl_ms))
        self.released.pop((name, party), None)
        result = self.desk.do(Barriers.enter, name, party, PARTIES[name], ttl_ms)
        if is_first:
            assert result.generation > self.greatest
            self.greatest = self.generation[name] = result.generation
        generation = self.generation[name]
        if len(waiting) < PARTIES[name]:
            assert result == Waiting(generation, len(waiting), PARTIES[name], self.now_ms, waiting[party])
            return
        assert result == Passed(generation)
        self.released |= {(name, party): (generation, until_ms) for party, until_ms in waiting.items()}
        waiting.clear()

    @rule(name=names, party=parties, ttl_ms=durations)
    def renews(self, name: str, party: bytes, ttl_ms: int) -> None:
        waiting = self.waiting[name]
        if party in waiting:
            generation = self.generation[name]
            waiting[party] = max(waiting[party], moment(self.now_ms, ttl_ms))
            assert self.desk.do(Barriers.renew, name, party, generation, ttl_ms) == Waiting(
                generation, len(waiting), PARTIES[name], self.now_ms, waiting[party]
            )
        elif (name, party) in self.released:
            generation, _ = self.released[name, party]
            assert self.desk.do(Barriers.renew, name, party, generation, ttl_ms) == Passed(generation)
        else:
            self.desk.refused(NotWaiting, Barriers.renew, name, party, self.generation[name], ttl_ms)

    @rule(name=names, party=parties)
    def leaves(self, name: str, party: bytes) -> None:
        was_waiting = self.waiting[name].pop(party, None) is not None
        self.released.pop((name, party), None)
        assert self.desk.do(Barriers.leave, name, party) is was_waiting

    @rule(name=names, party=parties)
    def enters_for_another_number(self, name: str, party: bytes) -> None:
        if self.waiting[name]:
            self.desk.refused(OtherLimit, Barriers.enter, name, party, PARTIES[name] + 1, 10)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for name, waiting in self.waiting.items():
            assert set(self.desk.ask(Barriers.waiting, name)) == set(waiting)
            expected = Gathering(self.generation[name], PARTIES[name], len(waiting)) if waiting else None
            assert self.desk.ask(Barriers.gathering, name) == expected
        machine = self.desk.machine
        assert sum(map(len, machine.entrants.values())) == machine.due_count
        assert machine.due_count == sum(map(len, self.waiting.values())) + len(self.released)
        assert all(machine.entrants.values())

    @invariant()
    def events_tell_everything(self) -> None:
        told: dict[str, set[bytes]] = {"north": set(), "south": set()}
        for topic, event in self.desk.events:
            assert topic == f"barrier/{event.name}"
            match event:
                case Entered():
                    told[event.name].add(event.party)
                case Withdrawn():
                    told[event.name].remove(event.party)
                case Released():
                    assert len(told[event.name]) == PARTIES[event.name]
                    told[event.name].clear()
        assert told == {name: set(waiting) for name, waiting in self.waiting.items()}


TestBarriers = case_of(BarriersComparison)


def enter(desk: Desk[Barriers], party: bytes, ttl_ms: int = 100) -> Waiting | Passed:
    """One of three comes to the gate."""
    return desk.do(Barriers.enter, "gate", party, 3, ttl_ms)


def test_the_last_one_releases_all_and_the_next_generation_begins() -> None:
    desk = Desk(Barriers, BarrierEvent)
    assert [enter(desk, party) for party in (b"ada", b"bob")] == [
        Waiting(1, present, 3, desk.now_ms, desk.now_ms + 100) for present in (1, 2)
    ]
    assert enter(desk, b"cyd") == Passed(1)
    assert desk.events[-1] == ("barrier/gate", Released("gate", 1))
    assert desk.do(Barriers.renew, "gate", b"ada", 1, 100) == Passed(1)
    again = enter(desk, b"ada")
    assert isinstance(again, Waiting)
    assert (again.generation, again.present) == (2, 1)


def test_the_dead_are_not_counted() -> None:
    desk = Desk(Barriers, BarrierEvent)
    enter(desk, b"ada", 100)
    enter(desk, b"bob", 200)
    desk.later(100)
    assert desk.events[-1] == ("barrier/gate", Withdrawn("gate", b"ada", 1, has_lapsed=True))
    result = enter(desk, b"cyd")
    assert isinstance(result, Waiting)
    assert result.present == 2
    assert "enter again" in str(desk.refused(NotWaiting, Barriers.renew, "gate", b"ada", 1, 100))


def test_what_was_released_is_forgotten_in_the_end() -> None:
    desk = Desk(Barriers, BarrierEvent)
    for party in (b"ada", b"bob", b"cyd"):
        enter(desk, party)
    desk.later(100)
    assert desk.state == {**Desk(Barriers, BarrierEvent).state, "last_generation": 1}


def test_all_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barriers, "ENTRIES_MAX", 2)
    desk = Desk(Barriers, BarrierEvent)
    enter(desk, b"ada")
    enter(desk, b"bob")
    desk.refused(LimitReached, Barriers.enter, "gate", b"cyd", 3, 100)
    enter(desk, b"bob")
