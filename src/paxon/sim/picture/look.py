"""What everything looks like in a picture, and what it is called: one table for the page and the drawing."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from paxon.core import messages
from paxon.node import letters


class Group(Struct, frozen=True):
    """Letters that are drawn alike.

    The colours have a contrast of 4.5 to 1 or more against white (``light``) and against the paper of a dark
    page (``dark``), so that words may be written in them.
    """

    name: str
    alias: str
    """The industry's word."""
    kinds: Sequence[type]
    light: str
    dark: str
    is_shown: bool = True
    """Whether it is drawn before anybody asks for it."""


GROUPS: Final = (
    Group("NextBallot", "prepare", (messages.NextBallot,), "#8e24aa", "#d79bf0"),
    Group("LastVote", "promise", (messages.LastVote,), "#5b3fc4", "#b3a2f2"),
    Group("BeginBallot", "accept", (messages.BeginBallot,), "#1361b8", "#6fb4f5"),
    Group("Voted", "accepted", (messages.Voted,), "#00716a", "#4fc1b4"),
    Group("Success", "learn, commit", (messages.Success,), "#2b7230", "#85cb88"),
    Group("Superseded", "nack", (messages.Superseded,), "#a84300", "#ffb07c"),
    Group("Lacking", "catch-up request", (messages.Lacking,), "#7d5a00", "#e0b15a"),
    Group("HandOver", "leadership transfer", (messages.HandOver,), "#ad1457", "#f48fb1"),
    Group("Canvass", "pre-vote, and its answer", (messages.Canvass, messages.CanvassReply), "#75572f", "#cbb08b"),
    Group("Forward", "commands for the leader, and answers", (letters.Forward, letters.Answers, letters.Refusals),
          "#4a5a64", "#9db2bd"),
    Group("AskReading", "read barrier, and its answer", (letters.AskReading, letters.ReadingAt), "#006a7a", "#4dc4d6"),
    Group("SnapshotOffer", "snapshot for who lacks too much",
          (letters.SnapshotOffer, letters.AskSnapshot, letters.SnapshotPart), "#7a4a7a", "#c9a3c9"),
    Group("Known", "how far a specialist has applied", (letters.Known,), "#4f6b00", "#b4cc6a"),
    Group("Presence", "heartbeat, and its answer", (messages.Presence, messages.Present), "#68707c", "#98a2b0",
          is_shown=False),
    Group("other letters", "", (), "#59636e", "#9aa4ae"),
)  # fmt: skip
"""Every kind of letter is in one of them; the last takes those that no other names."""


def group_of(kind: type) -> int:
    """The place in ``GROUPS`` of a kind of letter."""
    return next((number for number, group in enumerate(GROUPS) if kind in group.kinds), len(GROUPS) - 1)


def colours() -> str:
    """The colours of all groups, for a style sheet, as ``--kind0`` and so on."""
    light, dark = (
        "".join(f" --kind{number}: {getattr(group, name)};" for number, group in enumerate(GROUPS))
        for name in ("light", "dark")
    )
    return f":root {{{light} }}\n@media (prefers-color-scheme: dark) {{ :root {{{dark} }} }}\n"
