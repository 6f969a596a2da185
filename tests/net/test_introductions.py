"""Introductions by themselves: how many others must know a fresh storage."""

import asyncio

import pytest

from paxon.core.decree import NodeId
from paxon.net.introductions import Introductions


@pytest.mark.parametrize(("others", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_a_strict_majority_of_the_others_is_waited_for(others: int, needed: int) -> None:
    async def main() -> None:
        introductions = Introductions(others, lambda member, storage: None)
        waiting = asyncio.ensure_future(introductions.wait())
        for welcomed in range(needed):
            await asyncio.sleep(0)
            assert not waiting.done(), f"{welcomed} of {others} know us"
            introductions.welcomed_by(NodeId(welcomed + 1))
            introductions.welcomed_by(NodeId(welcomed + 1))
        await waiting

    asyncio.run(main())
