"""Whole computations in gradx and its peers: steps of networks, an LSTM, an elementwise one.

    python benchmarks/peers.py [--cores 1 2] [--work mlp cnn transformer lstm elementwise
        replay first] [--rounds 7] [--seconds 0.3] [--json FILE] [--page docs/compile.md]

Systems that are not installed are named and left out. ``--page`` writes the table of what is
asked, and what holds, into the documentation.
"""

import argparse
import json
from pathlib import Path

import _asked
from _first_call import take_first_calls
from _turns import print_table, records_of, shares, take_turns

SUITES = {
    "mlp": "_mlp",
    "cnn": "_cnn",
    "transformer": "_transformer",
    "lstm": "_lstm",
    "elementwise": "_elementwise",
    "replay": "_replay",
}
FIRST = "first"  # not a suite: each call has a process of its own


def main() -> None:
    """Measure, print and write."""
    works = [*SUITES, FIRST]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, choices=(1, 2), nargs="+", default=[1])
    parser.add_argument("--work", choices=works, nargs="+", default=works)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each turn")
    parser.add_argument("--json", type=Path, help="file for the records")
    parser.add_argument("--page", type=Path, help="of the documentation, for the table")
    options = parser.parse_args()

    results, parts = [], []
    for cores in options.cores:
        for name in options.work:
            if name == FIRST:
                results += take_first_calls(options.rounds, cores)
                continue
            turns = {"rounds": options.rounds, "seconds": options.seconds, "cores": cores}
            results += take_turns(SUITES[name], **turns)
            parts += shares(SUITES[name], cores=cores)
    print_table(results)
    records = records_of(results)
    if options.json:
        options.json.write_text(json.dumps([*records, *parts], indent=1) + "\n", encoding="utf-8")
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        page = _asked.written(page, records, parts, _asked.machine(options.rounds))
        options.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
