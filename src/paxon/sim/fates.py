"""What befalls members: the world's side of every fault of a process, a disk or a clock.

Knows: the members and their lives.  Does not know: when anything is due, or why.
"""

import errno
from collections.abc import Collection
from random import Random
from typing import Protocol

from paxon.core.decree import NodeId
from paxon.errors import LedgerInUse, check
from paxon.node.status import Role
from paxon.sim.agenda import Agenda, Life, Trace
from paxon.sim.clock import MILLION
from paxon.sim.directory import ROOM
from paxon.sim.member import Member
from paxon.sim.strikes import Strikes

GOODBYE_MS = 300
"""How long a member that is stopped in good order has to hand over what it has."""

HINT_MS_MAX = 50
"""How late a member hears of a broken link."""


class Lives(Protocol):
    """Who ends and watches lives."""

    def crash(self, member: NodeId, down_ms: int) -> None:
        """End a process at once, perhaps with its machine's power, and start it after ``down_ms``."""

    def end(self, member: NodeId, is_cut: bool, down_ms: int) -> None:
        """End a process, with its machine's power or without, and start it after ``down_ms``."""

    def look_at(self, life: Life) -> None:
        """Something was done to a process from outside an event of its own."""


class Fates:
    """Satisfies ``Victims``."""

    def __init__(
        self,
        agenda: Agenda,
        trace: Trace,
        strikes: Strikes,
        random: Random,
        members: dict[NodeId, Member],
        lives: Lives,
    ) -> None:
        self._agenda = agenda
        self._trace = trace
        self._strikes = strikes
        self._random = random
        self._members = members
        self._lives = lives
        self._leaving: dict[NodeId, Life] = {}
        """Those that were stopped in good order and are about to end."""

    @property
    def alive(self) -> list[NodeId]:
        """See ``Victims``."""
        return [member.number for member in self._members.values() if member.is_alive]

    @property
    def leader(self) -> NodeId | None:
        """See ``Victims``."""
        hosts = {number: member.host for number, member in self._members.items()}
        leaders = [number for number, host in hosts.items() if host is not None and host.role is Role.LEADER]
        return leaders[0] if leaders else None

    def crash(self, member: NodeId, down_ms: int) -> None:
        """See ``Victims``."""
        self._lives.crash(member, down_ms)

    def doom(self, member: NodeId, events: int, down_ms: int) -> None:
        """See ``Victims``."""
        self._members[member].doom = (events, down_ms)

    def light_fuse(self, member: NodeId, points: Collection[str], left: int, down_ms: int) -> None:
        """See ``Victims``."""
        self._members[member].fuse.light(points, left, down_ms)

    def restart(self, member: NodeId, down_ms: int) -> None:
        """See ``Victims``."""
        host, life = self._members[member].host, self._members[member].life
        if host is None or life is None or life.is_paused:
            return
        if self._members[member].takes_part:
            # One that does not yet has nothing to hand over; see ``Node.retire``.
            host.stop()
            self._lives.look_at(life)

        self._leaving[member] = life
        self._agenda.after(GOODBYE_MS, f"end of {member}", lambda: self._leave(member, life, down_ms))

    def _leave(self, member: NodeId, life: Life, down_ms: int) -> None:
        if self._leaving.get(member) is life and life.alive:
            del self._leaving[member]
            self._trace.counts["restarts"] += 1
            self._lives.end(member, False, down_ms)

    def start_twice(self, member: NodeId) -> None:
        """See ``Victims``."""
        if not self._members[member].is_alive:
            return
        before = self._members[member].directory.contents()
        try:
            self._members[member].open(self._members[member].directory.of_another_process())
        except LedgerInUse:
            pass
        else:
            check(False, f"a second process is refused the directory of member {member}")
        after = self._members[member].directory.contents()
        check(before == after, f"a process that is refused the directory of member {member} leaves it alone")

    def pause(self, member: NodeId, pause_ms: int) -> None:
        """See ``Victims``."""
        life = self._members[member].life
        if life is None or life.is_paused:
            return
        self.pause_for_good(member)
        self._trace.watcher.paused(member, pause_ms)
        number = life.pauses

        def resume() -> None:
            if life.pauses == number:
                self._resume(life)

        self._agenda.after(pause_ms, f"resume {member}", resume)

    def pause_for_good(self, member: NodeId) -> None:
        """Stop a member without its noticing, and without an end."""
        life = self._members[member].life
        if life is not None:
            life.is_paused = True
            life.pauses += 1

    def _resume(self, life: Life) -> None:
        if not (life.is_paused and life.alive):
            return
        late = sum(event.clock_ms is not None and event.action is not None for event in life.postponed)
        is_burst = late > 0 and self._strikes.strike("C3", f"{late} timers of {life.member} are late all at once")
        self._agenda.resume(life, 0 if is_burst else 1)

    def slow_down(self, member: NodeId, step_ms: int) -> None:
        """See ``Victims``."""
        life = self._members[member].life
        if life is not None and step_ms:
            life.step_ms = step_ms
        elif life is not None:
            self._agenda.hasten(life)

    def hint(self, member: NodeId, peer: NodeId) -> None:
        """See ``Victims``."""
        at = self._members[member]
        if at.is_alive and at.life is not None:
            delay_ms = self._random.randint(0, HINT_MS_MAX)
            self._agenda.after(delay_ms, f"hint {member} {peer}", lambda: at.lose_link(peer), at.life)

    def fill_disk(self, member: NodeId, is_full: bool) -> None:
        """See ``Victims``."""
        directory = self._members[member].directory
        directory.is_full = is_full
        directory.full_errno = self._random.choice((errno.ENOSPC, errno.EDQUOT))
        # A file system may have no room for one thing and some for another: blocks, inodes and directories are apart.
        directory.full_for = self._random.choice((ROOM, ROOM, frozenset({"grow"}), frozenset({"rename"})))

    def fail_sync(self, member: NodeId) -> None:
        """See ``Victims``."""
        self._members[member].directory.fails_sync = True

    def step_wall_clock(self, member: NodeId, by_ms: int) -> None:
        """See ``Victims``."""
        self._members[member].quartz.step_wall(self._agenda.now_ms, by_ms)

    def reset_wall_clock(self, member: NodeId) -> None:
        """See ``Victims``."""
        quartz, now_ms = self._members[member].quartz, self._agenda.now_ms
        quartz.step_wall(now_ms, -quartz.wall_ms(now_ms))

    def change_rate(self, member: NodeId, rate_ppm: int) -> None:
        """See ``Victims``."""
        self._members[member].change_rate(rate_ppm)

    def exhaust_memory(self, member: NodeId, place: str) -> None:
        """See ``Victims``."""
        self._members[member].shortages.next = place

    def exhaust_descriptors(self, member: NodeId, has_none: bool) -> None:
        """See ``Victims``."""
        self._members[member].directory.has_no_descriptors = has_none

    def heal(self, number: NodeId) -> None:
        """Nothing is wrong any more with a member's process, disk and clock."""
        member = self._members[number]
        if number in self._leaving:
            self._leave(number, self._leaving[number], 0)
        member.doom = member.shortages.next = None
        member.fuse.put_out()
        directory = member.directory
        directory.is_full = directory.fails_sync = directory.has_no_descriptors = False
        member.change_rate(MILLION)
        if member.life is not None:
            self._resume(member.life)
            self._agenda.hasten(member.life)
