"""``paxon lock`` and ``paxon run --once``: real commands under real seats, whose holders are stopped and killed."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from paxon.cli.failures import REFUSED, UNREACHABLE, USAGE
from paxon.cli.guardian import NOT_EXECUTABLE, NOT_FOUND, SIGNALLED
from paxon.client.connecting import connect
from paxon.client.steady import steady_s
from paxon.collections.terms import Terms
from tests.cli.cluster import Up, free_base_port, paxon, up
from tests.net.harness import run

TIMEOUT_S = 60.0

WORK = """
import signal, sys
def leave(number, frame):
    print("ends", flush=True)
    sys.exit(3)
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, lambda number, frame: print("is asked", flush=True))
else:
    signal.signal(signal.SIGTERM, leave)
import os
print("begins", os.environ.get("PAXON_TOKEN"), flush=True)
while True:
    signal.pause()
"""
"""A command that works until it is asked to end, or longer."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("cluster"), "--base-port", str(free_base_port(6))) as running:
        running.wait_ready()
        yield running


RUNNING: "list[Running]" = []


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    """Leave nothing that runs behind, whatever becomes of the test."""
    yield
    while RUNNING:
        RUNNING.pop().end()


class Running:
    """A program that runs, and the lines that it and its command print."""

    def __init__(self, *arguments: str, endpoints: str = "", pass_fds: tuple[int, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "PAXON_ENDPOINTS": endpoints},
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        RUNNING.append(self)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self._lines.put(line.strip())
        # The pipe is closed once nobody who could print is left: this program, its guardian and its command.
        self._lines.put("")

    def hear(self) -> str:
        """The next line; an empty one once everybody has ended."""
        return self._lines.get(timeout=TIMEOUT_S)

    def hear_token(self) -> int:
        word, token = self.hear().split()
        assert word == "begins"
        return int(token)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        # Its guardian ends the command of one that is killed.
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def wait(self) -> int:
        code = self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        return code


def working(cluster: Up, *words: str, how: str = "") -> Running:
    """``paxon`` with ``words`` before the command."""
    return Running("-m", "paxon", *words, "--", sys.executable, "-c", WORK, how, endpoints=cluster.endpoints)


async def until_somebody_waits(endpoints: str, office: str) -> None:
    async with connect(endpoints) as client:
        while not await client.read(Terms.contenders, office):
            pass


def test_the_command_has_its_token_and_says_how_it_ended(cluster: Up) -> None:
    tokens = []
    for _ in range(2):
        ended = paxon("lock", "a", "--", "sh", "-c", "echo $PAXON_TOKEN; exit 7", endpoints=cluster.endpoints)
        assert ended.returncode == 7
        tokens.append(int(ended.stdout))
    assert tokens[0] < tokens[1]
    ended = paxon("run", "--once", "a", "--", "sh", "-c", "kill -9 $$", endpoints=cluster.endpoints)
    assert ended.returncode == SIGNALLED + signal.SIGKILL
    assert not ended.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("lock", "a", "--", "no-such-command"), NOT_FOUND, "paxon: error: no-such-command: no such command"),
        (("lock", "a"), USAGE, "Missing argument 'COMMAND...'"),
        (("run", "--", "true"), USAGE, "Missing option '--once'"),
        (("lock", "", "--", "true"), USAGE, "a name has 1 to"),
        (("run", "--once", "a", "--ttl", "3", "--", "true"), USAGE, "--ttl 3 is too short with --grace 2"),
        (("lock", "a", "--timeout", "0.5", "--", "true"), UNREACHABLE, "paxon: error: no member could be reached"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line_before_anything_is_waited_for(
    words: tuple[str, ...], code: int, says: str
) -> None:
    ended = paxon(*words)
    assert ended.returncode == code
    assert says in ended.stderr


def test_a_lock_that_is_taken_is_waited_for_as_long_as_said(cluster: Up) -> None:
    holder = working(cluster, "lock", "b")
    token = holder.hear_token()
    refused = paxon("lock", "b", "--timeout", "0.3", "--", "true", endpoints=cluster.endpoints)
    assert refused.returncode == REFUSED
    assert refused.stderr.splitlines()[0].startswith("paxon: error: 'b' was not granted within 0.3 s: others hold it")
    waiting = working(cluster, "lock", "b", "--wait", "--timeout", "0.3")
    holder.signal(signal.SIGTERM)
    assert (holder.hear(), holder.wait()) == ("ends", 3)
    assert waiting.hear_token() > token
    waiting.signal(signal.SIGTERM)
    assert waiting.wait() == 3


def test_a_signal_ends_whoever_waits_for_its_turn(cluster: Up) -> None:
    holder = working(cluster, "run", "--once", "c")
    holder.hear_token()
    waiting = working(cluster, "run", "--once", "c")
    run(lambda: until_somebody_waits(cluster.endpoints, "once/c"))
    waiting.signal(signal.SIGTERM)
    assert waiting.wait() == SIGNALLED + signal.SIGTERM
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 3


def test_a_holder_that_is_stopped_has_its_command_ended_before_another_one_begins(cluster: Up) -> None:
    stopped = working(cluster, "run", "--once", "d", "--ttl", "4", "--grace", "1")
    token = stopped.hear_token()
    successor = working(cluster, "run", "--once", "d", "--ttl", "4", "--grace", "1")
    stopped.signal(signal.SIGSTOP)
    assert successor.hear_token() > token
    # Its guardian did not wait for it.
    assert stopped._lines.get_nowait() == "ends"
    stopped.signal(signal.SIGCONT)
    successor.signal(signal.SIGTERM)
    assert successor.wait() == 3
    # And it runs again at its next turn.
    assert stopped.hear_token() > token
    stopped.signal(signal.SIGTERM)
    assert (stopped.hear(), stopped.wait()) == ("ends", 3)


def test_the_command_of_a_holder_that_is_killed_ends_even_if_it_does_not_want_to(cluster: Up) -> None:
    killed = working(cluster, "lock", "e", "--ttl", "4", "--grace", "1", how="stubborn")
    killed.hear_token()
    killed.signal(signal.SIGKILL)
    assert [killed.hear(), killed.hear()] == ["is asked", ""]
    assert killed.wait() == -signal.SIGKILL


def test_a_command_that_fails_is_run_again_only_if_so_asked(cluster: Up, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"test -e {mark} || {{ touch {mark}; exit 5; }}"
    ended = paxon("run", "--once", "f", "--restart", "--", "sh", "-c", script, endpoints=cluster.endpoints)
    assert ended.returncode == 0
    assert "the command ended with 5" in ended.stderr
    mark.unlink()
    ended = paxon("run", "--once", "f", "--", "sh", "-c", script, endpoints=cluster.endpoints)
    assert ended.returncode == 5


class TestGuardian:
    """The guardian alone, told by hand until when."""

    def start(self, left_s: float, *command: str) -> tuple[Running, int]:
        theirs, ours = os.pipe()
        guardian = Running(
            *("-m", "paxon.cli.guardian", str(theirs), str(steady_s() + left_s), "0.2", *command), pass_fds=(theirs,)
        )
        os.close(theirs)
        return guardian, ours

    def test_it_ends_the_command_when_the_time_is_over_and_not_before_it_is_prolonged(self) -> None:
        guardian, ours = self.start(3600, sys.executable, "-c", WORK)
        guardian.hear()
        os.write(ours, b"until %f\n" % (steady_s() + 3600))
        os.write(ours, b"until %f\n" % steady_s())
        assert guardian.hear() == "ends"
        assert guardian.wait() == 3
        os.close(ours)

    def test_it_passes_signals_on_and_ends_as_the_command_does(self) -> None:
        guardian, ours = self.start(3600, sys.executable, "-c", WORK)
        guardian.hear()
        guardian.signal(signal.SIGTERM)
        os.write(ours, b"signal %d\nsignal %d\n" % (0, signal.SIGKILL))
        assert guardian.wait() == SIGNALLED + signal.SIGKILL
        os.close(ours)

    def test_what_the_command_started_is_ended_with_it(self) -> None:
        nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], 'stubborn'])"
        guardian, ours = self.start(3600, sys.executable, "-c", nested, WORK)
        guardian.hear()
        os.close(ours)
        assert guardian.wait() >= SIGNALLED
        # It may get as far as saying that it was asked; then nobody is left who could print.
        while guardian.hear():
            pass

    def test_a_file_that_cannot_be_run_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("no program", encoding="utf-8")
        guardian, ours = self.start(3600, str(tmp_path / "text"))
        assert guardian.wait() == NOT_EXECUTABLE
        os.close(ours)
