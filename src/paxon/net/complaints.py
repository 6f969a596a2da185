"""Complaints that are logged once each, however often they occur.

Knows: what was said already.  Does not know: what any of it means.  A misconfigured peer
retries for ever, and a stranger can fail in as many ways as it likes: the log shows each
distinct complaint once an hour, and a bounded number of them.
"""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger("paxon.net")

TEXT_LENGTH_MAX = 500
"""Characters.  Reasons that come from the other side are cut here, so that nobody fills our log for us."""


def printable(text: str) -> str:
    """``text`` from the other side as it may appear in a log line: one line, no control characters, not long."""
    cut = text if len(text) <= TEXT_LENGTH_MAX else text[:TEXT_LENGTH_MAX] + "..."
    return "".join(character if character.isprintable() else "?" for character in cut)


FORGET_AFTER_S = 3600.0
"""A complaint that still holds after so long is worth another line: who looks at the log may look at today's only."""


class Complaints:
    """What was complained of and not settled within the last hour: at most ``limit`` complaints."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._open: dict[tuple[str, str], tuple[str, float]] = {}
        """By who is complained of and the text: the lane (or whatever) that met it first, and when.  Oldest first."""
        self._is_muted = False

    def say(self, event: str, about: str, text: str, lane: str = "") -> bool:
        """Log ``event`` as a warning unless the same was said of ``about`` already; tells whether it did."""
        self._forget()
        about, text = printable(about), printable(text)
        complaint = (about, text)
        if complaint in self._open:
            return False
        if len(self._open) >= self._limit:
            if not self._is_muted:
                self._is_muted = True
                logger.warning("further complaints are counted, not logged", extra={"fields": {"last": event}})
            return False
        self._open[complaint] = (lane, self._clock())
        logger.warning(event, extra={"fields": {"peer": about, "reason": text}})
        return True

    def settle(self, about: str, lane: str = "") -> None:
        """All is well with ``about`` on this lane: complain again if it goes wrong again."""
        settled = [one for one, (met_by, _) in self._open.items() if one[0] == printable(about) and met_by == lane]
        for complaint in settled:
            del self._open[complaint]
            self._is_muted = False

    def _forget(self) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if self._clock() - self._open[oldest][1] < FORGET_AFTER_S:
                return
            del self._open[oldest]
            self._is_muted = False
