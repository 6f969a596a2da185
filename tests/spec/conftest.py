"""TLC, or the reason why it is not here."""

import pytest

from spec.tlc import TlcUnavailable, jar


@pytest.fixture
def tlc() -> None:
    """Skip the test where TLC cannot run."""
    try:
        jar()
    except TlcUnavailable as error:
        pytest.skip(str(error))
