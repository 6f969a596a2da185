"""The first words on a link: who we are, whom we meant, and whether we will do.

Knows: what makes two members fit each other.  Does not know: sockets; the judgements here are
pure functions.  Everything about identity is checked before the first message (N9 of the fault
catalogue): a wrong address, two swapped addresses or another cluster must never get a vote.

The dialling side says ``Hello`` and then nothing until it is answered with ``Welcome`` or
``Goodbye``.  A later release may add fields with defaults to these three, and changes nothing
else about them: an old release must be able to read that it is too old.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ConfigurationError, ProtocolError
from paxon.net.complaints import printable
from paxon.net.tls import names_member

PROTOCOL: Final = 1
"""What this release speaks.  Raised only by a change that an older release cannot ignore."""

PROTOCOL_OLDEST: Final = 1
"""The oldest that this release still speaks, so that a cluster can be upgraded member by member."""

HANDSHAKE_FRAME_BYTES_MAX: Final = 4096
"""Nobody gets to send us more than this before we know who it is."""

Lane = Literal["bulk", "urgent"]
"""Each lane is a connection of its own, so that what is urgent never waits behind bulk data."""

LANES: Final[tuple[Lane, ...]] = ("urgent", "bulk")

DISOWNED: Final = "disowned"
"""The code of the goodbye to a member whose directory is an older copy, or one of two: it must never vote again."""


class Standing(Struct, frozen=True):
    """How far a member's ledger goes, and which start of its directory it is: see ``paxon.net.peer_memory``.

    ``boot`` numbers the starts, and ``life`` is drawn for each process.  Zero is what a release
    says that does not know of this.
    """

    line: int = 0
    boot: int = 0
    life: int = 0


UNSAID: Final = Standing()


class LocalIdentity(Struct, frozen=True):
    """What this member says of itself: its cluster, its name, number and storage, and where its clients reach it."""

    cluster: str
    member: str
    node: NodeId
    storage: str
    endpoint: str


class PeerAddress(Struct, frozen=True):
    """Another member as configured: its name, and where it listens for members."""

    member: str
    host: str
    port: int


class Hello(Struct, frozen=True):
    """The dialling side's only word before it is answered.  ``to_member`` is whom it meant to reach."""

    protocol: int
    cluster: str
    member: str
    node: NodeId
    storage: str
    endpoint: str
    lane: str
    to_member: str
    standing: Standing = UNSAID


class Welcome(Struct, frozen=True):
    """The accepting side knows the dialling one, durably, and takes its messages from here on."""

    protocol: int
    cluster: str
    member: str
    node: NodeId
    storage: str
    endpoint: str
    standing: Standing = UNSAID


class Goodbye(Struct, frozen=True):
    """No link.  ``code`` is for programs; ``reason`` is for people and says what to change."""

    code: str
    reason: str


_LONGEST = Standing(1 << 62, 1 << 62, 1 << 62)
"""What takes the most bytes to say."""

HANDSHAKE = Vocabulary({240: Hello, 241: Welcome, 242: Goodbye})


def handshake_frame(word: Hello | Welcome | Goodbye) -> bytes:
    """One word of the handshake as a frame.

    Raises:
        ProtocolError: our own names are too long for one.
    """
    if isinstance(word, Goodbye):
        # It quotes the other side's names, which may have been as long as its whole hello.
        word = Goodbye(word.code, printable(word.reason))
    return encode_frame(*HANDSHAKE.encode(word), HANDSHAKE_FRAME_BYTES_MAX)


def hello_to(peer: PeerAddress, me: LocalIdentity, lane: Lane, standing: Standing = UNSAID) -> Hello:
    """What we say when we dial ``peer``."""
    return Hello(PROTOCOL, me.cluster, me.member, me.node, me.storage, me.endpoint, lane, peer.member, standing)


def welcome_from(me: LocalIdentity, standing: Standing = UNSAID) -> Welcome:
    """What we say to a member that we take messages from."""
    return Welcome(PROTOCOL, me.cluster, me.member, me.node, me.storage, me.endpoint, standing)


def require_introducible(me: LocalIdentity, peers: Iterable[PeerAddress]) -> None:
    """Make sure that everything we shall have to say fits a frame.

    Raises:
        ConfigurationError: it does not.
    """
    try:
        handshake_frame(welcome_from(me, _LONGEST))
        for peer in peers:
            handshake_frame(hello_to(peer, me, "urgent", _LONGEST))
    except ProtocolError as error:
        raise ConfigurationError(f"the names of the cluster, members and endpoint are too long: {error}") from error


def judge_hello(
    hello: Hello, me: LocalIdentity, peers: Mapping[NodeId, PeerAddress], names: frozenset[str] | None
) -> Goodbye | None:
    """Why whoever said ``hello`` cannot be a member that we know; ``None`` if it can.

    ``names`` are those of its certificate, ``None`` without TLS.  Whether its storage is the
    one we know is asked afterwards, because only that leaves a durable trace.
    """
    if objection := _protocol_objection(hello.protocol, me, hello.member):
        return objection
    if hello.cluster != me.cluster:
        return Goodbye(
            "cluster",
            f"{me.member} belongs to cluster {me.cluster} and {hello.member} to cluster {hello.cluster}: "
            "correct the address of one of them, or the cluster's id",
        )
    if hello.to_member != me.member:
        return Goodbye(
            "address",
            f"this is {me.member}, not {hello.to_member}: in the configuration of {hello.member} "
            "their addresses are wrong or swapped",
        )
    node = next((node for node, peer in peers.items() if peer.member == hello.member), None)
    if node is None:
        also = "two members are" if hello.member == me.member else f"{me.member} knows no member"
        return Goodbye("member", f"{also} called {hello.member}: give every member the same list of members")
    if hello.node != node:
        return Goodbye(
            "node",
            f"{hello.member} has number {node} at {me.member} and {hello.node} at itself: "
            "give every member the same list of members",
        )
    if objection := certificate_objection(hello.member, names):
        return objection
    if hello.lane not in LANES:
        return Goodbye("lane", f"{me.member} knows no lane {hello.lane}: run the same release on every member")
    return None


def judge_welcome(welcome: Welcome, me: LocalIdentity, node: NodeId, peer: PeerAddress) -> Goodbye | None:
    """Why whoever said ``welcome`` is not the ``peer`` we dialled; ``None`` if it is."""
    if objection := _protocol_objection(welcome.protocol, me, welcome.member):
        return objection
    if welcome.cluster != me.cluster:
        return Goodbye(
            "cluster",
            f"{welcome.member} belongs to cluster {welcome.cluster} and {me.member} to cluster {me.cluster}: "
            "correct the address of one of them, or the cluster's id",
        )
    if welcome.member != peer.member:
        return Goodbye(
            "address",
            f"{welcome.member} answers at the address of {peer.member}: "
            f"in the configuration of {me.member} their addresses are wrong or swapped",
        )
    if welcome.node != node:
        return Goodbye(
            "node",
            f"{peer.member} has number {node} at {me.member} and {welcome.node} at itself: "
            "give every member the same list of members",
        )
    return None


def certificate_objection(member: str, names: frozenset[str] | None) -> Goodbye | None:
    """Why a certificate with ``names`` does not speak for ``member``; ``None`` if it does, or without TLS."""
    if names is None or names_member(names, member):
        return None
    carried = ", ".join(sorted(names)) or "nobody"
    return Goodbye(
        "certificate",
        f"the certificate of {member} names {carried}: it must carry {member} as a DNS subject alternative name",
    )


def _protocol_objection(protocol: int, me: LocalIdentity, other: str) -> Goodbye | None:
    if PROTOCOL_OLDEST <= protocol <= PROTOCOL:
        return None
    older = me.member if protocol > PROTOCOL else other
    return Goodbye(
        "protocol",
        f"{me.member} speaks versions {PROTOCOL_OLDEST} to {PROTOCOL} of the members' protocol "
        f"and {other} speaks {protocol}: upgrade {older}",
    )
