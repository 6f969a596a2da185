"""How to take back what a command did: the changes of a state, each with its undoing.

Knows: the order of changes.  Does not know: what was changed.
"""

from collections.abc import Callable


class Journal:
    """How to take back what was changed since the last ``forget``."""

    __slots__ = ("_undos",)

    def __init__(self) -> None:
        self._undos: list[Callable[[], object]] = []

    def note(self, undo: Callable[[], object]) -> None:
        """Remember how to take one change back.  ``undo`` must not note anything itself."""
        self._undos.append(undo)

    def forget(self) -> None:
        """Let what was changed stay."""
        if self._undos:
            self._undos.clear()

    def take_back(self) -> None:
        """Undo every change since the last ``forget``, the latest first.

        All contents are then as they were.  A key that was removed and is back may stand
        elsewhere in the order of its dictionary or set: at the same place on every member.
        """
        undos, self._undos = self._undos, []
        for undo in reversed(undos):
            undo()
