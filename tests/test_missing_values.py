"""A NaN that a selection leaves out, as data that is missing: no derivative meets it."""

import numpy as np
import pytest

import gradx as gx

KNOWN = np.asarray([False, True, True])
Y = np.asarray([np.nan, 1.0, 3.0])
M = np.asarray([0.5, -0.2, 0.4])
MASKED = {
    "abs": lambda m, y: gx.where(KNOWN, gx.abs(m - y), 0.0),
    "maximum": lambda m, y: gx.where(KNOWN, gx.maximum(m * y, 0.1), 0.0),
    "multiply": lambda m, y: gx.where(KNOWN, m * y, 0.0),
    "square": lambda m, y: gx.where(KNOWN, (m - y) ** 2, 0.0),
    "tanh": lambda m, y: gx.where(KNOWN, gx.tanh(m * y) * m, 0.0),
    "weighed": lambda m, y: 2 * gx.where(KNOWN, gx.sin(y * m), 1.0),
}
PICKED = {
    "by a mask": lambda m, y: ((m - y) ** 2)[KNOWN],
    "by a slice": lambda m, y: (m * m * y)[1:],
    "by take": lambda m, y: gx.take(gx.cos(m - y), np.asarray([2, 1]), axis=0),
}
CASES = MASKED | PICKED
WAYS = {
    "reverse": gx.grad,
    "forward": lambda f: lambda m: np.stack([gx.jvp(f, (m,), (e,))[1] for e in np.eye(3)]),
    "linearized": lambda f: lambda m: np.stack([gx.linearize(f, m)[1](e) for e in np.eye(3)]),
    "mapped": lambda f: lambda m: gx.vmap(gx.grad(f))(np.stack([-m, m]))[1],
    "second order": gx.hessian,
}


# What comes after the choice, and has no derivative at 0.
ENDS = {
    "root": lambda y: gx.sqrt(gx.sum(y * y) + 1.0),
    "logarithm": lambda y: gx.log(gx.sum(gx.exp(y))),
    "quotient": lambda y: gx.sum(y) / gx.sum(y * y),
}


def derivative_of(name, way, y):
    return WAYS[way](lambda m: gx.sum(CASES[name](m, y)))(M)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_derivative_is_that_of_what_is_known(name, way):
    filled = derivative_of(name, way, np.where(KNOWN, Y, 2.0))

    np.testing.assert_allclose(derivative_of(name, way, Y), filled, rtol=1e-14)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", CASES)
def test_so_it_is_where_what_is_known_is_averaged(name, end, way):
    derivative = lambda y: WAYS[way](lambda m: ENDS[end](CASES[name](m, y)))(M)

    filled = derivative(np.where(KNOWN, Y, 2.0))

    np.testing.assert_allclose(derivative(Y), filled, rtol=1e-13)


@pytest.mark.parametrize("end", [gx.sum, *ENDS.values()])
@pytest.mark.parametrize("f", MASKED.values(), ids=MASKED)
def test_compiled_gradient_leaves_out_what_where_does(f, end):
    gradient = gx.grad(lambda m, y: end(f(m, y)))

    compiled = gx.compile(gradient)

    for y in (np.where(KNOWN, Y, 2.0), Y):
        np.testing.assert_allclose(compiled(M, y), gradient(M, np.where(KNOWN, Y, 2.0)), rtol=1e-14)


def test_missing_number_that_is_differentiated_itself_has_a_derivative_of_0():
    for f in (gx.square, gx.abs, gx.sin, lambda x: gx.maximum(x, 2.0)):
        found = gx.grad(lambda x, f=f: gx.sum(gx.where(gx.isnan(x), 0.0, f(x))))(Y)
        assert found[0] == 0


def test_nan_that_counts_is_seen_in_the_gradient():
    assert np.isnan(gx.grad(lambda m: gx.sum(gx.where(m > 0, m * Y, 0.0)))(M)[0])


SQUARE = np.asarray([[2.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.25, 1.0, 2.0]])
# Each is linear in the squares of its elements; and the outputs that element 1 reaches.
MIXING = {
    "matmul": (lambda x: SQUARE @ (x * x), [0, 1, 2]),
    "einsum": (lambda x: gx.einsum("i,ij->j", x * x, SQUARE), [0, 1, 2]),
    "cumulative_sum": (lambda x: gx.cumulative_sum(x * x), [1, 2]),
    "fft": (lambda x: gx.real(gx.fft.fft(x * x)), [0, 1, 2]),
    "convolution": (
        lambda x: gx.conv(gx.reshape(x * x, (1, 1, 3)), np.asarray([[[1.0, 0.5]]]), padding=1),
        [1, 2],
    ),
    "solve": (lambda x: gx.linalg.solve(SQUARE, x * x), [0, 1, 2]),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", MIXING)
def test_op_that_mixes_elements_is_not_finite_only_by_what_is_not(name, bad):
    f, reached = MIXING[name]
    x = np.asarray([0.5, bad, -2.0])

    with np.errstate(all="ignore"):
        out, pullback = gx.vjp(f, x)
        seeds = np.eye(out.size).reshape(-1, *out.shape)
        by_rows = np.stack([pullback(seed)[0] for seed in seeds])
        columns = [gx.jvp(f, (x,), (along,))[1].reshape(-1) for along in np.eye(3)]

    expected = np.ones((out.size, 3), dtype=bool)
    expected[reached, 1] = False
    np.testing.assert_array_equal(np.isfinite(by_rows), expected)
    np.testing.assert_array_equal(np.isfinite(np.stack(columns, axis=1)), expected)
