"""Watches everything and believes nobody: the appendix's invariants, the state machines, and what clients were told.

Knows: every record, letter, application and answer, in the order they happened.  Changes
nothing.  ``core.invariants`` judges ballots; this module tells it what became durable, and
judges what users see: one sequence of commands, each acknowledged one in it once, no refused
one, and no read that misses what came before it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import get_args

from msgspec import Struct

from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.core.invariants import History
from paxon.core.ledger import Jumped, Ledger, Outcome, Passed, PromisedBallot, Record, Vote
from paxon.core.messages import Presence
from paxon.core.roster import Rosters
from paxon.core.slip import Polling, Slip, Trying
from paxon.errors import SnapshotUnusable, check
from paxon.net.handshake import LocalIdentity, Standing
from paxon.node.letters import HostMessage, PeerMessage
from paxon.rsm.machine import Context
from paxon.sim.agenda import Life
from paxon.sim.machine import ComparedMachine, Raised, Result, result_of
from paxon.storage.directory import Directory
from paxon.storage.snapshot_file import SnapshotReader, snapshot_name, snapshot_slots

HOST_MESSAGES = frozenset(get_args(HostMessage))
"""Looked up for every letter: ``isinstance`` with a union takes ten times as long."""

CLUSTER = "sim"
"""What the simulated cluster is called."""


class Book:
    """What the oracle knows of one member's disk and of what its present life did with it."""

    def __init__(self) -> None:
        self.durable = Ledger()
        """What a crash right now would leave, at the least."""
        self.written: list[Record] = []
        """Every record in the file or on its way to it."""
        self.life = 0
        self.applied = 0
        # What was already looked at of the slip, so that each thing is looked at once.
        self.slip_ballot: Ballot = NO_BALLOT
        self.promises_seen = 0
        self.is_poll_seen = False
        self.voters_seen: dict[Slot, int] = {}


class Expected(Struct):
    """One command of the one sequence."""

    slot: Slot
    command: bytes
    now_ms: int
    result: Result
    digest: bytes


class Parting(Struct, frozen=True):
    """Where a member's machine went another way than the one that shows what is expected."""

    member: NodeId
    number: int
    """How many commands came before."""
    result: Result
    digest: bytes


class Oracle:
    """Every method raises ``InvariantViolation`` when what it is told should not be."""

    def __init__(self, rosters: Rosters, members: Sequence[NodeId], machine: ComparedMachine) -> None:
        """``machine`` is one that no member has: it shows what the others should come to."""
        self.history = History(rosters)
        self.books = {member: Book() for member in members}
        self._durable = {member: book.durable for member, book in self.books.items()}
        self._machine = machine
        self._first_digest = machine.digest
        self._now_ms = 0
        self.sequence: list[Expected] = []
        """The one sequence of commands, as far as it passed."""
        self.parting: Parting | None = None
        """The first machine that went astray, if one did."""
        self._sequence_until: list[int] = [0]
        """How many commands are in the slots up to each, by slot."""
        self._submitted: dict[bytes, Slot] = {}
        """Commands and the highest slot acknowledged when they were submitted."""
        self._slots: dict[bytes, Slot] = {}
        self._refused: set[bytes] = set()
        self.acknowledged: dict[bytes, Slot] = {}
        self._acknowledged_until = Slot(0)
        self._read_until = Slot(0)
        self._storages: dict[tuple[NodeId, NodeId], str] = {}
        """Whom each member welcomed, by both numbers."""
        self._met: dict[tuple[Life, NodeId], Standing] = {}
        """Which start and process of a member each process welcomed last."""
        self._told: dict[tuple[Life, NodeId], int] = {}
        """How far a member's ledger was durable, as a process acted on it."""

    # --- links ---

    def welcomed(self, by: Life, cluster: str, member: NodeId, storage: str, standing: Standing) -> None:
        """A process takes messages from a member that came with ``storage`` and ``standing``."""
        check(cluster == CLUSTER, f"member {by.member} takes nothing from cluster {cluster}")
        first = self._storages.setdefault((by.member, member), storage)
        check(first == storage, f"member {by.member} knows member {member} with one storage for ever")
        met = self._met.get((by, member), standing)
        check(
            standing.boot > met.boot or (standing.boot, standing.life) == (met.boot, met.life),
            f"member {by.member} takes nothing from a second process on a copy of member {member}'s directory",
        )
        self._met[by, member] = standing
        told = self._told.get((by, member), 0)
        check(
            standing.line >= told,
            f"invariant 14: member {by.member} was told of line {told} of member {member}, "
            f"and takes nothing from it when it has {standing.line}",
        )

    def crosses(self, sender: LocalIdentity, to: NodeId, welcomed_by: LocalIdentity) -> None:
        """A letter for ``to`` goes to the process that welcomed its sender there."""
        if welcomed_by.node != to or welcomed_by.cluster != sender.cluster:
            reached = f"{welcomed_by.member} of cluster {welcomed_by.cluster}"
            check(False, f"N9: a letter of {sender.member} for member {to} does not reach {reached}")

    def delivered(self, to: Life, sender: NodeId, message: PeerMessage) -> None:
        """A process acts on a letter."""
        lines: tuple[tuple[NodeId, int], ...] = ((sender, getattr(message, "line", 0)),)
        if isinstance(message, Presence):
            lines = message.lines
        told = self._told
        for member, line in lines:
            if line > told.get((to, member), 0):
                told[to, member] = line

    # --- disks ---

    def starts(self, member: NodeId, life: int) -> None:
        """A new process of a member begins: its machine is as yet that of nobody."""
        book = self.books[member]
        book.life, book.applied, book.slip_ballot = life, 0, NO_BALLOT

    def reads_back(self, member: NodeId, line: int, record: Record) -> None:
        """A new process of a member finds ``record`` in line ``line`` of its ledger."""
        if self.books[member].written[line - 1 : line] != [record]:
            check(False, f"member {member} reads back the records it wrote, in order")

    def replayed(self, member: NodeId, ledger: Ledger) -> None:
        """A member has read ``ledger`` back: all that was durable, and maybe some of what was not.

        The ledger may have begun at a snapshot; it binds the member all the same as if it had all its records.
        """
        book = self.books[member]
        check(ledger.line >= book.durable.line, f"member {member} reads back every record it knew to be durable")
        del book.written[ledger.line :]
        self.synced(member, ledger.line)
        durable = book.durable
        check(
            (ledger.next_ballot, ledger.last_tried) == (durable.next_ballot, durable.last_tried),
            f"I7: member {member} remembers every promise and every ballot that it tried",
        )
        check(ledger.votes == durable.votes, f"I7: member {member} remembers every vote in slots that have not passed")
        check(
            (ledger.passed_until, ledger.passed_ahead()) == (durable.passed_until, durable.passed_ahead()),
            f"member {member} remembers what it knew to have passed",
        )
        check(ledger.stamp_ms >= self._stamp_ms(durable), f"member {member} remembers the latest stamp that passed")
        self.history.restarted(member, ledger)

    @staticmethod
    def _stamp_ms(ledger: Ledger) -> int:
        return max((decree.stamp_ms for decree in ledger.outcomes.values()), default=0)

    def trimmed(self, member: NodeId, first_slot: Slot, durable: Directory) -> None:
        """A member let go of the decrees below ``first_slot``: a snapshot that is ``durable`` holds what they did."""
        for slot in snapshot_slots(durable.names()):
            with suppress(SnapshotUnusable):
                SnapshotReader(durable, snapshot_name(slot)).verify(slot)
                if slot >= first_slot:
                    return
        check(False, f"member {member} lets go of decrees below {first_slot}, which are in no durable snapshot")

    def restored(self, member: NodeId, applied_until: Slot, digest: bytes) -> None:
        """A member has a snapshot of all slots below ``applied_until`` in place of its state."""
        check(applied_until <= self.history.passed_until, f"member {member} has a snapshot only of what passed")
        applied = self._sequence_until[applied_until - 1]
        expected = self.sequence[applied - 1].digest if applied else self._first_digest
        check(
            digest == expected, f"member {member} has from a snapshot the state that everybody has at {applied_until}"
        )
        self.books[member].applied = applied

    def wrote(self, member: NodeId, records: Sequence[Record]) -> None:
        """Records went to the file, not yet durable."""
        book = self.books[member]
        for record in records:
            book.written.append(record)
            match record:
                case Outcome(slot=slot, decree=decree):
                    self.history.outcome(member, slot, decree)
                case Passed(slot=slot, ballot=ballot):
                    conducted = self.history.ballots.get(slot, {}).get(ballot)
                    if conducted is None:
                        check(False, f"I1: a vote that passed in slot {slot} was cast in a real ballot")
                    else:
                        self.history.outcome(member, slot, conducted.decree)
                case Jumped(slot=slot):
                    check(
                        slot <= self.history.passed_until,
                        f"I1: everything below {slot} passed, as member {member} has it",
                    )
                case Vote() | PromisedBallot():
                    pass
                case _:
                    check(record.ballot.owner == member, f"I2: member {member} tries only its own ballots")

    def synced(self, member: NodeId, line: int) -> None:
        """Everything through ``line`` is durable."""
        book = self.books[member]
        check(line <= len(book.written), f"member {member} has no more durable than it wrote")
        for record in book.written[book.durable.line : line]:
            book.durable.write(record)
            if isinstance(record, Vote):
                self.history.vote(member, record)
        self._extend()

    # --- letters and slips ---

    def sent(self, sender: NodeId, message: PeerMessage) -> None:
        """A letter left a member."""
        if type(message) not in HOST_MESSAGES:
            book = self.books[sender]
            self.history.letter(sender, book.life, message, book.durable)  # type: ignore[arg-type]

    def heard(self, frames: Sequence[tuple[int, bytes]], sent: Sequence[tuple[int, bytes]]) -> None:
        """From a stream that was damaged a member read ``frames``; ``sent`` is what was put into it."""
        for frame in frames:
            check(frame in sent, "a damaged letter is noticed by its checksum and never read")

    def stepped(self, member: NodeId, slip: Slip, line: int, applied_until: Slot) -> None:
        """Something happened at ``member``: its records, its applications, and I2, I4 and I5 for its slip.

        This is asked after every event, so it compares before it speaks: a sentence that is built
        only to be thrown away costs more than what it is about.
        """
        book = self.books[member]
        if line != len(book.written):
            check(False, f"member {member} appends every record that its ledger has")
        if applied_until > self.history.passed_until or book.applied != self._sequence_until[applied_until - 1]:
            self._misapplied(member, applied_until)
        if slip is not None:
            self._stepped_conducting(member, book, slip)

    def _stepped_conducting(self, member: NodeId, book: Book, slip: Trying | Polling) -> None:
        history = self.history
        if slip.ballot != book.slip_ballot:
            check(slip.ballot.owner == member, f"I2: member {member} tries only its own ballots")
            book.slip_ballot, book.promises_seen, book.is_poll_seen, book.voters_seen = slip.ballot, 0, False, {}
        if isinstance(slip, Trying):
            if len(slip.promises) != book.promises_seen:
                book.promises_seen = len(slip.promises)
                for responder, message in slip.promises.items():
                    history.trying(slip.ballot, responder, message, self._durable)
            return
        self._stepped_polling(member, book, slip)

    def _stepped_polling(self, member: NodeId, book: Book, slip: Polling) -> None:
        history = self.history
        if not book.is_poll_seen:
            book.is_poll_seen = True
            for responder in sorted(slip.promised):
                check(
                    self._durable[responder].next_ballot >= slip.ballot,
                    f"I4: member {responder} promised the ballot that it is counted for",
                )
            history.life(member, book.life, slip.ballot)
            history.poll(slip.ballot, slip.promised)
        for slot, open_ in slip.open.items():
            voters = len(open_.voters)
            if book.voters_seen.get(slot, -1) != voters:
                book.voters_seen[slot] = voters
                history.polling(slot, slip.ballot, open_.decree, open_.voters)

    def leading(self, holders: Sequence[NodeId]) -> None:
        """At one true time ``holders`` would answer reads from their own state, each by its own clock."""
        check(len(holders) <= 1, f"invariant 12: at most one member leads by lease at a time, and not {list(holders)}")

    # --- the machines ---

    def applied(self, member: NodeId, command: bytes, context: Context, result: Result, digest: bytes) -> None:
        """A member applied the next command of the one sequence."""
        book = self.books[member]
        if book.applied >= len(self.sequence):
            check(False, f"member {member} applies only what passed")
        expected = self.sequence[book.applied]
        if (command, context.slot, context.now_ms) != (expected.command, expected.slot, expected.now_ms):
            check(False, f"member {member} applies what passed in slot {expected.slot}, in order and once")
        if (result, digest) != (expected.result, expected.digest):
            self.parting = self.parting or Parting(member, book.applied, result, digest)
            check(False, f"member {member} has the state that everybody has after slot {expected.slot}")
        book.applied += 1

    def _misapplied(self, member: NodeId, slot: Slot) -> None:
        """A member says that it applied every slot below ``slot``, and that is not so."""
        check(slot <= self.history.passed_until, f"member {member} applied only passed slots")
        check(
            self.books[member].applied == self._sequence_until[slot - 1],
            f"member {member} applied every command below slot {slot} and none above",
        )

    def _extend(self) -> None:
        """Take the decrees that passed into the one sequence."""
        while len(self._sequence_until) < self.history.passed_until:
            slot = Slot(len(self._sequence_until))
            decree = self.history.passed[slot]
            # The decided time: stamps themselves may fall from slot to slot (core.invariants).
            self._now_ms = max(self._now_ms, decree.stamp_ms)
            context = Context(slot, self._now_ms)
            for command in decree.commands:
                self._passed(slot, command)
                result = result_of(self._machine, command, context)
                self.sequence.append(Expected(slot, command, self._now_ms, result, self._machine.digest))
            self._sequence_until.append(len(self.sequence))

    def _passed(self, slot: Slot, command: bytes) -> None:
        floor = self._submitted.get(command)
        if floor is None or command in self._slots or command in self._refused or slot <= floor:
            where = f"(slot {slot}, {command[:40]!r})"
            check(floor is not None, f"S4: only what was proposed passes {where}")
            check(command not in self._slots, f"a command passes at most once {where}")
            check(command not in self._refused, f"a refused command does not pass {where}")
            check(False, f"S5: a command comes after all that were acknowledged before it began {where}")
        self._slots[command] = slot

    # --- clients ---

    def submitted(self, command: bytes) -> None:
        """A client submits a command that nobody submitted before."""
        self._submitted[command] = self._acknowledged_until

    def acknowledge(self, command: bytes, slot: Slot, result: Result) -> None:
        """A client is told what its command gave."""
        check(self._slots.get(command) == slot, f"what is acknowledged in slot {slot} is there ({command[:40]!r})")
        if command not in self.acknowledged:
            expected = next(
                expected
                for expected in self.sequence[self._sequence_until[slot - 1] : self._sequence_until[slot]]
                if expected.command == command
            )
            check(expected.result == result, f"the result of {command[:40]!r} is the one in slot {slot}")
        self.acknowledged[command] = slot
        self._acknowledged_until = max(self._acknowledged_until, slot)

    def failed(self, command: bytes, failure: Raised) -> None:
        """A client is told that the machine raised on its command, and what."""
        slot = self._slots.get(command)
        check(slot is not None, f"only a command that passed can fail in the machine ({command[:40]!r})")
        if slot is not None:
            self.acknowledge(command, slot, failure)

    def refused(self, command: bytes) -> None:
        """A client is told that its command was not applied, and never will be."""
        check(command not in self._slots, f"a refused command did not pass ({command[:40]!r})")
        self._refused.add(command)

    def read_floor(self) -> Slot:
        """A linearizable read that begins now must have applied this slot: all that was acknowledged or read before."""
        return max(self._acknowledged_until, self._read_until)

    def read(self, member: NodeId, floor: Slot, applied_until: Slot) -> None:
        """A read that must see slot ``floor`` was answered from the state below ``applied_until``."""
        check(
            applied_until > floor,
            f"a read at member {member} sees slot {floor}, as it promises, and not only {applied_until - 1}",
        )
        check(
            self.books[member].applied >= self._sequence_until[applied_until - 1],
            f"a read at member {member} is answered from a state that has come as far as it says",
        )
        self._read_until = max(self._read_until, Slot(applied_until - 1))
