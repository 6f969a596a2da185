"""A scenario: everything that decides a simulated run, as a file that plays the same run again.

Knows: the seed, what of its plan is overridden, and which strikes of bad luck are carried out.
Does not know: how a scenario is made smaller; that is ``shrink``.
"""

import re
from collections.abc import Iterator, Set

import msgspec
from msgspec import Struct, structs

from paxon.errors import ConfigurationError
from paxon.sim.choice import subject_of
from paxon.sim.plan import MEMBERS_MAX, PROFILES, Plan, plan_of
from paxon.sim.strikes import FAULTS, Strike
from paxon.sim.watcher import Watcher
from paxon.sim.world import Violation, World
from paxon.version import __version__

TOLD_MAX = 40
"""How many strikes are told one by one, the latest; the rest are counted."""


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One run, and how it ended.  ``None`` leaves a choice to the seed."""

    seed: int
    profile: str | None = None
    members: int | None = None
    storm_ms: int | None = None
    """How long faults go on."""
    request_every_ms: int | None = None
    """How often clients ask, on average."""
    deal: int = 0
    """How every letter is dealt its fate by itself (see ``deal``); 0 if all are, one after the other."""
    strikes: tuple[Strike, ...] | None = None
    """The strikes that are carried out, known by their names; all others are spared."""
    machine: str | None = None
    """A user's state machine, as ``package.module:Class``, and what is asked of it; see ``outcome.Campaign``."""
    workload: str | None = None
    claim: str = ""
    """The rule that breaks."""
    version: str = __version__
    """The release that played it.  Another one may go another way."""

    @property
    def plan(self) -> Plan:
        """The plan of the seed, with what is overridden."""
        plan = plan_of(self.seed, self.profile, self.members)
        return structs.replace(
            plan,
            storm_ms=plan.storm_ms if self.storm_ms is None else self.storm_ms,
            request_every_ms=plan.request_every_ms if self.request_every_ms is None else self.request_every_ms,
        )

    @property
    def words(self) -> Iterator[str]:
        """The scenario, a line at a time."""
        plan = self.plan
        yield (
            f"seed {self.seed}, faults of {plan.name} for {plan.storm_ms:,} ms, {len(plan.members)} members "
            f"({type(plan.quorums).__name__.lower()}), a request every {plan.request_every_ms:,} ms"
            f"{f', with {self.machine}' if self.machine else ''}"
        )
        strikes = self.strikes or ()
        if len(strikes) > TOLD_MAX:
            yield f"{len(strikes) - TOLD_MAX:,} strikes of bad luck, and then"
        for strike in strikes[-TOLD_MAX:]:
            yield f"at {strike.at_ms:,} ms {strike.what} ({strike.fault})"

    def dump(self) -> bytes:
        """As the content of a file."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"

    @classmethod
    def load(cls, content: bytes) -> "Scenario":
        """From the content of a file.

        Raises:
            ConfigurationError: this is no scenario; the message says why.
        """
        try:
            scenario = msgspec.json.decode(content, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"this is no scenario: {error}") from error
        if scenario.seed < 0 or (scenario.profile is not None and scenario.profile not in PROFILES):
            raise ConfigurationError(f"this is no scenario: no seed {scenario.seed} of profile {scenario.profile}")
        if scenario.members is not None and not 1 <= scenario.members <= MEMBERS_MAX:
            raise ConfigurationError(f"this is no scenario: {scenario.members} members, and {MEMBERS_MAX} is the limit")
        if scenario.deal < 0 or min(scenario.storm_ms or 0, scenario.request_every_ms or 0) < 0:
            raise ConfigurationError("this is no scenario: deals and times are not negative")
        return scenario


class Run(Struct, frozen=True):
    """How a scenario went."""

    claim: str
    """The rule that broke; empty if none did."""
    story: str
    """The whole text of the violation; empty if there was none."""
    latest: str
    """The last events, one a line."""
    strikes: tuple[Strike, ...]
    """Those that were carried out."""
    storm_ms: int
    """After how much of the storm it ended.  Time in which nobody was there does not count."""
    ended_ms: int
    """When it ended, in virtual time."""


class AllBut:
    """A container of all strikes and faults but those few."""

    def __init__(self, kept: Set[str]) -> None:
        self._kept = kept

    def __contains__(self, strike: object) -> bool:
        # Numbers and ids of faults are never in it: the name alone decides.
        return isinstance(strike, str) and strike not in FAULTS and strike not in self._kept


def play(scenario: Scenario, watcher: Watcher | None = None, *, until_calm: bool = False) -> Run:
    """The run of a scenario, with somebody who watches; with ``until_calm`` its storm alone."""
    strikes = scenario.strikes
    spared = frozenset[int | str]() if strikes is None else AllBut({strike.name for strike in strikes})
    subject = subject_of(scenario.seed, scenario.machine, scenario.workload)
    world = World(scenario.seed, scenario.plan, spared, subject, watcher, scenario.deal)
    claim = story = ""
    try:
        world.run(until_calm=until_calm)
    except Violation as violation:
        claim, story = violation.claim, str(violation)
    agenda = world.agenda
    lived_ms = agenda.now_ms - agenda.leapt_ms
    return Run(claim, story, world.trace.latest, tuple(world.strikes.diary), lived_ms, agenda.now_ms)


def is_same_claim(one: str, other: str) -> bool:
    """Whether two violations say the same but for numbers and commands: the same rule, maybe in another slot."""
    return _words(one) == _words(other) != ""


def _words(claim: str) -> str:
    return re.sub(r"b'[^']*'|\d+", "#", claim)
