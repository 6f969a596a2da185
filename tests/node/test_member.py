"""A member as a process: signals, exit codes, a disk that dies, and SIGKILL."""

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paxon.client.client import Client
from paxon.errors import OutcomeUnknown, RequestError
from paxon.node.member import EXIT_DONE, EXIT_FAILED
from paxon.node.settings import Address
from tests.net.harness import run
from tests.node.member_process import EXIT_REFUSED
from tests.node.nodes import free_addresses

PROGRAM = Path(__file__).with_name("member_process.py")
TIMEOUT_S = 30.0


class Member:
    """One running process, and every line of its log."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *arguments], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self.lines: list[str] = []
        self._arriving: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self._arriving.put(line)
        self._arriving.put(None)

    def wait_line(self, text: str) -> str:
        """The first line still to come that holds ``text``."""
        deadline = time.monotonic() + TIMEOUT_S
        while (line := self._arriving.get(timeout=max(0.01, deadline - time.monotonic()))) is not None:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}:\n" + "".join(self.lines))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code; ``log`` is complete after it."""
        code = self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        while (line := self._arriving.get_nowait()) is not None:
            self.lines.append(line)
        self._arriving.put(None)
        return code

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)


class Processes:
    """Members by name, each in a process while it runs."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.names = [f"n{number}" for number in range(1, size + 1)]
        addresses = free_addresses(2 * size)
        self._peers = dict(zip(self.names, addresses[:size], strict=True))
        self.endpoints: dict[str, Address] = dict(zip(self.names, addresses[size:], strict=True))
        self.running: dict[str, Member] = {}

    def start(self, *names: str, trigger: Path | None = None) -> None:
        for name in names or self.names:
            config = self._folder / f"{name}.toml"
            lines = [
                'cluster = "town"',
                f'name = "{name}"',
                f'directory = "{name}"',
                f'listen = "{self.endpoints[name]}"',
                "[members]",
                *(f"{json.dumps(member)} = {json.dumps(str(address))}" for member, address in self._peers.items()),
            ]
            config.write_text("\n".join(lines) + "\n", encoding="utf-8")
            self.running[name] = Member(str(config), *([] if trigger is None else [str(trigger)]))

    def __getitem__(self, name: str) -> Member:
        return self.running[name]

    def client(self, *names: str) -> Client:
        """A client of these members; of everybody if none is named."""
        return Client([self.endpoints[name] for name in names or self.names], timeout=TIMEOUT_S)


@contextlib.contextmanager
def processes(folder: Path, size: int = 1) -> Iterator[Processes]:
    """Members that are ended with the context, whatever they are doing."""
    made = Processes(folder, size)
    try:
        yield made
    finally:
        for member in made.running.values():
            member.end()


def put_all(town: Processes, keys: list[str], *via: str) -> None:
    async def main() -> None:
        async with town.client(*via) as client:
            for key in keys:
                await client.put(key.encode(), b"value of " + key.encode())

    run(main)


def assert_all(town: Processes, keys: list[str], *via: str) -> None:
    async def main() -> None:
        async with town.client(*via) as client:
            for key in keys:
                assert (await client.get(key.encode())).value == b"value of " + key.encode()

    run(main)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_member_in_good_order(tmp_path: Path, number: int) -> None:
    with processes(tmp_path) as town:
        town.start()
        put_all(town, ["k"])
        town["n1"].signal(number)
        assert town["n1"].wait() == EXIT_DONE
        assert "member stopped" in town["n1"].log
        town.start()
        assert_all(town, ["k"])


def test_a_signal_ends_a_member_that_still_waits_for_the_others(tmp_path: Path) -> None:
    with processes(tmp_path, 3) as town:
        town.start("n1")
        town["n1"].wait_line("waiting for other members")
        town["n1"].signal(signal.SIGTERM)
        assert town["n1"].wait() == EXIT_DONE


def test_a_disk_that_fails_ends_the_member_and_what_it_had_acknowledged_is_there(tmp_path: Path) -> None:
    """It says why, acknowledges nothing more, and starts again once the disk is repaired."""
    trigger = tmp_path / "broken"
    with processes(tmp_path) as town:
        town.start(trigger=trigger)
        put_all(town, ["before"])
        trigger.touch()

        async def main() -> None:
            async with town.client() as client:
                with pytest.raises(OutcomeUnknown):
                    await client.put(b"during", b"value of during")

        run(main)
        assert town["n1"].wait() == EXIT_FAILED
        assert "member failed" in town["n1"].log
        assert "repair or replace the disk" in town["n1"].log
        assert "member stopped" not in town["n1"].log
        town.start()
        assert_all(town, ["before"])


def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    keys = [f"k{number}" for number in range(100)]
    with processes(tmp_path) as town:
        for part in (keys[:50], keys[50:]):
            town.start()
            put_all(town, part)
            town["n1"].signal(signal.SIGKILL)
            assert town["n1"].wait() == -signal.SIGKILL
        town.start()
        assert_all(town, keys)


def test_a_leader_that_is_killed_is_replaced_and_comes_back(tmp_path: Path) -> None:
    with processes(tmp_path, 3) as town:
        town.start()
        put_all(town, ["before"])

        async def leader() -> str:
            async with town.client() as client:
                while True:
                    for report in await client.status():
                        if report.status is not None and report.status.leader:
                            return report.status.leader

        killed = run(leader)
        town[killed].signal(signal.SIGKILL)
        town[killed].wait()
        put_all(town, ["after"])
        town.start(killed)
        assert_all(town, ["before", "after"], killed)


def test_a_leader_that_is_told_to_stop_is_replaced_and_a_client_hardly_notices(tmp_path: Path) -> None:
    """At most the one write that was under way may end as unknown; none is refused, and none waits for a time-out."""
    with processes(tmp_path, 3) as town:
        town.start()

        async def main() -> None:
            failed: list[RequestError] = []
            async with town.client() as client:
                await client.put(b"k", b"0")
                leader = next(one.status.leader for one in await client.status() if one.status is not None)
                for number in range(60):
                    if number == 20:
                        town[leader].signal(signal.SIGTERM)
                    try:
                        await client.put(b"k", b"%d" % number)
                    except RequestError as error:
                        failed.append(error)
                assert (await client.get(b"k")).value == b"59"
            assert town[leader].wait() == EXIT_DONE
            assert all(isinstance(error, OutcomeUnknown) for error in failed)
            assert len(failed) <= 1, failed

        run(main)


def test_a_second_process_on_one_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with processes(tmp_path) as town:
        town.start()
        put_all(town, ["k"])
        second = Member(str(tmp_path / "n1.toml"))
        try:
            assert second.wait() == EXIT_REFUSED
        finally:
            second.end()
        assert f"in use by the process with pid {town['n1'].process.pid}" in second.log
        assert second.log.count("\n") == 1
        assert_all(town, ["k"])
