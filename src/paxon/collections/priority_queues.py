"""Queues of work in the order of priority.

Knows: how ``Work`` is offered as a queue with priorities.  Does not know: what the work is.
"""

from paxon.collections.values import DurationMs, Identity, Integer, Name, PageSize, Value
from paxon.collections.work import Attempts, Claim, Item, Letter, Sizes, Work
from paxon.rsm.contract import Context, command, query


class PriorityQueues(Work):
    """Queues by name, the lowest priority first.  Events are ``WorkEvent`` under ``priority-queue/NAME``.

    * Items are claimed in the order of priority, and within one in the order in which they were put.  An item that
      comes back from a claim stands where it stood.
    * An item is claimed by one claimant at a time, and of two claims, of whatever queues, the later one's token is
      greater.
    * An item is gone once it is acknowledged under the token of its present claim, and not before.
    """

    TOPIC = "priority-queue"

    @command
    def put(self, ctx: Context, name: Name, item: Value, priority: Integer, attempts_max: Attempts = 0) -> int:
        """Have one more item, behind those of its priority; its number, greater than every number before.

        After ``attempts_max`` claims that end otherwise than by an ``ack`` it becomes a dead letter; 0 is for never.

        Raises:
            LimitReached: if there are too many items in all queues together.
        """
        return self._put(ctx, name, Item(item, priority, attempts_max))

    @command
    def claim(self, ctx: Context, name: Name, claimant: Identity, lease_ms: DurationMs) -> Claim | None:
        """Have the first item for ``lease_ms``, or ``None`` if none is ready; a ``Ready`` event tells of one."""
        return self._claim(ctx, name, claimant, lease_ms)

    @command
    def ack(self, ctx: Context, name: Name, number: int, token: int) -> None:
        """Be done with an item: it is gone.

        Raises:
            NotClaimed: if the claim has ended.
        """
        self._ack(ctx, name, number, token)

    @command
    def extend(self, ctx: Context, name: Name, number: int, token: int, lease_ms: DurationMs) -> int:
        """Prolong a claim to ``lease_ms`` from now, unless it lasts longer; the decided time at which it lapses.

        Raises:
            NotClaimed: if the claim has ended.
        """
        return self._extend(ctx, name, number, token, lease_ms)

    @command
    def release(self, ctx: Context, name: Name, number: int, token: int) -> None:
        """Give an item back to where it stood, or to the dead letters if that was its last attempt.

        Raises:
            NotClaimed: if the claim has ended.
        """
        self._release(ctx, name, number, token)

    @command
    def revive(self, ctx: Context, name: Name, number: int) -> None:
        """Let a dead letter be claimed again, with all its attempts before it.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        self._revive(ctx, name, number)

    @command
    def discard(self, ctx: Context, name: Name, number: int) -> None:
        """Be done with a dead letter.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        self._discard(ctx, name, number)

    @query
    def size(self, name: Name) -> Sizes:
        """How many items there are of each kind."""
        return self._sizes(name)

    @query
    def dead_letters(self, name: Name, after: Integer | None = None, limit: PageSize = 100) -> tuple[Letter, ...]:
        """Dead letters whose numbers are beyond ``after``, in the order of their numbers."""
        return self._letters(name, after, limit)
