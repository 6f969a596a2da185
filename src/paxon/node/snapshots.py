"""Taking snapshots without stopping, offering them, and fetching somebody else's (section 3.3.2 of the paper).

Knows: when one is due, and the order of capture, file, verification and trimming.  Does not know: what a state is made
of, or what a file looks like; files are touched in tasks for the disk.

Theory of operation.  *Taking*: the applier's capture is a lazy sequence of small pieces.  A slice of them is made on
the loop, handed to the disk, and the next one only after a pause, so that votes and heartbeats find the loop free.
Only a file that was read back and is durable counts; then older files go, and ledger segments that the older of two
snapshots covers.

*Fetching*: a member that asks for decrees which are in nobody's ledger any more is sent an offer instead, with every
such question.  It pulls the file part by part, as slowly as decrees are caught up with.  A part that does not come is
asked for again, in the end of whoever makes the next offer: the same slot, size and checksum name the same bytes, so
fetching goes on where it was.  A push would need a window, and somebody to remember it over broken links; here the
fetching member's own count of bytes is all there is to know.
"""

import logging
from collections.abc import Callable, Generator, Iterable
from functools import partial

from msgspec import Struct

from paxon.core.archive import ASKED_IN_VAIN, PAUSE_MS
from paxon.core.decree import NodeId, Slot
from paxon.errors import InvariantViolation, SnapshotUnusable
from paxon.node.letters import AskSnapshot, PeerMessage, SnapshotOffer, SnapshotPart
from paxon.node.ports import Clock, Disk
from paxon.node.settings import SnapshotSettings
from paxon.rsm.applier import Applier
from paxon.storage.snapshot_file import Snapshot
from paxon.storage.snapshot_store import Capture, Draft, SnapshotStore

logger = logging.getLogger(__name__)

LOOK_SLOTS = 64
"""How often, in slots, it is looked at how far the ledger has grown."""

SLICE_PAUSE_MS = 2
"""How long the loop is left to others after ``part_bytes`` were captured, well under a millisecond's work.  Together
they bound a capture to 60 MB a second."""

REST_MS = 5_000
"""After a snapshot that failed, for want of room perhaps, for so long none is tried."""

FETCHED_MS = 60_000
"""A snapshot is kept for whoever asked for a part of it this recently."""


class _Taking(Struct):
    """A snapshot of ours on its way to the disk."""

    slot: Slot
    stamp_ms: int
    pieces: Generator[bytes, None, None]
    capture: Capture | None = None


class _Fetching(Struct):
    """Another member's snapshot on its way here."""

    snapshot: Snapshot
    source: NodeId | None
    """Whom we ask; ``None`` until somebody makes the same offer again."""
    draft: Draft | None = None
    have: int = 0
    """How many of its bytes are in the draft."""
    is_writing: bool = True
    """Whether the disk is at work, and nothing is to be asked for."""
    asked_at_ms: int = 0
    unanswered: int = 0


class Snapshots:
    """One member's snapshots.  At most one is on its way: taken here, or fetched.

    ``install`` is given a fetched one, durable, and its pieces.  ``fatal`` is called when the disk
    cannot be trusted any more.
    """

    def __init__(
        self,
        applier: Applier,
        clock: Clock,
        disk: Disk,
        store: SnapshotStore,
        settings: SnapshotSettings,
        retransmit_ms: int,
        send: Callable[[NodeId, PeerMessage], None],
        install: Callable[[Snapshot, Iterable[bytes]], None],
        fatal: Callable[[Exception], None],
    ) -> None:
        self._applier = applier
        self._clock = clock
        self._disk = disk
        self._store = store
        self._settings = settings
        self._retransmit_ms = retransmit_ms
        self._send = send
        self._install = install
        self._fatal = fatal
        self._taking: _Taking | None = None
        self._fetching: _Fetching | None = None
        self._is_watching = False
        """Whether a timer looks after what is fetched."""
        self._rest_until_ms = 0
        self._reading_for: set[NodeId] = set()
        self._fetched: dict[NodeId, tuple[Snapshot, int]] = {}
        """What each member last asked a part of, and when."""
        newest = store.newest
        self._last_slot = newest.slot if newest is not None else Slot(0)
        self._last_bytes = disk.written_bytes
        self.look_at = Slot(0)
        """The host calls ``look`` when it has applied every slot below this one."""

    @property
    def under_way(self) -> int:
        """How many are being taken, fetched, or read for others."""
        return (self._taking is not None) + (self._fetching is not None) + len(self._reading_for)

    def end(self) -> None:
        """Go on with nothing; what is half done means nothing to the next start."""
        self._end_capture()
        self._fetching = None

    # --- taking ---

    def look(self) -> None:
        """Take a snapshot if one is due."""
        applied_until, settings = self._applier.applied_until, self._settings
        self.look_at = Slot(applied_until + min(LOOK_SLOTS, settings.every_slots))
        if self._taking is not None or self._fetching is not None or self._clock.monotonic_ms() < self._rest_until_ms:
            return
        newest = self._store.newest
        grown = self._disk.written_bytes - self._last_bytes
        # A large state is captured more rarely, so that snapshots never write more than the ledger does.
        is_grown = grown >= max(settings.every_bytes, 0 if newest is None else newest.size)
        if is_grown or applied_until - self._last_slot >= settings.every_slots:
            self._take(applied_until)

    def _take(self, slot: Slot) -> None:
        self._last_slot, self._last_bytes = slot, self._disk.written_bytes
        try:
            pieces = self._applier.capture()
        except (InvariantViolation, MemoryError):
            raise
        except Exception as error:
            self._cannot_capture(error)
            return
        self._taking = taking = _Taking(slot, self._applier.now_ms, pieces)

        def begun(capture: Capture) -> None:
            taking.capture = capture
            self._take_slice(taking, capture)

        self._disk.work(lambda: Capture(self._store, slot), begun, self._not_taken)

    def _take_slice(self, taking: _Taking, capture: Capture) -> None:
        """Make some pieces, have them written, and come back after a pause."""
        if taking is not self._taking:
            return
        pieces: list[bytes] = []
        size = 0
        try:
            while size < self._settings.part_bytes and (piece := next(taking.pieces, None)) is not None:
                pieces.append(piece)
                size += len(piece)
        except (InvariantViolation, MemoryError) as error:
            self._fatal(error)
            return
        except Exception as error:
            self._cannot_capture(error)
            self._disk.work(capture.draft.discard, lambda _: None, self._fatal)
            return
        if not pieces:
            self._disk.work(capture.keep, self._taken, self._not_taken)
            return

        def written(_: None) -> None:
            at_ms = self._clock.monotonic_ms() + SLICE_PAUSE_MS
            self._clock.call_at(at_ms, lambda: self._take_slice(taking, capture))

        self._disk.work(lambda: capture.add(pieces), written, self._not_taken)

    def _taken(self, snapshot: Snapshot) -> None:
        if self._taking is None:
            return
        self._end_capture()
        fields = {"applied": snapshot.slot - 1, "bytes": snapshot.size}
        logger.info("snapshot taken", extra={"fields": fields})
        self._clear_up()

    def _not_taken(self, error: Exception) -> None:
        self._end_capture()
        self._failed("no snapshot was taken", error)

    def _end_capture(self) -> None:
        taking, self._taking = self._taking, None
        if taking is not None:
            # At once, for the machine keeps what changed for as long as it is captured.
            taking.pieces.close()

    def _cannot_capture(self, error: Exception) -> None:
        self._end_capture()
        self._rest()
        logger.warning("the state machine could not be captured: the ledger is kept whole", exc_info=error)

    def _clear_up(self) -> None:
        """Remove what a new snapshot has made superfluous: older ones, and the ledger's oldest segments."""
        spared = [
            snapshot for snapshot, at_ms in self._fetched.values() if self._clock.monotonic_ms() - at_ms < FETCHED_MS
        ]
        self._disk.work(lambda: self._store.prune(spared), lambda _: None, partial(self._failed, "old snapshots stay"))
        if self._store.is_redundant:
            # Back to the older of two, not to the newest: one damaged file must not cost the member.
            older, stamp_ms = self._store.snapshots[1], self._applier.now_ms
            tail_bytes = self._settings.tail_bytes
            failed = partial(self._failed, "the ledger was not trimmed")
            self._disk.trim(older.slot, stamp_ms, tail_bytes, lambda _: None, failed)

    # --- messages ---

    def receive(self, sender: NodeId, message: SnapshotOffer | AskSnapshot | SnapshotPart) -> None:
        """Take one message of another member."""
        match message:
            case SnapshotOffer():
                self._on_offer(sender, _offered(message))
            case AskSnapshot(offer=offer, offset=offset):
                self._on_ask(sender, _offered(offer), offset)
            case SnapshotPart(offer=offer, offset=offset, data=data):
                self._on_part(sender, _offered(offer), offset, data)

    def on_link_lost(self, peer: NodeId) -> None:
        """A member that we fetch from may be gone: whoever makes the same offer next takes its place."""
        if self._fetching is not None and self._fetching.source == peer:
            self._fetching.source = None

    # --- offering ---

    def offer(self, to: NodeId, from_slot: Slot) -> None:
        """``to`` lacks decrees from ``from_slot`` on, which are not in the ledger: offer it the newest snapshot."""
        newest = self._store.newest
        if newest is not None and newest.slot > from_slot:
            self._send(to, _offer(newest))

    def _on_ask(self, sender: NodeId, snapshot: Snapshot, offset: int) -> None:
        if snapshot not in self._store.snapshots:
            self.offer(sender, Slot(0))
            return
        self._fetched[sender] = (snapshot, self._clock.monotonic_ms())
        if sender in self._reading_for:
            return
        self._reading_for.add(sender)

        def read(data: bytes) -> None:
            self._reading_for.discard(sender)
            if data:
                self._send(sender, SnapshotPart(_offer(snapshot), offset, data))

        def failed(error: Exception) -> None:
            self._reading_for.discard(sender)
            self._failed("a snapshot could not be read for another member", error)
            if isinstance(error, SnapshotUnusable) and self._taking is None and self._fetching is None:
                # Whoever asks would get the same answer again until there is another one.
                self._take(self._applier.applied_until)

        self._disk.work(lambda: self._store.read(snapshot, offset, self._settings.part_bytes), read, failed)

    # --- fetching ---

    def _on_offer(self, sender: NodeId, snapshot: Snapshot) -> None:
        if snapshot.slot <= self._applier.applied_until or self._taking is not None:
            return
        fetching = self._fetching
        if fetching is None:
            if self._clock.monotonic_ms() >= self._rest_until_ms:
                self._fetch(sender, snapshot)
        elif fetching.is_writing:
            pass
        elif fetching.snapshot == snapshot:
            if fetching.source is None:
                fetching.source, fetching.unanswered = sender, 0
                self._ask(fetching)
        elif fetching.source is None or (fetching.source == sender and fetching.unanswered):
            # Whoever had the other one is gone, or has not got it any more.  A source that only has a newer one as well
            # goes on with the old one: beginning anew with each would never end where snapshots are frequent.
            self._drop()
            self._fetch(sender, snapshot)

    def _fetch(self, source: NodeId, snapshot: Snapshot) -> None:
        self._fetching = fetching = _Fetching(snapshot, source)
        logger.info("fetching a snapshot", extra={"fields": {"applied": snapshot.slot - 1, "bytes": snapshot.size}})

        def begun(draft: Draft) -> None:
            fetching.draft, fetching.is_writing = draft, False
            self._ask(fetching)

        self._disk.work(lambda: self._store.draft(snapshot.slot), begun, self._not_fetched)

    def _ask(self, fetching: _Fetching) -> None:
        if fetching is not self._fetching or fetching.is_writing or fetching.source is None:
            return
        fetching.asked_at_ms = self._clock.monotonic_ms()
        self._send(fetching.source, AskSnapshot(_offer(fetching.snapshot), fetching.have))
        if not self._is_watching:
            self._is_watching = True
            self._clock.call_at(fetching.asked_at_ms + self._retransmit_ms, self._watch)

    def _watch(self) -> None:
        """Repeat a question without an answer, and let go of a snapshot that decrees have overtaken."""
        self._is_watching = False
        fetching = self._fetching
        if fetching is None:
            return
        now_ms = self._clock.monotonic_ms()
        if not fetching.is_writing:
            if fetching.snapshot.slot <= self._applier.applied_until:
                self._drop()
                return
            if fetching.source is not None and now_ms - fetching.asked_at_ms >= self._retransmit_ms:
                fetching.unanswered += 1
                if fetching.unanswered >= ASKED_IN_VAIN:
                    fetching.source = None
                else:
                    self._ask(fetching)
        if not self._is_watching:
            self._is_watching = True
            self._clock.call_at(now_ms + self._retransmit_ms, self._watch)

    def _on_part(self, sender: NodeId, snapshot: Snapshot, offset: int, data: bytes) -> None:
        fetching = self._fetching
        if fetching is None or fetching.draft is None or fetching.is_writing:
            return
        if fetching.snapshot != snapshot or offset != fetching.have or not data:
            return
        draft = fetching.draft
        fetching.source, fetching.unanswered, fetching.is_writing = sender, 0, True

        def written(_: None) -> None:
            fetching.have += len(data)
            if fetching.have >= snapshot.size:
                self._disk.work(lambda: self._store.keep(draft, snapshot), self._arrived, self._not_fetched)
                return
            fetching.is_writing = False
            fetching.asked_at_ms = self._clock.monotonic_ms() + PAUSE_MS
            self._clock.call_at(fetching.asked_at_ms, lambda: self._ask(fetching))

        self._disk.work(lambda: draft.append(data), written, self._not_fetched)

    def _arrived(self, snapshot: Snapshot) -> None:
        if self._fetching is None:
            return
        self._fetching = None
        self._last_slot, self._last_bytes = snapshot.slot, self._disk.written_bytes
        logger.info("snapshot arrived", extra={"fields": {"applied": snapshot.slot - 1, "bytes": snapshot.size}})
        self._install(snapshot, self._store.pieces(snapshot))
        self._clear_up()

    def _not_fetched(self, error: Exception) -> None:
        self._fetching = None
        self._failed("the snapshot of another member did not arrive", error)

    def _drop(self) -> None:
        fetching, self._fetching = self._fetching, None
        if fetching is not None and fetching.draft is not None:
            self._disk.work(fetching.draft.discard, lambda _: None, self._fatal)

    # --- both ---

    def _failed(self, what: str, error: Exception) -> None:
        if isinstance(error, OSError | SnapshotUnusable):
            self._rest()
            logger.warning(what, extra={"fields": {"error": str(error)}})
        else:
            # A name that could not be made durable, as any sync of the ledger's that failed; or a bug.
            self._fatal(error)

    def _rest(self) -> None:
        self._rest_until_ms = self._clock.monotonic_ms() + REST_MS


def _offer(snapshot: Snapshot) -> SnapshotOffer:
    return SnapshotOffer(snapshot.slot, snapshot.size, snapshot.checksum)


def _offered(offer: SnapshotOffer) -> Snapshot:
    return Snapshot(offer.slot, offer.size, offer.checksum)
