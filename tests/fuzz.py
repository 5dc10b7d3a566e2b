"""Differentiate random programs in every way there is, and compare.

    python -m tests.fuzz [--programs 1000] [--seed S] [--first N] [--processes P]

The derivative of a program along a direction is computed in reverse mode, in
forward mode, by linearizing, on the tape of ``gx.tensor``, as a batched
Jacobian, through a checkpoint, mapped over two copies, and from finite
differences; its second derivatives in the four mixes of two modes, its third,
unless the program is long, in two of the eight, drawn for each program. The seed
is printed, and every disagreement with the number of its program: ``--seed S
--only N`` runs that one and prints its steps.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial, reduce
from itertools import product
from typing import Any

import numpy as np

import gradx as gx
from tests.programs import DEPENDENT, LONG, PARTIAL, Program, make_program, run

STEPS = (1e-6, 1e-5, 1e-4)  # of finite differences; more than one, for one may cross a kink
# Relative to the largest derivative of the program, by precision.
FIRST = {"f": 1e-3, "d": 1e-9}
SECOND = {"f": 5e-2, "d": 1e-8}
THIRD = {"f": np.inf, "d": 1e-6}


def first_derivatives(
    f: Callable[..., Any], inputs: tuple[Any, ...], along: tuple[Any, ...], mapped: bool
) -> Iterator[tuple[str, Any]]:
    """Yield the derivative along a direction, in each way that there is."""
    everything = tuple(range(len(inputs)))
    reverse = gx.grad(f, everything)(*inputs)
    assert [g.dtype for g in reverse] == [x.dtype for x in inputs]
    yield "reverse", _pairing(reverse, along)
    yield "forward", gx.jvp(f, inputs, along)[1]
    yield "linearize", gx.linearize(f, *inputs)[1](*along)
    yield "checkpoint", _pairing(gx.grad(gx.checkpoint(f), everything)(*inputs), along)
    leaves = [gx.tensor(x) for x in inputs]
    f(*leaves).backward()
    yield "tape", _pairing([np.zeros(t.shape) if t.grad is None else t.grad for t in leaves], along)
    if mapped and not any(np.iscomplexobj(x) for x in inputs):
        yield "jacobian", _pairing(gx.jacobian(f, everything)(*inputs), along)
    if mapped:
        twice = [np.stack([x, x]) for x in inputs]
        yield "mapped", _pairing([g[1] for g in gx.vmap(gx.grad(f, everything))(*twice)], along)
        summed = lambda *xs: gx.sum(gx.vmap(f)(*xs))
        yield "of a map", _pairing([g[0] for g in gx.grad(summed, everything)(*twice)], along)


def higher_derivatives(
    f: Callable[..., Any],
    inputs: tuple[Any, ...],
    along: tuple[Any, ...],
    mixes: Iterable[tuple[str, ...]],
) -> Iterator[tuple[int, str, Any]]:
    """Yield derivatives along a direction, with their order, in each mix of modes, outer first."""
    everything = tuple(range(len(inputs)))
    modes = {
        "forward": lambda f: lambda *xs: gx.jvp(f, xs, along)[1],
        "reverse": lambda f: lambda *xs: _pairing_of_tensors(gx.grad(f, everything)(*xs), along),
    }
    for mix in mixes:
        derivative = reduce(lambda g, mode: modes[mode](g), reversed(mix), f)
        yield len(mix), " over ".join(mix), derivative(*inputs)


def _drawn_mixes(program: Program, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return all mixes of two modes, and two of three."""
    second, third = (list(product(("reverse", "forward"), repeat=n)) for n in (2, 3))
    chosen = rng.choice(len(third), 2, replace=False)
    return second + [third[i] for i in chosen if len(program.steps) < LONG]


def _pairing(gradients, along):
    """Return the derivative along a direction that a gradient, which is conjugated, gives."""
    return sum(np.sum(np.real(np.conj(g) * a)) for g, a in zip(gradients, along, strict=True))


def _pairing_of_tensors(gradients, along):
    parts = [gx.sum(gx.real(gx.conj(g) * a)) for g, a in zip(gradients, along, strict=True)]
    return sum(parts[1:], parts[0])


def disagreements(program: Program, rng: np.random.Generator) -> list[str]:
    """Return what differs from what, by how much."""
    f = lambda *xs: run(program.steps, xs)
    inputs = tuple(program.inputs)
    if not np.isfinite(f(*inputs)):
        return []
    along = tuple([_direction(x, rng) for x in inputs])
    precision = "f" if inputs[0].dtype == np.float32 else "d"
    names = {step.name for step in program.steps}
    mapped = not names & DEPENDENT
    (_, reverse), *others = first_derivatives(f, inputs, along, mapped)
    scale = _size(gx.grad(f, tuple(range(len(inputs))))(*inputs))
    found = [_compare(name, reverse, other, FIRST[precision] * scale) for name, other in others]
    if precision == "d" and not program.hard and not names & PARTIAL:
        found.append(_compare_with_differences(f, inputs, along, reverse, scale))
    seen: dict[int, Any] = {}
    for order, name, value in higher_derivatives(f, inputs, along, _drawn_mixes(program, rng)):
        value = np.asarray(value)
        expected = seen.setdefault(order, value)
        tolerance = {2: SECOND, 3: THIRD}[order][precision] * scale**order
        found.append(_compare(name, expected, value, tolerance * (1 + np.abs(expected))))
    return [message for message in found if message]


def _direction(x, rng):
    along = rng.normal(size=x.shape)
    if np.iscomplexobj(x):
        along = along + 1j * rng.normal(size=x.shape)
    return np.asarray(along, dtype=x.dtype)


def _size(gradients):
    sizes = [np.max(np.abs(g), initial=0.0) for g in gradients]
    return 1.0 + max((float(s) for s in sizes if np.isfinite(s)), default=0.0)


def _compare(what, x, y, tolerance):
    if np.isnan(x) and np.isnan(y):
        return None
    return None if x == y or abs(x - y) <= tolerance else f"{what}: {y}, expected {x}"


def _compare_with_differences(f, inputs, along, slope, scale):
    for step in STEPS:
        at = lambda t: f(*[x + t * a for x, a in zip(inputs, along, strict=True)])
        difference = (at(step) - at(-step)) / (2 * step)
        if message := _compare("differences", slope, difference, 1e-4 * scale):
            continue
        return None
    return message


def check(seed: int, number: int) -> list[str]:
    """Make program ``number`` of ``seed`` and return what disagrees."""
    rng = np.random.default_rng([seed, number])
    program = make_program(rng)
    with np.errstate(all="ignore"):
        try:
            return disagreements(program, rng)
        except Exception as error:  # is a disagreement too: a program must not fail in one mode
            return [f"{type(error).__name__}: {error}"]


def main() -> None:
    """Run many programs, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--only", type=int, help="number of the one program to run")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.only is None:
        numbers = range(options.first, options.first + options.programs)
        failed = run_many(options.seed, numbers, options.processes)
    else:
        program = make_program(np.random.default_rng([options.seed, options.only]))
        print([(x.shape, x.dtype) for x in program.inputs], *program.steps, sep="\n")
        failed = run_many(options.seed, [options.only], 1)
    sys.exit(failed > 0)


def run_many(seed: int, numbers: Sequence[int], processes: int) -> int:
    """Check programs, print what disagrees and a summary, and return how many disagree."""
    started, failed = time.perf_counter(), 0
    with ProcessPoolExecutor(processes) as pool:
        results = pool.map(partial(check, seed), numbers, chunksize=16)
        for done, (number, messages) in enumerate(zip(numbers, results, strict=True), start=1):
            for message in messages:
                print(f"program {number}: {message}", flush=True)
            failed += bool(messages)
            if done % 1000 == 0 or done == len(numbers):
                rate = done / (time.perf_counter() - started)
                summary = f"{done} programs of seed {seed}, {failed} with disagreements"
                print(f"{summary}, {rate:.1f} a second", flush=True)
    return failed


if __name__ == "__main__":
    main()
