"""Targets: texts that people write: a member's configuration, a history of operations, a play."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paxon.checker.history import History, HistoryInvalid
from paxon.checker.key_value import KeyValue
from paxon.checker.model import Model
from paxon.checker.queue import Queue
from paxon.checker.register import Register
from paxon.errors import ConfigurationError
from paxon.node.config import MemberConfig
from paxon.sim.play import run_play
from tests.checker.test_program import BAD, GOOD
from tests.fuzz.oracle import Target, refusing

TEXT_BYTES_MAX = 16 * 1024
"""Longer texts say nothing new."""


def configuration(data: bytes) -> None:
    """A file is a configuration, or one line says what to change."""
    with TemporaryDirectory() as name:
        path = Path(name) / "member.toml"
        path.write_bytes(data[:TEXT_BYTES_MAX])
        with refusing(ConfigurationError) as watch:
            config = MemberConfig.from_toml(path)
    if watch.error is not None:
        assert str(watch.error).startswith(f"{path}: ")
        assert "\n" not in str(watch.error), "an error is one line"
        return
    assert config.roster.quorums_meet() if len(config.members) <= 5 else config.roster
    assert config.node_id in config.ids.values()
    assert len(config.cluster_id) == 32


MODELS: tuple[Model[Any, Any, Any], ...] = (Register(), KeyValue(), Queue())


def history(data: bytes) -> None:
    """Lines are a history, which says the same when written and read again; or the wrong line is named."""
    model = MODELS[data[0] % len(MODELS) if data else 0]
    with refusing(HistoryInvalid) as watch:
        found = History.load(data[1:].splitlines(), model)
    if not watch.is_refused:
        assert History.load(found.dump(), model) == found


def play(data: bytes) -> None:
    """A text is a play, and told anew it is the same; or the wrong line is named."""
    with refusing(ConfigurationError) as watch:
        told = run_play(data[:TEXT_BYTES_MAX].decode("utf-8", "replace"))
    if not watch.is_refused:
        assert run_play(told) == told


_SETTINGS = b"""cluster = "c"
name = "a"
directory = "data"
listen = "127.0.0.1:7400"
peer_listen = "[::1]:7401"
quorum = { promises = 2, votes = 2 }

[members]
a = "127.0.0.1:7401"
b = "127.0.0.1:7402"
c = "127.0.0.1:7403"

[endpoints]
b = "127.0.0.1:7502"

[limits]
pipeline_depth = 4

[timing]
presence_ms = 50
"""

_HISTORY = b"""\0{"process":"a","call":1,"input":{"type":"write","value":1},"return":2,"output":{"type":"done"}}
{"process":"b","call":1,"input":{"type":"read"},"return":3,"output":{"type":"got","value":1}}
{"process":"c","call":4,"input":{"type":"write","value":"x"}}
"""

_PLAY = b"""members 3
elect 1
submit 1
deliver BeginBallot 1->2 slot 1
sync 2
drop 1->3
wait 20
settle among 1 2
"""

_BY_KEY = f"\1{GOOD}{BAD}".encode()

_IN_ORDER = b"""\2{"process":"a","call":0,"input":{"type":"enqueue","value":1},"return":1,"output":{"type":"done"}}
{"process":"a","call":2,"input":{"type":"dequeue"},"return":3,"output":{"type":"got","value":1}}
"""

TARGETS: Mapping[str, Target] = {
    "configuration": Target(
        configuration,
        (_SETTINGS, _SETTINGS.replace(b"promises = 2, votes = 2", b"weights = { a = 1, b = 1, c = 2 }")),
        # Python's own reader of TOML copies every prefix of a dotted name.  The file is the operator's.
        fixed_bytes=TEXT_BYTES_MAX**2,
    ),
    "history": Target(history, (_HISTORY, _BY_KEY, _IN_ORDER)),
    "play": Target(
        play,
        (_PLAY, b"members 3 flexible 3 1\nstand 2\ncrash 3 process\nrestart 3\nread 2\ntell roll\nclock 1 +50\n"),
        # Whole members, and what a minute of their letters leaves behind.
        fixed_bytes=64 * 1024 * 1024,
    ),
}
