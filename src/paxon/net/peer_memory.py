"""What this member remembers of the others, so that one whose disk forgot something is found out.

Knows: how many lines each ledger was durable through, as its owner has said, and in which start of
which process the owner was last met.  Does not know: what a line says, links, or where the
knowledge is kept.

Theory of operation.  Every promise, vote and ballot number that leaves a member says how many
lines of its ledger were durable by then.  Within one storage that number only grows.  So a member
that comes back with fewer lines than it once vouched for has forgotten something: an older copy of
its directory was put back, or its disk lied about a sync.  It cannot know; we do, and refuse it.

A directory that was copied has the right number of lines.  But each start raises a durable number
in it, and each process draws a life at random: so a start that is below the one we know, or equal
to it in another process, comes from a copy.  Decision 10 says what this proves and what it cannot.
"""

from collections.abc import Mapping

from paxon.core.decree import NodeId
from paxon.net.handshake import DISOWNED, UNSAID, Goodbye, Standing


class PeerMemory:
    """Invariant: what is remembered of a member only grows, in lines and in starts."""

    def __init__(self, me: str = "this member", remembered: Mapping[NodeId, Standing] | None = None) -> None:
        """``remembered`` is what an earlier life wrote down: true still, if perhaps not all."""
        self._me = me
        self._remembered = dict(remembered or {})

    @property
    def remembered(self) -> dict[NodeId, Standing]:
        """Everything, to be written down."""
        return dict(self._remembered)

    def of(self, member: NodeId) -> Standing:
        """What is remembered of a member; zero is nothing."""
        return self._remembered.get(member) or UNSAID

    def lines(self) -> tuple[tuple[NodeId, int], ...]:
        """How far each ledger was durable, to be passed on."""
        return tuple((member, known.line) for member, known in self._remembered.items() if known.line)

    def note(self, member: NodeId, line: int) -> None:
        """A member's ledger was durable through ``line``, as it said itself to us or to somebody else."""
        known = self.of(member)
        if line > known.line:
            self._remembered[member] = Standing(line, known.boot, known.life)

    def meet(self, node: NodeId, member: str, standing: Standing) -> Goodbye | None:
        """Why a member that comes with ``standing`` has lost its place; otherwise ``None``, and it is remembered."""
        known = self.of(node)
        if standing.line < known.line:
            return Goodbye(
                DISOWNED,
                f"the ledger of {member} ends at line {standing.line}, but {self._me} remembers that line {known.line} "
                "of it was durable: an older copy of its directory was put back, or its disk does not keep what it "
                f"says is durable; {member} must not vote any more. Keep its directory for inspection and leave it "
                "down: the others go on without it",
            )
        if standing.boot and (
            standing.boot < known.boot or (standing.boot == known.boot and standing.life != known.life)
        ):
            return Goodbye(
                DISOWNED,
                f"{member} comes from start {standing.boot} of its directory, and {self._me} knows another process "
                f"from start {known.boot}: two processes use a copy of the directory each, "
                f"or an older copy was put back; leave this one of {member} down",
            )
        if standing.boot:
            self._remembered[node] = Standing(known.line, standing.boot, standing.life)
        return None
