"""One client that seeks offices, and holds one for as long as its own clock allows.

Knows: the rule by which holders count (``collections.holding_rule``), its own drifting clock, and how
a client that stops, dies or is late behaves.  Does not know: true time, or whether its belief is right.
"""

from collections.abc import Callable
from typing import Protocol

from paxon.collections.holding_rule import DRIFT, HoldingRule, Moment
from paxon.collections.refusals import LimitReached, NotHolder
from paxon.collections.seats import Grant
from paxon.sim.agenda import Agenda
from paxon.sim.clock import EPOCH_MS, MILLION, Quartz
from paxon.sim.dice import Dice
from paxon.sim.post import Ending, Post
from paxon.sim.terms.calls import OFFICES, renewing, resigning, seeking, standing_in, withdrawing
from paxon.sim.terms.judge import Judge

RETRY_MS = (20, 300)
"""Before a failed request is made again."""

HINT_MS = (1, 60)
"""How long it takes until whoever waits hears of its grant, if it hears of it."""

STOPS = 0.08
"""How often a client's process is stopped for a while and does not notice, as by SIGSTOP."""

STOPPED_TTLS = 2.5
"""For up to so many ttls."""

LATE = 0.15
"""How often it is stopped between looking whether it holds the office and doing what only the holder may."""

DILIGENCE = (1.0, 2.8, 100.0)
"""After how many of the rule's pauses a client renews: as it should, at the last moment, or never."""

RESIGNS, DIES, GIVES_UP = 0.06, 0.03, 0.02
"""How often a holder resigns, or is gone without a word; and how often one that waits gives up."""


class Exchange(Protocol):
    """What a client needs of its surroundings."""

    agenda: Agenda
    judge: Judge
    post: Post
    random: Dice
    rule: HoldingRule


class Term:
    """One attempt to hold an office.  Satisfies ``Believer``.

    Invariant: ``_sent`` is a moment before the last request that was granted left.
    """

    def __init__(self, client: "TermClient", office: str, seeker: bytes) -> None:
        self._client = client
        self.office = office
        self.seeker = seeker
        self.token = 0
        self.is_over = False
        """Whether the client has turned its back on it."""
        self.asked = 0
        """How many requests it has made."""
        self._sent: Moment | None = None

    @property
    def believes(self) -> bool:
        """See ``Believer``."""
        return not self.is_over and self._sent is not None and self._client.left_s(self._sent) > 0

    @property
    def is_granted(self) -> bool:
        """Whether it was ever granted."""
        return self._sent is not None

    def granted(self, token: int, sent: Moment) -> None:
        """A request that left after ``sent`` was granted."""
        self.token = token
        if self._sent is None or sent > self._sent:
            self._sent = sent


class TermClient:
    """Seeks one office after the other."""

    def __init__(self, number: int, exchange: Exchange) -> None:
        self._number = number
        self._exchange = exchange
        self._agenda = exchange.agenda
        self._random = exchange.random
        self._quartz = Quartz(exchange.random, int(DRIFT * MILLION), 0)
        self._diligence = self._random.choice(DILIGENCE)
        self._terms = 0
        self._stopped_until_ms = 0
        self.term: Term | None = None

    # --- its clock ---

    def _moment(self) -> Moment:
        now_ms = self._agenda.now_ms
        return Moment(self._quartz.reading_ms(now_ms) / 1000, (EPOCH_MS + now_ms) / 1000)

    def left_s(self, sent: Moment) -> float:
        """How much is left of what was asked for at ``sent``, by its own clock."""
        return self._exchange.rule.left_s(sent, self._moment())

    # --- what it does by itself ---

    def act(self) -> None:
        """Do one more thing."""
        term, roll = self.term, self._random.random()
        if self._is_stopped:
            return
        if roll < STOPS:
            self._stop()
        elif term is None:
            self._begin()
        elif not term.is_granted:
            if roll < STOPS + GIVES_UP:
                self.leave()
        elif not term.believes:
            # Its clock says that it is over; the cluster may take a while longer.
            self._end(term)
        elif roll < STOPS + RESIGNS:
            self.leave()
        elif roll < STOPS + RESIGNS + DIES:
            self._exchange.judge.counts["holders died"] += 1
            self._end(term)
        else:
            self._write(term)

    def leave(self) -> None:
        """Hold nothing and wait for nothing, and say so once."""
        term = self.term
        if term is None or self._is_stopped:
            return
        # It stops believing before it says so: whoever hears of it may be next.
        self._end(term)
        if term.is_granted:
            request = resigning(term.office, term.seeker, term.token)
        else:
            request = withdrawing(term.office, term.seeker)
        self._exchange.post.submit(self._exchange.post.some_member(), request, lambda ending: None)

    def _end(self, term: Term) -> None:
        term.is_over = True
        self.term = None

    def _write(self, term: Term) -> None:
        """Do what only a holder may: it has just looked at its clock."""
        judge = self._exchange.judge
        if self._random.random() >= LATE:
            judge.wrote(term.office, term.seeker, term.token, is_in_office=True)
            return
        self._stop()
        self._awake(lambda: judge.wrote(term.office, term.seeker, term.token, is_in_office=term.believes))

    def hint(self, seeker: bytes) -> None:
        """An event tells that an office was granted."""
        term = self.term
        if term is not None and term.seeker == seeker and not term.is_granted:
            self._agenda.after(self._random.randint(*HINT_MS), "hint", lambda: self._awake(lambda: self._ask(term)))

    # --- stopping ---

    @property
    def _is_stopped(self) -> bool:
        return self._agenda.now_ms < self._stopped_until_ms

    def _stop(self) -> None:
        longest_ms = int(STOPPED_TTLS * self._exchange.rule.ttl_ms)
        self._stopped_until_ms = self._agenda.now_ms + self._random.randint(10, longest_ms)
        self._exchange.judge.counts["holders stopped"] += 1

    def _awake(self, action: Callable[[], None]) -> None:
        """Do something now, or as soon as the process goes on."""
        if self._is_stopped:
            self._agenda.at(self._stopped_until_ms, "goes on", lambda: self._awake(action))
        else:
            action()

    # --- seeking and renewing ---

    def _begin(self) -> None:
        self._terms += 1
        self.term = term = Term(self, self._random.choice(OFFICES), b"client %d.%d" % (self._number, self._terms))
        self._ask(term)

    def _ask(self, term: Term) -> None:
        """Seek the office, or renew the term."""
        if term.is_over or (term.is_granted and not term.believes):
            return
        term.asked += 1
        asked = term.asked
        sent, ttl_ms = self._moment(), self._exchange.rule.ttl_ms
        if term.is_granted:
            request = renewing(term.office, term.seeker, term.token, ttl_ms)
        else:
            request = seeking(term.office, term.seeker, ttl_ms)

        def heard(ending: Ending) -> None:
            self._awake(lambda: self._heard(term, sent, ending, is_latest=term.asked == asked))

        self._exchange.post.attempt(self._exchange.post.some_member(), request, heard)

    def _heard(self, term: Term, sent: Moment, ending: Ending, *, is_latest: bool) -> None:
        if term.is_over or (term.is_granted and not term.believes):
            # Once it is over it stays over, whatever a late answer has to say.
            return
        pause_ms = self._random.randint(*RETRY_MS)
        if isinstance(ending, bytes):
            try:
                standing = standing_in(ending)
            except (NotHolder, LimitReached):
                self._end(term)
                return
            if isinstance(standing, Grant):
                term.granted(standing.token, sent)
                if term.believes:
                    self._exchange.judge.believes(term.office, term)
            if standing is not None:
                diligence = self._diligence if term.is_granted else 1.0
                pause_ms = int(self._exchange.rule.pause_s * 1000 * diligence)
        if is_latest:
            # Otherwise whatever asked later asks again.
            self._agenda.after(pause_ms, "ask again", lambda: self._awake(lambda: self._ask(term)))
