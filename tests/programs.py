"""Random programs for tests/fuzz.py: steps on a pool of arrays that keeps growing.

A step is a short piece of user code (here, in tests/idioms.py or tests/network_idioms.py), a
reduction, or any op of the registry at one of its samples, moved a little by values of the pool.
Some programs are complex, some in single precision, some long; some start at hard points, where
elements are equal or zero.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

import gradx as gx
from gradx.core import tree
from gradx.core.op import COMPOSED, OPS
from tests.idioms import IDIOMS
from tests.network_idioms import NETWORK_IDIOMS
from tests.test_ops import bound, drawing, xp_numpy

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
    "cube": lambda x: x**3,
    "flip": gx.flip,
    "roll": lambda x: gx.roll(x, 1),
    "transpose": lambda x: gx.permute_dims(x, tuple(reversed(range(len(x.shape))))),
    "flat": lambda x: gx.reshape(x, (-1,)),
    "softmax": lambda x: gx.nn.softmax(x, axis=-1) if x.shape else x,
    "sort": lambda x: gx.sort(x, axis=-1) if x.shape else x,
    "cumulative_sum": lambda x: gx.cumulative_sum(x, axis=-1) if x.shape else x,
    "every other": lambda x: x[..., ::2] if x.shape else x,
    "reversed": lambda x: x[..., ::-1] if x.shape else x,
    "taken": lambda x: gx.take(x, np.asarray([0, -1, 0]), axis=-1) if x.shape else x,
    "padded": lambda x: gx.pad(x, 1) if x.shape else x,
    "masked": lambda x: x[gx.stop_gradient(x) > -0.4],
    "checkpoint": gx.checkpoint(lambda x: gx.sin(x) * gx.exp(gx.tanh(x))),
    "half constant": lambda x: x * gx.stop_gradient(x),
    "inner gradient": lambda x: gx.grad(lambda y: gx.sum(gx.sin(y * x)))(x),
    "inner tangent": lambda x: gx.jvp(lambda y: y * gx.tanh(x * y), (x,), (x,))[1],
    "mapped": lambda x: gx.vmap(lambda row: row * gx.sum(row))(x) if x.shape else x,
    "write": lambda x: _written(x),
    "write to a view": lambda x: _written_through_views(x),
    "write to a base": lambda x: _written_behind_a_view(x),
    # What was not selected is singular where the program starts at a hard point.
    "untaken log": lambda x: gx.where(x > 0.1, gx.log(x), 0.3 * x),
    "untaken root": lambda x: gx.where(x > 0.1, gx.sqrt(x), -x),
    # Not closer to 0: third derivatives in single precision would be nothing but rounding.
    "untaken quotient": lambda x: gx.where(gx.abs(x) > 0.1, gx.sin(x) / x, 1.0),
    "two-sided root": lambda x: (
        gx.sqrt(gx.where(x > 0.1, x, 0.0)) - gx.sqrt(gx.where(x < -0.1, -x, 0.0))
    ),
    "not indexed": lambda x: gx.sqrt(x * x)[..., 1:] if x.shape else x,
    "scaled by zero": lambda x: 0 * gx.sqrt(gx.abs(x)) + x,
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
    "checkpoint of both": gx.checkpoint(lambda x, y: x * gx.sin(x + y)),
    "cross derivative": lambda x, y: gx.grad(lambda z: gx.sum(z * gx.sin(z * y)))(x * y),
    "write the other": lambda x, y: _written_with(x, y),
}
# The others are given real numbers, made of both parts.
COMPLEX = {"sin", "cos", "square", "negative", "flip", "roll", "transpose", "flat", "reversed"}
COMPLEX |= {"cumulative_sum", "taken", "padded", "every other", "write", "checkpoint"}
COMPLEX |= {"add", "subtract", "multiply", "outer", "matmul", "concat", "sum", "mean", "prod"}
DEPENDENT = {"masked"}  # shapes depend on values, so it cannot be mapped
LONG = 20  # steps
PIECES = IDIOMS | NETWORK_IDIOMS
# Not what finite differences find: the others make exact zeros, at which a root is honestly NaN.
PARTIAL = {"half constant", "masked softmax", "products of zeros", "rounded", "np.fft.fft"}
PARTIAL |= {"real spectrum", "np.subtract.outer", "np.ptp", "ties among the largest"}


def _written(x):
    """Write into a copy, through a view and in place."""
    x = gx.asarray(x, copy=True)
    if not x.shape:
        return x
    x[..., 0] = x[..., 0] * x[..., -1]
    x[..., 1:] += 1.0
    return x


def _written_through_views(x):
    """Write through a view of a view, turned round."""
    x = gx.asarray(x, copy=True)
    if not x.shape:
        return x
    turned = gx.permute_dims(x, tuple(reversed(range(len(x.shape)))))
    turned[::-1][0, ...] = 0.5 * turned[-1, ...] * turned[0, ...]
    turned[..., :1] *= 1.5
    return x


def _written_behind_a_view(x):
    """Read a view, write to its base, and use both."""
    x = gx.asarray(x, copy=True)
    if not x.shape:
        return x
    view = x[..., ::-1]
    before = gx.sin(view)
    x[..., :1] = x[..., -1:] * 2.0
    x += 0.25
    return view * before


def _written_with(x, y):
    x = gx.asarray(x, copy=True)
    x *= 0.5
    if x.shape:
        x[..., 0] += gx.sum(y) if y.shape else y
    return x * gx.sum(y)


def _registered() -> list[tuple[str, list[Any]]]:
    """Return each op with derivatives, and those of its samples that hold something to vary."""
    found = []
    for op in (*OPS.values(), *COMPOSED.values()):
        bindings = []
        for sample in op.samples(drawing(seed=0)):
            function, arrays = bound(op, sample, xp_numpy())
            sizes = [leaf.size for leaf in tree.leaves(arrays)]
            if sizes and all(sizes) and sum(sizes) < 200 and "dtype" not in sample.params:
                bindings.append((function, arrays))
        if bindings:
            found.append((op.name, bindings))
    return found


REGISTERED = _registered()


MOST = 1000  # elements that a step is given


class Step(NamedTuple):
    """One call: of what, on which of the arrays so far, as shares of their number."""

    name: str
    function: Callable[..., Any]
    operands: tuple[float, ...]


class Program(NamedTuple):
    """Steps, where they start, and what kind of point that is."""

    steps: list[Step]
    inputs: list[Any]
    hard: bool


def make_program(rng: np.random.Generator) -> Program:
    """Draw the steps and the inputs of a program."""
    hard = rng.random() < 0.3
    dtype = rng.choice([np.float64, np.float32, np.complex128], p=(0.7, 0.15, 0.15))
    inputs = [_draw_input(rng, dtype, hard) for _ in range(rng.integers(1, 4))]
    count = rng.integers(LONG, 2 * LONG) if rng.random() < 0.05 else rng.integers(2, 9)
    return Program([_draw_step(rng) for _ in range(count)], inputs, hard)


def _draw_input(rng, dtype, hard):
    shape = SHAPES[rng.integers(len(SHAPES))]
    draw = lambda: rng.integers(-1, 2, shape) if hard else rng.normal(size=shape)
    x = draw() + 1j * draw() if dtype is np.complex128 else draw()
    return np.asarray(x, dtype=dtype)


def _draw_step(rng):
    kind = rng.choice(5, p=(0.25, 0.2, 0.1, 0.2, 0.25))
    if kind == 4:
        name, bindings = REGISTERED[rng.integers(len(REGISTERED))]
        function, arrays = bindings[rng.integers(len(bindings))]
        operands = tuple(rng.random(len(tree.leaves(arrays))))
        return Step(f"op {name}", partial(_near_sample, function, arrays), operands)
    table = (UNARY, BINARY, REDUCTIONS, PIECES)[kind]
    name = list(table)[rng.integers(len(table))]
    function = table[name]
    if table is REDUCTIONS:
        share = None if rng.random() < 0.3 else float(rng.random())
        function = partial(_reduced, function, share, bool(rng.integers(2)))
    return Step(name, function, tuple(rng.random(2 if table is BINARY else 1)))


def _reduced(function, share, keepdims, x):
    axis = None if share is None or not x.shape else int(share * len(x.shape))
    return function(x, axis=axis, keepdims=keepdims)


def _near_sample(function, arrays, *xs):
    """Call an op at its sample, each of whose arrays is moved by a value of the pool."""
    leaves, structure = tree.flatten(arrays)
    moved = [_moved(leaf, x) for leaf, x in zip(leaves, xs, strict=True)]
    outs = tree.leaves(function(*tree.unflatten(structure, moved)))
    return [out for out in outs if _kind(out) in "fc"]


def _moved(leaf, x):
    single = x.dtype in (np.float32, np.complex64)
    if _kind(leaf) != "c":
        x = _as_real(x)
    if single:
        leaf = leaf.astype({"f": np.float32, "c": np.complex64}[leaf.dtype.kind])
    return leaf + 0.01 * _spread(x, leaf.shape)


def _spread(x, shape):
    """Give ``x`` another shape: repeat its elements, or leave some out."""
    if x.shape in (shape, ()):
        return x
    if prod(x.shape) != prod(shape):
        x = gx.take(gx.reshape(x, (-1,)), np.arange(prod(shape)) % prod(x.shape))
    return x if x.shape == shape else gx.reshape(x, shape)


def _kind(x):
    return np.dtype(x.dtype).kind


def _as_real(x):
    return gx.real(x) + 0.5 * gx.imag(x) if _kind(x) == "c" else x


def run(steps: list[Step], inputs: tuple[Any, ...]) -> Any:
    """Run a program: a number made of all that it computed and did not use."""
    pool, unused = _computed(steps, inputs)
    first, *rest = [_weighed(_as_real(pool[place])) for place in unused]
    return sum(rest, first)


def makes_zeros(steps: list[Step], inputs: tuple[Any, ...]) -> bool:
    """Tell whether a program computes an exact 0, as ``x - x`` is: a root of it is honestly NaN."""
    return any(np.any(np.equal(x, 0)) for x in _computed(steps, inputs)[0])


def _computed(steps, inputs):
    """Return the pool of arrays, and which of them nothing has used."""
    pool, unused = list(inputs), dict.fromkeys(range(len(inputs)))
    for step in steps:
        places = [int(share * len(pool)) for share in step.operands]
        arguments = [pool[place] for place in places]
        if not all(0 < prod(argument.shape) <= MOST for argument in arguments):
            continue  # what is computed of nothing is tested op by op; products of all pairs grow
        out = _run_step(step, arguments)
        outs = [_bounded(part) for part in (out if isinstance(out, list) else [out])]
        unused = {place: None for place in unused if place not in places or not outs}
        unused |= dict.fromkeys(range(len(pool), len(pool) + len(outs)))
        pool += outs
    return pool, unused


def _weighed(x):
    """Add up elements, each times another number: none takes the place of another unnoticed."""
    weights = 1.5 + np.sin(np.arange(1, 1 + prod(x.shape)))
    return gx.sum(x * np.reshape(weights, x.shape).astype(x.dtype))


def _run_step(step, arguments):
    if step.name.startswith("op "):
        return step.function(*arguments)
    if step.name not in COMPLEX:
        arguments = [_as_real(x) for x in arguments]
    if len(arguments) == 2:
        arguments = _fitting(*arguments)
    return step.function(*arguments)


def _bounded(x):
    """Return ``x`` made small, so that nothing overflows however long the program."""
    if _kind(x) == "c":
        return 2.0 * x / (1.0 + gx.real(x * gx.conj(x)))
    return 2.0 * gx.tanh(x)


def _fitting(x, y):
    """Return both, or one number of the second where their shapes do not broadcast."""
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return x, gx.sum(y)
    return x, y
