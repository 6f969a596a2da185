"""A member's clock: its own zero, its own slight error of rate, and its own chance."""

from collections.abc import Callable
from random import Random

from paxon.node.ports import Timer
from paxon.sim.agenda import Agenda, Life

MILLION = 1_000_000

EPOCH_MS = 1_700_000_000_000
"""Wall clocks start near here, so that stamps look like stamps."""


class Quartz:
    """What of a clock outlives the process: the machine's rate and how wrong its wall clock is."""

    def __init__(self, random: Random, drift_ppm: int, skew_ms: int) -> None:
        self.rate_ppm = MILLION + random.randint(-drift_ppm, drift_ppm)
        self.wall_error_ms = random.randint(-skew_ms, skew_ms)


class SimClock:
    """Satisfies ``Clock``, for one life of one member."""

    def __init__(self, agenda: Agenda, life: Life, quartz: Quartz, random: Random) -> None:
        self._agenda = agenda
        self._life = life
        self._quartz = quartz
        self._random = random
        self._zero_ms = random.randint(0, 10_000_000)
        """The zero of a monotonic clock means nothing, so every life has another."""
        self._timer_label = f"timer {life.member}"
        self._soon_label = f"soon {life.member}"

    def monotonic_ms(self) -> int:
        """See ``Clock``."""
        return self._zero_ms + self._agenda.now_ms * self._quartz.rate_ppm // MILLION

    def wall_ms(self) -> int:
        """See ``Clock``."""
        return EPOCH_MS + self._quartz.wall_error_ms + self._agenda.now_ms

    def chance(self) -> int:
        """See ``Clock``."""
        return self._random.getrandbits(32)

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """See ``Clock``."""
        # Rounded up, so that the clock has reached the time when the callback looks at it.
        true_ms = -((self._zero_ms - when_ms) * MILLION // self._quartz.rate_ppm)
        return self._agenda.at(true_ms, self._timer_label, callback, self._life)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """See ``Clock``."""
        self._agenda.at(self._agenda.now_ms, self._soon_label, callback, self._life)
