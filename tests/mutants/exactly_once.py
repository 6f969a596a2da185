"""Mutants of sessions: what a repeated, early, withdrawn or late command does, and when a session ends."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from msgspec import msgpack

from paxon.client import session as client_session
from paxon.client.line import Line
from paxon.client.session import Session, _Attempt
from paxon.rsm import errands
from paxon.rsm.assembly import Assembly
from paxon.rsm.machine import ByteMachine, Context
from paxon.rsm.session_memory import Session as Memory
from paxon.rsm.session_requests import (
    Ended,
    Failed,
    Open,
    Opened,
    Plain,
    Withdrawn,
    answers_of,
    decode_answer,
    encode,
    encode_perform,
)
from paxon.rsm.sessions import Sessions
from paxon.rsm.submitter import Submitter
from tests.mutants.mutant import Patch, mutant

SESSIONS = "tests/rsm/test_sessions.py::"
SIMULATED = "tests/sim/test_sessions.py::"
SUBMITTER = "tests/rsm/test_submitter.py::"


Commands = list[bytes | None]


@mutant(
    "rsm.session_requests.Perform",
    SESSIONS + "test_a_command_that_is_decided_again_is_answered_and_not_applied_again",
)
def replies_forgotten_before_they_are_confirmed(patch: Patch) -> None:
    """The reply to a command is dropped as soon as all before it are confirmed."""
    perform = Sessions._perform

    def forgetful(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        return perform(self, name, first, confirmed + 1, commands, context)

    patch.replace(Sessions, "_perform", forgetful)


@mutant("rsm.session_requests.Early", SESSIONS + "test_commands_of_a_session_are_applied_in_the_order_of_their_numbers")
def early_commands_applied(patch: Patch) -> None:
    """A command that comes before its turn is applied, and those that it overtook count as answered."""
    perform = Sessions._perform

    def hasty(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        session = self._open.get(name)
        while session is not None and session.sequence < first:
            session.replies[session.sequence] = b""
            session.sequence += 1
        return perform(self, name, first, confirmed, commands, context)

    patch.replace(Sessions, "_perform", hasty)


@mutant("rsm.sessions.Sessions", SESSIONS + "test_a_failure_is_an_answer_like_any_other")
def failures_not_remembered(patch: Patch) -> None:
    """A command on which the machine raised leaves its number free, and is tried again if it comes again."""
    perform = Sessions._perform

    def optimistic(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        session = self._open.get(name)
        is_next = session is not None and session.sequence == first
        answers = perform(self, name, first, confirmed, commands, context)
        if session is not None and is_next and isinstance(decode_answer(answers[-1]), Failed):
            session.sequence -= 1
            del session.replies[session.sequence]
        return answers

    patch.replace(Sessions, "_perform", optimistic)


@mutant(
    "rsm.session_requests.Withdrawn", SUBMITTER + "test_what_was_withdrawn_before_it_was_decided_never_takes_effect"
)
def withdrawn_numbers_not_used_up(patch: Patch) -> None:
    """Whoever withdraws a command is told so, and an earlier request for it takes effect when it comes."""
    perform = Sessions._perform

    def careless(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        session = self._open.get(name)
        if commands == [None] and session is not None and session.sequence == first:
            return [msgpack.encode(Withdrawn())]
        return perform(self, name, first, confirmed, commands, context)

    patch.replace(Sessions, "_perform", careless)


@mutant("rsm.session_requests.Ended", SESSIONS + "test_a_closed_session_has_ended_and_does_not_come_back_to_life")
def ended_sessions_come_back_to_life(patch: Patch) -> None:
    """An opening that is decided after the session's end opens it again, with its numbers lost."""
    begin = Sessions._begin

    def reviving(self: Sessions, request: Open, now_ms: int) -> Opened | Ended:
        self._ended.pop(request.session, None)
        return begin(self, request, now_ms)

    patch.replace(Sessions, "_begin", reviving)


@mutant("rsm.session_requests.Ended", SESSIONS + "test_a_closed_session_has_ended_and_does_not_come_back_to_life")
def commands_of_ended_sessions_applied(patch: Patch) -> None:
    """A command whose session has ended is applied as if it had none."""
    perform = Sessions._perform

    def generous(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        if name in self._ended:
            return [self.apply(encode(Plain(command)), context) for command in commands if command is not None]
        return perform(self, name, first, confirmed, commands, context)

    patch.replace(Sessions, "_perform", generous)


@mutant("rsm.sessions: time is decided time", SESSIONS + "test_members_end_a_session_at_the_same_command")
def sessions_end_by_a_members_own_clock(patch: Patch) -> None:
    """When a session ends is each member's own affair: every machine's clock is ahead by some time of its own."""
    init, on_due, machines = Sessions.__init__, Sessions.on_due, count()
    ahead_ms: dict[int, int] = {}

    def remember(self: Sessions, machine: ByteMachine) -> None:
        init(self, machine)
        ahead_ms[id(self)] = next(machines) % 7 * 100

    def own(self: Sessions, context: Context) -> None:
        on_due(self, Context(context.slot, context.now_ms + ahead_ms[id(self)]))

    patch.replace(Sessions, "__init__", remember)
    patch.replace(Sessions, "on_due", own)


@mutant("rsm.sessions.Session", SESSIONS + "test_a_session_that_is_used_lives_on")
def use_does_not_keep_a_session_alive(patch: Patch) -> None:
    """A session ends at a time that its opening has fixed, used or not."""
    perform = Sessions._perform

    def strict(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        session = self._open.get(name)
        expires_ms = 0 if session is None else session.expires_ms
        answers = perform(self, name, first, confirmed, commands, context)
        if session is not None:
            session.expires_ms = expires_ms
        return answers

    patch.replace(Sessions, "_perform", strict)


TOGETHER = SESSIONS + "test_commands_sent_together_do_what_they_would_do_one_by_one"


@mutant("rsm.session_requests.encode_together", TOGETHER)
def a_run_that_was_begun_is_carried_out_whole(patch: Patch) -> None:
    """Of commands that are sent together some of which were applied before, all are applied."""
    perform = Sessions._perform

    def again(
        self: Sessions, name: bytes, first: int, confirmed: int, commands: Commands, context: Context
    ) -> list[bytes]:
        session = self._open.get(name)
        if session is not None and first < session.sequence < first + len(commands):
            first = session.sequence
        return perform(self, name, first, confirmed, commands, context)

    patch.replace(Sessions, "_perform", again)


@mutant("rsm.session_requests.encode_together", TOGETHER)
def results_of_others_for_the_withdrawn(patch: Patch) -> None:
    """Where one of several commands was withdrawn, the answers of the others move up."""
    carry_out = Sessions._carry_out

    def shifted(self: Sessions, name: bytes, session: Memory, commands: Commands, context: Context) -> list[bytes]:
        answers = carry_out(self, name, session, commands, context)
        wanted = [answer for answer, command in zip(answers, commands, strict=True) if command is not None]
        return wanted + [msgpack.encode(Withdrawn())] * (len(answers) - len(wanted))

    patch.replace(Sessions, "_carry_out", shifted)


@mutant(
    "rsm.submitter.Submitter",
    SUBMITTER + "test_each_command_is_applied_once_and_in_order_however_often_it_is_sent",
)
def a_resend_confirms_what_has_no_answer(patch: Patch) -> None:
    """A command that is sent says that every reply before its own was received."""

    def request(self: Submitter, sequence: int) -> bytes:
        return encode_perform(self.session, sequence, sequence, self._open[sequence])

    patch.replace(Submitter, "request", request)


@mutant("rsm.submitter.Submitter", SUBMITTER + "test_what_was_withdrawn_before_it_was_decided_never_takes_effect")
def withdrawn_commands_sent_all_the_same(patch: Patch) -> None:
    """A command that nobody wants any more is sent again with its contents."""

    def withdraw(self: Submitter, sequence: int) -> None:
        pass

    patch.replace(Submitter, "withdraw", withdraw)


@mutant("rsm.errands", "tests/rsm/test_errands.py::test_the_leader_lets_time_go_on_when_something_is_due")
def time_stands_still_while_nobody_submits(patch: Patch) -> None:
    """What is due by time waits for somebody's command."""
    errand = errands.errand

    def idle(sessions: Sessions, assembly: Assembly, member: str, is_leader: bool, now_ms: int) -> bytes | None:
        return errand(sessions, assembly, member, False, now_ms)

    patch.replace(errands, "errand", idle)


@mutant(
    "client.session.Session.begin",
    "tests/client/test_session.py::test_what_one_turn_submits_goes_together_and_comes_back_to_whom_it_belongs",
)
def answers_given_to_others(patch: Patch) -> None:
    """The answers to commands that were sent together are handed out from the last to the first."""

    def swapped(answer: bytes, count: int) -> list[bytes]:
        return answers_of(answer, count)[::-1]

    patch.replace(client_session, "answers_of", swapped)


@mutant(
    "client.line.Line",
    "tests/client/test_session.py::test_whoever_submits_while_the_session_opens_comes_after_those_who_wait_for_it",
)
def newcomers_overtake_who_waits(patch: Patch) -> None:
    """A command goes ahead of those that wait for the session to open."""

    init = Line.__init__

    class Front(deque[Any]):
        def append(self, item: Any) -> None:
            self.appendleft(item)

    def rude(self: Line, room: Callable[[], int]) -> None:
        init(self, room)
        self._waiting = Front()

    patch.replace(Line, "__init__", rude)


@mutant(
    "client.session.Session.begin",
    "tests/client/test_session.py::test_one_that_is_refused_for_good_takes_no_other_with_it",
)
def one_refusal_for_all(patch: Patch) -> None:
    """What is refused for good takes with it whatever was sent together with it."""
    on_failure = Session._on_failure

    def harsh(self: Session, attempt: _Attempt, error: Exception) -> None:
        if isinstance(error, client_session.NEVER_SENT_AGAIN):
            for command in attempt.commands:
                self._fail(command, error)
        on_failure(self, attempt, error)

    patch.replace(Session, "_on_failure", harsh)


@mutant("rsm.machine.Capturable", SIMULATED + "test_a_machine_that_is_restored_goes_on_like_the_one_that_was_captured")
def numbers_lost_in_a_snapshot(patch: Patch) -> None:
    """A session that comes out of a snapshot begins with its first number again."""
    restore = Sessions.restore

    def forgetful(self: Sessions, pieces: Iterable[bytes]) -> None:
        restore(self, pieces)
        for session in self._open.values():
            session.sequence = session.confirmed = 0
            session.replies.clear()

    patch.replace(Sessions, "restore", forgetful)


@mutant("rsm.machine.Capturable", SIMULATED + "test_a_machine_that_is_restored_goes_on_like_the_one_that_was_captured")
def replies_lost_in_a_snapshot(patch: Patch) -> None:
    """A session that comes out of a snapshot knows its next number, and no reply any more."""
    restore = Sessions.restore

    def forgetful(self: Sessions, pieces: Iterable[bytes]) -> None:
        restore(self, pieces)
        for session in self._open.values():
            session.confirmed = session.sequence
            session.replies.clear()

    patch.replace(Sessions, "restore", forgetful)
