"""For how long a holder may count on what it holds, by its own clocks alone (section 3.3.3 of the paper).

Knows: the ttl, how far clocks may be apart, and how time passes.  Does not know: what is held, or any clock.

Theory of operation.  The cluster ends a grant when *decided* time reaches ``until_ms``, and decided time is the wall
clock of whoever leads.  A holder cannot see that clock.  What it knows is that the request which was granted, or which
renewed the grant, was stamped after it was sent.  Let the holder's clock show ``sent`` just before that.

1. The stamp is no earlier than the leader's wall clock at that moment, so the grant lasts until that clock has gone on
   by ``ttl``; later, if stamps were ahead of it.
2. By then another member may lead, whose clock is ahead of the first one's by up to ``clock_error``.
3. Clocks tick at different rates.  While those of members count ``ttl``, the holder's counts at least
   ``ttl * (1 - drift)``.

So until ``sent + ttl * (1 - drift) - clock_error`` nobody else can have been granted the same.  Measured from the
answer instead, which is the obvious way, the time that the request took would be counted twice.
"""

import math
from typing import Final, NamedTuple

from msgspec import Struct

from paxon.collections.values import DURATION_MS_MAX
from paxon.errors import BadRequest

DEFAULT_CLOCK_ERROR_S: Final = 0.5
"""Tens of times what NTP leaves between machines that can reach a time server, and little beside a ttl of 10 s."""

DRIFT: Final = 0.001
"""How much slower the holder's clock may tick than a leader's: twice the 500 in a million that the kernel's own
discipline may speed a clock up or slow it down by."""

PAUSES_MIN: Final = 3
"""A renewal is sent when this part of the time is over, so that one may fail and another still come in time."""

USEFUL_PART: Final = 0.5
"""The least part of the ttl that a holder can count on.  With less, clocks decide more than the ttl does."""


class Moment(NamedTuple):
    """Now, by two clocks of this machine, in seconds."""

    steady_s: float
    """Never steps.  Stands still for nobody but, on some hosts, a virtual machine that is suspended."""
    wall_s: float
    """Is set right after such a suspension, by which it can be told."""


def least_ttl_s(clock_error_s: float) -> float:
    """The shortest ttl of which a holder can count on a useful part."""
    # A hundredth of a second, rounded up: a number to type.
    return math.ceil(100 * clock_error_s / (1 - DRIFT - USEFUL_PART)) / 100


class HoldingRule(Struct, frozen=True):
    """How long one grant lasts for its holder."""

    ttl_s: float
    """For how long the cluster grants it, in seconds of decided time."""
    clock_error_s: float
    """The bound on how far the wall clocks of two members may differ, in seconds."""

    def __post_init__(self) -> None:
        """
        Raises:
            BadRequest: if the ttl is none, or leaves the holder too little to count on.
        """
        if not 0.001 <= self.ttl_s <= DURATION_MS_MAX / 1000:
            raise BadRequest(f"a ttl is from 0.001 to {DURATION_MS_MAX // 1000} seconds, not {self.ttl_s:g}")
        if not 0 <= self.clock_error_s <= DURATION_MS_MAX / 1000:
            raise BadRequest(f"clocks differ by 0 seconds or some more, not by {self.clock_error_s:g}")
        if (least_s := least_ttl_s(self.clock_error_s)) > self.ttl_s:
            raise BadRequest(
                f"a ttl of {self.ttl_s:g} s is too short where clocks may differ by {self.clock_error_s:g} s: make it "
                f"{least_s:.2f} s or more, or keep the members' clocks closer and say so with clock_error="
            )

    @property
    def ttl_ms(self) -> int:
        """The ttl as commands have it, never more than it."""
        return int(self.ttl_s * 1000)

    @property
    def counted_s(self) -> float:
        """How long after it was sent a request's grant can be counted on."""
        return self.ttl_s * (1 - DRIFT) - self.clock_error_s

    @property
    def pause_s(self) -> float:
        """Between two renewals."""
        return self.counted_s / PAUSES_MIN

    def left_s(self, sent: Moment, now: Moment) -> float:
        """How much is left of a grant that was asked for at ``sent``; nothing or less if it is over."""
        by_steady_s = now.steady_s - sent.steady_s
        # A wall clock that is ahead by more than clocks may be off by has seen a pause that the steady one slept
        # through.  One that was set back says nothing.
        by_wall_s = now.wall_s - sent.wall_s - self.clock_error_s
        return self.counted_s - max(by_steady_s, by_wall_s)
