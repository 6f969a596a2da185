"""A captured state back into containers.

Knows: the runs that ``capture`` writes.  Does not know: where the pieces come from, or what they were before damage.

The state is made aside: nothing that exists is touched, so that pieces that turn out to be unusable
leave everything as it was.  A container is made when the first reference to it is read, and
nothing that the pieces merely claim costs memory.
"""

from collections.abc import Iterable
from typing import Any

from paxon.errors import SnapshotUnusable
from paxon.rsm.capture import CONTINUED, END, Container
from paxon.rsm.journal import Journal
from paxon.rsm.pieces import joined
from paxon.rsm.spelling import CODES, DICT, LIST, Reader, key, seen
from paxon.rsm.tracked import TrackedDict, TrackedList
from paxon.rsm.tracked_set import TrackedSet


def restored(journal: Journal, pieces: Iterable[bytes]) -> dict[str, Any]:
    """The attributes that ``pieces`` hold, for a state whose changes go into ``journal``.

    Raises:
        SnapshotUnusable: if the pieces are no captured state, or hold what this program does not have.
    """
    restoring = _Restoring(journal)
    for record in joined(pieces):
        restoring.take(record)
    return restoring.attributes()


class _Restoring:
    """A state on its way back.

    Invariant: the containers of numbers below ``_begun`` have their contents, but the last of them may get more.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._attributes: dict[str, Any] = {}
        self._containers: list[dict[str, Any] | Container] = [self._attributes]
        self._begun = 0
        self._count = 0
        self._is_whole = False
        self._read = Reader(self._container).read

    def take(self, record: bytes) -> None:
        """Go on with the next record."""
        for run in self._read(record):
            if self._is_whole:
                raise SnapshotUnusable("the state goes on where it should end")
            if type(run) is not list or not run:
                raise SnapshotUnusable("the state has a run that is none")
            kind, *values = run
            if kind == END:
                self._end(values)
                continue
            if kind != CONTINUED:
                self._begin(kind)
            self._fill(seen(values))
            self._count += len(values)

    def attributes(self) -> dict[str, Any]:
        """What came of it."""
        if not self._is_whole:
            raise SnapshotUnusable("the end of the state is missing")
        return self._attributes

    def _begin(self, kind: object) -> None:
        if self._begun == len(self._containers):
            raise SnapshotUnusable("the state has a container that nothing refers to")
        if kind != _kind_of(self._containers[self._begun]):
            raise SnapshotUnusable("the state has a container of another kind than the reference to it says")
        self._begun += 1

    def _fill(self, values: list[Any]) -> None:
        if self._begun == 0:
            raise SnapshotUnusable("the state does not begin with its beginning")
        container = self._containers[self._begun - 1]
        if isinstance(container, dict):
            if len(values) % 2:
                raise SnapshotUnusable("the state has a key without a value")
            dict.update(container, zip(map(key, values[::2]), values[1::2], strict=True))
        elif isinstance(container, TrackedSet):
            container.fill(map(key, values))
        else:
            container.fill(values)

    def _end(self, counts: list[Any]) -> None:
        if self._begun != len(self._containers) or counts != [self._begun, self._count]:
            raise SnapshotUnusable("a part of the state is missing")
        if not all(isinstance(name, str) for name in self._attributes):
            raise SnapshotUnusable("the state has an attribute whose name is no text")
        self._is_whole = True

    def _container(self, kind: int, number: int) -> Any:
        """The container of that number, which is made when the first reference to it is read."""
        if number == len(self._containers):
            self._containers.append(_make(kind, self._journal))
        elif not 0 < number < len(self._containers):
            raise SnapshotUnusable("the state refers to a container that is not in it")
        container = self._containers[number]
        if kind != _kind_of(container):
            raise SnapshotUnusable("the state has references of two kinds to one container")
        return container


def _kind_of(container: dict[str, Any] | Container) -> int:
    return CODES.get(type(container), DICT)


def _make(kind: int, journal: Journal) -> Container:
    if kind == DICT:
        return TrackedDict(journal, {})
    return TrackedList(journal) if kind == LIST else TrackedSet(journal)
