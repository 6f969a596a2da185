"""The command line without a cluster: usage, exit codes, and what is printed, against members of the test's making."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paxon.cli.main import cli
from paxon.version import __version__
from tests.client.members import FakeMember, breaking, failing, refusing_endpoint, started

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    for variable in ("PAXON_ENDPOINTS", "PAXON_CERT", "PAXON_KEY", "PAXON_CACERT"):
        monkeypatch.delenv(variable, raising=False)
    return lambda *arguments, **more: CliRunner().invoke(cli, list(arguments), prog_name="paxon", **more)


@contextmanager
def serving(*members: FakeMember) -> Iterator[str]:
    """The members in a loop of their own, for as long as the context lasts; gives their endpoints."""
    ready, done = threading.Event(), threading.Event()
    endpoints: list[str] = []

    async def serve() -> None:
        async with started(*members) as listening:
            endpoints.extend(listening)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield ",".join(endpoints)
    finally:
        done.set()
        thread.join()


def test_version(run: Run) -> None:
    result = run("version")
    assert (result.exit_code, result.stdout) == (0, f"paxon {__version__}\n")


def test_put_get_cas_delete(run: Run) -> None:
    with serving(FakeMember()) as endpoints:

        def paxon(*arguments: str) -> Result:
            return run("--endpoints", endpoints, *arguments)

        assert paxon("put", "a", "1").stdout == "ok version=1\n"
        assert paxon("get", "a").stdout_bytes == b"1"
        assert paxon("get", "--stale", "a").stdout_bytes == b"1"
        assert paxon("cas", "a", "--expect", "1", "2").stdout == "ok version=2\n"
        assert paxon("cas", "b", "--absent", "x").stdout == "ok version=1\n"
        beaten = paxon("cas", "a", "--expect", "1", "3")
        assert (beaten.exit_code, beaten.stdout) == (1, "")
        assert beaten.stderr == "paxon: not as expected: a is 2 (version 2)\n"
        assert paxon("cas", "c", "--expect", "1", "3").stderr == "paxon: not as expected: c has no value\n"
        assert paxon("del", "a").stdout == "ok version=2\n"
        for arguments in (("del", "a"), ("get", "a"), ("get", "--stale", "a")):
            missing = paxon(*arguments)
            assert (missing.exit_code, missing.stdout, missing.stderr) == (1, "", "paxon: not found: a\n")


def test_bytes_go_in_and_come_out_as_they_are(run: Run, tmp_path: Path) -> None:
    value = bytes(range(256)) * 10
    (tmp_path / "value").write_bytes(value)
    with serving(FakeMember()) as endpoints:
        assert run("put", "--endpoints", endpoints, "a", "--file", str(tmp_path / "value")).exit_code == 0
        assert run("get", "--endpoints", endpoints, "a").stdout_bytes == value
        assert run("put", "--endpoints", endpoints, "a", "--file", "-", input=value[:7]).exit_code == 0
        assert run("get", "--endpoints", endpoints, "a").stdout_bytes == value[:7]
        assert run("put", "--endpoints", endpoints, "", "x").exit_code == 1
        assert run("put", "--endpoints", endpoints, "a", "").exit_code == 0
        assert run("get", "--endpoints", endpoints, "a").stdout_bytes == b""


def test_an_option_after_the_command_wins_over_one_before_it_over_the_environment(run: Run) -> None:
    with serving(FakeMember()) as good, refusing_endpoint() as bad:
        assert run("get", "a", env={"PAXON_ENDPOINTS": good}).exit_code == 1
        assert run("--endpoints", good, "get", "a", env={"PAXON_ENDPOINTS": bad}).exit_code == 1
        assert run("--endpoints", bad, "get", "a", "--endpoints", good, "--timeout", "3").exit_code == 1
        assert run("get", "a", "--timeout", "0.1", env={"PAXON_ENDPOINTS": bad}).exit_code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["put", "a"],
        ["put"],
        ["put", "a", "b", "--file", "c"],
        ["get", "a", "b"],
        ["get", "a", "--frobnicate"],
        ["get", "a", "--timeout", "soon"],
        ["get", "a", "--timeout", "0"],
        ["cas", "a", "b"],
        ["cas", "a", "--expect", "x", "--absent", "b"],
        ["get", "a", "--endpoints", "nowhere"],
        ["get", "a", "--endpoints", "127.0.0.1:7400,,127.0.0.1:7402"],
        ["--endpoints", "127.0.0.1:99999", "get", "a"],
        ["get", "a", "--endpoints", ""],
        ["get", "a", "--cert", "x.pem"],
        ["up", "--members", "0"],
        ["up", "--members", "10"],
        ["up", "--members", "many"],
        ["up", "--base-port", "65536"],
        ["completion", "tcsh"],
        ["ledger", "burn"],
        ["ledger", "show"],
        ["serve"],
        ["serve", "--cluster", "c", "--name", "n1", "--dir", "d"],
        ["serve", "--config", "c.toml", "--name", "n1"],
        ["serve", "--member", "n1"],
        ["serve", "--member", "n1=a:1", "--member", "n1=b:1"],
        ["serve", "--weight", "n1=heavy"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_ends_with_2_and_says_why(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output


def test_endpoints_in_the_environment_that_make_no_sense_are_wrong_usage(run: Run) -> None:
    assert run("status", env={"PAXON_ENDPOINTS": "nowhere"}).exit_code == 2


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("not_leader", 1),
        ("overloaded", 1),
        ("too_large", 1),
        ("disk_full", 1),
        ("bad_request", 1),
        ("apply_failed", 1),
        ("unknown", 3),
        ("deadline", 3),
        ("leadership_lost", 3),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(run: Run, code: str, exit_code: int) -> None:
    with serving(FakeMember("n1", failing(code))) as endpoints:
        result = run("put", "a", "1", "--endpoints", endpoints, "--timeout", "2")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr == f"paxon: error: {code} at n1\n"


def test_a_write_whose_connection_breaks_ends_with_3(run: Run) -> None:
    with serving(FakeMember("n1", breaking)) as endpoints:
        result = run("put", "a", "1", "--endpoints", endpoints)
    assert result.exit_code == 3
    assert result.stderr.startswith("paxon: error: ")
    assert "may have been applied" in result.stderr


def test_with_nobody_there_everything_ends_with_4(run: Run) -> None:
    with refusing_endpoint() as nobody:
        for command in (["put", "a", "1"], ["get", "a"], ["del", "a"], ["cas", "a", "--absent", "1"], ["status"]):
            result = run(*command, "--endpoints", nobody, "--timeout", "0.1")
            assert result.exit_code == 4
            assert nobody in result.stderr


def test_tls_files_that_cannot_be_used_are_named(run: Run, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem", "ca.pem")]
    result = run("get", "a", "--cert", files[0], "--key", files[1], "--cacert", files[2])
    assert result.exit_code == 1
    assert result.stderr.startswith("paxon: error: cannot read the TLS file")


def test_the_status_table(run: Run) -> None:
    with serving(FakeMember("n1")) as endpoints, refusing_endpoint() as nobody:
        result = run("status", "--endpoints", f"{endpoints},{nobody}", "--timeout", "1")
    assert result.exit_code == 0
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["MEMBER", "ROLE", "TERM", "APPLIED", "LAG", "DISK", "VERSION", "ENDPOINT"]
    assert first.split() == ["n1", "follower", "65537", "7", "0", "4.0", "KiB", "0.1.0", endpoints]
    assert second.split() == ["-", "unreachable", *"-----", nobody]
    assert first.index(endpoints) == second.index(nobody) == header.index("ENDPOINT")
    assert result.stderr.startswith(f"paxon: error: {nobody}: ")


def test_the_status_as_json(run: Run) -> None:
    with serving(FakeMember("n1")) as endpoints, refusing_endpoint() as nobody:
        result = run("status", "--json", "--endpoints", f"{endpoints},{nobody}", "--timeout", "1")
    first, second = json.loads(result.stdout)
    assert first == {
        "member": "n1",
        "role": "follower",
        "term": 65537,
        "applied": 7,
        "lag": 0,
        "disk_bytes": 4096,
        "version": "0.1.0",
        "pid": 42,
        "endpoint": endpoints,
    }
    assert second.keys() == first.keys()
    assert (second["member"], second["role"], second["endpoint"]) == (None, "unreachable", nobody)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_PAXON_COMPLETE" in result.stdout


def test_the_script_that_completes_completes(run: Run) -> None:
    result = run(env={"_PAXON_COMPLETE": "bash_complete", "COMP_WORDS": "paxon sta", "COMP_CWORD": "1"})
    assert result.stdout.strip() == "plain,status"


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_ledger_that_is_not_there(run: Run, tmp_path: Path, command: str) -> None:
    for directory in (tmp_path / "none", tmp_path):
        result = run("ledger", command, str(directory))
        assert result.exit_code == 1
        assert result.stderr.startswith("paxon: error: ")
        assert str(directory) in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--config", "{tmp}/none.toml"], "cannot be read"),
        (["--cluster", "c", "--name", "n1", "--dir", "d", "--member", "n2=127.0.0.1:1"], "members has no 'n1'"),
        (["--cluster", "c", "--name", "n1", "--dir", "d", "--member", "n1=127.0.0.1"], "has no port"),
        (["--cluster", "c", "--name", "n1", "--dir", "d", "--member", "n1=10.0.0.1:7401"], "no TLS"),
        (
            ["--cluster", "c", "--name", "n1", "--dir", "d", "--member", "n1=127.0.0.1:1", "--set", "limits.x=1"],
            "unknown setting limits.x",
        ),
    ],
)
def test_a_member_that_cannot_be_started_as_asked(run: Run, tmp_path: Path, arguments: list[str], says: str) -> None:
    result = run("serve", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert result.exit_code == 1
    assert result.stderr.startswith("paxon: error: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
