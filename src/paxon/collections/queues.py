"""Queues of work: first in, first out.

Knows: how ``Work`` is offered as a queue.  Does not know: what the work is.
"""

from paxon.collections.values import Name, Value
from paxon.collections.work import Attempts, Item, Work
from paxon.rsm.contract import Context, command


class Queues(Work):
    """Queues by name.  Events are ``WorkEvent`` under ``queue/NAME``.

    * Items are claimed in the order in which they were put, but for those that come back from a claim: such an item
      stands before all that were put after it.
    * An item is claimed by one claimant at a time, and of two claims, of whatever queues, the later one's token is
      greater.
    * An item is gone once it is acknowledged under the token of its present claim, and not before.
    """

    TOPIC = "queue"

    @command
    def put(self, ctx: Context, name: Name, item: Value, attempts_max: Attempts = 0) -> int:
        """Have one more item at the end; its number, greater than every number before.

        After ``attempts_max`` claims that end otherwise than by an ``ack`` it becomes a dead letter; 0 is for never.

        Raises:
            LimitReached: if there are too many items in all queues together.
        """
        return self._put(ctx, name, Item(item, 0, attempts_max))
