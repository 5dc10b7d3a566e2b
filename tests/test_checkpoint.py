"""gx.checkpoint changes the memory that a gradient takes, and nothing else."""

import tracemalloc

import numpy as np
import pytest

import gradx as gx
from gradx.errors import TapeError, TrackedError

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(4, 4)), RNG.normal(size=4)


def layer(w, x):
    both = gx.stack([gx.tanh(w @ x), gx.sin(x)])
    both[0] *= gx.exp(-x * x)
    return gx.where(both[0] > 0, both[0], 0.5 * both[1])


def loss(layer):
    return lambda w, x: gx.sum(layer(w, layer(w, layer(w, x))) ** 2)


def by_forward(f):
    return lambda w, x: gx.jvp(f, (w, x), (W, X))[1]


DERIVATIVES = {
    "gradient": lambda f: gx.grad(f, (0, 1))(W, X),
    "pullback": lambda f: gx.vjp(f, W, X)[1](1.0),
    "tangent": lambda f: by_forward(f)(W, X),
    "linear map": lambda f: gx.linearize(f, W, X)[1](W, X),
    "Hessian": lambda f: gx.hessian(f)(W, X),
    "forward over reverse": lambda f: gx.hvp(f, (W, X), (W, X)),
    "reverse over forward": lambda f: gx.grad(by_forward(f), (0, 1))(W, X),
    "reverse over reverse": lambda f: gx.grad(lambda w, x: gx.sum(gx.grad(f)(w, x)))(W, X),
    "third order": lambda f: gx.hvp(by_forward(f), (W, X), (W, X)),
    "batched": lambda f: gx.vmap(gx.grad(f), (None, 0))(W, np.stack([X, 2 * X])),
    "of a batch": lambda f: gx.grad(
        lambda w: gx.sum(gx.vmap(f, (None, 0))(w, np.stack([X, 2 * X])))
    )(W),
    "in gx.debug": lambda f: in_debug(lambda: gx.grad(f)(W, X)),
}


def in_debug(run):
    with gx.debug():
        return run()


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_derivatives_are_the_same(derivative):
    expected = gx.core.tree.leaves(derivative(loss(layer)))

    found = gx.core.tree.leaves(derivative(loss(gx.checkpoint(layer))))

    # Not to the last bit in reverse over reverse, where the outer tape adds in another order.
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-13, atol=1e-13)


def test_gradients_are_the_same_to_the_last_bit():
    expected = gx.grad(loss(layer), (0, 1))(W, X)

    found = gx.grad(loss(gx.checkpoint(layer)), (0, 1))(W, X)

    for a, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_what_it_closes_over_is_differentiated():
    def f(around):
        return lambda w, x: gx.sum(around(lambda h: layer(w.mT, h) + w[0])(around(gx.sin)(x)))

    expected = gx.grad(f(lambda g: g), (0, 1))(W, X)

    found = gx.grad(f(gx.checkpoint), (0, 1))(W, X)

    for a, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_checkpoints_nest_and_take_trees_and_keywords():
    inner = gx.checkpoint(lambda p, *, scale: {"out": gx.sin(p["x"]) * scale, "same": scale})
    outer = gx.checkpoint(lambda x: gx.exp(inner({"x": x}, scale=x)["out"]))

    np.testing.assert_allclose(
        gx.grad(lambda x: gx.sum(outer(x)))(X), np.exp(np.sin(X) * X) * (np.cos(X) * X + np.sin(X))
    )


def test_several_outputs_of_an_op_are_computed_again():
    def f(x):
        values, vectors = gx.linalg.eigh(x @ x.mT)
        return gx.sum(vectors * gx.sin(values), axis=None) ** 2

    np.testing.assert_array_equal(gx.grad(gx.checkpoint(f))(W), gx.grad(f)(W))


def test_tensors_explored_by_hand_reach_their_gradients():
    w, x = gx.tensor(W), gx.tensor(X)

    loss(gx.checkpoint(layer))(w, x).backward()

    np.testing.assert_array_equal(w.grad, gx.grad(loss(layer))(W, X))


def test_dead_branches_stay_dead_through_it_and_honest_nans_stay():
    log = gx.checkpoint(lambda x: gx.log(x))
    root = gx.checkpoint(lambda x: gx.sqrt(x))
    x = np.asarray([0.0, 2.0])

    with np.errstate(divide="ignore"):
        dead = lambda x: gx.sum(gx.where(x > 0, log(x), 0.0))
        np.testing.assert_array_equal(gx.grad(dead)(x), [0.0, 0.5])
        np.testing.assert_array_equal(np.diag(gx.hessian(dead)(x)), [0.0, -0.25])
    assert np.isnan(gx.grad(lambda x: gx.sum(root(x) ** 2))(x)[0])


def deep(around, blocks=5, length=20):
    def block(x):
        for _ in range(length):
            x = gx.sin(x)
        return x

    def f(x):
        for _ in range(blocks):
            x = around(block)(x)
        return gx.sum(x)

    return f


def peak_of(run):
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_one_block():
    x = np.ones(100_000)
    plain, saving = gx.grad(deep(lambda f: f)), gx.grad(deep(gx.checkpoint))

    assert peak_of(lambda: plain(x)) > 98 * x.nbytes
    assert peak_of(lambda: saving(x)) < 30 * x.nbytes


def test_memory_of_a_pullback_is_that_of_one_block():
    x = np.ones(100_000)
    _, pullback = gx.vjp(deep(gx.checkpoint), x)

    assert peak_of(lambda: pullback(1.0)) < 30 * x.nbytes


def test_each_op_runs_twice():
    runs = []
    counted = gx.checkpoint(lambda x: gx.sin(x) * x)

    op = gx.core.op.OPS["sin"]
    known = dict(op.implementations)
    op.implementations[np.ndarray] = lambda x: runs.append(x) or np.sin(x)
    try:
        gx.grad(lambda x: gx.sum(counted(x)))(X)
    finally:
        op.implementations.clear()
        op.implementations.update(known)

    assert len(runs) == 2


def test_arguments_are_not_written_to():
    def f(x):
        x[0] = 1.0
        return x

    with pytest.raises(TrackedError, match="an argument of a checkpoint of f"):
        gx.grad(lambda x: gx.sum(gx.checkpoint(f)(x * 2)))(X)


def test_leaked_tensor_names_the_checkpoint():
    kept = []

    def leaking(x):
        kept.append(gx.sin(x))
        return x

    def f(x):
        y = gx.checkpoint(leaking)(x)
        return gx.sum(y * kept[0])

    with pytest.raises(TapeError, match="outlived checkpoint of leaking"):
        gx.grad(f)(X)


def test_on_plain_arrays_it_is_the_function():
    np.testing.assert_array_equal(gx.checkpoint(layer)(W, X), layer(W, X))
