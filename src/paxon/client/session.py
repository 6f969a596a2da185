"""A session as asyncio sees it: each command is applied once, whatever has to be sent again.

Knows: deadlines, pauses, and which failures are worth another attempt.  Does not know: what a command
says, or where members are (the channel does).

Theory of operation.  Commands leave at the end of the loop's turn, many together, and answers to
many are given over several turns.  What fails without a verdict is sent again after a pause, in the
order of the numbers, until it is answered; by then its outcome is known for certain.  A caller whose
deadline passes is told that the outcome is unknown, and the command is withdrawn: its number is sent
again without it, so that it cannot take effect any later than that.
"""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec import Struct

from paxon.client.channel import Channel
from paxon.client.line import Line
from paxon.client.spread import Spread
from paxon.client.statistics import Counts
from paxon.errors import (
    ApplyFailed,
    BadRequest,
    DeadlineExceeded,
    NotLeader,
    NotYetKnown,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    ResultLost,
    SessionEnded,
    Stopping,
    TooLarge,
    Unreachable,
    check,
)
from paxon.node.proposals import Applied
from paxon.rsm.session_requests import (
    Close,
    Ended,
    Failed,
    Open,
    Opened,
    Withdrawn,
    answers_of,
    decode_answer,
    encode,
    is_done,
)
from paxon.rsm.sessions import REPLIES_MAX, TTL_MS_MAX
from paxon.rsm.submitter import Submitter

NAME_BYTES: Final = 16
"""Random bytes in a session's name: two never meet."""

IN_FLIGHT_MAX: Final = REPLIES_MAX // 2
"""Commands of one session on their way; more wait here."""

PAUSE_S_MIN: Final = 0.01
PAUSE_S_MAX: Final = 0.25
"""Between two attempts: the first pause and the longest one.  Most reasons, such as an election, are over soon."""

WITHDRAW_TIMEOUT_MS: Final = 5_000
"""How long one attempt to withdraw a command may take."""

DEFAULT_TTL_S: Final = 60.0
"""How long a session outlives its owner: long enough for any pause that is not an end."""

OPEN_ATTEMPT_MS: Final = 2_000

TOGETHER_MAX: Final = 256
"""The most commands that are sent together."""

TOGETHER_BYTES: Final = 128 * 1024
"""About how many bytes of them.  Far below the limit of a command, which a single one may still reach."""

TOGETHER_S: Final = 0.05
"""How far the deadlines of commands may lie apart that are sent together: the earliest counts for all."""

GIVEN_MAX: Final = 128
"""About how many commands are given their answers in one turn of the loop."""

NEVER_SENT_AGAIN: Final = (TooLarge, BadRequest, NotYetKnown, Stopping)
"""Refusals that a second attempt would meet again."""


class _Command(Struct):
    """One command without an answer."""

    sequence: int
    future: "asyncio.Future[Applied]"
    deadline: float
    bytes: int
    """Of what is submitted."""
    may_be_applied: bool = False
    """Whether an attempt ended without a verdict."""
    goes_alone: bool = False
    """Whether it may be what made an attempt with others fail."""
    error: RequestError | None = None
    """Why the last attempt failed."""


class _Attempt:
    """Some commands on their way together.  Satisfies ``node.ports.Reply``."""

    __slots__ = ("_session", "commands")

    def __init__(self, session: "Session", commands: list[_Command]) -> None:
        self._session = session
        self.commands = commands

    def done(self) -> bool:
        """Never: these numbers have to be used up even if nobody waits any more."""
        return False

    def set_result(self, result: Applied, /) -> None:
        """The log has an answer."""
        self._session._on_answer(self, result)

    def set_exception(self, error: Exception, /) -> None:
        """This attempt came to nothing."""
        self._session._on_failure(self, error)


class Session:
    """One session, opened by its first command and kept alive until ``close``.

    Invariant: ``_commands`` has every number that ``_submitter`` has open; each is on its way, or in ``_unsent``.
    """

    def __init__(self, channel: Channel, ttl_s: float = DEFAULT_TTL_S, counts: Counts | None = None) -> None:
        """What happens is added to ``counts``.

        Raises:
            BadRequest: if ``ttl_s`` is no time that a session can live for.
        """
        if not 0.001 <= ttl_s <= TTL_MS_MAX / 1000:
            raise BadRequest(f"a session lives for up to {TTL_MS_MAX // 1000} s without a command, not for {ttl_s:g} s")
        self._channel = channel
        self._ttl_ms = int(ttl_s * 1000)
        self._loop = asyncio.get_running_loop()
        self._submitter = Submitter(secrets.token_bytes(NAME_BYTES))
        self._commands: dict[int, _Command] = {}
        self._fresh: list[_Command] = []
        """Those that leave at the end of this turn of the loop."""
        self._unsent: set[int] = set()
        self._giving = Spread(GIVEN_MAX)
        self._pause_s = PAUSE_S_MIN
        self._resending: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._not_open_because: RequestError | None = None
        self._is_open = False
        self._is_closed = False
        self._line = Line(self._room)
        self._keeping: asyncio.TimerHandle | None = None
        self.counts = counts or Counts()

    @property
    def in_flight(self) -> int:
        """Commands without an answer."""
        return len(self._submitter)

    @property
    def is_ready(self) -> bool:
        """Whether ``begin`` may be called: the session is open and has room for another command."""
        # Whoever waits comes first: commands are applied in the order in which they were submitted.
        return self._line.is_empty and self._room() > 0

    async def wait_ready(self, timeout_s: float) -> None:
        """Open the session if it is not, and wait until a command may begin: the caller's, at once.

        Raises:
            Stopping: it was closed.
            Overloaded: too many commands are on their way.
            NotLeader, Unreachable: nobody opened it in time.
        """
        is_let_in = False
        try:
            async with asyncio.timeout(timeout_s):
                while not is_let_in:
                    if self._is_closed:
                        raise _closed()
                    self._open_soon()
                    await self._line.wait()
                    # Unless it has ended since.
                    is_let_in = self._is_open
        except TimeoutError:
            raise self._why_not_ready() from None

    def begin(self, command: bytes, timeout_s: float) -> "asyncio.Future[Applied]":
        """Have ``command`` applied, once, after every earlier one of this session.

        Enabled when: ``is_ready``.  The future gets an ``Applied`` whose result is taken apart by
        ``result_of``; an ``OutcomeUnknown`` if the deadline passed, and then the command is applied soon
        or never; or another ``RequestError`` if it was not applied.
        """
        future: asyncio.Future[Applied] = self._loop.create_future()
        sequence = self._submitter.number(command)
        self._commands[sequence] = started = _Command(sequence, future, self._loop.time() + timeout_s, len(command))
        if self._unsent:
            # Whatever went ahead of those would come back as too early.
            self._unsent.add(sequence)
        else:
            if not self._fresh:
                # What else is submitted in this turn of the loop goes with it: one entry in the log for all of it.
                self._loop.call_soon(self._send_fresh)
            self._fresh.append(started)
        return future

    async def close(self) -> None:
        """End the session, if the cluster can be asked; otherwise it ends by itself after its ttl."""
        self._is_closed = True
        for handle in (self._resending, self._keeping):
            if handle is not None:
                handle.cancel()
        if self._opening is not None:
            self._opening.cancel()
        self._giving.finish()
        for command in list(self._commands.values()):
            self._fail(command, OutcomeUnknown("the session was closed with the command on its way"))
        if self._is_open:
            # A session that is not ended here ends by itself.
            self._submit_and_forget(encode(Close(self._submitter.session)), OPEN_ATTEMPT_MS)
            self._is_open = False
        self._line.turn_away(_closed())

    # --- opening and keeping open ---

    def _room(self) -> int:
        """How many more commands may begin."""
        return IN_FLIGHT_MAX - len(self._commands) if self._is_open else 0

    def _open_soon(self) -> None:
        if not self._is_open and (self._opening is None or self._opening.done()):
            self._opening = asyncio.ensure_future(self._open())
            self._opening.add_done_callback(self._on_opening_over)

    def _on_opening_over(self, opening: asyncio.Task[None]) -> None:
        if not opening.cancelled() and (error := opening.exception()) is not None:
            self._line.turn_away(error)

    def _why_not_ready(self) -> RequestError:
        if self._is_open:
            return Overloaded(f"{IN_FLIGHT_MAX} commands of this session are on their way: wait for some")
        if isinstance(self._not_open_because, Unreachable):
            return self._not_open_because
        return NotLeader("no leader opened the session before the deadline; the command was not applied")

    async def _open(self) -> None:
        request = encode(Open(self._submitter.session, self._ttl_ms))
        pause_s = PAUSE_S_MIN
        while True:
            try:
                future: asyncio.Future[Applied] = self._loop.create_future()
                self._channel.submit(request, future, OPEN_ATTEMPT_MS)
                answer = decode_answer((await future).result)
            except NEVER_SENT_AGAIN:
                raise
            except RequestError as error:
                self._not_open_because = error
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
                continue
            if isinstance(answer, Ended):
                # A repetition that came after the end: begin another one.
                self._submitter = Submitter(secrets.token_bytes(NAME_BYTES))
                request = encode(Open(self._submitter.session, self._ttl_ms))
                continue
            check(isinstance(answer, Opened), "an opening is answered by Opened or Ended")
            self._is_open = True
            self._keep_later()
            self._line.let_in()
            return

    def _keep_later(self) -> None:
        if not self._is_closed:
            self._keeping = self._loop.call_later(self._ttl_ms / 3000, self._keep)

    def _keep(self) -> None:
        """Use the session, so that it does not end for want of use."""
        if not self._is_open:
            return
        self._submit_and_forget(encode(Open(self._submitter.session, self._ttl_ms)), max(1, self._ttl_ms // 3))
        self._keep_later()

    def _submit_and_forget(self, request: bytes, timeout_ms: int) -> None:
        future: asyncio.Future[Applied] = self._loop.create_future()
        # Looked at, so that the loop does not report an error for which nobody waits.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        with suppress(RequestError):
            self._channel.submit(request, future, timeout_ms)

    # --- sending, and what comes of it ---

    def _send_fresh(self) -> None:
        fresh = [command for command in self._fresh if self._commands.get(command.sequence) is command]
        self._fresh = []
        if self._unsent:
            # One of an earlier turn was refused since the first of these came.
            self._unsent.update(command.sequence for command in fresh)
        else:
            self._send(fresh)

    def _send(self, commands: Sequence[_Command]) -> None:
        """Send commands, in the order of their numbers: as many together as one entry of the log should hold."""
        now = self._loop.time()
        together: list[_Command] = []
        room = TOGETHER_BYTES
        for command in commands:
            if together and (
                command.bytes > room
                or len(together) == TOGETHER_MAX
                or command.goes_alone
                or together[0].goes_alone
                or command.sequence != together[-1].sequence + 1
                or command.deadline - together[0].deadline > TOGETHER_S
            ):
                self._attempt(together, now)
                together, room = [], TOGETHER_BYTES
            together.append(command)
            room -= command.bytes
        if together:
            self._attempt(together, now)

    def _attempt(self, commands: list[_Command], now: float) -> None:
        first = commands[0]
        timeout_ms = WITHDRAW_TIMEOUT_MS if first.future.done() else int((first.deadline - now) * 1000)
        attempt = _Attempt(self, commands)
        if len(commands) == 1:
            request = self._submitter.request(first.sequence)
        else:
            request = self._submitter.together(range(first.sequence, commands[-1].sequence + 1))
        try:
            self._channel.submit(request, attempt, max(1, timeout_ms))
        except RequestError as error:
            self._on_failure(attempt, error)

    def _on_answer(self, attempt: _Attempt, applied: Applied) -> None:
        """Give the answers, or keep them for a later turn of the loop if many were given in this one.

        What the first to have theirs submit is then on its way while the others get theirs.  Else everybody would
        submit at once, wait at once, and nobody here would do anything meanwhile.
        """
        self._giving.do(len(attempt.commands), partial(self._give, attempt, applied))

    def _give(self, attempt: _Attempt, applied: Applied) -> None:
        commands, slot = attempt.commands, applied.slot
        answers = [applied.result] if len(commands) == 1 else answers_of(applied.result, len(commands))
        for command, answer in zip(commands, answers, strict=True):
            sequence = command.sequence
            if self._commands.get(sequence) is not command:
                continue
            if is_done(answer):
                # Nearly every answer; whoever waits takes it apart.
                self._submitter.settle(sequence)
                del self._commands[sequence]
                if not command.future.done():
                    command.future.set_result(Applied(slot, answer))
            elif self._is_settled(command, answer):
                self._commands.pop(sequence, None)
        if self._resending is None:
            self._pause_s = PAUSE_S_MIN
        self._line.let_in()

    def _is_settled(self, command: _Command, answer: bytes) -> bool:
        """Take an answer that is no ``Done``; whether the number is used up."""
        decoded = self._submitter.on_answer(command.sequence, answer)
        match decoded:
            case None:
                self._send_again(command)
                return False
            case Ended():
                self._on_ended(decoded)
            case Failed(reason=reason):
                self._fail(command, ApplyFailed(reason))
            case Withdrawn():
                self._fail(command, command.error or DeadlineExceeded("the command was withdrawn; it was not applied"))
            case _:
                self._fail(command, ResultLost("the command was applied, and its result is known no more"))
        return True

    def _fail(self, command: _Command, error: RequestError) -> None:
        """Tell the caller, who may have gone away."""
        if not command.future.done():
            if isinstance(error, OutcomeUnknown):
                self.counts.unknown += 1
            command.future.set_exception(error)

    def _on_failure(self, attempt: _Attempt, error: Exception) -> None:
        if self._is_closed:
            return
        if not isinstance(error, RequestError):
            error = OutcomeUnknown(f"the attempt failed: {error}")
        for command in attempt.commands:
            if self._commands.get(command.sequence) is not command:
                continue
            if isinstance(error, OutcomeUnknown):
                command.may_be_applied = True
            command.error = error
            if isinstance(error, NEVER_SENT_AGAIN) and not command.may_be_applied:
                if len(attempt.commands) == 1:
                    self._fail(command, error)
                # Of several, one may be to blame and not the others.
                command.goes_alone = True
            self._send_again(command)

    def _send_again(self, command: _Command) -> None:
        self._unsent.add(command.sequence)
        if self._resending is None:
            self._resending = self._loop.call_later(self._pause_s, self._resend)
            self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX)

    def _resend(self) -> None:
        self._resending = None
        unsent, self._unsent = sorted(self._unsent), set()
        now = self._loop.time()
        again = [command for sequence in unsent if (command := self._commands.get(sequence)) is not None]
        for command in again:
            if command.deadline <= now:
                self._fail(command, self._verdict(command))
            if command.future.done():
                self._submitter.withdraw(command.sequence)
        self.counts.resent += len(again)
        self._send(again)

    @staticmethod
    def _verdict(command: _Command) -> RequestError:
        if command.may_be_applied or command.error is None:
            return DeadlineExceeded("no answer before the deadline; the command may have been applied")
        return command.error

    def _on_ended(self, ended: Ended) -> None:
        """The session is over, for nobody used it in time: say of each command what is known, and begin another."""
        commands, self._commands = self._commands, {}
        self._unsent.clear()
        self._is_open = False
        self._submitter = Submitter(secrets.token_bytes(NAME_BYTES))
        for command in commands.values():
            error: RequestError = SessionEnded("the session ended before the command came; it was not applied")
            if ended.sequence is None:
                error = OutcomeUnknown("the session ended long ago; the command may have been applied")
            elif command.sequence < ended.sequence:
                error = ResultLost("the session ended; the command was applied, and its result is known no more")
            self._fail(command, error)
        if not self._line.is_empty:
            self._open_soon()


def _closed() -> Stopping:
    return Stopping("the session was closed, and the program or the member with it: not applied")
