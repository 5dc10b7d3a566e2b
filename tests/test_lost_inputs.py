"""A NaN, an infinity or an overflow in what is multiplied or compared: the same in every mode.

What it does not reach by the rules of calculus stays finite.
"""

import math

import numpy as np
import pytest

import gradx as gx

INF, NAN = math.inf, math.nan

pytestmark = pytest.mark.filterwarnings("ignore:.*(invalid|overflow).*:RuntimeWarning")


def along_each(derivative, x):
    return np.stack([derivative(e) for e in np.eye(x.size).reshape(x.size, *x.shape)])


def in_a_batch(f, x):
    return gx.vmap(gx.grad(f))(np.stack([x, x]))[1]


MODES = {
    "reverse": lambda f, x: gx.grad(f)(x),
    "forward": lambda f, x: along_each(lambda e: gx.jvp(f, (x,), (e,))[1], x),
    "linearize": lambda f, x: along_each(gx.linearize(f, x)[1], x),
    "jacobian": lambda f, x: gx.jacobian(f)(x),
    "mapped": in_a_batch,
    "checkpoint": lambda f, x: gx.grad(gx.checkpoint(f))(x),
    "compiled reverse": lambda f, x: gx.compile(gx.grad(f))(x),
    "compiled forward": lambda f, x: along_each(
        gx.compile(lambda e: gx.jvp(f, (x,), (e,))[1]),
        x,
    ),
}

# Each is a function, a point and the gradient there.
CASES = {
    "prod that overflows": (gx.prod, [1e300, 1e300, 1e300], [INF, INF, INF]),
    "prod with a NaN": (gx.prod, [NAN, 2.0, 3.0], [6.0, NAN, NAN]),
    "prod with an infinity": (gx.prod, [2.0, INF, 3.0], [INF, 6.0, INF]),
    "prod of 0 and infinity": (gx.prod, [0.0, INF, 3.0], [INF, 0.0, NAN]),
    "cumulative_prod that overflows": (
        lambda x: gx.sum(gx.cumulative_prod(x)),
        [1e300, 1e300, 1e300],
        [INF, INF, INF],
    ),
    "the last cumulative_prod with a NaN": (
        lambda x: gx.cumulative_prod(x)[-1],
        [3.0, NAN, 2.0, 3.0],
        [NAN, 18.0, NAN, NAN],
    ),
    "the first cumulative_prod before a NaN": (
        lambda x: gx.cumulative_prod(x)[0],
        [3.0, NAN, 2.0, 3.0],
        [1.0, 0.0, 0.0, 0.0],
    ),
    "an early cumulative_prod, with the initial one, before an infinity": (
        lambda x: gx.cumulative_prod(x, include_initial=True)[2],
        [2.0, 3.0, INF, 5.0],
        [3.0, 2.0, 0.0, 0.0],
    ),
    "var of one NaN, which varies with nothing": (gx.var, [NAN], [0.0]),
    "std of one NaN": (gx.std, [NAN], [0.0]),
    "the imaginary part of a real NaN": (lambda x: gx.sum(gx.imag(x) * NAN), [NAN], [0.0]),
    "var with a NaN": (gx.var, [1.0, NAN, 3.0], [NAN, NAN, NAN]),
    "std with a NaN": (gx.std, [1.0, NAN, 3.0], [NAN, NAN, NAN]),
    "var with an infinity": (gx.var, [1.0, INF, 3.0], [-INF, NAN, -INF]),
    "an early cumulative_prod before an overflow": (
        lambda x: gx.cumulative_prod(x)[1],
        [1e200, 1e200, 1e200, 2.0],
        [1e200, 1e200, 0.0, 0.0],
    ),
    "prod of a row beside one that overflows": (
        lambda x: gx.prod(gx.reshape(x, (2, 2)), axis=1)[0],
        [2.0, 3.0, INF, NAN],
        [3.0, 2.0, 0.0, 0.0],
    ),
    "max with a NaN": (gx.max, [NAN, 1.0, 3.0], [NAN, 0.0, 0.0]),
    "max with two": (gx.max, [NAN, NAN, 1.0], [NAN, NAN, 0.0]),
    "min of rows with a NaN": (
        lambda x: gx.sum(gx.min(gx.reshape(x, (2, 2)), axis=1)),
        [1.0, NAN, 2.0, 3.0],
        [0.0, NAN, 1.0, 0.0],
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_gradient_is_not_finite_only_where_calculus_has_it_so(name, mode):
    f, x, expected = CASES[name]

    found = MODES[mode](f, np.asarray(x))

    np.testing.assert_array_equal(np.ravel(found), expected)


SECOND = {"prod": gx.prod, "cumulative_prod": lambda x: gx.cumulative_prod(x)[2]}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_are_the_same_in_every_mix(name):
    f, x = SECOND[name], np.full(3, 1e200)
    expected = 1e200 * (1.0 - np.eye(3))
    by_forward = lambda e: lambda x: gx.jvp(f, (x,), (e,))[1]

    mixes = [
        along_each(lambda e: gx.jvp(gx.grad(f), (x,), (e,))[1], x),
        along_each(lambda e: gx.vjp(gx.grad(f), x)[1](e)[0], x),
        along_each(lambda e: gx.grad(by_forward(e))(x), x),
        along_each(lambda e: along_each(lambda d: gx.jvp(by_forward(e), (x,), (d,))[1], x), x),
        gx.hessian(f)(x),
    ]

    for found in mixes:
        np.testing.assert_allclose(found, expected, rtol=1e-14)
