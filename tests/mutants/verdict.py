"""What a trial says about a mutant: who killed it, or why that is no kill."""

import enum

from msgspec import Struct

from tests.mutants.mutant import Mutant
from tests.mutants.trial import Outcome, Trial


class Fate(enum.Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    """The tests that are said to kill it pass."""
    WRONG_REASON = "WRONG REASON"
    """A test fails, but not because a rule is broken."""
    NO_TRIAL = "NO TRIAL"
    """The mutant does not fit the shipped code, or its killer does not exist or does not run."""


class Verdict(Struct, frozen=True):
    """The fate of one mutant, and why."""

    mutant: str
    fate: Fate
    reason: str
    """What the killer said in its first line; or what is wrong."""
    killer: str = ""
    seconds: float = 0.0
    """How long the killers took together, without what it takes to start a process."""


def verdict(mutant: Mutant, trial: Trial) -> Verdict:
    """Judge a trial of the mutant by its own killers."""
    if trial.exit_code not in (0, 1) or not trial.outcomes:
        return Verdict(mutant.name, Fate.NO_TRIAL, complaint(trial))
    if trial.accidents:
        return Verdict(mutant.name, Fate.WRONG_REASON, f"the mutant itself failed: {trial.accidents[0]}")
    first: Outcome | None = None
    for killer in mutant.killers:
        outcomes = [outcome for outcome in trial.outcomes if is_of(outcome.test, killer)]
        failed = [outcome for outcome in outcomes if outcome.failure is not None]
        if not outcomes:
            return Verdict(mutant.name, Fate.NO_TRIAL, "it did not run", killer)
        if not failed:
            return Verdict(mutant.name, Fate.SURVIVED, f"its code ran {trial.calls} times", killer)
        if accident := next((outcome for outcome in failed if outcome.is_accident), None):
            return Verdict(mutant.name, Fate.WRONG_REASON, accident.failure or "", killer)
        first = first or failed[0]
    if first is None or first.failure is None:
        return Verdict(mutant.name, Fate.NO_TRIAL, "it names no killer")
    seconds = sum(outcome.seconds for outcome in trial.outcomes)
    return Verdict(mutant.name, Fate.KILLED, first.failure, first.test, seconds)


def complaint(trial: Trial) -> str:
    """The line that says why a run had no result."""
    lines = trial.said.strip().splitlines() or ["no test ran"]
    return next((line for line in lines if line.startswith("ERROR")), lines[-1])


def is_of(test: str, killer: str) -> bool:
    """Whether the node id ``test`` is ``killer`` or one of its parameters."""
    return test == killer or test.startswith(f"{killer}[")


def objections(killers: list[str], trial: Trial) -> list[str]:
    """Why ``killers`` prove nothing: each of them must run, and pass, on the code as it is."""
    if trial.exit_code not in (0, 1):
        return [complaint(trial)]
    failed = [
        f"{outcome.test} fails without a mutant: {outcome.failure}" for outcome in trial.outcomes if outcome.failure
    ]
    missing = [killer for killer in killers if not any(is_of(outcome.test, killer) for outcome in trial.outcomes)]
    return failed + [f"{killer} does not run" for killer in missing]
