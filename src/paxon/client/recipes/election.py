"""Elections, and work that runs in exactly one process.

Knows: how to be elected, to do something in office, and to be told who is.  Does not know: what is done.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from msgspec import Struct

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.hints import changes
from paxon.client.recipes.lock import Office
from paxon.client.recipes.seats import SEAT_EVENT, Hold
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.seats import Ended, Granted, SeatEvent
from paxon.collections.terms import Terms
from paxon.errors import LockLost

logger = logging.getLogger(__name__)

R = TypeVar("R")

ELECTION: Final = "election/"
ONCE: Final = "once/"
"""The offices of elections, and of work that runs once, begin like this."""


class Leader(Struct, frozen=True):
    """Who is elected.  ``token`` is greater than that of every leader before."""

    value: str
    token: int


class Election:
    """An election.  Made by ``Caller.election``."""

    def __init__(self, calls: Calls, name: str, office: str, rule: HoldingRule, limit_s: float, value: str) -> None:
        self.name = name
        self._calls = calls
        self._office = office
        self._rule = rule
        self._limit_s = limit_s
        self._value = value

    def campaign(self) -> Office:
        """Wait to be elected, and be in office for as long as the block lasts.

            async with member.election("planner", value="10.0.0.7:80").campaign() as term:
                ...

        Leaving the block resigns, and the next candidate is elected at once.  The block is cancelled, and raises
        ``LockLost``, when the office is lost.
        """
        return Office(self._calls, self.name, self._office, self._rule, self._limit_s, self._value)

    async def run(self, work: Callable[[Hold], Awaitable[R]]) -> R:
        """Do ``work`` in office, and return what it returns.

        If the office is lost, ``work`` is cancelled, and begun again once this process is elected again.  What ``work``
        raises ends it: the office is given up, and another candidate does it.

        Raises:
            NotGranted: not elected in time.
        """
        while True:
            term: Hold | None = None
            try:
                async with self.campaign() as term:
                    return await work(term)
            except LockLost as lost:
                if term is None or term.is_valid:
                    raise  # Of some other lock, inside the work.
                logger.warning("%s; it is sought again", lost)

    async def leader(self) -> Leader | None:
        """Who is elected, if anybody is."""
        seat = await self._calls.read(Terms.holder, self._office)
        return None if seat is None else Leader(seat.value, seat.token)

    async def observe(self) -> AsyncIterator[Leader | None]:
        """Who is elected: now, and whenever that changes.  Of changes in quick succession only the last may be seen.

        Raises:
            RequestError: nobody can be asked.
        """

        def is_news(event: SeatEvent) -> bool:
            return isinstance(event, Granted | Ended)

        topic = f"{Terms.TOPIC}/{self._office}"
        async for leader in changes(self._calls, Terms, topic, SEAT_EVENT, is_news, self.leader, lambda leader: leader):
            yield leader
