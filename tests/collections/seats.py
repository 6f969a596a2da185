"""A plain model of seats that are held for a time, and a watcher that knows them from events alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hypothesis.stateful import invariant, rule

from paxon.collections.refusals import NotHolder
from paxon.collections.seats import Ended, Grant, Granted, Left, Place, Queued, Seat, SeatEvent, Seats
from tests.collections.desk import Comparison, Desk, durations, moment, names, parties

S = TypeVar("S", bound=Seats)


@dataclass
class Sitter:
    """Somebody who holds or waits."""

    seeker: bytes
    mode: Any
    ttl_ms: int
    until_ms: int


@dataclass
class Room:
    """One name."""

    fits: Callable[[list[Any], Any], bool]
    """Whether somebody of a mode may hold it beside holders of modes."""
    holders: list[Sitter] = field(default_factory=list)
    queue: list[Sitter] = field(default_factory=list)

    def find(self, among: list[Sitter], seeker: bytes) -> Sitter | None:
        return next((sitter for sitter in among if sitter.seeker == seeker), None)

    def seek(self, now_ms: int, seeker: bytes, mode: Any, ttl_ms: int, wait: bool) -> str:
        """What becomes of the seeker: "holds", "waits" or "nothing"."""
        for among, word in ((self.holders, "holds"), (self.queue, "waits")):
            if (sitter := self.find(among, seeker)) is not None:
                sitter.until_ms = max(sitter.until_ms, moment(now_ms, ttl_ms))
                sitter.ttl_ms = ttl_ms
                return word
        sitter = Sitter(seeker, mode, ttl_ms, moment(now_ms, ttl_ms))
        if not self.queue and self.fits([holder.mode for holder in self.holders], mode):
            self.holders.append(sitter)
            return "holds"
        if wait:
            self.queue.append(sitter)
            return "waits"
        return "nothing"

    def expire(self, now_ms: int) -> None:
        self.holders = [sitter for sitter in self.holders if sitter.until_ms > now_ms]
        self.queue = [sitter for sitter in self.queue if sitter.until_ms > now_ms]
        self.fill(now_ms)

    def remove(self, now_ms: int, seeker: bytes) -> None:
        self.holders = [sitter for sitter in self.holders if sitter.seeker != seeker]
        self.queue = [sitter for sitter in self.queue if sitter.seeker != seeker]
        self.fill(now_ms)

    def fill(self, now_ms: int) -> None:
        while self.queue and self.fits([holder.mode for holder in self.holders], self.queue[0].mode):
            sitter = self.queue.pop(0)
            sitter.until_ms = moment(now_ms, sitter.ttl_ms)
            self.holders.append(sitter)


class Watcher:
    """Knows holders and seekers from events alone."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.tokens: dict[tuple[str, bytes], int] = {}
        self.queue: list[tuple[str, bytes]] = []
        self.greatest = 0
        self.seen = 0

    def watch(self, events: list[tuple[str, SeatEvent]]) -> None:
        """See what is new; every event must make sense after those before it."""
        for topic, event in events[self.seen :]:
            who = event.name, event.seeker
            assert topic == f"{self.topic}/{event.name}"
            match event:
                case Granted(token=token):
                    assert token > self.greatest, "a token grows with every grant"
                    assert who not in self.tokens
                    self.greatest = self.tokens[who] = token
                    if who in self.queue:
                        self.queue.remove(who)
                case Ended(token=token):
                    assert self.tokens.pop(who) == token
                case Queued():
                    self.queue.append(who)
                case Left():
                    self.queue.remove(who)
        self.seen = len(events)


class SeatComparison(Comparison[S], Generic[S]):
    """What holds for terms, locks and semaphores; those add how to seek."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, Room] = {name: Room(self.fits) for name in ("north", "south")}
        self.watcher = Watcher(self.desk.machine.TOPIC)

    def fits(self, holders: list[Any], mode: Any) -> bool:
        """Whether one of ``mode`` may hold a name beside these."""
        raise NotImplementedError

    @property
    def kind(self) -> Any:
        """The class, for its commands."""
        return type(self.desk.machine)

    def expire(self) -> None:
        for room in self.rooms.values():
            room.expire(self.now_ms)

    def token_of(self, name: str, seeker: bytes) -> int:
        self.watcher.watch(self.desk.events)
        return self.watcher.tokens.get((name, seeker), 0)

    def compare(self, name: str, seeker: bytes, result: Grant | Place | None, expected: str) -> None:
        """The answer to a seeker says what became of it."""
        room = self.rooms[name]
        if result is None:
            assert expected == "nothing"
            return
        if isinstance(result, Grant):
            sitter = room.find(room.holders, seeker)
            assert expected == "holds"
            assert result.token == self.token_of(name, seeker)
        else:
            sitter = room.find(room.queue, seeker)
            assert expected == "waits"
            assert room.queue[result.position - 1] is sitter
        assert sitter is not None
        assert (result.now_ms, result.until_ms) == (self.now_ms, sitter.until_ms)

    @rule(name=names, seeker=parties, ttl_ms=durations)
    def renews(self, name: str, seeker: bytes, ttl_ms: int) -> None:
        token = self.token_of(name, seeker)
        sitter = self.rooms[name].find(self.rooms[name].holders, seeker)
        if sitter is None:
            self.desk.refused(NotHolder, self.kind.renew, name, seeker, token, ttl_ms)
            return
        sitter.until_ms, sitter.ttl_ms = max(sitter.until_ms, moment(self.now_ms, ttl_ms)), ttl_ms
        assert self.desk.do(self.kind.renew, name, seeker, token, ttl_ms) == Grant(token, self.now_ms, sitter.until_ms)

    @rule(name=names, seeker=parties)
    def resigns(self, name: str, seeker: bytes) -> None:
        token = self.token_of(name, seeker)
        if self.rooms[name].find(self.rooms[name].holders, seeker) is None:
            self.desk.refused(NotHolder, self.kind.resign, name, seeker, token)
            return
        self.desk.refused(NotHolder, self.kind.resign, name, seeker, token - 1)
        self.desk.do(self.kind.resign, name, seeker, token)
        self.rooms[name].remove(self.now_ms, seeker)

    @rule(name=names, seeker=parties)
    def withdraws(self, name: str, seeker: bytes) -> None:
        room = self.rooms[name]
        had = any(room.find(among, seeker) is not None for among in (room.holders, room.queue))
        assert self.desk.do(self.kind.withdraw, name, seeker) is had
        room.remove(self.now_ms, seeker)

    def holders(self, name: str) -> list[Seat]:
        """Who holds a name, as queries tell."""
        return list(self.desk.ask(self.kind.holders, name))

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for name, room in self.rooms.items():
            holders = {seat.seeker: seat.until_ms for seat in self.holders(name)}
            assert holders == {sitter.seeker: sitter.until_ms for sitter in room.holders}
            seekers = [(seat.seeker, seat.until_ms) for seat in self.desk.ask(self.kind.contenders, name)]
            assert seekers == [(sitter.seeker, sitter.until_ms) for sitter in room.queue]

    @invariant()
    def events_tell_everything(self) -> None:
        self.watcher.watch(self.desk.events)
        held = {(name, seat.seeker): seat.token for name in self.rooms for seat in self.holders(name)}
        assert self.watcher.tokens == held
        for name, room in self.rooms.items():
            assert [seeker for where, seeker in self.watcher.queue if where == name] == [
                sitter.seeker for sitter in room.queue
            ]

    @invariant()
    def names_that_nobody_uses_leave_no_trace(self) -> None:
        in_use = {name for name, room in self.rooms.items() if room.holders}
        machine = self.desk.machine
        assert set(machine.holders_by_name) == in_use
        assert set(machine.seekers_by_name) == {name for name, room in self.rooms.items() if room.queue}
        assert machine.due_count == sum(len(room.holders) + len(room.queue) for room in self.rooms.values())


def new_desk(kind: Callable[[], S]) -> Desk[S]:
    """A desk for one of the structures with seats."""
    return Desk(kind, SeatEvent)
