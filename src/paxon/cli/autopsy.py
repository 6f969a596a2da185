"""What is made of a seed that broke a rule: a small scenario, a file to replay it, a picture, and words."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from msgspec import Struct, structs

from paxon.sim.picture import drawing
from paxon.sim.picture.page import Caption, render
from paxon.sim.recording import Recording
from paxon.sim.scenario import Scenario, play
from paxon.sim.shrink import Shrunk, shrink


class Pictures(Struct, frozen=True):
    """Which pictures of a run are wanted: a page, a drawing, and from when until when the drawing goes, in ms."""

    page: Path | None = None
    svg: Path | None = None
    window: tuple[int, int] | None = None


class Autopsy(Struct, frozen=True):
    """One broken rule, looked into."""

    shrunk: Shrunk
    took_s: float
    scenario_file: Path
    picture_file: Path

    @property
    def words(self) -> Iterator[str]:
        """All of it, a line at a time: what broke, the bad luck that is left, the last events, the claim, the files."""
        scenario, run = self.shrunk.scenario, self.shrunk.run
        yield f"seed {scenario.seed} broke a rule: {run.claim}"
        if self.shrunk.runs > 1:
            yield (
                f"shrunk from {self.shrunk.strikes_before:,} strikes to {len(run.strikes):,} "
                f"in {self.shrunk.runs} runs, {self.took_s:,.1f} s"
            )
        yield from scenario.words
        if scenario.machine is None:
            yield from ("the last events:", run.latest, f"broken: {run.claim}")
        else:
            # What a machine depends on, and where it looked, is said at the end of the story.
            yield run.story
        yield f"again:   paxon simulate --replay {self.scenario_file}"
        yield f"picture: {self.picture_file}"

    @property
    def as_json(self) -> dict[str, object]:
        return {
            "claim": self.shrunk.run.claim,
            "scenario": str(self.scenario_file),
            "picture": str(self.picture_file),
            "strikes_before": self.shrunk.strikes_before,
            "strikes": len(self.shrunk.run.strikes),
            "runs": self.shrunk.runs,
        }


def perform(scenario: Scenario, folder: Path, pictures: Pictures, runs_max: int) -> Autopsy:
    """Shrink a scenario that breaks a rule, within ``runs_max`` runs, and write the files about it."""
    began = time.perf_counter()
    label = f"shrinking seed {scenario.seed}"
    with click.progressbar(length=runs_max, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        shrunk = shrink(scenario, runs_max, lambda: bar.update(1))
    took_s = time.perf_counter() - began
    scenario_file = folder / f"paxon-seed-{scenario.seed}.json"
    scenario_file.write_bytes(shrunk.scenario.dump())
    picture_file = pictures.page or scenario_file.with_suffix(".html")
    draw(shrunk.scenario, structs.replace(pictures, page=picture_file))
    return Autopsy(shrunk, took_s, scenario_file, picture_file)


def draw(scenario: Scenario, pictures: Pictures) -> None:
    """Draw the run of a scenario."""
    recording = Recording()
    run = play(scenario, recording)
    plan = scenario.plan
    notes = (
        f"faults of {plan.name} for {plan.storm_ms:,} ms",
        f"{len(plan.members)} members, {type(plan.quorums).__name__.lower()}",
        f"{len(run.strikes):,} strikes of bad luck",
        f"{run.ended_ms:,} ms of virtual time",
    )
    caption = Caption(f"Paxon, seed {scenario.seed}", plan.members, notes, run.claim, run.strikes)
    if pictures.page is not None:
        pictures.page.write_text(render(recording, caption), encoding="utf-8")
    if pictures.svg is not None:
        first, last = pictures.window or (0, run.ended_ms)
        moments = recording.moments_between(first, last)
        pictures.svg.write_text(drawing.draw(recording, caption, *moments), encoding="utf-8")
