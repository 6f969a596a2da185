"""Barriers: so many processes wait for each other, and all go on together.

Knows: how one process waits.  Does not know: what comes before and after.
"""

import secrets
from contextlib import suppress
from typing import Any

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.hints import Hints, listening
from paxon.client.recipes.patience import CLEANING_S_MAX, Patience, in_words, within
from paxon.client.recipes.seats import IDENTITY_BYTES
from paxon.collections.barriers import BarrierEvent, Barriers, Passed, Released, Waiting
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.refusals import NotWaiting
from paxon.errors import NotGranted, OutcomeUnknown, RequestError

BARRIER_EVENT: Any = BarrierEvent
"""A type checker takes a union for no type."""


class Barrier:
    """A barrier.  Made by ``Caller.barrier``."""

    def __init__(self, calls: Calls, name: str, parties: int, rule: HoldingRule, limit_s: float) -> None:
        self.name = name
        self.parties = parties
        self._calls = calls
        self._rule = rule
        self._limit_s = limit_s

    async def wait(self) -> int:
        """Wait until so many wait here, and go on with them; the number of this use of the barrier, which only grows.

        Raises:
            NotGranted: not all came in time; this process does not count as there any more.
            OtherLimit: others wait here for another number of parties.
            OutcomeUnknown: nobody could be asked how the wait went on.
        """
        patience = Patience(self._limit_s)
        party = secrets.token_bytes(IDENTITY_BYTES)
        has_ended = False
        try:
            generation = await self._wait(party, patience)
            has_ended = True
            return generation
        finally:
            # Whoever was let through may still count as there, so that it can ask; that lapses by itself.
            if not has_ended:
                with suppress(RequestError):
                    await within(self._calls, CLEANING_S_MAX).submit(Barriers.leave, self.name, party)

    async def waiting(self) -> int:
        """How many wait here."""
        gathering = await self._calls.read(Barriers.gathering, self.name)
        return 0 if gathering is None else gathering.present

    async def _wait(self, party: bytes, patience: Patience) -> int:
        def is_news(event: BarrierEvent) -> bool:
            return isinstance(event, Released)

        topic, pause_s = f"barrier/{self.name}", self._rule.pause_s
        async with listening(self._calls, Barriers, topic, BARRIER_EVENT, is_news, pause_s) as hints:
            answer = await self._enter(party, patience)
            while isinstance(answer, Waiting):
                answer = await self._wait_on(party, answer, hints, patience)
            return answer.generation

    async def _enter(self, party: bytes, patience: Patience) -> Waiting | Passed:
        while True:
            try:
                calls = within(self._calls, patience.attempt_s())
                return await calls.submit(Barriers.enter, self.name, party, self.parties, self._rule.ttl_ms)
            except OutcomeUnknown:
                # Entered and let through, it would enter the next use of the barrier when it asks again.
                raise
            except RequestError as error:
                await patience.pause(error)
                if not patience.left_s:
                    raise

    async def _wait_on(self, party: bytes, waiting: Waiting, hints: Hints, patience: Patience) -> Waiting | Passed:
        await hints.wait(patience.left_s)
        try:
            calls = within(self._calls, patience.attempt_s())
            answer = await calls.submit(Barriers.renew, self.name, party, waiting.generation, self._rule.ttl_ms)
        except NotWaiting:
            # This process was paused for so long that it did not count as there; it comes again.
            return await self._enter(party, patience)
        except RequestError as error:
            await patience.pause(error)
            answer = waiting
        if isinstance(answer, Waiting) and not patience.left_s:
            return await self._give_up(party, answer)
        return answer

    async def _give_up(self, party: bytes, waiting: Waiting) -> Passed:
        """Leave, unless all came just then.

        Raises:
            NotGranted: they did not.
        """
        calls = within(self._calls, CLEANING_S_MAX)
        # Whoever waited a moment ago and does so no more was let through, for nothing lapses in between.
        if not await calls.submit(Barriers.leave, self.name, party):
            return Passed(waiting.generation)
        raise NotGranted(
            f"{waiting.present} of {self.parties} were at {self.name!r}{in_words(self._limit_s)}: wait longer, or again"
        )
