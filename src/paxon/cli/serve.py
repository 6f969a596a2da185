"""``serve``: one member of a cluster, in the foreground."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, cast

import click

from paxon.client.standard import standard_parts
from paxon.node.config import MemberConfig
from paxon.node.logs import LOG_FORMATS, LOG_LEVELS, LogFormat, configure_logging
from paxon.node.member import run_member

PARENT_GONE_STOP_S = 15.0
"""How long a member may take to stop in good order once its parent is gone."""


def read_pairs(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE``, given once per name."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not (name and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx, param)
        if name in pairs:
            raise click.BadParameter(f"{name} is given twice", ctx, param)
        pairs[name] = value
    return pairs


def read_numbers(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    """``NAME=N``, given once per name."""
    numbers: dict[str, int] = {}
    for name, text in read_pairs(ctx, param, texts).items():
        try:
            numbers[name] = int(text)
        except ValueError:
            raise click.BadParameter(f"{name}: {text!r} is not a whole number", ctx, param) from None
    return numbers


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Read everything from this TOML file.")
@click.option("--cluster", help="The cluster's name.  The same on every member, for ever.")
@click.option("--name", help="This member's name, one of the --member names.")
@click.option("--dir", "directory", help="This member's own data directory.")
@click.option("--listen", metavar="HOST:PORT", help="Where to serve clients.  [default: 127.0.0.1:7400]")
@click.option("--peer-listen", metavar="HOST:PORT", help="Where to listen for members, if not at this one's --member.")
@click.option(
    "--member",
    "members",
    metavar="NAME=HOST:PORT",
    callback=read_pairs,
    multiple=True,
    help="Once per founding member: its name, and where it listens for the others.",
)
@click.option(
    "--endpoint",
    "endpoints",
    metavar="NAME=HOST:PORT",
    callback=read_pairs,
    multiple=True,
    help="Where clients reach a member, if that is not where it listens.",
)
@click.option("--weight", "weights", metavar="NAME=N", callback=read_numbers, multiple=True, help="A member's votes.")
@click.option("--promise-quorum", "promises", type=int, help="Members it takes to elect a leader.")
@click.option("--vote-quorum", "votes", type=int, help="Members it takes to commit a write.")
@click.option("--tls-cert", "cert", help="This member's certificate, PEM.")
@click.option("--tls-key", "key", help="The certificate's private key, PEM.")
@click.option("--tls-ca", "ca", help="Certificates of the authority that signs members and clients, PEM.")
@click.option("--insecure", is_flag=True, help="Allow listening beyond this machine without TLS.")
@click.option(
    "--set",
    "settings",
    metavar="SETTING=N",
    callback=read_numbers,
    multiple=True,
    help="A limit or a time, such as limits.pipeline_depth=8 or timing.presence_ms=50.",
)
@click.option("--log-format", type=click.Choice(LOG_FORMATS), default="text", show_default=True)
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
@click.option("--until-stdin-closes", is_flag=True, hidden=True, help="Stop when the parent process is gone.")
def serve(config: Path | None, log_format: str, log_level: str, until_stdin_closes: bool, **flags: Any) -> None:
    """Run one member in the foreground until SIGTERM or Ctrl-C.

    Everything comes either from a TOML file (--config) or from the other options.
    """
    given = {name: value for name, value in flags.items() if value not in (None, {}, False)}
    if config is not None:
        if given:
            raise click.UsageError("--config holds everything: give either it or the other options")
        member = MemberConfig.from_toml(config)
    else:
        member = MemberConfig.from_settings(_settings(given))
    configure_logging(member.name, log_format=cast(LogFormat, log_format), level=log_level, stream=sys.stderr)
    if until_stdin_closes:
        threading.Thread(target=_stop_with_stdin, name="parent watch", daemon=True).start()
    sys.exit(run_member(member, standard_parts()))


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The flags as a TOML file would say them."""
    for needed, flag in (("cluster", "--cluster"), ("name", "--name"), ("directory", "--dir"), ("members", "--member")):
        if needed not in given:
            raise click.UsageError(f"{flag} is missing: give it, or --config")
    settings: dict[str, Any] = {}
    for name in ("cluster", "name", "directory", "listen", "peer_listen", "insecure"):
        if name in given:
            settings[name] = given[name]
    settings["members"] = given["members"]
    settings["endpoints"] = given.get("endpoints", {})
    if quorum := {name: given[name] for name in ("weights", "promises", "votes") if name in given}:
        settings["quorum"] = quorum
    if tls := {name: given[name] for name in ("cert", "key", "ca") if name in given}:
        if len(tls) < 3:
            raise click.UsageError("--tls-cert, --tls-key and --tls-ca go together: give all three or none")
        settings["tls"] = tls
    for setting, number in given.get("settings", {}).items():
        section, dot, name = setting.partition(".")
        if section not in ("limits", "snapshots", "timing", "lease") or not dot:
            choices = "limits, snapshots, timing or lease, as limits.pipeline_depth"
            raise click.UsageError(f"--set {setting}: choose a setting of {choices}")
        settings.setdefault(section, {})[name] = number
    return settings


def _stop_with_stdin() -> None:
    """Stop this process when its standard input closes: the parent holds the other end for as long as it lives.

    A pipe and not ``PR_SET_PDEATHSIG``: it works on every system, cannot miss a parent that
    dies before it is asked for, and leaves time to stop in good order.
    """
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(PARENT_GONE_STOP_S)
    os._exit(1)
