"""A member's clock: its own zero, its own slight error of rate, and its own chance."""

from collections.abc import Callable
from random import Random

from paxon.node.ports import Timer
from paxon.sim.agenda import Agenda, Life

MILLION = 1_000_000

EPOCH_MS = 1_700_000_000_000
"""Wall clocks start near here, so that stamps look like stamps."""


class Quartz:
    """What of a clock outlives the process: the machine's rate, and how wrong its wall clock is.

    Invariant: ``reading_ms`` never falls and never leaps, whatever happens to the rate.
    """

    def __init__(self, random: Random, drift_ppm: int, skew_ms: int) -> None:
        self.rate_ppm = MILLION + random.randint(-drift_ppm, drift_ppm)
        """How much the clock advances in a million true milliseconds."""
        self.wall_error_ms = random.randint(-skew_ms, skew_ms)
        self._since_ms = 0
        """When the rate last changed, in true time."""
        self._reading_then_ms = 0
        self._earlier: list[tuple[int, int, int]] = []
        """Since when, from which reading on, and at which rate the clock ran before, the latest last."""

    def wall_ms(self, now_ms: int) -> int:
        """What the wall clock shows at a true time."""
        return EPOCH_MS + self.wall_error_ms + now_ms

    def step_wall(self, now_ms: int, by_ms: int) -> None:
        """Set the wall clock forward or back, to the beginning of 1970 at the most: no system takes an earlier time."""
        self.wall_error_ms += max(by_ms, -self.wall_ms(now_ms))

    def reading_ms(self, now_ms: int) -> int:
        """How far the clock has advanced at a true time that is not before the last change of its rate."""
        return self._reading_then_ms + (now_ms - self._since_ms) * self.rate_ppm // MILLION

    def showed_ms(self, then_ms: int) -> int:
        """How far the clock had advanced at any true time up to now."""
        if then_ms >= self._since_ms:
            return self.reading_ms(then_ms)
        since_ms, reading_ms, rate_ppm = next(piece for piece in reversed(self._earlier) if piece[0] <= then_ms)
        return reading_ms + (then_ms - since_ms) * rate_ppm // MILLION

    def shows_at_ms(self, reading_ms: int) -> int:
        """The true time at which the clock shows at least ``reading_ms``, at its present rate."""
        return self._since_ms - (self._reading_then_ms - reading_ms) * MILLION // self.rate_ppm

    def change_rate(self, now_ms: int, rate_ppm: int) -> None:
        """From here on the clock runs at another rate."""
        self._earlier.append((self._since_ms, self._reading_then_ms, self.rate_ppm))
        self._reading_then_ms = self.reading_ms(now_ms)
        self._since_ms = now_ms
        self.rate_ppm = rate_ppm


class SimClock:
    """Satisfies ``Clock``, for one life of one member."""

    def __init__(self, agenda: Agenda, life: Life, quartz: Quartz, random: Random, zero_ms: int) -> None:
        """``zero_ms`` is what the clock shows when its machine's shows nothing: it means nothing."""
        self._agenda = agenda
        self._life = life
        self._quartz = quartz
        self._random = random
        self._zero_ms = zero_ms
        self._timer_label = f"timer {life.member}"
        self._soon_label = f"soon {life.member}"

    def monotonic_ms(self) -> int:
        """See ``Clock``."""
        return self._zero_ms + self._quartz.reading_ms(self._agenda.now_ms)

    def wall_ms(self) -> int:
        """See ``Clock``."""
        return self._quartz.wall_ms(self._agenda.now_ms)

    def chance(self) -> int:
        """See ``Clock``."""
        return self._random.getrandbits(32)

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """See ``Clock``."""
        event = self._agenda.at(self._true_ms(when_ms), self._timer_label, callback, self._life)
        event.clock_ms = when_ms
        return event

    def call_soon(self, callback: Callable[[], None]) -> None:
        """See ``Clock``."""
        self._agenda.at(self._agenda.now_ms, self._soon_label, callback, self._life)

    def replan_timers(self) -> None:
        """The machine's rate has changed: what waits for a reading of this clock is due at another time."""
        self._agenda.replan_timers(self._life, self._true_ms)

    def _true_ms(self, when_ms: int) -> int:
        return self._quartz.shows_at_ms(when_ms - self._zero_ms)
