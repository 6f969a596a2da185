"""Links of simulated members: who welcomed whom, by the shipped handshake and its judgements.

Knows: which process answers at which address, and who has been welcomed.  Does not know: sockets.
A handshake is one event in which both sides are there; a link that is up lasts until one of the
two processes ends or somebody breaks it.  Letters travel in ``network``, which may deliver them
long after their link is gone: that is harsher than a connection, and deliberate.
"""

from collections.abc import Callable
from typing import Protocol

from paxon.core.decree import NodeId
from paxon.net.handshake import (
    DISOWNED,
    HANDSHAKE,
    PROTOCOL,
    Goodbye,
    Hello,
    LocalIdentity,
    PeerAddress,
    Standing,
    Welcome,
    hello_to,
    judge_hello,
    judge_welcome,
    welcome_from,
)
from paxon.net.introductions import Introductions
from paxon.net.peer_memory import PeerMemory
from paxon.node.letters import PeerMessage
from paxon.sim.agenda import Agenda, Event, Life
from paxon.sim.fuse import Fuse
from paxon.sim.network import Network
from paxon.sim.oracle import Oracle

RETRY_MS = 40
"""How often a peer that did not answer is dialled again."""

ANSWER_MS = 500
"""How long a member that starts waits for those who do not answer; see ``LinkTimings.answer_s``."""

FINAL = (DISOWNED, "storage")
"""Goodbyes after which there is no point in trying again with the same directory."""


def name_of(number: NodeId) -> str:
    """What a simulated member is called."""
    return f"m{number}"


class Answerer(Protocol):
    """A process that listens."""

    @property
    def me(self) -> LocalIdentity:
        """Who it is."""

    def answer(self, hello: Hello) -> Welcome | Goodbye:
        """What it says to somebody who dials it."""


class Stranger:
    """A member of another cluster, which has a member of every name."""

    def __init__(self, number: NodeId) -> None:
        self.me = LocalIdentity("another", name_of(number), number, f"another-{number}", "")

    def hello(self, to: NodeId) -> Hello:
        """What it says when it dials by mistake."""
        return hello_to(PeerAddress(name_of(to), "", 0), self.me, "bulk")

    def answer(self, hello: Hello) -> Welcome | Goodbye:
        """See ``Answerer``."""
        peers = {hello.node: PeerAddress(hello.member, "", 0)}
        return judge_hello(hello, self.me, peers, None) or Welcome(
            PROTOCOL, self.me.cluster, self.me.member, self.me.node, self.me.storage, ""
        )


class Addresses:
    """Who is found at each member's address, as far as anybody is there."""

    def __init__(self) -> None:
        self.processes: dict[NodeId, SimLinks] = {}
        """The running processes."""
        self.moved: dict[NodeId, NodeId | Stranger] = {}
        """Addresses at which somebody else is found for the time being."""

    def at(self, number: NodeId) -> "SimLinks | Stranger | None":
        """Who answers at the address of a member, if anybody does."""
        found = self.moved.get(number, number)
        return found if isinstance(found, Stranger) else self.processes.get(found)


class SimLinks:
    """The links of one life of one member.  Satisfies ``Transport`` and ``Answerer``."""

    def __init__(
        self,
        life: Life,
        me: LocalIdentity,
        members: tuple[NodeId, ...],
        agenda: Agenda,
        network: Network,
        oracle: Oracle,
        addresses: Addresses,
        introductions: Introductions,
        memory: PeerMemory,
        fuse: Fuse,
        standing: Callable[[], Standing],
        is_introduced: bool,
        answer_ms: int,
        on_ready: Callable[[], None],
        on_refused: Callable[[str], None],
    ) -> None:
        """``on_ready`` is called once, when the member may take part; ``on_refused`` when it never may."""
        self.life = life
        self.me = me
        self._peers = {number: PeerAddress(name_of(number), "", 0) for number in members if number != life.member}
        self._agenda = agenda
        self._network = network
        self._oracle = oracle
        self._addresses = addresses
        self._introductions = introductions
        self.memory = memory
        self._fuse = fuse
        self._standing = standing
        self._is_introduced = is_introduced
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._is_ready = False
        self._ready_at_ms = agenda.now_ms + answer_ms
        self._up: dict[NodeId, LocalIdentity] = {}
        """Who welcomed us at each peer's address."""
        self._dialling: dict[NodeId, Event] = {}
        """Attempts that are due."""
        addresses.processes[life.member] = self
        for peer in self._peers:
            self.dial(peer)
        agenda.at(self._ready_at_ms, f"moment of {life.member} over", self._look, life)

    @property
    def dialling(self) -> int:
        """How many peers it tries to reach."""
        return len(self._dialling)

    def end(self) -> None:
        """The process ends, and its links with it."""
        if self._addresses.processes.get(self.life.member) is self:
            del self._addresses.processes[self.life.member]
        for other in list(self._addresses.processes.values()):
            other.lose(self.life.member)

    def send(self, to: NodeId, message: PeerMessage, urgent: bool) -> None:
        """See ``Transport``."""
        welcomed_by = self._up.get(to)
        if welcomed_by is None:
            return
        self._fuse.reached("before send")
        self._oracle.crosses(self.me, to, welcomed_by)
        self._oracle.sent(self.life.member, message)
        self._network.send(self.life.member, to, message, urgent)
        self._fuse.reached("after send")

    def lose(self, peer: NodeId) -> None:
        """A link broke: it is dialled again."""
        if self._up.pop(peer, None) is not None:
            self.dial(peer)

    def dial(self, peer: NodeId, delay_ms: int = 0) -> None:
        """Try to get a link to a peer, unless there is one; takes the place of an attempt that is due later."""
        due = self._dialling.get(peer)
        if peer in self._up or (due is not None and due.at_ms <= self._agenda.now_ms + delay_ms):
            return
        if due is not None:
            due.cancel()
        label = f"{self.life.member} dials {peer}"
        self._dialling[peer] = self._agenda.after(delay_ms, label, lambda: self._shake_hands(peer), self.life)

    def answer(self, hello: Hello) -> Welcome | Goodbye:
        """See ``Answerer``."""
        goodbye = judge_hello(hello, self.me, self._peers, None) or self._judge_known(hello)
        if goodbye is not None:
            return goodbye
        self._oracle.welcomed(self.life, hello.cluster, hello.node, hello.storage, hello.standing)
        self.dial(hello.node)
        return welcome_from(self.me, self._standing())

    def _shake_hands(self, peer: NodeId) -> None:
        self._dialling.pop(peer, None)
        there = self._addresses.at(peer)
        if there is None or not self._reaches(there):
            self.dial(peer, RETRY_MS)
            return
        hello = hello_to(self._peers[peer], self.me, "bulk", self._standing())
        # Through the wire format both ways, as everything else that members say to each other.
        heard = HANDSHAKE.decode(*HANDSHAKE.encode(hello))
        answer = HANDSHAKE.decode(*HANDSHAKE.encode(there.answer(heard)))  # type: ignore[arg-type]
        goodbye = answer if isinstance(answer, Goodbye) else None
        if isinstance(answer, Welcome):
            goodbye = judge_welcome(answer, self.me, peer, self._peers[peer]) or self._judge_known(answer)
        if goodbye is not None:
            if goodbye is answer and goodbye.code in FINAL:
                self._on_refused(goodbye.reason)
            self.dial(peer, RETRY_MS)
            return
        self._up[peer] = there.me
        self._introductions.welcomed_by(peer)
        self._look()

    def _judge_known(self, word: Hello | Welcome) -> Goodbye | None:
        objection = self._introductions.introduce(word.member, word.storage)
        return objection or self.memory.meet(word.node, word.member, word.standing)

    def _reaches(self, there: "SimLinks | Stranger") -> bool:
        if isinstance(there, Stranger):
            return True
        one, other = self.life.member, there.life.member
        is_cut = (one, other) in self._network.cut or (other, one) in self._network.cut
        return not is_cut and not there.life.is_paused

    def _look(self) -> None:
        """Take part, if enough of the others were heard."""
        if self._is_ready:
            return
        is_moment_over = self._agenda.now_ms >= self._ready_at_ms
        if self._introductions.may_take_part(self._is_introduced, is_moment_over):
            self._is_ready = True
            self._on_ready()
