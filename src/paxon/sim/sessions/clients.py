"""All clients with sessions of one run.

Knows: how many there are, and when each is done.  Does not know: what a session does with its answers.
"""

from paxon.sim.dice import Dice
from paxon.sim.post import Post
from paxon.sim.sessions.client import SimSession
from paxon.sim.sessions.judge import Judge, Order
from paxon.sim.sessions.machine import Failing
from paxon.sim.sessions.witness import SessionWitness
from paxon.sim.subject import Onlookers
from paxon.sim.workload import Parliament, Workload

CLIENTS = (1, 5)
"""How many there are, each with one session at a time."""

WITHOUT_SESSION = 0.1
"""How often a command comes without a session, from a client that never sends it again."""

REJECTED, BROKEN = 0.06, 0.04
"""How many commands fail, in either way."""

CLOSES_AT_END = 0.5
"""How many sessions are closed after the storm; the others lapse."""


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
        self.post = Post(onlookers, workload, parliament, self.random)
        self._strikes = onlookers.strikes
        self._workload = workload
        self._witness = witness
        self._numbers = 0
        self._names = 0
        self._sessions: list[SimSession] = []

    # --- Clients ---

    def start(self) -> None:
        """See ``Clients``."""
        self._sessions = [self._new_session() for _ in range(self.random.randint(*CLIENTS))]
        self.post.run_errands()

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
        self._leave_idle()
        unanswered = sum(session.unanswered for session in self._sessions)
        if unanswered:
            return f"{unanswered} commands of sessions have no outcome"
        if any(not session.is_over for session in self._sessions):
            return "clients have not left their sessions"
        return self.post.unfinished()

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
