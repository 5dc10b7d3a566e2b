"""Rows that are left out are dead, also through ops that mix the elements of a row."""

import numpy as np
import pytest

import gradx as gx
from gradx.ops.linalg_determinants import cofactors
from tests.test_dead_zeros import along_each

pytestmark = pytest.mark.filterwarnings("ignore:.*(divide|invalid|overflow).*:RuntimeWarning")

MASK = np.asarray([[False], [True]])
ROWS = np.asarray([[0.0, 0.0], [3.0, 4.0]])
W = np.asarray([[1.0, 2.0], [3.0, 4.0]])


def normalized(x):
    length = gx.linalg.vector_norm(x, axis=1, keepdims=True)
    return gx.where(length > 0, x / length, 0.0)


def standardized(x):
    deviation = gx.std(x, axis=1, keepdims=True)
    return gx.where(deviation > 0, (x - gx.mean(x, axis=1, keepdims=True)) / deviation, 0.0)


def determinants(x):
    return gx.where(MASK[:, 0], gx.linalg.det(gx.sqrt(x)[:, :, None] * np.eye(2)), 0.0)


# Functions of rows, the first of which is singular and left out.
BY_ROWS = {
    "normalized": normalized,
    "standardized": standardized,
    "matmul": lambda x: gx.where(MASK, gx.sqrt(x) @ W, 0.0),
    "einsum": lambda x: gx.where(MASK, gx.einsum("ij,jk->ik", gx.sqrt(x), W), 0.0),
    "log_softmax": lambda x: gx.where(MASK, gx.nn.log_softmax(gx.log(x), axis=1), 0.0),
    "softmax": lambda x: gx.where(MASK, gx.nn.softmax(gx.log(x), axis=1), 0.0),
    "logsumexp": lambda x: gx.where(MASK[:, 0], gx.logsumexp(gx.log(x), axis=1), 0.0),
    "prod": lambda x: gx.where(MASK[:, 0], gx.prod(gx.sqrt(x), axis=1), 0.0),
    "cumulative_prod": lambda x: gx.where(MASK, gx.cumulative_prod(gx.sqrt(x), axis=1), 0.0),
    "var": lambda x: gx.where(MASK[:, 0], gx.var(gx.sqrt(x), axis=1), 0.0),
    "std": lambda x: gx.where(MASK[:, 0], gx.std(gx.sqrt(x), axis=1), 0.0),
    "norm": lambda x: gx.where(MASK[:, 0], gx.linalg.vector_norm(gx.sqrt(x), axis=1), 0.0),
    "det": determinants,
    "fft": lambda x: gx.where(MASK, gx.real(gx.fft.fft(gx.sqrt(x))), 0.0),
    "convolution": lambda x: gx.where(
        MASK, gx.conv(gx.sqrt(x)[:, None], np.ones((1, 1, 1)))[:, 0], 0.0
    ),
}


@pytest.mark.parametrize("name", BY_ROWS)
def test_row_that_is_left_out_is_dead(name):
    f = BY_ROWS[name]
    loss = lambda x: gx.sum(gx.sin(f(x)))
    alone = lambda row: loss(gx.stack([np.ones(2), row]))

    gradient, hessian = gx.grad(loss)(ROWS), gx.hessian(loss)(ROWS)

    forward = along_each(lambda e: gx.jvp(loss, (ROWS,), (e,))[1], ROWS)
    twice = along_each(lambda e: gx.grad(lambda x: gx.jvp(loss, (x,), (e,))[1])(ROWS), ROWS)
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    np.testing.assert_allclose(gradient[1], gx.grad(alone)(ROWS[1]), rtol=1e-13)
    np.testing.assert_allclose(forward, gradient.ravel(), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(hessian[1, :, 1], gx.hessian(alone)(ROWS[1]), rtol=1e-12)
    assert not np.any(hessian[0])
    assert not np.any(hessian[:, :, 0])
    np.testing.assert_allclose(twice, hessian.reshape(4, 2, 2), rtol=1e-12, atol=1e-14)


def test_determinant_along_all_rows_varies_with_nothing_in_every_mode():
    x, along = np.asarray([[0.0, 1.0], [2.0, 4.0]]), W[None]
    f = lambda x: gx.sum(gx.sin(x + cofactors(gx.sqrt(x), along)))
    gradient = np.cos(x + cofactors(x, along))
    hessian = np.diag(-np.sin(x + cofactors(x, along)).ravel())

    reverse = gx.grad(f)

    for found in (reverse(x), gx.compile(reverse)(x)):
        np.testing.assert_allclose(found, gradient, rtol=1e-14)
    twice = along_each(lambda e: gx.grad(lambda x: gx.sum(reverse(x) * e))(x), x)
    mixed = along_each(lambda e: gx.grad(lambda x: gx.jvp(f, (x,), (e,))[1])(x), x)
    for found in (twice, mixed):
        np.testing.assert_allclose(found.reshape(4, 4), hessian, atol=1e-14)


@pytest.mark.parametrize("op", [gx.max, gx.min])
def test_reduced_extreme_has_no_nan_where_none_arrives(op):
    x = np.asarray([[np.nan, 1.0], [2.0, 2.0]])
    by_rows = lambda x: op(x, axis=1)

    found = gx.jacobian(by_rows)(x)

    expected = [[[np.nan, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.5, 0.5]]]
    np.testing.assert_equal(found, expected)
    for f in (by_rows, gx.checkpoint(by_rows)):
        np.testing.assert_equal(gx.grad(lambda x, f=f: f(x)[1])(x), expected[1])
    for i, j in np.ndindex(x.shape):
        along = np.zeros((2, 2))
        along[i, j] = 1.0
        np.testing.assert_equal(gx.jvp(by_rows, (x,), (along,))[1], np.asarray(expected)[:, i, j])
