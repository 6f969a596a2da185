"""Both sides of forwarding over a channel that loses, doubles and reorders, with restarts and changes of leader.

The world beside them is a model: what an owner has begun may pass at any later time, or be beaten, whatever becomes of
the owner.  Hypothesis chooses what happens.  Whatever it chooses, a command is applied at most once, never after its
submitter was told that it was not, and always if its submitter was told that it was.
"""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from paxon.core.decree import NO_BALLOT, Ballot, NodeId
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


class Begun:
    """A command in a slot: its fate is open until the world decides it."""

    def __init__(self, command: bytes, relay: Relay, owner: "Owner") -> None:
        self.command = command
        self.relay = relay
        self.owner = owner
        self.life = owner.life


class Owner:
    """A member that leads now and then."""

    def __init__(self, number: NodeId, post: Callable[[NodeId, NodeId, PeerMessage], None]) -> None:
        self.number = number
        self._post = post
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
        self.incoming = Incoming(self.last_tried, lambda to, message: self._post(self.number, to, message))

    def depose(self) -> None:
        """What waits for a slot goes back; what has one keeps its fate."""
        self.presiding = None
        waiting, self.waiting = self.waiting, []
        for _, relay in waiting:
            relay.set_exception(NotLeader("no longer"))
        self.incoming.flush()


class World:
    """One origin, two members that lead by turns, and a bag of messages.  Everything takes a number to choose by."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.round = 0
        self.bag: list[tuple[NodeId, NodeId, PeerMessage]] = []
        self.answers: dict[bytes, Answer[Applied]] = {}
        self.abandoned: set[bytes] = set()
        """Commands whose submitter went with its process before it was told anything."""
        self.begun: list[Begun] = []
        self.taken_in: Counter[tuple[int, int]] = Counter()
        """How often each number of each life of the origin was taken in."""
        self.applied: list[bytes] = []
        self.boot = 0
        self.leader: Ballot | None = None
        self.led_since_ms = 0
        self.back: list[Pending] = []
        """Commands that wait for a leader."""
        self.owners = {number: Owner(number, self.post) for number in OWNERS}
        self.outgoing = self._outgoing()

    def _outgoing(self) -> Outgoing:
        self.boot += 1
        return Outgoing(self.boot, RETRANSMIT_MS, lambda to, message: self.post(ORIGIN, to, message))

    def post(self, sender: NodeId, to: NodeId, message: PeerMessage) -> None:
        self.bag.append((sender, to, message))

    def owner(self, choice: int) -> Owner:
        return self.owners[OWNERS[choice % len(OWNERS)]]

    # --- the origin ---

    def submit(self, choice: int) -> None:
        """Commands come in; without a leader they wait, as the host has it."""
        for _ in range(1 + choice % 3):
            command = b"%d" % len(self.answers)
            self.answers[command] = Answer()
            self.back.append(Pending(command, self.answers[command], self.now_ms + TIMEOUT_MS))
        self.forward()

    def forward(self) -> None:
        if self.leader is not None and self.back:
            pendings, self.back = self.back, []
            self.outgoing.forward(pendings, self.leader, self.now_ms)

    def tick(self, choice: int) -> None:
        """A little later, or much later."""
        self.now_ms += TIMEOUT_MS if choice % 16 == 0 else TICK_MS * (1 + choice % 4)
        self.outgoing.on_tick(self.leader, self.now_ms - self.led_since_ms, self.now_ms)
        for pending in self.back:
            if pending.deadline_ms <= self.now_ms:
                pending.fail(NotLeader("nobody led in time"))
        self.back = [pending for pending in self.back if not pending.reply.done()]

    def lose_link(self, choice: int) -> None:
        self.outgoing.on_link_lost(self.owner(choice).number)

    def hear(self, choice: int) -> None:
        """A president is heard; if nobody leads, somebody does first."""
        if not any(owner.presiding for owner in self.owners.values()):
            self.win(choice)
        ballot = self.owner(choice).presiding
        if ballot is not None and (self.leader is None or ballot > self.leader):
            self.leader, self.led_since_ms = ballot, self.now_ms
            self.forward()

    def miss_the_leader(self, choice: int) -> None:
        self.leader = None

    def restart_origin(self, choice: int) -> None:
        """Its submitters are gone; what it sent is still about."""
        self.abandoned.update(command for command, answer in self.answers.items() if not answer.done())
        self.back.clear()
        self.leader = None
        self.outgoing = self._outgoing()

    # --- the owners ---

    def lose(self, choice: int) -> None:
        """A member tries a ballot, and fails."""
        owner = self.owner(choice)
        owner.depose()
        self.round += 1
        owner.last_tried = Ballot(self.round, owner.number)

    def win(self, choice: int) -> None:
        """A member wins a ballot.  Whoever led before does not know yet, and may go on for a while."""
        self.lose(choice)
        owner = self.owner(choice)
        owner.presiding = owner.last_tried

    def depose(self, choice: int) -> None:
        self.owner(choice).depose()

    def restart_owner(self, choice: int) -> None:
        self.owner(choice).restart()

    def begin(self, choice: int) -> None:
        """What waits goes into slots."""
        owner = self.owner(choice)
        waiting, owner.waiting = owner.waiting, []
        self.begun.extend(Begun(command, relay, owner) for command, relay in waiting)

    def decide(self, choice: int) -> None:
        """A slot passes, with the command or with another; its proposer says so if it still lives as it did."""
        if not self.begun:
            return
        begun = self.begun.pop(choice // 4 % len(self.begun))
        is_beaten = choice % 4 == 0
        if not is_beaten:
            self.applied.append(begun.command)
        if begun.owner.life == begun.life:
            if is_beaten:
                begun.relay.set_exception(NotLeader("beaten"))
            else:
                begun.relay.set_result(Applied(len(self.applied), begun.command))
            begun.owner.incoming.flush()

    # --- the channel ---

    def deliver(self, choice: int) -> None:
        """One message, any of those on their way; a copy may stay."""
        if self.bag:
            at = choice // 8 % len(self.bag)
            sender, to, message = self.bag[at] if choice % 2 else self.bag.pop(at)
            self._arrive(sender, to, message, is_overloaded=choice % 8 == 0)

    def deliver_all(self, choice: int) -> None:
        """Everything that is on its way now, in order."""
        bag, self.bag = self.bag, []
        for sender, to, message in bag:
            self._arrive(sender, to, message, is_overloaded=False)

    def drop(self, choice: int) -> None:
        if self.bag:
            self.bag.pop(choice % len(self.bag))

    def _arrive(self, sender: NodeId, to: NodeId, message: PeerMessage, is_overloaded: bool) -> None:
        if isinstance(message, Forward):
            self._take_in(self.owners[to], sender, message, is_overloaded)
        elif isinstance(message, Answers):
            self.outgoing.on_answers(message)
        elif isinstance(message, Refusals):
            self.back.extend(self.outgoing.on_refusals(message))
            self.forward()

    def _take_in(self, owner: Owner, sender: NodeId, message: Forward, is_overloaded: bool) -> None:
        numbers = {command: number for number, command in message.commands}
        for command, relay in owner.incoming.receive(sender, message, owner.presiding):
            assert owner.presiding == message.ballot, "taken in under another ballot"
            self.taken_in[message.boot, numbers[command]] += 1
            if is_overloaded:
                relay.set_exception(Overloaded("full"))
            else:
                owner.waiting.append((command, relay))
        owner.incoming.flush()

    # --- what must hold ---

    def check(self) -> None:
        """The promises of ``letters`` and of the errors."""
        waiting = [command for owner in self.owners.values() for command, _ in owner.waiting]
        places = Counter([*waiting, *(begun.command for begun in self.begun), *self.applied])
        # Two slots, or a slot and a queue, would be two chances to pass.
        assert all(count == 1 for count in places.values()), f"in two places: {places}"
        assert all(count == 1 for count in self.taken_in.values()), f"taken in twice: {self.taken_in}"
        for command, answer in self.answers.items():
            if answer.result is not None:
                assert answer.result.result == command, "the result of another command"
                assert self.applied[answer.result.slot - 1] == command
            elif answer.error is not None and not isinstance(answer.error, OutcomeUnknown):
                assert command not in places, f"{command!r} was refused with {answer.error!r} and may be applied"

    def end(self) -> None:
        """With time, every submitter hears something."""
        self.tick(0)
        assert len(self.outgoing) == 0
        assert self.outgoing.bytes == 0
        unanswered = {command for command, answer in self.answers.items() if not answer.done()}
        assert unanswered <= self.abandoned
        self.check()


WEIGHTS: dict[Callable[[World, int], None], int] = {
    World.submit: 4,
    World.hear: 6,
    World.deliver_all: 6,
    World.deliver: 10,
    World.begin: 6,
    World.decide: 6,
    World.tick: 5,
    World.drop: 2,
    World.win: 2,
    World.lose: 1,
    World.depose: 1,
    World.restart_owner: 2,
    World.restart_origin: 1,
    World.lose_link: 1,
    World.miss_the_leader: 1,
}
steps = st.tuples(
    st.sampled_from([step for step, weight in WEIGHTS.items() for _ in range(weight)]), st.integers(0, 1 << 12)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, min_size=50, max_size=150))
def test_whatever_happens_answers_are_true_and_no_command_is_applied_twice(
    script: list[tuple[Callable[[World, int], None], int]],
) -> None:
    world = World()
    world.hear(0)
    for step, choice in script:
        step(world, choice)
        world.check()
    world.end()
