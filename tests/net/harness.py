"""Members with real sockets on loopback, and a relay between them that does to the bytes whatever a test asks for."""

import asyncio
import contextlib
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import uvloop
from msgspec import Struct

from paxon.codec.frames import FrameReader, encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ForeignIdentity
from paxon.net.handshake import HANDSHAKE, Goodbye, Hello, Welcome, handshake_frame
from paxon.net.links import Links, LinkTimings, LocalIdentity, PeerAddress
from paxon.net.tls import TlsFiles

T = TypeVar("T")

PATIENCE_S = 20.0
"""How long a test waits for what must happen: reached only when it does not."""

HASTY = LinkTimings(
    retry_s_min=0.005, retry_s_max=0.05, refused_retry_s=0.05, handshake_timeout_s=5.0, stall_timeout_s=10.0
)
"""Nobody waits for a test's retries."""


class Note(Struct, frozen=True):
    """What the members of these tests say to each other."""

    number: int
    text: bytes = b""


class Unheard(Struct, frozen=True):
    """What only some of them know how to say."""

    number: int


VOCABULARY = Vocabulary({1: Note})
WIDER_VOCABULARY = Vocabulary({1: Note, 2: Unheard})


def note_frame(number: int, text: bytes = b"") -> bytes:
    return encode_frame(*VOCABULARY.encode(Note(number, text)))


def run(main: Callable[[], Coroutine[Any, Any, T]], loop: str = "asyncio") -> T:
    """Run a test's coroutine; errors that the loop would only log fail the test."""
    troubles: list[dict[str, Any]] = []

    async def guarded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        async with asyncio.timeout(3 * PATIENCE_S):
            return await main()

    factory = uvloop.new_event_loop if loop == "uvloop" else None
    with warnings.catch_warnings(), asyncio.Runner(loop_factory=factory) as runner:
        try:
            result = runner.run(guarded())
        except BaseException:
            # A test that failed leaves connections open.  Warnings are errors here, and uvloop, which warns while it
            # closes them, would wait for ever for the one that it could not close.
            warnings.simplefilter("ignore", ResourceWarning)
            raise
    assert not troubles, troubles
    return result


async def eventually(predicate: Callable[..., object], *given: object) -> None:
    """Return once ``predicate(*given)`` holds, for what tells nobody when it changes.  Looks at every turn."""
    async with asyncio.timeout(PATIENCE_S):
        while not predicate(*given):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


class Signal:
    """Something happened: look again."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        self._changed.set()

    async def until(self, predicate: Callable[..., object], *given: object) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not predicate(*given):
                self._changed.clear()
                await self._changed.wait()


class Book:
    """A member's durable knowledge of whose storage is whose."""

    def __init__(self) -> None:
        self.storages: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []

    def introduce(self, member: str, storage: str) -> None:
        self.calls.append((member, storage))
        if self.storages.setdefault(member, storage) != storage:
            raise ForeignIdentity(f"{member} is known with storage {self.storages[member]}, not {storage}")


class Member:
    """One member's links, and what they brought."""

    def __init__(
        self,
        name: str,
        node: int,
        peers: Mapping[int, PeerAddress],
        *,
        book: Book | None = None,
        storage: str = "",
        cluster: str = "cluster",
        listen: tuple[str, int] = ("127.0.0.1", 0),
        **options: Any,
    ) -> None:
        self.inbox: list[tuple[NodeId, Note]] = []
        self.lost: list[NodeId] = []
        self.signal = Signal()
        self.book = book or Book()
        self.me = LocalIdentity(cluster, name, NodeId(node), storage or f"{name}-storage", f"{name}.example:2379")
        options.setdefault("timings", HASTY)
        options.setdefault("vocabulary", VOCABULARY)
        options.setdefault("chance", lambda: 0)
        self.links = Links(
            me=self.me,
            listen=listen,
            peers={NodeId(number): peer for number, peer in peers.items()},
            on_message=self._on_message,
            on_lost=self._on_lost,
            introduce=self.book.introduce,
            **options,
        )

    def _on_message(self, sender: NodeId, message: object) -> None:
        assert isinstance(message, Note)
        self.inbox.append((sender, message))
        self.signal.notify()

    def _on_lost(self, peer: NodeId) -> None:
        self.lost.append(peer)
        self.signal.notify()

    def numbers(self, sender: int | None = None) -> list[int]:
        return [note.number for who, note in self.inbox if sender is None or who == sender]

    def send(self, to: int, number: int, text: bytes = b"", urgent: bool = False) -> None:
        self.links.send(NodeId(to), Note(number, text), urgent)

    def up(self, direction: str = "out") -> int:
        return sum(link.is_up for link in self.links.statistics().links if link.direction == direction)

    async def until_up(self, outgoing: int = 2) -> None:
        await eventually(lambda: self.up() >= outgoing)

    async def hears(self, *numbers: int) -> None:
        await self.signal.until(lambda: set(numbers) <= set(self.numbers()))


class Pipe:
    """One connection through a relay."""

    def __init__(self, inbound: asyncio.StreamWriter, outbound: asyncio.StreamWriter) -> None:
        self.inbound = inbound
        self.outbound = outbound
        self.lane = "unknown"
        self.bytes_forward = 0

    def cut(self) -> None:
        for writer in (self.inbound, self.outbound):
            writer.transport.abort()


class Relay:
    """A port that passes on to ``target``, and can be told to be a bad network."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.pipes: list[Pipe] = []
        self.accepted = 0
        self.piece_bytes: int | None = None
        self.mangle: Callable[[Pipe, bytes], bytes] = lambda pipe, data: data
        self.gates = {lane: asyncio.Event() for lane in ("urgent", "bulk", "unknown")}
        for gate in self.gates.values():
            gate.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return host, port

    def peer(self, member: str) -> PeerAddress:
        return PeerAddress(member, *self.address)

    def cut(self) -> None:
        """Break every connection that goes through."""
        for pipe in self.pipes:
            pipe.cut()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        if self.target is None:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        pipe = Pipe(writer, far_writer)
        self.pipes.append(pipe)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._pump(pipe, reader, far_writer, True), self._pump(pipe, far_reader, writer, False)
            )
        pipe.cut()
        self.pipes.remove(pipe)

    async def _pump(
        self, pipe: Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_forward: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if is_forward:
                    if pipe.lane == "unknown":
                        pipe.lane = next((lane for lane in ("urgent", "bulk") if lane.encode() in data), "unknown")
                    await self.gates[pipe.lane].wait()
                    pipe.bytes_forward += len(data)
                    data = self.mangle(pipe, data)
                size = self.piece_bytes or len(data)
                for start in range(0, len(data), size):
                    writer.write(data[start : start + size])
                    await writer.drain()
                    if self.piece_bytes:
                        await asyncio.sleep(0)
        writer.transport.abort()


class Cluster:
    """Members that reach each other through one relay per direction."""

    def __init__(self) -> None:
        self.members: dict[int, Member] = {}
        self.relays: dict[tuple[int, int], Relay] = {}

    def __getitem__(self, node: int) -> Member:
        return self.members[node]

    async def start(self, node: int) -> None:
        """Start one member, and point the relays to it."""
        member = self.members[node]
        await member.links.start()
        for (_, to), relay in self.relays.items():
            if to == node:
                relay.target = member.links.address

    async def restart(self, node: int, **options: Any) -> Member:
        """The same member in a new process: only its book survives."""
        old = self.members[node]
        await old.links.close()
        options.setdefault("storage", old.me.storage)
        self.members[node] = Member(old.me.member, node, self.addresses(node), book=old.book, **options)
        await self.start(node)
        return self.members[node]

    def addresses(self, node: int) -> dict[int, PeerAddress]:
        return {to: relay.peer(NAMES[to]) for (of, to), relay in self.relays.items() if of == node}


NAMES = {1: "ada", 2: "ben", 3: "cyd", 4: "dov", 5: "eva"}


@contextlib.asynccontextmanager
async def cluster(
    size: int, *, are_started: bool = True, each: Callable[[int], dict[str, Any]] = lambda node: {}, **options: Any
) -> AsyncIterator[Cluster]:
    """``size`` members, numbered from 1; ``each`` gives the options of one of them."""
    made = Cluster()
    nodes = range(1, size + 1)
    for of in nodes:
        for to in nodes:
            if of != to:
                made.relays[of, to] = await Relay().start()
    for node in nodes:
        made.members[node] = Member(NAMES[node], node, made.addresses(node), **{**options, **each(node)})
    try:
        if are_started:
            for node in nodes:
                await made.start(node)
            for member in made.members.values():
                await member.until_up(2 * (size - 1))
        yield made
    finally:
        for member in made.members.values():
            await member.links.close()
        for relay in made.relays.values():
            await relay.close()


class Stranger:
    """A bare connection that speaks frames, or does not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._frames: list[tuple[int, bytes]] = []
        self._cutter = FrameReader()

    @classmethod
    async def dial(cls, address: tuple[str, int], tls: Any = None) -> "Stranger":
        host, port = address
        options = {} if tls is None else {"ssl": tls, "server_hostname": ""}
        return cls(*await asyncio.open_connection(host, port, **options))

    def say(self, word: Hello | Welcome | Goodbye) -> None:
        self.writer.write(handshake_frame(word))

    async def hears(self) -> object | None:
        """The next word of the handshake, or ``None`` if the connection ends before it."""
        async with asyncio.timeout(PATIENCE_S):
            while not self._frames:
                try:
                    data = await self.reader.read(65536)
                except OSError:
                    return None
                if not data:
                    return None
                self._frames += self._cutter.feed(data)
        return HANDSHAKE.decode(*self._frames.pop(0))

    async def until_closed(self) -> None:
        """Return once the other side has hung up."""
        assert await self.hears() is None

    def close(self) -> None:
        self.writer.transport.abort()


def hello_of(member: Member, to: str, /, **changes: Any) -> Hello:
    """What ``member`` would say to ``to``, with some of it changed."""
    me = member.me
    fields: dict[str, Any] = {
        "protocol": 1,
        "cluster": me.cluster,
        "member": me.member,
        "node": me.node,
        "storage": me.storage,
        "endpoint": me.endpoint,
        "lane": "bulk",
        "to_member": to,
    }
    return Hello(**{**fields, **changes})


def tls_files(directory: Any, authority: Any, name: str, *also: str) -> TlsFiles:
    """A certificate of ``authority`` for ``name``, and ``also`` for others, on disk."""
    made = authority.issue_cert(name, *also)
    cert, key, ca = (directory / f"{name}.{kind}" for kind in ("cert", "key", "ca"))
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    key.chmod(0o600)
    authority.cert_pem.write_to_path(str(ca))
    return TlsFiles(cert, key, ca)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
