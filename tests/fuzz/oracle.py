"""What every target demands of a decoder: documented errors only, and memory in proportion to the input.

A target is a plain function of bytes that returns if all is well.  Both engines call the same function: hypothesis in
every test run, atheris in ``make fuzz``.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from paxon.errors import InvariantViolation

PER_BYTE = 128
"""Bytes of memory that one byte of input may cost.  The dearest honest input are maps and arrays of small integers and
empty texts: one byte on the wire, and an object of 28 to 72 bytes with a place in a tuple in memory, for some time
twice."""

ALLOWANCE_BYTES = 1024 * 1024
"""What may be used whatever the input: an error with its text, a traceback, caches."""

LIES = (
    "one decree passes in a slot",
    "one decree per ballot and slot",
    "our decree holds our commands",
)
"""Claims that another member can break: it says that something else passed, or was proposed, than it or we said before.
Agreement may be gone then, and nobody can tell which of the two was the lie; so the member stops."""


class Target(Struct, frozen=True):
    """One thing to fuzz."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    """Inputs to start from; at least one of them gets deep."""
    fixed_bytes: int = 0
    """What the code may use beside ``ALLOWANCE_BYTES``, whatever the input: the limit or the buffer that it states."""


class MemoryWasted(AssertionError):
    """An input costs more memory than its length and the stated limits allow."""


def run_bounded(target: Target, data: bytes) -> None:
    """Run ``target`` and demand that memory stays in proportion.

    Raises:
        MemoryWasted: if it does not.
    """
    allowed = PER_BYTE * len(data) + ALLOWANCE_BYTES + target.fixed_bytes
    used = _used_by(target, data)
    if used > allowed:
        # The interpreter's table of names grows by megabytes, now and then; what the input itself costs comes back.
        used = _used_by(target, data)
    if used > allowed:
        raise MemoryWasted(f"{len(data)} bytes of input used {used} bytes of memory, where {allowed} are allowed")


def _used_by(target: Target, data: bytes) -> int:
    """The most bytes of memory that ``target`` had in use at a time."""
    is_ours = not tracemalloc.is_tracing()
    if is_ours:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        target.run(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if is_ours:
            tracemalloc.stop()
    return peak - before


class Watch:
    """Whether the guarded code came to its end."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.is_lied_to = False

    @property
    def is_refused(self) -> bool:
        return self.error is not None


@contextmanager
def refusing(*errors: type[Exception], lies: bool = False) -> Iterator[Watch]:
    """Let only the documented ``errors`` end what is inside; with ``lies``, the discovery of a lie as well."""
    watch = Watch()
    try:
        yield watch
    except errors as error:
        watch.error = error
    except InvariantViolation as violation:
        if not lies or not str(violation).startswith(LIES):
            raise
        watch.error, watch.is_lied_to = violation, True


class Draw:
    """Choices made by the bytes of an input; at their end every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        if self.is_empty:
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, count: int) -> int:
        return self.byte() % count

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        return self.take(max(0, len(self._data) - self._at))
