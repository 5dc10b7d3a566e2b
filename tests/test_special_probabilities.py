"""The special functions that statistics and signals are made of, beside SciPy's."""

import math

import numpy as np
import pytest
import scipy.special

import gradx as gx
from gradx import special
from gradx.errors import DTypeError, ShapeError, TrackedError

POINTS = np.asarray([0.1, 0.35, 0.6, 0.9])
FIRST = {
    **dict.fromkeys(["betainc", "betaincc", "betaincinv", "betainccinv"], (1.5, 2.0)),
    **dict.fromkeys(["fdtr", "fdtrc", "fdtri", "gdtr", "gdtrc", "hyp1f1"], (1.5, 2.5)),
    **dict.fromkeys(["bdtr", "bdtrc", "bdtri", "nbdtr", "nbdtrc", "nbdtri"], (2, 5)),
    **dict.fromkeys(["jv", "yv", "iv", "kv", "ive", "kve", "hyp0f1"], (1.5,)),
    **dict.fromkeys(["eval_legendre", "eval_chebyt", "eval_chebyu", "eval_laguerre"], (3,)),
    **dict.fromkeys(["eval_hermite", "eval_hermitenorm"], (4,)),
    **dict.fromkeys(["eval_gegenbauer", "eval_genlaguerre"], (3, 1.5)),
    "eval_jacobi": (3, 0.5, 1.5),
    "voigt_profile": (0.4, 0.3),
    **dict.fromkeys(["jn", "yn", "kn", "expn", "pdtr", "pdtrc", "pdtri"], (2,)),
    **dict.fromkeys(["chdtr", "chdtrc", "chdtri", "stdtr", "stdtrit"], (3.0,)),
    **dict.fromkeys(["gammaincinv", "gammainccinv", "poch", "owens_t", "powm1"], (1.5,)),
    **dict.fromkeys(["huber", "pseudo_huber"], (0.4,)),
    "hyp2f1": (1.5, 2.5, 2.0),
    **dict.fromkeys(["spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"], (2,)),
    **dict.fromkeys(["struve", "modstruve", "ellipkinc", "ellipeinc", "agm", "elliprc"], (1.5,)),
    **dict.fromkeys(["elliprf", "elliprd", "elliprg", "hyperu"], (1.5, 2.5)),
    "elliprj": (1.5, 2.5, 0.5),
    "lpmv": (1, 3),
    "radian": (30.0, 15.0),
}
OF_ONE = """
    j0 j1 y0 y1 k0 k1 k0e k1e gammasgn loggamma rgamma dawsn ellipe ellipk ellipkm1 erfi exp1 expi
    spence wrightomega cbrt cosdg cosm1 cotdg exp2 exp10 sindg tandg expm1 log1p round
    softplus ber bei ker kei berp beip kerp keip
""".split()  # noqa: SIM905 (a list of quoted words would be three times as long)
GIVEN = {**FIRST, **dict.fromkeys(OF_ONE, ())}


def in_both_modes(f, x):
    """Return the derivative of a function of one number, the same in both modes."""
    x = np.asarray(x)
    reverse, forward = gx.grad(f)(x), gx.jvp(f, (x,), (np.ones(()),))[1]
    np.testing.assert_allclose(forward, reverse, rtol=1e-14)
    return float(reverse)


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_scipys(name, dtype):
    points = POINTS.astype(dtype)

    actual = getattr(special, name)(*GIVEN[name], points)

    expected = getattr(scipy.special, name)(*GIVEN[name], POINTS)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, 1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("name", ["boxcox", "boxcox1p", "inv_boxcox", "inv_boxcox1p"])
def test_transformations_of_box_and_cox_are_smooth_where_the_power_is_0(name):
    function, theirs = getattr(special, name), getattr(scipy.special, name)
    powers = np.asarray([-0.5, -1e-9, 0.0, 1e-9, 0.5, 2.0])

    np.testing.assert_allclose(function(0.3, powers), theirs(0.3, powers), 1e-13)
    for power in powers:
        gx.testing.check_derivatives(lambda p: function(0.3, p), np.asarray(power))


def test_boxcox_of_nothing_is_the_least_that_there_is():
    np.testing.assert_array_equal(special.boxcox(np.zeros(2), 2.0), [-0.5, -0.5])
    np.testing.assert_array_equal(special.boxcox1p(-np.ones(1), 0.5), [-2.0])


def test_reciprocal_gamma_has_a_derivative_where_gamma_has_a_pole():
    found = [in_both_modes(special.rgamma, -float(n)) for n in range(5)]

    np.testing.assert_allclose(found, [(-1) ** n * math.factorial(n) for n in range(5)], 1e-14)


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [
        (special.j1, 0.0, 0.5),
        (special.spence, 1.0, -1.0),
        (special.ellipk, 0.0, math.pi / 8),
        (special.ellipe, 0.0, -math.pi / 8),
        (special.ellipkm1, 1.0, -math.pi / 8),
        (lambda t: special.stdtr(1.0, t), 0.0, 1 / math.pi),
        (lambda t: special.stdtr(4.0, t), 0.0, 3 / 8),
        (lambda p: special.stdtrit(1.0, p), 0.5, math.pi),
        (lambda x: special.betainc(1.0, 2.0, x), 0.0, 2.0),
        (lambda x: special.fdtr(2.0, 2.0, x), 0.0, 1.0),
        (lambda r: special.huber(1.0, r), 0.0, 0.0),
        (lambda r: special.huber(1.0, r), -3.0, -1.0),
        (lambda r: special.pseudo_huber(0.0, r), 2.0, 0.0),
        (lambda h: special.owens_t(h, 1.0), 0.0, 0.0),
        (lambda x: special.expn(0, x), 1.0, -2 / math.e),
        (lambda a: special.poch(a, 2), -2.0, -3.0),
        (lambda a: special.poch(a, 3), -4.0, 26.0),
        (special.log1p, 0.0, 1.0),
    ],
)
def test_derivatives_at_hard_points(f, x, slope):
    assert in_both_modes(f, x) == pytest.approx(slope, rel=1e-14, abs=1e-15)


@pytest.mark.parametrize(
    ("f", "x", "bend"),
    [
        (lambda x: special.betainc(2.0, 3.0, x), 0.0, 12.0),
        (lambda x: special.betainc(3.0, 3.0, x), 0.0, 0.0),
        (lambda x: special.betaincc(2.0, 2.0, x), 1.0, 6.0),
        (lambda x: special.bdtr(0, 2, x), 1.0, 2.0),
        (lambda x: special.fdtr(4.0, 2.0, x), 0.0, 8.0),
        (lambda y: special.powm1(0.0, y), 2.0, 0.0),
    ],
)
def test_second_derivatives_at_the_ends_of_domains(f, x, bend):
    assert in_both_modes(gx.grad(f), x) == pytest.approx(bend, rel=1e-14)


@pytest.mark.parametrize("name", ["jv", "kv", "hyp1f1"])
def test_derivatives_by_orders_are_refused(name):
    rest = [*GIVEN[name][1:], 0.4]

    with pytest.raises(TrackedError, match=rf"{name}: there is no derivative with respect to"):
        gx.grad(lambda first: getattr(special, name)(first, *rest))(np.asarray(1.5))


def test_orders_may_be_arrays_of_whole_numbers():
    orders, x = np.asarray([0, 1, 2, 3]), np.asarray([0.5, 1.0, 1.5, 2.0])

    for name in ["jv", "expn"]:
        function, theirs = getattr(special, name), getattr(scipy.special, name)
        np.testing.assert_allclose(function(orders, x), theirs(orders, x), 1e-14)
        gx.testing.check_derivatives(lambda x, f=function: f(orders, x), x)


def test_dimension_of_the_multivariate_gamma_function_is_a_count():
    x = np.asarray([2.5, 3.0])

    np.testing.assert_allclose(special.multigammaln(x, 3), scipy.special.multigammaln(x, 3), 1e-14)
    with pytest.raises(ShapeError, match="multigammaln: d is at least 1, got 0"):
        special.multigammaln(x, 0)
    with pytest.raises(DTypeError, match=r"multigammaln: d is a whole number, got 1\.5"):
        special.multigammaln(x, 1.5)


@pytest.mark.filterwarnings("ignore:floating point number truncated")
@pytest.mark.parametrize("name", ["kn", "yn", "expn"])
@pytest.mark.parametrize("order", [2, 2.9, np.asarray([0.0, 1.7, 3.2, 2.0])])
def test_order_that_is_no_integer_is_cut_off(name, order):
    f = lambda x: getattr(special, name)(order, x)
    points = 1 + POINTS

    np.testing.assert_allclose(f(points), getattr(scipy.special, name)(order, points), rtol=1e-14)
    gx.testing.check_derivatives(f, points)


# Counts of successes or failures that are none, all there can be, or no counts at all.
EXTREME_COUNTS = np.asarray([0, 1, 3, -1, 2])
PROBABILITIES = np.asarray([[0.0], [0.3], [1.0]])


@pytest.mark.parametrize("name", ["bdtr", "bdtrc", "nbdtr", "nbdtrc"])
def test_probabilities_of_counts_are_scipys_at_the_ends(name):
    function, theirs = getattr(special, name), getattr(scipy.special, name)

    expected = theirs(EXTREME_COUNTS, 3, PROBABILITIES)

    np.testing.assert_allclose(function(EXTREME_COUNTS, 3, PROBABILITIES), expected, 1e-13)
    for place, count in enumerate(EXTREME_COUNTS):
        of_one = function(int(count), 3, PROBABILITIES[:, 0])
        np.testing.assert_allclose(of_one, expected[:, place], 1e-13)


@pytest.mark.parametrize("name", ["bdtr", "bdtrc"])
def test_no_more_successes_than_trials_is_certain_whatever_their_probability(name):
    slopes = gx.grad(lambda p: gx.sum(getattr(special, name)(3, 3, p)))

    np.testing.assert_array_equal(slopes(PROBABILITIES[:, 0]), [0.0, 0.0, 0.0])


@pytest.mark.parametrize("name", ["pdtr", "pdtrc"])
def test_no_number_of_events_is_negative(name):
    found = getattr(special, name)(EXTREME_COUNTS, PROBABILITIES)

    np.testing.assert_allclose(found, getattr(scipy.special, name)(EXTREME_COUNTS, PROBABILITIES))


COUNTED = ["bdtr", "bdtrc", "bdtri", "nbdtr", "nbdtrc", "fdtr", "fdtrc", "gdtr", "gdtrc"]
OF_TWO = ["chdtr", "chdtrc", "chdtri", "pdtr", "pdtrc", "pdtri", "boxcox", "boxcox1p", "inv_boxcox"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*COUNTED, *OF_TWO])
def test_values_outside_of_the_domain_are_scipys(name):
    numbers = np.arange(-4.0, 6.0)
    given = [numbers] * 2 if name in OF_TWO else [numbers, numbers, np.r_[numbers, 0.3]]
    grid = np.meshgrid(*given)

    actual = getattr(special, name)(*grid)

    np.testing.assert_allclose(actual, getattr(scipy.special, name)(*grid), 1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["fdtr", "fdtrc", "gdtr", "gdtrc", "inv_boxcox", "inv_boxcox1p"])
def test_whole_numbers_do_not_overflow(name):
    large = np.asarray([3 * 2**61, 2**60, 7])
    given = [large, large[::-1]] if name.startswith("inv") else [large, large[::-1], large]

    actual = getattr(special, name)(*given)

    np.testing.assert_allclose(actual, getattr(scipy.special, name)(*given), 1e-7)


@pytest.mark.parametrize("function", [special.fdtr, special.fdtrc])
def test_f_distribution_has_all_digits_where_its_degrees_of_freedom_are_far_apart(function):
    name = {special.fdtr: "fdtr", special.fdtrc: "fdtrc"}[function]
    x = np.asarray([0.5, 1.0, 1.5])
    for dfn, dfd in [(1e9, 4.5), (4.5, 1e9)]:
        np.testing.assert_allclose(
            function(dfn, dfd, x), getattr(scipy.special, name)(dfn, dfd, x), 1e-12
        )


def test_rare_successes_have_all_digits():
    np.testing.assert_allclose(special.bdtri(0, 3, np.asarray(1 - 3e-12)), 1e-12, 1e-3)
    np.testing.assert_allclose(special.bdtri(0, 10**9, np.asarray(0.5)), math.log(2) * 1e-9, 1e-8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["boxcox", "boxcox1p"])
def test_boxcox_at_its_ends_is_its_limit(name):
    function = getattr(special, name)
    bottom = 0.0 if name == "boxcox" else -1.0

    np.testing.assert_array_equal(function(np.asarray([bottom, np.inf]), 0.0), [-np.inf, np.inf])
    np.testing.assert_array_equal(function(np.asarray([np.inf]), -2.0), [0.5])


@pytest.mark.parametrize(
    ("function", "x", "found"),
    [
        (lambda x: special.betainc(2.0, 3.0, x), 0.0, [0, 12, -48]),
        (lambda x: special.betainc(2.0, 3.0, x), 1e-300, [12e-300, 12, -48]),
        (lambda x: special.betainc(3.0, 2.0, x), 1.0, [0, -12, -48]),
        (lambda x: special.betainc(1e-4, 2.0, x), 1.0, [0, -1.0001e-4, 1.9999999800000001e-4]),
        (lambda x: special.betainc(0.5, 0.5, x), 0.0, [np.inf, -np.inf, np.inf]),
    ],
)
@pytest.mark.parametrize("derive", [gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (x * 0 + 1,))[1]])
def test_beta_distribution_has_three_derivatives_at_its_ends(function, x, found, derive):
    first = derive(function)
    second = derive(first)

    actual = [float(each(np.asarray(x))) for each in (first, second, derive(second))]

    np.testing.assert_allclose(actual, found, 1e-12)


def test_gamma_distribution_of_a_large_shape_keeps_its_digits_near_its_middle():
    a, x = 1e4, np.asarray(9900.0)
    first = gx.grad(lambda x: special.gammainc(a, x))
    second = gx.grad(first)

    ratio = (a - 1) / x - 1

    np.testing.assert_allclose(second(x), first(x) * ratio, 1e-12)
    third = first(x) * (ratio**2 - (a - 1) / x**2)
    np.testing.assert_allclose(gx.grad(second)(x), third, 1e-10)


@pytest.mark.parametrize(
    "density",
    [
        lambda x, a: gx.grad(special.gammainc, argnums=1)(a, x),
        lambda x, a: gx.grad(special.betainc, argnums=2)(a, 1.0, x),
    ],
)
def test_slopes_of_densities_vary_with_a_shape_of_1(density):
    x, a = np.asarray(0.3), np.asarray(1.0)

    actual = gx.grad(gx.grad(density), argnums=1)(x, a)

    step = 1e-4
    slope = lambda a: gx.grad(density)(x, np.asarray(a))
    np.testing.assert_allclose(actual, (slope(1 + step) - slope(1 - step)) / (2 * step), 1e-6)
