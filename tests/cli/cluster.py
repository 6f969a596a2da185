"""``paxon up`` as a real process, and the waiting that tests of it do."""

import contextlib
import json
import os
import queue
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


def free_base_port(count: int) -> int:
    """The first of ``count`` free ports in a row, below those that the system gives to outgoing connections."""
    for _ in range(200):
        base = random.randrange(10_000, 32_000 - count)
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base, base + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")


def paxon(*arguments: str, endpoints: str = "", timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    environment = {**os.environ, "PAXON_ENDPOINTS": endpoints or "127.0.0.1:1"}
    return subprocess.run(
        [sys.executable, "-m", "paxon", *arguments], env=environment, capture_output=True, text=True, timeout=timeout
    )


class Up:
    """A running ``paxon up``."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "paxon", "up", "--dir", str(directory), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.start()
        self.endpoints = ""
        self.leader = ""

    def _read(self, stream: Any, lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))
                self._lines.put(lines[-1])
        self._lines.put(None)

    def wait_line(self, text: str, timeout: float = READY_TIMEOUT_S) -> str:
        """The first line, written already or still to come, that holds ``text``."""
        deadline = time.monotonic() + timeout
        for line in [*self.out, *self.err]:
            if text in line:
                return line
        ended = 0
        while ended < 2:
            line_or_end = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if line_or_end is None:
                ended += 1
            elif text in line_or_end:
                return line_or_end
        raise AssertionError(f"ended without {text!r}:\n" + "\n".join([*self.out, *self.err]))

    def wait_ready(self) -> None:
        """Return once it says that writes are served."""
        words = dict(word.split("=", 1) for word in self.wait_line("ready: ").split()[1:])
        self.leader, self.endpoints = words["leader"], words["endpoints"]

    def status(self, endpoints: str = "") -> dict[str, dict[str, Any]]:
        """What each member says, by name; those that cannot be reached are left out."""
        result = paxon("status", "--json", endpoints=endpoints or self.endpoints)
        return {one["member"]: one for one in json.loads(result.stdout) if one["member"] is not None}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(STOP_TIMEOUT_S)
        for reader in self._readers:
            reader.join(STOP_TIMEOUT_S)
        return code


@contextlib.contextmanager
def up(directory: Path, *flags: str) -> Iterator[Up]:
    """``paxon up`` for as long as the context lasts."""
    running = Up(directory, *flags)
    try:
        yield running
    finally:
        running.stop()


def wait_gone(pid: int, timeout: float = STOP_TIMEOUT_S) -> None:
    """Return once no process has ``pid``."""
    deadline = time.monotonic() + timeout
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            readable, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            assert readable, f"process {pid} is still there"
        finally:
            os.close(descriptor)
