"""Other versions of Python on this machine, and what it takes to run Paxon with one."""

import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

NAMES = ("python3.14", "python3.13", "python3.12", "python3.11", "pypy3")

OTHER_PYTHON = "PAXON_OTHER_PYTHON"
"""A variable that names one more, by path or name."""

NEEDED = ("msgspec", "google-crc32c")
"""What a simulated run imports from outside."""

_IDENTITY = "import sys; print(sys.implementation.name, *sys.version_info[:2])"

ROOT = Path(__file__).parents[2]


@cache
def other_interpreters() -> tuple[str, ...]:
    """Those that run, are new enough, and differ from this one and from each other."""
    wanted = [os.environ[OTHER_PYTHON]] if os.environ.get(OTHER_PYTHON) else []
    # pyenv keeps what it installed off the path until somebody asks for it.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = [str(pyenv / version / "bin" / "python") for version in sorted(os.listdir(pyenv))] if pyenv.is_dir() else []
    found: dict[str, str] = {}
    this = _identity(sys.executable)
    for name in (*wanted, *NAMES, *kept):
        path = shutil.which(name)
        identity = _identity(path) if path else None
        if path and identity and identity != this and _is_new_enough(identity):
            found.setdefault(identity, path)
    return tuple(found.values())


def usable(interpreter: str, directory: Path) -> str:
    """``interpreter``, or a virtual environment of it in ``directory`` if it lacks what a run needs.

    Raises:
        subprocess.CalledProcessError: if none can be made, for example without a network.
    """
    if _run(interpreter, "import msgspec, google_crc32c").returncode == 0:
        return interpreter
    subprocess.run([interpreter, "-m", "venv", str(directory)], check=True, capture_output=True)
    python = str(directory / "bin" / "python")
    packages = [f"{name}=={version(name)}" for name in NEEDED]
    install = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages]
    subprocess.run(install, check=True, capture_output=True)
    return python


def output_of(interpreter: str, program: str) -> str:
    """What ``program`` prints with this very source."""
    result = _run(interpreter, program)
    assert result.returncode == 0, result.stderr
    return result.stdout


def _run(interpreter: str, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([interpreter, "-c", program], env=environment, capture_output=True, text=True, check=False)


def _identity(interpreter: str) -> str | None:
    result = _run(interpreter, _IDENTITY)
    return result.stdout.strip() if result.returncode == 0 else None


def _is_new_enough(identity: str) -> bool:
    _, major, minor = identity.split()
    return (int(major), int(minor)) >= (3, 11)
