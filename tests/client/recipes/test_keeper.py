"""What rests on a lease is renewed, judged, and cancelled in time; whose cancellation is whose."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from paxon.client.recipes.keeper import TICK_S, Keeper
from paxon.collections.holding_rule import HoldingRule, Moment
from paxon.errors import LockLost, NotLeader, Rejected
from tests.client.recipes.running import WHOLE, for_ever
from tests.net import harness

RULE = HoldingRule(ttl_s=0.3, clock_error_s=0.0)
"""Short enough that renewals come while a test waits for them."""


class Lease:
    """A clock in the test's hands, and answers to renewals as the test wants them."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.now_s = 0.0
        self.takes_s = 0.0
        """How long an answer takes."""
        self.answer = answer
        self.renewals = 0
        self.was_renewed = asyncio.Event()
        self.was_refused = asyncio.Event()

    def now(self) -> Moment:
        return Moment(self.now_s, self.now_s)

    async def renew(self, limit_s: float) -> None:
        self.renewals += 1
        self.now_s += self.takes_s
        if self.answer is not None:
            self.was_refused.set()
            raise self.answer
        self.was_renewed.set()

    def keeper(self) -> Keeper:
        return Keeper(self.renew, RULE, self.now(), LockLost, self.now)

    async def rest(self, body: "Body", keeper: Keeper | None = None) -> None:
        """Have ``body`` rest on this lease."""
        async with (keeper or self.keeper()).kept():
            await body(self)


Body = Callable[[Lease], Coroutine[Any, Any, None]]


async def idle(lease: Lease) -> None:
    await for_ever()


async def too_late(lease: Lease) -> None:
    """Wait in a block whose time is over."""
    lease.now_s = RULE.counted_s
    await for_ever()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test on both loops, which order what is due at once each in their own way."""
    for loop in ("asyncio", "uvloop"):
        harness.run(main, loop)


def test_a_renewal_counts_from_before_it_was_sent() -> None:
    async def main() -> None:
        lease = Lease()
        keeper = lease.keeper()

        async def body(lease: Lease) -> None:
            lease.now_s, lease.takes_s = 0.1, 0.05
            await lease.was_renewed.wait()
            lease.takes_s = 0.0
            await asyncio.sleep(0)
            assert keeper.left_s == pytest.approx(RULE.counted_s - 0.05)
            keeper.check()

        await lease.rest(body, keeper)

    run(main)


def test_a_body_is_cancelled_when_the_time_is_over_and_the_block_says_why() -> None:
    async def main() -> None:
        lease = Lease(answer=NotLeader())
        with pytest.raises(LockLost, match="could not be renewed in time") as lost:
            await lease.rest(too_late)
        assert isinstance(lost.value.__cause__, asyncio.CancelledError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0, "the cancellation was taken back"
        await asyncio.sleep(0)

    run(main)


def test_a_refusal_ends_it_at_once() -> None:
    async def main() -> None:
        lease = Lease(answer=Rejected("it lapsed"))
        with pytest.raises(LockLost, match="lapsed"):
            await lease.rest(idle)
        assert lease.renewals == 1

    run(main)


def test_a_renewal_that_nobody_takes_is_sent_again() -> None:
    async def main() -> None:
        lease = Lease(answer=NotLeader())

        async def body(lease: Lease) -> None:
            await lease.was_refused.wait()
            lease.answer = None
            await lease.was_renewed.wait()

        await lease.rest(body)

    run(main)


def test_a_cancellation_from_outside_stays_one() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(Lease().rest(idle))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)


def test_of_two_cancellations_the_one_from_outside_is_heard() -> None:
    async def main() -> None:
        async def body(lease: Lease) -> None:
            try:
                await too_late(lease)
            except asyncio.CancelledError:
                asyncio.get_running_loop().call_soon(task.cancel)
                await for_ever()

        task = asyncio.ensure_future(Lease().rest(body))
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)


def test_timeouts_around_and_within_are_their_own() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Lease().rest(idle)

        async def body(lease: Lease) -> None:
            async with asyncio.timeout(WHOLE):
                await too_late(lease)

        with pytest.raises(LockLost):
            async with asyncio.timeout(WHOLE):
                await Lease().rest(body)

    run(main)


def test_a_body_that_swallows_the_cancellation_does_not_end_well() -> None:
    async def main() -> None:
        async def body(lease: Lease) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await too_late(lease)

        with pytest.raises(LockLost):
            await Lease().rest(body)
        await asyncio.sleep(0)

    run(main)


def test_a_body_that_blocks_the_loop_until_it_is_too_late_does_not_end_well() -> None:
    async def main() -> None:
        async def body(lease: Lease) -> None:
            lease.now_s = RULE.counted_s

        with pytest.raises(LockLost):
            await Lease().rest(body)

    run(main)


def test_what_the_body_raises_itself_is_what_comes_out() -> None:
    async def main() -> None:
        async def body(lease: Lease) -> None:
            try:
                await too_late(lease)
            finally:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await Lease().rest(body)
        await asyncio.sleep(0)

    run(main)


def test_check_raises_in_the_body_and_cancels_nothing_afterwards() -> None:
    async def main() -> None:
        lease = Lease()
        keeper = lease.keeper()

        async def body(lease: Lease) -> None:
            keeper.check()
            lease.now_s = RULE.counted_s
            assert not keeper.is_valid
            keeper.check()

        with pytest.raises(LockLost):
            await lease.rest(body, keeper)
        await asyncio.sleep(0)

    run(main)


def test_after_a_pause_a_body_is_cancelled_before_what_it_waited_for_wakes_it() -> None:
    """As after SIGSTOP: what the body waits for and the time to judge are both there when the loop looks again."""

    async def main() -> None:
        went_on = False

        async def body(lease: Lease) -> None:
            nonlocal went_on
            loop = asyncio.get_running_loop()
            news = loop.create_future()
            is_due = loop.time() + TICK_S / 2
            loop.call_at(is_due, news.set_result, None)

            def pause() -> None:
                while loop.time() < is_due + TICK_S:
                    pass
                lease.now_s = RULE.counted_s

            loop.call_soon(pause)
            await news
            went_on = True

        with pytest.raises(LockLost):
            await Lease().rest(body)
        assert not went_on

    run(main)
