"""Keeping what is held for a time: renewing it, judging whether it still is, and stopping whoever rests on it.

Knows: one lease, its renewals, and the task that rests on it.  Does not know: what is held.

Theory of operation.  ``kept`` is ``asyncio.timeout`` with a deadline that every renewal moves.  When it passes, or the
cluster says that the lease has ended, the task is cancelled; at the end of the block that cancellation is taken back
and becomes ``LockLost``, unless somebody else has asked for one too: theirs stays a ``CancelledError``.

After a pause of the whole process (SIGSTOP, a suspended machine) many things are due at once.  The loop runs what its
timers and sockets have for it before any task that these wake, and the judging is among that: a body that waits for
something is cancelled before it goes on.  A body that was stopped between two awaits goes on to the next one; for
that there are ``check`` and the token.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from paxon.client.recipes.moments import moment_now
from paxon.client.recipes.patience import ATTEMPT_S_MAX
from paxon.collections.holding_rule import HoldingRule, Moment
from paxon.errors import GrantLost, Rejected, RequestError

Now = Callable[[], Moment]

TICK_S: Final = 0.1
"""The longest time between two judgements.  Loops sleep by a clock that stands still in a suspended machine, and so
learn of the time that has passed only when they wake."""

RETRY_PAUSE_S: Final = 0.05
"""Between two attempts to renew.  A failed one took its own time, or was refused at once by a member that is busy."""

TOO_LATE: Final = "it could not be renewed in time, or this process was paused"


class Renewal:
    """One lease that is renewed for as long as ``renewing`` lasts.

    Invariant: the last request that was granted was sent at ``_sent`` or later.
    """

    def __init__(
        self, renew: Callable[[float], Awaitable[object]], rule: HoldingRule, sent: Moment, now: Now = moment_now
    ) -> None:
        """``renew`` is given its time limit in seconds; ``sent`` is the moment before the lease was asked for."""
        self._renew = renew
        self._rule = rule
        self._sent = sent
        self._now = now

    @property
    def left_s(self) -> float:
        """For how many seconds the lease is known to last."""
        return max(0.0, self._rule.left_s(self._sent, self._now()))

    async def renewing(self) -> None:
        """Renew the lease from time to time, until that is refused.

        Raises:
            Rejected: the lease has ended.
        """
        pause_s = self._rule.pause_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._rule.pause_s if await self._renew_once() else RETRY_PAUSE_S

    async def _renew_once(self) -> bool:
        """Whether it was renewed; if not, nobody could be asked."""
        sent = self._now()
        try:
            await self._renew(min(ATTEMPT_S_MAX, self._rule.pause_s))
        except Rejected:
            raise
        except RequestError:
            # Maybe it was renewed, but only an answer may be counted on.
            return False
        self._sent = sent
        return True


class Keeper(Renewal):
    """A lease that a task rests on.

    * Once ``lost`` says why it is over, it stays over, whatever a late renewal has to say.
    * The task is cancelled at most once, and only between ``_begin`` and ``_end``.
    """

    def __init__(
        self,
        renew: Callable[[float], Awaitable[object]],
        rule: HoldingRule,
        sent: Moment,
        losing: Callable[[str], GrantLost],
        now: Now = moment_now,
    ) -> None:
        """``losing`` makes the error that says why the lease is over."""
        super().__init__(renew, rule, sent, now)
        self._losing = losing
        self.lost: GrantLost | None = None
        self._task: asyncio.Task[object] | None = None
        self._requests_before = 0
        """How many cancellations of the task were under way when it began to rest on this."""
        self._is_cancelling = False
        self._judging: asyncio.TimerHandle | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the lease is known to be held at this moment."""
        return self.lost is None and self.left_s > 0

    def check(self) -> None:
        """Return if the lease is known to be held at this moment.

        Raises:
            GrantLost: if not.
        """
        # The task is not cancelled here: it is this one, and it gets the error right away.
        if not self.is_valid:
            raise self.lost or self._losing(TOO_LATE)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the lease, and cancel the block when it is over.

        Raises:
            GrantLost: the lease was over before the block was.
        """
        renewing = asyncio.ensure_future(self._renewing())
        self._begin()
        try:
            try:
                yield
            finally:
                self._stop_judging()
                renewing.cancel()
                self._task = None
        except asyncio.CancelledError as error:
            if self.lost is not None and self._take_back():
                raise self.lost from error
            raise
        except BaseException:
            self._take_back()
            raise
        self._take_back()
        # The body may have blocked the loop all the while, so that nobody could judge.
        self.check()

    async def _renewing(self) -> None:
        with suppress(asyncio.CancelledError):
            try:
                await self.renewing()
            except Rejected as refusal:
                self._lose(self._losing(str(refusal)))
            except Exception as error:
                # Whatever it is, nobody renews any more.
                self._lose(self._losing(f"renewing it failed: {error}"))

    def _begin(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a grant is held by a task: there is none here")
        self._task = task
        self._requests_before = task.cancelling()
        self._judge()

    def _judge(self) -> None:
        if not self.is_valid:
            self._lose(self._losing(TOO_LATE))
        else:
            self._judging = asyncio.get_running_loop().call_later(min(self.left_s, TICK_S), self._judge)

    def _stop_judging(self) -> None:
        if self._judging is not None:
            self._judging.cancel()

    def _lose(self, error: GrantLost) -> None:
        if self.lost is not None:
            return
        self.lost = error
        self._stop_judging()
        if self._task is not None:
            self._is_cancelling = True
            self._task.cancel()

    def _take_back(self) -> bool:
        """Take back our cancellation of the task, if there was one; whether there is no other."""
        if not self._is_cancelling:
            return False
        self._is_cancelling = False
        task = asyncio.current_task()
        return task is not None and task.uncancel() <= self._requests_before
