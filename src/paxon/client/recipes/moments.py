"""This moment, by the two clocks that a holder's rule looks at (``paxon.collections.holding_rule``)."""

import time
from typing import Final

from paxon.collections.holding_rule import Moment

# Unlike the monotonic clock, this one goes on while the machine is suspended.
_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", None)


def moment_now() -> Moment:
    """This moment."""
    steady_s = time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)
    return Moment(steady_s, time.time())
