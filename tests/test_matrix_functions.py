"""Square roots, logarithms and powers of matrices: against SciPy, mpmath and calculus."""

import math

import mpmath
import numpy as np
import pytest
import scipy.linalg

import gradx as gx
from gradx import linalg
from gradx.errors import ShapeError
from gradx.testing import check_derivatives

RNG = np.random.default_rng(0)
NAMES = ["sqrtm", "logm"]

JORDAN = np.asarray([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]])
MATRICES = {
    "general": RNG.normal(size=(4, 4)) + 4 * np.eye(4),
    "complex": RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3)),
    "symmetric and near singular": scipy.linalg.hilbert(5),
    "without eigenvectors": JORDAN,
    "of equal eigenvalues": 3 * np.eye(3),
    "a rotation": np.asarray([[0.0, -1.0], [1.0, 0.0]]),
    "tiny": 1e-10 * (RNG.normal(size=(3, 3)) + 3 * np.eye(3)),
    "huge above the diagonal": np.asarray([[1.0, 1e8], [0.0, 4.0]]),
}
every_matrix = pytest.mark.parametrize("x", MATRICES.values(), ids=MATRICES)


def exact(name, x, along):
    """Return a function of a matrix and its derivative, by 60 digits."""
    with mpmath.workdps(60):
        f, x, step = getattr(mpmath, name), mpmath.matrix(x.tolist()), mpmath.mpf(10) ** -25
        moved = step * mpmath.matrix(along.tolist())
        slope = (f(x + moved) - f(x - moved)) / (2 * step)
        return [np.asarray(part.tolist(), dtype=complex) for part in (f(x), slope)]


def assert_near(found, expected, digits):
    error = np.max(np.abs(found - expected))
    assert error <= 10.0**-digits * np.max(np.abs(expected))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", [*MATRICES][:3])
def test_value_and_derivative_are_exact_but_for_the_condition(name, case):
    x = MATRICES[case]
    along = RNG.normal(size=x.shape)

    value, moved = gx.jvp(getattr(linalg, name), (x,), (along.astype(x.dtype),))

    expected, slope = exact(name, x, along)
    digits = 11 if case == "symmetric and near singular" else 14
    assert_near(value, expected, digits)
    assert_near(moved, slope, digits)


@every_matrix
def test_square_of_a_root_and_exponential_of_a_logarithm_are_the_matrix(x):
    root = linalg.sqrtm(x)
    assert_near(root @ root, x, 14)
    assert_near(linalg.expm(linalg.logm(x)), x, 12)


def test_derivatives_where_eigenvectors_do_not_span_are_those_of_calculus():
    x, along = JORDAN, RNG.normal(size=(3, 3))

    root, moved = gx.jvp(linalg.sqrtm, (x,), (along,))
    _, back = gx.jvp(lambda x: linalg.expm(linalg.logm(x)), (x,), (along,))

    np.testing.assert_allclose(root @ moved + moved @ root, along, rtol=1e-13)
    np.testing.assert_allclose(back, along, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("x", [JORDAN, 3 * np.eye(3)], ids=["without eigenvectors", "equal"])
def test_derivatives_have_every_order_where_eigenvalues_are_equal(name, x):
    check_derivatives(getattr(linalg, name), x, order=2)


@pytest.mark.parametrize("power", [0.5, -1.5, 0.3, 2, -1])
def test_powers_are_those_of_scipy(power):
    x = MATRICES["general"]

    found = linalg.fractional_matrix_power(x, power)

    np.testing.assert_allclose(found, scipy.linalg.fractional_matrix_power(x, power), rtol=1e-12)


def test_power_is_differentiated_by_the_exponent_too():
    x = MATRICES["general"]
    power = lambda t: linalg.fractional_matrix_power(x, t)

    moved = gx.jvp(power, (np.asarray(0.3),), (np.asarray(1.0),))[1]

    np.testing.assert_allclose(moved, linalg.logm(x) @ power(0.3), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_real_matrix_without_a_real_result_is_nan_and_spoils_no_other(name):
    f, good = getattr(linalg, name), MATRICES["general"][:3, :3]
    negative = good @ np.diag([-1.0, 2.0, 3.0]) @ np.linalg.inv(good)
    bad = [negative, np.full((3, 3), math.nan), np.diag([math.inf, 1.0, 1.0])]

    out = f(np.stack([good, *bad]))
    gradient = gx.grad(lambda x: gx.sum(f(x)))(np.stack([good, *bad]))

    for found in (out, gradient):
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1:]).all()
    assert f(np.diag([-1.0, 2.0])).tolist()[0][1] == 0.0
    in_complex_numbers = f(np.diag([-1.0, 2.0]) + 0j)
    np.testing.assert_allclose(in_complex_numbers[0, 0], {"sqrtm": 1j, "logm": 1j * math.pi}[name])


def test_root_of_a_singular_matrix_has_no_derivative_but_along_its_range():
    of_sum = gx.grad(lambda x: gx.sum(linalg.sqrtm(x)))
    ones = np.ones((3, 3))

    np.testing.assert_allclose(linalg.sqrtm(ones), ones / math.sqrt(3.0), rtol=1e-8)
    np.testing.assert_allclose(of_sum(ones), ones / (2 * math.sqrt(3.0)), rtol=1e-8)
    assert not linalg.sqrtm(np.zeros((2, 2))).any()
    for singular in (np.zeros((2, 2)), np.diag([0.0, 1.0, 2.0]), np.eye(2, k=1)):
        assert np.isnan(of_sum(singular)).all()
        assert np.isnan(linalg.logm(singular)).all()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_compiled_so_nothing_is_drawn_from_numpys_generator(name):
    f = lambda x: gx.sum(getattr(linalg, name)(x) ** 2)
    x = MATRICES["general"]

    found = gx.compile(gx.grad(f))(x)

    np.testing.assert_allclose(found, gx.grad(f)(x), rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("x", [np.ones(3), np.ones((2, 3)), np.asarray(2.0)])
def test_what_is_no_square_matrix_is_refused(name, x):
    with pytest.raises(ShapeError, match=f"{name}: expected a square matrix, or a stack of them"):
        getattr(linalg, name)(x)
