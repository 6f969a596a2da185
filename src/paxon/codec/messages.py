"""The kind numbers of what legislators say to each other.

A number is for ever: a class that goes away leaves its number unused.  Numbers from ``HOST_KINDS_FROM`` on belong to
the layers above, whose own messages travel in the same frames.
"""

from collections.abc import Mapping

from paxon.core import messages

HOST_KINDS_FROM = 64
"""The protocol's own messages stay below this number."""

MESSAGE_KINDS: Mapping[int, type] = {
    1: messages.NextBallot,
    2: messages.LastVote,
    3: messages.BeginBallot,
    4: messages.Voted,
    5: messages.Success,
    6: messages.Superseded,
    7: messages.Lacking,
    8: messages.Presence,
    9: messages.Present,
    10: messages.Canvass,
    11: messages.CanvassReply,
    12: messages.HandOver,
}
