"""Commands that go to the leader through another member.

The rule that keeps a command from being begun twice (see ``letters``): every forward is bound
to one ballot, and only that ballot's owner may begin it, once.  ``Outgoing`` is the origin's
side: it repeats a forward to the same owner until it is answered, and lets go of it only after
a definite refusal.  ``Incoming`` is the owner's side: it remembers every number it took in
during this life of its process, and admits when it cannot know.
"""

from collections.abc import Callable

from msgspec import Struct, field

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.errors import DeadlineExceeded, LeadershipLost, NotLeader, OutcomeUnknown, RequestError
from paxon.node.letters import Answers, Forward, PeerMessage, Refusals
from paxon.node.proposals import Applied, Pending
from paxon.node.service import ERRORS

FORWARD_COMMANDS_MAX = 2000
"""Commands in one ``Forward``: enough to fill a decree of small ones."""

FORWARD_BYTES_MAX = 1024 * 1024
"""And their bytes unless told otherwise; a single larger command still gets a ``Forward`` of its own."""

LIVES_KEPT = 64
"""Lives of one member whose forwards we remember.  Nothing that an earlier life sent is still on its way by then."""

Send = Callable[[NodeId, PeerMessage], None]


class _Sent(Struct):
    pending: Pending
    ballot: Ballot
    sent_ms: int
    is_cut_off: bool = False
    """The link to the ballot's owner broke since."""


class Outgoing:
    """Commands of ours that are with the leader of some ballot."""

    def __init__(self, boot: int, retransmit_ms: int, send: Send, bytes_max: int = FORWARD_BYTES_MAX) -> None:
        self._boot = boot
        self._retransmit_ms = retransmit_ms
        self._bytes_max = bytes_max
        self._send = send
        self._next_number = 0
        self._sent: dict[int, _Sent] = {}
        self.bytes = 0
        """Of commands sent and not yet settled."""

    def __len__(self) -> int:
        return len(self._sent)

    def forward(self, pendings: list[Pending], ballot: Ballot, now_ms: int) -> None:
        """Send commands to the owner of ``ballot``."""
        numbers = []
        for pending in pendings:
            self._sent[self._next_number] = _Sent(pending, ballot, now_ms)
            self.bytes += len(pending.command)
            numbers.append(self._next_number)
            self._next_number += 1
        self._transmit(ballot, numbers)

    def on_answers(self, message: Answers) -> None:
        """Results of commands: each is settled by its first answer."""
        if message.boot != self._boot:
            return
        for number, slot, result in message.answers:
            if number in self._sent:
                self._settled(number).succeed(slot, result)

    def on_refusals(self, message: Refusals) -> list[Pending]:
        """Failures of commands.  Returns those certainly not begun for want of a leader: to be tried elsewhere."""
        again: list[Pending] = []
        if message.boot != self._boot:
            return again
        for number, code, text in message.refusals:
            sent = self._sent.get(number)
            if sent is None or sent.ballot != message.ballot:
                continue
            pending = self._settled(number)
            if code == NotLeader.code:
                again.append(pending)
            else:
                # A code this release does not know claims nothing, so it is taken for "unknown".
                pending.fail(ERRORS.get(code, OutcomeUnknown)(text))
        return again

    def on_link_lost(self, peer: NodeId) -> None:
        """The member that has some of our commands may be gone."""
        for sent in self._sent.values():
            if sent.ballot.owner == peer:
                sent.is_cut_off = True

    def on_tick(self, leader: Ballot | None, led_for_ms: int, now_ms: int) -> None:
        """Repeat what is not answered; give up what is past its deadline or was left with a leader that is gone.

        A leader that was only deposed learns from its successor what passed in its slots, and then
        knows; so it gets a moment, unless the link to it broke.  A leader that died
        takes the answer with it, and waiting for the deadline would help nobody.
        """
        late: dict[Ballot, list[int]] = {}
        for number, sent in list(self._sent.items()):
            is_superseded = leader is not None and leader > sent.ballot
            if sent.pending.deadline_ms <= now_ms or sent.pending.reply.done():
                self._settled(number).fail(DeadlineExceeded("the leader did not answer in time; it may yet be applied"))
            elif is_superseded and (sent.is_cut_off or led_for_ms >= 2 * self._retransmit_ms):
                self._settled(number).fail(
                    LeadershipLost("the leader that had the command is gone; it may have been applied")
                )
            elif now_ms - sent.sent_ms >= self._retransmit_ms:
                sent.sent_ms = now_ms
                late.setdefault(sent.ballot, []).append(number)
        for ballot, numbers in late.items():
            self._transmit(ballot, numbers)

    def abandon(self, error: RequestError) -> None:
        """Nobody will learn here what became of what was sent."""
        for number in list(self._sent):
            self._settled(number).fail(error)

    def _settled(self, number: int) -> Pending:
        pending = self._sent.pop(number).pending
        self.bytes -= len(pending.command)
        return pending

    def _transmit(self, ballot: Ballot, numbers: list[int]) -> None:
        # Numbers are settled out of order; whatever is below the lowest open one is settled for good.
        # They are added in rising order, so the lowest is the first.
        settled_until = next(iter(self._sent))
        commands: list[tuple[int, bytes]] = []
        room = self._bytes_max
        for number in numbers:
            command = self._sent[number].pending.command
            if commands and (len(commands) == FORWARD_COMMANDS_MAX or len(command) > room):
                self._send(ballot.owner, Forward(ballot, self._boot, settled_until, tuple(commands)))
                commands, room = [], self._bytes_max
            commands.append((number, command))
            room -= len(command)
        self._send(ballot.owner, Forward(ballot, self._boot, settled_until, tuple(commands)))


class _Answer(Struct, frozen=True):
    ballot: Ballot
    slot: Slot | None
    result: bytes = b""
    code: str = ""
    text: str = ""


class _Origin(Struct):
    """What one life of one member forwarded to us: each number's answer, or ``None`` while it has none."""

    settled_until: int = 0
    taken: dict[int, _Answer | None] = field(default_factory=dict)


class Relay:
    """The ``Reply`` of a command that another member waits for."""

    __slots__ = ("_answer", "_ballot", "_done", "_incoming", "_number", "_origin")

    def __init__(self, incoming: "Incoming", origin: tuple[NodeId, int], number: int, ballot: Ballot) -> None:
        self._incoming = incoming
        self._origin = origin
        self._number = number
        self._ballot = ballot
        self._done = False

    def done(self) -> bool:
        """Whether the answer is known."""
        return self._done

    def set_result(self, result: Applied, /) -> None:
        """Answer with what the state machine said."""
        self._done = True
        answer = _Answer(self._ballot, Slot(result.slot), result.result)
        self._incoming.answer(self._origin, self._number, answer)

    def set_exception(self, error: Exception, /) -> None:
        """Refuse, or say that nobody knows."""
        self._done = True
        code = error.code if isinstance(error, RequestError) else OutcomeUnknown.code
        answer = _Answer(self._ballot, None, code=code, text=str(error))
        self._incoming.answer(self._origin, self._number, answer)


class Incoming:
    """Commands of other members that are, or were, with us."""

    def __init__(self, earlier_lives: Ballot, send: Send) -> None:
        self._earlier_lives = earlier_lives
        """Ballots up to this one belonged to earlier lives of this process, whose memory is lost."""
        self._send = send
        self._origins: dict[tuple[NodeId, int], _Origin] = {}
        self._outgoing: dict[tuple[NodeId, int], dict[int, _Answer]] = {}

    def receive(self, sender: NodeId, message: Forward, presiding: Ballot | None) -> list[tuple[bytes, Relay]]:
        """Take in what is new, if ``message`` is for the ballot we are ``presiding`` in; answer what is not."""
        key = (sender, message.boot)
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = _Origin()
            self._forget_early_lives(sender)
        if message.settled_until > origin.settled_until:
            origin.settled_until = message.settled_until
            for number in [number for number in origin.taken if number < message.settled_until]:
                del origin.taken[number]
        fresh: list[tuple[bytes, Relay]] = []
        for number, command in message.commands:
            if number < origin.settled_until:
                continue
            if number in origin.taken:
                answer = origin.taken[number]
                if answer is not None:
                    self._outgoing.setdefault(key, {})[number] = answer
            elif message.ballot == presiding:
                origin.taken[number] = None
                fresh.append((command, Relay(self, key, number, message.ballot)))
            elif message.ballot <= self._earlier_lives:
                text = "the leader restarted; the command may have been applied before"
                self._queue(key, number, _Answer(message.ballot, None, code=LeadershipLost.code, text=text))
            else:
                text = "no longer the leader of that term"
                self._queue(key, number, _Answer(message.ballot, None, code=NotLeader.code, text=text))
        return fresh

    def answer(self, key: tuple[NodeId, int], number: int, answer: _Answer) -> None:
        """A command we took in has its answer, for good: repeats of the forward get the same."""
        origin = self._origins.get(key)
        if origin is not None and number >= origin.settled_until:
            origin.taken[number] = answer
            self._queue(key, number, answer)

    @property
    def has_answers(self) -> bool:
        """Whether answers are gathered that ``flush`` would send."""
        return bool(self._outgoing)

    def flush(self) -> None:
        """Send the answers gathered in this step."""
        if not self._outgoing:
            return
        outgoing, self._outgoing = self._outgoing, {}
        for (member, boot), answers in outgoing.items():
            results: list[tuple[int, Slot, bytes]] = []
            room = FORWARD_BYTES_MAX
            for number, answer in answers.items():
                if answer.slot is None:
                    continue
                if results and len(answer.result) > room:
                    self._send(member, Answers(boot, tuple(results)))
                    results, room = [], FORWARD_BYTES_MAX
                results.append((number, answer.slot, answer.result))
                room -= len(answer.result)
            if results:
                self._send(member, Answers(boot, tuple(results)))
            refusals: dict[Ballot, list[tuple[int, str, str]]] = {}
            for number, answer in answers.items():
                if answer.slot is None:
                    refusals.setdefault(answer.ballot, []).append((number, answer.code, answer.text))
            for ballot, refused in refusals.items():
                self._send(member, Refusals(boot, ballot, tuple(refused)))

    def _forget_early_lives(self, member: NodeId) -> None:
        # The oldest first: dictionaries keep their order.
        lives = [key for key in self._origins if key[0] == member]
        for key in lives[:-LIVES_KEPT]:
            del self._origins[key]

    def _queue(self, key: tuple[NodeId, int], number: int, answer: _Answer) -> None:
        self._outgoing.setdefault(key, {})[number] = answer
