"""Whole computations in gradx and its peers: steps of networks, an LSTM, an elementwise one.

    python benchmarks/peers.py [--cores 1|2] [--work mlp cnn transformer lstm elementwise]
        [--rounds 7] [--seconds 0.3] [--json FILE]

Systems that are not installed are named and left out.
"""

import argparse
from pathlib import Path

from _turns import print_table, take_turns, write_json

SUITES = {
    "mlp": "_mlp",
    "cnn": "_cnn",
    "transformer": "_transformer",
    "lstm": "_lstm",
    "elementwise": "_elementwise",
}


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
