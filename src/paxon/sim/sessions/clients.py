"""All clients with sessions of one run, and what members do unasked beside them.

Knows: how attempts get to members, and when everything that is owed is done.  Does not know: what
a session does with its answers.
"""

from collections.abc import Callable
from functools import partial

from paxon.core.decree import NodeId
from paxon.errors import RequestError
from paxon.node.proposals import Applied
from paxon.sim.dice import Dice
from paxon.sim.sessions.client import Ending, SimSession
from paxon.sim.sessions.judge import Judge, Order
from paxon.sim.sessions.machine import Failing, marked
from paxon.sim.sessions.witness import SessionWitness
from paxon.sim.subject import Onlookers
from paxon.sim.workload import Parliament, Request, Workload

CLIENTS = (1, 5)
"""How many there are, each with one session at a time."""

WITHOUT_SESSION = 0.1
"""How often a command comes without a session, from a client that never sends it again."""

LOOK_EVERY_MS = 100
"""How often members look whether they have an errand."""

DUE_SOON_MS = 10_000
"""What is due so soon after everything else is done is waited for: nothing stirs until then, and the quiet that comes
after is shorter.  A wall clock that is behind decided time may leave something for later."""

REJECTED, BROKEN = 0.06, 0.04
"""How many commands fail, in either way."""

CLOSES_AT_END = 0.5
"""How many sessions are closed after the storm; the others lapse."""


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


class SessionClients:
    """Satisfies ``Clients``, and ``Exchange`` for their sessions."""

    def __init__(
        self,
        seed: int,
        onlookers: Onlookers,
        workload: Workload,
        parliament: Parliament,
        judge: Judge,
        witness: SessionWitness,
    ) -> None:
        self.agenda = onlookers.agenda
        self.judge = judge
        self.random = Dice(f"{seed}/sessions")
        self.is_ending = False
        self._oracle = onlookers.oracle
        self._strikes = onlookers.strikes
        self._workload = workload
        self._parliament = parliament
        self._witness = witness
        self._numbers = 0
        self._attempts = 0
        self._names = 0
        self._errands: dict[NodeId, object] = {}
        """Who has an errand under way."""
        self._sessions: list[SimSession] = []
        self._done_ms: int | None = None
        """When everything that does not wait for time was first done."""

    # --- Clients ---

    def start(self) -> None:
        """See ``Clients``."""
        self._sessions = [self._new_session() for _ in range(self.random.randint(*CLIENTS))]
        self._look()

    def act(self) -> None:
        """See ``Clients``: some client does something more."""
        if self.random.random() < WITHOUT_SESSION:
            self._workload.write_at()
            return
        place = self.random.randrange(len(self._sessions))
        if self._sessions[place].is_over:
            self._sessions[place] = self._new_session()
        else:
            self._sessions[place].act()

    def stop(self) -> None:
        """See ``Clients``."""
        self.is_ending = True

    def unfinished(self) -> str:
        """See ``Clients``: every command of a living session has an outcome, and what is due has happened."""
        unanswered = sum(session.unanswered for session in self._sessions)
        if unanswered:
            return f"{unanswered} commands of sessions have no outcome"
        if any(not session.is_over for session in self._sessions):
            return "clients have not left their sessions"
        for member in self._workload.members:
            if self._parliament.members[member].errand() is not None:
                return f"member {member} has an errand"
        if self._done_ms is None:
            self._done_ms = self.agenda.now_ms
        # The same moment whenever it is asked, or what is due a little later would come into view in the quiet.
        ahead_ms = max(0, self._done_ms + DUE_SOON_MS - self.agenda.now_ms)
        for member in self._workload.members:
            if self._parliament.members[member].is_due(ahead_ms):
                return f"what is due has not happened, and member {member} leads"
        return ""

    def _leave_idle(self) -> None:
        """Whoever has all answers leaves, and some close the door."""
        for session in self._sessions:
            if not session.is_over and not session.unanswered:
                if self.random.random() < CLOSES_AT_END:
                    session.close()
                session.is_over = True

    def _new_session(self) -> SimSession:
        self._names += 1
        return SimSession(b"session %d" % self._names, self)

    # --- Exchange ---

    def some_member(self) -> NodeId:
        """See ``Exchange``."""
        return self.random.choice(self._workload.members)

    def submit(self, member: NodeId, request: bytes, heard: Callable[[Ending], None]) -> None:
        """See ``Exchange``."""
        self._attempts += 1
        command = marked(self._attempts, request)
        self._oracle.submitted(command)
        self._workload.begin(Attempt(self._workload, member, command, heard))

    def failing(self, number: int) -> Failing:
        """See ``Exchange``."""
        roll = self.random.random()
        failing: Failing = "rejects" if roll < REJECTED else "breaks" if roll < REJECTED + BROKEN else ""
        is_spared = failing and not self._strikes.strike("P7", f"number {number} {failing}")
        return "" if is_spared else failing

    def begin(self, order: Order) -> int:
        """See ``Exchange``."""
        return self._witness.begun(order)

    def settled(self, call: int, order: Order) -> None:
        """See ``Exchange``."""
        self._witness.settled(call, order)

    def next_number(self) -> int:
        """See ``Exchange``."""
        self._numbers += 1
        return self._numbers

    # --- errands ---

    def _look(self) -> None:
        """Every member does what it has to do unasked, one thing at a time."""
        self.agenda.after(LOOK_EVERY_MS, "errands", self._look)
        if self.is_ending:
            self._leave_idle()
        for member in self._workload.members:
            if member in self._errands:
                continue
            request = self._parliament.members[member].errand()
            if request is not None:
                self._errands[member] = request
                self.judge.counts["errands"] += 1
                self.submit(member, request, partial(self._over, member))

    def _over(self, member: NodeId, ending: Ending) -> None:
        self._errands.pop(member, None)
