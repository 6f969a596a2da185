"""Whether this process or its monotonic clock has stood still: nobody tells a program that it was stopped.

Knows: two clocks and how late a timer was.  Does not know: what rests on them.  A process that was
stopped finds its timers late; a machine that was suspended may find that its monotonic clock did
not count, and then the wall clock has run ahead of it.
"""

from paxon.node.ports import Clock


class Pauses:
    """Remembers the latest standstill, and the latest step of the wall clock, which cannot be told from one.

    Invariant: between two looks after ``noticed_ms`` the clocks came apart by less than ``bound_ms``.
    """

    def __init__(self, clock: Clock, bound_ms: int) -> None:
        self._clock = clock
        self._bound_ms = bound_ms
        self._apart_ms = self._difference()
        """How far the wall clock was ahead of the monotonic one when we last noticed something.  Not when we
        last looked: many short standstills would add up unseen."""
        self._noticed_ms: int | None = None

    def was_due(self, due_ms: int) -> None:
        """A timer was due at ``due_ms`` of the monotonic clock, and has come."""
        now_ms = self._clock.monotonic_ms()
        self._look(now_ms)
        if now_ms - due_ms > self._bound_ms:
            self._notice()

    def none_since(self, then_ms: int, now_ms: int) -> bool:
        """Whether nothing was noticed at or after ``then_ms`` of the monotonic clock, at which it may have stood.

        ``now_ms`` is what that clock has just shown.
        """
        self._look(now_ms)
        return self._noticed_ms is None or self._noticed_ms < then_ms

    def _look(self, now_ms: int) -> None:
        """Compare the clocks.  One that stands still between the two readings is noticed."""
        # Half of the bound to either side: what the clocks come apart between two looks is less than all of it.
        if abs(self._clock.wall_ms() - now_ms - self._apart_ms) * 2 > self._bound_ms:
            self._notice()

    def _notice(self) -> None:
        self._noticed_ms = self._clock.monotonic_ms()
        self._apart_ms = self._difference()

    def _difference(self) -> int:
        return self._clock.wall_ms() - self._clock.monotonic_ms()
