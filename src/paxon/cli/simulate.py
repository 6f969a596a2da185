"""``paxon simulate``: this very build, through bad luck that chance and a seed decide."""

import json
import os
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import click

from paxon.cli.autopsy import Pictures, draw, perform
from paxon.cli.campaign_view import Bar, as_json, halted_by_ctrl_c, tell
from paxon.cli.failures import DONE, INTERRUPTED, REFUSED
from paxon.errors import ConfigurationError
from paxon.sim.campaign import Crew, Tally, run_campaign
from paxon.sim.campaign_state import CampaignState
from paxon.sim.crew import LocalCrew
from paxon.sim.dask_crew import DaskCrew
from paxon.sim.history import RegisterHistory
from paxon.sim.outcome import Campaign
from paxon.sim.plan import LONG_FROM, MEMBERS_MAX, PROFILES
from paxon.sim.scenario import Scenario, is_same_claim, play
from paxon.sim.shrink import RUNS_MAX
from paxon.sim.world import Violation

SEEDS = 100
"""How many are run if nothing else is asked for."""

SHOWN_MAX = 5
"""Violations that are shrunk and printed in full, the first of each rule; the rest by their seeds."""


def _in_a_folder(context: click.Context, parameter: click.Parameter, file: Path | None) -> Path | None:
    """A file that can be written, as far as one can know before the work is done."""
    if file is not None and not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise click.BadParameter(f"'{file}' cannot be written: no folder '{file.parent}' that one may write in.")
    return file


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), help=f"How many seeds to run.  [default: {SEEDS}]")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Run seeds until so much is simulated.")
@click.option(
    "--start", type=click.IntRange(min=0), help=f"The first seed.  [default: 0; with --hours {LONG_FROM}, long storms]"
)
@click.option("--members", type=click.IntRange(1, MEMBERS_MAX), help="How many members.  [default: 1, 3 or 5 by seed]")
@click.option("--profile", type=click.Choice(PROFILES), help="One mix of faults.  [default: all of them in turn]")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Processes.  [default: all cores]"
)
@click.option("--machine", metavar="MODULE:CLASS", help="Your own state machine.  [default: the simulator's]")
@click.option(
    "--workload",
    metavar="NAME",
    help="What clients ask of it; without one: registers, sessions or terms.  [default: what its class says; all]",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw the first violation's history.",
)
@click.option(
    "--state", type=click.Path(dir_okay=False, path_type=Path), help="Keep what was found here, and go on from there."
)
@click.option("--scheduler", metavar="ADDRESS", help="Run on the workers of this Dask scheduler.")
@click.option(
    "--shrink/--no-shrink", "shrinks", default=True, show_default=True, help="Make what broke a rule smaller."
)
@click.option(
    "--shrink-runs",
    type=click.IntRange(min=1),
    default=RUNS_MAX,
    show_default=True,
    help="How many runs that may cost, for each rule that broke.",
)
@click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=Path(),
    help="Where scenarios and pictures of broken rules go.  [default: the current directory]",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_in_a_folder,
    help="Draw the run of the one seed, or of the scenario, into this HTML file.",
)
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=_in_a_folder,
    help="Draw it into this SVG file, for documents.",
)
@click.option(
    "--window",
    type=click.IntRange(min=0),
    nargs=2,
    metavar="FROM UNTIL",
    help="Which milliseconds of virtual time --svg draws.  [default: all]",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run this scenario, as it was saved when a rule broke, and nothing else.",
)
@click.option("--all-faults", is_flag=True, help="Fail if any fault, or any form of one, never struck.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def simulate(
    seeds: int | None,
    hours: float | None,
    start: int | None,
    members: int | None,
    profile: str | None,
    jobs: int,
    machine: str | None,
    workload: str | None,
    history: Path | None,
    state: Path | None,
    scheduler: str | None,
    shrinks: bool,
    shrink_runs: int,
    output: Path,
    picture: Path | None,
    svg: Path | None,
    window: tuple[int, int] | None,
    replay: Path | None,
    all_faults: bool,
    is_json: bool,
) -> None:
    """Run the member that ships through simulated faults, and check every rule after every step.

    The network, the disks and the clocks are simulated, everything else is this build: a seed
    gives the same run every time. Exit code 1 if any seed broke a rule: then the least bad luck
    that breaks it is looked for, and saved as a scenario for --replay and as a picture.

    Ctrl-C ends in good order: the seeds under way are finished and what was found is printed. With
    --state the same command then goes on, as it does after a crash.
    """
    pictures = Pictures(picture, svg, window)
    if replay is not None:
        sys.exit(_replay(replay, pictures, is_json))
    if (picture or svg) and seeds != 1:
        raise click.UsageError("--picture and --svg draw one run: give --seeds 1 and its --start.")
    if seeds is not None and hours is not None:
        raise click.UsageError("--seeds and --hours are two ways to say how much: give one")
    if seeds is None and hours is None:
        seeds = SEEDS
    first = start if start is not None else 0 if hours is None else LONG_FROM
    campaign = _campaign(Campaign(first, seeds, hours, profile, members, machine, workload), history)
    with (
        CampaignState(state, campaign) if state is not None else nullcontext() as kept,
        halted_by_ctrl_c() as is_halted,
        Bar(campaign) as progress,
    ):
        crew: Crew = DaskCrew(scheduler) if scheduler is not None else LocalCrew(min(jobs, seeds or jobs))
        tally = run_campaign(campaign, crew, progress, kept, is_halted)
    if history is not None and tally.violations:
        _draw_history(campaign, tally.violations[0].seed, history)
    chosen = _first_of_each_rule(tally, campaign)
    autopsies = [perform(scenario, output, pictures, shrink_runs if shrinks else 1) for scenario in chosen]
    if (picture or svg) and not chosen:
        draw(_scenario(campaign, first), pictures)
    if is_json:
        click.echo(json.dumps({**as_json(tally, autopsies), "interrupted": is_halted()}))
    else:
        tell(tally, autopsies)
    missed = tally.missed(of_a_machine=machine is not None) if all_faults else []
    if missed:
        click.echo(f"never struck: {', '.join(missed)}", err=True)
    if tally.violations or missed:
        sys.exit(REFUSED)
    sys.exit(INTERRUPTED if is_halted() else DONE)


def _campaign(campaign: Campaign, history: Path | None) -> Campaign:
    """The campaign, if what it names is there: a wrong name is told before any process starts."""
    if campaign.machine is not None and history is not None:
        raise click.UsageError("--history is for the simulator's own registers, not for a --machine")
    try:
        campaign.subject(campaign.start)
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from error
    return campaign


def _draw_history(campaign: Campaign, seed: int, file: Path) -> None:
    """Run a seed once more and draw what its clients saw, until it broke a rule."""
    world = campaign.world(seed)
    with suppress(Violation):
        world.run()
    witness = world.workload.witness
    if isinstance(witness, RegisterHistory):
        file.write_text(witness.page(f"seed {seed}"), encoding="utf-8")
        click.echo(f"the history of seed {seed} is in {file}", err=True)


def _replay(file: Path, pictures: Pictures, is_json: bool) -> int:
    try:
        scenario = Scenario.load(file.read_bytes())
    except ConfigurationError as error:
        raise click.BadParameter(f"'{file}': {error}", param_hint="'--replay'") from error
    run = play(scenario)
    if pictures.page or pictures.svg:
        draw(scenario, pictures)
    if is_json:
        click.echo(json.dumps({"claim": run.claim, "story": run.story, "expected": scenario.claim}))
        return REFUSED if run.claim else DONE
    for line in scenario.words:
        click.echo(line)
    if run.claim:
        click.echo(f"the last events:\n{run.latest}\nbroken: {run.claim}")
    if run.claim and not is_same_claim(run.claim, scenario.claim):
        click.echo(f"which is not what broke when it was saved: {scenario.claim or 'nothing'}")
    if not run.claim:
        click.echo(f"no rule broke; when release {scenario.version} saved it, this did: {scenario.claim or 'nothing'}")
    return REFUSED if run.claim else DONE


def _scenario(campaign: Campaign, seed: int, claim: str = "") -> Scenario:
    """One seed of a campaign."""
    machine, workload = campaign.machine, campaign.workload
    return Scenario(seed, campaign.profile, campaign.members, claim=claim, machine=machine, workload=workload)


def _first_of_each_rule(tally: Tally, campaign: Campaign) -> list[Scenario]:
    chosen: list[Scenario] = []
    for outcome in tally.violations:
        claim = outcome.violation.partition("\n")[0]
        if len(chosen) < SHOWN_MAX and not any(is_same_claim(claim, one.claim) for one in chosen):
            chosen.append(_scenario(campaign, outcome.seed, claim))
    return chosen
