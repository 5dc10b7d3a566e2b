"""Compiled functions inside transforms, transforms inside compiled functions, and both."""

import numpy as np
import pytest

import gradx as gx

X = np.asarray([0.5, 2.0, 3.0])
V = np.asarray([1.0, -1.0, 0.5])


def f(x):
    return gx.where(x > 1, gx.log(x) * x, gx.sin(x))


def loss(x):
    return gx.sum(f(x) ** 2)


compiled = gx.compile(f)
compiled_loss = gx.compile(loss)
compiled_twice = gx.compile(lambda x: gx.sum(compiled(x) ** 2))

WAYS = {
    "grad": lambda f, loss: gx.grad(loss)(X),
    "value_and_grad": lambda f, loss: gx.value_and_grad(loss)(X),
    "vjp": lambda f, loss: gx.vjp(f, X)[1](V),
    "jvp": lambda f, loss: gx.jvp(f, (X,), (V,)),
    "vmap": lambda f, loss: gx.vmap(f)(np.stack([X, X + 1])),
    "vmap of scalars": lambda f, loss: gx.vmap(f)(X),
    "vmap of nothing": lambda f, loss: gx.vmap(f)(np.ones((0, 3))),
    "jacobian": lambda f, loss: gx.jacobian(f)(X),
    "hessian": lambda f, loss: gx.hessian(loss)(X),
    "hvp": lambda f, loss: gx.hvp(loss, (X,), (V,)),
    "grad of grad": lambda f, loss: gx.grad(lambda x: gx.sum(gx.grad(loss)(x) * V))(X),
    "vmap of grad": lambda f, loss: gx.vmap(gx.grad(loss))(np.stack([X, X + 1])),
    "grad of vmap": lambda f, loss: gx.grad(lambda x: gx.sum(gx.vmap(f)(x)))(np.stack([X, X])),
    "linearize": lambda f, loss: gx.linearize(f, X)[1](V),
}


def flat(out):
    return [np.asarray(leaf) for leaf in gx.core.tree.leaves(out)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("functions", [(compiled, compiled_loss), (compiled, compiled_twice)])
def test_transforms_see_through_a_compiled_function(way, functions):
    expected = flat(WAYS[way](f, loss))

    for _ in range(2):
        actual = flat(WAYS[way](*functions))

        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-13, atol=1e-15)


def gradient_of_products(x):
    return gx.sum(gx.grad(lambda y: gx.sum(gx.exp(y) * x))(x))


def test_a_compiled_gradient_varies_with_factors_that_are_zero():
    x, f = np.asarray([0.0, 1.0, 0.0]), gx.compile(gradient_of_products)

    gradient = gx.grad(f)(x)
    along = gx.jvp(f, (x,), (V,))[1]

    np.testing.assert_allclose(gradient, (1 + x) * np.exp(x), rtol=1e-14)
    np.testing.assert_allclose(along, np.sum(gradient * V), rtol=1e-14)


def test_a_compiled_function_with_static_arguments_is_differentiated():
    @gx.compile(static=("order", "scale"))
    def f(order, x, *, scale):
        return scale * gx.sum(x**order)

    np.testing.assert_allclose(gx.grad(f, 1)(3, X, scale=2.0), 6 * X**2, rtol=1e-14)


@pytest.mark.parametrize("way", WAYS)
def test_transforms_may_be_compiled(way):
    at = lambda x: WAYS[way](f, loss)

    actual = flat(gx.compile(at)(X))

    for a, e in zip(actual, flat(at(X)), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-13, atol=1e-15)


def test_transform_around_sees_what_a_compiled_function_closes_over():
    gradient = gx.grad(lambda w: gx.sum(gx.compile(lambda x: x * w)(X)))

    np.testing.assert_array_equal(gradient(X), X)
    np.testing.assert_array_equal(gradient(X + 1), X)


def test_compiled_function_that_closes_over_a_tracked_value_is_right_at_every_call():
    box = []
    inner = gx.compile(lambda x: x * box[0])

    def outer(w):
        box[:] = [w]
        return gx.sum(inner(X))

    np.testing.assert_array_equal(gx.grad(outer)(X), X)
    np.testing.assert_array_equal(gx.grad(outer)(X * 2), X)


def test_nested_compiled_function_is_part_of_the_graph_around():
    runs = []
    inner = gx.compile(lambda x, n: runs.append(1) or x * n)
    outer = gx.compile(lambda x, n: inner(x, n) + inner(x, n + 1))

    outs = [outer(X, n) for n in (1, 2)]

    np.testing.assert_array_equal(outs[1], X * 5)
    assert "multiply" in str(outer.graph(X, 1))


def test_explored_tensors_go_through_a_compiled_function():
    x = gx.tensor(X)

    compiled_loss(x).backward()

    np.testing.assert_allclose(x.grad, gx.grad(loss)(X))


def test_two_lines_of_one_gradient_share_their_forward_part():
    graph = gx.compile(gx.value_and_grad(lambda x: gx.sum(gx.exp(x)))).graph(X)

    assert [equation.op.name for equation in graph.equations].count("exp") == 1
