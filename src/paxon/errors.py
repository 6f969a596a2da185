"""Every error that Paxon raises, in families that say whose fault it is and what to do next.

``InvariantViolation`` is our bug, ``ProtocolError`` a peer's, ``LedgerError`` the disk's or
the operator's, ``RequestError`` the answer to one request.  A ``RequestError`` means *not
applied*, except for its branch ``OutcomeUnknown``, which means *maybe applied*: the two are
never mixed, because a caller may repeat the first and must not blindly repeat the second.
"""


class PaxonError(Exception):
    """The root of everything Paxon raises on purpose."""


class InvariantViolation(PaxonError):
    """A claim the protocol rests on does not hold: our bug.  Stop this member and keep its ledger."""


def check(condition: object, claim: str) -> None:
    """Raise unless ``condition`` holds.  Unlike ``assert`` it stays on under ``python -O``.

    Raises:
        InvariantViolation: with ``claim``, the broken claim in words.
    """
    if not condition:
        raise InvariantViolation(claim)


class ProtocolError(PaxonError):
    """A peer broke the rules of the conversation: its link is closed and the event counted."""


class ConfigurationError(PaxonError):
    """What the operator asked for cannot be done as asked; the message says what to change."""


class ContractError(PaxonError):
    """A state machine's class cannot be replicated as it is written; the message says which method, and the remedy."""


class NotDeterministic(PaxonError):
    """A command did not do the same twice, or not the same on two members: a bug of the state machine's author.

    Raised in development mode alone, and then it stops the member.
    """


class LedgerError(PaxonError):
    """The ledger on disk cannot be used as it is."""


class LedgerCorrupt(LedgerError):
    """Durable bytes of the ledger are damaged: this member must not vote with it."""


class LedgerInUse(LedgerError):
    """Another process holds the data directory."""


class LedgerTooNew(LedgerError):
    """The ledger was written in a format, or calls commands, that only a newer release of the program knows."""


class SnapshotUnusable(LedgerError):
    """A snapshot is damaged, or holds what this release of the program does not have; the message says which."""


class WrongCluster(LedgerError):
    """The data directory belongs to another cluster."""


class ForeignIdentity(LedgerError):
    """The data directory belongs to another member, or a member's storage is not the one its peers know."""


class Disowned(LedgerError):
    """Other members remember more of this directory than it holds, or met a second process with a copy of it.

    It may have forgotten promises and votes: no member votes with it again.
    """


class LedgerSyncFailed(LedgerError):
    """The disk refused to make the ledger durable.  Fatal: what reached the disk is unknown from here on."""


class GrantLost(PaxonError):
    """What was held for a time is over before the work was done; the work was cancelled.  Somebody else may go on."""


class LockLost(GrantLost):
    """A lock, a permit or an office is not held any more, or can no longer be known to be.  Seek it again."""


class ClaimLost(GrantLost):
    """A claimed item of a queue is claimed no more: it is back in the queue, and somebody else may have it."""


class RequestError(PaxonError):
    """One request was refused.  It was **not applied**, unless the error is an ``OutcomeUnknown``."""

    code = "refused"


class NotLeader(RequestError):
    """This member cannot reach a leader for the request.  Not applied; ask the member in ``hint``, or again later."""

    code = "not_leader"

    def __init__(
        self, message: str = "no leader is known here; try again or ask another member", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.hint = hint
        """The endpoint to ask instead, or an empty string when none is known."""


class Overloaded(RequestError):
    """A queue is full.  Not applied; wait a little and try again."""

    code = "overloaded"


class TooLarge(RequestError):
    """The command is over the size limit.  Not applied; send less."""

    code = "too_large"


class DiskFull(RequestError):
    """The disk has no room for more writes.  Not applied; free some space and try again."""

    code = "disk_full"


class Stopping(RequestError):
    """This member is shutting down, or this program's session was closed.  Not applied; ask another member."""

    code = "stopping"


class BadRequest(RequestError):
    """The request makes no sense to the state machine or the server.  Not applied; it never will be."""

    code = "bad_request"


class ApplyFailed(RequestError):
    """The state machine raised on this command, on every member alike; the state is as before it."""

    code = "apply_failed"


class Rejected(RequestError):
    """A command's own, decided refusal: derive from it what your commands raise.

    Every member decides alike, the state is as before, and whoever submitted the command gets
    this very class with the same arguments.  They are plain data: numbers, text, bytes, tuples.
    """

    code = "rejected"


class NotYetKnown(RequestError):
    """Not every member's program has the command yet.  Not applied; upgrade the member that is named, and try again."""

    code = "not_yet_known"


class Compacted(RequestError):
    """The events asked for are kept no more.  Read the state, and watch from there on."""

    code = "compacted"


class SessionEnded(RequestError):
    """The session had ended, for nobody used it for its ttl, before the command came.  Not applied."""

    code = "session_ended"


class Behind(RequestError):
    """This member has not applied the slot that the read needs.  Not applied; ask another member, or again later."""

    code = "behind"


class NotGranted(RequestError):
    """What was waited for did not come in time.  Nothing is held; wait longer, or try again later."""

    code = "not_granted"


class Unreachable(RequestError):
    """No member could be reached before anything was sent.  Not applied."""

    code = "unreachable"


class OutcomeUnknown(RequestError):
    """The request **may have been applied**: repeat it only if doing it twice is harmless, or read first."""

    code = "unknown"


class DeadlineExceeded(OutcomeUnknown):
    """The deadline passed with the command already on its way.  Maybe applied."""

    code = "deadline"


class ResultLost(OutcomeUnknown):
    """The command **was applied**, but its result is known no more: its session ended before the answer came."""

    code = "result_lost"


class LeadershipLost(OutcomeUnknown):
    """The leader that had the command is gone before its fate was known.  Maybe applied."""

    code = "leadership_lost"
