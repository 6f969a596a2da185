"""What a member does for the replicated state unasked, at its own times.

Knows: when to look, and what a failed attempt means.  Does not know: what there is to do (``rsm.errands`` does).
"""

import asyncio
import logging
import time
from typing import Final

from paxon.errors import RequestError
from paxon.node.node import Node
from paxon.rsm.assembly import Assembly
from paxon.rsm.errands import TICK, errand
from paxon.rsm.sessions import Sessions

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
            now_ms = time.time_ns() // 1_000_000
            command = errand(self._sessions, self._assembly, self._member, self._node.is_leader, now_ms)
            try:
                if command is not None:
                    self.ticks += command == TICK
                    await self._node.submit(command, ATTEMPT_MS)
            except RequestError as error:
                # There may be no leader for a while; what is due stays due.
                logger.debug("upkeep has to wait", extra={"fields": {"error": str(error)}})
            await asyncio.sleep(EVERY_S)
