"""Targets: a real legislator and a real host, told by other members whatever a message can say.

Peers are trusted with agreement and with nothing else: what they say may make a member refuse it, take no part, or stop
because it was told two different things; it may not make it fail in another way, hang, or write what it cannot read.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from paxon.codec.records import decode_record, encode_record
from paxon.codec.values import INTEGER_MAX
from paxon.core import messages as m
from paxon.core.decree import NODE_ID_MAX, NOOP, ROUND_MAX, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Effects
from paxon.core.ledger import KEPT_SLOTS, Ledger, Outcome, Record, Vote
from paxon.core.legislator import Legislator
from paxon.core.roster import ROSTER_LAG
from paxon.errors import ProtocolError, RequestError
from paxon.node.letters import (
    Answers,
    AskReading,
    AskSnapshot,
    Forward,
    Known,
    PeerMessage,
    ReadingAt,
    Refusals,
    SnapshotOffer,
    SnapshotPart,
)
from paxon.node.settings import SnapshotSettings
from paxon.node.vocabulary import PEER_VOCABULARY
from tests.core.build import M1, TIMING, rosters
from tests.fuzz.oracle import Draw, Target, Watch, refusing
from tests.node.stage import Stage

STEPS_MAX = 64
"""Steps of one input; elections, proposals and reads all fit."""

_FAR = (
    ROSTER_LAG - 1,
    ROSTER_LAG,
    ROSTER_LAG + 1,
    KEPT_SLOTS,
    KEPT_SLOTS + ROSTER_LAG + 1,
    1 << 31,
    1 << 32,
    1 << 62,
    INTEGER_MAX - 1,
    INTEGER_MAX,
)
_FAR_ROUNDS = (1 << 16, 1 << 32, ROUND_MAX - 1, ROUND_MAX)
_OWNERS = tuple(NodeId(number) for number in (2, 3, 1, 4, 5, 0, NODE_ID_MAX))
_SENDERS = tuple(NodeId(number) for number in (2, 3, 4, NODE_ID_MAX))
"""Two members and two strangers: links let only members in, but the core is not to rest on it."""


SaidT = TypeVar("SaidT", bound=PeerMessage)


class Speaker:
    """Says anything that a message can say, and often what fits the moment."""

    def __init__(self, draw: Draw, legislator: Callable[[], Legislator]) -> None:
        self._draw = draw
        self._legislator = legislator

    def say(self, sayings: Sequence[Callable[["Speaker"], SaidT]]) -> SaidT:
        """One message of these, as it comes out of the decoder."""
        message = sayings[self._draw.below(len(sayings))](self)
        return cast(SaidT, PEER_VOCABULARY.decode(*PEER_VOCABULARY.encode(message)))

    def sender(self, message: PeerMessage) -> NodeId:
        """Mostly whoever the message's ballot belongs to, for anything else is refused at the door."""
        owner: NodeId = getattr(message, "ballot", Ballot(0, _SENDERS[0])).owner
        sender = _SENDERS[self._draw.below(len(_SENDERS))]
        return owner if owner in _SENDERS and self._draw.below(4) else sender

    def integer(self) -> int:
        choice = self._draw.byte()
        return choice % 16 if choice < 192 else _FAR[choice % len(_FAR)]

    def slot(self) -> Slot:
        choice = self._draw.byte()
        if choice < 64:
            return Slot(choice % 8 + self._legislator().ledger.passed_until)
        return Slot(self.integer())

    def ballot(self) -> Ballot:
        choice = self._draw.byte()
        ledger, slip = self._legislator().ledger, self._legislator().slip
        if choice < 64 and slip is not None:
            return slip.ballot
        owner = _OWNERS[self._draw.below(len(_OWNERS))]
        if choice < 128:
            return Ballot(min(ROUND_MAX, ledger.next_ballot.round + choice % 3), owner)
        return Ballot(choice % 8 if choice < 240 else _FAR_ROUNDS[choice % len(_FAR_ROUNDS)], owner)

    def decree(self) -> Decree:
        if self._draw.below(4):
            # Mostly the same, for two that differ are the end of it.
            return NOOP
        return Decree(self.ballot(), self.integer(), tuple(self.command() for _ in range(self._draw.below(3))))

    def command(self) -> bytes:
        return self._draw.take(self._draw.below(4))

    def several(self, one: Callable[[], Any]) -> tuple[Any, ...]:
        return tuple(one() for _ in range(self._draw.below(4)))

    def flag(self) -> bool:
        return bool(self._draw.below(2))

    def offer(self) -> SnapshotOffer:
        return SnapshotOffer(self.slot(), self.integer(), self.integer())

    def vote(self) -> Vote:
        return Vote(self.slot(), self.ballot(), self.decree())

    def outcome(self) -> Outcome:
        return Outcome(self.slot(), self.decree())

    def request_to_stand(self) -> m.HandOver:
        """What makes a member start a ballot, whatever it thinks of the president."""
        ledger = self._legislator().ledger
        return m.HandOver(Ballot(min(ROUND_MAX, ledger.next_ballot.round + 1), _SENDERS[0]), ledger.passed_until)

    def promise(self) -> m.LastVote:
        """What a member that conducts a ballot waits for, with anything in it."""
        slip = self._legislator().slip
        ballot = self.ballot() if slip is None else slip.ballot
        return m.LastVote(ballot, self.slot(), self.several(self.vote), self.several(self.outcome), self.integer())


_SAID: tuple[Callable[[Speaker], m.Message], ...] = (
    lambda s: m.NextBallot(s.ballot(), s.slot()),
    lambda s: s.promise(),
    lambda s: s.request_to_stand(),
    lambda s: m.BeginBallot(s.ballot(), s.slot(), s.decree(), s.slot()),
    lambda s: m.Voted(s.ballot(), s.slot()),
    lambda s: m.Success(s.ballot(), s.slot(), s.several(s.outcome)),
    lambda s: m.Superseded(s.ballot(), s.ballot()),
    lambda s: m.Lacking(s.slot()),
    lambda s: m.Presence(s.ballot(), s.integer(), s.slot()),
    lambda s: m.Present(s.ballot(), s.integer(), s.slot()),
    lambda s: m.Canvass(s.integer(), s.slot()),
    lambda s: m.CanvassReply(s.integer(), s.flag(), s.ballot(), s.slot()),
    lambda s: m.HandOver(s.ballot(), s.slot()),
)

BOOT = 1001
"""The life of the process at the first seat of a stage."""

_CODES = ("not_leader", "overloaded", "unknown", "leadership_lost", "of a later release")

_ASKED: tuple[Callable[[Speaker], PeerMessage], ...] = (
    lambda s: Forward(s.ballot(), s.integer(), s.integer(), s.several(lambda: (s.integer(), s.command()))),
    lambda s: Answers(BOOT, s.several(lambda: (s.integer(), s.slot(), s.command()))),
    lambda s: Refusals(BOOT, s.ballot(), s.several(lambda: (s.integer(), _CODES[s.integer() % len(_CODES)], "text"))),
    lambda s: AskReading(s.integer(), s.integer()),
    lambda s: ReadingAt(BOOT, s.integer(), s.slot() if s.flag() else None),
    lambda s: s.offer(),
    lambda s: AskSnapshot(s.offer(), s.integer()),
    lambda s: SnapshotPart(s.offer(), 0 if s.flag() else s.integer(), s.command()),
    lambda s: Known(s.slot()),
)

_SPOKEN: Sequence[Callable[[Speaker], PeerMessage]] = (*_SAID, *_ASKED)


class Lectern:
    """One legislator whose effects are carried out at once, and looked at."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._now_ms = 0
        self.legislator = Legislator(M1, Ledger(), rosters(), TIMING, 0, 0)
        self._speaker = Speaker(draw, lambda: self.legislator)
        self._to_myself: deque[m.Message] = deque()
        self._records: list[Record] = []

    def step(self) -> Watch:
        """One thing happens, and then whatever it makes us say to ourselves."""
        with refusing(ProtocolError, lies=True) as watch:
            effects = self._entrance()
        if watch.is_refused:
            return watch
        # Nothing that we say to ourselves may be refused.
        with refusing(lies=True) as watch:
            self._carry_out(effects)
            while self._to_myself:
                self._carry_out(self.legislator.receive(M1, self._to_myself.popleft(), self._now_ms))
        return watch

    def _entrance(self) -> Effects:
        draw, legislator = self._draw, self.legislator
        match draw.below(16):
            case 0 | 1:
                self._now_ms += draw.byte() * 8
                return legislator.on_deadline(self._now_ms, draw.byte())
            case 2 if legislator.may_propose:
                return legislator.propose((b"c",), self._now_ms, self._speaker.integer())
            case 3:
                return legislator.read(draw.byte(), self._now_ms)
            case 4:
                return legislator.suspect(self._speaker.sender(m.Lacking(Slot(1))), self._now_ms)
            case 5 if draw.below(4) == 0:
                return legislator.hand_over(self._now_ms)
            case _:
                message = self._speaker.say(_SAID)
                return legislator.receive(self._speaker.sender(message), message, self._now_ms)

    def _carry_out(self, effects: Effects) -> None:
        for record in effects.records:
            assert decode_record(*encode_record(record)) == record, "a record that no replay would read"
            self._records.append(record)
        for letter in effects.letters:
            _demand_readable(letter.message)
            if letter.to == M1:
                self._to_myself.append(letter.message)
        assert self.legislator.next_deadline() >= 0

    def replayed(self) -> Ledger:
        """The ledger after a restart."""
        ledger = Ledger()
        for record in self._records:
            ledger.write(record)
            ledger.forget_what_the_file_keeps()
        return ledger


def _demand_readable(message: PeerMessage) -> None:
    assert PEER_VOCABULARY.decode(*PEER_VOCABULARY.encode(message)) == message, "a letter that no member would read"


def legislator(data: bytes) -> None:
    """Refused, handled, or stopped for a lie; records and letters can be read; a restart loses nothing."""
    draw = Draw(data)
    lectern = Lectern(draw)
    for _ in range(STEPS_MAX):
        if draw.is_empty:
            break
        if lectern.step().is_lied_to:
            # Half a step was taken, and such a legislator is not used again.
            return
    before, after = lectern.legislator.ledger, lectern.replayed()
    assert vars(before) == vars(after), "a restart makes another ledger"


def host(data: bytes) -> None:
    """The same for a whole host with clients of its own, time and a disk."""
    draw = Draw(data)
    stage = Stage(3, present=[1], snapshots=SnapshotSettings(every_slots=2, tail_bytes=0, part_bytes=64))
    seat = stage[1]
    speaker = Speaker(draw, lambda: seat.host.legislator)
    for _ in range(STEPS_MAX):
        if draw.is_empty or seat.fatal:
            break
        with refusing(ProtocolError, RequestError, lies=True):
            match draw.below(16):
                case 0:
                    stage.run_for(draw.byte() * 8)
                case 1:
                    seat.submit(draw.take(draw.below(4)))
                case 2:
                    seat.read()
                case 3:
                    seat.host.link_lost(NodeId(2 + draw.below(2)))
                case _:
                    message = speaker.say(_SPOKEN)
                    seat.host.receive(speaker.sender(message), message)
            stage.run_for(1)
    for sent in stage.sent:
        _demand_readable(sent.message)
    for record in seat.disk.records:
        assert decode_record(*encode_record(record)) == record, "a record that no replay would read"


# Spelled as the targets read them.  A message is its number in ``_SPOKEN`` behind a byte that is no other step; zeros
# after it are the ballot at hand, the next slot, nothing in lists, and member 2 as the sender.
_STAND = bytes((6, 2, 0, 1))
_PROMISE = bytes((6, 1, 0, 0, 0, 0, 0))
_VOTED = bytes((6, 4, 0, 0, 0))
_PRESENT = bytes((6, 9, 0, 2, 0, 0))
_BEGIN_BALLOT = bytes((6, 3, 64, 0, 0, 0, 0, 1))
_PROPOSE, _READ, _TIME = b"\2\0", b"\3\1", b"\0\x40\0"
ELECTED = _STAND + _PROMISE
PRESIDING = ELECTED + _PROPOSE + _VOTED + _READ + _PRESENT + _TIME
_SUBMIT, _ASK, _PASS = b"\1\1c", b"\2", b"\0\2"

TARGETS: Mapping[str, Target] = {
    "legislator": Target(legislator, (PRESIDING, _BEGIN_BALLOT + _TIME * 4, bytes(range(256)))),
    "host": Target(host, (ELECTED + _SUBMIT + _VOTED + _ASK + _PRESENT + _PASS, _BEGIN_BALLOT, bytes(range(256)))),
}
