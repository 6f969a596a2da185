"""Complaints that are logged once each, however often they occur.

Knows: what was said already.  Does not know: what any of it means.  A misconfigured peer
retries for ever, and a stranger can fail in as many ways as it likes: the log shows each
distinct complaint once, and a bounded number of them.
"""

import logging

logger = logging.getLogger("paxon.net")

TEXT_LENGTH_MAX = 500
"""Characters.  Reasons that come from the other side are cut here, so that nobody fills our log for us."""


def printable(text: str) -> str:
    """``text`` from the other side as it may appear in a log line: one line, no control characters, not long."""
    cut = text if len(text) <= TEXT_LENGTH_MAX else text[:TEXT_LENGTH_MAX] + "..."
    return "".join(character if character.isprintable() else "?" for character in cut)


class Complaints:
    """What was complained of and not settled since: at most ``limit`` complaints."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[tuple[str, str], str] = {}
        """Pairs of who is complained of and the text, and the lane (or whatever) that met it first."""
        self._is_muted = False

    def say(self, event: str, about: str, text: str, lane: str = "") -> bool:
        """Log ``event`` as a warning unless the same was said of ``about`` already; tells whether it did."""
        about, text = printable(about), printable(text)
        complaint = (about, text)
        if complaint in self._open:
            return False
        if len(self._open) >= self._limit:
            if not self._is_muted:
                self._is_muted = True
                logger.warning("further complaints are counted, not logged", extra={"fields": {"last": event}})
            return False
        self._open[complaint] = lane
        logger.warning(event, extra={"fields": {"peer": about, "reason": text}})
        return True

    def settle(self, about: str, lane: str = "") -> None:
        """All is well with ``about`` on this lane: complain again if it goes wrong again."""
        for complaint in [one for one, met_by in self._open.items() if one[0] == about and met_by == lane]:
            del self._open[complaint]
        self._is_muted = False
