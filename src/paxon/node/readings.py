"""Reads on their way: one barrier for everyone who waits, here or through the leader, and waits for a slot.

A barrier yields a slot; whoever has applied everything below it may read its own state.
Asking twice is harmless, so what goes unanswered is simply asked again until its deadline.
"""

from collections.abc import Callable

from msgspec import Struct

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.errors import Behind, NotLeader, RequestError
from paxon.node.letters import AskReading, PeerMessage, ReadingAt
from paxon.node.ports import Reply


class _Reader(Struct):
    reply: Reply[int]
    deadline_ms: int
    slot: Slot | None = None
    """What it wants to see applied, if that is all it wants."""

    def late(self) -> RequestError:
        """What it is told at its deadline."""
        if self.slot is not None:
            return Behind(f"this member has not applied slot {self.slot}: ask another, or again later")
        return NotLeader("no leader confirmed the read before its deadline")


class _Due(Struct):
    """Readers that wait until every slot below ``passed_until`` is applied here."""

    passed_until: Slot
    readers: list[_Reader]
    asked_ms: int | None = None
    """When the barrier behind it was asked for, if there is one."""


class _Barrier(Struct):
    """One question put to one leader on behalf of ``readers``."""

    readers: list[_Reader]
    ballot: Ballot
    asked_ms: int


class Readings:
    """Readers here, and the barriers other members asked of us.

    Invariant: a reader is in exactly one of ``_waiting`` (no barrier yet), ``_barriers``
    (asked), ``_turned_down`` and ``_due`` (the slot is known, not yet applied).
    """

    def __init__(self, me: NodeId, boot: int, retransmit_ms: int, send: Callable[[NodeId, PeerMessage], None]) -> None:
        self._me = me
        self._boot = boot
        self._retransmit_ms = retransmit_ms
        self._send = send
        self._next_number = 0
        self._waiting: list[_Reader] = []
        self._turned_down: list[_Reader] = []
        """Told to ask again: they do at the next tick, when we may have heard of another leader."""
        self._barriers: dict[int, _Barrier] = {}
        self._due: list[_Due] = []
        self._foreign: dict[int, tuple[NodeId, int, int]] = {}
        """Tokens of other members' barriers: who, its boot, its number."""
        self.fresh_ms: int | None = None
        """Our state reflects everything that was acknowledged before this moment of our monotonic clock, or later:
        when the latest barrier whose slots we have applied was asked for."""

    def __len__(self) -> int:
        barriers = sum(len(barrier.readers) for barrier in self._barriers.values())
        return len(self._waiting) + len(self._turned_down) + barriers + sum(len(due.readers) for due in self._due)

    @property
    def are_waiting(self) -> bool:
        """Whether somebody's question is still to be put to a leader."""
        return bool(self._waiting)

    @property
    def foreign_barriers(self) -> int:
        """Barriers that other members asked for and our core has not answered yet."""
        return len(self._foreign)

    def add(self, reply: Reply[int], deadline_ms: int) -> None:
        """Somebody wants to read here, after a barrier."""
        self._waiting.append(_Reader(reply, deadline_ms))

    def add_for(self, slot: Slot, reply: Reply[int], deadline_ms: int) -> None:
        """Somebody wants to read here once ``slot`` is applied."""
        self._due.append(_Due(Slot(slot + 1), [_Reader(reply, deadline_ms, slot)]))

    def ask(self, presiding: Ballot | None, now_ms: int) -> list[int]:
        """Put the question for all who wait to the leader of ``presiding``; returns tokens for our own core."""
        if presiding is None or not self._waiting:
            return []
        number = self._next_number
        self._next_number += 1
        self._barriers[number] = _Barrier(self._waiting, presiding, now_ms)
        self._waiting = []
        if presiding.owner == self._me:
            return [number]
        self._send(presiding.owner, AskReading(self._boot, number))
        return []

    def on_asked(self, sender: NodeId, message: AskReading) -> int:
        """Another member asks us; returns the token for our core."""
        token = self._next_number
        self._next_number += 1
        self._foreign[token] = (sender, message.boot, message.number)
        return token

    def on_reading(self, token: int, passed_until: Slot | None) -> None:
        """Our core answers a token."""
        foreign = self._foreign.pop(token, None)
        if foreign is not None:
            member, boot, number = foreign
            self._send(member, ReadingAt(boot, number, passed_until))
        else:
            self._settle(token, passed_until)

    def on_reading_at(self, message: ReadingAt) -> None:
        """The leader answers a barrier of ours."""
        if message.boot == self._boot:
            self._settle(message.number, message.passed_until)

    def serve(self, applied_until: Slot) -> None:
        """Let everyone read whose slot is applied."""
        if not self._due:
            return
        due, self._due = self._due, []
        for one in due:
            if one.passed_until > applied_until:
                self._due.append(one)
                continue
            if one.asked_ms is not None:
                self.fresh_ms = one.asked_ms if self.fresh_ms is None else max(self.fresh_ms, one.asked_ms)
            for reader in one.readers:
                if not reader.reply.done():
                    reader.reply.set_result(applied_until)

    def on_tick(self, presiding: Ballot | None, now_ms: int) -> None:
        """Ask again what was lost or put to a leader that is gone; refuse what is past its deadline."""
        if not self:
            return
        for number, barrier in list(self._barriers.items()):
            is_late = barrier.ballot.owner != self._me and now_ms - barrier.asked_ms >= self._retransmit_ms
            if is_late or barrier.ballot != presiding:
                # The answer to the old number, should it still come, finds nobody: no harm.
                del self._barriers[number]
                self._waiting.extend(barrier.readers)
        self._waiting = self._in_time(self._waiting + self._turned_down, now_ms)
        self._turned_down = []
        for barrier in self._barriers.values():
            barrier.readers = self._in_time(barrier.readers, now_ms)
        for due in self._due:
            due.readers = self._in_time(due.readers, now_ms)
        self._due = [due for due in self._due if due.readers]

    def refuse_all(self, error: Exception) -> None:
        """Nobody will be served any more."""
        barriers = (barrier.readers for barrier in self._barriers.values())
        for readers in [self._waiting, self._turned_down, *barriers, *(due.readers for due in self._due)]:
            for reader in readers:
                if not reader.reply.done():
                    reader.reply.set_exception(error)
        self._waiting, self._turned_down, self._barriers, self._due = [], [], {}, []

    def _settle(self, number: int, passed_until: Slot | None) -> None:
        barrier = self._barriers.pop(number, None)
        if barrier is None:
            return
        if passed_until is None:
            self._turned_down.extend(barrier.readers)
        else:
            self._due.append(_Due(passed_until, barrier.readers, barrier.asked_ms))

    @staticmethod
    def _in_time(readers: list[_Reader], now_ms: int) -> list[_Reader]:
        kept = []
        for reader in readers:
            if reader.reply.done():
                continue
            if reader.deadline_ms <= now_ms:
                reader.reply.set_exception(reader.late())
            else:
                kept.append(reader)
        return kept
