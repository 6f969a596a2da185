"""The endpoints of a cluster as one client knows them, and which of them to ask next.

Knows: order and hints.  Does not know: connections, or why an endpoint is left.
"""

from collections.abc import Iterable

from paxon.errors import ConfigurationError
from paxon.node.settings import Address

ENDPOINTS_MAX = 256
"""Hints add endpoints; a member that hints at nonsense must not make the list grow without end."""

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # recognised, not bound to


class Endpoints:
    """Endpoints in a ring, one of them preferred.

    Invariant: ``known`` has no repetition and is never empty; ``preferred`` is one of them.
    """

    def __init__(self, endpoints: Iterable[Address]) -> None:
        """The first one is preferred.

        Raises:
            ConfigurationError: there is none.
        """
        self._known = list(dict.fromkeys(endpoints))
        if not self._known:
            raise ConfigurationError("no endpoints: give at least one HOST:PORT of a member")
        self._place = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> tuple[Address, ...]:
        """All of them, those from hints last."""
        return tuple(self._known)

    @property
    def preferred(self) -> Address:
        """Whom to ask."""
        return self._known[self._place]

    def leave(self, endpoint: Address, hint: str = "") -> None:
        """Prefer another than ``endpoint``: the one that ``hint`` names if it makes sense, the next one otherwise.

        Does nothing if another is preferred already: many requests fail together when a member
        does, and the second one must not undo what the first has learnt.
        """
        if endpoint != self.preferred:
            return
        hinted = reachable_or_none(hint)
        if hinted is None or hinted == endpoint:
            self._place = (self._place + 1) % len(self._known)
            return
        if hinted not in self._known:
            if len(self._known) >= ENDPOINTS_MAX:
                self._place = (self._place + 1) % len(self._known)
                return
            self._known.append(hinted)
        self._place = self._known.index(hinted)


def reachable_or_none(hint: str) -> Address | None:
    """The address that ``hint`` spells, if it spells one that can be dialled.

    A member that listens on every address and was not told its own can only hint at all of them.
    """
    try:
        address = Address.parse(hint)
    except ConfigurationError:
        return None
    return None if address.host in _EVERYWHERE else address
