"""What happened in a run, written down for whoever wants to look at it afterwards.

Knows: letters, ledgers, disks, ballots, requests and faults, each with the moment it happened at.
Does not know: how any of it is drawn.

A *moment* is one event of the run, or one thing that a script does; moments are numbered from 0.
Virtual time alone does not tell what came first: many moments share a millisecond, and a whole
play may pass in one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from paxon.core.decree import Decree, NodeId, Slot
from paxon.core.ledger import Record
from paxon.core.slip import Polling, Slip, Trying
from paxon.node.letters import PeerMessage
from paxon.sim.watcher import Watcher
from paxon.sim.words import ballot_words, command_name, decree_words, record_words

if TYPE_CHECKING:
    from paxon.node.host import Host
    from paxon.sim.network import Parcel
    from paxon.sim.workload import Request

ARRIVED = "arrived"
"""The fate of a letter that was read; any other says why it was not."""

ANSWERS = ("done", "ApplyFailed")
"""The endings of requests that took their place in the one order, those on which the machine raised included."""


class Arrow(Struct):
    """One copy of a letter, from when it was sent to when its fate was known.

    ``is_copy`` tells the second and later arrivals of one letter from the first.
    """

    sender: NodeId
    to: NodeId
    message: PeerMessage
    sent: int
    ended: int | None = None
    """``None`` while it is on its way."""
    fate: str = "on its way"
    is_copy: bool = False


class Mark(Struct, frozen=True):
    """Something that happened at one member at one moment."""

    kind: str
    """One of ``MARKS``."""
    member: NodeId
    moment: int
    words: str


class Span(Struct):
    """Something that went on at one member for a while."""

    kind: str
    """One of ``SPANS``."""
    member: NodeId
    began: int
    words: str
    ended: int | None = None
    """``None`` while it goes on."""


MARKS = {
    "wrote": "lines written in the ledger",
    "passed": "a decree has passed: the last vote of its quorum is durable",
    "applied": "decrees applied to the state machine",
    "crash": "crash of the process",
    "power": "power cut",
    "boot": "start of the process",
}
"""Kinds of marks, in words."""

SPANS = {
    "trying": "tries to start a ballot",
    "polling": "presides",
    "down": "is down",
    "paused": "stands still",
    "sync": "sync of the ledger",
    "done": "request that was answered",
    "failed": "request that was refused, or whose fate is unknown",
}
"""Kinds of spans, in words."""


class Recording(Watcher):
    """Everything that was told about one run."""

    def __init__(self) -> None:
        self.moments: list[int] = [0]
        """The virtual time of each moment, in ms."""
        self.arrows: list[Arrow] = []
        self.marks: list[Mark] = []
        self.spans: list[Span] = []
        self._is_fresh = True
        """Whether nothing was told of the latest moment."""
        self._letters: dict[int, Arrow] = {}
        """The first copy of every letter, by the letter's number."""
        self._open: dict[tuple[str, object], Span] = {}
        """Spans that go on: one of each kind and owner."""
        self._pause_ends_ms: dict[NodeId, int] = {}
        self._ballots: dict[NodeId, str] = {}
        self._applied_until: dict[NodeId, Slot] = {}
        self._passed = 0

    # --- moments ---

    @property
    def now(self) -> int:
        """The latest moment."""
        return len(self.moments) - 1

    def stepped(self, now_ms: int) -> None:
        """See ``Watcher``."""
        self._begin(now_ms)
        for member, end_ms in list(self._pause_ends_ms.items()):
            if end_ms <= now_ms:
                self._end_pause(member)

    def moments_between(self, from_ms: int, until_ms: int) -> tuple[int, int]:
        """The moments in ``[from_ms, until_ms]``, as a half-open range of their numbers."""
        return bisect_left(self.moments, from_ms), bisect_right(self.moments, until_ms)

    def _begin(self, now_ms: int) -> None:
        if self._is_fresh:
            self.moments[-1] = now_ms
        else:
            self.moments.append(now_ms)
            self._is_fresh = True

    def _cause(self) -> int:
        """What is told now did not follow from what was told before: it has a moment of its own."""
        self._begin(self.moments[-1])
        return self._effect()

    def _effect(self) -> int:
        """What is told now is part of the latest moment."""
        self._is_fresh = False
        return self.now

    # --- letters ---

    def sent(self, parcel: "Parcel") -> None:
        """See ``Watcher``."""
        arrow = Arrow(parcel.sender, parcel.to, parcel.message, self._effect())
        self._letters[parcel.number] = arrow
        self.arrows.append(arrow)

    def arrived(self, parcel: "Parcel") -> None:
        """See ``Watcher``."""
        self._end(parcel, self._cause(), ARRIVED)

    def lost(self, parcel: "Parcel", why: str) -> None:
        """See ``Watcher``."""
        self._end(parcel, self._effect(), why)

    def _end(self, parcel: "Parcel", moment: int, fate: str) -> None:
        arrow = self._letters.get(parcel.number)
        if arrow is None:
            # A script made it up: it comes from nowhere.
            arrow = Arrow(parcel.sender, parcel.to, parcel.message, moment)
            self.arrows.append(arrow)
        if arrow.ended is None:
            arrow.ended, arrow.fate = moment, fate
        else:
            self.arrows.append(
                Arrow(arrow.sender, arrow.to, arrow.message, arrow.sent, moment, fate, is_copy=True),
            )

    # --- members ---

    def wrote(self, member: NodeId, records: Sequence[Record]) -> None:
        """See ``Watcher``."""
        if records:
            self.marks.append(Mark("wrote", member, self._effect(), "; ".join(map(record_words, records))))

    def sync_began(self, member: NodeId) -> None:
        """See ``Watcher``."""
        self._start("sync", member, member, "sync")

    def sync_ended(self, member: NodeId, ending: str) -> None:
        """See ``Watcher``."""
        self._cause()
        self._finish("sync", member, ending)

    def booted(self, member: NodeId, life: int) -> None:
        """See ``Watcher``."""
        self.marks.append(Mark("boot", member, self._cause(), f"begins its life {life}"))
        self._finish("down", member, "back")

    def crashed(self, member: NodeId, is_power_cut: bool) -> None:
        """See ``Watcher``."""
        kind, words = ("power", "loses its power") if is_power_cut else ("crash", "crashes")
        self.marks.append(Mark(kind, member, self._cause(), words))
        self._end_pause(member)
        self._finish("sync", member, "cut short by the crash")
        self._change_slip(member, None)
        self._applied_until.pop(member, None)
        self._start("down", member, member, "down")

    def paused(self, member: NodeId, pause_ms: int) -> None:
        """See ``Watcher``."""
        self._pause_ends_ms[member] = self.moments[-1] + pause_ms
        if ("paused", member) not in self._open:
            self._start("paused", member, member, "stands still")

    def calmed(self) -> None:
        """See ``Watcher``."""
        for member in list(self._pause_ends_ms):
            self._end_pause(member)

    def _end_pause(self, member: NodeId) -> None:
        self._pause_ends_ms.pop(member, None)
        self._finish("paused", member, "goes on")

    def looked(self, member: NodeId, host: "Host", passed: Mapping[Slot, Decree]) -> None:
        """See ``Watcher``."""
        for slot, decree in islice(passed.items(), self._passed, None) if len(passed) > self._passed else ():
            self.marks.append(Mark("passed", member, self._effect(), f"{decree_words(decree)} passes in slot {slot}"))
        self._passed = len(passed)
        self._change_slip(member, host.legislator.slip)
        applied_until = host.applied_until
        if applied_until > self._applied_until.get(member, 1):
            words = f"has applied all below slot {applied_until}"
            self.marks.append(Mark("applied", member, self._effect(), words))
        self._applied_until[member] = applied_until

    def _change_slip(self, member: NodeId, slip: Slip) -> None:
        match slip:
            case Trying(ballot=ballot):
                kind, words = "trying", f"tries {ballot_words(ballot)}"
            case Polling(ballot=ballot):
                kind, words = "polling", f"presides in {ballot_words(ballot)}"
            case _:
                kind, words = "", ""
        if words == self._ballots.get(member, ""):
            return
        self._ballots[member] = words
        for old in ("trying", "polling"):
            self._finish(old, member, "")
        if kind:
            self._start(kind, member, member, words)

    # --- clients ---

    def asked(self, request: "Request") -> None:
        """See ``Watcher``."""
        what = "a read" if request.command is None else command_name(request.command)
        self._cause()
        self._start("failed", request.member, request, f"client asks for {what}")

    def answered(self, request: "Request") -> None:
        """See ``Watcher``."""
        span = self._finish("failed", request, request.ending)
        if span is not None and request.ending in ANSWERS:
            span.kind = "done"

    # --- spans ---

    def _start(self, kind: str, member: NodeId, owner: object, words: str) -> None:
        span = Span(kind, member, self._effect(), words)
        self._open[kind, owner] = span
        self.spans.append(span)

    def _finish(self, kind: str, owner: object, ending: str) -> Span | None:
        span = self._open.pop((kind, owner), None)
        if span is not None:
            span.ended = self._effect()
            if ending:
                span.words += f": {ending}"
        return span
