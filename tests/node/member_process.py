"""One member as a program of its own, for ``test_member``: like ``paxon serve``, with a disk that can be told to fail.

    python member_process.py CONFIG.toml [TRIGGER]

Once the file TRIGGER exists every sync fails, as that of a dying disk does.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Any

from paxon.client.standard import standard_parts
from paxon.errors import PaxonError
from paxon.node.config import MemberConfig
from paxon.node.logs import configure_logging
from paxon.node.member import run_member

EXIT_REFUSED = 3
"""The member could not start: told apart from a member that failed while it ran."""


def break_syncs_once(trigger: Path) -> None:
    fdatasync = os.fdatasync

    def failing(fd: Any) -> None:
        if trigger.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fdatasync(fd)

    os.fdatasync = failing


def main(config: str, trigger: str | None = None) -> int:
    if trigger is not None:
        break_syncs_once(Path(trigger))
    member = MemberConfig.from_toml(Path(config))
    configure_logging(member.name, log_format="text", level="info", stream=sys.stderr)
    try:
        return run_member(member, standard_parts())
    except PaxonError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
