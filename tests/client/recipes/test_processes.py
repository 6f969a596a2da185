"""Locks held by real processes that are stopped, continued and killed, with clocks that disagree.

What is asserted about time is an order only: nobody is let in before the last one counted on its lock no more.
"""

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.recipes.resource import Resource
from tests.node.nodes import free_addresses

TIMEOUT_S = 60.0

QUICK = {"presence_ms": 20, "election_timeout_ms": 200, "retransmit_ms": 50}


class Process:
    """One running program, and the lines that it says."""

    def __init__(self, **settings: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.client.recipes.holder_process", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._arriving: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._arriving.put(line.strip())
        self._arriving.put("")

    def order(self, *words: object) -> None:
        """Tell it to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def hear(self, word: str) -> list[str]:
        """What it says next, which begins with ``word``."""
        line = self._arriving.get(timeout=TIMEOUT_S)
        self.said.append(line)
        assert line.split()[:1] == [word], f"said {self.said[-10:]}, where {word!r} was expected"
        return line.split()[1:]

    def lock(self, ttl: float, clock_error: float) -> None:
        """Begin to wait for the lock."""
        self.order("lock", "nightly", ttl, clock_error)

    def hear_holding(self) -> tuple[int, float]:
        """Its token, and since when it holds the lock."""
        token, at = self.hear("holding")
        return int(token), float(at)

    def hear_lost(self) -> float:
        """Until when it had counted on the lock."""
        (until,) = self.hear("lost")
        return float(until)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        self._process.kill()
        self._process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


class Machines:
    """Three members, each a process, and programs outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.resource = Resource(folder / "resource")
        addresses = [str(address) for address in free_addresses(6)]
        names = ("n1", "n2", "n3")
        self._endpoints = addresses[3:]
        self._cluster = {
            "cluster": "test",
            "members": dict(zip(names, addresses[:3], strict=True)),
            "endpoints": dict(zip(names, self._endpoints, strict=True)),
            "timing": QUICK,
        }
        self._programs: list[Process] = []
        self.members: list[Process] = []

        for name in names:
            self.members.append(self._started(node=name, data=str(folder / name), cluster=self._cluster))

    def wait_ready(self) -> None:
        """Wait until all members are there."""
        for member in self.members:
            member.hear("ready")

    def outside(self) -> Process:
        """One more program outside."""
        program = self._started(endpoints=self._endpoints)
        program.hear("ready")
        return program

    def leader(self) -> Process:
        """The member that leads."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            for member in self.members:
                member.order("leader")
                if member.hear("leader") == ["yes"]:
                    return member
        raise AssertionError("nobody leads")

    def _started(self, **settings: Any) -> Process:
        self._programs.append(Process(resource=str(self._folder / "resource"), **settings))
        return self._programs[-1]

    def end(self) -> None:
        for program in self._programs:
            program.end()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    found = Machines(tmp_path)
    try:
        yield found
    finally:
        found.end()


def test_a_holder_that_was_stopped_is_cancelled_before_it_writes_and_its_late_writes_are_refused(
    machines: Machines,
) -> None:
    machines.wait_ready()
    leader = machines.leader()
    stopped, successor = [member for member in machines.members if member is not leader]
    stopped.lock(2.0, 0.5)
    old_token, _ = stopped.hear_holding()
    stopped.order("write", "first")
    stopped.hear("wrote")
    successor.lock(2.0, 0.5)
    stopped.signal(signal.SIGSTOP)

    token, since = successor.hear_holding()
    assert token > old_token
    successor.order("write", "second")
    successor.hear("wrote")
    # What the block waits for is there before the process goes on, and so is the end of its time.
    stopped.order("write", "late")
    stopped.signal(signal.SIGCONT)
    assert stopped.hear_lost() <= since
    stopped.order("write-late", "very late")
    assert stopped.hear("refused") == [str(old_token)]
    assert machines.resource.writes() == [(old_token, "first"), (token, "second")]


def test_a_leader_that_holds_and_is_stopped_loses_both(machines: Machines) -> None:
    machines.wait_ready()
    stopped = machines.leader()
    successor = next(member for member in machines.members if member is not stopped)
    stopped.lock(2.0, 0.5)
    old_token, _ = stopped.hear_holding()
    successor.lock(2.0, 0.5)
    stopped.signal(signal.SIGSTOP)
    token, since = successor.hear_holding()
    successor.order("write", "second")
    successor.hear("wrote")
    stopped.order("write", "late")
    stopped.signal(signal.SIGCONT)
    assert stopped.hear_lost() <= since
    stopped.order("write-late", "very late")
    stopped.hear("refused")
    assert machines.resource.writes() == [(token, "second")]
    assert token > old_token


def test_a_holder_that_is_killed_is_succeeded(machines: Machines) -> None:
    machines.wait_ready()
    killed, successor = machines.outside(), machines.outside()
    killed.lock(2.0, 0.5)
    old_token, _ = killed.hear_holding()
    successor.lock(2.0, 0.5)
    killed.signal(signal.SIGKILL)
    token, _ = successor.hear_holding()
    assert token > old_token


def test_a_holder_keeps_its_lock_when_the_leader_is_killed(machines: Machines) -> None:
    machines.wait_ready()
    holder, waiting = machines.outside(), machines.outside()
    holder.lock(10.0, 0.5)
    old_token, _ = holder.hear_holding()
    waiting.lock(10.0, 0.5)
    machines.leader().signal(signal.SIGKILL)
    holder.order("write", "after it")
    holder.hear("wrote")
    holder.order("leave")
    holder.hear("left")
    token, _ = waiting.hear_holding()
    waiting.order("write", "the next")
    waiting.hear("wrote")
    assert machines.resource.writes() == [(old_token, "after it"), (token, "the next")]


def test_clocks_that_differ_within_the_bound_let_nobody_in_too_early(machines: Machines) -> None:
    machines.wait_ready()
    leader = machines.leader()
    # Whoever leads next is ahead of this leader, by nearly all of the bound.
    for member in machines.members:
        if member is not leader:
            member.order("skew", 0.9)
            member.hear("skewed")
    holder, successor = machines.outside(), machines.outside()
    holder.lock(4.0, 1.0)
    _, held_since = holder.hear_holding()
    holder.signal(signal.SIGSTOP)
    leader.signal(signal.SIGKILL)
    successor.lock(4.0, 1.0)
    _, since = successor.hear_holding()
    holder.order("write", "late")
    holder.signal(signal.SIGCONT)
    assert held_since < holder.hear_lost() <= since


def test_beyond_the_bound_the_token_refuses_the_late_one(machines: Machines) -> None:
    machines.wait_ready()
    holder, successor = machines.outside(), machines.outside()
    holder.lock(600.0, 0.5)
    old_token, _ = holder.hear_holding()
    leader = machines.leader()
    leader.order("skew", 3600)
    leader.hear("skewed")
    successor.lock(600.0, 0.5)
    token, _ = successor.hear_holding()
    successor.order("write", "second")
    successor.hear("wrote")
    # It does not know yet, and no clock of its own can tell it.
    holder.order("write", "late")
    assert holder.hear("refused") == [str(old_token)]
    assert machines.resource.writes() == [(token, "second")]
