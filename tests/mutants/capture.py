"""Mutants of captured states: what is written, when it is copied, and what is believed on the way back."""

from heapq import heappop
from operator import length_hint
from typing import Any

from msgspec import structs
from msgspec.msgpack import Ext

from paxon.rsm import restore, session_memory, snapshots, spelling
from paxon.rsm.capture import Capture, Contents
from paxon.rsm.immutable import Make, Shape
from paxon.rsm.journal import Journal
from paxon.rsm.session_memory import SessionsCapture
from paxon.rsm.sessions import Sessions
from paxon.rsm.tracked import TrackedDict, TrackedList, tracked
from tests.mutants.mutant import Patch, mutant

CAPTURE = "tests/rsm/test_capture.py::"
SESSIONS = "tests/rsm/test_session_snapshots.py::"


@mutant("decision 14; rsm.journal.Journal.change", CAPTURE + "test_a_change_of_what_was_not_met_yet_is_not_captured")
def copied_after_the_change(patch: Patch) -> None:
    """A list tells of an item only once it is in."""

    def append(self: Any, item: Any) -> None:
        self.data.append(tracked(item, self.journal))
        self.journal.change(self, self.data.pop)

    patch.replace(TrackedList, "append", append)


@mutant("decision 14; rsm.journal.Onlooker", CAPTURE + "test_a_change_of_what_was_not_met_yet_is_not_captured")
def changes_before_the_walk_are_captured(patch: Patch) -> None:
    """Of what the walk has not met yet nothing is copied."""
    before_change = Capture.before_change

    def late(self: Capture, container: Any) -> None:
        if container.place > self._start:
            before_change(self, container)

    patch.replace(Capture, "before_change", late)


@mutant("decision 14; rsm.capture.Contents", CAPTURE + "test_a_change_of_what_is_half_written_is_not_captured")
def half_written_counts_as_written(patch: Patch) -> None:
    """A container of which some is written is not copied when it changes."""
    part = Contents.part

    def hasty(self: Contents) -> None:
        # What was not begun has all of it still to come.
        if all(length_hint(stream) == 100 for stream in self.streams):
            part(self)

    patch.replace(Contents, "part", hasty)


@mutant("decision 14; rsm.capture.Capture", CAPTURE + "test_what_is_held_twice_is_one_again_and_may_hold_itself")
def what_was_met_is_met_anew(patch: Patch) -> None:
    """A container that is held twice has a number for each."""
    refer = Capture._refer

    def forgetful(self: Capture, container: Any) -> Ext:
        # Not without end, for a container may hold itself.
        if len(self._met) < 50:
            container.place = self._start - 1
        return refer(self, container)

    patch.replace(Capture, "_refer", forgetful)


@mutant("decision 14; rsm.restore", CAPTURE + "test_what_is_held_twice_is_one_again_and_may_hold_itself")
def references_are_read_as_containers(patch: Patch) -> None:
    """Every reference to a container gives one of its own, and only the first gets what is in it."""
    container_of = restore._Restoring._container

    def apart(self: Any, kind: int, number: int) -> Any:
        known = number < len(self._containers)
        container = container_of(self, kind, number)
        return restore._make(kind, self._journal) if known else container

    patch.replace(restore._Restoring, "_container", apart)


@mutant("decision 14; rsm.tracked.TrackedDict", CAPTURE + "test_what_is_captured_is_the_order_too")
def order_is_lost(patch: Patch) -> None:
    """A dictionary is written in the order of its keys."""
    patch.replace(
        TrackedDict,
        "streams",
        lambda self: (iter(sorted(self, key=repr)), iter([self[key] for key in sorted(self, key=repr)])),
    )


@mutant("decision 14; rsm.spelling", CAPTURE + "test_a_frozen_set_has_the_same_bytes_however_it_came_about")
def frozen_sets_in_any_order(patch: Patch) -> None:
    """A frozen set is spelled in the order in which it happens to be."""
    spelled_whole = spelling._spelled_whole

    def as_it_comes(value: Any, shape: Shape, refer: Any) -> Ext:
        if shape.make is Make.FROZENSET:
            return Ext(spelling.FROZENSET, spelling._encode([spelling.spelled(item, refer) for item in value]))
        return spelled_whole(value, shape, refer)

    patch.replace(spelling, "_spelled_whole", as_it_comes)


@mutant("decision 14; rsm.restore", CAPTURE + "test_a_stream_that_lacks_a_piece_or_has_one_too_many_is_unusable")
def counts_are_not_compared(patch: Patch) -> None:
    """The end of a stream ends it, whatever is missing."""

    def trusting(self: Any, counts: list[Any]) -> None:
        self._is_whole = True

    patch.replace(restore._Restoring, "_end", trusting)


@mutant(
    "decision 14; rsm.snapshots",
    "tests/rsm/test_snapshots.py::test_a_snapshot_that_is_none_leaves_everything_as_it_was",
)
def newer_snapshots_are_believed(patch: Patch) -> None:
    """A snapshot in a format of a later release is read as if it were one of this."""
    read = snapshots._read_beginning

    def bold(piece: bytes) -> snapshots.Beginning:
        return structs.replace(read(piece), format=snapshots.FORMAT)

    patch.replace(snapshots, "_read_beginning", bold)


@mutant("decision 14; rsm.journal.Journal", CAPTURE + "test_a_capture_that_is_given_up_leaves_room_for_the_next")
def a_capture_never_ends(patch: Patch) -> None:
    """Who gave a capture up is told of changes for ever."""

    def kept(self: Journal, last_place: int) -> None:
        self._last_place = last_place

    patch.replace(Journal, "end_watch", kept)


@mutant("decision 14; rsm.session_memory", SESSIONS + "test_a_session_that_changes_while_it_waits_is_written_as_it_was")
def sessions_are_captured_as_they_become(patch: Patch) -> None:
    """A session that changes while it waits to be written is written as it is then."""

    def unmoved(self: SessionsCapture, name: bytes, session: Any) -> None:
        pass

    patch.replace(SessionsCapture, "before_change", unmoved)


@mutant(
    "decision 14; rsm.sessions",
    SESSIONS + "test_sessions_that_are_due_together_end_in_the_order_in_which_they_expired",
)
def sessions_end_in_the_order_of_the_heap(patch: Patch) -> None:
    """Of sessions that are due together the one ends first that has the earliest entry, in use since then or not."""

    def hasty(self: Sessions, now_ms: int) -> None:
        while self._due and self._due[0][0] <= now_ms:
            _, name = heappop(self._due)
            session = self._open.get(name)
            if session is not None and session.expires_ms <= now_ms:
                del self._open[name]
                self._remember(name, session)

    patch.replace(Sessions, "_end_what_is_due", hasty)


@mutant(
    "decision 14; rsm.session_memory",
    SESSIONS + "test_what_is_no_capture_of_sessions_is_unusable_and_leaves_everything_as_it_was",
)
def replies_are_not_counted(patch: Patch) -> None:
    """A session is taken for whole whatever is missing of its replies."""

    def trusting(session: Any) -> None:
        pass

    patch.replace(session_memory, "_require_complete", trusting)
