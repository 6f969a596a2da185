"""Clusters for tests of recipes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from paxon.testing import Cluster

LIMIT_S: Final = 60.0
"""A test that hangs does not hang for ever."""

WHOLE: Final = 3600.0
"""A ttl that is not over before the test is."""


def in_a_cluster(test: Callable[[Cluster], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test whose members all run in this process."""

    def run() -> None:
        async def main() -> None:
            async with asyncio.timeout(LIMIT_S), Cluster() as cluster:
                await test(cluster)

        asyncio.run(main())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    """Ask the cluster until ``is_so`` answers with something true."""
    while not await is_so():  # noqa: ASYNC110  # The cluster is asked, which has no event to wait for.
        # What has an answer at once must not keep the loop from everybody else, the time limit included.
        await asyncio.sleep(0)


async def for_ever() -> None:
    """Wait for nothing, as a body does that is to be cancelled."""
    await asyncio.Event().wait()
