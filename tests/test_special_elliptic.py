"""Elliptic, spherical, Kelvin's, Struve's and Lambert's functions, beside mpmath's numbers."""

import mpmath
import numpy as np
import pytest
import scipy.special

import gradx as gx
from gradx import special
from tests.test_special_waves import check_against


def principal_value(x, y, z, p):
    """Compute the integral of the third kind of a negative ``p``: of terms near its pole."""
    q = -mpmath.mpf(p)
    x, y, z = sorted([mpmath.mpf(x), mpmath.mpf(y), mpmath.mpf(z)])
    above = (z * (x + y + q) - x * y) / (z + q)
    width = x * y + above * q
    terms = (above - z) * mpmath.elliprj(x, y, z, above) - 3 * mpmath.elliprf(x, y, z)
    return (
        terms + 3 * mpmath.sqrt(x * y * z / width) * mpmath.elliprc(width, above * q)
    ) / (q + z)  # fmt: skip


# Name -> the function, the same of mpmath's numbers, and where: equal arguments among them.
CARLSON = {
    "rf": (
        lambda x: special.elliprf(x, 1.0, 2.0),
        lambda x: mpmath.elliprf(x, 1, 2),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rf of two that are equal": (
        lambda x: special.elliprf(1.0, x, 1.0),
        lambda x: mpmath.elliprf(1, x, 1),
        (1e-3, 1.0, 1e6),
    ),
    "rf beside 0": (
        lambda x: special.elliprf(0.0, x, 1.0),
        lambda x: mpmath.elliprf(0, x, 1),
        (1e-3, 1.0, 1e20),
    ),
    "rc by x": (
        lambda x: special.elliprc(x, 1.0),
        lambda x: mpmath.elliprc(x, 1),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rc by y": (
        lambda y: special.elliprc(1.5, y),
        lambda y: mpmath.elliprc(1.5, y),
        (1e-3, 0.5, 1.5, 2.0, 1e6),
    ),
    "rc of a negative y": (
        lambda y: special.elliprc(1.5, y),
        lambda y: mpmath.sqrt(1.5 / (1.5 - y)) * mpmath.elliprc(1.5 - y, -y),
        (-1e-3, -0.5, -3.0),
    ),
    "rd by x": (
        lambda x: special.elliprd(x, 1.0, 2.0),
        lambda x: mpmath.elliprd(x, 1, 2),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rd by z": (
        lambda z: special.elliprd(0.0, 1.0, z),
        lambda z: mpmath.elliprd(0, 1, z),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rg": (
        lambda x: special.elliprg(x, 1.0, 2.0),
        lambda x: mpmath.elliprg(x, 1, 2),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rg of nothing else": (
        lambda x: special.elliprg(0.0, 0.0, x),
        lambda x: mpmath.sqrt(x) / 2,
        (1e-3, 1.0, 1e6),
    ),
    "rj by x": (
        lambda x: special.elliprj(x, 1.0, 2.0, 0.5),
        lambda x: mpmath.elliprj(x, 1, 2, 0.5),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rj by p": (
        lambda p: special.elliprj(0.0, 1.0, 2.0, p),
        lambda p: mpmath.elliprj(0, 1, 2, p),
        (1e-3, 0.5, 1.0, 2.0, 1e6),
    ),
    "rj by a negative p": (
        lambda p: special.elliprj(1.0, 3.0, 2.0, p),
        lambda p: principal_value(1, 3, 2, p),
        (-1e-3, -0.5, -2.0, -1e3),
    ),
    "rj of a negative p": (
        lambda x: special.elliprj(x, 3.0, 2.0, -1.0),
        lambda x: principal_value(x, 3, 2, -1),
        (1e-3, 2.0, 2.5, 3.0, 1e3),
    ),
    "rj of a negative p beside 0": (
        lambda x: special.elliprj(0.0, x, 1.0, -1.0),
        lambda x: principal_value(0, x, 1, -1),
        (1e-3, 1.0, 3.0),
    ),
}
QUARTER = np.pi / 2
ELLIPTIC = {
    "first kind": (
        lambda phi: special.ellipkinc(phi, 0.5),
        lambda phi: mpmath.ellipf(phi, 0.5),
        (-4.0, 0.0, 1e-3, 0.5, QUARTER, 5.0),
    ),
    "first kind by m": (
        lambda m: special.ellipkinc(1.0, m),
        lambda m: mpmath.ellipf(1, m),
        (-100.0, -1.0, 0.0, 1e-9, 0.5, 1.0),
    ),
    "first kind by m, farther round": (
        lambda m: special.ellipkinc(-4.0, m),
        lambda m: mpmath.ellipf(-4, m),
        (-100.0, 0.0, 0.5, 0.999),
    ),
    "second kind": (
        lambda phi: special.ellipeinc(phi, 0.5),
        lambda phi: mpmath.ellipe(phi, 0.5),
        (-4.0, 0.0, 1e-3, 0.5, QUARTER, 5.0),
    ),
    "second kind by m": (
        lambda m: special.ellipeinc(1.0, m),
        lambda m: mpmath.ellipe(1, m),
        (-100.0, -1.0, 0.0, 1e-9, 0.5, 1.0),
    ),
    "second kind by m, farther round": (
        lambda m: special.ellipeinc(-4.0, m),
        lambda m: mpmath.ellipe(-4, m),
        (-100.0, 0.0, 0.5, 0.999),
    ),
    **{
        f"{kind} by u": (
            lambda u, i=i: special.ellipj(u, 0.6)[i],
            lambda u, kind=kind: mpmath.ellipfun(kind, u, m=mpmath.mpf(0.6)),
            (-5.0, 1e-3, 0.5, 3.0),
        )
        for i, kind in enumerate(["sn", "cn", "dn"])
    },
    **{
        f"{kind} by m": (
            lambda m, i=i: special.ellipj(2.5, m)[i],
            lambda m, kind=kind: mpmath.ellipfun(kind, 2.5, m=m),
            (1e-3, 0.5, 0.9, 0.999),
        )
        for i, kind in enumerate(["sn", "cn", "dn"])
    },
    "agm": (
        lambda a: special.agm(a, 2.0),
        lambda a: mpmath.agm(a, 2),
        (1e-3, 0.5, 2.0, 1e6),
    ),
    "agm of negative numbers": (
        lambda a: special.agm(a, -2.0),
        lambda a: -mpmath.agm(-a, 2),
        (-0.5, -2.0, -7.0),
    ),
}


def _spherical(kind, bessel):
    return {
        f"{kind} of order {n}": (
            lambda x, n=n: getattr(special, f"spherical_{kind}")(n, x),
            lambda x, n=n: mpmath.sqrt(mpmath.pi / 2 / x) * bessel(n + 0.5, x),
            (1e-3, 0.5, 3.0, 50.0),
        )
        for n in (0, 1, 2, 5)
    }


def _struve(function, exact):
    return {
        f"{function.__name__} of order {v}": (
            lambda x, v=v: function(v, x),
            lambda x, v=v: exact(v, x),
            (1e-3, 0.5, 1.9, 2.1, 3.0, 15.0, 60.0, 300.0),
        )
        for v in (0, 1, 2.5, 5, -0.5, -1)
    }


NEAR = (1e-3, 0.5, 0.99, 1.01, 20.0)
OTHERS = {
    **_spherical("jn", mpmath.besselj),
    **_spherical("yn", mpmath.bessely),
    **_spherical("in", mpmath.besseli),
    **_spherical("kn", mpmath.besselk),
    **_struve(special.struve, mpmath.struveh),
    **_struve(special.modstruve, mpmath.struvel),
    "ber": (special.ber, lambda x: mpmath.ber(0, x), (-3.0, *NEAR)),
    "bei": (special.bei, lambda x: mpmath.bei(0, x), (-3.0, *NEAR)),
    "ker": (special.ker, lambda x: mpmath.ker(0, x), NEAR),
    "kei": (special.kei, lambda x: mpmath.kei(0, x), NEAR),
    "hyperu": (
        lambda x: special.hyperu(1.5, 2.5, x),
        lambda x: mpmath.hyperu(1.5, 2.5, x),
        (1e-3, 0.5, 3.0, 50.0),
    ),
    "lambertw": (
        lambda x: gx.real(special.lambertw(x)),
        lambda x: mpmath.lambertw(x).real,
        (-0.3, 1e-3, 1.0, 1e6, 1e200),
    ),
    "lambertw of the other branch": (
        lambda x: gx.real(special.lambertw(x, -1)),
        lambda x: mpmath.lambertw(x, -1).real,
        (-0.3, -0.1),
    ),
    "lambertw off the real branches": (
        lambda x: gx.imag(special.lambertw(x, 1)),
        lambda x: mpmath.lambertw(x, 1).imag,
        (-1.0, 0.5, 3.0),
    ),
    "diric of even order": (
        lambda x: special.diric(x, 4),
        lambda x: mpmath.sin(2 * x) / (4 * mpmath.sin(x / 2)),
        (-7.0, 1e-3, 0.5, 6.2, 12.0),
    ),
    "diric of odd order": (
        lambda x: special.diric(x, 5),
        lambda x: mpmath.sin(2.5 * x) / (5 * mpmath.sin(x / 2)),
        (-7.0, 1e-3, 0.5, 6.2, 12.0),
    ),
}
EXACT = CARLSON | ELLIPTIC | OTHERS


@pytest.mark.parametrize("name", EXACT)
def test_function_and_three_derivatives_are_exact_in_both_modes(name):
    check_against(*EXACT[name])


def derivatives(f, x):
    """Return the value and three derivatives at a number, in both modes."""
    forward = lambda g: lambda x: gx.jvp(g, (x,), (gx.ones_like(x),))[1]
    found = []
    for along in (gx.grad, forward):
        orders = [f, along(f), along(along(f)), along(along(along(f)))]
        found.append([float(order(np.asarray(x))) for order in orders])
    np.testing.assert_allclose(found[1], found[0], 1e-13, 1e-15)
    return found[0]


HARD = {
    "jn of order 0": (lambda z: special.spherical_jn(0, z), 0.0, [1, 0, -1 / 3, 0]),
    "jn of order 1": (lambda z: special.spherical_jn(1, z), 0.0, [0, 1 / 3, 0, -1 / 5]),
    "in of order 1": (lambda z: special.spherical_in(1, z), 0.0, [0, 1 / 3, 0, 1 / 5]),
    "yn": (lambda z: special.spherical_yn(1, z), 0.0, [-np.inf, np.inf, -np.inf, np.inf]),
    "kn": (lambda z: special.spherical_kn(1, z), 0.0, [np.inf, -np.inf, np.inf, -np.inf]),
    "jn far out": (lambda z: special.spherical_jn(0, z), np.inf, [0, 0, 0, 0]),
    "jn of no order": (lambda z: special.spherical_jn(-1, z), 0.5, [np.nan] * 4),
    "slope of jn": (lambda z: special.spherical_jn(1, z, derivative=True), 0.0,
                    [1 / 3, 0, -1 / 5, 0]),
    "ber": (special.ber, 0.0, [1, 0, 0, 0]),
    "bei": (special.bei, 0.0, [0, 0, 1 / 2, 0]),
    "struve": (lambda x: special.struve(0, x), 0.0, [0, 2 / np.pi, 0, -4 / (3 * np.pi)]),
    "struve of order 1": (lambda x: special.struve(1, x), 0.0, [0, 0, 4 / (3 * np.pi), 0]),
    "struve of order -1": (
        lambda x: special.struve(-1, x), 0.0, [2 / np.pi, 0, -4 / (3 * np.pi), 0]),
    "modstruve of order -1": (
        lambda x: special.modstruve(-1, x), 0.0, [2 / np.pi, 0, 4 / (3 * np.pi), 0]),
    "lambertw": (lambda x: gx.real(special.lambertw(x)), 0.0, [0, 1, -2, 9]),
    "diric": (lambda x: special.diric(x, 4), 2 * np.pi, [-1, 0, 5 / 4, 0]),
    "agm of one number": (lambda a: special.agm(a, a), 2.0, [2, 1, 0, 0]),
    "agm beside 0": (lambda a: special.agm(a, 0.0), 2.0, [0, 0, 0, 0]),
    "sn": (lambda u: special.ellipj(u, 0.0)[0], 0.0, [0, 1, 0, -1]),
    "amplitude": (lambda u: special.ellipj(u, 1.0)[3], 0.0, [0, 1, 0, -1]),
    "first kind, of 0": (lambda m: special.ellipkinc(0.0, m), 0.5, [0, 0, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
@pytest.mark.filterwarnings("ignore:divide by zero|invalid value|overflow")
def test_derivatives_at_hard_points(name):
    function, x, expected = HARD[name]

    np.testing.assert_allclose(derivatives(function, x), expected, 1e-13, 1e-14)


X = np.asarray([0.3, 0.9])
OF_SCIPY = {
    "lambertw": (X,),
    "lambertw of the other branch": (lambda z: scipy.special.lambertw(z, -1), -0.3 * X),
    "kelvin": (X,),
    "ellipj": (2 * X, X),
    "elliprj": (X, X + 1, 2 * X, 3 * X),
    "elliprc": (X, X - 0.5),
    "ellipkinc": (X, X),
    "softplus": (X,),
    "agm": (X, X + 1),
}


@pytest.mark.parametrize("name", OF_SCIPY)
def test_scipys_function_of_a_tensor_is_that_of_an_array_and_has_our_derivative(name):
    first, *rest = OF_SCIPY[name]
    theirs, arrays = (first, rest) if callable(first) else (getattr(scipy.special, name), [first])
    arrays = arrays if callable(first) else [first, *rest]

    found = gx.vjp(theirs, *arrays)[0]

    np.testing.assert_allclose(found, theirs(*arrays), 1e-13)


def test_orders_that_are_no_whole_numbers_are_cut_off_as_in_scipy():
    for order in (2.7, np.asarray([2.7, 0.2]), np.asarray([2, 0])):
        for derivative in (False, True):
            found = special.spherical_jn(order, X, derivative)
            np.testing.assert_allclose(found, scipy.special.spherical_jn(order, X, derivative))


def test_branches_of_lamberts_function_are_whole_numbers():
    for k in (0.5, np.asarray([0.0, 1.0]), "0"):
        with pytest.raises(gx.errors.DTypeError, match="lambertw"):
            special.lambertw(X, k)


def test_lamberts_function_keeps_the_precision_that_it_is_given():
    single = special.lambertw(X.astype(np.float32), np.asarray([0, -1]))

    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, scipy.special.lambertw(X, [0, -1]), 1e-6)


def test_mean_and_integrals_are_infinitely_steep_where_they_are():
    with np.errstate(divide="ignore", invalid="ignore"):
        assert gx.grad(lambda a: special.agm(a, 2.0))(np.asarray(0.0)) == np.inf
        assert gx.grad(lambda x: special.elliprf(x, 1.0, 2.0))(np.asarray(0.0)) == -np.inf
        assert gx.grad(lambda m: special.ellipkinc(QUARTER, m))(np.asarray(1.0)) == np.inf
