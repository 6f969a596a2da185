"""A plain model of queues of work: one list for each kind of item, sorted anew at every claim."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections.refusals import NoSuchLetter, NotClaimed
from paxon.collections.values import Binary, Value
from paxon.collections.work import Claim, Died, Done, Letter, Ready, Removed, Sizes, Work
from tests.collections.desk import Comparison, durations, moment, names, parties

W = TypeVar("W", bound=Work)

bodies = st.one_of(st.integers(0, 9), st.text(max_size=3), st.builds(Binary, st.binary(max_size=3)), st.none())


@dataclass
class Job:
    """One item."""

    number: int
    body: Value
    priority: int
    attempts_max: int
    attempts: int = 0
    token: int = 0
    until_ms: int = 0


@dataclass
class Pile:
    """One queue."""

    ready: list[Job] = field(default_factory=list)
    claimed: list[Job] = field(default_factory=list)
    dead: list[Job] = field(default_factory=list)

    def give_back(self, job: Job) -> None:
        self.claimed.remove(job)
        (self.dead if job.attempts_max and job.attempts >= job.attempts_max else self.ready).append(job)


class WorkComparison(Comparison[W], Generic[W]):
    """What holds for queues of both kinds; those add how to put."""

    def __init__(self) -> None:
        super().__init__()
        self.piles = {"north": Pile(), "south": Pile()}
        self.greatest_token = 0
        self.last_number = 0

    @property
    def kind(self) -> Any:
        """The class, for its commands."""
        return type(self.desk.machine)

    def expire(self) -> None:
        for pile in self.piles.values():
            for job in [job for job in pile.claimed if job.until_ms <= self.now_ms]:
                pile.give_back(job)

    def put_in(self, name: str, number: int, body: Value, priority: int, attempts_max: int) -> None:
        """Have in the model what was put."""
        assert number > self.last_number
        self.last_number = number
        self.piles[name].ready.append(Job(number, body, priority, attempts_max))

    @rule(name=names, claimant=parties, lease_ms=durations)
    def claims(self, name: str, claimant: bytes, lease_ms: int) -> None:
        pile = self.piles[name]
        claim = self.desk.do(self.kind.claim, name, claimant, lease_ms)
        if not pile.ready:
            assert claim is None
            return
        job = min(pile.ready, key=lambda job: (job.priority, job.number))
        pile.ready.remove(job)
        pile.claimed.append(job)
        job.attempts += 1
        job.until_ms = moment(self.now_ms, lease_ms)
        assert claim.token > self.greatest_token
        self.greatest_token = job.token = claim.token
        assert claim == Claim(job.number, job.body, job.priority, job.token, job.attempts, self.now_ms, job.until_ms)

    @rule(name=names, which=st.integers(0, 9), how=st.sampled_from(["ack", "release", "extend"]), lease_ms=durations)
    def goes_on_with_a_claim(self, name: str, which: int, how: str, lease_ms: int) -> None:
        pile = self.piles[name]
        if not pile.claimed:
            return
        job = pile.claimed[which % len(pile.claimed)]
        self.desk.refused(NotClaimed, self.kind.ack, name, job.number, job.token - 1)
        if how == "extend":
            job.until_ms = max(job.until_ms, moment(self.now_ms, lease_ms))
            assert self.desk.do(self.kind.extend, name, job.number, job.token, lease_ms) == job.until_ms
        elif how == "ack":
            self.desk.do(self.kind.ack, name, job.number, job.token)
            pile.claimed.remove(job)
        else:
            self.desk.do(self.kind.release, name, job.number, job.token)
            pile.give_back(job)

    @rule(name=names, which=st.integers(0, 9))
    def insists_on_a_claim_that_ended(self, name: str, which: int) -> None:
        jobs = [job for job in (*self.piles[name].ready, *self.piles[name].dead) if job.attempts]
        if jobs:
            job = jobs[which % len(jobs)]
            for method in (self.kind.ack, self.kind.release):
                self.desk.refused(NotClaimed, method, name, job.number, job.token)
            self.desk.refused(NotClaimed, self.kind.extend, name, job.number, job.token, 10)

    @rule(name=names, which=st.integers(0, 9), revive=st.booleans())
    def looks_after_the_dead(self, name: str, which: int, revive: bool) -> None:
        pile = self.piles[name]
        method = self.kind.revive if revive else self.kind.discard
        if not pile.dead:
            self.desk.refused(NoSuchLetter, method, name, which)
            return
        job = pile.dead.pop(which % len(pile.dead))
        self.desk.do(method, name, job.number)
        if revive:
            job.attempts = 0
            pile.ready.append(job)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        for name, pile in self.piles.items():
            sizes = Sizes(len(pile.ready), len(pile.claimed), len(pile.dead))
            assert self.desk.ask(self.kind.size, name) == sizes
            letters = [
                Letter(job.number, job.body, job.priority, job.attempts)
                for job in sorted(pile.dead, key=lambda job: job.number)
            ]
            assert list(self.desk.ask(self.kind.dead_letters, name)) == letters

    @invariant()
    def events_tell_everything(self) -> None:
        """Whoever saw them all knows which items can be claimed or are claimed, and which are dead."""
        alive: dict[str, set[int]] = {"north": set(), "south": set()}
        dead: dict[str, set[int]] = {"north": set(), "south": set()}
        for topic, event in self.desk.events:
            assert topic == f"{self.desk.machine.TOPIC}/{event.name}"
            match event:
                case Ready():
                    alive[event.name].add(event.number)
                    dead[event.name].discard(event.number)
                case Done():
                    alive[event.name].remove(event.number)
                case Died():
                    alive[event.name].remove(event.number)
                    dead[event.name].add(event.number)
                case Removed():
                    dead[event.name].remove(event.number)
        for name, pile in self.piles.items():
            assert alive[name] == {job.number for job in (*pile.ready, *pile.claimed)}
            assert dead[name] == {job.number for job in pile.dead}

    @invariant()
    def what_is_gone_leaves_no_trace(self) -> None:
        machine, piles = self.desk.machine, self.piles.items()
        ready = {name: len(pile.ready) for name, pile in piles if pile.ready}
        assert {name: len(heap) for name, heap in machine.ready_by_name.items()} == ready
        assert set(machine.items) == {name for name, pile in piles if pile.ready or pile.claimed}
        assert set(machine.claims) == {name for name, pile in piles if pile.claimed}
        assert set(machine.dead) == {name for name, pile in piles if pile.dead}
        assert machine.count == sum(len(pile.ready) + len(pile.claimed) + len(pile.dead) for _, pile in piles)
        assert machine.due_count == sum(len(pile.claimed) for _, pile in piles)
