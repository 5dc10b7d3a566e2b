"""Derivatives far out, near 0 and at the ends of domains: relative errors of a few roundings.

The truth is mpmath's, with enough digits that its own differences do not cancel. A rounding of
the argument alone changes a derivative ``d`` by ``eps * |x d'|``: what is asked is a few times
that and the rounding of ``d`` itself.
"""

import math
from functools import cache, reduce
from itertools import product

import mpmath
import numpy as np
import pytest

import gradx as gx
from gradx.ops.neural import softmax_cross_entropy

DIGITS = 700  # tanh(700) is 1 to 608 of them
ROUNDINGS = 16

FAR = (1e-20, 1e-8, 1e-3, 0.1, 0.5, 1.0, 2.0, 5.0, 8.0, 15.0, 20.0, 37.0, 40.0, 100.0, 300.0, 700.0)
NEAR_ONE = (1e-20, 1e-8, 1e-3, 0.5, 0.9, 1 - 1e-6, 1 - 2.0**-20)
ABOVE_ONE = (1 + 2.0**-20, 1 + 1e-6, 1.5, 10.0, 1e8, 1e30)
POSITIVE = (1e-30, 1e-8, 1e-3, 0.5, 1 - 2.0**-20, 1.0, 3.0, 1e8, 1e30)


def both_signs(points):
    return tuple(sign * x for x in points for sign in (-1.0, 1.0))


def _probability(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def _sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def _dawson(x):
    return mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x)


def _bent(x):
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)


# Name -> the function, the same of mpmath's numbers, and where to look.
FUNCTIONS = {
    "tanh": (gx.tanh, mpmath.tanh, both_signs(FAR)),
    "sigmoid": (gx.nn.sigmoid, _sigmoid, both_signs(FAR)),
    "softplus": (gx.nn.softplus, _softplus, both_signs(FAR)),
    "log_expit": (gx.special.log_expit, lambda x: -_softplus(-x), both_signs(FAR)),
    "silu": (gx.nn.silu, lambda x: x * _sigmoid(x), both_signs(FAR)),
    "mish": (gx.nn.mish, lambda x: x * mpmath.tanh(_softplus(x)), both_signs(FAR)),
    "gelu": (gx.nn.gelu, lambda x: x * _probability(x), both_signs(FAR[:-2])),
    "gelu by tanh": (
        lambda x: gx.nn.gelu(x, approximate="tanh"),
        lambda x: x * _sigmoid(_bent(x)),
        both_signs(FAR[:-5]),
    ),
    "elu": (gx.nn.elu, mpmath.expm1, tuple(-x for x in FAR)),
    "logaddexp": (lambda x: gx.logaddexp(x, 0.0), _softplus, both_signs(FAR)),
    "logsumexp": (lambda x: gx.logsumexp(gx.stack([x, 0 * x])), _softplus, both_signs(FAR)),
    "erf": (gx.special.erf, mpmath.erf, both_signs(FAR[:-2])),
    "erfc": (gx.special.erfc, mpmath.erfc, both_signs(FAR[:-2])),
    "ndtr": (gx.special.ndtr, _probability, both_signs(FAR[:-2])),
    "log_ndtr": (
        gx.special.log_ndtr,
        lambda x: mpmath.log(_probability(x)),
        (-100.0, -37.0, -21.0, -19.0, -8.0, -2.0, -1e-3, 1e-3, 1.0, 5.0, 8.0),
    ),
    "ndtri_exp": (
        gx.special.ndtri_exp,
        lambda y: mpmath.findroot(
            lambda x: mpmath.log(_probability(x)) - y, float(gx.special.ndtri_exp(float(y)))
        ),
        (-400.0, -100.25, -37.0, -5.0, -0.7, -0.1, -1e-3),
    ),
    "boxcox of a whole power": (
        lambda x: gx.special.boxcox(x, 3.0),
        lambda x: (x**3 - 1) / 3,
        (1e-8, 1e-3, 0.3, 0.7, 0.72, 1.5, 1e8),
    ),
    "boxcox1p of a negative power": (
        lambda x: gx.special.boxcox1p(x, -2.0),
        lambda x: (1 - (1 + x) ** -2) / 2,
        (-0.9, -1e-8, 1e-8, 0.6, 0.7, 1e3, 1e8, 1e20),
    ),
    "powm1 by y": (
        lambda y: gx.special.powm1(1e-3, y),
        lambda y: mpmath.mpf(1e-3) ** y - 1,
        (-3.0, -1e-8, 1e-8, 0.5, 2.0, 5.0),
    ),
    "wrightomega": (
        gx.special.wrightomega,
        lambda x: mpmath.lambertw(mpmath.exp(x)).real,
        (-40.0, -2.0, -1e-8, 1e-8, 1.0, 3.0, 8.0, 37.0, 300.0, 700.0, 1e4, 1e8, 1e12),
    ),
    "dawsn": (gx.special.dawsn, _dawson, both_signs((1e-8, 1e-3, 0.5, 1.0, 8.0, 15.0, 30.0))),
    "ellipkm1": (
        gx.special.ellipkm1,
        lambda p: mpmath.ellipk(1 - p),
        (1e-30, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.999, 2.0),
    ),
    "cbrt": (
        gx.special.cbrt,
        lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
        both_signs((1e-30, 1e-8, 0.5, 3.0, 1e8, 1e30)),
    ),
    "expi": (gx.special.expi, mpmath.ei, (*both_signs((1e-30, 1e-8, 0.5, 20.0)), 300.0)),
    "exp1": (gx.special.exp1, mpmath.e1, (1e-30, 1e-8, 0.5, 20.0, 80.0)),
    "betaln": (
        lambda x: gx.special.betaln(x, 0.5),
        lambda x: mpmath.loggamma(x) - mpmath.loggamma(x + 0.5),
        (1e-30, 1e-8, 1e-3, 0.5, 3.0, 20.0, 1e3, 1e8, 1e16, 1e20),
    ),
    "betaln of little": (
        lambda x: gx.special.betaln(x, 1e-12),
        lambda x: mpmath.loggamma(x) - mpmath.loggamma(x + mpmath.mpf(1e-12)),
        (1e-8, 1e-3, 0.3, 3.0, 15.0, 17.0, 1e8),
    ),
    "poch of little": (
        lambda x: gx.special.poch(x, 1e-12),
        lambda x: mpmath.gammaprod([x + mpmath.mpf(1e-12)], [x]),
        (1e-8, 1e-3, 0.3, 3.0, 15.0),
    ),
    # Of 1e3 SciPy's own values of this one and the next have four digits less.
    "beta": (
        lambda x: gx.special.beta(x, 0.5),
        lambda x: mpmath.beta(x, 0.5),
        (1e-8, 1e-3, 0.5, 3.0, 20.0, 1e8, 1e16, 1e20),
    ),
    "beta at its zeros": (
        lambda x: gx.special.beta(x, -1.5),
        lambda x: mpmath.gammaprod([x, -1.5], [x - 1.5]),
        (0.5, 0.5 + 2.0**-20, 0.25, -0.5, -0.75, 1.25, 2.75),
    ),
    "poch": (
        lambda x: gx.special.poch(x, 0.5),
        lambda x: mpmath.gammaprod([x + 0.5], [x]),
        (1e-30, 1e-8, 1e-3, 0.25, 0.75, 3.0, 20.0, 1e8, 1e16),
    ),
    # Near the zeros of the coefficient, and past them. At 1e-8 SciPy's own value has ten digits.
    "binom": (
        lambda x: gx.special.binom(x, 2.5),
        lambda x: mpmath.binomial(x, 2.5),
        (1e-6, 0.3, 0.5 + 2.0**-20, 1.5 - 2.0**-20, 1.75, 7.0, 30.0),
    ),
    "binom by k": (
        lambda k: gx.special.binom(3.0, k),
        lambda k: mpmath.binomial(3, k),
        (1e-8, 0.5, 3.75, 4 + 2.0**-20, 6.5),
    ),
    "boxcox": (
        lambda x: gx.special.boxcox(x, 2.5),
        lambda x: (x**2.5 - 1) / 2.5,
        (1e-20, 1e-8, 1e-3, 0.5, 3.0, 1e8, 1e15),
    ),
    "boxcox of a negative power": (
        lambda x: gx.special.boxcox(x, -1.5),
        lambda x: (x**-1.5 - 1) / -1.5,
        (1e-8, 1e-3, 0.5, 3.0, 1e8, 1e12),
    ),
    "boxcox1p": (
        lambda x: gx.special.boxcox1p(x, 2.5),
        lambda x: ((1 + x) ** 2.5 - 1) / 2.5,
        (-1 + 2.0**-20, -0.9, -1e-8, 1e-8, 0.5, 1e8, 1e15),
    ),
    "pseudo_huber": (
        lambda r: gx.special.pseudo_huber(1.0, r),
        lambda r: mpmath.sqrt(1 + r * r) - 1,
        both_signs((1e-20, 1e-8, 0.5, 3.0, 1e8, 1e12)),
    ),
    "pseudo_huber by delta": (
        lambda delta: gx.special.pseudo_huber(delta, 1.5),
        lambda delta: delta * (mpmath.hypot(delta, 1.5) - delta),
        (1e-20, 1e-8, 0.5, 3.0, 1e4),
    ),
    "shi": (
        lambda x: gx.special.shichi(x)[0],
        mpmath.shi,
        both_signs((1e-20, 1e-8, 1e-3, 0.5, 5.0, 40.0)),
    ),
    "lpmv": (
        lambda x: gx.special.lpmv(0, 4, x),
        lambda x: (35 * x**4 - 30 * x**2 + 3) / 8,
        both_signs((0.3, 0.5, 0.9, 1 - 2.0**-20)),
    ),
    "lpmv of an order": (
        lambda x: gx.special.lpmv(-2, 3, x),
        lambda x: (1 - x * x) * x / 8,
        both_signs((0.3, 0.5, 0.9, 1 - 2.0**-20)),
    ),
    "exp": (gx.exp, mpmath.exp, both_signs(FAR)),
    "expm1": (gx.expm1, mpmath.expm1, both_signs(FAR)),
    "log": (gx.log, mpmath.log, POSITIVE),
    "log1p": (gx.log1p, mpmath.log1p, (-1 + 2.0**-20, -0.9, -1e-8, *POSITIVE)),
    "sinh": (gx.sinh, mpmath.sinh, both_signs(FAR)),
    "cosh": (gx.cosh, mpmath.cosh, both_signs(FAR)),
    "asinh": (gx.asinh, mpmath.asinh, both_signs(POSITIVE)),
    "acosh": (gx.acosh, mpmath.acosh, ABOVE_ONE),
    "atanh": (gx.atanh, mpmath.atanh, both_signs(NEAR_ONE)),
    "asin": (gx.asin, mpmath.asin, both_signs(NEAR_ONE)),
    "acos": (gx.acos, mpmath.acos, both_signs(NEAR_ONE)),
    "atan": (gx.atan, mpmath.atan, both_signs(POSITIVE)),
    "hypot": (lambda x: gx.hypot(x, 1.0), lambda x: mpmath.sqrt(x * x + 1), both_signs(POSITIVE)),
}

MODES = {
    "forward": lambda f: lambda x: gx.jvp(f, (x,), (gx.ones_like(x),))[1],
    "reverse": gx.grad,
}
MIXES = {
    1: list(MODES.values()),
    2: [
        lambda f, outer=outer, inner=inner: outer(inner(f))
        for outer in MODES.values()
        for inner in MODES.values()
    ],
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("order", MIXES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_derivatives_are_right_to_a_few_roundings(name, order, dtype):
    function, exact, points = FUNCTIONS[name]
    limits = np.finfo(dtype)

    for x in np.asarray(points, dtype):
        truth, slope = _true_derivatives(exact, float(x))[order - 1 : order + 1]
        for mix in MIXES[order]:
            found = mix(function)(np.asarray(x))
            if abs(truth) > limits.max:
                assert found == np.sign(float(mpmath.sign(truth))) * np.inf, x
                continue
            allowed = ROUNDINGS * limits.eps * (abs(truth) + abs(float(x) * slope))
            assert abs(mpmath.mpf(float(found)) - truth) <= allowed + ROUNDINGS * limits.tiny, x


@cache
def _true_derivatives(exact, x):
    """Return the first three derivatives."""
    with mpmath.workdps(DIGITS):
        h = mpmath.mpf(10) ** (-DIGITS // 5)
        at = [exact(mpmath.mpf(x) + n * h) for n in (-2, -1, 0, 1, 2)]
        first, second = (at[3] - at[1]) / (2 * h), (at[3] - 2 * at[2] + at[1]) / h**2
        third = (at[4] - 2 * at[3] + 2 * at[1] - at[0]) / (2 * h**3)
        return first, second, third


@pytest.mark.parametrize("mix", list(product(MODES.values(), repeat=3)))
def test_third_derivative_of_log_ndtr_has_digits_far_out(mix):
    x = np.asarray([-1e75, -1e16, -1e8, -1e4])

    found = [reduce(lambda f, mode: mode(f), mix, gx.special.log_ndtr)(each) for each in x]

    # The next term of the series is of the fourth power.
    np.testing.assert_allclose(found, -2 / x**3 * (1 - 12 / x**2), rtol=1e-9)


# Terms of two signs would be NaN there.
OVERFLOWING = {
    "cbrt": (gx.special.cbrt, 1e-160),
    "cbrt of what is negative": (gx.special.cbrt, -1e-160),
    "expi": (gx.special.expi, 745.0),
    "expi far out": (gx.special.expi, 1e200),
    "chi": (lambda x: gx.special.shichi(x)[1], 745.0),
    "minus expn": (lambda x: -gx.special.expn(0, x), 1e-200),
}


@pytest.mark.parametrize("name", OVERFLOWING)
@pytest.mark.parametrize("mix", list(product(MODES.values(), repeat=3)))
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_third_derivative_that_overflows_is_infinite(name, mix):
    function, x = OVERFLOWING[name]

    assert reduce(lambda f, mode: mode(f), mix, function)(np.asarray(x)) == math.inf


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("x", [-1e300, -1e100, -1e5, 1e5, 1e100, 1e300])
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_no_derivative_is_nan_however_large_the_argument(name, x):
    function, _, points = FUNCTIONS[name]
    past_zero = x > 0 and name == "ndtri_exp"
    bounded = name in ("atanh", "asin", "acos", "lpmv", "lpmv of an order")
    if (x < 0 and min(points) > -1.5) or past_zero or bounded:
        pytest.skip("outside the domain")

    for derivative in MIXES[1]:
        assert not np.isnan(derivative(function)(np.asarray(x)))


@pytest.mark.parametrize("transform", [lambda f: f, gx.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("gap", [5.0, 20.0, 40.0, 300.0])
def test_cross_entropy_has_digits_where_the_label_is_nearly_certain(gap, transform):
    x, label = np.asarray([[gap, 0.0]]), np.asarray([0])
    loss = lambda x: softmax_cross_entropy(x, label)[0]
    by_label = lambda f: lambda x: gx.grad(f)(x)[0, 0]
    first = by_label(loss)

    found = [float(transform(f)(x)) for f in (first, by_label(first), by_label(by_label(first)))]

    p = math.exp(-gap) / (1 + math.exp(-gap))  # of the other class
    np.testing.assert_allclose(found, [-p, p * (1 - p), -p * (1 - p) * (1 - 2 * p)], 1e-13)


# Second derivatives of these are in the range of float32, squares of what divides are not.
INVERTED = {
    "a quotient": (lambda x: gx.sum(x * x) / gx.sum(x), [1e-15, 1.0, 1e15]),
    "a logarithm": (lambda x: gx.log(gx.sum(gx.exp(gx.log(x) * 60))), [0.3, 1.0, 3.0]),
    "a reciprocal": (lambda x: gx.reciprocal(gx.sum(x)) * (x[0] * x[1]), [1e-15, 1.0, 1e15]),
}


@pytest.mark.parametrize("way", [lambda f: f, gx.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", INVERTED)
def test_second_derivatives_by_what_divides_neither_overflow_nor_underflow(name, way):
    f, scales = INVERTED[name]

    for scale in scales:
        x = np.asarray([1.0, 1.01]) * scale
        expected = gx.hessian(f)(x)
        found = way(gx.hessian(f))(x.astype(np.float32))
        np.testing.assert_allclose(
            found / abs(expected).max(), expected / abs(expected).max(), atol=3e-5
        )
