"""Letters that wait for the disk: the one place that keeps *durable before sent*."""

from collections import deque

from paxon.core.effects import Letter
from paxon.errors import check


class Outbox:
    """Letters in the order they were written, each held until the ledger is durable through its line.

    Invariant: the lines of held letters never fall, because every letter that waits at all
    waits for the ledger's latest line.
    """

    def __init__(self, durable_line: int) -> None:
        self.durable_line = durable_line
        self._held: deque[Letter] = deque()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_waiting(self) -> bool:
        """Whether a letter waits for the disk."""
        return bool(self._held)

    def offer(self, letters: list[Letter]) -> list[Letter]:
        """Take letters in; return those that may leave at once."""
        free = []
        for letter in letters:
            if letter.after <= self.durable_line:
                free.append(letter)
            else:
                check(not self._held or self._held[-1].after <= letter.after, "letters wait for rising lines")
                self._held.append(letter)
        return free

    def release(self, durable_line: int) -> list[Letter]:
        """The ledger is durable through ``durable_line``: return the letters that may leave now."""
        check(durable_line >= self.durable_line, "what is durable stays durable")
        self.durable_line = durable_line
        free = []
        while self._held and self._held[0].after <= durable_line:
            free.append(self._held.popleft())
        return free
