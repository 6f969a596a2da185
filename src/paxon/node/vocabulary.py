"""The kind numbers of what hosts say to each other, beside the protocol's own."""

from collections.abc import Mapping

from paxon.codec.messages import HOST_KINDS_FROM, MESSAGE_KINDS
from paxon.codec.values import Vocabulary
from paxon.node import letters

HOST_KINDS: Mapping[int, type] = {
    HOST_KINDS_FROM + 0: letters.Forward,
    HOST_KINDS_FROM + 1: letters.Answers,
    HOST_KINDS_FROM + 2: letters.Refusals,
    HOST_KINDS_FROM + 3: letters.AskReading,
    HOST_KINDS_FROM + 4: letters.ReadingAt,
    HOST_KINDS_FROM + 5: letters.SnapshotOffer,
    HOST_KINDS_FROM + 6: letters.AskSnapshot,
    HOST_KINDS_FROM + 7: letters.SnapshotPart,
    HOST_KINDS_FROM + 8: letters.Known,
}
"""Numbers are for ever, as in ``paxon.codec.messages``."""

PEER_VOCABULARY = Vocabulary({**MESSAGE_KINDS, **HOST_KINDS})
"""Everything that travels between members."""
