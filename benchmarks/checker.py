"""How long does it take to check a history of 10,000 operations on 10 keys?

    python benchmarks/checker.py [--operations 10000] [--keys 10] [--processes 20] [--unknown 0.02] [--seed 1]

Makes histories by executing random operations at random instants of their intervals: a good
one for keys with versions and one for a store with revisions, and one of each with a stale
read near its end.  Prints one JSON object with seconds and steps for each; exits with 1 if
an answer is wrong or the good history of keys took ten seconds or more.
"""

import argparse
import json
import random
import sys
import time
from typing import Any

from msgspec.structs import replace

from paxon.checker import History, Linearizable, NotLinearizable, Operation, SequentialModel, check_history
from paxon.checker.key_value import CompareAndPut, Delete, Found, Get, KeyValue, Put
from paxon.checker.model import Done
from paxon.checker.revisions import Revisions, Seen

LIMIT_S = 10.0
STEPS_MAX = 5_000_000
EFFECT_EVERY_US = 100


def input_of(draw: random.Random, number: int, keys: int) -> Any:
    """Half reads, mostly puts else."""
    key = f"key-{draw.randrange(keys)}"
    kind = draw.random()
    if kind < 0.5:
        return Get(key)
    if kind < 0.8:
        return Put(key, f"value-{number}")
    return Delete(key) if kind < 0.85 else CompareAndPut(key, None, f"value-{number}")


def history_of(options: argparse.Namespace, model: SequentialModel[Any, Any, Any]) -> History[Any, Any]:
    """A linearizable history; half of the unknown operations took effect, some of them late."""
    draw = random.Random(options.seed)
    reach = EFFECT_EVERY_US * options.processes
    plans: list[tuple[int, Operation[Any, Any], bool]] = []
    now = 0
    free_at = [0] * options.processes
    for number in range(options.operations):
        now += draw.randint(1, 2 * EFFECT_EVERY_US)
        process = min(range(options.processes), key=free_at.__getitem__)
        call = max(free_at[process], now - draw.randint(0, reach))
        effect = max(call, now)
        returned = effect + draw.randint(0, reach)
        free_at[process] = returned + 1
        given = input_of(draw, number, options.keys)
        if draw.random() < options.unknown:
            effect += draw.choice((0, 20 * reach))
            plans.append((effect, Operation(f"p{process}", call, given), draw.random() < 0.5))
        else:
            plans.append((effect, Operation(f"p{process}", call, given, returned, Done()), True))
    plans.sort(key=lambda plan: plan[0])
    states: dict[str, Any] = {}
    operations = []
    for _, operation, happens in plans:
        part = operation.input.key if isinstance(model, KeyValue) else ""
        state = states.get(part, model.init())
        output = None
        if happens:
            output, states[part] = model.apply(state, operation.input)
        operations.append(operation if operation.is_unknown else replace(operation, output=output))
    return History(tuple(operations))


def with_a_stale_read(history: History[Any, Any]) -> History[Any, Any]:
    """The same, but a late read says one version or revision too few."""
    operations = list(history.operations)
    for place in range(len(operations) * 9 // 10, len(operations)):
        match operations[place].output:
            case Found(version=int(version)) as output if version > 1:
                stale: Found | Seen = replace(output, version=version - 1)
            case Seen(mod_revision=revision) as output if revision > 1:
                stale = replace(output, mod_revision=revision - 1)
            case _:
                continue
        operations[place] = replace(operations[place], output=stale)
        return History(tuple(operations))
    raise SystemExit("no read to spoil: use more operations")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=10)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--unknown", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures: dict[str, object] = {
        name: getattr(options, name) for name in ("operations", "keys", "processes", "unknown", "seed")
    }
    is_right = True
    seconds: dict[str, float] = {}
    models: dict[str, SequentialModel[Any, Any, Any]] = {"keys": KeyValue(), "revisions": Revisions()}
    for name, model in models.items():
        good = history_of(options, model)
        for kind, history, wanted in (
            ("good", good, Linearizable),
            ("stale", with_a_stale_read(good), NotLinearizable),
        ):
            began = time.perf_counter()
            result = check_history(history, model, steps_max=STEPS_MAX)
            seconds[f"{name}_{kind}"] = took = time.perf_counter() - began
            is_right &= isinstance(result, wanted)
            answer = type(result).__name__
            figures[f"{name}_{kind}"] = {"seconds": round(took, 3), "steps": result.steps, "answer": answer}
    print(json.dumps(figures))
    sys.exit(0 if is_right and seconds["keys_good"] < LIMIT_S else 1)


if __name__ == "__main__":
    main()
