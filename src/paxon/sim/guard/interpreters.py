"""Fresh interpreters with hash seeds of their own, through which sequences of commands go once more.

Knows: processes and pipes.  One interpreter serves a whole campaign, because starting one costs
more than all it does.  The order of a set of texts, and ``hash``, differ between hash seeds and
nowhere within a process, so there is no cheaper way to see them.
"""

import atexit
import os
import struct
import subprocess
import sys
from typing import IO

import msgspec
from msgspec import Struct

from paxon.errors import ConfigurationError
from paxon.sim.guard.trail import Course, Trail

_LENGTH = struct.Struct(">I")

HASH_SEEDS = ("1", "2")
"""The hash seeds that every sequence is applied under, beside that of this process."""


class Origin(Struct, frozen=True, array_like=True):
    """Where an interpreter finds something: a module, a name in it, and the module's file if its name leads nowhere."""

    module: str
    name: str
    file: str = ""

    @property
    def is_somewhere(self) -> bool:
        """Whether a fresh interpreter can find it at all."""
        return bool(self.module)

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" if self.module else self.name


class Hello(Struct, frozen=True, array_like=True):
    """The first thing an interpreter is told: what it will run.  It answers with what is wrong, or nothing."""

    machine: Origin
    workload: Origin | None
    path: tuple[str, ...]


class Request(Struct, frozen=True, array_like=True):
    """Then, any number of times: a course to walk.  It answers with the ``Trail``."""

    course: Course
    asks: bool


def write_frame(stream: IO[bytes], value: object) -> None:
    """Send one value."""
    body = msgspec.msgpack.encode(value)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The bytes of the next value; ``None`` if the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    body = stream.read(size)
    return body if len(body) == size else None


class Interpreter:
    """One process.  Ends with this one, or by ``close``."""

    def __init__(self, hash_seed: str, machine: Origin, workload: Origin | None) -> None:
        self.hash_seed = hash_seed
        self._process = subprocess.Popen(
            [sys.executable, "-m", "paxon.sim.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        atexit.register(self.close)
        self._write(Hello(machine, workload, tuple(sys.path)))
        wrong = msgspec.msgpack.decode(self._read(), type=str)
        if wrong:
            self.close()
            raise ConfigurationError(f"a fresh interpreter cannot run {machine}: {wrong}")

    def start(self, course: Course, *, asks: bool = True) -> None:
        """Have it walk a course."""
        self._write(Request(course, asks))

    def finish(self) -> Trail:
        """What became of the course that it was started on."""
        return msgspec.msgpack.decode(self._read(), type=Trail)

    def close(self) -> None:
        """End the process."""
        atexit.unregister(self.close)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait()

    def _write(self, value: object) -> None:
        if self._process.stdin is not None:
            write_frame(self._process.stdin, value)

    def _read(self) -> bytes:
        frame = read_frame(self._process.stdout) if self._process.stdout is not None else None
        if frame is None:
            raise ConfigurationError(f"an interpreter with hash seed {self.hash_seed} ended: see its standard error")
        return frame


_running: dict[tuple[Origin, Origin | None], tuple[Interpreter, ...]] = {}


def interpreters_for(machine: Origin, workload: Origin | None) -> tuple[Interpreter, ...]:
    """An interpreter for each of ``HASH_SEEDS``, started once in this process; none if they could not import it.

    Raises:
        ConfigurationError: if a fresh interpreter cannot import the machine.
    """
    if not machine.is_somewhere:
        return ()
    if (machine, workload) not in _running:
        _running[machine, workload] = tuple(Interpreter(seed, machine, workload) for seed in HASH_SEEDS)
    return _running[machine, workload]
