"""How long a legislator waits for what.  Liveness only: no setting here can make two decrees pass in one slot."""

from msgspec import Struct

NEVER_MS = 1 << 62
"""A deadline that never comes: later than any clock."""


class Timing(Struct, frozen=True, forbid_unknown_fields=True):
    """Waiting times in milliseconds.

    They stand in for the paper's delivery and reaction times (section 2.4): a round trip and
    two syncs should fit ``retransmit_ms``, and several ``presence_ms`` should fit
    ``election_timeout_ms``.  Members may differ.
    """

    presence_ms: int = 100
    """The president calls the roll this often."""
    election_timeout_ms: int = 600
    """A president not heard for this long is missed; one that hears no quorum for this long gives up."""
    retransmit_ms: int = 200
    """An unanswered letter is sent again after this long, then after twice as long, up to eight times."""
    flush_ms: int = 5
    """News of what passed waits this long for a ``BeginBallot`` to ride on (section 3.2.2)."""
