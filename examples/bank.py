"""A bank whose members are killed while money moves: none is lost, none is made, no transfer is made twice.

When a member dies, its clients send what it has not answered to another one, under the same numbers; the books are on
the others, and the member that comes back is told what it missed. With two of three dead, transfers wait.
"""

import asyncio
from contextlib import suppress
from random import Random

import paxon
from examples.processes import MEMBERS, TIMEOUT_S, Processes, claim, run

ACCOUNTS, OPENING, TELLERS = ("ada", "ben", "cyd", "dee"), 100, 4


class NotEnough(paxon.Rejected):
    """The account has less than was to leave it."""


class Bank(paxon.StateMachine):
    """Balances by account, and how many transfers were made."""

    def __init__(self) -> None:
        self.balances = dict.fromkeys(ACCOUNTS, OPENING)
        self.transfers = 0

    @paxon.command
    def transfer(self, ctx: paxon.Context, source: str, target: str, amount: int) -> None:
        self.balances[source] -= amount
        if self.balances[source] < 0:
            raise NotEnough(source, self.balances[source])  # What was subtracted is taken back.
        self.balances[target] += amount
        self.transfers += 1

    @paxon.query
    def books(self) -> tuple[dict[str, int], int]:
        return dict(self.balances), self.transfers


async def work(member: paxon.Member) -> None:
    """A member only has to be there."""
    raise await member.wait_failed()


async def teller(processes: Processes, seed: int, closing: asyncio.Event) -> int:
    """Move money about until closing time; how many transfers the bank said it made."""
    random, made = Random(seed), 0
    async with paxon.connect(processes.endpoints, Bank, timeout=TIMEOUT_S) as bank:
        while not closing.is_set():
            source, target = random.sample(ACCOUNTS, 2)
            with suppress(NotEnough):
                await bank.submit(Bank.transfer, source, target, random.randint(1, OPENING))
                made += 1
    return made


async def story(processes: Processes) -> None:
    closing = asyncio.Event()
    async with paxon.connect(processes.endpoints, Bank, timeout=TIMEOUT_S) as auditor, asyncio.TaskGroup() as group:
        tellers = [group.create_task(teller(processes, seed, closing)) for seed in range(TELLERS)]
        for victim in MEMBERS:
            processes.kill(victim)
            balances, transfers = await auditor.read(Bank.books)
            print(f"{victim} killed: {sum(balances.values())} in all accounts after {transfers} transfers")
            claim(sum(balances.values()) == OPENING * len(ACCOUNTS), "money is neither lost nor made")
            processes.start(victim)
            async with paxon.connect(processes.endpoint[victim], Bank, timeout=TIMEOUT_S) as back:
                await back.read(Bank.books)
        closing.set()
        made = sum([await one for one in tellers])
        balances, transfers = await auditor.read(Bank.books)
    claim(sum(balances.values()) == OPENING * len(ACCOUNTS), "money is neither lost nor made")
    claim(transfers == made > 0, f"{made} transfers were told of, and {transfers} made")
    print(f"{transfers} transfers, each made once, though every member was killed")


if __name__ == "__main__":
    run(story, work, Bank)
