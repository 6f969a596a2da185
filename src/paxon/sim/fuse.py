"""A fuse: ends a member's process exactly at a named point, so that no two steps are taken for one.

Knows: the points, and how many of them are still to be passed.  Does not know: what happens there.
"""

from collections.abc import Collection

from paxon.core.decree import NodeId
from paxon.sim.strikes import Strikes


class PowerCut(BaseException):
    """The process ends in the middle of what it does: no code of the member runs after this."""

    def __init__(self, member: NodeId, down_ms: int) -> None:
        super().__init__(f"member {member}")
        self.member = member
        self.down_ms = down_ms


class Fuse:
    """One member's fuse.  It outlives the lives of the member: it may burn through while the process starts."""

    def __init__(self, member: NodeId, strikes: Strikes) -> None:
        self._member = member
        self._strikes = strikes
        self._points: Collection[str] = ()
        """Where it may burn through; none if it does not burn."""
        self._left = 0
        self._down_ms = 0

    def light(self, points: Collection[str], left: int, down_ms: int) -> None:
        """Let the process end at one of ``points``, after ``left`` of them, and stay away for ``down_ms``."""
        self._points, self._left, self._down_ms = points, left, down_ms

    def put_out(self) -> None:
        """Nothing more happens."""
        self._points = ()

    def reached(self, point: str) -> None:
        """The process has come to ``point``.

        Raises:
            PowerCut: if this is the end of it.
        """
        if not self._points or point not in self._points:
            return
        if self._left:
            self._left -= 1
            return
        self.put_out()
        if self._strikes.strike("P2", f"{self._member} dies {point}", point):
            raise PowerCut(self._member, self._down_ms)
