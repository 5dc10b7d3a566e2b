"""Sums of products that a compiled function computes as one product."""

from itertools import accumulate

import numpy as np
import pytest

import gradx as gx
from gradx.graph.passes import optimized, summing
from gradx.graph.passes.summing import summed

RNG = np.random.default_rng(0)
WEIGHT = 0.3 * RNG.normal(size=(6, 6))
START = RNG.normal(size=(2, 6))


def count(graph, name):
    return [equation.op.name for equation in graph.equations].count(name)


def loop(w, state, steps):
    """Use a weight in every step, as recurrent layers do."""
    for _ in range(steps):
        state = gx.tanh(state @ w)
    return gx.sum(state)


def test_gradient_of_a_weight_in_a_loop_is_one_product():
    gradient = gx.grad(lambda w: loop(w, START, 5))
    graph = optimized(gx.capture(gradient)(WEIGHT))

    # Forward, back to each state but the first, and to the weight.
    assert count(graph, "matmul") == 5 + 4 + 1
    assert count(graph, "add") == 0
    np.testing.assert_allclose(graph(WEIGHT), gradient(WEIGHT), rtol=1e-13)
    np.testing.assert_allclose(gx.compile(gradient)(WEIGHT), gradient(WEIGHT), rtol=1e-13)


def test_what_is_added_beside_products_is_added_to_the_one():
    rows = [RNG.normal(size=(n, 3)) for n in (1, 2, 1, 2)]
    columns = [RNG.normal(size=(n, 4)) for n in (1, 2, 1, 2)]
    y = RNG.normal(size=(3, 4))

    def f(y, *factors):
        first, second, third, last = [
            a.T @ b for a, b in zip(factors[:4], factors[4:], strict=True)
        ]
        return (gx.exp(y) + first) + ((second + 0.5) + third) + last

    graph = summed(gx.capture(f)(y, *rows, *columns))

    assert count(graph, "matmul") == 1
    assert count(graph, "add") == 2
    np.testing.assert_allclose(graph(y, *rows, *columns), f(y, *rows, *columns), rtol=1e-14)


def added_twice(w):
    product = w[:2].T @ w[:2]
    return product + product + product + product


def other_precisions(w):
    half = gx.astype(w, "float32")
    return sum([half[i : i + 1].T @ half[i : i + 1] for i in range(4)], w)


APART = {
    "other precisions": other_precisions,
    "few products": gx.grad(lambda w: loop(w, START, 3)),
    "factors larger than the result": gx.grad(lambda w: loop(w, np.repeat(START, 40, axis=0), 5)),
    "one product many times": added_twice,
    "vectors": lambda w: w[0] @ w + w[1] @ w + w[2] @ w + w[3] @ w,
    "batches": gx.vmap(lambda w: w[:2].T @ w[:2] + w[2:4].T @ w[2:4] + w.T @ w + w @ w),
    "results": lambda w: list(accumulate(w[i : i + 1].T @ w[i : i + 1] for i in range(4))),
}


@pytest.mark.parametrize("name", APART)
def test_sums_that_would_not_gain_stay(name):
    w = np.stack([WEIGHT, WEIGHT]) if name == "batches" else WEIGHT

    graph = summed(gx.capture(APART[name])(w))

    assert count(graph, "concat") == 0


def test_integers_are_added_as_they_are():
    w = np.arange(36).reshape(6, 6)
    f = lambda w: w[:1].T @ w[:1] + w[1:2].T @ w[1:2] + w[2:3].T @ w[2:3] + w[3:4].T @ w[3:4]

    assert count(summed(gx.capture(f)(w)), "concat") == 0
    assert count(summed(gx.capture(f)(w.astype(float))), "concat") == 2


def test_each_addition_is_looked_at_once(monkeypatch):
    roots = []
    terms = summing._terms
    monkeypatch.setattr(
        summing, "_terms", lambda root, *rest: roots.append(root) or terms(root, *rest)
    )
    graph = gx.capture(lambda x: sum([x * i for i in range(50)], x))(WEIGHT)

    assert summed(graph).equations == graph.equations
    assert roots == [graph.equations[-1]]


def test_a_long_sum_is_multiplied_in_portions_as_factors_come():
    w, x = 0.1 * RNG.normal(size=(64, 64)), RNG.normal(size=(8, 64))

    def f(w, x):
        total = w
        for _ in range(80):
            x = gx.tanh(x @ w)
            total = total + x.T @ x
        return total

    graph = summed(gx.capture(f)(w, x))

    joins = [e for e in graph.equations if e.op.name == "concat"]
    places = [graph.equations.index(e) for e in joins]
    assert [e.outputs[0].shape[0] for e in joins] == [256, 256, 256, 256, 128, 128]
    assert places[2] - places[1] > 2 * 32  # the steps between
    np.testing.assert_allclose(graph(w, x), f(w, x), rtol=1e-12)
