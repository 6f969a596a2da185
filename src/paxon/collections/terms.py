"""Offices held for a term, each by one at a time: what locks, elections, hot standby and "just one process" stand on.

Knows: who holds an office, and who comes next (section 3.3.3 of the paper).  Does not know: what an officer does.
"""

from paxon.collections.seats import Grant, Place, Seat, Seats
from paxon.collections.values import DurationMs, Identity, Label, Name
from paxon.rsm.contract import Context, command, query


class Terms(Seats):
    """Offices by name.  Events are ``SeatEvent`` under ``term/NAME``.

    * S7: for every office at most one holder.
    * Of two grants, of whatever offices, the later one's token is greater.
    * A term ends when its holder resigns or when decided time reaches ``until_ms``, and in the same step the next
      living seeker has the office.

    A seeker is one attempt of one process, under a name that no other attempt has: whoever seeks under the same name
    has the same term.  A holder compares ``until_ms`` with its own clock and stops earlier than that, by as much as
    the two may differ; what it does elsewhere, it does under its token, and a resource that has seen a greater one
    refuses it.
    """

    TOPIC = "term"

    @command
    def seek(
        self, ctx: Context, name: Name, seeker: Identity, ttl_ms: DurationMs, wait: bool, value: Label = ""
    ) -> Grant | Place | None:
        """Have the office, or a place in the queue for it, or with ``wait`` off nothing.

        Seeking again prolongs what the seeker has: the grant keeps its token, the place its position.  A place lapses
        ``ttl_ms`` after the last time that the seeker asked, so that nobody waits behind the dead.  ``value`` stands
        beside the seeker in ``holder`` and ``contenders``, as it was when the seeker came: an address, for example.

        Raises:
            LimitReached: if too many seek this office, or any.
        """
        return self._seek(ctx, name, Seat(seeker, 1, ttl_ms, value), wait)

    @query
    def holder(self, name: Name) -> Seat | None:
        """Who has the office."""
        holders = self._holders(name)
        return holders[0] if holders else None
