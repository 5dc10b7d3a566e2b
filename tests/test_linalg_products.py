"""The matrix exponential, chains of products, and what they cannot take."""

import math

import mpmath
import numpy as np
import pytest

import gradx as gx
from gradx import linalg
from gradx.errors import ShapeError
from tests.test_linalg import RNG, matrix
from tests.test_linalg import same_numbers_in_any_order as same_numbers_in_any_order

# The exponential.


@pytest.mark.parametrize("size", [0.0, 1e-8, 0.1, 1.0, 10.0, 100.0])
def test_exponential_and_its_derivative_are_those_of_scipy(size):
    scipy_linalg = pytest.importorskip("scipy.linalg")
    x, along = size * RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4))
    x = x - x.T  # so that large ones stay within range

    value, moved = gx.jvp(linalg.expm, (x,), (along,))

    np.testing.assert_allclose(value, scipy_linalg.expm(x), atol=1e-13 * (1 + size))
    expected = scipy_linalg.expm_frechet(x, along, compute_expm=False)
    np.testing.assert_allclose(moved, expected, atol=1e-12 * (1 + size))


def test_exponentials_of_a_stack_are_as_exact_as_alone():
    stack = np.stack([1e-3 * matrix(3, 3), 30 * matrix(3, 3), np.zeros((3, 3))])

    together = linalg.expm(stack)

    for one, alone in zip(together, map(linalg.expm, stack), strict=True):
        np.testing.assert_allclose(one, alone, rtol=1e-13)
    np.testing.assert_array_equal(together[2], np.eye(3))


def test_large_cotangents_cost_the_exponential_no_digits():
    x, g = matrix(3, 3), matrix(3, 3)
    _, pullback = gx.vjp(linalg.expm, x)

    np.testing.assert_allclose(pullback(2.0**40 * g)[0] / 2.0**40, pullback(g)[0], rtol=1e-14)


UPPER = np.asarray([[-0.3, 1e6, 2e3], [0.0, -1.0, -4e4], [0.0, 0.0, -2.0]])
WITH_SMALL_POWERS = {
    "upper triangular": UPPER,
    "lower triangular": UPPER.T,
    "without eigenvalues but 0": np.diag([1e3, 1e8], 1),
    "far from the diagonal": np.diag([1e3] * 5, 1) - np.diag(np.arange(6.0)),
    "below the diagonal": np.diag([1e3] * 5, -1) - np.diag(np.arange(6.0)),
}


def exact_exponential(x):
    with mpmath.workdps(120):
        found = mpmath.expm(mpmath.matrix(x.tolist()), method="taylor").tolist()
    return np.asarray(found, dtype=np.float64)


@pytest.mark.parametrize("x", WITH_SMALL_POWERS.values(), ids=WITH_SMALL_POWERS)
def test_small_elements_of_an_exponential_are_exact_beside_large_ones(x):
    np.testing.assert_allclose(linalg.expm(x), exact_exponential(x), rtol=1e-13)
    np.testing.assert_allclose(linalg.expm(np.stack([x, 0 * x]))[0], linalg.expm(x), rtol=1e-14)


@pytest.mark.parametrize("x", WITH_SMALL_POWERS.values(), ids=WITH_SMALL_POWERS)
def test_derivative_of_an_exponential_is_exact_beside_large_elements(x):
    along = np.ones(x.shape)
    block = np.block([[x, along], [0 * x, x]])
    expected = exact_exponential(block)[: len(x), len(x) :]

    found = gx.jvp(linalg.expm, (x,), (along,))[1]

    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.max(np.abs(expected)))


def test_exponential_of_what_is_not_finite_is_nan():
    x = matrix(3, 2, 2)
    x[0, 0, 0], x[1, 0, 1] = math.nan, math.inf

    with np.errstate(invalid="ignore"):
        out = linalg.expm(x)

    assert np.isnan(out[:2]).all(axis=(1, 2)).all()
    np.testing.assert_allclose(out[2], linalg.expm(x[2]))


# Products.


@pytest.mark.parametrize(
    "shapes",
    [[(2, 3), (3, 4)], [(9, 1), (1, 9), (9, 2)], [(3,), (3, 5), (5, 2), (2,)], [(2, 3), (3,)]],
)
def test_chained_products_are_those_of_numpy(shapes):
    arrays = [RNG.normal(size=shape) for shape in shapes]

    np.testing.assert_allclose(linalg.multi_dot(arrays), np.linalg.multi_dot(arrays))


def test_chain_is_multiplied_in_the_cheapest_order(monkeypatch):
    shapes = []

    def counted(x, y):
        shapes.append((x.shape, y.shape))
        return np.matmul(x, y)

    implementations = gx.core.op.OPS["matmul"].implementations
    monkeypatch.setitem(implementations, np.ndarray, counted)
    linalg.multi_dot([np.ones((50, 2)), np.ones((2, 50)), np.ones((50, 1))])

    assert shapes == [((2, 50), (50, 1)), ((50, 2), (2, 1))]


def test_what_a_product_cannot_take_is_named():
    with pytest.raises(ShapeError, match=r"3 elements along axis -1, got shapes \(2,\) and \(3,\)"):
        linalg.cross(np.ones(2), np.ones(3))
    with pytest.raises(ShapeError, match="a negative axis"):
        linalg.cross(np.ones((2, 3)), np.ones(3), axis=1)
    with pytest.raises(ShapeError, match=r"two or more matrices, got shapes \[\(2, 2\)\]"):
        linalg.multi_dot([np.eye(2)])


def test_mapped_results_keep_their_names():
    stack = matrix(2, 3, 3)

    mapped = gx.vmap(linalg.svd)(stack)

    np.testing.assert_allclose(mapped.S, np.linalg.svd(stack).S)
    np.testing.assert_allclose(gx.vmap(linalg.det)(stack), np.linalg.det(stack))
