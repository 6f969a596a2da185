"""What goes through a seed: a user's state machine, or one of the simulator's own workloads.

Knows: their names, and which seeds have which.  Does not know: what any of them does.
"""

from paxon.errors import ConfigurationError
from paxon.sim.guard.subject import subject_named
from paxon.sim.sessions.subject import WORKLOAD as SESSIONS
from paxon.sim.sessions.subject import SessionSubject
from paxon.sim.subject import REGISTERS, Subject
from paxon.sim.terms.subject import WORKLOAD as TERMS
from paxon.sim.terms.subject import TermSubject

WORKLOADS = ("registers", SESSIONS, TERMS)
"""The simulator's own, by name."""

SESSIONS_EVERY = 5
"""One seed of so many has clients with sessions; no number of mixes of faults, so that every mix has some."""

TERMS_EVERY, TERMS_FROM = 10, 6
"""One seed of so many has holders of offices, the first of them this one: none of those with sessions."""


def subject_of(seed: int, machine: str | None, workload: str | None) -> Subject:
    """What a seed has if a user's machine, or a workload, is named, and what it has by itself if none is.

    Raises:
        ConfigurationError: if there is no such state machine or workload.
    """
    if machine is not None:
        return subject_named(machine, workload)
    if workload is not None and workload not in WORKLOADS:
        raise ConfigurationError(f"there is no workload {workload!r} without a machine; there are {WORKLOADS}")
    if workload is None:
        has_sessions, has_terms = seed % SESSIONS_EVERY == SESSIONS_EVERY - 1, seed % TERMS_EVERY == TERMS_FROM
        workload = SESSIONS if has_sessions else TERMS if has_terms else ""
    return SessionSubject() if workload == SESSIONS else TermSubject() if workload == TERMS else REGISTERS
