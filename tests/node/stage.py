"""Hosts on a stage: one virtual clock, disks and a network that do exactly what a test says, and nothing by chance.

The stage itself checks two rules at every step: nothing that speaks of the ledger leaves before it is durable, and a
disk has at most one sync under way.  A test that breaks either fails wherever it happens.
"""

import errno
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Generic, TypeVar

from paxon.codec.records import encode_record
from paxon.core.decree import FIRST_SLOT, Ballot, Decree, NodeId, Slot
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.ledger import Ledger, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.core.messages import HandOver, LastVote, NextBallot, Voted
from paxon.core.roster import Majority, Roster, Rosters
from paxon.core.timing import Timing
from paxon.errors import RequestError
from paxon.node.consistency import LINEARIZABLE, Consistency
from paxon.node.hold_back import NO_APPOINTMENTS, Appointments
from paxon.node.host import Host
from paxon.node.letters import PeerMessage
from paxon.node.ports import Timer
from paxon.node.proposals import Applied
from paxon.node.settings import Limits, SnapshotSettings
from paxon.node.status import Role
from paxon.rsm.applier import Applier
from paxon.rsm.machine import Context
from paxon.storage.snapshot_store import SnapshotStore
from tests.storage.disk import MemoryDirectory

T = TypeVar("T")

EPOCH_MS = 1_700_000_000_000
PATIENCE_MS = 60_000
"""Virtual time after which what a test waits for has not happened."""

STEPS_MAX = 200_000
"""Steps that one wait may take: a test that loops for ever must end."""


def m(number: int) -> NodeId:
    """A member."""
    return NodeId(number)


class Answer(Generic[T]):
    """A ``Reply`` that remembers, and does not take a second word for the first."""

    def __init__(self) -> None:
        self.result: T | None = None
        self.error: RequestError | None = None
        self.is_cancelled = False
        self._is_set = False

    def done(self) -> bool:
        return self._is_set or self.is_cancelled

    def set_result(self, result: T, /) -> None:
        assert not self.done(), "answered twice"
        self._is_set = True
        self.result = result

    def set_exception(self, error: Exception, /) -> None:
        assert not self.done(), "answered twice"
        assert isinstance(error, RequestError), error
        self._is_set = True
        self.error = error

    @property
    def value(self) -> T:
        """The result of a request that succeeded."""
        assert self.error is None, self.error
        assert self.result is not None, "no answer"
        return self.result

    def __repr__(self) -> str:
        return f"Answer({self.error or self.result!r})" if self._is_set else "Answer(open)"


class Journal:
    """A state machine that keeps every command it is given, and says how many came before.  It can be captured."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def apply(self, command: bytes, context: Context) -> bytes:
        if command.startswith(b"raise"):
            raise ValueError(command.decode())
        if command.startswith(b"exhaust"):
            raise MemoryError
        self.commands.append(command)
        return b"%d" % len(self.commands)

    def query(self, question: bytes) -> bytes:
        return b" ".join(self.commands)

    def capture(self) -> Generator[bytes, None, None]:
        return (piece for piece in [b"journal", *self.commands])

    def restore(self, pieces: Iterable[bytes]) -> None:
        _, *self.commands = pieces


class Event:
    """Something planned.  Satisfies ``Timer``."""

    def __init__(self, action: Callable[[], None], seat: "Seat | None", life: int) -> None:
        self._action: Callable[[], None] | None = action
        self._seat = seat
        self._life = life

    def cancel(self) -> None:
        self._action = None

    def happen(self) -> None:
        if self._action is not None and (self._seat is None or self._seat.life == self._life):
            self._action()


class StageClock:
    """Satisfies ``Clock``."""

    def __init__(self, stage: "Stage", seat: "Seat") -> None:
        self._stage = stage
        self._seat = seat
        self._random = Random(seat.number)

    def monotonic_ms(self) -> int:
        return self._stage.now_ms

    def wall_ms(self) -> int:
        return EPOCH_MS + self._stage.now_ms + self._seat.wall_ahead_ms

    def chance(self) -> int:
        return self._random.getrandbits(32)

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        return self._stage.plan(when_ms, callback, self._seat)

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._stage.plan(self._stage.now_ms, callback, self._seat)


class StageDisk:
    """Satisfies ``Disk``; outlives the lives of its member.  A crash keeps what a sync covered and nothing else."""

    def __init__(self, stage: "Stage", seat: "Seat") -> None:
        self._stage = stage
        self._seat = seat
        self.records: list[Record] = []
        self.durable_line = 0
        self.syncs = 0
        self.sync_ms = stage.sync_ms
        self.is_by_hand = False
        """Whether syncs end only when a test calls ``complete``."""
        self.first_slot = FIRST_SLOT
        """Decrees below are taken for gone."""
        self.trims: list[tuple[Slot, int, int]] = []
        self.error: int | None = None
        """What every sync fails with, while it is set."""
        self._under_way: tuple[int, Callable[[int], None], Callable[[OSError], None]] | None = None

    @property
    def is_syncing(self) -> bool:
        return self._under_way is not None

    @property
    def durable(self) -> list[Record]:
        return self.records[: self.durable_line]

    def append(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def sync(self, synced: Callable[[int], None], failed: Callable[[OSError], None]) -> None:
        assert self._under_way is None, "at most one sync is under way"
        self.syncs += 1
        self._under_way = (len(self.records), synced, failed)
        if not self.is_by_hand:
            self._stage.plan(self._stage.now_ms + self.sync_ms, self.complete, self._seat)

    def complete(self) -> None:
        """The sync under way ends: what was appended before it began is durable, or it fails."""
        assert self._under_way is not None, "no sync is under way"
        (line, synced, failed), self._under_way = self._under_way, None
        if self.error is not None:
            failed(OSError(self.error, os.strerror(self.error)))
        else:
            self.durable_line = line
            synced(line)

    def recall(self, from_slot: Slot, bytes_max: int, found: Callable[[tuple[Outcome, ...]], None]) -> None:
        self._stage.plan(self._stage.now_ms, lambda: found(self._outcomes(from_slot)), self._seat)

    def _outcomes(self, from_slot: Slot) -> tuple[Outcome, ...]:
        """What passed from ``from_slot`` on without a gap, if it was not trimmed."""
        latest: dict[Slot, Decree] = {}
        known: dict[Slot, Decree] = {}
        for record in self.durable:
            match record:
                case Vote(slot=slot, decree=decree):
                    latest[slot] = decree
                case Passed(slot=slot):
                    known[slot] = latest[slot]
                case Outcome(slot=slot, decree=decree):
                    known[slot] = decree
        taken: list[Outcome] = []
        while (slot := Slot(from_slot + len(taken))) in known and slot >= self.first_slot:
            taken.append(Outcome(slot, known[slot]))
        return tuple(taken)

    def trim(
        self,
        slot: Slot,
        stamp_ms: int,
        tail_bytes: int,
        trimmed: Callable[[None], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.trims.append((slot, stamp_ms, tail_bytes))
        self.first_slot = max(self.first_slot, slot)
        self._stage.plan(self._stage.now_ms, lambda: trimmed(None), self._seat)

    def work(self, task: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        def work() -> None:
            try:
                result = task()
            except Exception as error:
                failed(error)
            else:
                done(result)

        self._stage.plan(self._stage.now_ms, work, self._seat)

    @property
    def written_bytes(self) -> int:
        return sum(len(encode_record(record)[1]) for record in self.records)

    def crash(self) -> None:
        self._under_way = None
        del self.records[self.durable_line :]


class Sent:
    """One letter that a host handed to its transport."""

    def __init__(self, at_ms: int, sender: NodeId, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        self.at_ms = at_ms
        self.sender = sender
        self.to = to
        self.message = message
        self.urgent = urgent

    def __repr__(self) -> str:
        return f"{self.at_ms}: {self.sender} -> {self.to} {self.message}"


class StageTransport:
    """Satisfies ``Transport``."""

    def __init__(self, stage: "Stage", seat: "Seat") -> None:
        self._stage = stage
        self._seat = seat

    def send(self, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        assert to != self._seat.number, "letters to oneself stay inside"
        check_durable(message, self._seat.disk.durable)
        self._stage.post(Sent(self._stage.now_ms, self._seat.number, to, message, urgent))


def check_durable(message: PeerMessage, durable: Sequence[Record]) -> None:
    """*Durable before sent*, told from the letter and the disk alone."""
    match message:
        case Voted(ballot=ballot, slot=slot):
            kept = any(isinstance(one, Vote) and one.slot == slot and one.ballot == ballot for one in durable)
        case LastVote(ballot=ballot, votes=votes):
            kept = any(isinstance(one, PromisedBallot | Vote) and one.ballot >= ballot for one in durable)
            kept = kept and all(vote in durable for vote in votes)
        case NextBallot(ballot=ballot):
            kept = TriedBallot(ballot) in durable
        case _:
            return
    assert kept, f"{message} was sent before it was durable"


class Seat:
    """One member: what stays, and the host of its present life, if it lives."""

    def __init__(self, stage: "Stage", number: NodeId) -> None:
        self.stage = stage
        self.number = number
        self.life = 0
        self.disk = StageDisk(stage, self)
        self.machine = Journal()
        self.directory = MemoryDirectory()
        self.findings: list[str] = []
        """What was found damaged among the snapshots."""
        self.fatal: list[Exception] = []
        self.leaders: list[Ballot | None] = []
        self.wall_ahead_ms = 0
        """How far the wall clock has come away from the monotonic one, as when that stands still."""
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        assert self._host is not None, "the member is down"
        return self._host

    @property
    def is_alive(self) -> bool:
        return self._host is not None

    def start(self) -> None:
        self.life += 1
        self.machine = Journal()
        ledger, applier = Ledger(), Applier(self.machine)
        for record in self.disk.records:
            ledger.write(record)
        store = None
        if self.stage.snapshots is not None:
            store = SnapshotStore(self.directory, self.findings.append)
            newest = store.find(FIRST_SLOT)
            if newest is not None:
                applier.restore(store.pieces(newest))
        for number in range(applier.applied_until, ledger.passed_until):
            applier.apply(Slot(number), ledger.outcomes[Slot(number)])
        self._host = Host(
            self.number,
            self.stage.rosters,
            ledger,
            applier,
            StageClock(self.stage, self),
            self.disk,
            StageTransport(self.stage, self),
            self.stage.limits,
            self.stage.timing,
            boot=1000 * self.number + self.life,
            fatal=self.fatal.append,
            leader_changed=self.leaders.append,
            terms=self.stage.terms,
            forgotten_lease_ms=0 if self.life == 1 else self.stage.terms.duration_ms,
            store=store,
            snapshots=self.stage.snapshots,
            appointments=self.stage.appointed(self.machine),
        )
        self._host.start()

    def crash(self) -> None:
        self._host = None
        self.life += 1
        self.disk.crash()
        self.directory = self.directory.crash()

    def submit(self, command: bytes, timeout_ms: int = 5_000) -> Answer[Applied]:
        answer: Answer[Applied] = Answer()
        self.host.submit(command, answer, timeout_ms)
        return answer

    def read(self, timeout_ms: int = 5_000, consistency: Consistency = LINEARIZABLE) -> Answer[int]:
        answer: Answer[int] = Answer()
        self.host.read(answer, timeout_ms, consistency)
        return answer

    @property
    def sent(self) -> list[Sent]:
        """What this member has sent so far."""
        return [sent for sent in self.stage.sent if sent.sender == self.number]


class Stage:
    """Members around one clock.  ``members`` vote; of these, ``present`` have a host, all unless told otherwise."""

    def __init__(
        self,
        members: int = 3,
        *,
        present: Iterable[int] | None = None,
        limits: Limits | None = None,
        timing: Timing | None = None,
        terms: LeaseTerms = NO_LEASE,
        latency_ms: int = 1,
        sync_ms: int = 0,
        snapshots: SnapshotSettings | None = None,
        appointed: Callable[[Journal], Appointments] = lambda machine: NO_APPOINTMENTS,
    ) -> None:
        """Snapshots are taken if ``snapshots`` says when."""
        self.snapshots = snapshots
        self.rosters = Rosters(Roster(Majority(tuple(m(number) for number in range(1, members + 1)))))
        self.limits = limits or Limits()
        self.timing = timing or Timing()
        self.terms = terms
        self.latency_ms = latency_ms
        self.sync_ms = sync_ms
        self.appointed = appointed
        """Whom the answers of a member wait for, as its machine has it."""
        self.now_ms = 0
        self.sent: list[Sent] = []
        self.is_lost: Callable[[Sent], bool] = lambda sent: False
        """Whether a letter never arrives."""
        self._heap: list[tuple[int, int, Event]] = []
        self._planned = 0
        self.seats = {m(number): Seat(self, m(number)) for number in present or range(1, members + 1)}
        for seat in self.seats.values():
            seat.start()

    def __getitem__(self, number: int) -> Seat:
        return self.seats[m(number)]

    # --- time ---

    def plan(self, when_ms: int, action: Callable[[], None], seat: Seat | None) -> Event:
        event = Event(action, seat, 0 if seat is None else seat.life)
        self._planned += 1
        heappush(self._heap, (max(when_ms, self.now_ms), self._planned, event))
        return event

    def run_for(self, ms: int) -> None:
        """Let ``ms`` pass; with 0, everything that is due at once."""
        end_ms = self.now_ms + ms
        for _ in range(STEPS_MAX):
            if not self._heap or self._heap[0][0] > end_ms:
                self.now_ms = end_ms
                return
            self._step()
        raise AssertionError("this goes on for ever")

    def run_until(self, holds: Callable[[], object], patience_ms: int = PATIENCE_MS) -> None:
        """Let time pass until ``holds``."""
        end_ms = self.now_ms + patience_ms
        for _ in range(STEPS_MAX):
            if holds():
                return
            assert self._heap, "nothing will ever happen again"
            assert self._heap[0][0] <= end_ms, "what was waited for did not happen"
            self._step()
        raise AssertionError("this goes on for ever")

    def _step(self) -> None:
        self.now_ms, _, event = heappop(self._heap)
        event.happen()

    # --- letters ---

    def post(self, sent: Sent) -> None:
        self.sent.append(sent)
        if not self.is_lost(sent):
            self.plan(self.now_ms + self.latency_ms, lambda: self._deliver(sent), None)

    def _deliver(self, sent: Sent) -> None:
        seat = self.seats.get(sent.to)
        if seat is not None and seat.is_alive:
            seat.host.receive(sent.sender, sent.message)

    def of(self, *kinds: type) -> list[Sent]:
        """Letters of these kinds, in the order they were sent."""
        return [sent for sent in self.sent if isinstance(sent.message, kinds)]

    def isolate(self, *numbers: int) -> None:
        """Nothing reaches these members or comes from them; everybody else is connected."""
        away = set(numbers)
        self.is_lost = lambda sent: sent.sender in away or sent.to in away

    def heal(self) -> None:
        self.is_lost = lambda sent: False

    # --- leadership ---

    def stand(self, number: int) -> None:
        """Make a member start a ballot, as its president's request to take over would."""
        host = self[number].host
        promised = host.legislator.ledger.next_ballot
        asker = promised.owner if promised.owner not in (0, number) else m(1 if number != 1 else 2)
        round_ = promised.round if promised.owner <= asker else promised.round + 1
        host.receive(asker, HandOver(Ballot(round_, asker), host.legislator.ledger.passed_until))

    def elect(self, number: int) -> Ballot:
        """Make a member the leader, known to every other that lives; returns its ballot."""
        self.stand(number)
        seat = self[number]
        self.run_until(lambda: seat.host.role is Role.LEADER)
        ballot = seat.host.leader
        assert ballot is not None
        self.run_until(lambda: all(one.host.leader == ballot for one in self.seats.values() if one.is_alive))
        return ballot

    @property
    def leader(self) -> Seat | None:
        """The member that leads in the highest ballot."""
        led = [seat for seat in self.seats.values() if seat.is_alive and seat.host.role is Role.LEADER]
        return max(led, key=lambda seat: seat.host.leader or Ballot(0, m(0)), default=None)


FULL, BROKEN = errno.ENOSPC, errno.EIO
