"""Virtual time: what happens next, and a record of what happened.

Knows: the order of events and whom each belongs to.  Does not know: what an event does.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from msgspec import Struct, msgpack

from paxon.core.decree import NodeId

REMEMBERED_EVENTS = 40
"""How many of the latest events a violation prints: enough to see the last exchange of five members."""

NOTED_MAX = 4_096
"""How many events are noted before the digest takes them all at once: one at a time costs several times as much."""


class Life:
    """One run of a member's process, from start to crash.  What belongs to a life ends with it."""

    __slots__ = ("alive", "member", "number", "paused_until_ms")

    def __init__(self, member: NodeId, number: int) -> None:
        self.member = member
        self.number = number
        self.alive = True
        self.paused_until_ms = 0


class Event(Struct, eq=False):
    """Something that will happen.  Satisfies ``Timer``."""

    at_ms: int
    label: str
    action: Callable[[], None] | None
    """``None`` once cancelled."""
    life: Life | None
    is_letter: bool = False
    """Whether it travels on by itself while everybody is away."""

    def cancel(self) -> None:
        """Make sure it does not happen."""
        self.action = None


class Agenda:
    """Events in the order of their time; those of the same time in the order they were planned."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.leapt_ms = 0
        """How much of ``now_ms`` was leapt over."""
        self._heap: list[tuple[int, int, Event]] = []
        self._planned = 0

    def at(self, when_ms: int, label: str, action: Callable[[], None], life: Life | None = None) -> Event:
        """Plan ``action`` for ``when_ms``, or for now if that is past."""
        event = Event(max(when_ms, self.now_ms), label, action, life)
        self._push(event)
        return event

    def after(self, delay_ms: int, label: str, action: Callable[[], None], life: Life | None = None) -> Event:
        """Plan ``action`` for ``delay_ms`` from now."""
        event = Event(self.now_ms + delay_ms, label, action, life)
        self._push(event)
        return event

    def pop(self, until_ms: int) -> Event | None:
        """The next event not after ``until_ms``, with the clock moved to it; otherwise the clock moves to ``until_ms``.

        Events of a member that is paused wait for the end of the pause, those of a dead life never come.
        """
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            at_ms, _, event = heappop(heap)
            life = event.life
            if event.action is None or (life is not None and not life.alive):
                continue
            if life is not None and life.paused_until_ms > at_ms:
                event.at_ms = life.paused_until_ms
                self._push(event)
                continue
            self.now_ms = at_ms
            return event
        self.now_ms = max(self.now_ms, until_ms)
        return None

    def leap(self, by_ms: int) -> None:
        """Nobody is there for ``by_ms``: everything planned happens so much later, but letters travel on.

        Letters due in the meantime find nobody.
        """
        self.now_ms += by_ms
        self.leapt_ms += by_ms
        kept = [
            (at_ms if event.is_letter else at_ms + by_ms, number, event)
            for at_ms, number, event in self._heap
            if not event.is_letter or at_ms > self.now_ms
        ]
        heapify(kept)
        self._heap = kept

    def _push(self, event: Event) -> None:
        self._planned += 1
        heappush(self._heap, (event.at_ms, self._planned, event))


class Trace:
    """A digest of everything that happened, the last of it in words, and counts by kind."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self._latest: deque[tuple[int, str]] = deque(maxlen=REMEMBERED_EVENTS)
        self._noted: list[tuple[int, str]] = []
        """What the digest has not taken yet."""
        self.counts: Counter[str] = Counter()

    def note(self, now_ms: int, what: str) -> None:
        """Take note of one event."""
        self._noted.append((now_ms, what))
        if len(self._noted) == NOTED_MAX:
            self._take()

    @property
    def digest(self) -> str:
        """Equal for two runs exactly if the same things happened at the same times in the same order."""
        self._take()
        return self._digest.hexdigest()

    @property
    def latest(self) -> str:
        """The last events, one a line."""
        # Whoever looks must not change the digest, so nothing is taken here.
        latest = [*self._latest, *self._noted][-REMEMBERED_EVENTS:]
        return "\n".join(f"{now_ms:>8} {what}" for now_ms, what in latest)

    def _take(self) -> None:
        self._digest.update(msgpack.encode(self._noted))
        self._latest.extend(self._noted[-REMEMBERED_EVENTS:])
        self._noted.clear()
