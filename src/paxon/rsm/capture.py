"""The state of a replicated object as it is at one moment, written while commands go on changing it; and read back.

Knows: tracked containers, and which of them were written.  Does not know: commands, or where the pieces go.

Theory of operation.  A state of a gigabyte takes seconds to write and must not be copied for it. So
a capture walks through the containers, breadth first, some of it at each step, and commands run in
between.  Before one changes a container, the journal tells the capture (``before_change``), which takes
a copy of what it still needs of it: nothing if the container is written already or was made since
the capture began, the rest if it is being written, all of it otherwise.  A copy is one of
references, so a container is the unit of cost: the first change of one of a million entries
copies sixteen megabytes.  Taking a change back tells nobody: whatever it touches was told of before.

Containers have numbers, in the order in which the walk meets them; 0 is the machine itself, a
dictionary of its attributes.  A container inside another is a reference to its number, so that one
that is held twice is one again, and no depth needs a stack.

The records of the stream (``pieces``) are MessagePack arrays of runs.  A run is an array of a kind and
values: ``DICT``, ``LIST`` or ``SET`` begins the next container in the order of numbers, ``CONTINUED``
goes on with the last one, and ``END`` has the count of containers and of values, for a reader to compare.
"""

from collections.abc import Generator, Mapping
from typing import Any, Final, cast

from msgspec import msgpack
from msgspec.msgpack import Ext

from paxon.rsm.journal import Journal
from paxon.rsm.machine import PIECE_BYTES
from paxon.rsm.pieces import begun, cut
from paxon.rsm.spelling import CODES, DICT, spelled
from paxon.rsm.tracked import TrackedDict, TrackedList
from paxon.rsm.tracked_set import Streams, TrackedSet

CONTINUED: Final = 0
END: Final = 4

_VALUE_CHARGE: Final = 32
"""How many bytes a value counts as beside its own: what it takes to spell one is what it takes to copy so many."""

_CONTAINER_CHARGE: Final = 160
"""The same for a container."""

_encode: Final = msgpack.Encoder().encode

Container = TrackedDict[Any, Any] | TrackedList[Any] | TrackedSet[Any]


class Contents:
    """What a container held when the capture began, as far as it is not written yet."""

    __slots__ = ("_is_apart", "kind", "streams")

    def __init__(self, kind: int, streams: Streams) -> None:
        self.kind = kind
        self.streams = streams
        self._is_apart = False

    def part(self) -> None:
        """Read from a copy from here on, for the container is about to change."""
        if not self._is_apart:
            self.streams = tuple([iter(list(stream)) for stream in self.streams])
            self._is_apart = True


def _contents(container: Container) -> Contents:
    return Contents(CODES[type(container)], container.streams())


class Capture:
    """One walk through a state.

    Invariants: a container whose ``place`` is above ``_start`` has been met, and is number ``place - _start``; one at
    ``_start`` was made since the capture began.  One below was not met yet, and if it changed since then,
    its place is a negative one of ``_apart``.  ``_met[number]`` is ``None`` once all of it is written.
    """

    def __init__(self, journal: Journal, attributes: Mapping[str, Any]) -> None:
        """
        Raises:
            InvariantViolation: see ``Journal.begin_watch``.
        """
        self._journal = journal
        held = dict(attributes)
        self._met: list[Container | Contents | None] = [Contents(DICT, (iter(held), iter(held.values())))]
        self._apart: dict[int, Contents] = {}
        self._apart_count = 0
        self._start = journal.begin_watch(self)

    def end(self) -> None:
        """Look on no more."""
        self._journal.end_watch(self._start + max(len(self._met), self._apart_count))

    def before_change(self, container: Container) -> None:
        """See ``Onlooker``."""
        place = container.place
        if place > self._start:
            contents = self._met[place - self._start]
            if contents is None:
                return
            if not isinstance(contents, Contents):
                contents = self._met[place - self._start] = _contents(contents)
            contents.part()
        elif place < self._start and place not in self._apart:
            # Numbers go by the walk and not by who changes what meanwhile: one that was not met has none yet.
            self._apart_count += 1
            container.place = -self._start - self._apart_count
            contents = self._apart[container.place] = _contents(container)
            contents.part()

    def pieces(self) -> Generator[bytes, None, None]:
        """The whole stream; see the head of this module."""
        runs: list[list[Any]] = []
        size = number = count = 0
        while number < len(self._met):
            contents = self._met[number]
            if not isinstance(contents, Contents):
                contents = self._met[number] = _contents(cast(Container, contents))
            run: list[Any] = [contents.kind]
            runs.append(run)
            size = self._write(contents, run, size + _CONTAINER_CHARGE)
            while size >= PIECE_BYTES:
                count += sum(len(run) - 1 for run in runs)
                yield from cut(_encode(runs))
                run = [CONTINUED]
                runs = [run]
                size = self._write(contents, run, 0)
            self._met[number] = None
            number += 1
        count += sum(len(run) - 1 for run in runs)
        runs.append([END, number, count])
        yield from cut(_encode(runs))

    def _write(self, contents: Contents, run: list[Any], size: int) -> int:
        """Move values to ``run`` until a piece is full or all is written; returns the size, which then is below that.

        This is where the time of a capture goes.
        """
        append = run.append
        for values in zip(*contents.streams):  # noqa: B905 - streams are as long as one another, and this is hot
            for value in values:
                kind = type(value)
                if (kind is str and value.isascii()) or kind is bytes:
                    size += len(value)
                else:
                    value = spelled(value, self._refer)
                    if type(value) is Ext:
                        size += len(cast(bytes, value.data))
                size += _VALUE_CHARGE
                append(value)
            if size >= PIECE_BYTES:
                break
        return size

    def _refer(self, container: Container) -> Ext:
        number = container.place - self._start
        if number <= 0:
            number = len(self._met)
            self._met.append(self._apart.pop(container.place, container))
            container.place = self._start + number
        return Ext(CODES[type(container)], number.to_bytes(-(-number.bit_length() // 8)))


def captured(journal: Journal, attributes: Mapping[str, Any]) -> Generator[bytes, None, None]:
    """``attributes``, and everything in them, as they are at this call.

    Raises:
        InvariantViolation: within a command, or while another capture is under way.
    """
    return begun(_captured(journal, attributes))


def _captured(journal: Journal, attributes: Mapping[str, Any]) -> Generator[bytes, None, None]:
    capture = Capture(journal, attributes)
    try:
        yield b""
        yield from capture.pieces()
    finally:
        capture.end()
