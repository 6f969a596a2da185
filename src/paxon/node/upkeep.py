"""What a member does for the replicated state unasked: announce its commands, and let decided time catch up.

Knows: what the member's code announces, and whether something waits for time to pass.  Does not
know: what is due, or who waits for it.
"""

import asyncio
import logging
import time
from typing import Final

from paxon.errors import RequestError
from paxon.node.node import Node
from paxon.rsm.assembly import Announce, Assembly, encode
from paxon.rsm.sessions import Plain, Sessions, Tick
from paxon.rsm.sessions import encode as encode_request

logger = logging.getLogger(__name__)

EVERY_S: Final = 0.05
"""How often the leader looks whether something is due: by so much what lapses may lapse late."""

ATTEMPT_MS: Final = 2_000
"""How long one attempt to have a command of ours decided may take."""


class Upkeep:
    """Runs beside a node until ``close``."""

    def __init__(self, node: Node, sessions: Sessions, assembly: Assembly, member: str) -> None:
        self._node = node
        self._sessions = sessions
        self._assembly = assembly
        self._member = member
        self._running = asyncio.ensure_future(self._run())
        self.ticks = 0
        """How many commands were decided only to let time catch up."""

    async def close(self) -> None:
        """Stop."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                if not self._assembly.has_announced(self._member):
                    announcement = encode(Announce(self._member, self._assembly.abilities))
                    await self._node.submit(encode_request(Plain(announcement)), ATTEMPT_MS)
                elif self._node.is_leader and self._is_due():
                    self.ticks += 1
                    await self._node.submit(encode_request(Tick()), ATTEMPT_MS)
            except RequestError as error:
                # There may be no leader for a while; what is due stays due.
                logger.debug("upkeep has to wait", extra={"fields": {"error": str(error)}})
            await asyncio.sleep(EVERY_S)

    def _is_due(self) -> bool:
        due_ms = self._sessions.next_due_ms()
        return due_ms is not None and due_ms <= time.time_ns() // 1_000_000
