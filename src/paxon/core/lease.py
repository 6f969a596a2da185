"""The president's lease: members that follow nobody else for a while, so that its own ledger is the latest there is.

Knows: how long a grant binds the member that gave it, and for how long its president may count on
it when clocks run at different rates.  Does not know: how grants travel, which is the roll's
business.  Section 3.3.4 gives the law to read to a specialist for a term; here the president is
the specialist for all of it, and a quorum's word takes the place of the decree that appoints it.

Theory of operation.  A roll call asks for a lease of so many milliseconds.  Whoever answers
promises nothing above the caller's ballot until its own clock has counted them; the president
counts them from before it sent the call, and fewer of them.  As long as a vote quorum is bound,
every promise quorum has a member in it that is, so no later ballot gets past step 2, and nothing
passes that the president does not know of.
"""

from msgspec import Struct

from paxon.core.decree import NO_BALLOT, Ballot
from paxon.core.pen import Pen

MILLION = 1_000_000

CLOCK_GRAIN_MS = 1
"""A clock that shows whole milliseconds may be about to show the next one: a grant lasts one more."""


class LeaseTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What a member asks for as president, and the most that it grants to one.  Members may differ."""

    duration_ms: int = 0
    """For how long a member that answers a roll call follows nobody else; 0 is never, and asks for nothing."""
    drift_ppm: int = 1_000
    """How much faster or slower than true time any member's monotonic clock may run, in parts of a million.  Leased
    reads may be stale if one exceeds it, and nothing else.  Crystals stay within 200, and a machine whose time is kept
    by the network may be slewed by 500 more."""
    pause_ms: int = 50
    """For how long the monotonic clock may stand still, as when a machine is suspended, without its being noticed.
    Every lease is shorter by this."""

    def usable_ms(self, granted_ms: int) -> int:
        """How much of a grant its president may count on: both clocks may be wrong, and in opposite directions."""
        return granted_ms * (MILLION - self.drift_ppm) // (MILLION + self.drift_ppm) - self.pause_ms


NO_LEASE = LeaseTerms()


class Lease(Struct, frozen=True):
    """Until ``until_ms`` of our clock we may count on it that others follow nobody but us."""

    called_ms: int
    """When we began the oldest roll call that it rests on."""
    until_ms: int


class Grants:
    """What this member has let a president count on.

    Invariants: ``ballot`` is the highest that was ever granted anything in this life; until
    ``until_ms`` no ballot above it is promised, unless its president has left it.
    """

    def __init__(self, pen: Pen, terms: LeaseTerms, forgotten_ms: int) -> None:
        """``forgotten_ms`` is the longest grant that an earlier life of ours may have given and forgotten."""
        self._pen = pen
        self._terms = terms
        self.ballot = NO_BALLOT
        self.until_ms = pen.now_ms + forgotten_ms + CLOCK_GRAIN_MS if forgotten_ms else pen.now_ms
        self._knows_nothing_until_ms = self.until_ms

    @property
    def are_binding(self) -> bool:
        """Whether some president may count on us at this moment."""
        return self._pen.now_ms < self.until_ms

    def give(self, ballot: Ballot, asked_ms: int) -> int:
        """Bind ourselves to ``ballot``; returns for how many milliseconds.

        Enabled when: we have promised nothing above ``ballot``.
        Effects: none for a ballot below one that we are bound to, nor while we may have forgotten
        to whom we are bound.  A higher ballot's president has a promise quorum, so a lower one's
        lease is over, whatever is left of it here.
        """
        granted_ms = min(asked_ms, self._terms.duration_ms)
        if granted_ms == 0 or ballot < self.ballot or self._pen.now_ms < self._knows_nothing_until_ms:
            return 0
        self.ballot = ballot
        self.until_ms = max(self.until_ms, self._pen.now_ms + granted_ms + CLOCK_GRAIN_MS)
        return granted_ms

    def forbid(self, ballot: Ballot, released: Ballot) -> bool:
        """Whether a promise to ``ballot`` would break our word.

        Not if the president that we are bound to has left its ballot: because it starts another one
        itself, or because it told whoever asks us so (``released`` is the ballot that it left).
        """
        if not self.are_binding or ballot <= self.ballot:
            return False
        has_left = self.ballot != NO_BALLOT and (ballot.owner == self.ballot.owner or released == self.ballot)
        return not has_left
