"""A program that holds a lock, told what to do line by line, for ``test_processes``.

    python -m tests.client.recipes.holder_process SETTINGS

``SETTINGS`` is JSON: a member's (``node``, ``data``, ``cluster``), or ``endpoints`` for a program outside, and the
``resource``, a file that the lock protects.  Each line on standard input is answered on standard output:

    lock NAME TTL CLOCK_ERROR   begin to wait for it; later: holding TOKEN AT / lost UNTIL / left
    write TEXT                  in the block: wrote TOKEN, or refused TOKEN
    write-late TEXT             the same outside of it, under the last token
    leave                       end the block
    skew SECONDS                put this machine's wall clock ahead: skewed
    leader                      leader yes, or leader no

``AT`` and ``UNTIL`` are on the machine's steady clock: since when it holds the lock, and how long it counted on it.
"""

import asyncio
import json
import math
import sys
from contextlib import AsyncExitStack
from typing import Any
from unittest import mock

import paxon
from paxon.client.recipes.moments import moment_now
from paxon.node.clock import LoopClock
from tests.client.recipes.resource import Resource


class SkewedClock(LoopClock):
    """The clock of a machine that is wrong about the time."""

    skew_ms = 0

    def wall_ms(self) -> int:
        """What that machine takes for the time."""
        return super().wall_ms() + self.skew_ms


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Program:
    def __init__(self, caller: paxon.Caller, resource: Resource) -> None:
        self._caller = caller
        self._resource = resource
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._token = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, lines: asyncio.StreamReader) -> None:
        while line := (await lines.readline()).decode().strip():
            order, _, rest = line.partition(" ")
            match order:
                case "lock":
                    name, ttl, clock_error = rest.split()
                    self._tasks.add(asyncio.ensure_future(self._hold(name, float(ttl), float(clock_error))))
                case "write-late":
                    self._write(rest)
                case "skew":
                    SkewedClock.skew_ms = int(float(rest) * 1000)
                    say("skewed")
                case "leader":
                    say("leader", "yes" if isinstance(self._caller, paxon.Member) and self._caller.is_leader else "no")
                case _:
                    self._orders.put_nowait(line)

    async def _hold(self, name: str, ttl: float, clock_error: float) -> None:
        hold: paxon.Hold | None = None
        until_s = math.inf
        try:
            async with self._caller.lock(name, ttl=ttl, clock_error=clock_error, timeout=math.inf) as hold:
                self._token = hold.token
                say("holding", hold.token, moment_now().steady_s)
                try:
                    while (order := await self._orders.get()) != "leave":
                        self._write(order.partition(" ")[2])
                finally:
                    keeper = hold._keeper
                    until_s = keeper._sent.steady_s + keeper._rule.counted_s
            say("left")
        except paxon.LockLost:
            say("lost", until_s)

    def _write(self, text: str) -> None:
        say("wrote" if self._resource.write(text, self._token) else "refused", self._token)


async def main(settings: dict[str, Any]) -> None:
    resource = Resource(settings["resource"])
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with AsyncExitStack() as stack:
        caller: paxon.Caller
        if "endpoints" in settings:
            caller = await stack.enter_async_context(paxon.connect(settings["endpoints"], timeout=30))
        else:
            opened = paxon.open(node=settings["node"], data=settings["data"], cluster=settings["cluster"], timeout=30)
            caller = await stack.enter_async_context(opened)
        say("ready")
        await Program(caller, resource).serve(lines)


if __name__ == "__main__":
    with mock.patch("paxon.node.node.LoopClock", SkewedClock):
        asyncio.run(main(json.loads(sys.argv[1])))
