"""Clients' connections: requests in, replies out, and nobody takes more than their share."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from paxon.codec.frames import encode_frame
from paxon.errors import ConfigurationError, Overloaded, ProtocolError, TooLarge, Unreachable
from paxon.net.calls import CallConnection, Caller, CallLimits, CallServer
from tests.net.harness import (
    PATIENCE_S,
    VOCABULARY,
    Note,
    Signal,
    Stranger,
    eventually,
    free_port,
    note_frame,
    run,
    tls_files,
)


class Desk:
    """A server that answers each note with its number doubled, unless told otherwise."""

    def __init__(self, answer: Callable[[Caller, Note], None] | None = None, **options: Any) -> None:
        self.closed: list[Caller] = []
        self.requests: list[tuple[Caller, Note]] = []
        self.signal = Signal()
        self._answer = answer or (lambda caller, note: caller.reply(Note(2 * note.number)))
        options.setdefault("listen", ("127.0.0.1", 0))
        self.server = CallServer(
            vocabulary=VOCABULARY, on_request=self._on_request, on_closed=self._on_closed, **options
        )

    def _on_request(self, caller: Caller, message: object) -> None:
        assert isinstance(message, Note)
        self.requests.append((caller, message))
        self.signal.notify()
        self._answer(caller, message)

    def _on_closed(self, caller: Caller) -> None:
        self.closed.append(caller)
        self.signal.notify()


class Guest:
    """A client's connection and what came over it."""

    def __init__(self) -> None:
        self.replies: list[Note] = []
        self.closed: list[Exception | None] = []
        self.signal = Signal()

    async def open(self, address: tuple[str, int], tls: Any = None, **options: Any) -> "Guest":
        self.connection = await CallConnection.open(
            *address,
            VOCABULARY,
            tls,
            PATIENCE_S,
            on_message=self._on_message,
            on_closed=self._on_closed,
            **options,
        )
        return self

    def _on_message(self, message: object) -> None:
        assert isinstance(message, Note)
        self.replies.append(message)
        self.signal.notify()

    def _on_closed(self, error: Exception | None) -> None:
        self.closed.append(error)
        self.signal.notify()

    async def hears(self, *numbers: int) -> None:
        await self.signal.until(lambda: [note.number for note in self.replies] == list(numbers))

    async def until_closed(self) -> Exception | None:
        await self.signal.until(lambda: self.closed)
        assert len(self.closed) == 1
        return self.closed[0]


@contextlib.asynccontextmanager
async def desk(answer: Callable[[Caller, Note], None] | None = None, **options: Any) -> AsyncIterator[Desk]:
    made = Desk(answer, **options)
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.close()


def test_requests_are_answered_in_order(loop: str) -> None:
    async def main() -> None:
        async with desk() as made:
            guests = [await Guest().open(made.server.address) for _ in range(3)]
            for number in range(100):
                for guest in guests:
                    guest.connection.send(Note(number))
            for guest in guests:
                await guest.hears(*range(0, 200, 2))
            assert made.server.statistics().connections == 3
            assert len({caller for caller, _ in made.requests}) == 3
            assert all(caller.address.startswith("127.0.0.1:") for caller, _ in made.requests)
            for guest in guests:
                await guest.connection.close()
                assert guest.closed == [None]
            await made.signal.until(lambda: len(made.closed) == 3)
            assert made.server.statistics().connections == 0

    run(main, loop)


def test_replies_may_come_later_and_to_whoever_is_left(loop: str) -> None:
    async def main() -> None:
        async with desk(lambda caller, note: None) as made:
            here, gone = await Guest().open(made.server.address), await Guest().open(made.server.address)
            here.connection.send(Note(1))
            gone.connection.send(Note(2))
            await made.signal.until(lambda: len(made.requests) == 2)
            await gone.connection.close()
            await made.signal.until(lambda: made.closed)
            for caller, note in made.requests:
                caller.reply(Note(note.number))
            await here.hears(1)
            assert [caller.is_closed for caller, note in sorted(made.requests, key=lambda one: one[1].number)] == [
                False,
                True,
            ]
            await here.connection.close()

    run(main, loop)


def test_a_slow_caller_is_disconnected_and_the_others_are_served(loop: str) -> None:
    async def main() -> None:
        def answer(caller: Caller, note: Note) -> None:
            for _ in range(note.number):
                caller.reply(Note(0, bytes(100_000)))

        async with desk(answer, limits=CallLimits(reply_bytes_max=1_000_000)) as made:
            slow = await Stranger.dial(made.server.address)
            slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
            slow.writer.write(note_frame(500))
            quick = await Guest().open(made.server.address)
            await made.signal.until(lambda: made.closed)
            assert made.server.statistics().callers_too_slow == 1
            quick.connection.send(Note(1))
            await quick.hears(0)
            slow.close()
            await quick.connection.close()

    run(main, loop)


def test_connections_over_the_limit_are_closed(loop: str) -> None:
    async def main() -> None:
        async with desk(limits=CallLimits(connections_max=2)) as made:
            guests = [await Guest().open(made.server.address) for _ in range(2)]
            await eventually(lambda: made.server.statistics().connections == 2)
            third = await Guest().open(made.server.address)
            await third.until_closed()
            assert made.server.statistics().connections_refused == 1
            await guests[0].connection.close()
            await made.signal.until(lambda: made.closed)
            fourth = await Guest().open(made.server.address)
            fourth.connection.send(Note(1))
            await fourth.hears(2)
            for guest in (guests[1], fourth):
                await guest.connection.close()

    run(main, loop)


@pytest.mark.parametrize(
    "data",
    [encode_frame(9, b"\x80"), encode_frame(1, b"\xc1"), note_frame(1, bytes(2000)), b"GET / HTTP/1.1\r\n\r\n"],
    ids=["unknown", "malformed", "too long", "another protocol"],
)
def test_a_bad_request_closes_its_connection_only(loop: str, data: bytes) -> None:
    async def main() -> None:
        async with desk(limits=CallLimits(frame_bytes_max=1000)) as made:
            good = await Guest().open(made.server.address)
            bad = await Stranger.dial(made.server.address)
            bad.writer.write(data)
            await bad.until_closed()
            bad.close()
            await eventually(lambda: made.server.statistics().protocol_errors == 1)
            good.connection.send(Note(3))
            await good.hears(6)
            await good.connection.close()

    run(main, loop)


def test_the_layers_above_may_find_a_request_wrong(loop: str) -> None:
    async def main() -> None:
        def answer(caller: Caller, note: Note) -> None:
            raise ProtocolError("no such session")

        async with desk(answer) as made:
            guest = await Guest().open(made.server.address)
            guest.connection.send(Note(1))
            await guest.until_closed()
            assert made.server.statistics().protocol_errors == 1

    run(main, loop)


def test_a_bad_reply_closes_the_clients_connection(loop: str) -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(encode_frame(9, b"\x80"))
            await reader.read()
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        guest = await Guest().open((host, port))
        assert isinstance(await guest.until_closed(), ProtocolError)
        assert guest.connection.is_closed
        with pytest.raises(Unreachable, match="closed"):
            guest.connection.send(Note(1))
        server.close()

    run(main, loop)


def test_what_is_too_large_is_refused_where_it_is_said(loop: str) -> None:
    async def main() -> None:
        refused: list[TooLarge] = []

        def answer(caller: Caller, note: Note) -> None:
            try:
                caller.reply(Note(note.number, bytes(2000)))
            except TooLarge as error:
                refused.append(error)
                caller.reply(Note(-0))

        async with desk(answer, limits=CallLimits(frame_bytes_max=1000)) as made:
            guest = await Guest().open(made.server.address, frame_bytes_max=1000)
            with pytest.raises(TooLarge):
                guest.connection.send(Note(1, bytes(2000)))
            guest.connection.send(Note(1))
            await guest.hears(0)
            assert len(refused) == 1
            await guest.connection.close()

    run(main, loop)


def test_a_member_that_does_not_keep_up_is_overloaded(loop: str) -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)

        writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        guest = await Guest().open((host, port), queue_bytes_max=1_000_000)

        def flood() -> None:
            for _ in range(1000):
                guest.connection.send(Note(1, bytes(100_000)))

        with pytest.raises(Overloaded):
            flood()
        assert not guest.connection.is_closed
        await eventually(lambda: writers)
        for writer in writers:
            writer.transport.abort()
        await guest.until_closed()
        server.close()

    run(main, loop)


def test_nobody_there_is_unreachable(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await Guest().open(("127.0.0.1", free_port()))
        with pytest.raises(Unreachable, match="cannot be reached"):
            await Guest().open(("bad..name", 1))

    run(main, loop)


def test_a_port_that_answers_too_late_is_unreachable(loop: str, tmp_path: Path) -> None:
    async def main() -> None:
        files = tls_files(tmp_path, trustme.CA(), "ada")
        # The system accepts for a listener that does not; nobody ever shakes hands.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            host, port = listening.getsockname()
            with pytest.raises(Unreachable, match="no answer in time"):
                await CallConnection.open(host, port, VOCABULARY, files, 0.05, on_message=lambda message: None)

    run(main, loop)


def test_an_address_in_use_is_a_clear_error(loop: str) -> None:
    async def main() -> None:
        async with desk() as made:
            second = Desk(listen=made.server.address)
            with pytest.raises(ConfigurationError, match="is in use"):
                await second.server.start()
            await second.server.close()

    run(main, loop)


def test_closing_passes_on_the_last_replies(loop: str) -> None:
    async def main() -> None:
        made = Desk()
        await made.server.start()
        guest = await Guest().open(made.server.address)
        guest.connection.send(Note(1))
        await made.signal.until(lambda: made.requests)
        await made.server.close()
        await guest.until_closed()
        assert guest.replies == [Note(2)]
        assert len(made.closed) == 1

    run(main, loop)


def test_calls_over_tls(loop: str, tmp_path: Path) -> None:
    async def main() -> None:
        authority = trustme.CA()
        server, client = (tls_files(tmp_path, authority, name) for name in ("ada", "client"))
        async with desk(tls=server) as made:
            guest = await Guest().open(made.server.address, client, server_name="ada")
            guest.connection.send(Note(1))
            await guest.hears(2)
            assert made.requests[0][0].certificate_names == {"client"}
            await guest.connection.close()
            # Any other certificate of the authority may be a mere client's.
            with pytest.raises(Unreachable, match="names ada, not ben"):
                await Guest().open(made.server.address, client, server_name="ben")
            with pytest.raises(Unreachable, match=r"names ada, not 127\.0\.0\.1"):
                await Guest().open(made.server.address, client)
            stranger = tls_files(tmp_path, trustme.CA(), "stranger")
            with pytest.raises(Unreachable, match="cannot be reached"):
                await Guest().open(made.server.address, stranger, server_name="ada")
            # The server cannot have heard anything from those.
            assert len(made.requests) == 1

    run(main, loop)


def test_a_client_of_another_authority_gets_nowhere(loop: str, tmp_path: Path) -> None:
    async def main() -> None:
        authority = trustme.CA()
        server = tls_files(tmp_path, authority, "ada")
        stranger = tls_files(tmp_path, trustme.CA(), "stranger")
        authority.cert_pem.write_to_path(str(stranger.ca))
        async with desk(tls=server) as made:
            # Under TLS 1.3 the client believes to be in until the server has looked at its certificate.
            try:
                guest = await Guest().open(made.server.address, stranger, server_name="ada")
            except Unreachable:
                pass
            else:
                error = await guest.until_closed()
                assert error is None or isinstance(error, ssl.SSLError | ConnectionError)
            await eventually(lambda: made.server.statistics().arrivals_failed == 1)
            assert made.requests == []
            assert made.server.statistics().connections == 0

    run(main, loop)
