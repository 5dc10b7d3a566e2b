"""Differentiate random programs in several ways, and compare.

    python -m tests.fuzz [--programs 1000] [--seed S] [--first N] [--processes P] [--all]

The derivative of each program along a direction is computed in reverse mode, in forward
mode, and in two more of the ways in tests/ways.py, drawn for each program; with ``--all``
in all that are possible. A derivative of second or third order counts as a way, and is
computed in two mixes of modes (with ``--all`` the second in all four). Inputs must stay
as they are. The seed is printed, every disagreement with the number of its program, and
at the end how many programs each way was compared on. ``--seed S --only N`` runs one
program and prints its steps.
"""

import argparse
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import gradx as gx
from tests.programs import Program, make_program, makes_zeros
from tests.ways import (
    FIRST,
    MIXES,
    STEPS,
    case_of,
    difference,
    higher_derivative,
    pairing,
    possible_ways,
)

DRAWN = 2  # ways for each program, beside reverse and forward mode
SHARES = {"compiled": 0.2, "order 3": 0.5}  # drawn less often than others: they take longest
# Relative to the largest derivative of the program, by precision. In 500 programs of each
# precision the largest differences were 1e-6 and 1e-15, 8e-7 and 8e-15, 7e-7 and 6e-14.
FIRST_ORDER = {"f": 1e-3, "d": 1e-10}
HIGHER_ORDERS = {"order 2": {"f": 1e-2, "d": 1e-9}, "order 3": {"f": 1e-2, "d": 1e-7}}


class Checked(NamedTuple):
    """In which ways a program was differentiated, and what differs from what, by how much."""

    ways: list[str]
    messages: list[str]


class Reference(NamedTuple):
    """The derivative in reverse mode, and how exactly others are asked to agree."""

    derivative: Any
    scale: float  # of the largest derivative
    precision: str  # of the program: "f" or "d"


def checked(program: Program, rng: np.random.Generator, all_ways: bool) -> Checked:
    """Compare the ways to a program's derivative: two drawn ones, or all."""
    case = case_of(program, rng)
    try:
        value = case.function(*case.inputs)
    except np.linalg.LinAlgError:  # NumPy finds a matrix singular: there is no value
        return Checked([], [])
    if not np.isfinite(value):
        return Checked([], [])
    before = [x.tobytes() for x in case.inputs]
    reference, message = _reverse(case, value)
    found = [("reverse", message)]
    ways = possible_ways(program)
    if np.isnan(reference.derivative) and makes_zeros(program.steps, case.inputs):
        ways = [way for way in ways if way != "differences"]
    if not all_ways:
        share = np.asarray([SHARES.get(way, 1.0) for way in ways])
        ways = [str(w) for w in rng.choice(ways, DRAWN, replace=False, p=share / share.sum())]
    for way in ("forward", *ways):
        found += _compared(way, case, reference, rng, all_ways)
    if before != [x.tobytes() for x in case.inputs]:
        found.append(("inputs", "an input has changed"))
    return Checked([name for name, _ in found], [message for _, message in found if message])


def _reverse(case, value):
    again, gradients = gx.value_and_grad(case.function, case.everything)(*case.inputs)
    assert [g.dtype for g in gradients] == [x.dtype for x in case.inputs]
    precision = "f" if case.inputs[0].dtype == np.float32 else "d"
    reference = Reference(pairing(gradients, case.along), _size(gradients), precision)
    return reference, _compare("value", value, again, FIRST_ORDER[precision] * (1 + abs(value)))


def _compared(way, case, reference, rng, all_ways):
    """Return the names of what was compared, each with the message of a disagreement or None."""
    try:
        if way in MIXES:
            return list(_compare_mixes(way, case, reference, rng, all_ways))
        if way == "differences":
            return [(way, _compare_with_differences(case, reference))]
        tolerance = FIRST_ORDER[reference.precision] * reference.scale
        return [(way, _compare(way, reference.derivative, FIRST[way](case), tolerance))]
    except Exception as error:  # is a disagreement too: a program must not fail in one way
        return [(way, f"{way}: {type(error).__name__}: {error}")]


def _compare_mixes(way, case, reference, rng, all_ways) -> Iterator[tuple[str, str | None]]:
    mixes = MIXES[way]
    if way == "order 3" or not all_ways:
        mixes = [mixes[i] for i in rng.choice(len(mixes), 2, replace=False)]
    order = len(mixes[0])
    expected = None
    for mix in mixes:
        value = higher_derivative(case, mix)
        expected = value if expected is None else expected
        tolerance = HIGHER_ORDERS[way][reference.precision] * reference.scale**order
        name = " over ".join(mix)
        yield name, _compare(name, expected, value, tolerance * (1 + np.abs(expected)))


def _size(gradients):
    sizes = [np.max(np.abs(g), initial=0.0) for g in gradients]
    return 1.0 + max((float(s) for s in sizes if np.isfinite(s)), default=0.0)


def _compare(what, x, y, tolerance):
    if np.isnan(x) and np.isnan(y):
        return None
    return None if x == y or abs(x - y) <= tolerance else f"{what}: {y}, expected {x}"


def _compare_with_differences(case, reference):
    for step in STEPS:
        slope = difference(case, step)
        message = _compare("differences", reference.derivative, slope, 1e-4 * reference.scale)
        if not message:
            return None
    return message


def check(seed: int, number: int, all_ways: bool = False) -> Checked:
    """Make program ``number`` of ``seed``, differentiate it and compare."""
    rng = np.random.default_rng([seed, number])
    program = make_program(rng)
    with np.errstate(all="ignore"):
        try:
            return checked(program, rng, all_ways)
        except Exception as error:
            return Checked([], [f"{type(error).__name__}: {error}"])


def main() -> None:
    """Run many programs, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--only", type=int, help="number of the one program to run")
    parser.add_argument("--all", action="store_true", help="compare all ways for each program")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    numbers = range(options.first, options.first + options.programs)
    if options.only is not None:
        numbers = [options.only]
        program = make_program(np.random.default_rng([options.seed, options.only]))
        print([(x.shape, x.dtype) for x in program.inputs], *program.steps, sep="\n")
    sys.exit(run_many(options.seed, numbers, options.all, options.processes) > 0)


def run_many(seed: int, numbers: Sequence[int], all_ways: bool, processes: int) -> int:
    """Check programs, print what disagrees and a summary, and return how many disagree."""
    started, failed, counts = time.perf_counter(), 0, Counter()
    with ProcessPoolExecutor(processes) as pool:
        results = pool.map(partial(check, seed, all_ways=all_ways), numbers, chunksize=16)
        for done, (number, found) in enumerate(zip(numbers, results, strict=True), start=1):
            for message in found.messages:
                print(f"program {number}: {message}", flush=True)
            failed += bool(found.messages)
            counts.update(set(found.ways))
            if done % 1000 == 0 or done == len(numbers):
                rate = done / (time.perf_counter() - started)
                summary = f"{done} programs of seed {seed}, {failed} with disagreements"
                print(f"{summary}, {rate:.1f} a second", flush=True)
    for way, count in sorted(counts.items()):
        print(f"{count:8} {way}")
    return failed


if __name__ == "__main__":
    main()
