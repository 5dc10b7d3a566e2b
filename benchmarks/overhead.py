"""What gradx costs beside the array library: small ops in every system, and the import.

    python benchmarks/overhead.py [--rounds 7] [--seconds 0.03] [--json FILE]

Prints medians with ratios, and whether each budget holds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _small_ops import OPS, TOGETHER
from _turns import Result, limit_threads, pin, print_table, take_turns, write_json

PLAIN, RECORDED, IMPORT = 0.3, 1.0, 150e3  # us beyond NumPy
OF_TORCH, OF_AUTOGRAD = 1 / 2, 1 / 3  # forward + backward

IMPORTING = """
import time, numpy
start = time.perf_counter()
import gradx
print(1e6 * (time.perf_counter() - start))
"""


def time_import(rounds: int) -> Result:
    """Time ``import gradx`` after ``import numpy``, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        # Compiled to bytecode once, as in any installation.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        times = [_time_one_import(environment) for _ in range(rounds + 1)]
    return Result("import", "gradx", 1, times[1:])


def _time_one_import(environment):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=lambda: pin(1),
    )
    return float(done.stdout)


def check_budgets(results: list[Result]) -> None:
    """Print each budget, what was measured, and whether it holds.

    What disturbs a microsecond only lengthens it, so the least of the rounds counts.
    """
    by_name = {(result.work, result.system): result for result in results}
    for op in OPS:
        for kind, budget in (("plain", PLAIN), ("recorded", RECORDED)):
            ours, theirs = by_name[f"{kind} {op}", "gradx"], by_name[f"plain {op}", "numpy"]
            _report(f"{kind} {op}: us beyond numpy", min(ours.times) - min(theirs.times), budget)
    # Of one op alone the start of a derivative is most: an op's own cost shows in a program.
    # Like with like: PyTorch and gradx.tensor have a tape that is always on.
    for system, budget in (("torch", OF_TORCH), ("autograd", OF_AUTOGRAD)):
        ours = by_name[f"chain of 4 {TOGETHER}", "gradx.tensor"]
        theirs = by_name[f"chain of 4 {TOGETHER}", system]
        _report(
            f"gradx.tensor, forward + backward of 12 ops: of {system}'s",
            min(ours.times) / min(theirs.times),
            budget,
        )
    _report("import: us beyond numpy's", min(by_name["import", "gradx"].times), IMPORT)


def _report(what, measured, budget):
    holds = "holds" if measured <= budget else "BROKEN"
    print(f"{holds:<6} {what:<44} {measured:10.3g}  at most {budget:.3g}")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.03, help="of each turn")
    parser.add_argument("--json", type=Path, help="file for the records")
    options = parser.parse_args()

    limit_threads(1)
    results = take_turns("_small_ops", rounds=options.rounds, seconds=options.seconds, cores=1)
    results.append(time_import(options.rounds))
    print_table(results)
    print()
    check_budgets(results)
    write_json(results, options.json)


if __name__ == "__main__":
    main()
