"""What a campaign shows: a bar while it runs, then its counts for people or for programs.

Knows: how much there is to do, and what has been found.  Does not know: how seeds are run.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import click

from paxon.cli.autopsy import Autopsy
from paxon.sim.campaign import HOUR_S, Tally
from paxon.sim.outcome import Campaign
from paxon.sim.strikes import FAULTS, PARTS
from paxon.sim.time_spent import in_words, shares


@contextmanager
def halted_by_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed.  The second time it works as it always does."""
    is_halted = False

    def halt(_: int, __: FrameType | None) -> None:
        nonlocal is_halted
        is_halted = True
        signal.signal(signal.SIGINT, before)
        click.echo("\nfinishing the seeds under way; Ctrl-C again leaves them", err=True)

    before = signal.signal(signal.SIGINT, halt)
    try:
        yield lambda: is_halted
    finally:
        signal.signal(signal.SIGINT, before)


class Bar:
    """A bar for people who watch: of what is left to do when it first hears, so that its guess of the end is right."""

    def __init__(self, campaign: Campaign) -> None:
        self._wanted = campaign.seeds
        self._wanted_s = round((campaign.hours or 0) * HOUR_S)
        self._done = 0
        self._bar: Any = None

    def __call__(self, tally: Tally) -> None:
        """Show how far the campaign has come."""
        done = tally.seeds if self._wanted is not None else round(tally.simulated_s)
        if self._bar is None:
            length = max(0, (self._wanted if self._wanted is not None else self._wanted_s) - done)
            self._bar = click.progressbar(
                length=length,
                label="seeds" if self._wanted is not None else "simulated seconds",
                show_pos=True,
                item_show_func=lambda text: text,
                file=sys.stderr,
                hidden=not sys.stderr.isatty(),
            )
            self._bar.__enter__()
        else:
            broken = f", {len(tally.violations)} broke a rule" if tally.violations else ""
            self._bar.update(done - self._done, f"{tally.speed:,.0f} x{broken}")
        self._done = done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def as_json(tally: Tally, autopsies: list[Autopsy]) -> dict[str, object]:
    """All that was found, for programs."""
    found = {autopsy.shrunk.scenario.seed: autopsy for autopsy in autopsies}
    return {
        "seeds": tally.seeds,
        "violations": [
            {"seed": outcome.seed, "story": outcome.violation}
            | (found[outcome.seed].as_json if outcome.seed in found else {})
            for outcome in tally.violations
        ],
        "simulated_s": round(tally.simulated_s, 1),
        "wall_s": round(tally.wall_s, 1),
        "cpu_s": round(tally.cpu_s, 1),
        "ratio": round(tally.speed, 1),
        "ratio_per_core": round(tally.speed_per_core, 1),
        "time_spent": {part: round(share, 4) for part, share in shares(tally.samples).items()},
        "faults": {fault: tally.faults[fault] for fault in FAULTS},
        "parts": {fault: {part: tally.parts[f"{fault} {part}"] for part in parts} for fault, parts in PARTS.items()},
        "counts": dict(sorted(tally.counts.items())),
    }


def tell(tally: Tally, autopsies: list[Autopsy]) -> None:
    """All that was found, for people."""
    shown = {autopsy.shrunk.scenario.seed for autopsy in autopsies}
    for autopsy in autopsies:
        click.echo("\n".join(autopsy.words) + "\n")
    if rest := [str(outcome.seed) for outcome in tally.violations if outcome.seed not in shown]:
        click.echo(f"and so did seeds {', '.join(rest)}")
    click.echo("faults:")
    for fault, what in FAULTS.items():
        click.echo(f"{tally.faults[fault]:>12,}  {fault:<3} {what}")
        for part in PARTS.get(fault, ()):
            click.echo(f"{tally.parts[f'{fault} {part}']:>12,}      {part}")
    click.echo("and otherwise:")
    for name, count in sorted(tally.counts.items()):
        click.echo(f"{count:>12,}  {name}")
    click.echo(
        f"{tally.seeds} seeds, {len(tally.violations)} broke a rule; "
        f"{tally.simulated_s:,.0f} simulated seconds in {tally.wall_s:,.1f} "
        f"({tally.speed:,.0f} times as fast, {tally.speed_per_core:,.0f} on each core)"
    )
    click.echo(f"where the time went: {in_words(tally.samples) or 'nobody could look'}")
