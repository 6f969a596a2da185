"""What a member has decided unasked: that others learn what its code can do, and that decided time goes on.

Knows: what the member's code announces, and whether something waits for time to pass.  Does not
know: clocks, or how a command gets into the log.
"""

from typing import Final

from paxon.rsm.assembly import Announce, Assembly, Compare, encode
from paxon.rsm.session_requests import Plain, Tick
from paxon.rsm.session_requests import encode as encode_request
from paxon.rsm.sessions import Sessions

TICK: Final = encode_request(Tick())
"""The errand that only lets time go on."""

STEPS_TOLD: Final = 1000
"""How many steps one command of development mode tells of."""


def errand(sessions: Sessions, assembly: Assembly, member: str, is_leader: bool, now_ms: int) -> bytes | None:
    """The command that ``member`` submits next on nobody's behalf; ``None`` if there is nothing to do.

    ``now_ms`` is the member's wall clock, from which the next decree would have its stamp.
    """
    if not assembly.has_announced(member):
        return encode_request(Plain(encode(Announce(member, assembly.abilities))))
    if steps := assembly.steps_to_tell(STEPS_TOLD):
        return encode_request(Plain(encode(Compare(member, steps))))
    # The others wait for the leader: one command lets time go on for all.
    due_ms = sessions.next_due_ms() if is_leader else None
    return TICK if due_ms is not None and due_ms <= now_ms else None
