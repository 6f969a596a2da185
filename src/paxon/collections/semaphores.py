"""Semaphores: permits that a limited number hold at a time.

Knows: who has a permit, and who waits for one.  Does not know: what it permits.
"""

from paxon.collections.refusals import OtherLimit
from paxon.collections.seats import Grant, Place, Seat, Seats
from paxon.collections.values import Abreast, DurationMs, Identity, Label, Name
from paxon.rsm.contract import Context, command, query


class Semaphores(Seats):
    """Semaphores by name.  Events are ``SeatEvent`` under ``semaphore/NAME``.

    * At most ``limit`` hold a permit.  Whoever comes first says the limit, and it holds until nobody has a permit.
    * Of two grants, of whatever semaphores, the later one's token is greater.

    Everything else is as in ``Terms``.
    """

    TOPIC = "semaphore"

    @command
    def seek(
        self,
        ctx: Context,
        name: Name,
        seeker: Identity,
        ttl_ms: DurationMs,
        wait: bool,
        limit: Abreast,
        value: Label = "",
    ) -> Grant | Place | None:
        """Have a permit, or a place in the queue for one, or with ``wait`` off nothing.

        Raises:
            LimitReached: if too many seek this semaphore, or any.
            OtherLimit: if it is in use with another limit.
        """
        holders = self._holders(name)
        if holders and holders[0].room != limit:
            raise OtherLimit(
                f"{name!r} is in use with a limit of {holders[0].room}: use that, or wait until it is free"
            )
        return self._seek(ctx, name, Seat(seeker, limit, ttl_ms, value), wait)

    @query
    def holders(self, name: Name) -> tuple[Seat, ...]:
        """Who has a permit, in the order of their grants."""
        return self._holders(name)
