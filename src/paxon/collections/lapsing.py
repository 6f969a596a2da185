"""State machines some of whose parts end when decided time reaches the moment set for them (section 3.3.3).

Knows: moments, and which keys end at each.  Does not know: what a key stands for.

Theory of operation.  A state holds plain containers only, and nothing beside it may remember what follows from it: such
a memory would be empty after a snapshot came in.  So the order of what is to come is in the state itself.

Moments are whole multiples of ``GRAIN_MS``.  So thousands of leases that are renewed again and again share a few
hundred moments: a renewal moves a key from one moment to another, and the heap, which has each moment once, is mostly
left alone.  And what ends at about the same time ends in one step, for which the log needs one command at the most.

A moment whose last key is gone stays in the heap until it comes to the front, for a heap has only one end.  There are
no more of them than grains in the longest duration, and once no key is left, no moment is.
"""

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

from paxon.collections.heap import pop, push
from paxon.rsm.contract import Context, StateMachine

K = TypeVar("K")

GRAIN_MS: Final = 100
"""How much longer than asked for something may last.  Little beside any useful lease, which outlives round trips and
pauses of a process, and enough for all that is renewed together to be one."""


def moment_after(now_ms: int, duration_ms: int) -> int:
    """The first moment at which ``duration_ms`` have passed."""
    return -(-(now_ms + duration_ms) // GRAIN_MS) * GRAIN_MS


class Lapsing(StateMachine, ABC, Generic[K]):
    """Keys by the moment at which they lapse.

    * After every command, every moment that has a key is later than the command's time: what a command finds has not
      lapsed.
    * ``due_moments`` is a heap of the keys of ``due_keys``, each once.
    * The first moment has a key, so ``on_due`` is never called for nothing.
    * ``due_count`` is the number of all keys.
    """

    def __init__(self) -> None:
        self.due_moments: list[int] = []
        # Keys in the order of coming, for the order in which they lapse must be the same on every member.  A set has
        # one here, too, but not every copy of a set.
        self.due_keys: dict[int, dict[K, None]] = {}
        self.due_count = 0

    def next_due_ms(self) -> int | None:
        """See ``StateMachine``."""
        return self.due_moments[0] if self.due_moments else None

    def on_due(self, ctx: Context) -> None:
        """See ``StateMachine``."""
        while self.due_moments and (moment_ms := self.due_moments[0]) <= ctx.now_ms:
            for key in tuple(self.due_keys[moment_ms]):
                # The end of one may have been the end of another.
                if key in self.due_keys.get(moment_ms, ()):
                    self._lapse(ctx, key)

    @abstractmethod
    def _lapse(self, ctx: Context, key: K) -> None:
        """Do what the end of ``key`` means.  Afterwards it is not scheduled, or for a moment after ``ctx.now_ms``."""

    def _schedule(self, key: K, moment_ms: int) -> None:
        """Have ``key``, which is not scheduled, lapse at a moment."""
        if moment_ms not in self.due_keys:
            self.due_keys[moment_ms] = {}
            push(self.due_moments, moment_ms)
        self.due_keys[moment_ms][key] = None
        self.due_count += 1

    def _reschedule(self, key: K, from_ms: int, moment_ms: int) -> None:
        """Have ``key``, which is scheduled for ``from_ms``, lapse at another moment."""
        if moment_ms != from_ms:
            self._schedule(key, moment_ms)
            self._unschedule(key, from_ms)

    def _unschedule(self, key: K, moment_ms: int) -> None:
        """Have ``key``, which is scheduled for this moment, not lapse."""
        del self.due_keys[moment_ms][key]
        self.due_count -= 1
        while self.due_moments and not self.due_keys[self.due_moments[0]]:
            del self.due_keys[pop(self.due_moments)]
