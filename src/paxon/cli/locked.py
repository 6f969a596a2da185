"""``run --once`` and ``lock``: a command that runs only while this machine holds the seat for it.

Knows: how a command, its guardian and a held seat go together, and which signals go where.  Does not know: how a seat
is held (``paxon.client.recipes`` does), or how the command is ended (its guardian does).
"""

import asyncio
import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import click

from paxon.cli.failures import complain
from paxon.cli.guardian import NOT_FOUND, SIGNALLED
from paxon.cli.options import ConnectionOptions, connection_options
from paxon.client.connecting import OutsideClient
from paxon.client.recipes.face import DEFAULT_TTL_S
from paxon.client.recipes.seats import Hold
from paxon.client.steady import steady_s
from paxon.collections.holding_rule import DEFAULT_CLOCK_ERROR_S, least_ttl_s
from paxon.collections.values import NAME_LENGTH_MAX

DEFAULT_GRACE_S: Final = 2.0

SECONDS_MAX: Final = 86_400.0
"""A day: of the ttl, the grace and the clock error."""

FEED_S: Final = 0.2
"""How often the guardian is told until when the command may run.  Little beside any useful ttl."""

RESTART_PAUSE_S_MIN: Final = 1.0
RESTART_PAUSE_S_MAX: Final = 60.0
"""Before a command that failed is begun again: the first pause, and the longest one."""

PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
ENDING: Final = PASSED_ON[:4]
"""Signals that end this program while no command runs."""


def _seconds(flag: str, default: float, what: str, least: float = 0.0) -> Callable[..., Any]:
    return click.option(
        flag,
        f"{flag.removeprefix('--').replace('-', '_')}_s",
        type=click.FloatRange(min=least, max=SECONDS_MAX),
        default=default,
        metavar="SECONDS",
        help=f"{what}  [default: {default:g}]",
    )


def _seat_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED),
        _seconds("--clock-error", DEFAULT_CLOCK_ERROR_S, "How far the members' clocks may differ."),
        _seconds("--grace", DEFAULT_GRACE_S, "Between SIGTERM and SIGKILL when the seat is lost."),
        _seconds("--ttl", DEFAULT_TTL_S, "How long after this machine's death another one begins.", least=0.001),
    ):
        command = option(command)
    return command


def _read_name(ctx: click.Context, param: click.Parameter, name: str) -> str:
    if not 1 <= len(name) <= NAME_LENGTH_MAX - len("election/"):
        raise click.BadParameter(f"a name has 1 to {NAME_LENGTH_MAX - len('election/')} characters", ctx, param)
    return name


@click.command()
@click.option("--once", "name", required=True, metavar="NAME", callback=_read_name, help="What runs once.")
@click.option("--restart", is_flag=True, help="When the command fails, run it again when it is this machine's turn.")
@_seat_options
@connection_options
def run(connection: ConnectionOptions, name: str, restart: bool, **seat: Any) -> None:
    """Run COMMAND in exactly one place of all that run it under NAME: paxon run --once NAME -- COMMAND...

    Waits for its turn, and runs COMMAND with the fencing token in PAXON_TOKEN.  When the seat is lost, COMMAND is ended
    and begun again at this machine's next turn.  Otherwise it ends as COMMAND does.
    """
    command: tuple[str, ...] = seat["command"]
    _demand_sense(**seat)

    async def in_turn(client: OutsideClient, charge: "Charge") -> int:
        pause_s = RESTART_PAUSE_S_MIN
        while True:
            code: int = await client.run_once(
                name, charge.run, ttl=seat["ttl_s"], clock_error=seat["clock_error_s"] + seat["grace_s"]
            )
            if code == 0 or not restart or charge.is_ending:
                return code
            complain(f"the command ended with {code}; begun again in {pause_s:g} s at the earliest")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_PAUSE_S_MAX)

    sys.exit(_hold_and_run(connection, Charge(command, seat["grace_s"]), in_turn))


@click.command()
@click.argument("name", callback=_read_name)
@click.option("--wait", is_flag=True, help="Wait for the lock as long as it takes, and not only for --timeout.")
@_seat_options
@connection_options
def lock(connection: ConnectionOptions, name: str, wait: bool, **seat: Any) -> None:
    """Run COMMAND while holding the lock NAME: paxon lock NAME -- COMMAND...

    COMMAND finds the fencing token in PAXON_TOKEN.  When the lock is lost, COMMAND is ended, and so does this.
    """
    command: tuple[str, ...] = seat["command"]
    _demand_sense(**seat)

    async def locked(client: OutsideClient, charge: "Charge") -> int:
        held = client.lock(
            name,
            ttl=seat["ttl_s"],
            timeout=math.inf if wait else connection.timeout_s,
            clock_error=seat["clock_error_s"] + seat["grace_s"],
        )
        async with held as hold:
            return await charge.run(hold)

    sys.exit(_hold_and_run(connection, Charge(command, seat["grace_s"]), locked))


def _demand_sense(command: tuple[str, ...], ttl_s: float, grace_s: float, clock_error_s: float) -> None:
    """Say that there is no such command, or no time for it, before anything is waited for."""
    least_s = least_ttl_s(clock_error_s + grace_s)
    if ttl_s < least_s:
        raise click.UsageError(
            f"--ttl {ttl_s:g} is too short with --grace {grace_s:g} and --clock-error {clock_error_s:g}: "
            f"make it {least_s:.2f} or more"
        )
    if shutil.which(command[0]) is None:
        complain(f"{command[0]}: no such command")
        sys.exit(NOT_FOUND)


def _hold_and_run(
    connection: ConnectionOptions, charge: "Charge", main: Callable[[OutsideClient, "Charge"], Awaitable[int]]
) -> int:
    """The exit code of ``main``, or of the signal that ended it while no command ran."""

    async def connected() -> int:
        with charge.taking_signals():
            try:
                async with connection.connected() as client:
                    return await main(client, charge)
            except asyncio.CancelledError:
                if charge.ended_by is None:
                    raise
                return SIGNALLED + charge.ended_by

    return asyncio.run(connected())


class Charge:
    """A command that runs whenever this machine holds the seat.

    Invariant: while ``run`` does not run, no process of the command does.  A holder rests on this when it gives the
    seat up.
    """

    def __init__(self, command: tuple[str, ...], grace_s: float) -> None:
        self._command = command
        self._grace_s = grace_s
        self._control: int | None = None
        """The pipe to the guardian, while the command is to run."""
        self._is_running = False
        self.is_ending = False
        """Whether a signal asked for the end of everything."""
        self.ended_by: int | None = None
        """The signal that ended this program while no command ran."""

    async def run(self, hold: Hold) -> int:
        """Run the command under ``hold``; its exit code, as a shell has it."""
        guardian, ours = self._start(hold)
        ended = asyncio.ensure_future(asyncio.to_thread(guardian.wait))
        self._control, self._is_running = ours, True
        try:
            while not ended.done():
                # What is not valid any more is not made longer by telling so late.
                if hold.is_valid:
                    self._tell(f"until {steady_s() + hold.left}")
                await asyncio.wait({ended}, timeout=FEED_S)
            return ended.result()
        finally:
            self._control = None
            # Without the pipe the guardian ends the command.  Nobody gives the seat up before it has.
            os.close(ours)
            await asyncio.wait({ended})
            self._is_running = False

    def _start(self, hold: Hold) -> tuple[subprocess.Popen[bytes], int]:
        """The command's guardian, and the pipe to it."""
        theirs, ours = os.pipe()
        arguments = (str(theirs), str(steady_s() + hold.left), str(self._grace_s), *self._command)
        try:
            # The name of a module and numbers of ours; the command is the user's own.
            guardian = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "paxon.cli.guardian", *arguments],
                env={**os.environ, "PAXON_TOKEN": str(hold.token)},
                pass_fds=(theirs,),
                process_group=0,
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return guardian, ours

    @contextlib.contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Pass signals on to the command, or end the current task if there is none."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def take(number: int) -> None:
            if number in ENDING:
                self.is_ending = True
            if self._control is not None:
                self._tell(f"signal {number}")
            elif number in ENDING and not self._is_running and self.ended_by is None:
                self.ended_by = number
                if task is not None:
                    task.cancel()

        taken = [number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
        for number in taken:
            loop.add_signal_handler(number, take, number)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)

    def _tell(self, line: str) -> None:
        if self._control is not None:
            # It may have ended just now.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._control, line.encode() + b"\n")
