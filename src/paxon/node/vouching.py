"""What a member says of its own ledger in what it sends, and what it hears of the others'.

Knows: which messages rest on promises, votes and ballot numbers.  Does not know: who is refused for
what it forgot; that is ``paxon.net.peer_memory``.

Every message that rests on something durable of ours says through which line we were durable, and
so does the receiver's memory before it acts on it: whoever counted our vote remembers it.  A leader's
heartbeat says it of everybody, so that after one heartbeat all members remember what one counted.
"""

from msgspec import structs

from paxon.core.decree import NodeId
from paxon.core.ledger import Ledger
from paxon.core.messages import LastVote, NextBallot, Presence, Voted
from paxon.errors import Disowned
from paxon.net.peer_memory import PeerMemory
from paxon.node.letters import PeerMessage

VOUCHING = frozenset((Voted, NextBallot, LastVote, Presence))
"""Messages that say how far a ledger is durable.  Most do not, and a look into a set tells that soonest."""


def vouched(message: PeerMessage, me: NodeId, durable_line: int, memory: PeerMemory) -> PeerMessage:
    """``message`` as it leaves: with how far we are durable, if it rests on that."""
    if type(message) not in VOUCHING:
        return message
    match message:
        case Voted(ballot=ballot, slot=slot):
            return Voted(ballot, slot, durable_line)
        case NextBallot() | LastVote():
            return structs.replace(message, line=durable_line)
        case Presence(ballot=ballot, roll_call=roll_call, passed_until=passed_until, lease_ms=lease_ms):
            return Presence(ballot, roll_call, passed_until, ((me, durable_line), *memory.lines()), lease_ms)
    return message


def remember(sender: NodeId, message: PeerMessage, me: NodeId, ledger: Ledger, memory: PeerMemory) -> None:
    """Take note of what ``message`` says of anybody's ledger.

    Raises:
        Disowned: if somebody remembers more of ours than we have.
    """
    if type(message) not in VOUCHING:
        return
    match message:
        case Voted(line=line) | NextBallot(line=line) | LastVote(line=line):
            memory.note(sender, line)
        case Presence(lines=lines):
            for member, line in lines:
                if member != me:
                    memory.note(member, line)
                elif line > ledger.line:
                    raise Disowned(
                        f"this ledger ends at line {ledger.line}, but member {sender} says that line {line} of it was "
                        "durable: an older copy was put back, or the disk does not keep what it says is durable. "
                        "This member must not vote any more; keep its directory for inspection and leave it down"
                    )
