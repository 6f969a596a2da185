"""Queues of work in the order of priority.

Knows: how ``Work`` is offered as a queue with priorities.  Does not know: what the work is.
"""

from paxon.collections.values import Integer, Name, Value
from paxon.collections.work import Attempts, Item, Work
from paxon.rsm.contract import Context, command


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
