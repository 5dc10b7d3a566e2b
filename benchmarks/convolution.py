"""Convolution and pooling beside PyTorch and JAX: float32, on one core unless told otherwise.

    python benchmarks/convolution.py [--cores 1|2] [--rounds 7] [--seconds 0.2] [--json FILE]

Prints medians with ratios, and whether each convolution keeps its budget: with both
gradients at most 1.5 times what PyTorch takes, eager, in the same rounds.
"""

import argparse
import statistics
from pathlib import Path

from _convolution import CONVOLUTIONS
from _turns import Result, print_table, ratios, take_turns, write_json

OF_TORCH = 1.5


def check_budgets(results: list[Result]) -> None:
    """Print each budget, what was measured, and whether it holds."""
    times_of_gradx = {r.work: ratios(results, r) for r in results if r.system == "torch"}
    for name in CONVOLUTIONS:
        for kind in ("forward", "with gradients"):
            measured = 1 / statistics.median(times_of_gradx[f"{kind} {name}"])
            holds = "holds" if measured <= OF_TORCH else "BROKEN"
            print(f"{holds:<6} {kind} {name}: {measured:.2f} of torch's, at most {OF_TORCH}")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, choices=(1, 2), default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each turn")
    parser.add_argument("--json", type=Path, help="file for the records")
    options = parser.parse_args()

    results = take_turns(
        "_convolution", rounds=options.rounds, seconds=options.seconds, cores=options.cores
    )
    print_table(results)
    print()
    check_budgets(results)
    write_json(results, options.json)


if __name__ == "__main__":
    main()
