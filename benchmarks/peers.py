"""Whole computations in gradx and its peers: an MLP's step, an elementwise one, an LSTM.

    python benchmarks/peers.py [--cores 1|2] [--work mlp elementwise lstm] [--json FILE]

Systems that are not installed are named and left out.
"""

import argparse
from pathlib import Path

from _turns import print_table, take_turns, write_json

SUITES = {"mlp": "_mlp", "elementwise": "_elementwise", "lstm": "_lstm"}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, choices=(1, 2), default=1)
    parser.add_argument("--work", choices=SUITES, nargs="+", default=list(SUITES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each turn")
    parser.add_argument("--json", type=Path, help="file for the records")
    options = parser.parse_args()

    results = []
    for name in options.work:
        results += take_turns(
            SUITES[name], rounds=options.rounds, seconds=options.seconds, cores=options.cores
        )
    print_table(results)
    write_json(results, options.json)


if __name__ == "__main__":
    main()
