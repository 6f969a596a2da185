"""How to take back what a command did: the changes of a state, each with its undoing.

Knows: the order of changes, and who must be told before one is made.  Does not know: what was changed.
"""

from collections.abc import Callable
from typing import Any, Protocol

from paxon.errors import check


class Onlooker(Protocol):
    """Who must see a container as it is before it changes."""

    def before_change(self, container: Any) -> None:
        """``container`` is about to change, and not for the first time perhaps."""


class Journal:
    """How to take back what was changed since the last ``forget``, and who looks on.

    Every container of the state has a ``place``, by which an onlooker knows it again (containers
    have no hash, and ``id`` differs from run to run).  Places rise: those that one onlooker gives
    out are above all that were there before it.
    """

    __slots__ = ("_last_place", "_onlooker", "_undos", "place")

    def __init__(self) -> None:
        self._undos: list[Callable[[], object]] = []
        self._onlooker: Onlooker | None = None
        self._last_place = 0
        self.place = 0
        """What a container is given that is made now."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take back."""
        return not self._undos

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks on."""
        return self._onlooker is not None

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take one change back.  ``undo`` must not note anything itself."""
        self._undos.append(undo)

    def change(self, container: Any, undo: Callable[[], object]) -> None:
        """The same for a change of ``container``, which is made after this call and not before it."""
        if self._onlooker is not None:
            self._onlooker.before_change(container)
        self._undos.append(undo)

    def forget(self) -> None:
        """Let what was changed stay."""
        if self._undos:
            self._undos.clear()

    def take_back(self) -> None:
        """Undo every change since the last ``forget``, the latest first.

        All contents are then as they were.  A key that was removed and is back may stand
        elsewhere in the order of its dictionary or set: at the same place on every member.
        The onlooker is not told: it was when these changes were made.
        """
        undos, self._undos = self._undos, []
        for undo in reversed(undos):
            undo()

    def begin_watch(self, onlooker: Onlooker) -> int:
        """Tell ``onlooker`` of every change from here on; returns the place of what is made meanwhile.

        Raises:
            InvariantViolation: within a command, whose changes it would take for settled; or if there is one already.
        """
        check(self.is_empty, "a state is looked at between commands")
        check(self._onlooker is None, "one capture of a state is under way at a time")
        self._onlooker = onlooker
        self.place = self._last_place = self._last_place + 1
        return self.place

    def end_watch(self, last_place: int) -> None:
        """Tell nobody any more.  ``last_place`` is the highest that was given out."""
        self._onlooker = None
        self._last_place = max(self._last_place, last_place)
