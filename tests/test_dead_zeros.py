"""What a selection left out stays 0 through every op, in every mode, to third order.

Each function is singular at one of its elements, which a selection leaves out
before, after or amid ops of all kinds. Its derivatives are then finite.
"""

import numpy as np
import pytest

import gradx as gx

pytestmark = pytest.mark.filterwarnings("ignore:.*(divide|invalid|overflow).*:RuntimeWarning")

X = np.asarray([0.0, 2.0])


def transposed(x, weight):
    return gx.conv_transpose(x[None, None], weight[None, None], stride=3)


# Each is a function, a point and the gradient there.
CASES = {
    "two-sided root": (
        lambda x: gx.sum(gx.sqrt(gx.where(x > 0, x, 0.0)) - gx.sqrt(gx.where(x < 0, -x, 0.0))),
        np.asarray([0.0, 4.0, -4.0]),
        [0, 0.25, 0.25],
    ),
    "elements multiplied by 0": (
        lambda x: gx.sum(np.asarray([0.0, 1.0]) * gx.sqrt(x)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "overflow not taken": (
        lambda x: gx.sum(gx.where(x < 100, gx.exp(x), 0.0)),
        np.asarray([1000.0, 0.0]),
        [0, 1],
    ),
    "where log": (lambda x: gx.sum(gx.where(x > 0, gx.log(x), 0.0)), X, [0, 0.5]),
    "log(x)[1:]": (lambda x: gx.sum(gx.log(x)[1:]), X, [0, 0.5]),
    "0*sqrt+x": (lambda x: gx.sum(0 * gx.sqrt(x) + x), X, [1, 1]),
    "array 0*sqrt+x": (lambda x: gx.sum(np.asarray([0.0, 0.0]) * gx.sqrt(x) + x), X, [1, 1]),
    "imaginary part of real": (lambda x: gx.sum(gx.imag(gx.sqrt(x)) + x), X, [1, 1]),
    "sqrt*0": (lambda x: gx.sum(gx.sqrt(x) * 0 + x), X, [1, 1]),
    "variance of one": (lambda x: gx.sum(gx.sqrt(gx.var(x[None], axis=0)) + x), X, [1, 1]),
    "deviation of one": (lambda x: gx.sum(gx.sqrt(gx.std(gx.sqrt(x), axis=())) + x), X, [1, 1]),
    "share of one": (
        lambda x: gx.sum(gx.sqrt(1 - gx.nn.softmax(x[None], axis=0)) + x),
        X,
        [1, 1],
    ),
    "logarithm of the share of one": (
        lambda x: gx.sum(gx.sqrt(gx.nn.log_softmax(x[None], axis=0)) + x),
        X,
        [1, 1],
    ),
    "maximum loser": (
        lambda x: gx.sum(gx.maximum(gx.sqrt(x), 1.0)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "max loser": (lambda x: gx.max(gx.sqrt(x)), np.asarray([0.0, 4.0]), [0, 0.25]),
    "max loser axis": (
        lambda x: gx.sum(gx.max(gx.reshape(gx.sqrt(x), (1, 2)), axis=1)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "min loser": (lambda x: gx.min(-gx.sqrt(x)), np.asarray([0.0, 4.0]), [0, -0.25]),
    "padded away": (
        lambda x: gx.sum(gx.sqrt(gx.pad(x, 1))[1:-1]),
        np.asarray([1.0, 4.0]),
        [0.5, 0.25],
    ),
    "padded, sqrt, all": (
        lambda x: gx.sum(gx.sqrt(gx.pad(x, 1))),
        np.asarray([1.0, 4.0]),
        [0.5, 0.25],
    ),
    "one-hot matmul": (
        lambda x: np.asarray([0.0, 1.0]) @ gx.sqrt(x),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "one-hot vecdot": (
        lambda x: gx.vecdot(np.asarray([0.0, 1.0]), gx.sqrt(x)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "one-hot einsum": (
        lambda x: gx.einsum("i,i->", np.asarray([0.0, 1.0]), gx.sqrt(x)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "one-hot tensordot": (
        lambda x: gx.tensordot(np.asarray([0.0, 1.0]), gx.sqrt(x), axes=1),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "take": (
        lambda x: gx.sum(gx.take(gx.sqrt(x), np.asarray([1, 1]))),
        np.asarray([0.0, 4.0]),
        [0, 0.5],
    ),
    "take_along": (
        lambda x: gx.sum(gx.take_along_axis(gx.sqrt(x), np.asarray([1]), axis=0)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "sort": (lambda x: gx.sort(gx.sqrt(x))[1], np.asarray([4.0, 0.0]), [0.25, 0]),
    "sort last": (
        lambda x: gx.sum(gx.sort(gx.sqrt(x), descending=True)[:1]),
        np.asarray([4.0, 0.0]),
        [0.25, 0],
    ),
    "clip": (lambda x: gx.sum(gx.clip(gx.sqrt(x), 0.5, 3.0)), np.asarray([0.0, 4.0]), [0, 0.25]),
    "clip upper": (
        lambda x: gx.sum(gx.clip(-gx.sqrt(x), -3.0, -0.5)),
        np.asarray([0.0, 4.0]),
        [0, -0.25],
    ),
    "cumsum": (lambda x: gx.cumulative_sum(gx.sqrt(x))[0], np.asarray([4.0, 0.0]), [0.25, 0]),
    "cumprod": (lambda x: gx.cumulative_prod(gx.sqrt(x))[0], np.asarray([4.0, 0.0]), [0.25, 0]),
    "cumprod int": (
        lambda x: gx.cumulative_prod(gx.stack([x[0], gx.where(x[1] > 0, gx.log(x[1]), 1.0)]))[1],
        np.asarray([4.0, 0.0]),
        [1, 0],
    ),
    "matmul after": (
        lambda x: gx.sum(np.ones((2, 2)) @ gx.where(x > 0, gx.log(x), 0.0)),
        X,
        [0, 1.0],
    ),
    "softmax after": (
        lambda x: gx.nn.softmax(gx.where(x > 0, gx.log(x), 0.0))[1],
        np.asarray([0.0, 1.0]),
        [0, 0.25],
    ),
    "norm after": (
        lambda x: gx.linalg.vector_norm(gx.where(x > 0, gx.sqrt(x), 0.0)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "norm of wh": (
        lambda x: gx.linalg.vector_norm(gx.where(x > 0, x, 0.0)),
        np.asarray([0.0, 4.0]),
        [0, 1],
    ),
    "std after": (
        lambda x: gx.std(gx.where(x > 0, gx.sqrt(x), 0.0)),
        np.asarray([0.0, 4.0]),
        [0, 0.125],
    ),
    "var after": (
        lambda x: gx.var(gx.where(x > 0, gx.sqrt(x), 0.0)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "lse after": (
        lambda x: gx.logsumexp(gx.where(x > 0, gx.log(x), 0.0)),
        np.asarray([0.0, 1.0]),
        [0, 0.5],
    ),
    "mean after": (lambda x: gx.mean(gx.where(x > 0, gx.log(x), 0.0)), X, [0, 0.25]),
    "prod after": (lambda x: gx.prod(gx.where(x > 0, gx.log(x), 3.0)), X, [0, 1.5]),
    "log of where": (lambda x: gx.sum(gx.log(gx.where(x > 0, x, 1.0))), X, [0, 0.5]),
    "sqrt of where 0": (
        lambda x: gx.sum(gx.sqrt(gx.where(x > 0, x, 0.0))),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "triu of sqrt": (
        lambda x: gx.sum(
            gx.triu(gx.sqrt(gx.reshape(gx.concat([x[1:], x[1:], x[:1], x[1:]]), (2, 2))))
        ),
        np.asarray([0.0, 4.0]),
        [0, 0.75],
    ),
    "setitem over": (
        lambda x: gx.sum(gx.setitem(gx.sqrt(x), 7.0, 0)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "arccos clip": (
        lambda x: gx.sum(gx.where(gx.abs(x) < 1, gx.acos(x), 0.0)),
        np.asarray([1.0, 0.0]),
        [0, -1],
    ),
    "div": (lambda x: gx.sum(gx.where(x != 0, 1 / x, 0.0)), np.asarray([0.0, 2.0]), [0, -0.25]),
    "sinc": (
        lambda x: gx.sum(gx.where(x == 0, 1.0, gx.sin(x) / x)),
        np.asarray([0.0, np.pi]),
        [0, -1 / np.pi],
    ),
    "xlogx": (
        lambda x: gx.sum(gx.where(x > 0, x * gx.log(x), 0.0)),
        np.asarray([0.0, 1.0]),
        [0, 1],
    ),
    "pow": (lambda x: gx.sum(gx.where(x > 0, x**0.5, 0.0)), np.asarray([0.0, 4.0]), [0, 0.25]),
    "pow xy": (lambda x: gx.sum(gx.where(x > 0, x**x, 0.0)), np.asarray([0.0, 1.0]), [0, 1]),
    "hypot": (
        lambda x: gx.sum(gx.where(x > 0, gx.hypot(x, 0 * x), x)),
        np.asarray([0.0, 1.0]),
        [1, 1],
    ),
    "relu log": (lambda x: gx.sum(gx.nn.relu(gx.log(x))), np.asarray([0.0, 2.0]), [0, 0.5]),
    "leaky": (
        lambda x: gx.sum(gx.where(gx.log(x) > 0, gx.log(x), 0.0)),
        np.asarray([0.0, 2.0]),
        [0, 0.5],
    ),
    "exp over div": (
        lambda x: gx.sum(gx.where(x < 100, x / gx.exp(x) * gx.exp(x), x)),
        np.asarray([1000.0, 2.0]),
        [1, 1],
    ),
    "logaddexp": (
        lambda x: gx.sum(gx.where(x > 0, gx.logaddexp(gx.log(x), 0.0), 0.0)),
        np.asarray([0.0, 1.0]),
        [0, 0.5],
    ),
    "max_pool": (
        lambda x: gx.sum(gx.max_pool(gx.reshape(gx.sqrt(x), (1, 1, 2)), 2)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "roll flip rep": (
        lambda x: gx.sum(gx.repeat(gx.flip(gx.roll(gx.sqrt(x), 1)), 2)[2:]),
        np.asarray([0.0, 4.0]),
        [0, 0.5],
    ),
    "unstack": (lambda x: gx.unstack(gx.sqrt(x))[1], np.asarray([0.0, 4.0]), [0, 0.25]),
    "split": (lambda x: gx.sum(gx.split(gx.sqrt(x), 2)[1]), np.asarray([0.0, 4.0]), [0, 0.25]),
    "boolean mask": (lambda x: gx.sum(gx.sqrt(x)[x > 0]), np.asarray([0.0, 4.0]), [0, 0.25]),
    "diagonal": (
        lambda x: gx.sum(
            gx.linalg.diagonal(gx.sqrt(gx.reshape(gx.stack([x[1], x[0], x[0], x[1]]), (2, 2))))
        ),
        np.asarray([0.0, 4.0]),
        [0, 0.5],
    ),
    "trace": (
        lambda x: gx.linalg.trace(gx.sqrt(gx.reshape(gx.stack([x[1], x[0], x[0], x[1]]), (2, 2)))),
        np.asarray([0.0, 4.0]),
        [0, 0.5],
    ),
    "nested where": (
        lambda x: gx.sum(gx.where(x > 0, gx.where(x > 1, gx.log(x - 1), gx.sqrt(x)), 0.0)),
        np.asarray([0.0, 1.0, 2.0]),
        [0, 0.5, 1],
    ),
    "cross mask mean": (
        lambda x: gx.sum(gx.where(x > 0, gx.log(x), 0.0)) / gx.sum(gx.where(x > 0, 1.0, 0.0)),
        X,
        [0, 0.5],
    ),
    "mask mult bool": (
        lambda x: gx.sum(gx.astype(x > 0, gx.float64) * gx.sqrt(x)),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "multiply vec const then matmul": (
        lambda x: gx.sum(np.eye(2) @ (np.asarray([0.0, 1.0]) * gx.sqrt(x))),
        np.asarray([0.0, 4.0]),
        [0, 0.25],
    ),
    "conv": (
        lambda x: gx.sum(
            gx.conv(gx.reshape(gx.where(x > 0, gx.log(x), 0.0), (1, 1, 2)), np.ones((1, 1, 1)))
        ),
        X,
        [0, 0.5],
    ),
    "meshgrid": (
        lambda x: gx.sum(gx.meshgrid(gx.sqrt(x), gx.sqrt(x))[0][:, 1:]),
        np.asarray([0.0, 4.0]),
        [0, 0.5],
    ),
    "cos sim": (
        lambda x: gx.where(gx.sum(x * x) > 0, gx.sum(x) / gx.sqrt(gx.sum(x * x)), 0.0),
        np.asarray([0.0, 0.0]),
        [0, 0],
    ),
    "safe normalize": (
        lambda x: gx.sum(gx.where(gx.sum(x * x) > 0, x / gx.linalg.vector_norm(x), 0.0)),
        np.asarray([0.0, 0.0]),
        [0, 0],
    ),
    "batchnorm": (
        lambda x: gx.sum(gx.where(gx.var(x) > 0, (x - gx.mean(x)) / gx.std(x), x)),
        np.asarray([1.0, 1.0]),
        [1, 1],
    ),
    "cdist": (
        lambda x: gx.sum(
            gx.where(
                np.eye(2) > 0,
                0.0,
                gx.sqrt(gx.where(np.eye(2) > 0, 1.0, (x[:, None] - x[None, :]) ** 2)),
            )
        ),
        np.asarray([1.0, 3.0]),
        [-2, 2],
    ),
    "cdist naive": (
        lambda x: gx.sum(gx.where(np.eye(2) > 0, 0.0, gx.sqrt((x[:, None] - x[None, :]) ** 2))),
        np.asarray([1.0, 3.0]),
        [-2, 2],
    ),
    "cdist triu": (
        lambda x: gx.sum(gx.triu(gx.sqrt((x[:, None] - x[None, :]) ** 2), k=1)),
        np.asarray([1.0, 3.0]),
        [-1, 1],
    ),
    "offdiag masked": (
        lambda x: gx.sum(gx.sqrt((x[:, None] - x[None, :]) ** 2)[~np.eye(2, dtype=bool)]),
        np.asarray([1.0, 3.0]),
        [-2, 2],
    ),
    "entropy of a padded array": (
        lambda x: gx.sum(gx.special.entr(gx.pad(x, 1))),
        np.asarray([1.0, 4.0]),
        [-1, -1 - np.log(4)],
    ),
    "holes of a transposed convolution": (
        lambda x: gx.sum(gx.special.entr(transposed(x, np.ones(1)))),
        np.asarray([1.0, 4.0]),
        [-1, -1 - np.log(4)],
    ),
    "holes beside a kernel": (
        lambda x: gx.sum(gx.special.xlogy(transposed(np.ones(2), x), transposed(np.ones(2), x))),
        np.asarray([1.0, 4.0]),
        [2, 2 + 2 * np.log(4)],
    ),
    "holes of an array with itself": (
        lambda x: gx.sum(gx.sqrt(transposed(x, x))),
        np.asarray([1.0, 4.0]),
        [3, 1.5],
    ),
    "column of zeros of a constant matrix": (
        lambda x: gx.sum(gx.sqrt(x @ np.asarray([[0.0, 1.0], [0.0, 1.0]]))),
        np.asarray([1.0, 3.0]),
        [0.25, 0.25],
    ),
    "segment max": (
        lambda x: gx.sum(gx.maximum(gx.maximum(gx.sqrt(x[0]), x[1]), x[1] * 2)),
        np.asarray([0.0, 1.0]),
        [0, 2],
    ),
}


def along_each(f, x):
    """Return ``f`` along each basis direction of ``x``, stacked."""
    return np.stack([f(e) for e in np.eye(x.size).reshape(x.size, *x.shape)])


def by_hand(f, x):
    leaf = gx.tensor(x)
    f(leaf).backward()
    return leaf.grad


GRADIENTS = {
    "reverse": lambda f, x: gx.grad(f)(x),
    "forward": lambda f, x: along_each(lambda e: gx.jvp(f, (x,), (e,))[1], x),
    "linearize": lambda f, x: along_each(gx.linearize(f, x)[1], x),
    "jacobian": lambda f, x: gx.jacobian(f)(x),
    "gx.tensor": by_hand,
    "checkpoint": lambda f, x: gx.grad(gx.checkpoint(f))(x),
    "mapped": lambda f, x: gx.vmap(gx.grad(f))(np.stack([x, x]))[1],
    "of a map": lambda f, x: gx.grad(lambda xs: gx.sum(gx.vmap(f)(xs)))(np.stack([x, x]))[0],
    "mapped tangents": lambda f, x: gx.vmap(lambda e: gx.jvp(f, (x,), (e,))[1])(np.eye(x.size)),
}
HESSIANS = {
    "forward over reverse": lambda f, x: along_each(lambda e: gx.jvp(gx.grad(f), (x,), (e,))[1], x),
    "reverse over reverse": lambda f, x: along_each(lambda e: gx.vjp(gx.grad(f), x)[1](e)[0], x),
    "reverse over forward": lambda f, x: along_each(
        lambda e: gx.grad(lambda x: gx.jvp(f, (x,), (e,))[1])(x), x
    ),
    "forward over forward": lambda f, x: along_each(
        lambda e: along_each(
            lambda d: gx.jvp(lambda x: gx.jvp(f, (x,), (e,))[1], (x,), (d,))[1], x
        ),
        x,
    ),
    "hessian": lambda f, x: gx.hessian(f)(x),
    "mapped": lambda f, x: gx.vmap(gx.hessian(f))(np.stack([x, x]))[0],
    "gx.tensor": lambda f, x: along_each(
        lambda e: by_hand(lambda x: gx.sum(gx.grad(f)(x) * e), x), x
    ),
}


def by_forward(f):
    return lambda x: gx.sum(gx.jvp(f, (x,), (np.ones(x.shape),))[1])


def by_reverse(f):
    return lambda x: gx.sum(gx.grad(f)(x))


@pytest.mark.parametrize("mode", GRADIENTS)
@pytest.mark.parametrize("name", CASES)
def test_gradient_is_exact(name, mode):
    f, x, expected = CASES[name]

    np.testing.assert_allclose(GRADIENTS[mode](f, x), expected, rtol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_derivative_along_no_axis_is_exact(name):
    f, x, expected = CASES[name]
    along = np.cos(np.arange(x.size) + 1.0)

    moved = [gx.jvp(f, (x,), (along,))[1], gx.linearize(f, x)[1](along)]

    np.testing.assert_allclose(moved, np.sum(expected * along), rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_hessian_is_finite_and_the_same_in_every_mix_of_modes(name):
    f, x, _ = CASES[name]

    found = {mode: derive(f, x) for mode, derive in HESSIANS.items()}

    expected = found["forward over reverse"]
    assert np.all(np.isfinite(expected))
    for mode, hessian in found.items():
        np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-14, err_msg=mode)


@pytest.mark.parametrize("name", CASES)
def test_third_order_is_finite_and_the_same(name):
    f, x, _ = CASES[name]
    mixes = [
        gx.grad(by_reverse(by_reverse(f))),
        gx.grad(by_forward(by_reverse(f))),
        gx.grad(by_reverse(by_forward(f))),
        gx.grad(by_forward(by_forward(f))),
    ]

    found = [third(x) for third in mixes]

    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(found, np.broadcast_to(found[0], np.shape(found)), rtol=1e-12)
