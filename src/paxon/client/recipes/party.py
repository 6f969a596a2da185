"""Parties: who is there.

Knows: how a program joins, stays and leaves.  Does not know: what members do together.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.hints import changes
from paxon.client.recipes.keeper import Renewal
from paxon.client.recipes.moments import moment_now
from paxon.client.recipes.patience import CLEANING_S_MAX, within
from paxon.client.recipes.seats import IDENTITY_BYTES
from paxon.collections.holding_rule import HoldingRule
from paxon.collections.parties import Member, Parties, PartyEvent
from paxon.errors import Rejected, RequestError

PARTY_EVENT: Any = PartyEvent
"""A type checker takes a union for no type."""


class Membership:
    """One's own place in a party."""

    def __init__(self, party: "Party", member: bytes, value: str) -> None:
        self.member = member
        """The name that it has among ``members()``."""
        self.value = value
        self._party = party
        self._renewal: Renewal | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the others certainly see it.  If not, because nobody could be reached, it joins again by itself."""
        return self._renewal is not None and self._renewal.left_s > 0

    async def set_value(self, value: str) -> None:
        """Show another value.

        Raises:
            RequestError: nobody could be told yet; the next renewal tells it.
        """
        self.value = value
        await self._party._join(self, None)


class Party:
    """A party.  Made by ``Caller.party``."""

    def __init__(self, calls: Calls, name: str, rule: HoldingRule) -> None:
        self.name = name
        self._calls = calls
        self._rule = rule

    @asynccontextmanager
    async def join(self, value: str = "") -> AsyncIterator[Membership]:
        """Be a member for as long as the block lasts, and show ``value``, such as an address.

        The block is not cancelled when nobody can be reached: whoever was away joins again by itself.

        Raises:
            LimitReached: if there are too many members.
            RequestError: nobody could be reached.
        """
        membership = Membership(self, secrets.token_bytes(IDENTITY_BYTES), value)
        sent = moment_now()
        joined = False
        try:
            await self._join(membership, None)
            joined = True
            membership._renewal = Renewal(lambda limit_s: self._join(membership, limit_s), self._rule, sent)
            staying = asyncio.ensure_future(_stay(membership._renewal))
            try:
                yield membership
            finally:
                staying.cancel()
        finally:
            if joined:
                await self._leave(membership)

    async def members(self) -> tuple[Member, ...]:
        """Who is there, in the order of joining."""
        return await self._calls.read(Parties.members, self.name)

    async def watch(self) -> AsyncIterator[tuple[Member, ...]]:
        """Who is there: now, and whenever that changes.  Of changes in quick succession only the last may be seen.

        Raises:
            RequestError: nobody can be asked.
        """

        def seen(members: tuple[Member, ...]) -> list[tuple[bytes, str]]:
            return [(one.member, one.value) for one in members]

        topic = f"party/{self.name}"
        async for members in changes(self._calls, Parties, topic, PARTY_EVENT, lambda event: True, self.members, seen):
            yield members

    async def _join(self, membership: Membership, limit_s: float | None) -> None:
        calls = self._calls if limit_s is None else within(self._calls, limit_s)
        await calls.submit(Parties.join, self.name, membership.member, self._rule.ttl_ms, membership.value)

    async def _leave(self, membership: Membership) -> None:
        """Leave at once.  If nobody can be told, the membership lapses."""
        with suppress(RequestError):
            await within(self._calls, CLEANING_S_MAX).submit(Parties.leave, self.name, membership.member)


async def _stay(renewal: Renewal) -> None:
    while True:
        # A party that is full by the time that a member comes back has room later.
        with suppress(Rejected):
            await renewal.renewing()
