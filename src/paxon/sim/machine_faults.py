"""What is done to processes, disks and clocks.

Knows: which of it is due, and its dice.  Does not know: what a member makes of it.
"""

from functools import partial
from random import Random

from paxon.core.decree import NodeId
from paxon.sim.agenda import Agenda
from paxon.sim.clock import MILLION
from paxon.sim.plan import HOUR_MS, MINUTE_MS, RATE_ERROR_PPM_MAX, Plan
from paxon.sim.strikes import CRASH_POINTS, FILE_POINTS, PARTS, Strikes
from paxon.sim.victims import Later, Victims

EVENTS_BEFORE_CRASH_MAX = 12
"""A crash comes after up to so many of the member's next events, so that it hits between any two of them."""

POINTS_BEFORE_CRASH_MAX = 2
"""A crash at a point comes at the first of its kind or the one after: some points are rare."""

LOOP_DEATHS_MAX = 6
LOOP_DOWN_MS_MAX = 60
LOOP_POINTS_MAX = 40
"""How often a process dies in a loop, how soon a supervisor starts it, and how far it gets: mostly not through its
start, for that has some twenty points."""

ROLLING_GAP_MS = (100, 1_500)
"""From one restart of a rolling one to the next."""

DAY_MS = 24 * HOUR_MS

STROBES = 20
STROBE_MS = 100
"""A strobe moves a wall clock to and fro so often, and so fast."""

RATE_PPM = (MILLION - RATE_ERROR_PPM_MAX, MILLION + RATE_ERROR_PPM_MAX)
"""How slow and how fast a monotonic clock may run."""

RATE_MS = (500, 8_000)


class MachineHand:
    """Does one of it whenever it is told to."""

    def __init__(
        self, faults: Later, agenda: Agenda, strikes: Strikes, random: Random, plan: Plan, victims: Victims
    ) -> None:
        self._faults = faults
        self._agenda = agenda
        self._strikes = strikes
        self._random = random
        self._plan = plan
        self._victims = victims

    # --- processes ---

    def crash(self) -> None:
        """Kill one between two of its events."""
        member = self._some_alive()
        if member is not None:
            down_ms = self._random.randint(*self._plan.machines.down_ms)
            events = self._random.randint(1, EVENTS_BEFORE_CRASH_MAX)
            if self._strikes.strike("P1", f"kill {member} after {events} events, for {down_ms} ms"):
                self._victims.doom(member, events, down_ms)

    def light_fuse(self) -> None:
        """Let one die in the middle of an event: what the fuse reaches counts as the strike."""
        member = self._random.choice(self._plan.members)
        down_ms = self._random.randint(*self._plan.machines.down_ms)
        left = self._random.randrange(POINTS_BEFORE_CRASH_MAX)
        self._victims.light_fuse(member, (self._random.choice(CRASH_POINTS),), left, down_ms)

    def blackout(self) -> None:
        """Kill everybody."""
        downs_ms = {member: self._random.randint(1, 1_000) for member in self._victims.alive}
        leap_ms = self._random.randint(HOUR_MS // 4, HOUR_MS)
        if self._strikes.strike("P6", f"kill everybody for {leap_ms} ms", "all at once"):
            for member, down_ms in downs_ms.items():
                self._victims.crash(member, down_ms)
            self._agenda.leap(leap_ms)

    def restart_some(self) -> None:
        """A crash loop, a rolling restart, or a second process."""
        member = self._some_alive()
        if member is None:
            return
        match self._random.randrange(3):
            case 0:
                self._loop(member)
            case 1:
                self._restart_in_turn()
            case _:
                if self._strikes.strike("P6", f"start {member} a second time", "second process"):
                    self._victims.start_twice(member)

    def pause(self) -> None:
        """Stop one without its noticing."""
        member = self._some_alive()
        if member is None:
            return
        random, machines = self._random, self._plan.machines
        form, pause_ms = "short", random.randint(*machines.pause_ms)
        if machines.long_pause and random.random() < machines.long_pause:
            form, pause_ms = "a minute", random.randint(MINUTE_MS // 6, MINUTE_MS)
        if self._strikes.strike("P3", f"stop {member} for {pause_ms} ms", form):
            self._victims.pause(member, pause_ms)

    def slow_down(self) -> None:
        """Let one take its time."""
        member, machines = self._some_alive(), self._plan.machines
        if member is None:
            return
        slow_ms, step_ms = self._random.randint(*machines.slow_ms), self._random.randint(*machines.step_ms)
        if self._strikes.strike("P4", f"let {member} take {step_ms} ms over every event for {slow_ms} ms"):
            self._victims.slow_down(member, step_ms)
            self._faults.later(slow_ms, "fast again", lambda: self._victims.slow_down(member, 0))

    def run_short(self) -> None:
        """Let one lack memory at its next step of some kind, or open files for a while."""
        member = self._random.choice(self._plan.members)
        place = self._random.choice(PARTS["P5"])
        short_ms = self._random.randint(*self._plan.machines.shortage_ms)
        if place != "open files":
            self._victims.exhaust_memory(member, place)
        elif self._strikes.strike("P5", f"{member} cannot open files for {short_ms} ms", place):
            self._victims.exhaust_descriptors(member, True)
            self._faults.later(short_ms, "files again", lambda: self._victims.exhaust_descriptors(member, False))

    # --- disks ---

    def fail_sync(self) -> None:
        """Let one sync fail."""
        member = self._some_alive()
        if member is not None and self._strikes.strike("D2", f"fail the next sync of {member}"):
            self._victims.fail_sync(member)

    def fill_disk(self) -> None:
        """Let a disk have no room for a while."""
        member = self._random.choice(self._plan.members)
        full_ms = self._random.randint(*self._plan.machines.full_ms)
        if self._strikes.strike("D3", f"fill the disk of {member} for {full_ms} ms"):
            self._victims.fill_disk(member, True)
            self._faults.later(full_ms, "disk has room", lambda: self._victims.fill_disk(member, False))

    # --- clocks ---

    def step_clock(self) -> None:
        """Let a wall clock jump."""
        random, victims = self._random, self._victims
        member, by_ms = random.choice(self._plan.members), random.randint(-MINUTE_MS, MINUTE_MS)
        days = random.choice((-DAY_MS, DAY_MS))
        what = f"move the wall clock of {member}"
        match random.randrange(8):
            case 0:
                if self._strikes.strike("C1", f"{what} by a day", "a day"):
                    victims.step_wall_clock(member, days)
            case 1:
                if self._strikes.strike("C1", f"{what} to 1970", "1970"):
                    victims.reset_wall_clock(member)
            case 2:
                if self._strikes.strike("C1", f"{what} to and fro by {by_ms} ms", "strobe"):
                    self._strobe(member, by_ms, STROBES)
            case _:
                if self._strikes.strike("C1", f"{what} by {by_ms} ms", "minutes"):
                    victims.step_wall_clock(member, by_ms)

    def change_rate(self) -> None:
        """Let a monotonic clock run slow or fast for a while."""
        random = self._random
        member, rate_ppm = random.choice(self._plan.members), random.randint(*RATE_PPM)
        rate_ms = random.randint(*RATE_MS)
        if self._strikes.strike("C2", f"run the clock of {member} at {rate_ppm} ppm for {rate_ms} ms", "rate change"):
            self._victims.change_rate(member, rate_ppm)
            self._faults.later(rate_ms, "clock is right", lambda: self._victims.change_rate(member, MILLION))

    # --- inside ---

    def _some_alive(self) -> NodeId | None:
        alive = self._victims.alive
        return self._random.choice(alive) if alive else None

    def _loop(self, member: NodeId) -> None:
        random = self._random
        deaths = random.randint(2, LOOP_DEATHS_MAX)
        steps = [(random.randrange(LOOP_POINTS_MAX), random.randint(1, LOOP_DOWN_MS_MAX)) for _ in range(deaths)]
        if not self._strikes.strike("P6", f"kill {member} {deaths} times in succession", "crash loop"):
            return
        at_ms = 0
        for left, down_ms in steps:
            at_ms += 2 * LOOP_DOWN_MS_MAX
            self._faults.later(at_ms, "crash loop", partial(self._kill, member, left, down_ms))

    def _kill(self, member: NodeId, left: int, down_ms: int) -> None:
        """Kill a member, and let its next life end early, mostly before it has replayed its ledger."""
        self._victims.light_fuse(member, FILE_POINTS, left, down_ms)
        if member in self._victims.alive:
            self._victims.crash(member, down_ms)

    def _restart_in_turn(self) -> None:
        random, members = self._random, list(self._plan.members)
        random.shuffle(members)
        downs_ms = [random.randint(*self._plan.machines.down_ms) for _ in members]
        gaps_ms = [random.randint(*ROLLING_GAP_MS) for _ in members]
        if not self._strikes.strike("P6", f"restart {members} one after the other", "rolling restart"):
            return
        at_ms = 0
        for member, down_ms, gap_ms in zip(members, downs_ms, gaps_ms, strict=True):
            self._faults.later(at_ms, f"restart {member}", partial(self._victims.restart, member, down_ms))
            at_ms += down_ms + gap_ms

    def _strobe(self, member: NodeId, by_ms: int, left: int) -> None:
        if left:
            self._victims.step_wall_clock(member, by_ms if left % 2 else -by_ms)
            self._faults.later(STROBE_MS, "strobe", lambda: self._strobe(member, by_ms, left - 1))
