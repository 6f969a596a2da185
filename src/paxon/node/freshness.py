"""What this member's own state may answer at this moment, and how reads were served.

Knows: the leader's lease, how old the latest barrier is, and that clocks may have stood still.
Does not know: how a read waits for what its state does not answer yet; ``node.readings`` does.
"""

from typing import assert_never

from paxon.core.decree import Slot
from paxon.core.legislator import Legislator
from paxon.node.consistency import AtLeast, Consistency, Leased, Linearizable, Stale
from paxon.node.pauses import Pauses
from paxon.node.ports import Clock
from paxon.node.status import ReadCounts


class Freshness:
    """Says of each read whether it may be answered at once, and counts."""

    def __init__(self, clock: Clock, legislator: Legislator, pause_ms: int) -> None:
        self._clock = clock
        self._legislator = legislator
        self.pauses = Pauses(clock, pause_ms)
        self.counts = ReadCounts()

    @property
    def leads_by_lease(self) -> bool:
        """Whether our ledger, as it is, has everything that was acknowledged to anybody before this moment."""
        lease = self._legislator.lease
        # The clock is read after the lease was looked at, and on this thread nothing changes in between.  A
        # process that is stopped after that answers late, and rightly: what it answers was so after it was asked.
        if lease is None:
            return False
        now_ms = self._clock.monotonic_ms()
        return now_ms < lease.until_ms and self.pauses.none_since(lease.called_ms, now_ms)

    def allows(self, consistency: Consistency, applied_until: Slot, fresh_ms: int | None) -> bool:
        """Whether a state that has applied all below ``applied_until`` keeps the promise of ``consistency`` right now.

        It reflects what was acknowledged before ``fresh_ms`` of our monotonic clock, if that is known.
        """
        match consistency:
            case Linearizable():
                return False
            case Leased():
                return self.allows_by_lease()
            case AtLeast(slot=slot):
                is_fit = slot < applied_until
            case Stale(max_age_ms=max_age_ms):
                is_fit = max_age_ms is None or (fresh_ms is not None and self._is_younger(fresh_ms, max_age_ms))
            case _:
                assert_never(consistency)
        self.counts.at_once += is_fit
        return is_fit

    def allows_by_lease(self) -> bool:
        """The same for ``Leased``, which asks for no more than ``leads_by_lease``."""
        is_fit = self.leads_by_lease
        if is_fit:
            self.counts.by_lease += 1
        else:
            self.counts.lease_refused += 1
        return is_fit

    def waits(self, consistency: Consistency) -> None:
        """A read that was not allowed at once is going to wait."""
        if isinstance(consistency, AtLeast):
            self.counts.after_slot += 1
        else:
            self.counts.after_barrier += 1

    def _is_younger(self, fresh_ms: int, max_age_ms: int) -> bool:
        now_ms = self._clock.monotonic_ms()
        return now_ms - fresh_ms <= max_age_ms and self.pauses.none_since(fresh_ms, now_ms)
