"""``paxon up`` with real processes: the whole path from a command to three ledgers on disk."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.cli.cluster import free_base_port, paxon, up, wait_gone


@pytest.fixture
def base_port() -> str:
    return str(free_base_port(6))


def test_three_members_one_killed_all_stopped_started_again(tmp_path: Path, base_port: str) -> None:
    directory = tmp_path / "data"
    with up(directory, "--members", "3", "--base-port", base_port) as cluster:
        cluster.wait_ready()
        every = cluster.endpoints.split(",")
        port = int(base_port)
        assert every == [f"127.0.0.1:{port}", f"127.0.0.1:{port + 2}", f"127.0.0.1:{port + 4}"]
        assert re.fullmatch(r"ready: leader=n[123] endpoints=[0-9.:,]+", cluster.out[0])
        cluster.wait_line("paxon put greeting hello")

        # Any member takes a write and a read.
        for endpoint in every:
            assert paxon("put", endpoint, "value", endpoints=endpoint).stdout == "ok version=1\n"
        for endpoint in every:
            assert paxon("get", every[0], endpoints=endpoint).stdout == "value"
        status = cluster.status()
        assert sorted(status) == ["n1", "n2", "n3"]
        assert [one["role"] for one in status.values()].count("leader") == 1
        assert status[cluster.leader]["role"] == "leader"

        # One is killed: what was acknowledged is there, and service goes on.
        os.kill(status[cluster.leader]["pid"], signal.SIGKILL)
        killed_at = time.monotonic()
        written = paxon("put", "after", "kill", endpoints=cluster.endpoints)
        assert (written.returncode, written.stdout) == (0, "ok version=1\n")
        assert time.monotonic() - killed_at < 10
        assert paxon("get", every[0], endpoints=cluster.endpoints).stdout == "value"
        note = cluster.wait_line("was killed by SIGKILL")
        assert note.startswith(f"paxon: {cluster.leader} was killed by SIGKILL; ")
        assert f"paxon serve --config {directory / cluster.leader}.toml" in note
        assert len(cluster.status()) == 2

        pids = [one["pid"] for one in cluster.status().values()]
        assert cluster.stop(signal.SIGINT) == 0
        for pid in pids:
            wait_gone(pid)

    # Started again, without saying how many or where: the same cluster, with everything in it.
    with up(directory) as again:
        again.wait_ready()
        assert again.endpoints == ",".join(every)
        for key in (*every, "after"):
            assert paxon("get", key, endpoints=again.endpoints).returncode == 0
        assert len(again.status()) == 3
        assert all(line.startswith(("n1 | ", "n2 | ", "n3 | ", "paxon: ")) for line in again.err)

    shown = paxon("ledger", "show", str(directory / "n1"))
    assert shown.returncode == 0
    assert "Vote" in shown.stdout
    verified = paxon("ledger", "verify", str(directory / "n1"))
    assert (verified.returncode, verified.stdout.splitlines()[-1].split()) == (0, ["verdict:", "sound"])


def test_limits_hold_and_nothing_is_lost(tmp_path: Path, base_port: str) -> None:
    with up(tmp_path, "--members", "1", "--base-port", base_port) as cluster:
        cluster.wait_ready()
        (tmp_path / "fits").write_bytes(bytes(1_500_000))
        (tmp_path / "too large").write_bytes(bytes(1_600_000))
        (tmp_path / "huge").write_bytes(bytes(20_000_000))

        def put(key: str, file: str) -> tuple[int, str]:
            result = paxon("put", key, "--file", str(tmp_path / file), endpoints=cluster.endpoints)
            return result.returncode, result.stderr

        assert put("a", "fits") == (0, "")
        for file in ("too large", "huge"):
            code, complaint = put("a", file)
            assert code == 1
            assert complaint.startswith("paxon: error: ")
            assert complaint.count("\n") == 1
        assert put("k" * 8192, "fits")[0] == 0
        assert put("k" * 8193, "fits")[0] == 1
        assert len(paxon("get", "a", endpoints=cluster.endpoints).stdout) == 1_500_000
        # A stranger that talks nonsense is cut off, and nobody else notices.
        with socket.create_connection(("127.0.0.1", int(base_port))) as stranger:
            stranger.settimeout(10)
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 1000)
            with pytest.raises((ConnectionError, StopIteration)):  # noqa: PT012  # whichever end of a closed connection
                while stranger.recv(4096):
                    pass
                raise StopIteration
        assert len(paxon("get", "a", endpoints=cluster.endpoints).stdout) == 1_500_000


def test_without_a_quorum_no_write_succeeds(tmp_path: Path, base_port: str) -> None:
    with up(tmp_path, "--base-port", base_port) as cluster:
        cluster.wait_ready()
        status = cluster.status()
        survivor = status.pop(cluster.leader)
        for one in status.values():
            os.kill(one["pid"], signal.SIGKILL)
        result = paxon("put", "a", "1", "--timeout", "2", endpoints=survivor["endpoint"])
        assert result.returncode in (1, 3)
        assert paxon("get", "a", "--timeout", "2", endpoints=survivor["endpoint"]).returncode in (1, 4)
        stale = paxon("get", "a", "--stale", endpoints=survivor["endpoint"])
        assert (stale.returncode, stale.stderr) == (1, "paxon: not found: a\n")
        # The one that is left says that it does not lead any more.
        assert cluster.stop() == 0


def test_members_do_not_outlive_a_killed_up(tmp_path: Path, base_port: str) -> None:
    with up(tmp_path, "--base-port", base_port) as cluster:
        cluster.wait_ready()
        pids = [one["pid"] for one in cluster.status().values()]
        cluster.stop(signal.SIGKILL)
        for pid in pids:
            wait_gone(pid)


def test_what_cannot_be_started_says_so_in_one_line(tmp_path: Path, base_port: str) -> None:
    def refused(*flags: str) -> str:
        result = paxon("up", *flags)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith("paxon: error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr

    directory = tmp_path / "data"
    with up(directory, "--members", "1", "--base-port", base_port) as cluster:
        cluster.wait_ready()
        assert "in use by another paxon up" in refused("--dir", str(directory))
        assert f"127.0.0.1:{base_port} is in use" in refused("--dir", str(tmp_path / "new"), "--base-port", base_port)

    assert "holds a cluster of 1 members, not 3" in refused("--dir", str(directory), "--members", "3")
    assert "at base port" in refused("--dir", str(directory), "--base-port", "7400")
    (tmp_path / "file").touch()
    assert "cannot be used" in refused("--dir", str(tmp_path / "file"))
    assert "choose from 1 to 65530" in refused("--dir", str(tmp_path / "high"), "--base-port", "65535")

    (directory / "cluster.toml").rename(directory / "elsewhere.toml")
    assert "cluster.toml does not" in refused("--dir", str(directory), "--base-port", base_port)
    (directory / "cluster.toml").write_text("members = ")
    assert "cluster.toml: " in refused("--dir", str(directory))


def test_a_member_that_does_not_start_stops_the_others(tmp_path: Path, base_port: str) -> None:
    with up(tmp_path, "--members", "1", "--base-port", base_port) as cluster:
        cluster.wait_ready()
    # Another cluster's name: the data directory belongs to the old one.
    stored = tmp_path / "cluster.toml"
    stored.write_text(re.sub(r"local-\w+", "another", stored.read_text()))
    with up(tmp_path) as cluster:
        line = cluster.wait_line("paxon: error: n1 did not start: ")
        assert "cluster" in line
        assert cluster.process.wait(20) == 1
