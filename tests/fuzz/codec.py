"""Targets: frames cut from a stream, and every vocabulary."""

from collections.abc import Callable, Mapping

from paxon.codec.frames import FrameReader, encode_frame
from paxon.codec.records import RECORDS
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ProtocolError
from paxon.net import handshake
from paxon.net.handshake import HANDSHAKE, Goodbye, Hello, LocalIdentity, PeerAddress, Welcome, handshake_frame
from paxon.node.service import CLIENT_VOCABULARY
from paxon.node.vocabulary import PEER_VOCABULARY
from tests.codec import examples
from tests.fuzz.examples import CLIENT_MESSAGES, HANDSHAKE_WORDS, HOST_MESSAGES
from tests.fuzz.oracle import Draw, Target, refusing

FRAME_BYTES_MAX = 4096
"""The limit of the frames target: small, so that inputs reach it."""


def frames(data: bytes) -> None:
    """A stream means the same however it is cut; what is read is what was sent, and no claimed length costs memory."""
    draw = Draw(data)
    cuts = [draw.byte() for _ in range(draw.below(8))]
    stream = draw.rest()
    whole, pieces = FrameReader(FRAME_BYTES_MAX), FrameReader(FRAME_BYTES_MAX)
    at_once: list[tuple[int, bytes]] = []
    with refusing(ProtocolError) as watch:
        at_once = whole.feed(stream)
    piecewise: list[tuple[int, bytes]] = []
    with refusing(ProtocolError) as watch_pieces:
        at = 0
        for size in [*cuts, len(stream)]:
            piecewise += pieces.feed(stream[at : at + size])
            at += size
    assert watch.is_refused == watch_pieces.is_refused, "whether a stream is refused depends on how it is cut"
    if not watch.is_refused:
        assert piecewise == at_once, "what a stream says depends on how it is cut"
        sent = b"".join(encode_frame(kind, body) for kind, body in at_once)
        assert stream.startswith(sent), "frames that were not sent"
        assert len(stream) - len(sent) < FRAME_BYTES_MAX + len(encode_frame(0, b"")), "frames that were not read"


def _decodes(vocabulary: Vocabulary, then: Callable[[object], None] = lambda value: None) -> Callable[[bytes], None]:
    """A target: the first byte is the kind, the rest the body."""

    def run(data: bytes) -> None:
        with refusing(ProtocolError) as watch:
            value = vocabulary.decode(data[0] if data else 0, data[1:])
        if not watch.is_refused:
            assert vocabulary.decode(*vocabulary.encode(value)) == value, "a value changes on its way"
            then(value)

    return run


ME = LocalIdentity("cluster", "a", NodeId(1), "storage", "127.0.0.1:1")
OTHER = PeerAddress("b", "127.0.0.1", 2)


def _judge(word: object) -> None:
    """Whatever somebody says first gets an answer that fits the handshake."""
    objection: Goodbye | None = None
    if isinstance(word, Hello):
        objection = handshake.judge_hello(word, ME, {NodeId(2): OTHER}, frozenset({"b"}))
    elif isinstance(word, Welcome):
        objection = handshake.judge_welcome(word, ME, NodeId(2), OTHER)
    elif isinstance(word, Goodbye):
        objection = word
    if objection is not None:
        handshake_frame(Goodbye("code", objection.reason))


def _seeds(vocabulary: Vocabulary, values: list[object]) -> tuple[bytes, ...]:
    encoded = map(vocabulary.encode, values)
    return tuple(bytes((kind,)) + body for kind, body in encoded)


_BODIES = [PEER_VOCABULARY.encode(message) for message in examples.MESSAGES]
_STREAM = b"".join(encode_frame(*body) for body in _BODIES)

TARGETS: Mapping[str, Target] = {
    "frames": Target(
        frames,
        (b"\0" + _STREAM, bytes((3, 1, 9, 200)) + _STREAM, b"\0" + bytes.fromhex("ffffffff00000000")),
        fixed_bytes=FRAME_BYTES_MAX,
    ),
    "peer-messages": Target(_decodes(PEER_VOCABULARY), _seeds(PEER_VOCABULARY, [*examples.MESSAGES, *HOST_MESSAGES])),
    "client-messages": Target(_decodes(CLIENT_VOCABULARY), _seeds(CLIENT_VOCABULARY, [*CLIENT_MESSAGES])),
    "handshake": Target(_decodes(HANDSHAKE, _judge), _seeds(HANDSHAKE, [*HANDSHAKE_WORDS])),
    "records": Target(_decodes(RECORDS), _seeds(RECORDS, [*examples.RECORDS])),
}
