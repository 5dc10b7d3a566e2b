"""Special functions at their hard points, beside what SciPy knows of their derivatives.

That values and derivatives agree with finite differences is tested with all ops.
"""

import math
import sys
from inspect import signature

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.special

import gradx as gx
from gradx import special
from gradx.backends.companions import COMPLEX, FUNCTIONS, ONLY_OF_SCIPY
from gradx.core.op import OPS
from gradx.errors import DTypeError, ShapeError, TrackedError

INF = math.inf


def reverse(f, order):
    """Return the derivative of a function of one number, by reverse mode alone."""
    return f if order == 0 else gx.grad(reverse(f, order - 1))


def forward(f, order):
    """Return the derivative of a function of one number, by forward mode alone."""
    if order == 0:
        return f
    inner = forward(f, order - 1)
    return lambda x: gx.jvp(inner, (x,), (gx.ones_like(x),))[1]


def derivatives(f, x, count=4):
    """Return the value and the derivatives at ``x``, the same in both modes."""
    x = np.asarray(x)
    found = [float(reverse(f, order)(x)) for order in range(count)]
    np.testing.assert_allclose([float(forward(f, order)(x)) for order in range(count)], found)
    return found


@pytest.mark.parametrize("order", [0.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("x", [150.0, 1e4, 1e8])
def test_scaled_bessel_functions_of_any_order_keep_their_digits_far_out(order, x):
    def beyond(sign):  # Hankel's series, and how its terms and their derivatives begin
        terms = [mpmath.mpf(1)]
        for k in range(1, 60):
            terms.append(terms[-1] * sign * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k))
        return lambda x: sum(t * x ** (-k - 0.5) for k, t in enumerate(terms))

    for function, sign, scale in [
        (special.kve, 1, mpmath.sqrt(mpmath.pi / 2)),
        (special.ive, -1, 1 / mpmath.sqrt(2 * mpmath.pi)),
    ]:
        actual = derivatives(lambda x, f=function: f(order, x), x)

        with mpmath.workdps(60):
            series = beyond(sign)
            expected = [scale * mpmath.diff(series, mpmath.mpf(x), n) for n in range(4)]
        np.testing.assert_allclose(actual, np.asarray(expected, float), 1e-11)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (special.y0, 1e-310),
        (special.y1, 1e-200),
        (special.y1, 1e-310),
        (lambda x: special.yv(2.5, x), 1e-200),
        (lambda x: special.yv(-1.5, x) * -1, 1e-200),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_third_derivative_of_bessel_functions_of_the_second_kind_overflows_to_infinity(function, x):
    assert abs(float(reverse(function, 3)(np.asarray(x)))) == INF
    assert abs(float(forward(function, 3)(np.asarray(x)))) == INF


# On both sides of where the recurrence turns round, and at 0.
@pytest.mark.parametrize("x", [-40.0, -15.9, -1e-3, 0.0, 1e-8, 0.5, 15.9, 16.1, 100.0])
@pytest.mark.parametrize("order", [0, 1])
def test_derivatives_of_bessel_functions_are_those_of_scipy(order, x):
    function = [special.i0, special.i1][order]

    actual = derivatives(function, x)

    np.testing.assert_allclose(actual, [scipy.special.ivp(order, x, n) for n in range(4)], 1e-12)


@pytest.mark.parametrize("x", [-700.0, -15.9, 0.5, 16.1, 700.0])
def test_scaled_bessel_functions_do_not_overflow(x):
    i0e, i1e = special.i0e(np.asarray(x)), special.i1e(np.asarray(x))

    slope = derivatives(special.i0e, x, 2)[1]
    np.testing.assert_allclose(slope, i1e - np.sign(x) * i0e, atol=np.spacing(i0e))
    assert all(map(math.isfinite, derivatives(special.i1e, x)))


def test_scaled_bessel_function_has_derivative_0_at_0():
    assert derivatives(special.i0e, 0.0, 2) == [1.0, 0.0]
    assert derivatives(special.i1e, 0.0, 2) == [0.0, 0.5]


def test_relative_exponential_is_a_moment_to_every_order():
    assert derivatives(special.exprel, 0.0) == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4], rel=1e-15)
    for x in [-50.0, -8.01, -7.99, -1e-6, 3.0, 7.99, 8.01, 50.0]:
        moments = [
            scipy.integrate.quad(lambda t, n=n, x=x: t**n * np.exp(t * x), 0, 1)[0]
            for n in range(4)
        ]
        np.testing.assert_allclose(derivatives(special.exprel, x), moments, 1e-11)


def test_sinc_is_smooth_at_0_to_third_order():
    assert derivatives(special.sinc, 0.0) == pytest.approx([1, 0, -(math.pi**2) / 3, 0], rel=1e-15)


@pytest.mark.parametrize("x", [-2.5, 1e-3, 1.0, 30.0])
def test_derivatives_of_the_gamma_functions_logarithm_are_polygamma_functions(x):
    expected = [scipy.special.gammaln(x), *[scipy.special.polygamma(n, x) for n in range(3)]]

    np.testing.assert_allclose(derivatives(special.gammaln, x), expected, 1e-13)
    for n in range(3):
        np.testing.assert_allclose(special.polygamma(n, np.asarray(x)), expected[n + 1], 1e-13)


def test_gamma_functions_logarithm_has_infinite_derivatives_at_0():
    assert derivatives(special.gammaln, 0.0) == [INF, -INF, INF, -INF]


def test_incomplete_gamma_functions_are_smooth_at_0_to_third_order():
    assert derivatives(lambda x: special.gammainc(1, x), 0.0) == [0, 1, -1, 1]
    assert derivatives(lambda x: special.gammainc(2.0, x), 0.0) == [0, 0, 1, -2]
    assert derivatives(lambda x: special.gammaincc(1.0, x), 0.0) == [1, -1, 1, -1]
    assert derivatives(lambda x: special.gammainc(0.5, x), 0.0, 2) == [0, INF]


@pytest.mark.parametrize(
    ("function", "name"),
    [(special.zeta, "x"), (special.jv, "v"), (special.kv, "v")],
)
@pytest.mark.parametrize("differentiate", [reverse, forward])
def test_derivative_without_a_formula_is_refused(function, name, differentiate):
    by_first = lambda x: function(x, 1.5)

    with pytest.raises(TrackedError, match=rf"{function.__name__}: .* respect to {name}.*constant"):
        differentiate(by_first, 1)(np.asarray(2.5))


def test_second_argument_is_differentiated_where_the_first_is_tracked_as_a_constant():
    f = lambda v, x: special.jv(gx.stop_gradient(v), x)

    by_v, by_x = gx.grad(f, (0, 1))(0.0, 2.0)

    assert by_v == 0.0
    assert by_x == pytest.approx(-scipy.special.j1(2.0))


# name: (x, y, derivative by x, by y)
AT_ZEROS = {
    "xlogy": [(0.0, 2.0, math.log(2), 0.0), (0.0, 0.0, -INF, 0.0), (1.0, 0.0, -INF, INF)],
    "xlog1py": [(0.0, 1.0, math.log(2), 0.0), (0.0, -1.0, -INF, 0.0), (1.0, -1.0, -INF, INF)],
    "rel_entr": [(0.0, 2.0, -INF, 0.0), (0.0, 0.0, 1.0, 0.0), (2.0, 2.0, 1.0, -1.0)],
    "kl_div": [(0.0, 2.0, -INF, 1.0), (0.0, 0.0, 0.0, 1.0), (2.0, 2.0, 0.0, 0.0)],
}


@pytest.mark.parametrize("name", AT_ZEROS)
def test_products_with_logarithms_have_their_limits_at_zeros(name):
    function = getattr(special, name)
    for x, y, by_x, by_y in AT_ZEROS[name]:
        assert gx.grad(function, (0, 1))(x, y) == (by_x, by_y), (x, y)


def test_mixed_derivative_of_xlogy_at_0_is_that_of_the_logarithm():
    by_y = lambda x: gx.grad(lambda y: special.xlogy(x, y))(2.0)

    assert gx.grad(by_y)(0.0) == 0.5


def test_entropy_has_infinite_derivatives_at_0():
    assert derivatives(special.entr, 0.0) == [0.0, INF, -INF, INF]


def test_logit_has_infinite_derivatives_at_0_and_1():
    assert derivatives(special.logit, 0.0) == [-INF, INF, -INF, INF]
    assert derivatives(special.logit, 1.0) == [INF, INF, INF, INF]


def test_logarithm_of_the_logistic_function_does_not_underflow():
    assert derivatives(special.log_expit, -800.0, 3) == [-800.0, 1.0, 0.0]


def test_numbers_beside_single_precision_keep_it():
    x = np.asarray([0.5, 2.0], dtype=np.float32)

    for function in [special.xlogy, special.rel_entr, special.beta, special.binom, special.zeta]:
        out = function(2.5, x)
        by_x = gx.grad(lambda x, f=function: gx.sum(f(2.5, x)))(x)
        assert out.dtype == by_x.dtype == np.float32, function.__name__


def test_polygamma_wants_whole_orders():
    with pytest.raises(ShapeError, match="polygamma: n is 0 or more, got -1"):
        special.polygamma(-1, np.ones(2))
    with pytest.raises(DTypeError, match=r"polygamma: n is an integer .* got float64"):
        special.polygamma(np.ones(2), np.ones(2))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["bool", "complex128"])
def test_functions_of_real_numbers_refuse_others(name, dtype):
    function = getattr(special, name)
    x = np.ones(2, dtype=dtype)
    arguments = (x,) * len(signature(function).parameters)

    with pytest.raises(DTypeError, match=rf"{name}: expected real numbers, got {dtype}"):
        function(*arguments)


@pytest.mark.parametrize("name", [*FUNCTIONS, "erf"])
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_whole_numbers_alone_are_taken_in_double_precision(name, dtype, backend):
    function, x = getattr(special, name), np.asarray([1, 2], dtype=dtype)
    arguments = (x,) * len(signature(function).parameters)
    there = [backend.from_numpy(a, backend.devices()[0]) for a in arguments]
    doubles = [backend.from_numpy(a.astype("float64"), backend.devices()[0]) for a in arguments]

    out = function(*there)

    assert str(out.dtype).endswith("float64")
    # Beside the same library: another one's last bit may differ.
    expected = backend.to_numpy(function(*doubles))
    np.testing.assert_array_equal(backend.to_numpy(out), expected)


def test_likelihood_of_counts_is_differentiated_by_scipys_own_functions():
    counts, rates = np.asarray([0, 1, 4]), np.asarray([0.5, 1.0, 2.0])

    def likelihood(rates, counts):
        return np.sum(
            scipy.special.xlogy(counts, rates) - rates - scipy.special.gammaln(counts + 1)
        )

    beside = lambda rates: likelihood(rates, rates.__array_namespace__().asarray(counts))
    np.testing.assert_allclose(gx.grad(beside)(rates), counts / rates - 1)
    np.testing.assert_allclose(gx.vjp(beside, rates)[0], likelihood(rates, counts))


def test_functions_say_what_to_install_where_scipy_is_missing(monkeypatch):
    from gradx.backends.companions import kernels_of

    monkeypatch.setitem(sys.modules, "scipy.special", None)

    with pytest.raises(gx.MissingPackageError, match=r"gammaln: .*pip install scipy"):
        kernels_of("scipy.special", "pip install scipy")["gammaln"](np, np.ones(2))


# Name -> the same of mpmath's numbers, and where formulas with differences would cancel.
CANCELLING = {
    "i0e": (lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x), (-1e4, 0.5, 2.0, 25.0, 1e8)),
    "i1e": (lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x), (-1e4, 0.5, 2.0, 25.0, 1e8)),
    "k0e": (lambda x: mpmath.exp(x) * mpmath.besselk(0, x), (1e-3, 0.5, 2.0, 25.0, 1e4)),
    "k1e": (lambda x: mpmath.exp(x) * mpmath.besselk(1, x), (1e-3, 0.5, 2.0, 25.0, 1e4)),
    "rgamma": (mpmath.rgamma, (-20.0, -5.0, -2.5, -1 - 2.0**-20, -1.0, -1e-8, 0.0, 1e-20, 3.0)),
    "spence": (lambda x: mpmath.polylog(2, 1 - x), (1e-20, 1e-8, 1e-3, 0.6, 1 - 2.0**-20, 1.5)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CANCELLING)
def test_two_derivatives_are_right_to_a_few_roundings_where_formulas_cancel(name, dtype):
    exact, points = CANCELLING[name]
    function, precision = getattr(gx.special, name), float(np.finfo(dtype).eps)

    for x in np.asarray(points, dtype):
        point = np.asarray(x)
        with mpmath.workdps(80):
            center = mpmath.mpf(float(x))
            h = (abs(center) or 1) * mpmath.mpf(10) ** -16
            below, at, above = [mpmath.re(exact(center + n * h)) for n in (-1, 0, 1)]
            first, second = float((above - below) / (2 * h)), float((above - 2 * at + below) / h**2)
        tolerance = 30 * precision
        found = gx.grad(function)(point)
        np.testing.assert_allclose(found, first, tolerance, tolerance * abs(x * second))
        curved = [gx.grad(gx.grad(function))(point)]
        curved.append(gx.jvp(gx.grad(function), (point,), (np.ones_like(point),))[1])
        np.testing.assert_allclose(curved, second, tolerance)


# Functions of two arrays, with which of them holds whole numbers or truths.
BESIDE = {
    "xlogy": (lambda x: gx.special.xlogy(x, np.asarray([1, 2])), np.float64),
    "xlog1py": (lambda x: gx.special.xlog1py(x, np.asarray([1, 2])), np.float64),
    "poch": (lambda x: gx.special.poch(np.asarray([1, 2]), x), np.float32),
    "gammaincinv": (lambda x: gx.special.gammaincinv(np.asarray([1, 2]), x), np.float64),
    "betainc": (lambda x: gx.special.betainc(np.asarray([1, 2]), 3, x), np.float64),
    "atan2": (lambda x: gx.atan2(x, np.asarray([True, False])), np.float64),
}


@pytest.mark.parametrize("name", BESIDE)
def test_derivative_beside_whole_numbers_is_that_of_the_same_in_floating_point(name):
    f, dtype = BESIDE[name]
    x = np.asarray([0.25, 0.5], dtype=dtype)
    step = 1e-6

    gradient = gx.grad(lambda x: gx.sum(f(x)))(x)

    x = x.astype(np.float64)
    slope = (f(x + step) - f(x - step)) / (2 * step)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, slope, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("f", [special.exprel, special.i0, special.i1])
@pytest.mark.parametrize("x", [745.0, 1e4])
def test_derivatives_overflow_to_infinity_not_to_nan(f, x):
    assert derivatives(f, x) == [INF] * 4


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_odd_derivatives_of_bessel_functions_keep_their_sign_where_they_overflow():
    assert derivatives(special.i0, -745.0) == [INF, -INF, INF, -INF]


@pytest.mark.parametrize("name", ["cbrt", "erf", "i0e", "gammaln", "exprel", "ndtri"])
def test_half_precision_stays_to_second_order(name):
    function, x = getattr(special, name), np.asarray([0.25, 0.5], dtype=np.float16)
    slope = gx.grad(lambda x: gx.sum(function(x)))

    assert function(x).dtype == slope(x).dtype == np.float16
    bend = gx.grad(lambda x: gx.sum(slope(x)))
    assert bend(x).dtype == np.float16
    np.testing.assert_allclose(bend(x), bend(x.astype(np.float64)), rtol=2e-2)


@pytest.mark.parametrize("name", ["i0e", "i1e", "k0e", "k1e"])
def test_half_precision_reaches_far_out(name):
    slope = gx.grad(lambda x: gx.sum(getattr(special, name)(x)))
    x = np.asarray([30.0, 200.0])

    np.testing.assert_allclose(slope(x.astype(np.float16)), slope(x), rtol=1e-2, atol=1e-6)


def test_zeta_of_one_argument_is_riemanns_on_both_sides_of_its_pole():
    x = np.asarray([-1.5, 0.5, 2.0, 40.0])

    np.testing.assert_allclose(special.zeta(x), scipy.special.zeta(x), rtol=1e-14)
    with pytest.raises(TrackedError, match="no derivative with respect to x"):
        gx.grad(special.zeta)(2.5)


def test_zeta_of_scipy_is_differentiated_by_its_second_argument_alone():
    found = gx.grad(lambda q: scipy.special.zeta(2.0, q))(2.5)

    np.testing.assert_allclose(found, -2 * scipy.special.zeta(3.0, 2.5), rtol=1e-14)
    with pytest.raises(TrackedError, match=r"no derivative for scipy\.special\.riemann_zeta"):
        gx.grad(scipy.special.zeta)(2.5)


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *ONLY_OF_SCIPY} - COMPLEX))
def test_result_has_the_precision_of_what_was_given(name):
    op = OPS[name]
    arrays = next(op.samples(lambda *shape: np.full(shape, 0.5))).arrays

    for dtype in (np.float16, np.float32, np.float64):
        given = [a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a for a in arrays]
        assert op.call(*given).dtype == dtype
