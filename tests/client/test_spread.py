"""Work that is spread over several turns of the loop."""

import asyncio
from functools import partial

import pytest

from paxon.client.spread import Spread


async def turns(count: int) -> None:
    """Let so many turns of the loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_is_too_much_for_one_turn_is_done_in_order_in_later_ones() -> None:
    async def main() -> None:
        spread, done = Spread(10), list[int]()
        for number in range(5):
            spread.do(6, partial(done.append, number))
        assert done == [0, 1], "the second was begun below the limit"
        await turns(1)
        assert done == [0, 1, 2, 3]
        spread.do(1, partial(done.append, 5))
        assert done == [0, 1, 2, 3], "it does not overtake the one that waits"
        await turns(3)
        assert done == [0, 1, 2, 3, 4, 5]
        spread.do(1, partial(done.append, 6))
        assert done == [0, 1, 2, 3, 4, 5, 6], "nothing waits any more"

    asyncio.run(main())


def test_what_a_piece_sets_off_comes_before_the_next_turns_pieces() -> None:
    async def main() -> None:
        spread, seen = Spread(1), list[str]()
        loop = asyncio.get_running_loop()
        for name in ("a", "b", "c"):
            spread.do(1, partial(loop.call_soon, seen.append, f"set off by {name}"))
            spread.do(1, partial(seen.append, name))
        await turns(12)
        assert seen == ["set off by a", "a", "set off by b", "b", "set off by c", "c"]

    asyncio.run(main())


def test_a_piece_that_raises_keeps_no_other_waiting() -> None:
    async def main() -> None:
        spread, done = Spread(1), list[int]()
        with pytest.raises(ZeroDivisionError):
            spread.do(1, lambda: 1 // 0)
        spread.do(1, partial(done.append, 1))
        spread.do(1, partial(done.append, 2))
        assert done == []
        await turns(4)
        assert done == [1, 2]

    asyncio.run(main())


def test_whoever_cannot_wait_has_everything_done_at_once() -> None:
    async def main() -> None:
        spread, done = Spread(1), list[int]()
        for number in range(3):
            spread.do(1, partial(done.append, number))
        spread.finish()
        assert done == [0, 1, 2]

    asyncio.run(main())
