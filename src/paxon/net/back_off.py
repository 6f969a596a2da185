"""When to dial again: soon at first, rarely after a while, slowly where only an operator can help.

Knows: how earlier attempts ended.  Does not know: clocks or sockets; chance is drawn by the caller's function.
"""

import enum
from collections.abc import Callable

from msgspec import Struct

CHANCE_LIMIT = 2**32
"""A draw of chance is below this."""

DOUBLINGS_MAX = 32
"""Beyond this the wait is at its maximum whatever the settings; a float would overflow within a day of retries."""


class LinkTimings(Struct, frozen=True):
    """How patient links are.  Seconds."""

    retry_s_min: float = 0.02
    """The first retry comes about this soon: most breaks are restarts, and elections wait for links."""
    retry_s_max: float = 2.0
    """Retries become rarer up to this; a link that lasted so long counts as a success."""
    refused_retry_s: float = 5.0
    """How often to knock where we were refused: only an operator can change the answer."""
    handshake_timeout_s: float = 5.0
    """From the first packet to the welcome, TLS included."""
    answer_s: float = 0.5
    """How long a member that starts waits for those who do not answer: many retries of those who are there."""
    stall_timeout_s: float = 10.0
    """A link that passes nothing on for so long is dropped and dialled again."""


class Ended(enum.Enum):
    """How one attempt at a link ended."""

    FAILED = "not reached, or broken off"
    REFUSED = "one side would not have the other"
    SHORT = "broke soon after it was up"
    LASTED = "was up for a good while"


class BackOff:
    """The waits between attempts at one link.

    A link that broke soon is a failure like any other.  Were a welcome enough to start over, two
    processes that both believe to be the same member would replace each other's links fifty times a second.
    """

    def __init__(self, timings: LinkTimings, chance: Callable[[], int]) -> None:
        self._timings = timings
        self._chance = chance
        self._failures = 0

    def wait_s(self, ended: Ended) -> float:
        """How long to wait after an attempt that ended like this.

        Between half of the full wait and all of it, so that members do not dial in step after
        a failure that they shared.
        """
        if ended is Ended.REFUSED:
            self._failures = 0
            full = self._timings.refused_retry_s
        elif ended is Ended.LASTED:
            self._failures = 0
            full = self._timings.retry_s_min
        else:
            doubled = self._timings.retry_s_min * 2.0 ** min(self._failures, DOUBLINGS_MAX)
            full = min(doubled, self._timings.retry_s_max)
            self._failures += 1
        return full * (0.5 + 0.5 * self._chance() / CHANCE_LIMIT)
