"""Locks that many readers or one writer hold for a time.

Knows: who reads or writes under a name, and who waits for that.  Does not know: what is read or written.
"""

from paxon.collections.refusals import OtherMode
from paxon.collections.seats import Grant, Place, Seat, Seats
from paxon.collections.tables import find
from paxon.collections.values import ABREAST_MAX, DurationMs, Identity, Label, Name
from paxon.rsm.contract import Context, command, query

ONE_WRITER = 1


class RWLocks(Seats):
    """Locks by name.  Events are ``SeatEvent`` under ``rwlock/NAME``.

    * A lock with a writer has no other holder; without one, it has up to ``ABREAST_MAX`` readers.
    * First come, first served: a reader that comes after a waiting writer waits behind it.
    * Of two grants, of whatever locks, the later one's token is greater.

    A seat with the room ``ONE_WRITER`` is a writer's.  Everything else is as in ``Terms``.
    """

    TOPIC = "rwlock"

    @command
    def seek(
        self,
        ctx: Context,
        name: Name,
        seeker: Identity,
        ttl_ms: DurationMs,
        wait: bool,
        write: bool,
        value: Label = "",
    ) -> Grant | Place | None:
        """Have the lock to read, or with ``write`` to write; or a place in the queue; or with ``wait`` off nothing.

        Raises:
            LimitReached: if too many seek this lock, or any.
            OtherMode: if the seeker has the lock, or a place, in the other mode.
        """
        room = ONE_WRITER if write else ABREAST_MAX
        had = find(self.holders_by_name, name, seeker) or find(self.seekers_by_name, name, seeker)
        if had is not None and had.room != room:
            modes = ("reads", "write") if write else ("writes", "read")
            raise OtherMode(
                f"the seeker {modes[0]} {name!r}, or waits for that: withdraw before you seek to {modes[1]}"
            )
        return self._seek(ctx, name, Seat(seeker, room, ttl_ms, value), wait)

    @query
    def holders(self, name: Name) -> tuple[Seat, ...]:
        """Who has the lock, in the order of their grants."""
        return self._holders(name)
