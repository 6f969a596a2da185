"""``python -m paxon.checker HISTORY.jsonl --model kv --html out.html``: is a recorded history linearizable?

Exits with 0 if it is, with 1 if it is not, and with 2 if there is no answer: the search was
given up, or the input or the arguments make no sense.
"""

import argparse
import importlib
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from paxon.checker.check import check_parts, verdict
from paxon.checker.counter import Counter
from paxon.checker.history import History, HistoryInvalid
from paxon.checker.key_value import KeyValue
from paxon.checker.model import Model
from paxon.checker.queue import Queue
from paxon.checker.register import CompareAndSetRegister, Register
from paxon.checker.report import DRAWN_MAX, render
from paxon.checker.result import Linearizable, NotLinearizable
from paxon.checker.revisions import Revisions
from paxon.checker.words import explain

MODELS: Final[dict[str, type[Model[Any, Any, Any]]]] = {
    "register": Register,
    "cas": CompareAndSetRegister,
    "counter": Counter,
    "queue": Queue,
    "kv": KeyValue,
    "revisions": Revisions,
}

STEPS_MAX: Final = 5_000_000
"""The default budget for each part: around ten seconds on an ordinary machine."""


def main(arguments: list[str]) -> int:
    """Check the history that the arguments name.  Returns the exit code."""
    options = _options(arguments)
    try:
        model = _model(options.model)
        with nullcontext(sys.stdin.buffer) if options.history == "-" else Path(options.history).open("rb") as lines:
            history = History.load(lines, model)
        parts = check_parts(history, model, steps_max=options.steps_max or None)
        result = verdict(parts)
        sys.stdout.write("\n".join(explain(result, model)) + "\n")
        if options.html:
            title = "standard input" if options.history == "-" else Path(options.history).name
            page = render(parts, model, title=title, drawn_max=options.drawn_max)
            Path(options.html).write_text(page, encoding="utf-8")
    except (OSError, HistoryInvalid) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    if isinstance(result, Linearizable):
        return 0
    return 1 if isinstance(result, NotLinearizable) else 2


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m paxon.checker", description="Is a history linearizable?")
    parser.add_argument(
        "history", metavar="HISTORY", help="a file of operations, one JSON object a line; - for standard input"
    )
    parser.add_argument(
        "--model", required=True, help=f"{', '.join(MODELS)}, or package.module:Class for one of your own"
    )
    parser.add_argument("--html", metavar="FILE", help="draw the answer into this file")
    parser.add_argument(
        "--steps-max",
        type=_natural,
        default=STEPS_MAX,
        metavar="N",
        help="give a part up after N steps; 0 never does (%(default)s)",
    )
    parser.add_argument(
        "--drawn-max",
        type=_natural,
        default=DRAWN_MAX,
        metavar="N",
        help="draw at most N operations of a part (%(default)s)",
    )
    return parser.parse_args(arguments)


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _model(name: str) -> Model[Any, Any, Any]:
    """The model of that name.

    Raises:
        HistoryInvalid: if there is none.
    """
    if name in MODELS:
        return MODELS[name]()
    module, _, wanted = name.partition(":")
    try:
        model = getattr(importlib.import_module(module), wanted)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise HistoryInvalid(f"--model {name}: no such model ({error})") from error
    if not isinstance(model, Model):
        raise HistoryInvalid(f"--model {name}: this is no paxon.checker.Model")
    return model


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
