"""A clock that all processes of one machine share, and that goes on while the machine sleeps.

Imports nothing that is slow to import: a guardian of a command wants it at once.
"""

import time
from typing import Final

# Unlike the monotonic clock, this one goes on while the machine is suspended.  Not every system has it.
_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", None)


def steady_s() -> float:
    """Seconds since some moment.  Never steps."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
