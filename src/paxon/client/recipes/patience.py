"""Until when a recipe waits, and which failures are worth another attempt.

Knows: a time limit, or that there is none.  Does not know: what is waited for.
"""

import asyncio
import math
from typing import Final, TypeVar

from paxon.client.recipes.calls import Calls
from paxon.errors import BadRequest, Rejected, RequestError, Stopping, TooLarge
from paxon.node.service import TIMEOUT_MS_MAX

CallsT = TypeVar("CallsT", bound=Calls)

ATTEMPT_S_MAX: Final = 5.0
"""The longest that one call may take while there is more time: the next one may find a better member."""

CALL_S_MIN: Final = 0.001
CALL_S_MAX: Final = TIMEOUT_MS_MAX / 1000
"""The time limits that a call may have at all."""

PAUSE_S: Final = 0.1
"""Between two calls of which the first one failed."""

CLEANING_S_MAX: Final = 2.0
"""How long whoever leaves tries to say so.  It lapses if that fails, and nobody likes to wait at the exit."""

NEVER_ASKED_AGAIN: Final = (Rejected, BadRequest, TooLarge, Stopping)
"""Refusals that a second attempt would meet again."""


class Patience:
    """A time limit that runs."""

    def __init__(self, limit_s: float) -> None:
        """
        Raises:
            BadRequest: if that is no time limit.
        """
        if not limit_s >= 0:
            raise BadRequest(f"a time limit is 0 seconds or more, or math.inf, and not {limit_s:g}")
        self.limit_s = limit_s
        self._until = asyncio.get_running_loop().time() + limit_s

    @property
    def left_s(self) -> float:
        """How much is left."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def attempt_s(self) -> float:
        """How long the next call may take.

        The first one has the usual time even if the limit is shorter: 0 means "at once or not at all", and not "never".
        """
        return min(ATTEMPT_S_MAX, self.left_s) if self.limit_s else ATTEMPT_S_MAX

    async def pause(self, error: RequestError) -> None:
        """Wait a little after a failed call.

        Raises:
            RequestError: ``error``, if another attempt would meet it again.
        """
        if isinstance(error, NEVER_ASKED_AGAIN):
            raise error
        await asyncio.sleep(min(PAUSE_S, self.left_s))


def within(calls: CallsT, limit_s: float) -> CallsT:
    """``calls`` with as much of this time limit as a call may have."""
    return calls.within(min(max(CALL_S_MIN, limit_s), CALL_S_MAX))


def in_words(limit_s: float) -> str:
    """A time limit in a message."""
    return "" if math.isinf(limit_s) else f" within {limit_s:g} s"
