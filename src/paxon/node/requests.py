"""Every request a member has taken in and not yet answered, its own and those of other members.

Knows: which requests wait for a slot, for a leader, for an answer, and what becomes of each
when a slot passes or a leader changes.  Does not know: the disk, the core, or when anything
is due; the host drives it.
"""

from collections.abc import Iterable

from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.errors import DiskFull, NotLeader, OutcomeUnknown, RequestError, Stopping
from paxon.node.consistency import AtLeast, Consistency
from paxon.node.forwarding import Incoming, Outgoing, Relay, Send
from paxon.node.hold_back import Appointments, Area, HoldBack
from paxon.node.letters import Answers, AskReading, Forward, HostMessage, Known, ReadingAt, Refusals
from paxon.node.ports import Clock, Reply
from paxon.node.proposals import NO_DEADLINE_MS, Applied, Batch, Pending, Proposals
from paxon.node.readings import Readings
from paxon.node.settings import Limits
from paxon.rsm.attempt import Result

DEPOSED_RETRANSMITS = 8
"""How many retransmission times a leader that was deposed waits to learn what became of others' commands.  Their
origins wait for two after they heard of its successor."""


class Requests:
    """Commands and reads on their way."""

    def __init__(
        self,
        me: NodeId,
        limits: Limits,
        retransmit_ms: int,
        boot: int,
        earlier_lives: Ballot,
        clock: Clock,
        send: Send,
        appointments: Appointments,
    ) -> None:
        self._me = me
        self._limits = limits
        self._retransmit_ms = retransmit_ms
        self._clock = clock
        self._send = send
        self._hold_back = HoldBack(me, appointments)
        self._is_known_due = False
        """Whether the others are to be told how far we have applied."""
        self._proposals = Proposals(limits, self._hold_back.tell_applied)
        self._outgoing = Outgoing(boot, retransmit_ms, send, limits.decree_bytes_max)
        self._incoming = Incoming(earlier_lives, send)
        self._readings = Readings(me, boot, retransmit_ms, send)
        self._is_stopping = False
        self.is_disk_full = False
        """Whether a leader here must refuse writes."""
        self._refused: list[Pending] = []
        """Sent back by the very leader that we know: they wait for another one, or for the next tick."""
        self._leader: Ballot | None = None
        self._led_since_ms = 0
        """When we came to know ``_leader``."""

    def __len__(self) -> int:
        under_way = len(self._proposals) + len(self._outgoing) + len(self._refused)
        return under_way + len(self._readings) + len(self._hold_back)

    @property
    def queue_lengths(self) -> dict[str, int]:
        """How much waits where."""
        return {
            "commands": len(self._proposals),
            "decrees of ours": self._proposals.open_batches,
            "forwarded commands": len(self._outgoing),
            "forwarded bytes": self._outgoing.bytes,
            "refused commands": len(self._refused),
            "reads": len(self._readings),
            "reads of others": self._readings.foreign_barriers,
            "answers held back": len(self._hold_back),
        }

    # --- taking in ---

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """Take in a command of this member's own callers.

        Raises:
            RequestError: if it is refused at once.
        """
        if self._is_stopping:
            raise Stopping("this member is shutting down: ask another")
        if self._leader is not None and self._leader.owner == self._me:
            self._require_room()
        self._proposals.admit(command, len(self._outgoing) + len(self._hold_back), self._outgoing.bytes)
        self._proposals.add(Pending(command, reply, self._clock.monotonic_ms() + timeout_ms))

    def read(self, reply: Reply[int], timeout_ms: int, consistency: Consistency) -> None:
        """Take in a read of this member's own callers that has to wait for something.

        Raises:
            RequestError: if it is refused at once.
        """
        if self._is_stopping:
            raise Stopping("this member is shutting down: ask another")
        deadline_ms = self._clock.monotonic_ms() + timeout_ms
        if isinstance(consistency, AtLeast):
            self._readings.add_for(consistency.slot, reply, deadline_ms)
        else:
            self._readings.add(reply, deadline_ms)

    def may_tell_reader(self, area: Area | None, applied_until: Slot) -> bool:
        """Whether a reader may be told at once what our state says; see ``HoldBack``."""
        return self._hold_back.may_tell_reader(area, applied_until)

    def tell_reader_later(self, area: Area | None, applied_until: Slot, reply: Reply[int], timeout_ms: int) -> None:
        """Give ``reply`` a result once a reader may be told what our state says now.

        Raises:
            Stopping: nobody is answered here any more.
        """
        if self._is_stopping:
            raise Stopping("this member is shutting down: ask another")
        self._hold_back.tell_reader_later(area, applied_until, reply, self._clock.monotonic_ms() + timeout_ms)

    @property
    def is_specialist(self) -> bool:
        """Whether others wait to hear from us how far we have applied."""
        return self._hold_back.is_specialist

    @property
    def fresh_ms(self) -> int | None:
        """Our state reflects everything acknowledged before this moment of our monotonic clock; see ``Readings``."""
        return self._readings.fresh_ms

    def receive(self, sender: NodeId, message: HostMessage, presiding: Ballot | None) -> int | None:
        """Take one message of another member's host; returns the token of a read barrier that it asks of our core."""
        match message:
            case Forward():
                self._on_forward(sender, message, presiding)
            case Answers():
                self._outgoing.on_answers(message)
            case Refusals():
                again = self._outgoing.on_refusals(message)
                if message.ballot == self._leader:
                    # At once would be at the speed of the link, until we hear who leads now.
                    self._refused += again
                else:
                    self._try_elsewhere(again)
            case AskReading():
                return self._readings.on_asked(sender, message)
            case ReadingAt():
                self._readings.on_reading_at(message)
            case Known(until=until):
                self._hold_back.on_known(sender, until)
        return None

    # --- sending on ---

    @property
    def are_waiting(self) -> bool:
        """Whether a command waits for a slot or for a leader."""
        return self._proposals.are_waiting

    @property
    def need_pumping(self) -> bool:
        """Whether ``forward``, ``next_batch``, ``ask_readings`` or one of the ``others`` may have something to do."""
        is_asked = self._proposals.are_waiting or self._readings.are_waiting
        return is_asked or self._incoming.has_answers or self._is_known_due

    def next_batch(self) -> list[Pending]:
        """The commands for one decree."""
        return self._proposals.take(self._limits.decree_bytes_max)

    def begin(self, slot: Slot, ballot: Ballot, batch: list[Pending]) -> None:
        """A batch was proposed."""
        self._proposals.begin(slot, Batch(ballot, batch))

    def forward(self, leader: Ballot | None) -> None:
        """Send what waits to the leader, if that is another member."""
        if leader is None or leader.owner == self._me:
            return
        now_ms = self._clock.monotonic_ms()
        while self._proposals.are_waiting and (batch := self.next_batch()):
            self._outgoing.forward(batch, leader, now_ms)

    def ask_readings(self, leader: Ballot | None) -> list[int]:
        """Put the question for all readers who wait to the leader; returns the tokens to ask of our own core."""
        return self._readings.ask(leader, self._clock.monotonic_ms())

    def answer_others(self) -> None:
        """Send other members the answers gathered in this step."""
        self._incoming.flush()

    def tell_others(self, members: Iterable[NodeId], applied_until: Slot) -> None:
        """Send ``members`` word of how far we have applied, if they wait for it: once for all that was applied."""
        if self._is_known_due:
            self._is_known_due = False
            for member in members:
                if member != self._me:
                    self._send(member, Known(applied_until))

    # --- what becomes of them ---

    def settle(self, slot: Slot, decree: Decree, results: list[Result]) -> None:
        """A decree was applied: its commands are answered, and ours that lost this slot are tried elsewhere."""
        self._try_elsewhere(self._proposals.settle(slot, decree, results))

    def jump(self, until: Slot) -> None:
        """Slots below ``until`` passed without our hearing of it one by one: ours in them have an unknown fate."""
        self._proposals.jump(until)

    def on_applied(self) -> None:
        """Our state has changed: somebody may be appointed no more, and others may have to hear how far we are."""
        self._hold_back.release()
        self._is_known_due = self._is_known_due or self._hold_back.is_specialist

    def on_reading(self, token: int, passed_until: Slot | None) -> None:
        """Our core answers a token."""
        self._readings.on_reading(token, passed_until)

    def serve_readers(self, applied_until: Slot) -> None:
        """Let everyone read whose slot is applied."""
        self._readings.serve(applied_until)

    def on_leader(self, leader: Ballot | None) -> None:
        """Another leader, or none.  Commands forwarded to us that we have not begun go back unless we lead."""
        self._leader = leader
        self._led_since_ms = self._clock.monotonic_ms()
        if leader is None or leader.owner != self._me:
            self._try_elsewhere(self._proposals.take_all_waiting())
            # Our successor passes soon what it learned of in our slots.  A slot that it did not learn of may stay empty
            # for as long as nobody writes, and whoever sent us the command has given up by then.
            self._proposals.limit_open(self._led_since_ms + DEPOSED_RETRANSMITS * self._retransmit_ms)
        self._try_refused_again()

    def on_link_lost(self, peer: NodeId) -> None:
        """A member that has some of our commands may be gone."""
        self._outgoing.on_link_lost(peer)

    def on_tick(self, leader: Ballot | None) -> None:
        """Repeat what is not answered; refuse what is past its deadline."""
        now_ms = self._clock.monotonic_ms()
        self._try_refused_again()
        self._proposals.expire(now_ms)
        self._outgoing.on_tick(leader, now_ms - self._led_since_ms, now_ms)
        self._readings.on_tick(leader, now_ms)
        self._hold_back.on_tick(now_ms)
        # Repeated for as long as anybody may wait for it: any of it may have been lost.
        self._is_known_due = self._hold_back.is_specialist

    def stop(self) -> None:
        """Take in nothing more; what has not begun is refused, what has begun may still be answered."""
        self._is_stopping = True
        self._try_elsewhere(self._proposals.take_all_waiting())
        self._try_refused_again()
        self._readings.refuse_all(Stopping("this member is shutting down: ask another"))

    def abandon(self) -> None:
        """This member is at its end: answer everybody, and claim nothing about what has begun."""
        self.stop()
        unknown = OutcomeUnknown("this member stopped; the command may have been applied")
        self._proposals.abandon(unknown)
        self._outgoing.abandon(unknown)
        self._hold_back.abandon()

    # --- inside ---

    def _on_forward(self, sender: NodeId, message: Forward, presiding: Ballot | None) -> None:
        for command, relay in self._incoming.receive(sender, message, presiding):
            try:
                if self._is_stopping:
                    raise NotLeader("the leader is shutting down")
                self._require_room()
                self._proposals.admit(command)
            except RequestError as error:
                relay.set_exception(error)
            else:
                self._proposals.add(Pending(command, relay, NO_DEADLINE_MS))

    def _try_refused_again(self) -> None:
        refused, self._refused = self._refused, []
        self._try_elsewhere(refused)

    def _require_room(self) -> None:
        if self.is_disk_full:
            raise DiskFull("the leader's disk is full: free some space there, then try again")

    def _try_elsewhere(self, pendings: list[Pending]) -> None:
        """Commands that were certainly not applied: ours go on to whoever leads now, others go back to their origin."""
        ours = []
        for pending in pendings:
            if isinstance(pending.reply, Relay):
                pending.fail(NotLeader("no longer the leader of that term"))
            elif self._is_stopping:
                pending.fail(Stopping("this member is shutting down: ask another"))
            else:
                ours.append(pending)
        if ours:
            self._proposals.add_again(ours)
