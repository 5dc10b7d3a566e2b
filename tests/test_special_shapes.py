"""Derivatives of incomplete gamma and beta functions by their shapes, beside mpmath's."""

import math
from functools import partial

import mpmath
import numpy as np
import pytest

import gradx as gx
from gradx import special

# Both tails, both sides of where a shape is raised, and shapes for which Stirling's series is used.
OF_GAMMA = [
    *[(1e-3, x) for x in (1e-8, 0.3, 0.7, 40.0)],
    *[(0.4, x) for x in (1e-8, 0.5, 0.6, 5.0)],
    *[(2.5, x) for x in (1e-3, 1.9, 2.4, 60.0)],
    *[(300.0, x) for x in (1.0, 270.0, 302.0, 500.0)],
    *[(1e4, x) for x in (9e3, 1.0003e4, 1.1e4)],
]
OF_BETA = [
    *[(1e-3, 1e-3, x) for x in (1e-8, 0.45, 0.6, 1 - 1e-8)],
    *[(0.4, 30.0, x) for x in (1e-8, 0.01, 0.3)],
    *[(30.0, 0.4, x) for x in (0.3, 0.99, 1 - 1e-8)],
    *[(2.5, 1.5, x) for x in (1e-3, 0.6, 0.7, 0.999)],
    *[(1e3, 1e-3, x) for x in (0.9, 0.9999)],
    *[(800.0, 500.0, x) for x in (0.5, 0.614, 0.616, 0.7)],
]


def share_of_gamma(a, x):
    """Return ``gammainc`` but for a constant, of the thin tail: the other would lose digits."""
    if x < a:
        return mpmath.gammainc(a, 0, x, regularized=True)
    return -mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def share_of_beta(a, b, x):
    """Return ``betainc`` but for a constant, of the thin tail."""
    if x * (a + b) < a:
        return mpmath.betainc(a, b, 0, x, regularized=True)
    return -mpmath.betainc(b, a, 0, 1 - x, regularized=True)


def exactly(f, shapes, x, orders):
    """Return a derivative by the shapes, by differences of many digits."""
    with mpmath.workdps(60):
        shapes, x = [mpmath.mpf(shape) for shape in shapes], mpmath.mpf(x)
        step = min(1, *shapes) * mpmath.mpf(10) ** -12
        return float(_difference(lambda *at: f(*at, x), shapes, orders, step))


def _difference(f, shapes, orders, step):
    if not any(orders):
        return f(*shapes)
    place = next(n for n, order in enumerate(orders) if order)
    fewer = [order - (n == place) for n, order in enumerate(orders)]
    moved = [
        [shape + sign * step * (n == place) for n, shape in enumerate(shapes)] for sign in (1, -1)
    ]
    up, down = (_difference(f, at, fewer, step) for at in moved)
    return (up - down) / (2 * step)


def repeatedly(differentiate, f, orders):
    """Return the derivative of these orders by the arguments in turn."""
    for place, order in enumerate(orders):
        for _ in range(order):
            f = differentiate(f, place)
    return f


def forward(f, place):
    """Return the derivative by one argument, in forward mode."""

    def derivative(*arguments):
        of_one = lambda x: f(*arguments[:place], x, *arguments[place + 1 :])
        return gx.jvp(of_one, (arguments[place],), (np.ones(()),))[1]

    return derivative


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("a", "x"), OF_GAMMA)
@pytest.mark.parametrize("differentiate", [gx.grad, forward])
def test_incomplete_gamma_functions_are_differentiated_by_shape(differentiate, a, x, order):
    expected = exactly(share_of_gamma, [a], x, [order])

    for function, sign in [(special.gammainc, 1), (special.gammaincc, -1)]:
        found = repeatedly(differentiate, function, [order, 0])(np.asarray(a), np.asarray(x))

        np.testing.assert_allclose(found, sign * expected, 2e-11)


@pytest.mark.parametrize("orders", [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)])
@pytest.mark.parametrize(("a", "b", "x"), OF_BETA)
@pytest.mark.parametrize("differentiate", [gx.grad, forward])
def test_incomplete_beta_functions_are_differentiated_by_shapes(differentiate, a, b, x, orders):
    expected = exactly(share_of_beta, [a, b], x, orders)
    place = np.asarray([a, b, x])

    for function, sign in [(special.betainc, 1), (special.betaincc, -1)]:
        found = repeatedly(differentiate, function, [*orders, 0])(*place)

        np.testing.assert_allclose(found, sign * expected, 1e-10)


MADE_OF_THEM = {
    "betaincinv": (1.7, 2.6, 0.3),
    "betainccinv": (0.8, 2.6, 0.3),
    "chdtr": (3.3, 2.0),
    "chdtrc": (3.3, 2.0),
    "chdtri": (3.3, 0.2),
    "fdtr": (3.3, 4.1, 1.2),
    "fdtrc": (3.3, 4.1, 1.2),
    "fdtri": (3.3, 4.1, 0.7),
    "gammaincinv": (1.7, 0.3),
    "gammainccinv": (0.6, 0.3),
    "gdtr": (1.3, 2.2, 0.7),
    "gdtrc": (1.3, 2.2, 0.7),
    "stdtr": (2.6, -1.1),
    "stdtrit": (2.6, 0.3),
}


@pytest.mark.parametrize("name", MADE_OF_THEM)
def test_what_is_made_of_them_is_differentiated_twice(name):
    arguments = [np.asarray(number) for number in MADE_OF_THEM[name]]

    gx.testing.check_derivatives(getattr(special, name), *arguments, order=2)


@pytest.mark.parametrize(("df", "t"), [(0.3, 1e3), (2.0, -1.5), (2.0, 0.1), (700.0, 1.1)])
@pytest.mark.parametrize("order", [1, 2])
def test_students_distribution_is_differentiated_by_degrees_of_freedom(df, t, order):
    def share(df, t):
        odds = t * t / df
        half = share_of_beta(mpmath.mpf(0.5), df / 2, odds / (1 + odds)) / 2
        return half if t > 0 else -half

    found = repeatedly(gx.grad, special.stdtr, [order, 0])(np.asarray(df), np.asarray(t))

    np.testing.assert_allclose(found, exactly(share, [df], t, [order]), 1e-9)


def test_density_of_student_at_0_varies_with_the_degrees_of_freedom():
    expected = mpmath.diff(lambda v: 1 / mpmath.sqrt(v) / mpmath.beta(v / 2, mpmath.mpf(0.5)), 2)

    for orders in [lambda f: gx.grad(gx.grad(f, 0), 1), lambda f: gx.grad(gx.grad(f, 1), 0)]:
        np.testing.assert_allclose(orders(special.stdtr)(2.0, 0.0), float(expected), 1e-14)


def test_nothing_varies_with_a_shape_at_the_ends_of_domains():
    shapes, places = np.asarray([0.5, 1.0, 2.0]), np.asarray([0.0, math.inf])[:, None]
    by_shape = lambda f, *rest: gx.grad(lambda a: gx.sum(f(a, *rest)))(shapes)

    np.testing.assert_array_equal(by_shape(special.gammainc, places), [0, 0, 0])
    np.testing.assert_array_equal(by_shape(special.betainc, shapes, np.asarray([[0], [1]])), 0)
    np.testing.assert_array_equal(by_shape(special.stdtr, np.asarray([[math.inf], [-math.inf]])), 0)
    # Its limit at a shape of 0 is minus the exponential integral.
    np.testing.assert_allclose(gx.grad(special.gammainc)(0.0, 1.5), -special.exp1(1.5), 1e-14)


@pytest.mark.parametrize("x", [-1.0, math.nan])
def test_derivative_by_shape_is_nan_outside_the_domain(x):
    assert math.isnan(gx.grad(special.gammainc)(2.0, x))
    assert math.isnan(gx.grad(special.gammainc)(-2.0, 1.0))
    assert math.isnan(gx.grad(special.betainc)(2.0, 2.0, x))


def test_derivatives_by_shape_are_infinite_at_0_where_those_of_the_density_are():
    by_shape_and_place = gx.grad(gx.grad(special.gammainc, 0), 1)

    assert [by_shape_and_place(a, 0.0) for a in (0.5, 1.0, 2.0)] == [-math.inf, -math.inf, 0]
    assert gx.grad(gx.grad(special.betainc, 0), 2)(1.0, 1.5, 0.0) == -math.inf
    assert gx.grad(gx.grad(special.betainc, 0), 2)(2.0, 1.5, 0.0) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_by_shapes_have_the_shapes_and_dtypes_of_what_is_given(dtype):
    a, x = np.ones((2, 1, 3), dtype) * 1.5, np.ones((4, 1), dtype) * 0.3

    for f in [special.gammainc, partial(special.betainc, 2.0), special.stdtr]:
        by_a, by_x = gx.grad(lambda a, x, f=f: gx.sum(f(a, x)), (0, 1))(a, x)

        assert (by_a.shape, by_x.shape) == (a.shape, x.shape)
        assert by_a.dtype == by_x.dtype == dtype


@pytest.mark.parametrize("transform", [gx.compile, gx.vmap])
def test_derivatives_by_shapes_are_the_same_compiled_and_mapped(transform):
    a, b, x = np.asarray([[0.4, 2.0, 30.0], [1.5, 0.7, 20.0], [0.2, 0.5, 0.6]])
    by_shapes = gx.grad(lambda *given: gx.sum(special.betainc(*given)), (0, 1))

    changed = transform(by_shapes)

    for _ in range(2):
        for one, other in zip(changed(a, b, x), by_shapes(a, b, x), strict=True):
            np.testing.assert_allclose(one, other, 1e-14)
