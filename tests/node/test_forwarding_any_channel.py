"""Both sides of forwarding over a channel that loses, doubles and reorders, with restarts and changes of leader.

The world beside them is a model: what an owner has begun may pass at any later time, or be beaten, whatever becomes of
the owner.  Hypothesis chooses what happens.  Whatever it chooses, a command is applied at most once, never after its
submitter was told that it was not, and always if its submitter was told that it was.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.errors import NotLeader, OutcomeUnknown, Overloaded
from paxon.node.forwarding import Incoming, Outgoing, Relay
from paxon.node.letters import Answers, Forward, PeerMessage, Refusals
from paxon.node.proposals import Applied, Pending
from tests.node.stage import Answer

ORIGIN = NodeId(1)
OWNERS = (NodeId(2), NodeId(3))
RETRANSMIT_MS = 200
TIMEOUT_MS = 5_000
TICK_MS = 50

indexes = st.integers(min_value=0, max_value=1 << 16)


class Begun:
    """A command in a slot: its fate is open until the world decides it."""

    def __init__(self, command: bytes, relay: Relay, owner: NodeId, life: int) -> None:
        self.command = command
        self.relay = relay
        self.owner = owner
        self.life = life


class Owner:
    """A member that leads now and then."""

    def __init__(self, number: NodeId, world: "AnyChannel") -> None:
        self.number = number
        self._world = world
        self.life = 0
        self.last_tried = NO_BALLOT
        self.presiding: Ballot | None = None
        self.waiting: list[tuple[bytes, Relay]] = []
        self.restart()

    def restart(self) -> None:
        """Lose everything but the ledger."""
        self.life += 1
        self.presiding = None
        self.waiting = []
        self.incoming = Incoming(self.last_tried, lambda to, message: self._world.post(self.number, to, message))

    def depose(self) -> None:
        """What waits for a slot goes back; what has one keeps its fate."""
        self.presiding = None
        waiting, self.waiting = self.waiting, []
        for _, relay in waiting:
            relay.set_exception(NotLeader("no longer"))
        self.incoming.flush()


class AnyChannel(RuleBasedStateMachine):
    """One origin, two members that lead by turns, and a bag of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 0
        self.round = 0
        self.bag: list[tuple[NodeId, NodeId, PeerMessage]] = []
        self.answers: dict[bytes, Answer[Applied]] = {}
        self.abandoned: set[bytes] = set()
        """Commands whose submitter is gone with its process: it was told nothing."""
        self.begun: list[Begun] = []
        self.taken_in: Counter[tuple[Ballot, bytes]] = Counter()
        self.applied: list[bytes] = []
        self.boot = 0
        self.leader: Ballot | None = None
        self.led_since_ms = 0
        self.back: list[Pending] = []
        self.owners = {number: Owner(number, self) for number in OWNERS}
        self.outgoing = self._outgoing()

    def _outgoing(self) -> Outgoing:
        self.boot += 1
        return Outgoing(self.boot, RETRANSMIT_MS, lambda to, message: self.post(ORIGIN, to, message))

    def post(self, sender: NodeId, to: NodeId, message: PeerMessage) -> None:
        self.bag.append((sender, to, message))

    # --- the origin ---

    @rule(count=st.integers(min_value=1, max_value=3))
    def submit(self, count: int) -> None:
        """Commands come in; without a leader they wait, as the host has it."""
        for _ in range(count):
            command = b"%d" % len(self.answers)
            self.answers[command] = Answer()
            self.back.append(Pending(command, self.answers[command], self.now_ms + TIMEOUT_MS))
        self._forward()

    def _forward(self) -> None:
        if self.leader is not None and self.back:
            pendings, self.back = self.back, []
            self.outgoing.forward(pendings, self.leader, self.now_ms)

    @rule()
    def tick(self) -> None:
        self.now_ms += TICK_MS
        self.outgoing.on_tick(self.leader, self.now_ms - self.led_since_ms, self.now_ms)

    @rule()
    def much_later(self) -> None:
        """Everything is past its deadline; copies in the bag are as old."""
        self.now_ms += TIMEOUT_MS
        self.outgoing.on_tick(self.leader, self.now_ms - self.led_since_ms, self.now_ms)
        for pending in self.back:
            pending.fail(NotLeader("nobody led in time"))
        self.back.clear()

    @rule(which=st.sampled_from(OWNERS))
    def lose_link(self, which: NodeId) -> None:
        self.outgoing.on_link_lost(which)

    @precondition(lambda self: self.leader is not None)
    @rule()
    def hear_of_no_leader(self) -> None:
        self.leader = None

    @rule()
    def origin_restarts(self) -> None:
        """Its submitters are gone; what it sent is still about."""
        self.abandoned.update(command for command, answer in self.answers.items() if not answer.done())
        self.back.clear()
        self.leader = None
        self.outgoing = self._outgoing()

    # --- the owners ---

    @rule(which=st.sampled_from(OWNERS), wins=st.booleans())
    def try_ballot(self, which: NodeId, wins: bool) -> None:
        """A member tries; if it wins, whoever led before does not know yet, and may go on for a while."""
        owner = self.owners[which]
        owner.depose()
        self.round += 1
        owner.last_tried = Ballot(self.round, which)
        if wins:
            owner.presiding = owner.last_tried

    @rule(which=st.sampled_from(OWNERS))
    def origin_hears(self, which: NodeId) -> None:
        """A president is heard, though perhaps an old one: presence messages travel like any other."""
        ballot = self.owners[which].presiding
        if ballot is not None and (self.leader is None or ballot > self.leader):
            self.leader, self.led_since_ms = ballot, self.now_ms
            self._forward()

    @rule(which=st.sampled_from(OWNERS))
    def depose(self, which: NodeId) -> None:
        self.owners[which].depose()

    @rule(which=st.sampled_from(OWNERS))
    def owner_restarts(self, which: NodeId) -> None:
        self.owners[which].restart()

    @rule(which=st.sampled_from(OWNERS))
    def begin(self, which: NodeId) -> None:
        """What waits goes into a slot."""
        owner = self.owners[which]
        if owner.presiding is not None and owner.waiting:
            command, relay = owner.waiting.pop(0)
            self.begun.append(Begun(command, relay, which, owner.life))

    @precondition(lambda self: self.begun)
    @rule(index=indexes, is_beaten=st.booleans())
    def decide(self, index: int, is_beaten: bool) -> None:
        """A slot passes, with the command or with another; its proposer says so if it still lives as it did."""
        begun = self.begun.pop(index % len(self.begun))
        owner = self.owners[begun.owner]
        if not is_beaten:
            self.applied.append(begun.command)
        if owner.life == begun.life:
            if is_beaten:
                begun.relay.set_exception(NotLeader("beaten"))
            else:
                begun.relay.set_result(Applied(len(self.applied), begun.command))
            owner.incoming.flush()

    # --- the channel ---

    @precondition(lambda self: self.bag)
    @rule(index=indexes, keeps_copy=st.booleans(), is_overloaded=st.booleans())
    def deliver(self, index: int, keeps_copy: bool, is_overloaded: bool) -> None:
        at = index % len(self.bag)
        sender, to, message = self.bag[at] if keeps_copy else self.bag.pop(at)
        if isinstance(message, Forward):
            self._take_in(self.owners[to], sender, message, is_overloaded)
        elif isinstance(message, Answers):
            self.outgoing.on_answers(message)
        elif isinstance(message, Refusals):
            self.back.extend(pending for pending in self.outgoing.on_refusals(message) if not pending.reply.done())
            self._forward()

    def _take_in(self, owner: Owner, sender: NodeId, message: Forward, is_overloaded: bool) -> None:
        for command, relay in owner.incoming.receive(sender, message, owner.presiding):
            assert owner.presiding == message.ballot, "taken in under another ballot"
            self.taken_in[message.ballot, command] += 1
            if is_overloaded:
                relay.set_exception(Overloaded("full"))
            else:
                owner.waiting.append((command, relay))
        owner.incoming.flush()

    @precondition(lambda self: self.bag)
    @rule(index=indexes)
    def lose(self, index: int) -> None:
        self.bag.pop(index % len(self.bag))

    # --- what must hold ---

    @initialize(wins=st.booleans())
    def first_leader(self, wins: bool) -> None:
        self.try_ballot(OWNERS[0], wins)
        self.origin_hears(OWNERS[0])

    @invariant()
    def no_command_is_applied_twice(self) -> None:
        assert len(self.applied) == len(set(self.applied))

    @invariant()
    def a_command_is_in_one_place(self) -> None:
        """Two slots, or a slot and a queue, would be two chances to pass."""
        waiting = [command for owner in self.owners.values() for command, _ in owner.waiting]
        places = Counter([*waiting, *(begun.command for begun in self.begun), *self.applied])
        assert all(count == 1 for count in places.values()), places

    @invariant()
    def a_ballot_takes_a_forward_in_once(self) -> None:
        """A command may come back to a ballot under another number after a definite refusal, and only then."""
        assert all(
            count == 1 or ballot.owner in OWNERS for (ballot, _), count in self.taken_in.items()
        ), self.taken_in

    @invariant()
    def answers_are_true(self) -> None:
        possible = {begun.command for begun in self.begun} | set(self.applied)
        for command, answer in self.answers.items():
            if answer.result is not None:
                assert answer.result.result == command, "the result of another command"
                assert self.applied[answer.result.slot - 1] == command
            elif answer.error is not None and not isinstance(answer.error, OutcomeUnknown):
                assert command not in possible, f"refused with {answer.error!r}, but it is or may be applied"

    def teardown(self) -> None:
        """With a channel that delivers, a leader that stays and time, every submitter hears something."""
        self.try_ballot(OWNERS[0], True)
        self.leader, self.led_since_ms = self.owners[OWNERS[0]].presiding, self.now_ms
        self._forward()
        self.much_later()
        assert len(self.outgoing) == 0
        assert self.outgoing.bytes == 0
        unanswered = {command for command, answer in self.answers.items() if not answer.done()}
        assert unanswered <= self.abandoned
        self.answers_are_true()


TestAnyChannel = AnyChannel.TestCase
TestAnyChannel.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
