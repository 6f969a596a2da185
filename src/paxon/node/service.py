"""The client port: requests of clients in, results and failures out.

Knows: the client messages, how errors are spelled in them, and how much one caller may ask
at a time.  Does not know: keys and values (a command is bytes), sockets (``net.calls`` has
them), or how a command is decided (the node does).

Every request carries a number of the caller's choice and gets exactly one reply with it, in
any order, unless the connection closes first; only an ``Unwatch`` speeds up the reply to another.
"""

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial
from typing import Protocol

from msgspec import Struct

from paxon import errors
from paxon.codec.values import Vocabulary
from paxon.errors import BadRequest, NotLeader, OutcomeUnknown, Overloaded, ProtocolError, RequestError, TooLarge
from paxon.net.calls import CallLimits
from paxon.node.consistency import Consistency
from paxon.node.proposals import Applied
from paxon.node.settings import COMMAND_BYTES_CEILING
from paxon.node.status import MemberStatus
from paxon.node.watching import FeedReader
from paxon.rsm.feed import Event, Feed

OUTSTANDING_MAX = 4096
"""Requests one caller may have open.  It keeps one caller from filling the queue that all share."""

TIMEOUT_MS_MAX = 600_000
"""The longest a request may wait here, ten minutes: a reply after that finds nobody."""

logger = logging.getLogger(__name__)


class Submit(Struct, frozen=True):
    """Request: decide and apply ``command``.  Answered by ``Result`` or ``Failure``."""

    number: int
    command: bytes
    timeout_ms: int


class Query(Struct, frozen=True):
    """Request: answer ``question`` from the state.  Answered by ``Result`` or ``Failure``.

    ``consistency`` says how much of what happened elsewhere the answer must reflect.
    """

    number: int
    question: bytes
    timeout_ms: int
    consistency: Consistency


class StatusRequest(Struct, frozen=True):
    """Request: how are you?  Answered by ``StatusReply``."""

    number: int


class Watch(Struct, frozen=True):
    """Request: the next events of ``part`` whose topics begin with ``topic_prefix``, from event number ``since`` on.

    Answered by ``Events`` as soon as there is one, or when ``timeout_ms`` are over; by a ``Failure`` if some were
    missed, or if this member may not hear of them.  Without ``since`` the answer comes at once and says where the
    feed goes on.  Whoever watches asks again from there: so each watcher sets its own pace, what waits for it here
    is one answer, and it may as well ask another member.
    """

    number: int
    since: int | None
    part: str
    topic_prefix: str
    timeout_ms: int


class Unwatch(Struct, frozen=True):
    """Request: answer the ``Watch`` of this number at once, if it is still open.  Has no answer of its own."""

    number: int


class Result(Struct, frozen=True):
    """Reply: what the state machine said.  ``slot`` holds the command, or is the last one the answer reflects."""

    number: int
    slot: int
    body: bytes


class Failure(Struct, frozen=True):
    """Reply: a ``RequestError`` by its code.  ``hint`` is the endpoint to ask instead, or an empty string."""

    number: int
    code: str
    message: str
    hint: str


class StatusReply(Struct, frozen=True):
    """Reply: this member's view of itself."""

    number: int
    status: MemberStatus


class Events(Struct, frozen=True):
    """Reply: every event that was asked for and is numbered below ``next_number``."""

    number: int
    next_number: int
    events: tuple[Event, ...]


Request = Submit | Query | StatusRequest | Watch | Unwatch
Reply = Result | Failure | StatusReply | Events
ClientMessage = Request | Reply

FRAME_BYTES_MAX = COMMAND_BYTES_CEILING + 64 * 1024
"""The longest frame on the client port, at both ends, whatever a member's limit on commands is: so a command
over that limit reaches the node, which can say so, instead of breaking the connection."""

CALL_LIMITS = CallLimits(frame_bytes_max=FRAME_BYTES_MAX, reply_bytes_max=4 * FRAME_BYTES_MAX)
"""For the ``CallServer`` that a ``ClientService`` stands behind."""

CLIENT_KINDS: dict[int, type[ClientMessage]] = {
    1: Submit,
    2: Query,
    3: StatusRequest,
    4: Result,
    5: Failure,
    6: StatusReply,
    7: Watch,
    8: Unwatch,
    9: Events,
}
"""The kind byte of each message on the client port.  A number is never given a second meaning."""

CLIENT_VOCABULARY = Vocabulary(CLIENT_KINDS)

ERRORS: dict[str, type[RequestError]] = {
    kind.code: kind
    for kind in (
        errors.RequestError,
        errors.NotLeader,
        errors.Overloaded,
        errors.TooLarge,
        errors.DiskFull,
        errors.Stopping,
        errors.BadRequest,
        errors.ApplyFailed,
        errors.Rejected,
        errors.NotGranted,
        errors.NotYetKnown,
        errors.Compacted,
        errors.SessionEnded,
        errors.Behind,
        errors.Unreachable,
        errors.OutcomeUnknown,
        errors.DeadlineExceeded,
        errors.ResultLost,
        errors.LeadershipLost,
    )
}
"""Every error that travels, by its code: the one table, used in both directions."""


def failure_of(number: int, error: RequestError) -> Failure:
    """``error`` as the reply to request ``number``."""
    hint = error.hint if isinstance(error, NotLeader) else ""
    return Failure(number, error.code, str(error), hint)


def error_of(failure: Failure) -> RequestError:
    """The error that ``failure`` spells.

    A code that this release does not know, from a newer member, is an ``OutcomeUnknown``:
    taking a maybe for a no would invite a caller to repeat what was applied.
    """
    kind = ERRORS.get(failure.code)
    if kind is None:
        return OutcomeUnknown(f"{failure.code}: {failure.message}")
    if issubclass(kind, NotLeader):
        return kind(failure.message, failure.hint)
    return kind(failure.message)


class ServedNode(Protocol):
    """What the client port asks of its node."""

    def submit(self, command: bytes, timeout_ms: int) -> "asyncio.Future[Applied]":
        """Have ``command`` decided and applied; the future fails with a ``RequestError`` only.

        Raises:
            RequestError: if it is refused at once.
        """

    def query(self, question: bytes, timeout_ms: int, consistency: Consistency) -> Awaitable[Applied]:
        """Answer ``question`` from a state that keeps the promise of ``consistency``.

        Raises:
            RequestError: when awaited.
        """

    def status(self) -> MemberStatus:
        """This member's view of itself."""

    @property
    def feed(self) -> Feed:
        """The change feed."""


class Caller(Protocol):
    """The other end of one client connection."""

    def reply(self, message: Reply) -> None:
        """Send ``message``, or drop it if the connection is gone.

        Raises:
            TooLarge: it does not fit; nothing was sent.
        """


class _Conversation:
    """What is open with one caller.  Invariant: ``outstanding`` counts requests taken in and not yet answered."""

    __slots__ = ("caller", "outstanding", "tasks", "watches")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.outstanding = 0
        self.tasks: set[asyncio.Task[None]] = set()
        """Kept because the loop holds tasks only weakly, and to cancel them when nobody waits any more."""
        self.watches: dict[int, asyncio.Timeout] = {}
        """The time limit of each open watch, by number."""


class ClientService:
    """Answers the requests of every caller from one node.  Its two ``on_`` methods are what a ``CallServer`` calls."""

    def __init__(self, node: ServedNode, *, outstanding_max: int = OUTSTANDING_MAX) -> None:
        self._node = node
        self._outstanding_max = outstanding_max
        self._conversations: dict[Caller, _Conversation] = {}

    def on_request(self, caller: Caller, message: object) -> None:
        """Take in one request.

        Raises:
            ProtocolError: if ``message`` is not a request; the connection is to be closed.
        """
        conversation = self._conversations.get(caller)
        if conversation is None:
            conversation = self._conversations[caller] = _Conversation(caller)
        if isinstance(message, Submit):
            self._submit(conversation, message)
        elif isinstance(message, Query | Watch):
            self._run(conversation, message)
        elif isinstance(message, Unwatch):
            if message.number in conversation.watches:
                conversation.watches[message.number].reschedule(0)
        elif isinstance(message, StatusRequest):
            caller.reply(StatusReply(message.number, self._node.status()))
        else:
            raise ProtocolError(f"a client sent a {type(message).__name__}, which is not a request")

    def on_closed(self, caller: Caller) -> None:
        """Forget ``caller``.  Its submitted commands go on: they may be decided already, and cannot be called back."""
        conversation = self._conversations.pop(caller, None)
        if conversation is not None:
            for task in conversation.tasks:
                task.cancel()

    def _submit(self, conversation: _Conversation, request: Submit) -> None:
        # A task per command would be the largest part of a small write's cost; a callback on its future is not.
        try:
            self._admit(conversation, request.timeout_ms)
            future = self._node.submit(request.command, request.timeout_ms)
        except RequestError as error:
            conversation.caller.reply(failure_of(request.number, error))
            return
        conversation.outstanding += 1
        if future.done():
            self._answer(conversation, request.number, future)
        else:
            future.add_done_callback(partial(self._answer, conversation, request.number))

    def _answer(self, conversation: _Conversation, number: int, future: "asyncio.Future[Applied]") -> None:
        conversation.outstanding -= 1
        if future.cancelled():
            reply: Reply = failure_of(
                number, OutcomeUnknown("the member gave up on the command while it was under way")
            )
        elif (error := future.exception()) is None:
            applied = future.result()
            reply = Result(number, applied.slot, applied.result)
        else:
            reply = self._failure(number, error)
        self._reply(conversation, reply, was_applied=True)

    def _run(self, conversation: _Conversation, request: Query | Watch) -> None:
        """Answer in a task what has to wait for more than one thing."""
        try:
            self._admit(conversation, request.timeout_ms)
        except RequestError as error:
            conversation.caller.reply(failure_of(request.number, error))
            return
        conversation.outstanding += 1
        task = asyncio.ensure_future(self._find_reply(conversation, request))
        conversation.tasks.add(task)
        task.add_done_callback(conversation.tasks.discard)

    async def _find_reply(self, conversation: _Conversation, request: Query | Watch) -> None:
        reply: Reply
        try:
            if isinstance(request, Query):
                applied = await self._node.query(request.question, request.timeout_ms, request.consistency)
                reply = Result(request.number, applied.slot, applied.result)
            else:
                reply = await self._next_events(conversation, request)
        except Exception as error:
            reply = self._failure(request.number, error)
        finally:
            conversation.outstanding -= 1
        self._reply(conversation, reply, was_applied=False)

    async def _next_events(self, conversation: _Conversation, request: Watch) -> Events:
        reader = FeedReader(self._node.feed, request.since, request.part, request.topic_prefix)
        if request.since is None:
            return Events(request.number, reader.next_number, ())
        if request.number in conversation.watches:
            raise BadRequest(f"there is an open watch of the number {request.number}")
        events: list[Event] = []
        try:
            async with asyncio.timeout(request.timeout_ms / 1000) as limit:
                conversation.watches[request.number] = limit
                events = await reader.next()
        except TimeoutError:
            pass
        finally:
            del conversation.watches[request.number]
        if not events and not self._node.status().leader:
            # Cut off from the others, this member would keep its watchers from what happens there.
            raise NotLeader("this member hears of no leader, and there may be events that it does not know of")
        return Events(request.number, reader.next_number, tuple(events))

    def _reply(self, conversation: _Conversation, reply: Reply, *, was_applied: bool) -> None:
        try:
            conversation.caller.reply(reply)
        except TooLarge as error:
            refusal: RequestError = error
            if was_applied:
                # Nothing else that says *not applied* may stand here.
                refusal = OutcomeUnknown(f"the command was applied, but its result cannot be sent: {error}")
            conversation.caller.reply(failure_of(reply.number, refusal))

    def _admit(self, conversation: _Conversation, timeout_ms: int) -> None:
        if conversation.outstanding >= self._outstanding_max:
            raise Overloaded(
                f"this connection has {conversation.outstanding} requests open, the limit: wait for some to be answered"
            )
        if not 0 < timeout_ms <= TIMEOUT_MS_MAX:
            raise BadRequest(f"timeout_ms is {timeout_ms}: choose from 1 to {TIMEOUT_MS_MAX}")

    def _failure(self, number: int, error: BaseException) -> Failure:
        if isinstance(error, RequestError):
            return failure_of(number, error)
        # A bug of ours.  The caller hears of it as the one answer that claims nothing.
        logger.error("request failed", exc_info=error, extra={"fields": {"error": type(error).__name__}})
        return failure_of(number, OutcomeUnknown(f"the member failed internally: {type(error).__name__}"))
