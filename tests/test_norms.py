"""Norms of vectors: in range where squares and powers are not, and which there are."""

import numpy as np
import pytest

import gradx as gx
from gradx import linalg
from gradx.ops import statistical
from gradx.ops.shapes import sum as total
from tests.test_hard_points import derivative


@pytest.mark.parametrize("size", [1e-160, 1e-300, 1e160, 1e300])
def test_lengths_whose_squares_leave_the_range_are_right(size):
    x = size * np.asarray([3.0, -4.0])
    norm = gx.linalg.vector_norm

    np.testing.assert_allclose(norm(x), 5 * size, rtol=1e-15)
    np.testing.assert_allclose(derivative(norm, x), [0.6, -0.8], rtol=1e-15)
    np.testing.assert_allclose(derivative(statistical.std, x), [0.5, -0.5], rtol=1e-15)
    np.testing.assert_allclose(gx.compile(gx.grad(gx.std))(x), [0.5, -0.5], rtol=1e-15)
    np.testing.assert_allclose(gx.compile(gx.grad(norm))(x), [0.6, -0.8], rtol=1e-15)
    np.testing.assert_allclose(gx.hessian(norm)(x)[0, 0] * size, 0.128, rtol=1e-12)
    spread = gx.hessian(statistical.std)(size * np.asarray([3.0, -4.0, 1.0]))[0] * size
    np.testing.assert_allclose(spread, [0.03629093, 0.01451637, -0.0508073], rtol=1e-6)


@pytest.mark.parametrize("order", [3, 1.5, 10, 100, 0.5, -1, -2.5])
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-160, 1.0, 1e160, 1e200, 1e300])
def test_power_norms_are_right_where_powers_leave_the_range(order, size):
    x = np.asarray([[3.0, -4.0, 1.0]])
    norm = lambda x: total(gx.linalg.vector_norm(x, ord=order, axis=1))

    parts = np.abs(x) / np.sum(np.abs(x) ** order) ** (1 / order)
    np.testing.assert_allclose(norm(size * x), size * norm(x), rtol=1e-14)
    np.testing.assert_allclose(
        derivative(norm, size * x), np.sign(x) * parts ** (order - 1), rtol=1e-12
    )
    scaled, plain = (gx.hessian(norm)(factor * x) * factor for factor in (size, 1.0))
    # Terms of the order's size cancel where one element is nearly all of the norm.
    np.testing.assert_allclose(scaled, plain, rtol=1e-10, atol=1e-14 * abs(order))


@pytest.mark.parametrize("name", ["fro", "nuc"])
def test_a_vector_has_no_norm_of_matrices(name):
    for norm in (linalg.norm, linalg.vector_norm, gx.grad(lambda x, **_: np.linalg.norm(x, name))):
        with pytest.raises(ValueError, match=f"ord of vectors is a number, got '{name}'"):
            norm(np.ones(3), ord=name)
