"""``paxon simulate``: this very build, through bad luck that chance and a seed decide."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from paxon.cli.failures import DONE, REFUSED
from paxon.errors import ConfigurationError
from paxon.sim.campaign import Campaign, Tally, run_campaign
from paxon.sim.history import RegisterHistory
from paxon.sim.plan import MEMBERS_MAX, PROFILES
from paxon.sim.strikes import FAULTS, PARTS
from paxon.sim.time_spent import in_words, shares
from paxon.sim.world import Violation

SHOWN_MAX = 5
"""Violations that are printed in full; the rest by their seeds."""


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=100, show_default=True, help="How many seeds to run.")
@click.option("--start", type=click.IntRange(min=0), default=0, show_default=True, help="The first seed.")
@click.option("--members", type=click.IntRange(1, MEMBERS_MAX), help="How many members.  [default: 1, 3 or 5 by seed]")
@click.option("--profile", type=click.Choice(PROFILES), help="One mix of faults.  [default: all of them in turn]")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes.  [default: all cores]"
)
@click.option("--machine", metavar="MODULE:CLASS", help="Your own state machine.  [default: the simulator's]")
@click.option("--workload", metavar="MODULE:NAME", help="What clients ask of it.  [default: what its class says]")
@click.option("--history", type=click.Path(dir_okay=False, writable=True), help="Draw the first violation's history.")
@click.option("--all-faults", is_flag=True, help="Fail if any fault, or any form of one, never struck.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def simulate(
    seeds: int,
    start: int,
    members: int | None,
    profile: str | None,
    jobs: int | None,
    machine: str | None,
    workload: str | None,
    history: str | None,
    all_faults: bool,
    as_json: bool,
) -> None:
    """Run the member that ships through simulated faults, and check every rule after every step.

    The network, the disks and the clocks are simulated, everything else is this build: a seed
    gives the same run every time. Exit code 1 if any seed broke a rule; it can be seen again with
    python -m paxon.sim SEED, unless --members or --profile were given.
    """
    campaign = _campaign(Campaign(start, seeds, profile, members, machine, workload), history)
    with click.progressbar(length=seeds, label="seeds", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        workers = min(jobs or os.cpu_count() or 1, seeds)
        tally = run_campaign(campaign, workers, lambda _: bar.update(1))
    if history is not None and tally.violations:
        _draw_history(campaign, tally.violations[0].seed, history)
    if as_json:
        click.echo(json.dumps(_as_json(tally)))
    else:
        _print(tally)
    if all_faults and tally.missed:
        click.echo(f"never struck: {', '.join(tally.missed)}", err=True)
    sys.exit(REFUSED if tally.violations or (all_faults and tally.missed) else DONE)


def _campaign(campaign: Campaign, history: str | None) -> Campaign:
    """The campaign, if what it names is there: a wrong name is told before any process starts."""
    if campaign.machine is None and campaign.workload is not None:
        raise click.UsageError("--workload says what to ask of a --machine: give both")
    if campaign.machine is not None and history is not None:
        raise click.UsageError("--history is for the simulator's own registers, not for a --machine")
    try:
        campaign.subject  # noqa: B018 - to see whether it can be had.
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    return campaign


def _draw_history(campaign: Campaign, seed: int, file: str) -> None:
    """Run a seed once more and draw what its clients saw, until it broke a rule."""
    world = campaign.world(seed)
    with suppress(Violation):
        world.run()
    witness = world.workload.witness
    if isinstance(witness, RegisterHistory):
        Path(file).write_text(witness.page(f"seed {seed}"), encoding="utf-8")
        click.echo(f"the history of seed {seed} is in {file}", err=True)


def _as_json(tally: Tally) -> dict[str, object]:
    return {
        "seeds": tally.seeds,
        "violations": [{"seed": outcome.seed, "story": outcome.violation} for outcome in tally.violations],
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


def _print(tally: Tally) -> None:
    for outcome in tally.violations[:SHOWN_MAX]:
        click.echo(f"seed {outcome.seed} broke a rule: {outcome.violation}\n")
    if rest := [str(outcome.seed) for outcome in tally.violations[SHOWN_MAX:]]:
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
    click.echo(f"where the time went: {in_words(tally.samples)}")
