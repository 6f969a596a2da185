"""One connection that carries frames, with a bounded queue in front of it.

Knows: frames, TCP options, flow control.  Does not know: what a frame says or who is on the
other end.

Theory of operation.  ``send`` only queues; one callback at the end of the loop's turn writes
everything that queued up in it as a single write, because a system call (and under TLS a
record) per message is what small messages cost most.  Once the transport has more than it
can pass on, it asks for a pause, and the queue fills up.  What happens when it is full is the
owner's choice: members drop the *oldest* frames, since everything they say is said again and
the newest is worth most; a client's replies cannot be dropped, so its connection is closed.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import cast

from paxon.codec.frames import FrameReader
from paxon.errors import ProtocolError, check

WRITE_BYTES = 256 * 1024
"""How much is joined into one write, and how much the transport may hold before it asks for a pause.
Several times a socket's send buffer gains nothing; less splits a large batch for no reason."""

LINGER_S = 0.5
"""How long a closed connection may take to pass on its last words before it is cut."""

KEEPALIVE_IDLE_S = 10
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
"""A silent connection to a machine that is gone is noticed after about 25 seconds, not the system's two hours."""


class Framed(asyncio.Protocol):
    """A connection that carries frames.

    Invariant: ``queued_bytes`` is the sum of the queue, and at most ``queue_bytes_max`` unless
    one single frame is larger.  ``on_closed`` is called once, and only if the connection was made.
    """

    def __init__(
        self,
        on_frame: Callable[[int, bytes], None],
        on_closed: Callable[[Exception | None], None],
        *,
        frame_bytes_max: int,
        queue_bytes_max: int,
        on_overflow: Callable[[], None] | None = None,
        stall_timeout_s: float | None = None,
    ) -> None:
        """Without ``on_overflow`` a full queue drops its oldest frames."""
        self.on_frame = on_frame
        """May be replaced at any time, also from within itself: a handshake ends that way."""
        self._on_closed = on_closed
        self._on_overflow = on_overflow
        self._reader = FrameReader(frame_bytes_max)
        self._queue_bytes_max = queue_bytes_max
        self._stall_timeout_s = stall_timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._queue: deque[bytes] = deque()
        self._is_paused = False
        self._is_closing = False
        self._reason: Exception | None = None
        self._will_flush = False
        self._stall_timer: asyncio.TimerHandle | None = None
        self._stalled_at_bytes = 0
        self._linger_timer: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self.queued_bytes = 0
        self.frames_sent = 0
        self.bytes_sent = 0
        self.frames_received = 0
        self.bytes_received = 0
        self.frames_dropped = 0

    # The owner's side.

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, once the connection is made."""
        check(self._transport is not None, "a connection is made before its transport is asked for")
        return cast(asyncio.Transport, self._transport)

    @property
    def is_closing(self) -> bool:
        """Whether nothing more will be sent or delivered."""
        return self._is_closing

    @property
    def reason(self) -> Exception | None:
        """Why the connection is closed, if there is more to say than that one side closed it."""
        return self._reason

    def allow_frames(self, frame_bytes_max: int) -> None:
        """Accept longer frames from here on.

        What the other side sent beyond the frame at hand is lost if it came as a part of a
        frame.  The handshake forbids that: nobody may speak before it was answered.
        """
        self._reader = FrameReader(frame_bytes_max)

    def send(self, frame: bytes) -> None:
        """Queue one encoded frame.  Never blocks; may drop the oldest ones instead."""
        if self._is_closing:
            self.frames_dropped += 1
            return
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        if self.queued_bytes > self._queue_bytes_max:
            self._make_room()
        if not self._will_flush and not self._is_paused:
            self._will_flush = True
            self._loop.call_soon(self._flush)

    def close(self, reason: Exception | None = None) -> None:
        """Pass on what is queued, for a short while, and close.  Nothing is delivered from here on."""
        if self._is_closing:
            return
        if self._transport is None:
            self._is_closing = True
            return
        self._reason = reason
        self._flush()
        self._is_closing = True
        self._transport.close()
        self._linger_timer = self._loop.call_later(LINGER_S, self._transport.abort)

    def abort(self, reason: Exception | None = None) -> None:
        """Close at once and forget what is queued."""
        if not self._is_closing:
            self._reason = reason
            self._is_closing = True
        if self._transport is not None and not self._gone.done():
            # Not once the connection is gone: asyncio's transport, if it had to flush while it was
            # being closed, does not survive an abort after that.
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Return once the connection is gone and ``on_closed`` was called."""
        await asyncio.shield(self._gone)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._is_closing:
            self._transport.abort()
            return
        _set_options(self._transport, self._stall_timeout_s)
        self._transport.set_write_buffer_limits(high=WRITE_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        self.bytes_received += len(data)
        try:
            for kind, body in self._reader.feed(data):
                self.frames_received += 1
                self.on_frame(kind, body)
                if self.is_closing:
                    return
        except ProtocolError as error:
            self.close(error)

    def eof_received(self) -> bool:
        # Half-closed connections are of no use here: who cannot hear us is as good as gone.
        return False

    def pause_writing(self) -> None:
        self._is_paused = True
        if self._stall_timeout_s is not None:
            self._watch_for_stall()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._cancel(self._stall_timer)
        if not self._is_closing:
            self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._is_closing = True
        self._queue.clear()
        self.queued_bytes = 0
        self._cancel(self._stall_timer)
        self._cancel(self._linger_timer)
        if not self._gone.done():
            self._gone.set_result(None)
        self._reason = self._reason or error
        self._on_closed(self._reason)

    # Inside.

    def _flush(self) -> None:
        """Hand the queue to the transport, in few writes, until it asks for a pause."""
        self._will_flush = False
        if self._transport is None or self._is_closing:
            return
        queue = self._queue
        while queue and not self._is_paused:
            batch = [queue.popleft()]
            size = len(batch[0])
            while queue and size < WRITE_BYTES:
                frame = queue.popleft()
                batch.append(frame)
                size += len(frame)
            self.queued_bytes -= size
            self.frames_sent += len(batch)
            self.bytes_sent += size
            self._transport.write(batch[0] if len(batch) == 1 else b"".join(batch))

    def _make_room(self) -> None:
        # A burst within one turn of the loop is no sign of a slow peer: the transport may take it all.
        self._flush()
        if self.queued_bytes <= self._queue_bytes_max:
            return
        if self._on_overflow is not None:
            self._on_overflow()
            return
        while self.queued_bytes > self._queue_bytes_max and len(self._queue) > 1:
            self.queued_bytes -= len(self._queue.popleft())
            self.frames_dropped += 1

    def _watch_for_stall(self) -> None:
        """Close if the transport passes nothing on for ``stall_timeout_s``.

        A slow link is not a stalled one: nothing is added while writing is paused, so a buffer
        that has shrunk at all is progress, and the wait begins anew.
        """
        check(self._stall_timeout_s is not None, "only a connection with a stall time-out is watched")
        self._cancel(self._stall_timer)
        self._stalled_at_bytes = self.transport.get_write_buffer_size()
        self._stall_timer = self._loop.call_later(cast(float, self._stall_timeout_s), self._on_stall_timer)

    def _on_stall_timer(self) -> None:
        if self.transport.get_write_buffer_size() < self._stalled_at_bytes:
            self._watch_for_stall()
        else:
            self.abort(TimeoutError(f"the other side took nothing for {self._stall_timeout_s} s"))

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def _set_options(transport: asyncio.Transport, stall_timeout_s: float | None) -> None:
    """No delay for small frames, and notice when the machine at the other end is gone."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    options = [
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
    ]
    if stall_timeout_s is not None:
        # A stall that the transport cannot see: a few frames that fit the system's buffer and
        # that nobody acknowledges.  Linux closes such a connection only after many minutes.
        options.append((socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", int(stall_timeout_s * 1000)))
    for level, name, value in options:
        # Not every system has every option; the connection works without them.
        if hasattr(socket, name):
            try:
                connection.setsockopt(level, getattr(socket, name), value)
            except OSError:
                continue


def why_closed(error: Exception | None) -> str:
    """One line on why a connection is gone, for logs and errors."""
    match error:
        case None:
            return "closed by the other side"
        case TimeoutError():
            return str(error) or "no answer in time"
        case ConnectionError(errno=int(number)):
            # Not the error's own text: asyncio puts the address in, which the caller names anyway.
            return os.strerror(number)
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)
