"""Every op beside its namesake in JAX, on all of its samples: values and gradients.

Run by ``nox -s oracles``, which installs JAX, or by name:

    python -m pytest -n auto tests/oracles/ops_beside_jax.py

A sample that JAX has no way to take (it differs in what it calls a parameter) is left
out; where results are meant to differ, a table says why.
"""

import os

# Most of the time is spent compiling programs that run once.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import gradx as gx
from gradx.core.op import COMPOSED, OPS
from tests.test_ops import bound, drawing, flat, is_floating, total, varies, xp_numpy

SPACES = [jnp, jnp.linalg, jax.nn, jax.scipy.special, jax.scipy.linalg, jnp.fft, jax.ops]

# Op: why JAX means something else.
DIFFERENT = {
    "boxcox": "JAX has derivative 0 by a power of 0, gradx log(x)**2 / 2",
    "boxcox1p": "JAX has derivative 0 by a power of 0, gradx log1p(x)**2 / 2",
    "expn": "JAX has NaN for the derivative of order 0",
    "gelu": "JAX takes the formula with tanh unless told otherwise, and any text for true",
    "matrix_rank": "JAX 0.10 compares with rtol itself, not with rtol times the largest",
    "segment_max": "JAX drops negative segments, gradx counts them from the last",
    "segment_min": "JAX drops negative segments, gradx counts them from the last",
    "segment_sum": "JAX drops negative segments, gradx counts them from the last",
    "spence": "JAX has NaN for the derivative above 1",
    "sign": "complex: JAX has derivative 0, gradx that of z / abs(z)",
}


def namesake(op):
    """Return JAX's function of the name of an op, or None."""
    found = [getattr(space, op.name, None) for space in SPACES]
    return next(filter(callable, found), None)


NAMESAKES = [op for op in (*OPS.values(), *COMPOSED.values()) if namesake(op) is not None]


def in_jax(value):
    if isinstance(value, list):
        return [in_jax(part) for part in value]
    return jnp.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value


def total_in_jax(outs):
    """Return the number whose gradient is compared: the same as ``total`` of gradx's tests."""
    floating = [out for out in jax.tree.leaves(outs) if jnp.issubdtype(out.dtype, jnp.inexact)]
    return sum((jnp.sum(jnp.real(out * out)) for out in floating), 0.0)


def results_of_jax(op, sample):
    """Return the leaves of the value and of the gradient, or None where JAX has no such call."""
    function, params = namesake(op), {k: in_jax(v) for k, v in sample.params.items()}
    arrays = list(map(in_jax, sample.arrays))
    places = [i for i, a in enumerate(sample.arrays) if varies(op, i) and is_floating(a)]

    def loss(varied):
        full = list(arrays)
        for place, array in zip(places, varied, strict=True):
            full[place] = array
        out = function(*full, **params)
        return total_in_jax(out), out

    try:
        if not places:
            return jax.tree.leaves(function(*arrays, **params)), []
        (_, out), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(
            [arrays[place] for place in places]
        )
    except Exception:  # of many kinds: parameters are called otherwise, or it is not made for it
        return None
    # The direction of steepest ascent is the conjugate of what JAX returns.
    return jax.tree.leaves(out), [jnp.conj(leaf) for leaf in jax.tree.leaves(gradient)]


@pytest.mark.parametrize("op", NAMESAKES, ids=lambda op: op.name)
@pytest.mark.filterwarnings("ignore")
def test_values_and_gradients_are_those_of_jax(op):
    if op.name in DIFFERENT:
        pytest.skip(DIFFERENT[op.name])
    compared = 0
    with jax.enable_x64(True), np.errstate(all="ignore"):
        for sample in op.samples(drawing(seed=0)):
            expected = results_of_jax(op, sample)
            if expected is not None:
                compare(op, sample, *expected)
                compared += 1
    if not compared:
        pytest.skip("JAX calls its parameters otherwise")


def compare(op, sample, values, gradient):
    function, arrays = bound(op, sample, xp_numpy())
    agree(flat(xp_numpy(), gx.core.tree.leaves(function(*arrays))), values, 1e-9, sample)
    if arrays:
        own = gx.grad(total(function), tuple(range(len(arrays))))(*arrays)
        agree(flat(xp_numpy(), gx.core.tree.leaves(own)), gradient, 1e-7, sample)


def agree(actual, expected, tolerance, sample):
    assert len(actual) == len(expected), sample
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance / 100, err_msg=str(sample))
