"""Options of the whole suite, and what every test may count on."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about who else uses the processors than about the code.
settings.register_profile("paxon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("paxon")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write what plays tell now into their files")
    parser.addoption("--mutant", metavar="NAME", help="break one rule of the shipped code; see docs/mutants.md")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("--mutant")
    if name is not None:
        # Imported here because the catalogue imports most of the code, which every other run does when it needs it.
        from tests.mutants.session import break_for_the_run

        break_for_the_run(config, name)


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Programs that run in this process set up logging for themselves; the next test must not inherit that."""
    loggers = [logging.getLogger(), logging.getLogger("paxon"), logging.getLogger("paxon.net")]
    levels = [logging.WARNING, logging.NOTSET, logging.NOTSET]
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
        logger.disabled = False
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
