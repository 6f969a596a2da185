"""The hand that damages disks, mixes up directories and addresses, and knows how many the others can spare.

Knows: which member may lose its disk for good.  Does not know: what a member makes of it; ``world``
sees to that what it makes of it is right.

Theory of operation.  Some of this ends a member for good, and rightly: what is damaged beyond
repair, or has forgotten what it vouched for, must not vote.  So the members that were struck so
are never more than the quorums can do without, and nobody is struck before everybody's storage is
known to the others.  Everything else a member outlives.
"""

import errno
from collections.abc import Callable
from random import Random
from typing import Protocol

from paxon.core.decree import NodeId, Slot
from paxon.core.roster import Rosters
from paxon.sim.agenda import Agenda
from paxon.sim.atlas import FATAL, REPAIRABLE, Damage, End
from paxon.sim.directory import Image, SimDirectory
from paxon.sim.fuse import Fuse
from paxon.sim.greetings import Addresses, Stranger
from paxon.sim.member import Member
from paxon.sim.plan import Plan
from paxon.sim.strikes import Strikes

LIE_MS = (100, 1_500)
"""How long a disk only pretends before its power goes."""

COPY_MS = (200, 4_000)
"""How old a copy is when it is put back or started."""


RESTARTED = 0.7
"""How often a damaged disk is read again at once."""

SWAPPED = 0.6
"""How often a wrong address is another member's, and not of another cluster."""


class Owners(Protocol):
    """What the world does with members whose disk was struck."""

    def crash(self, member: NodeId, down_ms: int) -> None:
        """End a process; it comes back on what its disk then has."""

    def cut_power(self, member: NodeId, down_ms: int) -> None:
        """The same with everything that was not synced in doubt."""

    def start_copy(self, member: NodeId, directory: SimDirectory) -> None:
        """Start a second process on a copy of a member's directory."""


class DiskFaults:
    """All of it for one run, until ``stop``."""

    def __init__(
        self,
        agenda: Agenda,
        strikes: Strikes,
        random: Random,
        plan: Plan,
        rosters: Rosters,
        members: dict[NodeId, Member],
        addresses: Addresses,
        owners: Owners,
    ) -> None:
        self._agenda = agenda
        self._strikes = strikes
        self._random = random
        self._plan = plan
        self._rosters = rosters
        self._members = members
        self._addresses = addresses
        self._owners = owners
        self.spent: set[NodeId] = set()
        """Members that may stay out for good."""
        self.copied: set[NodeId] = set()
        """Members of whose directory a copy was started: as far as the others know, that one may be the member."""
        self._is_over = False

    def start(self) -> None:
        """Begin."""
        self._repeat(self._plan.machines.disk_fault_every_ms, "disk fault", self._strike_a_disk)
        if len(self._plan.members) > 1:
            self._repeat(self._plan.network.address_every_ms, "address", self._move_an_address)

    def stop(self) -> None:
        """No more, and what can be made good is."""
        self._is_over = True
        self._addresses.moved.clear()
        for member in self._members.values():
            member.directory.read_only_errno = 0
            member.directory.end_lie()

    def _repeat(self, every_ms: int, name: str, action: Callable[[], None]) -> None:
        if every_ms:
            self._later(
                1 + int(self._random.expovariate(1 / every_ms)), name, lambda: self._again(every_ms, name, action)
            )

    def _again(self, every_ms: int, name: str, action: Callable[[], None]) -> None:
        action()
        self._repeat(every_ms, name, action)

    def _later(self, delay_ms: int, name: str, action: Callable[[], None]) -> None:
        def unless_over() -> None:
            if not self._is_over:
                action()

        self._agenda.after(delay_ms, name, unless_over)

    # --- disks ---

    def _strike_a_disk(self) -> None:
        member = self._members[self._random.choice(self._plan.members)]
        harmless = (self._rot_one_copy, self._make_read_only)
        final = (self._rot, self._rot, self._lie, self._put_back, self._copy, self._wipe)
        kind = self._random.choice((*harmless, *final))
        # Struck once at a time: what a start has to show would not be known otherwise.
        if member.lost or member.damage is not None or member.directory.lies or member.directory.has_no_descriptors:
            return
        if kind in harmless or self._can_spare(member.number):
            kind(member)

    def _can_spare(self, number: NodeId) -> bool:
        """Whether the others can do without this member, and each of them knows its storage."""
        if not all(member.is_introduced for member in self._members.values()):
            return False
        roster = self._rosters.of(Slot(1))
        left = set(self._plan.members) - self.spent - {number}
        return roster.is_promise_quorum(left) and roster.is_vote_quorum(left)

    def _rot_one_copy(self, member: Member) -> None:
        self._damage(member, self._random.choice(REPAIRABLE)(member.directory, self._random))

    def _rot(self, member: Member) -> None:
        places = self._random.sample(FATAL, len(FATAL))
        damage = next(filter(None, (place(member.directory, self._random) for place in places)), None)
        if self._damage(member, damage):
            self.spent.add(member.number)

    def _damage(self, member: Member, damage: Damage | None) -> bool:
        """Damage a disk, and sometimes restart its member at once; otherwise it is found out whenever it is."""
        is_restarted, down_ms = self._random.random() < RESTARTED, self._random.randint(10, 500)
        if damage is None or not self._strikes.strike(damage.fault, f"member {member.number}: {damage.what}"):
            return False
        damage.apply()
        member.damage = damage
        if is_restarted and member.is_alive:
            self._owners.crash(member.number, down_ms)
        return True

    def _make_read_only(self, member: Member) -> None:
        number = self._random.choice((errno.EROFS, errno.EACCES, errno.EIO))
        for_ms = self._random.randint(50, 1_500)
        what = f"member {member.number}: no change of a file for {for_ms} ms (errno {number})"
        if self._strikes.strike("D8", what):
            member.directory.read_only_errno = number
            self._later(for_ms, "changes again", lambda: setattr(member.directory, "read_only_errno", 0))

    def _lie(self, member: Member) -> None:
        lie_ms, down_ms = self._random.randint(*LIE_MS), self._random.randint(10, 500)
        what = f"member {member.number}: syncs are pretended for {lie_ms} ms, and then the power goes"
        if not self._strikes.strike("D4", what):
            return
        self.spent.add(member.number)
        member.directory.begin_lie()
        # From here on a crash of any kind may show it.
        member.damage = Damage("D4", what, End.FORGOTTEN, lambda: None)

        def cut() -> None:
            # Unless the power went meanwhile, and with it what was pretended.
            if member.directory.lies:
                self._owners.cut_power(member.number, down_ms)

        self._later(lie_ms, "the power goes", cut)

    def _put_back(self, member: Member) -> None:
        age_ms, down_ms = self._random.randint(*COPY_MS), self._random.randint(10, 500)
        what = f"member {member.number}: a copy of {age_ms} ms ago is put back"
        if not self._strikes.strike("D9", what):
            return
        self.spent.add(member.number)
        image = member.directory.image()
        damage = Damage("D9", what, End.FORGOTTEN, lambda: member.directory.put_back(image))
        self._later(age_ms, "an older copy is put back", lambda: self._replace(member, damage, down_ms))

    def _wipe(self, member: Member) -> None:
        down_ms = self._random.randint(10, 500)
        what = f"member {member.number}: the directory is emptied"
        if not self._strikes.strike("D9", what):
            return
        self.spent.add(member.number)

        def wipe() -> None:
            member.directory.put_back(Image({}))
            member.storages += 1

        self._replace(member, Damage("D9", what, End.FORGOTTEN, wipe), down_ms)

    def _replace(self, member: Member, damage: Damage, down_ms: int) -> None:
        if member.lost or member.damage is not None:
            return
        if member.is_alive:
            self._owners.crash(member.number, down_ms)
        damage.apply()
        member.damage = damage

    def _copy(self, member: Member) -> None:
        age_ms = self._random.randint(*COPY_MS)
        what = f"member {member.number}: a second process starts on a copy of {age_ms} ms ago"
        if not self._strikes.strike("D9", what):
            return
        self.spent.add(member.number)
        image = member.directory.image()

        def start() -> None:
            copy = SimDirectory(member.number, self._random, Fuse(member.number, self._strikes))
            copy.put_back(image)
            self.copied.add(member.number)
            self._owners.start_copy(member.number, copy)

        self._later(age_ms, "a copy starts", start)

    # --- addresses ---

    def _move_an_address(self) -> None:
        number, other = self._random.sample(self._plan.members, 2)
        for_ms = self._random.randint(100, 2_000)
        is_swapped = self._random.random() < SWAPPED
        where = f"that of member {other}, and the other way about" if is_swapped else "another cluster's member"
        if not self._strikes.strike("N9", f"the address of member {number} is {where}, for {for_ms} ms"):
            return
        stranger = Stranger(number)
        moved: dict[NodeId, NodeId | Stranger] = {number: other, other: number} if is_swapped else {number: stranger}
        self._addresses.moved.update(moved)
        for process in list(self._addresses.processes.values()):
            for one in moved:
                process.lose(one)
        if not is_swapped:
            # The other cluster has the same mistake in its configuration.
            for process in list(self._addresses.processes.values()):
                process.answer(stranger.hello(process.life.member))

        def move_back() -> None:
            for one in moved:
                self._addresses.moved.pop(one, None)
            for process in list(self._addresses.processes.values()):
                for one in moved:
                    process.lose(one)

        self._later(for_ms, "addresses are right again", move_back)
