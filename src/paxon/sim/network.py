"""A network that loses, doubles, delays and reorders letters, and delivers old ones again whenever it likes.

Knows: who may reach whom at the moment, and every letter recently sent.  Does not know: what a letter means.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import get_args
from zlib import crc32

from msgspec import Struct

from paxon.codec.messages import HOST_KINDS_FROM, MESSAGE_KINDS
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.node.letters import HostMessage, PeerMessage
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.plan import HOUR_MS, MINUTE_MS, NetworkFaults
from paxon.sim.strikes import Strikes

POOL_LETTERS = 2_000
"""How many letters are remembered for later replay, across crashes and restarts of either side."""

VOCABULARY = Vocabulary(
    {**MESSAGE_KINDS, **{HOST_KINDS_FROM + number: kind for number, kind in enumerate(get_args(HostMessage))}}
)


class Envelope:
    """A message as it travels: one for all who are sent the same.

    ``title`` tells it for people, and for the trace.  ``message`` is what every receiver reads.
    """

    __slots__ = ("message", "title")

    def __init__(self, message: PeerMessage, encode: bool) -> None:
        self.title = type(message).__name__
        self.message = message
        if encode:
            kind, body = VOCABULARY.encode(message)
            self.title += f" {crc32(body):08x}"
            # Once for all receivers: a message cannot be changed, and the same bytes are the same message.
            self.message = VOCABULARY.decode(kind, body)  # type: ignore[assignment]


class Parcel(Struct, eq=False):
    """A letter on its way."""

    sender: NodeId
    to: NodeId
    envelope: Envelope

    @property
    def message(self) -> PeerMessage:
        """What the receiver reads."""
        return self.envelope.message

    @property
    def label(self) -> str:
        """The letter for people, and for the trace."""
        return f"{self.sender}>{self.to} {self.envelope.title}"


class Network:
    """Carries parcels.  ``deliver`` is called when one arrives, whoever is then alive."""

    def __init__(
        self,
        agenda: Agenda,
        trace: Trace,
        strikes: Strikes,
        random: Random,
        faults: NetworkFaults,
        deliver: Callable[[Parcel], None],
        encode: bool,
    ) -> None:
        self._agenda = agenda
        self._trace = trace
        self._strikes = strikes
        self._random = random
        self.faults = faults
        self._deliver = deliver
        self._encode = encode
        self.cut: set[tuple[NodeId, NodeId]] = set()
        """Pairs of a sender and a receiver whose letters vanish."""
        self._pool: deque[Parcel] = deque(maxlen=POOL_LETTERS)
        self._detained: list[Parcel] = []
        self._sent: PeerMessage | None = None
        """The latest message, and its envelope: a letter to everybody comes once for each in a row."""
        self._envelope: Envelope | None = None
        self.mailbox: list[Parcel] | None = None
        """Where letters wait for a hand to deliver them; ``None`` when they travel by themselves."""

    def send(self, sender: NodeId, to: NodeId, message: PeerMessage) -> None:
        """Take a letter, and decide its fate."""
        envelope = self._envelope
        if envelope is None or message is not self._sent:
            envelope = self._envelope = Envelope(message, self._encode)
            self._sent = message
        parcel = Parcel(sender, to, envelope)
        counts = self._trace.counts
        counts["letters"] += 1
        if self.mailbox is not None:
            self.mailbox.append(parcel)
            return
        random, faults, strike = self._random, self.faults, self._strikes.strike
        if faults.replay_every_ms or faults.detained:
            self._pool.append(parcel)
        if (sender, to) in self.cut:
            counts["lost"] += 1
            return
        if faults.loss and random.random() < faults.loss and strike("N3", f"lose {parcel.label}"):
            counts["lost"] += 1
            return
        if faults.detained and random.random() < faults.detained:
            delay_ms = random.randint(MINUTE_MS, 2 * HOUR_MS)
            if strike("N5", f"hold {parcel.label} back for {delay_ms} ms"):
                counts["detained"] += 1
                self._detained.append(parcel)
                self._post(parcel, delay_ms)
                return
        self._post(parcel, self._delay(parcel))
        if faults.duplicates and random.random() < faults.duplicates:
            delay_ms = self._delay(parcel)
            if strike("N4", f"double {parcel.label}"):
                counts["doubled"] += 1
                self._post(parcel, delay_ms)

    def replay(self) -> None:
        """Deliver some old letter again."""
        if not self._pool:
            return
        parcel = self._pool[self._random.randrange(len(self._pool))]
        delay_ms = self._delay(parcel)
        if self._strikes.strike("N4", f"deliver {parcel.label} again"):
            self._trace.counts["replayed"] += 1
            self._post(parcel, delay_ms)

    def heal(self) -> None:
        """No more faults; what was held back for hours comes now, after everything else."""
        self.cut.clear()
        self.faults = NetworkFaults()
        detained, self._detained = self._detained, []
        for parcel in detained:
            self._post(parcel, self._random.randint(0, 1_000))

    def _delay(self, parcel: Parcel) -> int:
        random, faults = self._random, self.faults
        if faults.slow and random.random() < faults.slow:
            delay_ms = random.randint(0, faults.slow_ms)
            if self._strikes.strike("N5", f"delay {parcel.label} by {delay_ms} ms"):
                return delay_ms
        return random.randint(*faults.delay_ms)

    def _post(self, parcel: Parcel, delay_ms: int) -> None:
        self._agenda.after(delay_ms, parcel.label, lambda: self.arrive(parcel)).is_letter = True

    def arrive(self, parcel: Parcel) -> None:
        """Hand a parcel over, unless the way is cut by now."""
        if (parcel.sender, parcel.to) in self.cut:
            self._trace.counts["lost"] += 1
        else:
            self._deliver(parcel)
