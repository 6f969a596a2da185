"""Whose storage is whose: what we know of the others, and whether enough of the others know ours.

Knows: which introductions are durable here, and who has welcomed us.  Does not know: links, time,
or where the knowledge is kept.

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

A storage that was introduced once waits for less, at every start: for everybody's welcome, or,
once a moment has passed for those who are there to answer, for as many as it takes to decide
anything at all.  Whoever remembers more of its ledger than it has refuses it instead
(``peer_memory``), and one refusal is enough.  Fewer welcomes than a quorum would be of no use to
anybody; more would keep a member out while only a quorum is up.
"""

import logging
from collections.abc import Callable, Set

from paxon.core.decree import NodeId
from paxon.errors import ForeignIdentity
from paxon.net.handshake import Goodbye

logger = logging.getLogger("paxon.net")


class Introductions:
    """The storages we know and the members that know ours.

    Invariant: a member and storage are in ``_known`` only once they are durable.
    """

    def __init__(
        self,
        others: int,
        introduce_durably: Callable[[str, str], None],
        is_enough: Callable[[Set[NodeId]], bool],
    ) -> None:
        """``others`` is how many members there are beside us; ``is_enough`` of them make a quorum with us."""
        self._others = others
        self._introduce_durably = introduce_durably
        self._is_enough = is_enough
        self._known: dict[str, str] = {}
        self._welcomed_by: set[NodeId] = set()

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
        """``node`` has our storage in its durable memory, and remembers no more of our ledger than we have."""
        self._welcomed_by.add(node)

    def may_take_part(self, already: bool, is_moment_over: bool) -> bool:
        """Whether this member may promise and vote.

        ``already`` says that its storage was introduced before; ``is_moment_over``, that every
        other member has had time to answer if it is there.
        """
        welcomes = len(self._welcomed_by)
        if welcomes == self._others:
            return True
        if not already:
            return 2 * welcomes > self._others
        return is_moment_over and self._is_enough(self._welcomed_by)
