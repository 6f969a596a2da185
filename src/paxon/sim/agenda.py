"""Virtual time: what happens next, and a record of what happened.

Knows: the order of events and whom each belongs to.  Does not know: what an event does.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from msgspec import Struct, json

from paxon.core.decree import NodeId
from paxon.sim.watcher import Watcher

REMEMBERED_EVENTS = 40
"""How many of the latest events a violation prints: enough to see the last exchange of five members."""

NOTED_MAX = 4_096
"""How many events are noted before the digest takes them all at once: one at a time costs several times as much."""

_encode_lines = json.Encoder().encode_lines


class Life:
    """One run of a member's process, from start to crash.  What belongs to a life ends with it."""

    __slots__ = ("alive", "free_at_ms", "is_paused", "member", "number", "pauses", "postponed", "step_ms")

    def __init__(self, member: NodeId, number: int) -> None:
        self.member = member
        self.number = number
        self.alive = True
        self.is_paused = False
        self.pauses = 0
        """How many pauses it has had: the end of one must not end a later one."""
        self.postponed: list[Event] = []
        """What fell due while it was paused, in that order."""
        self.step_ms = 0
        """How long it works on one event; 0 unless it is slow."""
        self.free_at_ms = 0
        """When a slow process has worked off everything that came before."""


class Event(Struct, eq=False):
    """Something that will happen.  Satisfies ``Timer``."""

    at_ms: int
    label: str
    action: Callable[[], None] | None
    """``None`` once cancelled."""
    life: Life | None
    is_letter: bool = False
    """Whether it travels on by itself while everybody is away."""
    clock_ms: int | None = None
    """When it is due by the clock of ``life``, if it is a timer."""
    has_turn: bool = False
    """Whether a slow process has come to it."""

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
        self._planned += 1
        heappush(self._heap, (event.at_ms, self._planned, event))
        return event

    def after(self, delay_ms: int, label: str, action: Callable[[], None], life: Life | None = None) -> Event:
        """Plan ``action`` for ``delay_ms`` from now."""
        event = Event(self.now_ms + delay_ms, label, action, life)
        self._planned += 1
        heappush(self._heap, (event.at_ms, self._planned, event))
        return event

    def pop(self, until_ms: int) -> Event | None:
        """The next event not after ``until_ms``, with the clock moved to it; otherwise the clock moves to ``until_ms``.

        Events of a member that is paused wait for the end of the pause, those of a slow one for its
        having worked off what came before; those of a dead life never come.
        """
        heap = self._heap
        while heap and heap[0][0] <= until_ms:
            at_ms, _, event = heappop(heap)
            life = event.life
            if event.action is None or (life is not None and not life.alive):
                continue
            self.now_ms = at_ms
            if life is not None and (life.is_paused or life.step_ms) and self._is_kept_waiting(event, life):
                continue
            return event
        self.now_ms = max(self.now_ms, until_ms)
        return None

    def _is_kept_waiting(self, event: Event, life: Life) -> bool:
        if life.is_paused:
            life.postponed.append(event)
            return True
        if event.has_turn:
            return False
        event.has_turn = True
        turn_ms = max(self.now_ms, life.free_at_ms)
        life.free_at_ms = turn_ms + life.step_ms
        if turn_ms == self.now_ms:
            return False
        event.at_ms = turn_ms
        self._push(event)
        return True

    def resume(self, life: Life, apart_ms: int = 0) -> None:
        """End a pause: what fell due meanwhile happens now, or so far apart."""
        life.is_paused = False
        postponed, life.postponed = life.postponed, []
        for number, event in enumerate(postponed):
            event.at_ms = self.now_ms + number * apart_ms
            self._push(event)

    def hasten(self, life: Life) -> None:
        """A slow process is fast again: all that waited for its turn happens now."""
        life.step_ms = life.free_at_ms = 0
        self._replan(life, lambda event: self.now_ms if event.has_turn else None)

    def replan_timers(self, life: Life, when: Callable[[int], int]) -> None:
        """The clock of ``life`` runs at another rate: ``when`` tells the true time at which it shows a reading."""
        self._replan(life, lambda event: None if event.clock_ms is None else max(self.now_ms, when(event.clock_ms)))

    def _replan(self, life: Life, when: Callable[[Event], int | None]) -> None:
        """Give events of ``life`` another time, those that ``when`` has one for."""
        for place, (_, number, event) in enumerate(self._heap):
            if event.life is life and (at_ms := when(event)) is not None:
                event.at_ms = at_ms
                self._heap[place] = (at_ms, number, event)
        heapify(self._heap)

    def planned_for(self, life: Life) -> int:
        """How many events of ``life`` are still to come."""
        return sum(event.life is life and event.action is not None for _, _, event in self._heap)

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
    """A digest of everything that happened, the last of it in words, counts by kind, and whoever watches."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.watcher = watcher or Watcher()
        self.is_watched = watcher is not None
        """Whether anybody listens: asked where telling would cost more than what is told."""
        self._digest = hashlib.blake2b(digest_size=16)
        self._latest: deque[tuple[int, str]] = deque(maxlen=REMEMBERED_EVENTS)
        self._noted: list[tuple[int, str]] = []
        """What the digest has not taken yet."""
        self.counts: Counter[str] = Counter()

    def note(self, now_ms: int, what: str) -> None:
        """Take note of one event."""
        noted = self._noted
        noted.append((now_ms, what))
        if len(noted) == NOTED_MAX:
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
        # A line for each, so that it makes no difference how many are taken at once.
        self._digest.update(_encode_lines(self._noted))
        self._latest.extend(self._noted[-REMEMBERED_EVENTS:])
        self._noted.clear()
