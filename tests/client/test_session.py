"""The asyncio side of a session against the real ``Sessions``, over a channel whose mishaps the test decides."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxon.client.session import IN_FLIGHT_MAX, TOGETHER_MAX, Session
from paxon.core.decree import Slot
from paxon.errors import (
    ApplyFailed,
    BadRequest,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    SessionEnded,
    Stopping,
)
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.rsm.attempt import attempt
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import Close, Ended, encode, result_of
from paxon.rsm.sessions import Sessions
from tests.node.nodes import until


class Recorder:
    """Remembers what was applied; ``bad`` fails."""

    def __init__(self) -> None:
        self.applied: list[bytes] = []

    def apply(self, command: bytes, context: Context) -> bytes:
        """Remember, and say how many there were."""
        if command == b"bad":
            raise ValueError("bad")
        self.applied.append(command)
        return b"%d" % len(self.applied)

    def query(self, question: bytes) -> bytes:
        """Nobody asks."""
        return question


class Lane:
    """A channel to a log of one member.  ``fate`` says of each request what becomes of it."""

    def __init__(self, fate: Callable[[bytes], str]) -> None:
        self.recorder = Recorder()
        self.sessions = Sessions(self.recorder)
        self.slot = 0
        self.requests: list[bytes] = []
        self.fate = fate
        self._late: list[bytes] = []

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """See ``Channel``."""
        self.requests.append(command)
        fate = self.fate(command)
        if fate == "refused at once":
            raise NotLeader
        asyncio.get_running_loop().call_soon(self._meet, fate, command, reply)

    def decide(self, command: bytes) -> bytes:
        """Have a command decided and applied."""
        self.slot += 1
        result = attempt(self.sessions, command, Context(Slot(self.slot), 1))
        if isinstance(result, ApplyFailed):
            raise result
        return result

    def _meet(self, fate: str, command: bytes, reply: Reply[Applied]) -> None:
        if fate == "late":
            # Decided after everything else of this turn, and nobody hears of it.
            self._late.append(command)
            reply.set_exception(OutcomeUnknown("late"))
            return
        if fate == "refused":
            reply.set_exception(NotLeader())
            return
        if fate == "malformed":
            reply.set_exception(BadRequest("malformed"))
            return
        answer = self.decide(command)
        for late in self._late:
            self.decide(late)
        self._late.clear()
        if fate == "answer lost":
            reply.set_exception(OutcomeUnknown("lost"))
        else:
            reply.set_result(Applied(self.slot, answer))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test that hangs no longer than it has to."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await main

    asyncio.run(limited())


def opened(lane: Lane) -> Session:
    """A session over ``lane``."""
    return Session(lane)  # type: ignore[arg-type]


async def submitted(session: Session, command: bytes, timeout_s: float = 30.0) -> bytes:
    """The result of one command."""
    await session.wait_ready(timeout_s)
    return result_of((await session.begin(command, timeout_s)).result)


def test_what_one_turn_submits_goes_together_and_comes_back_to_whom_it_belongs() -> None:
    async def main() -> None:
        lane = Lane(lambda request: "")
        session = opened(lane)
        assert await submitted(session, b"first") == b"1"
        before = len(lane.requests)
        count = 2 * TOGETHER_MAX + 1
        results = await asyncio.gather(*(submitted(session, b"%d" % number) for number in range(count)))
        assert results == [b"%d" % (number + 2) for number in range(count)]
        assert lane.recorder.applied == [b"first", *(b"%d" % number for number in range(count))]
        assert len(lane.requests) - before == 3
        await session.close()

    run(main())


class Holding(Lane):
    """A channel whose answers all wait until ``answer_all``."""

    def __init__(self) -> None:
        super().__init__(lambda request: "")
        self._held: list[tuple[Reply[Applied], Applied]] = []
        self.holds = False

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """See ``Channel``."""
        if not self.holds:
            super().submit(command, reply, timeout_ms)
            return
        self.requests.append(command)
        answer = self.decide(command)
        self._held.append((reply, Applied(self.slot, answer)))

    @property
    def waiting(self) -> int:
        """How many answers wait."""
        return len(self._held)

    def answer_all(self) -> None:
        """Give every answer that there is."""
        held, self._held = self._held, []
        for reply, applied in held:
            reply.set_result(applied)


async def busy(count: int) -> tuple[Holding, Session, list["asyncio.Future[Applied]"]]:
    """A session with so many commands on their way, decided, and not answered before ``answer_all``."""
    lane = Holding()
    session = opened(lane)
    await submitted(session, b"first")
    lane.holds = True
    futures = [session.begin(b"%d" % number, 30) for number in range(count)]
    await until(lambda: lane.waiting == -(-count // TOGETHER_MAX))
    return lane, session, futures


def test_what_the_first_to_have_an_answer_submit_is_on_its_way_before_the_last_have_theirs() -> None:
    async def main() -> None:
        lane, session, futures = await busy(4 * TOGETHER_MAX)
        told: list[int] = []

        def tell(number: int, done: "asyncio.Future[Applied]") -> None:
            told.append(number)

        for number, future in enumerate(futures):
            future.add_done_callback(partial(tell, number))
        again: list[asyncio.Future[Applied]] = []
        futures[0].add_done_callback(lambda done: again.append(session.begin(b"again", 30)))
        before = len(lane.requests)
        lane.answer_all()
        await until(lambda: len(lane.requests) > before)
        assert 0 < len(told) < len(futures)
        await asyncio.gather(*futures)
        assert told == list(range(len(futures))), "in the order of the numbers"
        lane.answer_all()
        assert result_of((await again[0]).result) == b"%d" % (len(futures) + 2)
        await session.close()

    run(main())


def test_an_answer_that_has_come_is_given_before_the_session_closes() -> None:
    async def main() -> None:
        lane, session, futures = await busy(2 * TOGETHER_MAX)
        lane.answer_all()
        await session.close()
        results = [result_of((await future).result) for future in futures]
        assert results == [b"%d" % (number + 2) for number in range(len(futures))]

    run(main())


def test_a_command_that_fails_fails_alone() -> None:
    async def main() -> None:
        session = opened(Lane(lambda request: ""))
        commands = (b"one", b"bad", b"two")
        results = await asyncio.gather(*(submitted(session, one) for one in commands), return_exceptions=True)
        assert results[0] == b"1"
        assert isinstance(results[1], ApplyFailed)
        assert results[2] == b"2"
        await session.close()

    run(main())


def test_one_that_is_refused_for_good_takes_no_other_with_it() -> None:
    async def main() -> None:
        lane = Lane(lambda request: "malformed" if b"poison" in request else "")
        session = opened(lane)
        await submitted(session, b"first")
        commands = (b"one", b"poison", b"two")
        results = await asyncio.gather(*(submitted(session, one) for one in commands), return_exceptions=True)
        assert results[0] == b"2"
        assert isinstance(results[1], BadRequest)
        assert results[2] == b"3"
        assert lane.recorder.applied == [b"first", b"one", b"two"]
        await session.close()

    run(main())


def test_whoever_submits_while_the_session_opens_comes_after_those_who_wait_for_it() -> None:
    async def main() -> None:
        lane = Lane(lambda request: "")
        session = opened(lane)
        tasks: list[asyncio.Task[bytes]] = []
        while not (tasks and tasks[-1].done()) and len(tasks) < 100:
            # One in every turn of the loop: one of these turns is that in which the session has just opened.
            tasks.append(asyncio.ensure_future(submitted(session, b"%d" % len(tasks))))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert lane.recorder.applied == [b"%d" % number for number in range(len(tasks))]
        await session.close()

    run(main())


def test_whoever_is_let_in_as_the_session_ends_waits_for_the_next_one() -> None:
    async def main() -> None:
        lane = Lane(lambda request: "")
        session = opened(lane)
        task = asyncio.ensure_future(submitted(session, b"command"))
        for _ in range(100):
            if session._line._let_in:
                break
            await asyncio.sleep(0)
        assert session._line._let_in == 1, "it was told, and has not gone on yet"
        session._on_ended(Ended(None))
        assert await task == b"1"
        assert lane.recorder.applied == [b"command"]
        await session.close()

    run(main())


def test_whoever_gives_up_leaves_room_for_others() -> None:
    async def main() -> None:
        lane, session, futures = await busy(IN_FLIGHT_MAX)
        waiting = [asyncio.ensure_future(submitted(session, b"waited %d" % number)) for number in range(4)]
        with pytest.raises(Overloaded):
            await session.wait_ready(0.001)
        waiting[1].cancel()
        await asyncio.sleep(0)
        lane.answer_all()
        lane.holds = False
        assert session._line._let_in == 3, "there is room for the others, and none has gone on yet"
        waiting[0].cancel()
        assert len(await asyncio.gather(*futures)) == IN_FLIGHT_MAX
        first, second, *others = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert isinstance(second, asyncio.CancelledError)
        assert others == [b"%d" % (IN_FLIGHT_MAX + 2), b"%d" % (IN_FLIGHT_MAX + 3)]
        assert await submitted(session, b"last")
        assert session.in_flight == 0
        await session.close()

    run(main())


def test_whoever_waits_as_the_session_is_closed_is_told() -> None:
    async def main() -> None:
        _, session, futures = await busy(IN_FLIGHT_MAX)
        waiting = asyncio.ensure_future(session.wait_ready(30))
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(Stopping):
            await waiting
        with pytest.raises(Stopping):
            await session.wait_ready(1)
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert {type(result) for result in results} == {OutcomeUnknown}

    run(main())


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_whatever_befalls_requests_each_command_is_applied_once_and_in_order(seed: int) -> None:
    random = Random(seed)
    troubles = ["", "", "refused", "refused at once", "answer lost", "late"]

    async def main() -> None:
        left = 25

        def fate(request: bytes) -> str:
            nonlocal left
            left -= 1
            return random.choice(troubles) if left > 0 else ""

        lane = Lane(fate)
        session = opened(lane)
        tasks: list[asyncio.Task[bytes]] = []
        while len(tasks) < 30:
            for _ in range(random.randint(1, 8)):
                tasks.append(asyncio.ensure_future(submitted(session, b"%d" % len(tasks))))
            for _ in range(random.randint(0, 3)):
                await asyncio.sleep(0)
        results = await asyncio.gather(*tasks)
        assert results == [b"%d" % (number + 1) for number in range(len(tasks))]
        assert lane.recorder.applied == [b"%d" % number for number in range(len(tasks))]
        assert session.in_flight == 0
        await session.close()

    run(main())


def test_what_is_given_up_is_withdrawn_and_never_applied_later() -> None:
    async def main() -> None:
        stuck = True
        lane = Lane(lambda request: "refused" if stuck and b"never" in request else "")
        session = opened(lane)
        await submitted(session, b"first")
        with pytest.raises(NotLeader):
            await submitted(session, b"never", timeout_s=0.03)
        stuck = False
        assert await submitted(session, b"next") == b"2"
        assert lane.recorder.applied == [b"first", b"next"]
        await session.close()

    run(main())


def test_a_session_that_ended_says_of_each_command_what_is_known_and_begins_anew() -> None:
    async def main() -> None:
        lane = Lane(lambda request: "")
        session = opened(lane)
        await submitted(session, b"first")
        lane.decide(encode(Close(session._submitter.session)))
        results = await asyncio.gather(*(submitted(session, one) for one in (b"a", b"b")), return_exceptions=True)
        assert [type(result) for result in results] == [SessionEnded, SessionEnded]
        assert lane.recorder.applied == [b"first"]
        assert await submitted(session, b"again") == b"2"
        await session.close()
        with pytest.raises(RequestError):
            await session.wait_ready(1.0)

    run(main())
