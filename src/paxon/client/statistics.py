"""What callers, outside clients and members count, for whoever watches over them.

Every count begins at 0 with the object that has it, and only grows; the other figures are as of now.
"""

from msgspec import Struct


class Counts(Struct):
    """What one caller counts, with all its views and sessions."""

    submitted: int = 0
    read: int = 0
    resent: int = 0
    unknown: int = 0


class CallerStatistics(Struct, frozen=True, kw_only=True):
    """What one caller did, with every view of it (``within``, ``reading``) and every session of its own."""

    submitted: int
    """Commands begun."""
    read: int
    """Queries asked."""
    resent: int
    """How often a command was sent once more: because a leader was lost, a connection broke, or a queue was full."""
    unknown: int
    """Commands whose callers were told that they may have been applied (``OutcomeUnknown``)."""
    in_flight: int
    """Commands of this view's session that have no answer yet."""


class ClientStatistics(CallerStatistics, frozen=True, kw_only=True):
    """What an outside client did, and whom it asks."""

    endpoint: str
    """The member that is asked at present, as ``HOST:PORT``."""
    endpoints: int
    """How many members it knows of."""


class MemberStatistics(CallerStatistics, frozen=True, kw_only=True):
    """What a member's own caller did, and what the member keeps and waits for."""

    sessions: int
    """Open sessions in the replicated state, of all callers of the cluster."""
    first_event: int
    """The number of the oldest event of the change feed that is kept."""
    next_event: int
    """The number that the next event will have."""
    apply_failures: dict[str, int]
    """By part, the commands that raised what was no ``Rejected`` here since the start: bugs, or callers' mistakes."""
    ticks: int
    """Commands that this member had decided only to let time catch up."""
    clients: int
    """Connections of outside clients."""
    queues: dict[str, int]
    """How much waits where in the node, by name: nothing, at a member that has nothing to do."""
