"""How clients of ``sim.replica`` reach members, and what members do unasked beside them.

Knows: attempts, each with a mark of its own; errands, and whether what is due has happened.  Does not
know: what is asked for.
"""

from collections.abc import Callable
from functools import partial

from paxon.core.decree import NodeId
from paxon.errors import RequestError
from paxon.node.proposals import Applied
from paxon.sim.dice import Dice
from paxon.sim.replica import marked
from paxon.sim.subject import Onlookers
from paxon.sim.workload import Parliament, Request, Workload

Ending = bytes | RequestError | None
"""How an attempt ends: with an answer, with an error, or with nothing, as the member is gone."""

PATIENCE_MS = (200, 4_000)
"""How long an attempt may take before another one is made, whatever becomes of the first."""

LOOK_EVERY_MS = 100
"""How often members look whether they have an errand."""

DUE_SOON_MS = 10_000
"""What is due so soon after everything else is done is waited for, so that nothing stirs in the quiet that comes after.
A wall clock that is behind decided time may leave something for later."""

OVERDUE_MS = 1_000
"""Nothing waits for longer than this after its time has come."""


class Attempt(Request):
    """A request whose end somebody hears of, and which nobody but he repeats."""

    def __init__(self, workload: Workload, member: NodeId, command: bytes, heard: Callable[[Ending], None]) -> None:
        super().__init__(workload, member, command, None)
        self._heard = heard

    def set_result(self, result: object, /) -> None:
        """See ``Reply``."""
        super().set_result(result)
        self._heard(result.result if isinstance(result, Applied) else None)

    def set_exception(self, error: Exception, /) -> None:
        """See ``Reply``."""
        super().set_exception(error)
        self._heard(error if isinstance(error, RequestError) else None)

    def lost(self) -> None:
        """See ``Request``."""
        super().lost()
        self._heard(None)

    def turned_away(self) -> None:
        """See ``Request``."""
        super().turned_away()
        self._heard(None)


class Post:
    """One run's way from clients to members."""

    def __init__(self, onlookers: Onlookers, workload: Workload, parliament: Parliament, random: Dice) -> None:
        self._agenda = onlookers.agenda
        self._oracle = onlookers.oracle
        self._counts = onlookers.trace.counts
        self._workload = workload
        self._members = parliament.members
        self._random = random
        self._attempts = 0
        self._errands: set[NodeId] = set()
        """Who has an errand under way."""
        self._is_quiet = False
        """Whether nothing was due soon, once."""

    def some_member(self) -> NodeId:
        """One of those that clients know."""
        return self._random.choice(self._workload.members)

    def submit(self, member: NodeId, request: bytes, heard: Callable[[Ending], None]) -> None:
        """Submit a request at a member, once, and hear how that ends, if it ever does."""
        self._attempts += 1
        command = marked(self._attempts, request)
        self._oracle.submitted(command)
        self._workload.begin(Attempt(self._workload, member, command, heard))

    def attempt(self, member: NodeId, request: bytes, heard: Callable[[Ending], None]) -> None:
        """Submit a request; whoever hears nothing for long is told so, and may hear an answer all the same."""
        is_heard = False

        def hear(ending: Ending) -> None:
            nonlocal is_heard
            # A failure that comes when another attempt is long under way is no reason for a third.
            if not is_heard or isinstance(ending, bytes):
                is_heard = True
                heard(ending)

        def lose_patience() -> None:
            if not is_heard:
                hear(None)

        self.submit(member, request, hear)
        if not is_heard:
            self._agenda.after(self._random.randint(*PATIENCE_MS), "patience", lose_patience)

    # --- errands ---

    def run_errands(self) -> None:
        """Every member does what it has to do unasked, one thing at a time, from here on."""
        self._agenda.after(LOOK_EVERY_MS, "errands", self.run_errands)
        for member in self._workload.members:
            request = self._members[member].errand() if member not in self._errands else None
            if request is not None:
                self._errands.add(member)
                self._counts["errands"] += 1
                self.submit(member, request, partial(self._over, member))

    def _over(self, member: NodeId, ending: Ending) -> None:
        self._errands.discard(member)

    def unfinished(self) -> str:
        """What members still have to do unasked, in words.  Asked when clients are done."""
        for member in self._workload.members:
            if not self._is_quiet and self._members[member].errand() is not None:
                return f"member {member} has an errand"
            # Members that were left behind may still hand in what clients asked of them long ago.
            if self._members[member].is_due(-OVERDUE_MS if self._is_quiet else DUE_SOON_MS):
                return f"what is due has not happened, and member {member} leads"
        self._is_quiet = True
        return ""
