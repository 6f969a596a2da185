"""``make fuzz``: every target under atheris; ``python -m tests.fuzz TARGET FILE``: one input replayed.

``python -m tests.fuzz`` fuzzes all targets, or those that are named, as many at once as there are processors, each for
``FUZZ_SECONDS`` (60).  A target starts from its seeds, from ``tests/fuzz/corpus`` and from what earlier runs on this
machine found worth keeping, under ``build/fuzz``.  An input that breaks a target is printed in hexadecimal digits and
kept there; once the bug is fixed it moves to ``tests/fuzz/corpus/TARGET``, which every test run replays.

Atheris has wheels for few systems.  Where it is missing this says so and succeeds: the same targets run under
hypothesis in every test run.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from zlib import crc32

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS = HERE / "corpus"
BUILD = ROOT / "build" / "fuzz"

UNDER_ATHERIS = "--under-atheris"

INPUT_BYTES_MAX = 16 * 1024
"""Longer inputs are slower and reach nothing else."""

MEASURED_EVERY = 8
"""Of so many inputs one has its memory counted, which makes it several times slower.  What wastes memory does so for
many inputs alike; and a replay always counts."""

HANG_S = 20
"""An input that takes so long is a finding: most take less than a millisecond."""


def main(arguments: Sequence[str]) -> int:
    """Replay, fuzz one target in this process, or fuzz many in processes of their own."""
    if arguments[:1] == [UNDER_ATHERIS]:
        return _fuzz(*arguments[1:])
    from tests.fuzz.targets import TARGETS

    if len(arguments) == 2 and arguments[0] in TARGETS and arguments[1] not in TARGETS:
        return _replay(arguments[0], Path(arguments[1]))
    unknown = [name for name in arguments if name not in TARGETS]
    if unknown:
        sys.stderr.write(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}\n")
        return 2
    if find_spec("atheris") is None:
        sys.stderr.write(
            "fuzzing skipped: atheris has no wheel for this Python or this system (it has for Python 3.11 to 3.13 on "
            "Linux and x86-64); make test runs the same targets under hypothesis\n"
        )
        return 0
    names = arguments or list(TARGETS)
    for name in names:
        seeds = _directory("seeds", name)
        for number, seed in enumerate(TARGETS[name].seeds):
            (seeds / str(number)).write_bytes(seed)
    with ThreadPoolExecutor(os.cpu_count()) as processors:
        broken = [name for name, is_well in zip(names, processors.map(_fuzz_apart, names), strict=True) if not is_well]
    sys.stdout.write(f"{len(names) - len(broken)} of {len(names)} targets hold\n")
    return 1 if broken else 0


def _replay(name: str, file: Path) -> int:
    from tests.fuzz.oracle import run_bounded
    from tests.fuzz.targets import TARGETS

    run_bounded(TARGETS[name], file.read_bytes())
    sys.stdout.write(f"{name} holds for {file}\n")
    return 0


def _directory(*parts: str) -> Path:
    directory = BUILD.joinpath(*parts)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _fuzz_apart(name: str) -> bool:
    """Fuzz one target in a process of its own; whether it holds."""
    seconds = os.environ.get("FUZZ_SECONDS", "60")
    broken = _directory("broken", name)
    kept = [str(path) for path in (_directory("seeds", name), CORPUS / name) if path.is_dir()]
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={HANG_S}",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={broken}/",
        "-print_final_stats=1",
    ]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", UNDER_ATHERIS, name, *options, str(_directory("found", name)), *kept],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    runs = [line.split()[-1] for line in finished.stdout.splitlines() if "number_of_executed_units" in line]
    is_well = finished.returncode == 0
    if not is_well:
        sys.stdout.write(finished.stdout)
        for file in map(Path, re.findall(r"Test unit written to (\S+)", finished.stdout)):
            sys.stdout.write(
                f"{name} is broken by {file.read_bytes().hex() or 'no bytes at all'}\n"
                f"replay it with: python -m tests.fuzz {name} {file.relative_to(ROOT)}\n"
            )
    sys.stdout.write(f"{name:<16} {'holds' if is_well else 'BROKEN':<8} {runs[0] if runs else '?':>10} inputs\n")
    sys.stdout.flush()
    return is_well


def _fuzz(name: str, *options: str) -> int:
    """Fuzz one target here, until libFuzzer ends this process."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["paxon"]):
        targets = import_module("tests.fuzz.targets").TARGETS
    run_bounded = import_module("tests.fuzz.oracle").run_bounded
    target = targets[name]

    def look(data: bytes) -> None:
        # By the input and not by chance, so that libFuzzer sees the same thing happen when it runs an input again.
        if crc32(data) % MEASURED_EVERY:
            target.run(data)
        else:
            run_bounded(target, data)

    atheris.Setup(["tests.fuzz", *options], look)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
