"""This moment, by the clocks of this machine.

Knows: which clocks there are.  Does not know: what is measured with them.
"""

import time

from paxon.client.steady import steady_s
from paxon.collections.holding_rule import Moment


def moment_now() -> Moment:
    """This moment."""
    return Moment(steady_s(), time.time())
