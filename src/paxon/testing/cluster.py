"""A simulated cluster in a test's hands.

Everything of it is the code that ships, except that network, disks and clocks are simulated. Time
stands still between two calls, and passes while a call waits for something; a test takes no longer
than the computing. After every step the oracle of the simulator looks at every rule, so a test
that uses this checks much more than it says.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from paxon.core.decree import NodeId
from paxon.core.roster import Majority
from paxon.core.slip import Polling
from paxon.errors import ConfigurationError, DeadlineExceeded, Unreachable
from paxon.rsm.contract import Context, StateMachine
from paxon.rsm.machine import ByteMachine
from paxon.sim.guard.machine import GuardedMachine, enclosed
from paxon.sim.guard.subject import UserSubject
from paxon.sim.guard.typed import user_machine
from paxon.sim.machine import answer_of
from paxon.sim.partitions import both_ways
from paxon.sim.plan import MEMBERS_MAX, Plan
from paxon.sim.world import Violation, World
from paxon.testing.failure import SimulationFailed
from paxon.testing.requests import HandRequest, Pending, milliseconds, unwrapped
from paxon.testing.views import TIMEOUT_S, MemberView

SETTLE_S = 20.0
"""How long ``settle`` waits, in virtual seconds: tens of elections."""

GRACE_MS = 1_000
"""How much longer than a request's time one waits for its answer.  Members look at deadlines from time to time."""

MachineT = TypeVar("MachineT", bound=ByteMachine | StateMachine)
M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")


class SimulatedCluster(Generic[MachineT]):
    """A cluster of ``members`` members, numbered from 1, each with a machine that ``machine()`` makes.

    ``seed`` decides how long letters and syncs take, and nothing else is left to chance. Use it in
    a ``with`` statement, or ``close`` it: at the end, everything that was decided is applied once
    more elsewhere, to see that the machine depends on nothing but its commands.

    Every method may raise ``SimulationFailed``, with the rule that broke.
    """

    def __init__(self, machine: Callable[[], MachineT], members: int = 3, seed: int = 0) -> None:
        """Start it.  ``machine`` is a class derived from ``paxon.StateMachine``, or one of a ``ByteMachine``.

        Raises:
            ConfigurationError: if ``machine`` makes no state machine, or ``members`` is not 1 to 9.
        """
        if not 1 <= members <= MEMBERS_MAX:
            raise ConfigurationError(f"a simulated cluster has 1 to {MEMBERS_MAX} members, not {members}")
        everyone = tuple(NodeId(number) for number in range(1, members + 1))
        subject = UserSubject.by_hand(machine)
        self._signature = subject.signature
        self._world = World(seed, Plan("a test", Majority(everyone)), subject=subject)
        self._commands = 0
        self._is_over = False
        with self._moving():
            for number in everyone:
                self._world.boot(number)

    # --- what clients do ---

    @overload
    def submit(self, command: bytes, /, at: int | None = None, timeout: float = TIMEOUT_S) -> bytes: ...
    @overload
    def submit(
        self, command: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs
    ) -> R: ...
    def submit(self, command: Any, /, *arguments: Any, **named: Any) -> Any:
        """Have ``command`` decided and applied, and return its result.

        cluster.submit(b"ada 5", at=2)                      # bytes, for a machine of bytes
        cluster.submit(Inventory.supply, "sku-1", 5)        # a typed command and its arguments
        cluster[2].submit(Inventory.supply, "sku-1", 5)     # the same at member 2

        It is given to the member ``at``, or to the leader, or to whoever runs; ``timeout`` is in
        virtual seconds.

        Raises:
            Rejected: the typed command's own refusal, of its own class.
            Unreachable: if that member is down or paused. Not applied.
            ApplyFailed: if the machine raised on it.
            OutcomeUnknown: if nobody can tell in time whether it was applied.
            RequestError: if it was refused. Not applied.
            ContractError, TypeError: if the typed call makes no sense; nothing was submitted.
        """
        if callable(command):
            return self._view().submit(command, *arguments, **named)
        return self.begin(command, *arguments, **named).result()

    def begin(self, command: bytes, at: int | None = None, timeout: float = TIMEOUT_S) -> Pending[bytes]:
        """As ``submit``, without waiting: time stands still until something else lets it pass.

        For typed commands see ``cluster[2].begin(...)``.

        Raises:
            Unreachable: if that member is down or paused. Not applied.
        """
        return self._begin(command, at, timeout, bytes)

    def query(self, question: bytes, at: int | None = None, timeout: float = TIMEOUT_S, stale: bool = False) -> bytes:
        """The machine's answer to ``question`` at the member ``at``, or at the leader, or at whoever runs.

        It sees every command that was acknowledged before; with ``stale``, only what that member knows.

        Raises:
            Unreachable: if that member is down or paused.
            ApplyFailed: if the machine raised.
            RequestError: if the member cannot be sure in time to see all.
        """
        if stale:
            guarded = self._guarded(self._whom(at))
            with self._moving():
                answer = answer_of(guarded, question)
            return unwrapped(answer)
        return self._finish(*self._start(None, question, at, timeout))

    def read(self, query: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """The typed ``query`` at the leader, or at whoever runs; see ``query`` for what it sees and raises."""
        return self._view().read(query, *arguments, **named)

    def __getitem__(self, member: int) -> "MemberView":
        """One member, running or not, for typed calls at it.

        Raises:
            ConfigurationError: if there is no such member, or the machine has no typed calls.
        """
        return self._view(self._number(member))

    def _view(self, at: int | None = None) -> "MemberView":
        if self._signature is None:
            raise ConfigurationError("this cluster's machine has no typed calls: submit and query bytes")
        return MemberView(self._signature, self._begin, self.query, at)

    def _begin(self, command: bytes, at: int | None, timeout: float, read: Callable[[bytes], R]) -> Pending[R]:
        self._commands += 1
        inside = enclosed(self._commands, command)
        with self._moving():
            self._world.oracle.submitted(inside)
        request, timeout_ms = self._start(inside, None, at, timeout)
        return Pending(request, lambda: read(self._finish(request, timeout_ms)))

    # --- what befalls the cluster ---

    def partition(self, *groups: Iterable[int]) -> None:
        """Cut every link between members of different ``groups``.  Members in no group keep all their links."""
        sides = [[self._number(member) for member in group] for group in groups]
        for one, other in combinations(sides, 2):
            self._world.network.cut |= both_ways(one, other)

    def cut(self, sender: int, to: int) -> None:
        """Lose everything that ``sender`` sends to ``to``; the other way stays open."""
        self._world.network.cut.add((self._number(sender), self._number(to)))

    def heal(self) -> None:
        """Every link works again.  Members that are down, paused or out of room stay so."""
        self._world.network.cut.clear()

    def crash(self, member: int) -> None:
        """Kill a member's process.  It stays down until ``restart``, and its clients do not learn their outcome."""
        self._end(member, power_cut=False)

    def power_cut(self, member: int) -> None:
        """As ``crash``, and what its disk was not done with syncing is lost, kept or torn."""
        self._end(member, power_cut=True)

    def restart(self, member: int) -> None:
        """Start a member that is down, on what its disk has."""
        with self._moving():
            self._world.boot(self._number(member))

    def pause(self, member: int, seconds: float) -> None:
        """Let a member notice nothing for ``seconds``, as if its process were stopped."""
        self._world.fates.pause(self._number(member), milliseconds(seconds))

    def skew_clock(self, member: int, seconds: float) -> None:
        """Move a member's wall clock, backwards if ``seconds`` is negative."""
        self._world.fates.step_wall_clock(self._number(member), milliseconds(seconds))

    def fill_disk(self, member: int) -> None:
        """Leave a member no room for more writes, until ``free_disk``.

        Up to 32 KiB that its ledger file has already reserved are used up first.
        """
        self._world.fates.fill_disk(self._number(member), True)

    def free_disk(self, member: int) -> None:
        """Give a member's disk room again."""
        self._world.fates.fill_disk(self._number(member), False)

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self._moving():
            self._world.run_until(self._world.agenda.now_ms + milliseconds(seconds))

    def settle(self, timeout: float = SETTLE_S) -> None:
        """Let time pass until one member leads and every running one has applied everything that was decided.

        That their machines are then equal needs no look of yours: each was compared after every command.

        Raises:
            SimulationFailed: if that takes longer than ``timeout`` virtual seconds, with what is missing.
        """
        deadline_ms = self._world.agenda.now_ms + milliseconds(timeout)
        while missing := self._missing():
            if self._world.agenda.now_ms >= deadline_ms:
                raise SimulationFailed(f"not settled after {timeout} s: {missing}")
            with self._moving():
                self._world.step(deadline_ms)

    # --- looking ---

    @property
    def now(self) -> float:
        """Virtual seconds since the cluster was made."""
        return self._world.agenda.now_ms / 1000

    @property
    def members(self) -> tuple[int, ...]:
        """Every member, running or not."""
        return tuple(self._world.plan.members)

    @property
    def running(self) -> tuple[int, ...]:
        """The members that are not down."""
        return tuple(self._world.alive)

    @property
    def leader(self) -> int | None:
        """Who leads; of two that believe so, the one elected last.  ``None`` if nobody does."""
        leading = [
            (slip.ballot, member.number)
            for member in self._world.members.values()
            if member.host is not None and isinstance(slip := member.host.legislator.slip, Polling)
        ]
        return max(leading)[1] if leading else None

    def machine(self, member: int) -> MachineT:
        """The machine of a running member, to look at.  Changing it is a way to see the simulation fail.

        Raises:
            Unreachable: if the member is down.
        """
        return cast(MachineT, user_machine(self._guarded(self._number(member)).machine))

    # --- the end ---

    def close(self) -> None:
        """Apply everything once more, here and in interpreters with other hash seeds.  Closing twice is harmless."""
        if not self._is_over:
            with self._moving():
                self._world.workload.witness.judge()
            self._is_over = True

    def __enter__(self) -> "SimulatedCluster[MachineT]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    # --- how it is done ---

    @contextmanager
    def _moving(self) -> Iterator[None]:
        try:
            with self._world.watched():
                yield
        except Violation as violation:
            self._is_over = True
            raise SimulationFailed(str(violation)) from None

    def _number(self, member: int) -> NodeId:
        if member not in self._world.members:
            raise ConfigurationError(f"there is no member {member}: they are 1 to {len(self._world.members)}")
        return NodeId(member)

    def _whom(self, at: int | None) -> NodeId:
        if at is not None:
            return self._number(at)
        return self._number(self.leader or next(iter(self._world.alive), 1))

    def _guarded(self, number: NodeId) -> GuardedMachine:
        machine = self._world.members[number].machine
        if not isinstance(machine, GuardedMachine):
            raise Unreachable(f"member {number} is down")
        return machine

    def _start(
        self, command: bytes | None, question: bytes | None, at: int | None, timeout: float
    ) -> tuple[HandRequest, int]:
        world, workload, timeout_ms = self._world, self._world.workload, milliseconds(timeout)
        request = HandRequest(workload, self._whom(at), command, question)
        workload.outstanding[request] = None
        with self._moving():
            if command is None:
                is_taken = world.read(request.member, request, timeout_ms)
            else:
                is_taken = world.submit(request.member, command, request, timeout_ms)
            if not is_taken:
                workload.outstanding.pop(request)
                workload.tell_refused(request)
                if command is not None:
                    world.oracle.refused(command)
        if not is_taken:
            raise Unreachable(f"member {request.member} is down or paused; nothing was applied")
        return request, timeout_ms

    def _finish(self, request: HandRequest, timeout_ms: int) -> bytes:
        deadline_ms = self._world.agenda.now_ms + timeout_ms + GRACE_MS
        with self._moving():
            while not request.is_over and self._world.agenda.now_ms < deadline_ms:
                self._world.step(deadline_ms)
        if not request.is_over:
            raise DeadlineExceeded(f"member {request.member} does not answer")
        if request.error is not None:
            raise request.error
        return unwrapped(request.outcome)

    def _end(self, member: int, power_cut: bool) -> None:
        number = self._number(member)
        with self._moving():
            self._world.members[number].crash(power_cut)
            self._world.workload.lost_member(number)

    def _missing(self) -> str:
        world = self._world
        if self.leader is None:
            return "nobody leads"
        behind = [
            member.number
            for member in world.members.values()
            if member.host is not None and member.host.applied_until != world.oracle.history.passed_until
        ]
        if behind:
            return f"members {behind} have not applied everything"
        return f"{len(world.workload.outstanding)} requests have no answer" if world.workload.outstanding else ""


class ClusterFactory(Protocol):
    """What the fixture ``simulated_cluster`` is."""

    def __call__(self, machine: Callable[[], MachineT], members: int = 3, seed: int = 0) -> SimulatedCluster[MachineT]:
        """As ``SimulatedCluster``."""
