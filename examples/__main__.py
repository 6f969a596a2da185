"""Every example, one after the other: ``make examples``. The exit code is 0 if each went as it claims."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

NOT_EXAMPLES = {"__main__", "processes"}


def names() -> list[str]:
    """The examples."""
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in NOT_EXAMPLES)


def main() -> int:
    """Run them; how many went wrong."""
    failures = 0
    for name in names():
        print(f"--- {name}", flush=True)
        failures += subprocess.run([sys.executable, "-m", f"examples.{name}"], cwd=HERE.parent).returncode != 0
    return failures


if __name__ == "__main__":
    sys.exit(main())
