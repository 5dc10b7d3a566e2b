"""Errors that other systems make without a word, each reproduced there; gradx makes none of them.

Which systems, and in which versions, is said beside each.
"""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import TapeError
from gradx.testing import check_derivatives


def by_forward(f):
    """Return the Jacobian of ``f`` in forward mode, the last axes those of its argument."""

    def jacobian(x):
        basis = np.eye(x.size).reshape(x.size, *x.shape)
        columns = [gx.jvp(f, (x,), (np.asarray(e, dtype=x.dtype),))[1] for e in basis]
        last = gx.stack(columns, axis=-1)
        return gx.reshape(last, (*last.shape[:-1], *x.shape))

    return jacobian


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_nested_forward_mode_of_det_is_exact_at_every_rank(rank):
    """PyTorch 2.13: ``jacfwd(jacfwd(det))`` is wrong at singular matrices."""
    x = np.diag([2.0, 3.0, 5.0][:rank] + [0.0] * (3 - rank))

    found = by_forward(by_forward(gx.linalg.det))(x)

    for i, j, k, m in np.ndindex(3, 3, 3, 3):
        rows, columns = {0, 1, 2} - {i, k}, {0, 1, 2} - {j, m}
        expected = 0.0
        if i != k and j != m:
            sign = (-1) ** (i + j + k + m) * (1 if (i < k) == (j < m) else -1)
            expected = sign * x[rows.pop(), columns.pop()]
        np.testing.assert_allclose(found[i, j, k, m], expected, atol=1e-14)


def test_nested_forward_mode_of_cumulative_prod_is_exact_at_a_zero():
    """PyTorch 2.13: wrong in nested forward mode."""
    x = np.asarray([2.0, 0.0, 3.0])

    found = by_forward(by_forward(gx.cumulative_prod))(x)

    expected = np.zeros((3, 3, 3))
    expected[1, 0, 1] = expected[1, 1, 0] = 1.0
    for i, j, k in [(0, 1, 2), (0, 2, 1), (1, 2, 0)]:
        expected[2, i, j] = expected[2, j, i] = x[k]
    np.testing.assert_array_equal(found, expected)


def test_forward_mode_of_an_inverse_from_a_cholesky_factor_is_right():
    """PyTorch 2.13: the first derivative of ``cholesky_inverse`` in forward mode is wrong."""

    def inverse(x):
        factor = gx.linalg.cholesky(x @ x.mT + 3.0 * np.eye(3))
        half = gx.linalg.solve(factor, np.eye(3))
        return half.mT @ half

    x = np.asarray([[1.0, 0.2, 0.3], [0.1, 2.0, 0.4], [0.5, 0.6, 1.5]])

    check_derivatives(inverse, x, order=2)
    np.testing.assert_allclose(inverse(x), np.linalg.inv(x @ x.T + 3.0 * np.eye(3)))


@pytest.mark.parametrize("spread", [gx.std, gx.var])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_correction_of_std_and_var_is_in_their_derivatives(spread, axis):
    """autograd 1.9: wrong with ``correction=1``."""
    x = np.asarray([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0]])

    check_derivatives(lambda x: spread(x, axis=axis, correction=1), x, order=3)


def test_gradient_of_prod_is_exact_at_a_zero():
    """autograd 1.9: NaN."""
    np.testing.assert_array_equal(gx.grad(gx.prod)(np.asarray([2.0, 0.0, 3.0])), [0.0, 6.0, 0.0])


@pytest.mark.parametrize(
    "f",
    [
        gx.mean,
        gx.var,
        gx.std,
        gx.max,
        lambda x: gx.sum(gx.where(x > 0, x * 2.0, 0.5)),
        lambda x: gx.sum(x * 2.0 / 3 + 1),
    ],
    ids=["mean", "var", "std", "max", "where", "numbers"],
)
def test_single_precision_does_not_drift_to_double(f):
    """autograd 1.9: the gradients of mean, var, max and where are float64."""
    x = np.asarray([1.0, -2.0, 3.0], dtype=np.float32)

    for derivative in (gx.grad(f), by_forward(f), gx.hessian(f)):
        assert derivative(x).dtype == np.float32


@pytest.mark.parametrize("norm", [gx.linalg.vector_norm, gx.linalg.matrix_norm])
def test_gradient_of_a_norm_is_zero_at_zero(norm):
    """MyGrad 2.5: NaN."""
    assert not np.any(gx.grad(norm)(np.zeros((2, 2))))


def test_array_that_was_changed_since_is_never_read_silently():
    """JAX, autograd, PyTorch's ``from_numpy``: gradient 100 where it was 1, without a word."""
    captured = np.asarray([1.0, 2.0])

    def f(x):
        y = captured * x
        captured[0] = 100.0
        return gx.sum(y)

    with gx.debug(), pytest.raises(TapeError, match="was changed in place since"):
        gx.grad(f)(np.ones(2))


def test_argument_that_was_changed_since_is_not_read():
    """The same of what the transform was given: it has a copy."""
    x = np.asarray([1.0, 2.0])
    _, pullback = gx.vjp(lambda x: gx.sum(x * x), x)
    x[0] = 100.0

    np.testing.assert_array_equal(pullback(1.0)[0], [2.0, 4.0])
