"""A channel to the node in this very process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from paxon.client.channel import Channel
from paxon.client.parts import PartMethod
from paxon.node.consistency import Consistency
from paxon.node.node import Node
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.node.watching import FeedReader
from paxon.rsm.assembly import Assembly
from paxon.rsm.contract import Ability
from paxon.rsm.feed import Event


class MemberChannel(Channel):
    """Satisfies ``Channel`` for one started node and the assembly that it replicates."""

    def __init__(self, node: Node, assembly: Assembly) -> None:
        self._node = node
        self._assembly = assembly
        self._announced = asyncio.Event()
        assembly.on_announced(self._announced.set)

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """See ``Channel``."""
        self._node.begin(command, reply, timeout_ms)

    async def read(
        self,
        query: PartMethod,
        arguments: tuple[Any, ...],
        named: Mapping[str, Any],
        timeout_ms: int,
        consistency: Consistency,
    ) -> tuple[int, Any]:
        """See ``Channel``.  The query is called right here: nothing is spelled in bytes."""
        node = self._node
        waiting = node.wait_fit(timeout_ms, consistency)
        if waiting is not None:
            await waiting
        try:
            return node.applied, self._assembly.objects[query.part].ask(query.spelling, arguments, named)
        finally:
            # Also a refusal tells of the state.
            telling = node.wait_told(query.part, timeout_ms, consistency)
            if telling is not None:
                await telling

    def is_usable(self, part: str, ability: Ability) -> bool:
        """See ``Channel``."""
        usable = self._assembly.objects[part].usable
        return usable is None or ability in usable

    async def wait_usable(self, part: str, ability: Ability, timeout_s: float) -> None:
        """See ``Channel``."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                # A member that has just started has not announced what it has; one that is older than
                # we are will not before it is upgraded, and waiting for that is not what a time limit is for.
                while not self.is_usable(part, ability) and not self._assembly.lacking(part, ability):
                    self._announced.clear()
                    await self._announced.wait()
        self._assembly.require_usable(part, ability)

    async def events(
        self, part: str, topic_prefix: str, since: int | None, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        """See ``Channel``."""
        reader = FeedReader(self._assembly.feed, since, part, topic_prefix)
        while True:
            yield await reader.next()
