"""Feature flags that every process of a service has at hand, and a feed of their changes without a gap.

A process asks its own member, which answers from memory. When a process dies, changes go on; started again it has all
of them, and a watcher that keeps the number of the last change it saw is told of every later one, once and in order.
"""

import zlib

from msgspec import Struct

import paxon
from examples.processes import TIMEOUT_S, Processes, claim, run


class Changed(Struct, frozen=True):
    flag: str
    percent: int


class Flags(paxon.StateMachine):
    """For how many users of a hundred each flag is on."""

    def __init__(self) -> None:
        self.percent: dict[str, int] = {}

    @paxon.command
    def roll_out(self, ctx: paxon.Context, flag: str, percent: int) -> None:
        if self.percent.get(flag) != percent:
            self.percent[flag] = percent
            ctx.emit("changed", Changed(flag, percent))

    @paxon.query
    def is_on(self, flag: str, user: str) -> bool:
        # Not hash(), which differs from process to process.
        return zlib.crc32(f"{flag} {user}".encode()) % 100 < self.percent.get(flag, 0)

    @paxon.query
    def every(self) -> dict[str, int]:
        return dict(self.percent)


async def work(member: paxon.Member) -> None:
    """A service: before it does anything new it looks at a flag, without asking anybody else."""
    here = member.reading(paxon.Stale())
    await here.read(Flags.is_on, "new checkout", "user-7")
    raise await member.wait_failed()


async def story(processes: Processes) -> None:
    changes = [("new checkout", percent) for percent in (5, 25, 50, 100)] + [("old checkout", 0), ("dark mode", 10)]
    async with paxon.connect(processes.endpoints, Flags, timeout=TIMEOUT_S) as operator:
        for flag, percent in changes[:2]:
            await operator.submit(Flags.roll_out, flag, percent)
        feed = operator.watch(Flags, "changed", Changed, since=1)
        seen = [await anext(feed), await anext(feed)]
        await feed.aclose()

        print(f"the watcher leaves after change {seen[-1].number}; n1 is killed; changes go on")
        processes.kill("n1")
        for flag, percent in changes[2:]:
            await operator.submit(Flags.roll_out, flag, percent)

        async for one in operator.watch(Flags, "changed", Changed, since=seen[-1].number + 1):
            seen.append(one)
            if len(seen) == len(changes):
                break
        claim([(one.event.flag, one.event.percent) for one in seen] == changes, "each change was seen once, in order")

        processes.start("n1")
        async with paxon.connect(processes.endpoint["n1"], Flags, timeout=TIMEOUT_S) as client:
            flags = await client.reading(paxon.AtLeast(operator.token)).read(Flags.every)
        print(f"n1 is back and has {flags}")
        claim(flags == dict(changes), "a process that was away has every change")


if __name__ == "__main__":
    run(story, work, Flags)
