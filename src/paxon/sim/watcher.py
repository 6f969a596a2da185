"""Somebody who is told what happens in a run, as it happens.

Knows: what there is to tell.  Does not know: why anybody wants to hear it.  ``Trace.watcher``
is how everything in a world reaches it; a run goes the same way whoever watches.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from paxon.core.decree import Decree, NodeId, Slot
from paxon.core.ledger import Record

if TYPE_CHECKING:
    from paxon.node.host import Host
    from paxon.sim.network import Parcel
    from paxon.sim.workload import Request


class Watcher:
    """This one listens and forgets, so that nobody has to ask whether anybody listens."""

    def stepped(self, now_ms: int) -> None:
        """The next event begins; what is told from here on is part of it."""

    def sent(self, parcel: "Parcel") -> None:
        """A letter left its sender."""

    def arrived(self, parcel: "Parcel") -> None:
        """A letter, or one more copy of it, is about to be read by its receiver."""

    def lost(self, parcel: "Parcel", why: str) -> None:
        """A letter, or one more copy of it, will not be read."""

    def wrote(self, member: NodeId, records: Sequence[Record]) -> None:
        """A member wrote in its ledger; nothing of it is durable yet."""

    def sync_began(self, member: NodeId) -> None:
        """What was written up to here is on its way to the disk."""

    def sync_ended(self, member: NodeId, ending: str) -> None:
        """It is durable, or the sync failed."""

    def booted(self, member: NodeId, life: int) -> None:
        """A member's process starts on what its disk has."""

    def crashed(self, member: NodeId, is_power_cut: bool) -> None:
        """A member's process is gone."""

    def paused(self, member: NodeId, pause_ms: int) -> None:
        """A member stands still and does not notice."""

    def calmed(self) -> None:
        """All faults end, pauses too."""

    def looked(self, member: NodeId, host: "Host", passed: Mapping[Slot, Decree]) -> None:
        """A member did something; ``passed`` is every decree that passed so far, in the order in which they did."""

    def asked(self, request: "Request") -> None:
        """A client asks a member for something."""

    def answered(self, request: "Request") -> None:
        """The request ended as its ``ending`` says."""
