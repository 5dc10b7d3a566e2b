"""Integrals of waves, spectral lines and orthogonal polynomials, beside numbers of 50 digits."""

import mpmath
import numpy as np
import pytest
import scipy.special

import gradx as gx
from gradx import special

one = np.asarray(1.0)


def profile(x, sigma, gamma):
    """Compute Voigt's profile with mpmath's numbers."""
    z = mpmath.mpc(x, gamma) / (sigma * mpmath.sqrt(2))
    return (mpmath.exp(-z * z) * mpmath.erfc(-1j * z)).real / (sigma * mpmath.sqrt(2 * mpmath.pi))


# Name -> the function, the same of mpmath's numbers, and where.
EXACT = {
    "sine integral": (lambda x: special.sici(x)[0], mpmath.si, (-30.0, 1e-3, 0.5, 50.0)),
    "cosine integral": (lambda x: special.sici(x)[1], mpmath.ci, (1e-3, 0.5, 50.0)),
    "hyperbolic sine": (lambda x: special.shichi(x)[0], mpmath.shi, (-30.0, 1e-3, 0.5, 600.0)),
    "hyperbolic cosine": (lambda x: special.shichi(x)[1], mpmath.chi, (1e-3, 0.5, 600.0)),
    "fresnel sine": (lambda x: special.fresnel(x)[0], mpmath.fresnels, (-2.9, 1e-3, 0.6, 20.1)),
    "fresnel cosine": (lambda x: special.fresnel(x)[1], mpmath.fresnelc, (-2.9, 1e-3, 0.6, 20.1)),
    "airy": (lambda x: special.airy(x)[0], mpmath.airyai, (-30.0, -2.0, 1e-3, 10.0, 50.0)),
    "second airy": (lambda x: special.airy(x)[2], mpmath.airybi, (-30.0, -2.0, 1e-3, 10.0, 50.0)),
    "wrightomega": (
        special.wrightomega,
        lambda x: mpmath.lambertw(mpmath.exp(x)).real,
        (-700.0, -1.0, 0.0, 30.0, 700.0),
    ),
    # Near the place where the series is used, and far out, where the formula cancels.
    "voigt, narrow": (
        lambda x: special.voigt_profile(x, 1.0, 1e-3),
        lambda x: profile(x, 1, mpmath.mpf(1e-3)),
        (-1e5, -1.2, 9.8, 9.95, 1e6),
    ),
    "voigt, a bell": (
        lambda x: special.voigt_profile(x, 1.0, 0.0),
        lambda x: profile(x, 1, 0),
        (-12.0, -1.2, 9.8, 9.95, 20.0),
    ),
    "voigt, wide": (
        lambda x: special.voigt_profile(x, 1.0, 30.0),
        lambda x: profile(x, 1, 30),
        (-1e5, -1.2, 9.8, 1e6),
    ),
    "voigt by gamma": (
        lambda g: special.voigt_profile(2.0, 1.0, g),
        lambda g: profile(2, 1, g),
        (1e-3, 0.5, 9.0, 9.9, 100.0),
    ),
    "voigt by sigma": (
        lambda s: special.voigt_profile(2.0, s, 0.5),
        lambda s: profile(2, s, mpmath.mpf(0.5)),
        (0.1, 0.2, 0.5, 9.0, 1e4),
    ),
    "legendre": (
        lambda x: special.eval_legendre(5, x),
        lambda x: mpmath.legendre(5, x),
        (-1.0, -0.4, 0.3, 1.0),
    ),
    "legendre, no whole degree": (
        lambda x: special.eval_legendre(0.5, x),
        lambda x: mpmath.legendre(0.5, x),
        (-0.4, 0.3, 0.99),
    ),
    "chebyt": (
        lambda x: special.eval_chebyt(6, x),
        lambda x: mpmath.chebyt(6, x),
        (-1.0, 0.3, 2.0),
    ),
    "chebyu": (lambda x: special.eval_chebyu(6, x), lambda x: mpmath.chebyu(6, x), (-1.0, 0.3)),
    "hermite": (lambda x: special.eval_hermite(6, x), lambda x: mpmath.hermite(6, x), (0.3, 20.0)),
    "laguerre": (
        lambda x: special.eval_laguerre(6, x),
        lambda x: mpmath.laguerre(6, 0, x),
        (-1.0, 0.3, 20.0),
    ),
    "jacobi": (
        lambda x: special.eval_jacobi(6, 0.7, 0.2, x),
        lambda x: mpmath.jacobi(6, 0.7, 0.2, x),
        (-1.0, 0.3, 1.0),
    ),
}


def check_against(f, exact, points):
    """Compare a function and three derivatives of it, in both modes, with mpmath's."""
    along = lambda g: lambda x: gx.jvp(g, (x,), (one,))[1]
    orders = [[f], [gx.grad(f), along(f)], [gx.grad(gx.grad(f)), along(gx.grad(f))]]
    orders.append([gx.grad(along(gx.grad(f)))])

    for point in points:
        x = np.asarray(point)
        for order, ways in enumerate(orders):
            with mpmath.workdps(60):
                center = mpmath.mpf(point)
                h = max(abs(center), mpmath.mpf(0.01)) * mpmath.mpf(10) ** -12
                expected = float(mpmath.diff(exact, center, order, h=h).real)
            found = [float(way(x)) for way in ways]
            np.testing.assert_allclose(found, expected, 1e-9, 1e-300, err_msg=f"{point}, {order}")


@pytest.mark.parametrize("name", EXACT)
def test_function_and_three_derivatives_are_exact_in_both_modes(name):
    check_against(*EXACT[name])


@pytest.mark.parametrize("name", ["sici", "shichi", "fresnel", "airy"])
def test_scipys_function_of_a_tensor_returns_all_that_it_returns_of_an_array(name):
    x, function = np.asarray([0.3, 1.2]), getattr(scipy.special, name)

    found = gx.vjp(function, x)[0]

    np.testing.assert_allclose(found, function(x), rtol=1e-15)


def test_profile_without_a_normal_part_is_cauchys():
    x = np.asarray([-1.0, 0.0, 2.0])

    density = special.voigt_profile(x, 0.0, 0.5)

    np.testing.assert_allclose(density, 0.5 / np.pi / (x * x + 0.25))
    gx.testing.check_derivatives(
        lambda x, gamma: special.voigt_profile(x, 0.0, gamma), x, 0.5 * one
    )


def test_polynomials_of_several_degrees_have_the_derivatives_of_each():
    degrees, x = np.asarray([-1, 0, 1, 4]), np.asarray(0.3)

    slopes = gx.jacobian(lambda x: special.eval_hermite(degrees, x))(x)
    curvature = gx.jacobian(gx.jacobian(lambda x: special.eval_legendre(degrees, x)))(x)

    np.testing.assert_allclose(slopes, [np.nan, 0.0, 2.0, 64 * 0.3**3 - 96 * 0.3], rtol=1e-13)
    np.testing.assert_allclose(curvature, [np.nan, 0.0, 0.0, (420 * 0.09 - 60) / 8], rtol=1e-13)


def test_degree_that_is_not_whole_is_refused_where_scipy_has_no_polynomial():
    with pytest.raises(gx.errors.DTypeError, match=r"eval_hermite\(2.5"):
        special.eval_hermite(2.5, np.ones(2))
