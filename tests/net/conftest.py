"""Every test with sockets runs on both event loops: they differ where it hurts, in flow control and in closing."""

import pytest


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    """The event loop to run on."""
    name: str = request.param
    return name
