"""A control process with two hot standbys: one steers, and when it dies or is suspended another goes on from there.

When the one that steers dies, its term lapses after ``TTL_S`` seconds and a standby is elected. One that was only
suspended has its work cancelled when it wakes; a step of it that comes late all the same is refused by what is steered,
for its token is older than its successor's.
"""

import asyncio

from msgspec import Struct

import paxon
from examples.processes import TIMEOUT_S, Processes, claim, run

TTL_S, STEPS = 2.0, 5


class TooLate(paxon.Rejected): ...


class Moved(Struct, frozen=True):
    position: int
    token: int
    by: str


class Valve(paxon.StateMachine):
    """What is steered: it moves in steps, and remembers the newest term that it was steered under."""

    def __init__(self) -> None:
        self.position = self.token = 0

    @paxon.command
    def step(self, ctx: paxon.Context, token: int, by: str) -> int:
        if token < self.token:
            raise TooLate(token, self.token)
        self.token = token
        self.position += 1
        ctx.emit("moved", Moved(self.position, token, by))
        return self.position


async def work(member: paxon.Member) -> None:
    """Stand by, and steer when elected."""

    async def steer(term: paxon.Hold) -> None:
        while True:
            term.check()
            await member.submit(Valve.step, term.token, member.name)
            await asyncio.sleep(0.05)

    await member.election("controller", value=member.name, ttl=TTL_S).run(steer)


async def story(processes: Processes) -> None:
    moved: list[Moved] = []
    async with paxon.connect(processes.endpoints, Valve, timeout=TIMEOUT_S) as client:
        feed = client.watch(Valve, "moved", Moved, since=1)

        async def steered_by_another(than: str) -> str:
            """Who made the last ``STEPS`` steps, as soon as that is one process and not ``than``."""
            while len(moved) < STEPS or len(latest := {one.by for one in moved[-STEPS:]}) > 1 or than in latest:
                moved.append((await anext(feed)).event)
            return moved[-1].by

        processes.pause(first := await steered_by_another(than="nobody"))
        print(f"{first} steers, and is suspended")
        second = await steered_by_another(than=first)
        print(f"{second} steers from position {moved[-STEPS].position} on; {first} wakes up, and {second} is killed")
        processes.proceed(first)
        processes.kill(second)
        third = await steered_by_another(than=second)
        print(f"{third} steers from position {moved[-STEPS].position} on")
    claim([one.position for one in moved] == list(range(1, len(moved) + 1)), "no step is lost and none made twice")
    claim([one.token for one in moved] == sorted(one.token for one in moved), "nobody steers after a successor")


if __name__ == "__main__":
    run(story, work, Valve)
