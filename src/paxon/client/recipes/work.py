"""Queues of work as a program uses them: an item is claimed for as long as a block runs.

Knows: how an item is waited for, kept, acknowledged and given back.  Does not know: what the work is.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.hints import REFRESH_S, listening
from paxon.client.recipes.keeper import Keeper
from paxon.client.recipes.moments import moment_now
from paxon.client.recipes.patience import CLEANING_S_MAX, Patience, in_words, within
from paxon.client.recipes.seats import IDENTITY_BYTES, Hold
from paxon.collections.holding_rule import DEFAULT_CLOCK_ERROR_S, HoldingRule, Moment
from paxon.collections.priority_queues import PriorityQueues
from paxon.collections.queues import Queues
from paxon.collections.refusals import NotClaimed
from paxon.collections.values import Value
from paxon.collections.work import Claim, Letter, Ready, Sizes, Work, WorkEvent
from paxon.errors import ClaimLost, NotGranted, RequestError

DEFAULT_LEASE_S: Final = 30.0
"""How long after its worker's death an item is ready again."""

WORK_EVENT: Any = WorkEvent
"""A type checker takes a union for no type."""


class ClaimedItem(Hold):
    """An item to work on, held for as long as the block lasts."""

    def __init__(self, name: str, claim: Claim, keeper: Keeper) -> None:
        super().__init__(name, claim.token, keeper)
        self.number = claim.number
        """The item's own number, the same whoever claims it."""
        self.body: Value = claim.body
        self.priority = claim.priority
        self.attempt = claim.attempt
        """1 for the first time that somebody has it."""


class WorkQueue:
    """What queues with and without priorities have in common."""

    _machine: type[Work]

    def __init__(self, calls: Calls, name: str) -> None:
        self.name = name
        self._calls = calls

    @asynccontextmanager
    async def claim(
        self,
        *,
        lease: float = DEFAULT_LEASE_S,
        timeout: float | None = None,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> AsyncIterator[ClaimedItem]:
        """Wait for an item, and have it for as long as the block lasts.

            async with member.queue("mail").claim() as item:
                await send(item.body)

        A block that ends well acknowledges the item, which is then gone; any other end gives it back at once.
        ``lease`` is after how many seconds it is ready again if this process dies; it is renewed in the background.

        Raises:
            NotGranted: there was none in time.
            ClaimLost: the claim was over before the block was; the block was cancelled.
            OutcomeUnknown: the work was done, and nobody knows whether it counts as done.
        """
        rule = HoldingRule(lease, clock_error)
        claim, sent = await self._wait_claim(rule, Patience(self._calls.timeout if timeout is None else timeout))

        async def extend(limit_s: float) -> None:
            calls = within(self._calls, limit_s)
            await calls.submit(self._machine.extend, self.name, claim.number, claim.token, rule.ttl_ms)

        keeper = Keeper(extend, rule, sent, self._losing)
        try:
            async with keeper.kept():
                yield ClaimedItem(self.name, claim, keeper)
        except BaseException:
            if keeper.is_valid:
                await self._give_back(claim)
            raise
        try:
            # Sent again by the session until it is answered; asked anew, it could not tell its own success from a loss.
            calls = within(self._calls, keeper.left_s)
            await calls.submit(self._machine.ack, self.name, claim.number, claim.token)
        except NotClaimed as refusal:
            raise self._losing(str(refusal)) from refusal

    async def size(self) -> Sizes:
        """How many items are ready, claimed and dead."""
        return await self._calls.read(self._machine.size, self.name)

    async def dead_letters(self, after: int | None = None, limit: int = 100) -> tuple[Letter, ...]:
        """Items of which all attempts are used up, whose numbers are beyond ``after``."""
        return await self._calls.read(self._machine.dead_letters, self.name, after, limit)

    async def revive(self, number: int) -> None:
        """Let a dead letter be claimed again.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        await self._calls.submit(self._machine.revive, self.name, number)

    async def discard(self, number: int) -> None:
        """Be done with a dead letter.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        await self._calls.submit(self._machine.discard, self.name, number)

    async def _wait_claim(self, rule: HoldingRule, patience: Patience) -> tuple[Claim, Moment]:
        """An item, and a moment before it was asked for.

        Raises:
            NotGranted: there was none in time.
            RequestError: there will be none.
        """
        claimant = secrets.token_bytes(IDENTITY_BYTES)

        def is_news(event: WorkEvent) -> bool:
            return isinstance(event, Ready)

        async def ask() -> tuple[Claim | None, Moment, RequestError | None]:
            sent = moment_now()
            try:
                return await self._claim_once(claimant, rule, patience.attempt_s()), sent, None
            except RequestError as error:
                await patience.pause(error)
                return None, sent, error

        claim, sent, failure = await ask()
        if claim is None:
            topic = f"{self._machine.TOPIC}/{self.name}"
            async with listening(self._calls, self._machine, topic, WORK_EVENT, is_news, REFRESH_S) as hints:
                while claim is None and patience.left_s:
                    # Asked again before the first wait too: it may have become ready before anybody listened.
                    claim, sent, failure = await ask()
                    if claim is None and failure is None:
                        await hints.wait(patience.left_s)
        if claim is not None:
            return claim, sent
        limit = in_words(patience.limit_s)
        if failure is not None:
            raise NotGranted(f"no item of {self.name!r}{limit}, for nobody could be asked: {failure}") from failure
        raise NotGranted(f"no item of {self.name!r} was ready{limit}: put one, or wait longer")

    async def _claim_once(self, claimant: bytes, rule: HoldingRule, limit_s: float) -> Claim | None:
        calls = within(self._calls, limit_s)
        claiming: asyncio.Future[Claim | None] = asyncio.ensure_future(
            calls.submit(self._machine.claim, self.name, claimant, rule.ttl_ms)
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # An item may be on its way to whoever was cancelled: it is given back, and does not wait for its lease.
            with suppress(RequestError):
                claim = await claiming
                if claim is not None:
                    await self._give_back(claim)
            raise

    async def _give_back(self, claim: Claim) -> None:
        """Give an item back.  If nobody can be told, its claim lapses."""
        with suppress(RequestError):
            calls = within(self._calls, CLEANING_S_MAX)
            await calls.submit(self._machine.release, self.name, claim.number, claim.token)

    def _losing(self, why: str) -> ClaimLost:
        return ClaimLost(f"an item of {self.name!r} is not claimed any more: {why}")


class Queue(WorkQueue):
    """A queue, first in, first out.  Made by ``Caller.queue``."""

    _machine = Queues

    async def put(self, item: Value, *, attempts_max: int = 0) -> int:
        """Have one more item at the end; its number.

        After ``attempts_max`` claims that end otherwise than well it becomes a dead letter; 0 is for never.

        Raises:
            LimitReached: if there are too many items in all queues together.
        """
        return await self._calls.submit(Queues.put, self.name, item, attempts_max)


class PriorityQueue(WorkQueue):
    """A queue, the lowest priority first.  Made by ``Caller.priority_queue``."""

    _machine = PriorityQueues

    async def put(self, item: Value, priority: int, *, attempts_max: int = 0) -> int:
        """Have one more item, behind those of its priority; its number.

        After ``attempts_max`` claims that end otherwise than well it becomes a dead letter; 0 is for never.

        Raises:
            LimitReached: if there are too many items in all queues together.
        """
        return await self._calls.submit(PriorityQueues.put, self.name, item, priority, attempts_max)
