"""Whose storage is whose: what we know of the others, and whether enough of the others know ours.

Knows: which introductions are durable here, and who has welcomed us.  Does not know: links, or
where the knowledge is kept.

Theory of operation.  A member that starts with an empty disk may have lost one: then it has
forgotten votes, and must not vote again under its old name.  It cannot tell; the others can,
if enough of them know whose disk is whose.  So a fresh storage waits until a strict majority
of the *other* members have welcomed it before it takes part.

The argument: a member welcomes a storage only after it has durably written down that the name
goes with it, and refuses the name with any other storage for ever.  Suppose two storages under
one name were both introduced.  Each was welcomed by a strict majority of the same set, the
other members, and two strict majorities of one set share a member.  That member refused the
second.  So at most one storage per name ever votes.

The member itself does not count towards the majority: its word is on the very disk that may be
lost.  With one other member, that one must be there; with two, both; alone, nobody can vouch
and nothing is waited for.
"""

import asyncio
import logging
from collections.abc import Callable

from paxon.core.decree import NodeId
from paxon.errors import ForeignIdentity
from paxon.net.handshake import Goodbye

logger = logging.getLogger("paxon.net")


class Introductions:
    """The storages we know and the members that know ours.

    Invariant: a member and storage are in ``_known`` only once they are durable.
    """

    def __init__(self, others: int, introduce_durably: Callable[[str, str], None]) -> None:
        """``others`` is how many members there are beside us."""
        self._others = others
        self._introduce_durably = introduce_durably
        self._known: dict[str, str] = {}
        self._welcomed_by: set[NodeId] = set()
        self._has_majority = asyncio.Event()
        if others == 0:
            self._has_majority.set()

    def introduce(self, member: str, storage: str) -> Goodbye | None:
        """Make sure that ``member`` goes with ``storage``, durably; the reason if it cannot be."""
        if self._known.get(member) == storage:
            return None
        try:
            self._introduce_durably(member, storage)
        except ForeignIdentity as error:
            return Goodbye("storage", str(error))
        except Exception as error:
            # A full disk, say.  The peer is not at fault and comes back; it must not be let in
            # before its storage is written down.
            logger.exception("a peer's storage could not be recorded", extra={"fields": {"peer": member}})
            return Goodbye("unready", f"the storage of {member} could not be recorded here: {error}")
        self._known[member] = storage
        return None

    def welcomed_by(self, node: NodeId) -> None:
        """``node`` has our storage in its durable memory."""
        self._welcomed_by.add(node)
        if 2 * len(self._welcomed_by) > self._others:
            self._has_majority.set()

    async def wait(self) -> None:
        """Return once a strict majority of the other members have welcomed us."""
        await self._has_majority.wait()
