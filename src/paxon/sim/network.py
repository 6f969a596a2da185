"""A network that loses, doubles, delays and reorders letters, and delivers old ones again whenever it likes.

Knows: who may reach whom at the moment, and every letter recently sent.  Does not know: what a letter means.

The order of letters is anybody's, also within a connection, so that more orders are tried than TCP has.  A connection
matters all the same: when it breaks, what it carries is lost, and one side or both are told.
"""

import re
from collections import deque
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Protocol, get_args
from zlib import crc32

from msgspec import Struct, structs

from paxon.codec.frames import encode_frame
from paxon.codec.messages import HOST_KINDS_FROM, MESSAGE_KINDS
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ProtocolError
from paxon.node.letters import HostMessage, PeerMessage
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.damage import DAMAGES, damage
from paxon.sim.deal import Deal
from paxon.sim.links import Hearing, Link, Way
from paxon.sim.plan import HOUR_MS, MINUTE_MS, NetworkFaults
from paxon.sim.strikes import Strikes
from paxon.sim.words import letter_words

POOL_LETTERS = 2_000
"""How many letters are remembered for later replay, across crashes and restarts of either side."""

GIST_END = re.compile(r"[,:;]")

VOCABULARY = Vocabulary(
    {**MESSAGE_KINDS, **{HOST_KINDS_FROM + number: kind for number, kind in enumerate(get_args(HostMessage))}}
)


FRAME_HEAD_BYTES = len(encode_frame(0, b""))


class Envelope:
    """A message as it travels: one for all who are sent the same.

    ``title`` tells it for people, and for the trace.  ``message`` is what every receiver reads.
    ``body`` is the message as bytes, if it travels as bytes.
    """

    __slots__ = ("body", "message", "title")

    def __init__(self, message: PeerMessage, encode: bool) -> None:
        self.title = type(message).__name__
        self.message = message
        self.body: tuple[int, bytes] | None = None
        if encode:
            self.body = kind, body = VOCABULARY.encode(message)
            self.title += f" {crc32(body):08x}"
            # Once for all receivers: a message cannot be changed, and the same bytes are the same message.
            self.message = VOCABULARY.decode(kind, body)  # type: ignore[assignment]


class Parcel(Struct, eq=False):
    """A letter on its way."""

    sender: NodeId
    to: NodeId
    envelope: Envelope
    number: int = 0
    """Which letter of the run it is, the same for all its copies; 0 for one that a script made up."""
    urgent: bool = False
    """Whether it goes by the urgent lane."""
    damaged: bytes | None = None
    """What arrives of its frame, if that is not what was sent."""

    @property
    def message(self) -> PeerMessage:
        """What the receiver reads."""
        return self.envelope.message

    @property
    def body(self) -> tuple[int, bytes] | None:
        """The letter as bytes, if it travels as bytes."""
        return self.envelope.body

    @property
    def size(self) -> int:
        """How many bytes it is on the wire; nothing if it does not travel as bytes."""
        return 0 if self.body is None else FRAME_HEAD_BYTES + len(self.body[1])

    @property
    def label(self) -> str:
        """The letter for people, and for the trace."""
        return f"{self.sender}>{self.to} {self.envelope.title}"

    @property
    def gist(self) -> str:
        """Its way, its kind, and which ballot and slot it is about: the same in runs that differ in what is decreed."""
        return f"{self.sender}>{self.to} {GIST_END.split(letter_words(self.message), 1)[0]}"


class Ends(Protocol):
    """Those at the ends of the links."""

    def deliver(self, parcel: Parcel) -> None:
        """A parcel arrived, whoever is then alive."""

    def hint(self, member: NodeId, peer: NodeId) -> None:
        """Let ``member`` know that its link to ``peer`` broke."""

    def heard(self, frames: Sequence[tuple[int, bytes]], sent: Sequence[tuple[int, bytes]]) -> None:
        """From a stream that was damaged a receiver reads ``frames``, and ``sent`` is what was put in."""


class Network:
    """Carries parcels from end to end."""

    def __init__(
        self,
        agenda: Agenda,
        trace: Trace,
        strikes: Strikes,
        random: Random,
        deal: Deal | None,
        faults: NetworkFaults,
        ends: Ends,
        encode: bool,
    ) -> None:
        self._agenda = agenda
        self._trace = trace
        self._strikes = strikes
        self._random = random
        self._deal = deal
        """How each letter is dealt its fate by itself; ``None`` if all are, one after the other."""
        self.faults = faults
        self._ends = ends
        self._encode = encode
        self.cut: set[Way] = set()
        """Pairs of a sender and a receiver whose letters vanish."""
        self._links: dict[Way, Link] = {}
        """Those with which something is, or was, wrong."""
        self._pool: deque[Parcel] = deque(maxlen=POOL_LETTERS)
        self._detained: list[Parcel] = []
        self._sent: PeerMessage | None = None
        """The latest message, and its envelope: a letter to everybody comes once for each in a row."""
        self._envelope: Envelope | None = None
        self._clogged: list[tuple[Parcel, int]] = []
        """Letters that wait in front of a clogged link, each with its connection, in the order they were sent in."""
        self.mailbox: list[Parcel] | None = None
        """Where letters wait for a hand to deliver them; ``None`` when they travel by themselves."""

    def link(self, sender: NodeId, to: NodeId) -> Link:
        """One direction, to do something to it."""
        return self._links.setdefault((sender, to), Link())

    def send(self, sender: NodeId, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        """Take a letter, and decide its fate."""
        envelope = self._envelope
        if envelope is None or message is not self._sent:
            envelope = self._envelope = Envelope(message, self._encode)
            self._sent = message
        counts = self._trace.counts
        number = counts["letters"] = counts["letters"] + 1
        parcel = Parcel(sender, to, envelope, number, urgent)
        self._trace.watcher.sent(parcel)
        if self.mailbox is not None:
            self.mailbox.append(parcel)
            return
        random = self._deal.of(parcel.gist) if self._deal else self._random
        faults, strike = self.faults, self._strikes.strike
        if faults.replay_every_ms or faults.detained:
            self._pool.append(parcel)
        way = (sender, to)
        link = self._links.get(way)
        if way in self.cut or (link is not None and not self._takes(link, parcel)):
            self.lose(parcel, "cut off")
            return
        if faults.loss and random.random() < faults.loss and strike("N3", f"lose {parcel.gist}"):
            self.lose(parcel, "lost")
            return
        if faults.detained and random.random() < faults.detained:
            delay_ms = random.randint(MINUTE_MS, 2 * HOUR_MS)
            if strike("N5", f"hold {parcel.gist} back for {delay_ms} ms", "held back"):
                counts["detained"] += 1
                self._detained.append(parcel)
                self._post(parcel, delay_ms)
                return
        self._carry(self._maybe_damaged(parcel, random) if faults.damaged else parcel, link, random)
        if faults.duplicates and random.random() < faults.duplicates:
            delay_ms = self._delay(parcel, random)
            if strike("N4", f"double {parcel.gist}", "doubled"):
                counts["doubled"] += 1
                self._post(parcel, delay_ms)

    @property
    def clogged(self) -> int:
        """How many letters wait in front of clogged links."""
        return len(self._clogged)

    def replay(self) -> None:
        """Deliver some old letter again."""
        if not self._pool:
            return
        parcel = self._pool[self._random.randrange(len(self._pool))]
        delay_ms = self._delay(parcel, self._random)
        if self._strikes.strike("N4", f"deliver {parcel.gist} again", "again"):
            self._trace.counts["replayed"] += 1
            self._post(parcel, delay_ms)

    def heal(self) -> None:
        """No more faults; what was held back for hours comes now, after everything else."""
        self.cut.clear()
        self.faults = NetworkFaults()
        for way, link in self._links.items():
            self.unclog(*way)
            if link.is_dead or link.hearings:
                self.break_connection(*way)
            link.bytes_max = link.cap = link.reset = None
            link.loss = 0.0
        detained, self._detained = self._detained, []
        for parcel in detained:
            self._post(parcel, self._random.randint(0, 1_000))

    def clog(self, sender: NodeId, to: NodeId) -> None:
        """Hold everything back on this way."""
        self.link(sender, to).is_clogged = True

    def unclog(self, sender: NodeId, to: NodeId) -> None:
        """Let everything that was held back on this way arrive, in its order."""
        self.link(sender, to).is_clogged = False
        clogged, self._clogged = self._clogged, []
        delay_ms = self._random.randint(*self.faults.delay_ms)
        for parcel, connection in clogged:
            if (parcel.sender, parcel.to) == (sender, to):
                self._post(parcel, delay_ms, connection)
            else:
                self._clogged.append((parcel, connection))

    def break_connection(
        self, sender: NodeId, to: NodeId, tells_sender: bool = True, tells_receiver: bool = True
    ) -> None:
        """What is on its way is lost, and so is what the sender sends until it is told."""
        link = self.link(sender, to)
        link.breaks()
        link.is_dead = not tells_sender
        if tells_sender:
            self._ends.hint(sender, to)
        if tells_receiver:
            self._ends.hint(to, sender)

    def reconnect(self, member: NodeId) -> None:
        """A member came back, with connections of its own."""
        for way, link in self._links.items():
            if member in way:
                link.is_dead = False
                link.hearings.clear()

    def arrive(self, parcel: Parcel, connection: int | None = None) -> None:
        """Hand a parcel over, unless its way is cut by now or its connection is gone.

        ``connection`` is the one that carries it; ``None`` for one that comes whatever has become of that.
        """
        way = (parcel.sender, parcel.to)
        link = self._links.get(way)
        is_late = link is not None and connection is not None and connection != link.connection
        if is_late or way in self.cut:
            self.lose(parcel, "its connection broke" if is_late else "cut off")
        elif parcel.damaged is not None or (link is not None and parcel.urgent in link.hearings):
            self._read(parcel)
        else:
            self._ends.deliver(parcel)

    def _takes(self, link: Link, parcel: Parcel) -> bool:
        if link.reset is not None:
            link.reset.letters -= 1
            if link.reset.letters <= 0:
                self.break_connection(parcel.sender, parcel.to, link.reset.tells_sender, link.reset.tells_receiver)
        is_lost = link.loss and self._random.random() < link.loss and self._strikes.strike("N3", f"lose {parcel.gist}")
        return not (is_lost or link.is_dead or (link.bytes_max is not None and parcel.size > link.bytes_max))

    def _maybe_damaged(self, parcel: Parcel, random: Random) -> Parcel:
        faults = self.faults
        if parcel.body is None or random.random() >= faults.damaged:
            return parcel
        kind = random.choice(DAMAGES)
        damaged = damage(encode_frame(*parcel.body), kind, random)
        if not self._strikes.strike("N6", f"damage {parcel.gist}", kind):
            return parcel
        return structs.replace(parcel, damaged=damaged)

    def _carry(self, parcel: Parcel, link: Link | None, random: Random) -> None:
        """Put a letter on the connection that there is."""
        delay_ms = self._delay(parcel, random)
        if link is None:
            self._post(parcel, delay_ms, 0)
            return
        if link.is_clogged:
            self._clogged.append((parcel, link.connection))
            return
        if link.cap is not None:
            wait_ms = link.cap.wait_ms(self._agenda.now_ms, parcel.size, parcel.urgent)
            if wait_ms is None:
                self.lose(parcel, "no room in front of a narrow link")
                return
            delay_ms += wait_ms
        self._post(parcel, delay_ms, link.connection)

    def _delay(self, parcel: Parcel, random: Random) -> int:
        faults = self.faults
        if faults.slow and random.random() < faults.slow:
            delay_ms = random.randint(0, faults.slow_ms)
            if self._strikes.strike("N5", f"delay {parcel.gist} by {delay_ms} ms", "late"):
                return delay_ms
        return random.randint(*faults.delay_ms)

    def _post(self, parcel: Parcel, delay_ms: int, connection: int | None = None) -> None:
        self._agenda.after(delay_ms, parcel.label, partial(self.arrive, parcel, connection)).is_letter = True

    def lose(self, parcel: Parcel, why: str) -> None:
        """A letter, or one more copy of it, comes to nothing."""
        self._trace.counts["lost"] += 1
        self._trace.watcher.lost(parcel, why)

    def _read(self, parcel: Parcel) -> None:
        """Let the receiver read a stream that is damaged, or was before: it hangs up on both ends once it notices.

        Not every damage shows at once: of a frame that was cut short the next one is taken for the rest.
        """
        link = self.link(parcel.sender, parcel.to)
        hearing = link.hearings.setdefault(parcel.urgent, Hearing())
        if parcel.body is None:
            return
        hearing.sent.append(parcel.body)
        try:
            frames = hearing.reader.feed(parcel.damaged or encode_frame(*parcel.body))
        except ProtocolError:
            self._trace.counts["damage noticed"] += 1
            self._trace.watcher.lost(parcel, "damaged")
            self.break_connection(parcel.sender, parcel.to)
            return
        self._ends.heard(frames, hearing.sent)
