"""Flow control of one connection, against a transport that does as it is told."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from paxon.codec.frames import FrameReader, encode_frame
from paxon.errors import ProtocolError
from paxon.net.framed import WRITE_BYTES, Framed, why_closed
from tests.net.harness import PATIENCE_S, run


class Transport(asyncio.Transport):
    """Takes bytes, and asks for a pause when told to."""

    def __init__(self, framed: Framed) -> None:
        super().__init__()
        self.framed = framed
        self.writes: list[bytes] = []
        self.pause_after_writes: int | None = None
        self.buffered = 0
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        if self.pause_after_writes is not None and len(self.writes) >= self.pause_after_writes:
            self.pause_after_writes = None
            self.framed.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.framed.connection_lost, None)

    def sent(self) -> list[int]:
        """The kinds of the frames that were written, in order."""
        return [kind for kind, _ in FrameReader().feed(b"".join(self.writes))]


class Made:
    """A connection under test and what came of it."""

    def __init__(self, **options: Any) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.closed: list[Exception | None] = []
        options.setdefault("frame_bytes_max", 1000)
        options.setdefault("queue_bytes_max", 1000)
        self.framed = Framed(lambda kind, body: self.frames.append((kind, body)), self.closed.append, **options)
        self.transport = Transport(self.framed)
        self.framed.connection_made(self.transport)


def frame(kind: int, size: int = 87) -> bytes:
    """One hundred bytes unless asked otherwise."""
    return encode_frame(kind, bytes(size))


async def turn() -> None:
    """Let the loop run what is due."""
    await asyncio.sleep(0)


def test_what_queues_up_in_one_turn_is_one_write() -> None:
    async def main() -> None:
        made = Made()
        for kind in (1, 2, 3):
            made.framed.send(frame(kind))
        assert made.transport.writes == []
        await turn()
        assert len(made.transport.writes) == 1
        assert made.transport.sent() == [1, 2, 3]
        assert made.framed.frames_sent == 3
        assert made.framed.bytes_sent == 300
        assert made.framed.queued_bytes == 0

    run(main)


def test_a_paused_connection_queues_and_resumes_in_order() -> None:
    async def main() -> None:
        made = Made()
        made.framed.pause_writing()
        made.framed.send(frame(1))
        made.framed.send(frame(2))
        await turn()
        assert made.transport.writes == []
        assert made.framed.queued_bytes == 200
        made.framed.resume_writing()
        assert made.transport.sent() == [1, 2]

    run(main)


def test_a_full_queue_drops_the_oldest() -> None:
    async def main() -> None:
        made = Made()
        made.framed.pause_writing()
        for kind in range(1, 16):
            made.framed.send(frame(kind))
            assert made.framed.queued_bytes <= 1000
        assert made.framed.frames_dropped == 5
        made.framed.resume_writing()
        assert made.transport.sent() == list(range(6, 16))

    run(main)


def test_a_frame_over_the_whole_queue_is_still_sent() -> None:
    async def main() -> None:
        made = Made(queue_bytes_max=250)
        made.framed.pause_writing()
        made.framed.send(frame(1))
        made.framed.send(frame(2, size=900))
        made.framed.resume_writing()
        assert made.transport.sent() == [2]

    run(main)


def test_a_burst_in_one_turn_is_not_taken_for_a_slow_peer() -> None:
    async def main() -> None:
        made = Made()
        for kind in range(1, 101):
            made.framed.send(frame(kind))
        await turn()
        assert made.framed.frames_dropped == 0
        assert made.transport.sent() == list(range(1, 101))

    run(main)


def test_the_transport_never_holds_much_more_than_it_asked_for() -> None:
    async def main() -> None:
        made = Made(queue_bytes_max=100 * WRITE_BYTES, frame_bytes_max=WRITE_BYTES)
        made.transport.pause_after_writes = 2
        for _ in range(20):
            made.framed.send(frame(1, size=WRITE_BYTES // 2))
        await turn()
        assert len(made.transport.writes) == 2
        assert all(len(data) < 2 * WRITE_BYTES for data in made.transport.writes)
        assert made.framed.queued_bytes > 0

    run(main)


def test_an_owner_may_choose_to_close_instead_of_dropping() -> None:
    async def main() -> None:
        overflows: list[bool] = []
        made = Made(on_overflow=lambda: overflows.append(True))
        made.framed.pause_writing()
        for kind in range(1, 12):
            made.framed.send(frame(kind))
        assert overflows == [True]
        assert made.framed.frames_dropped == 0

    run(main)


@given(some.lists(some.integers(1, 200), min_size=1, max_size=20), some.integers(1, 50))
def test_frames_are_found_however_the_bytes_come(sizes: list[int], piece: int) -> None:
    async def main() -> None:
        made = Made()
        stream = b"".join(frame(number % 250, size) for number, size in enumerate(sizes, start=1))
        for start in range(0, len(stream), piece):
            made.framed.data_received(stream[start : start + piece])
        assert [(kind, len(body)) for kind, body in made.frames] == [
            (number % 250, size) for number, size in enumerate(sizes, start=1)
        ]
        assert made.framed.frames_received == len(sizes)
        assert made.framed.bytes_received == len(stream)

    run(main)


@pytest.mark.parametrize(
    "data",
    [frame(1, size=1001), frame(1)[:-1] + b"\x01", bytes(64), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["too long", "damaged", "zeros", "another protocol"],
)
def test_a_bad_frame_closes_the_connection(data: bytes) -> None:
    async def main() -> None:
        made = Made()
        made.framed.data_received(frame(7))
        made.framed.data_received(data)
        assert made.framed.is_closing
        made.framed.data_received(frame(8))
        await asyncio.wait_for(made.framed.wait_closed(), PATIENCE_S)
        assert [kind for kind, _ in made.frames] == [7]
        assert len(made.closed) == 1
        assert isinstance(made.closed[0], ProtocolError)

    run(main)


def test_nothing_is_delivered_once_the_owner_closed() -> None:
    async def main() -> None:
        made = Made()
        heard: list[int] = []

        def on_frame(kind: int, body: bytes) -> None:
            heard.append(kind)
            made.framed.close()

        made.framed.on_frame = on_frame
        made.framed.data_received(frame(1) + frame(2))
        assert heard == [1]
        made.framed.send(frame(3))
        assert made.framed.frames_dropped == 1
        await made.framed.wait_closed()
        assert made.closed == [None]

    run(main)


def test_last_words_are_passed_on() -> None:
    async def main() -> None:
        made = Made()
        made.framed.send(frame(1))
        made.framed.close(ProtocolError("why"))
        made.framed.close(ProtocolError("again"))
        assert made.transport.sent() == [1]
        await made.framed.wait_closed()
        assert [str(error) for error in made.closed] == ["why"]

    run(main)


def test_a_connection_given_up_before_it_was_made_is_cut_when_it_is() -> None:
    async def main() -> None:
        closed: list[Exception | None] = []
        framed = Framed(lambda kind, body: None, closed.append, frame_bytes_max=10, queue_bytes_max=10)
        framed.close()
        framed.abort()
        transport = Transport(framed)
        framed.connection_made(transport)
        assert transport.is_closed
        await framed.wait_closed()
        assert closed == [None]

    run(main)


class Clockless:
    """``call_later`` of a loop whose time passes only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.due: list[Callable[[], None]] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def _call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        self.due.append(callback)
        due = self.due

        class Timer:
            def cancel(self) -> None:
                if callback in due:
                    due.remove(callback)

        return Timer()

    def pass_time(self) -> None:
        for callback in list(self.due):
            self.due.remove(callback)
            callback()


def test_a_stalled_connection_is_cut_and_a_slow_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        time = Clockless(monkeypatch)
        made = Made(stall_timeout_s=10.0)
        made.transport.buffered = 1000
        made.framed.pause_writing()
        made.transport.buffered = 999
        time.pass_time()
        assert made.framed.reason is None
        time.pass_time()
        await made.framed.wait_closed()
        assert isinstance(made.closed[0], TimeoutError)
        assert "took nothing" in why_closed(made.closed[0])

    run(main)


def test_a_connection_that_resumes_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        time = Clockless(monkeypatch)
        made = Made(stall_timeout_s=10.0)
        made.transport.buffered = 1000
        made.framed.pause_writing()
        made.framed.resume_writing()
        time.pass_time()
        assert not made.framed.is_closing

    run(main)


def test_a_connection_that_lingers_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        time = Clockless(monkeypatch)
        made = Made()
        monkeypatch.setattr(made.transport, "close", lambda: None)
        made.framed.close()
        assert not made.transport.is_closed
        time.pass_time()
        assert made.transport.sent() == []
        await made.framed.wait_closed()

    run(main)


def test_why_closed_is_always_a_line() -> None:
    assert why_closed(None)
    assert why_closed(TimeoutError())
    assert why_closed(OSError("odd")) == "odd"
    assert why_closed(ConnectionResetError(104, "Connection reset by peer")) == "Connection reset by peer"
    assert why_closed(ProtocolError("bad")) == "bad"
