"""Differentiate random programs in every way there is, and compare.

    python -m tests.fuzz [--programs 1000] [--seed S]

A program is a list of steps on a pool of arrays. Its gradient is computed in
reverse mode, in forward mode, on the tape of ``gx.tensor`` and from finite
differences; its Hessian along a direction in the four mixes of two modes. The
seed is printed, and every disagreement with the number of its program:
``--seed S --only N`` runs that one and prints its steps.
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import gradx as gx

SHAPES = [(), (3,), (2, 3), (2, 1), (1, 3), (2, 2, 3)]
UNARY = {
    "sin": gx.sin,
    "cos": gx.cos,
    "tanh": gx.tanh,
    "atan": gx.atan,
    "square": gx.square,
    "negative": gx.negative,
    "sigmoid": gx.nn.sigmoid,
    "softplus": gx.nn.softplus,
    "relu": gx.nn.relu,
    "abs": gx.abs,
    "exp": lambda x: gx.exp(gx.sin(x)),
    "log": lambda x: gx.log(1.0 + x * x),
    "sqrt": lambda x: gx.sqrt(0.5 + x * x),
    "clip": lambda x: gx.clip(x, -0.7, 0.8),
    "untaken log": lambda x: gx.where(x > 0.1, gx.log(x * (x > 0.1)), 0.3 * x),
    "cube": lambda x: x**3,
    "write": lambda x: _written(x),
    "flip": gx.flip,
    "roll": lambda x: gx.roll(x, 1),
    "transpose": lambda x: gx.permute_dims(x, tuple(reversed(range(len(x.shape))))),
    "flat": lambda x: gx.reshape(x, (-1,)),
    "softmax": lambda x: gx.nn.softmax(x, axis=-1) if x.shape else x,
    "sort": lambda x: gx.sort(x, axis=-1) if x.shape else x,
    "cumulative_sum": lambda x: gx.cumulative_sum(x, axis=-1) if x.shape else x,
    "every other": lambda x: x[..., ::2] if x.shape else x,
    "reversed": lambda x: x[..., ::-1] if x.shape else x,
    "taken": lambda x: _taken(x),
    "padded": lambda x: gx.pad(x, 1) if x.shape else x,
    "masked": lambda x: x[gx.stop_gradient(x) > -0.4],
}
REDUCTIONS = {
    "sum": gx.sum,
    "mean": gx.mean,
    "prod": gx.prod,
    "max": gx.max,
    "min": gx.min,
    "std": lambda x, **kw: gx.std(x, **kw) ** 2,  # itself it has a kink where all are equal
    "var": gx.var,
    "logsumexp": gx.logsumexp,
}
BINARY = {
    "add": gx.add,
    "subtract": gx.subtract,
    "multiply": gx.multiply,
    "divide": lambda x, y: x / (1.5 + y * y),
    "maximum": gx.maximum,
    "minimum": gx.minimum,
    "where": lambda x, y: gx.where(x > y, x * y, y),
    "hypot": lambda x, y: gx.hypot(x, 0.3 + y * y),
    "atan2": lambda x, y: gx.atan2(x, 0.3 + y * y),
    "logaddexp": gx.logaddexp,
    "power": lambda x, y: (0.5 + x * x) ** gx.tanh(y),
    "outer": lambda x, y: gx.sum(gx.reshape(x, (-1, 1)) * gx.reshape(y, (1, -1)), axis=0),
    "matmul": lambda x, y: gx.reshape(x, (-1, 1)) @ gx.reshape(y, (1, -1)),
    "concat": lambda x, y: gx.concat([gx.reshape(x, (-1,)), gx.reshape(y, (-1,))]),
}
STEP, SECOND_STEP = 1e-6, 1e-5


def _written(x):
    """Write into a copy, through a view and in place."""
    x = gx.asarray(x, copy=True)
    if not x.shape:
        return x
    x[..., 0] = x[..., 0] * x[..., -1]
    x[..., 1:] += 1.0
    return x


def _taken(x):
    """Take some elements twice and others not at all."""
    if not x.shape:
        return x
    return gx.take(x, np.asarray([0, -1, 0]), axis=-1)


class Step(NamedTuple):
    """One call: what, on which of the arrays so far, and along which axis."""

    name: str
    function: Callable[..., Any]
    operands: tuple[float, ...]  # places in the pool, as a share of its length
    keepdims: bool
    axis: float | None


def make_program(rng: np.random.Generator) -> tuple[list[Step], list[Any]]:
    """Draw the steps and the inputs of a program."""
    inputs = [rng.normal(size=SHAPES[rng.integers(len(SHAPES))]) for _ in range(rng.integers(1, 4))]
    steps = []
    for _ in range(rng.integers(2, 9)):
        table = (UNARY, BINARY, REDUCTIONS)[rng.choice(3, p=(0.5, 0.35, 0.15))]
        name = list(table)[rng.integers(len(table))]
        axis = None if rng.random() < 0.3 else float(rng.random())
        operands = tuple(rng.random(2 if table is BINARY else 1))
        steps.append(Step(name, table[name], operands, bool(rng.integers(2)), axis))
    return steps, inputs


def run(steps: list[Step], inputs: tuple[Any, ...]) -> Any:
    """Run a program: a number made of everything that it computed."""
    pool = list(inputs)
    for step in steps:
        arguments = [pool[int(share * len(pool))] for share in step.operands]
        if any(0 in argument.shape for argument in arguments):
            continue  # what is computed of nothing is tested op by op
        if step.name in REDUCTIONS:
            pool.append(_reduced(step, *arguments))
        elif len(arguments) == 2:
            pool.append(step.function(*_fitting(*arguments)))
        else:
            pool.append(step.function(*arguments))
        # Bounded, so that nothing overflows however long the program.
        pool[-1] = 2.0 * gx.tanh(pool[-1])
    return sum((gx.sum(gx.sin(x)) for x in pool[1:]), gx.sum(gx.sin(pool[0])))


def _reduced(step, x):
    rank = len(x.shape)
    axis = None if step.axis is None or not rank else int(step.axis * rank)
    return step.function(x, axis=axis, keepdims=step.keepdims)


def _fitting(x, y):
    """Return both, or one number of the second where their shapes do not broadcast."""
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return x, gx.sum(y)
    return x, y


def gradients(f: Callable[..., Any], inputs: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the gradient, in each way that there is, as a list of arrays."""
    everything = tuple(range(len(inputs)))
    yield "reverse", list(gx.grad(f, everything)(*inputs))
    yield "forward", [_forward(f, inputs, i) for i in everything]
    leaves = [gx.tensor(x) for x in inputs]
    f(*leaves).backward()
    yield "tape", [np.zeros(t.shape) if t.grad is None else t.grad for t in leaves]


def _forward(f, inputs, position):
    x = inputs[position]
    basis = np.eye(x.size).reshape(x.size, *x.shape)
    along = lambda e: [e if i == position else None for i in range(len(inputs))]
    moved = [gx.jvp(f, tuple(inputs), tuple(along(e)))[1] for e in basis]
    return np.reshape(np.asarray(moved, dtype=float), x.shape)


def second_derivatives(
    f: Callable[..., Any], inputs: list[Any], along: list[Any]
) -> Iterator[tuple[str, list[Any]]]:
    """Yield the Hessian along a direction, in each mix of two modes."""
    everything = tuple(range(len(inputs)))
    gradient = gx.grad(f, everything)
    slope = lambda *xs: gx.jvp(f, xs, tuple(along))[1]
    yield "forward over reverse", list(gx.jvp(gradient, tuple(inputs), tuple(along))[1])
    yield "reverse over forward", list(gx.grad(slope, everything)(*inputs))
    yield "reverse over reverse", list(gx.vjp(gradient, *inputs)[1](tuple(along)))
    bent = gx.jvp(slope, tuple(inputs), tuple(along))[1]
    yield "forward over forward", [bent]


def disagreements(steps: list[Step], inputs: list[Any], rng: np.random.Generator) -> list[str]:
    """Return what differs from what, by how much."""
    f = lambda *xs: run(steps, xs)
    (_, reverse), *others = gradients(f, inputs)
    found = [_compare(f"reverse and {name}", reverse, other, 1e-9) for name, other in others]
    along = [rng.normal(size=x.shape) for x in inputs]
    found.append(_compare_with_differences(f, inputs, along, reverse))
    (_, first), *mixes = second_derivatives(f, inputs, along)
    for name, other in mixes:
        if name == "forward over forward":
            total = [np.asarray(sum(np.sum(a * h) for a, h in zip(along, first, strict=True)))]
            found.append(_compare(f"Hessian, {name}", total, other, 1e-7))
        else:
            found.append(_compare(f"Hessian, {name}", first, other, 1e-8))
    return [message for message in found if message]


def _compare(what, xs, ys, tolerance):
    scale = 1.0 + max((float(np.max(np.abs(x), initial=0.0)) for x in xs), default=0.0)
    worst = max(
        (float(np.max(np.abs(x - y), initial=0.0)) for x, y in zip(xs, ys, strict=True)),
        default=0.0,
    )
    return None if worst <= tolerance * scale else f"{what}: differ by {worst:.3g}"


def _compare_with_differences(f, inputs, along, gradient):
    """Two steps must both disagree: one alone may cross a kink."""
    slope = sum(np.sum(a * g) for a, g in zip(along, gradient, strict=True))
    messages = []
    for step in (STEP, SECOND_STEP):
        at = lambda t: f(*[x + t * a for x, a in zip(inputs, along, strict=True)])
        difference = (at(step) - at(-step)) / (2 * step)
        messages.append(
            _compare("reverse and differences", [np.asarray(slope)], [np.asarray(difference)], 1e-4)
        )
    return messages[0] and messages[1]


def check(seed: int, number: int) -> list[str]:
    """Make program ``number`` of ``seed`` and return what disagrees."""
    rng = np.random.default_rng([seed, number])
    steps, inputs = make_program(rng)
    with np.errstate(all="ignore"):
        return disagreements(steps, inputs, rng)


def main() -> None:
    """Run many programs, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--only", type=int, help="number of the one program to run")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    numbers = range(options.programs) if options.only is None else [options.only]
    failed = 0
    for number in numbers:
        for message in check(options.seed, number):
            print(f"program {number}: {message}", flush=True)
            failed += 1
    if options.only is not None:
        steps, inputs = make_program(np.random.default_rng([options.seed, options.only]))
        print([x.shape for x in inputs], *steps, sep="\n")
    print(f"{len(numbers)} programs, {failed} disagreements")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
