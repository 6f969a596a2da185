"""One run of some tests against one mutant, or against the code as it is, in a process of its own."""

import contextlib
import io
import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection
from types import FrameType
from typing import cast

import pytest
from msgspec import Struct, field

from tests.mutants.mutant import ACCIDENTS
from tests.mutants.session import PATCH

TEST_LIMIT_S = 10.0
"""No killer takes seconds, and a mutant may well make a test wait for ever."""

RUN_LIMIT_S = 300.0
"""For a whole run, in case that a test cannot be interrupted."""

_PROCESSES = multiprocessing.get_context("forkserver")
"""Each run is forked off a process that has imported the code and no test, and that never runs anything itself:
as fresh as a new interpreter, and ten times as fast."""
_PROCESSES.set_forkserver_preload([__name__, "hypothesis"])


class OutOfTime(BaseException):
    """A test did not end.  Not an ``Exception``, because shipped code may catch those and go on."""


class Outcome(Struct, frozen=True):
    """How one test ended."""

    test: str
    """Its pytest node id."""
    failure: str | None
    """The first line of what it raised; ``None`` if it passed."""
    seconds: float
    is_accident: bool = False
    """Whether it failed outside of the test's own body, or by an error that no broken rule shows itself in."""


class Trial(Struct):
    """What came of a run."""

    outcomes: list[Outcome] = field(default_factory=list)
    exit_code: int = 0
    """Of pytest; below zero if it did not end in time."""
    calls: int = 0
    """How often replaced functions ran."""
    accidents: list[str] = field(default_factory=list)
    """Errors of the mutant's own code."""
    said: str = ""
    """What pytest printed."""


class Witness:
    """A pytest plugin that watches one run."""

    def __init__(self) -> None:
        self.trial = Trial()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """Interrupt a test that does not end."""
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, TEST_LIMIT_S)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a test ended, and why."""
        report = yield
        if call.excinfo is not None and report.failed:
            failure = f"{type(call.excinfo.value).__name__}: {call.excinfo.value}".splitlines()[0]
            accident = call.when != "call" or is_accident(call.excinfo.value)
            self.trial.outcomes.append(Outcome(item.nodeid, failure, call.duration, accident))
        elif report.passed and call.when == "call":
            self.trial.outcomes.append(Outcome(item.nodeid, None, call.duration))
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Ask the mutant what it did."""
        patch = session.config.stash.get(PATCH, None)
        if patch is not None:
            self.trial.calls, self.trial.accidents = patch.calls, patch.accidents


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise OutOfTime(f"no end within {TEST_LIMIT_S:g} seconds")


def is_accident(error: BaseException) -> bool:
    """Whether careless code is among what ``error`` consists of and comes from."""
    if isinstance(error, (*ACCIDENTS, OutOfTime)):
        return True
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return any(map(is_accident, parts)) or (cause is not None and is_accident(cause))


def run(name: str | None, tests: Sequence[str], limit_s: float = RUN_LIMIT_S) -> Trial:
    """Run ``tests`` against the mutant called ``name``, or against the code as it is, in a process of its own.

    May be called from several threads at once.
    """
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_run_and_tell, args=(theirs, name, tuple(tests)))
    process.start()
    theirs.close()
    try:
        if ours.poll(limit_s):
            return cast(Trial, ours.recv())
        return Trial(exit_code=-1, said=f"no end within {limit_s:g} seconds")
    except EOFError:
        return Trial(exit_code=-1, said="the process ended before it had a result")
    finally:
        ours.close()
        process.kill()
        process.join()


def _run_and_tell(listener: Connection, name: str | None, tests: Sequence[str]) -> None:
    witness = Witness()
    said = io.StringIO()
    options = ["-p", "no:cacheprovider", "--tb=no", *(["--mutant", name] if name else [])]
    # Plugins of others are not needed here, and finding and importing them takes most of a second.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        witness.trial.exit_code = int(pytest.main([*options, *tests], plugins=[witness]))
    witness.trial.said = said.getvalue()
    listener.send(witness.trial)
