"""Groups that are alike are analysed and compiled once; any difference makes two of them."""

import numpy as np
import pytest

import gradx as gx
from gradx.graph.native.launch import compile_group
from gradx.graph.native.likeness import likeness_of

X = np.ones((32, 64), np.float32)


def likeness(f, *arrays):
    return likeness_of(gx.capture(f)(*arrays))


def test_names_and_lines_make_no_difference():
    one = likeness(lambda x, y: gx.exp(x * 2.0) + y, X, X)
    other = likeness(lambda first, second: gx.exp(first * 2.0) + second, X, X)

    assert one is not None
    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        lambda x, y: gx.exp(x * 2) + y,
        lambda x, y: gx.exp(x * 3.0) + y,
        lambda x, y: gx.exp(y * 2.0) + x,
        lambda x, y: gx.exp(x * 2.0) + x,
        lambda x, y: gx.sin(x * 2.0) + y,
        lambda x, y: (gx.exp(x * 2.0), gx.exp(x * 2.0) + y)[::-1],
        lambda x, y: gx.exp(x * 2.0)[:8] + y[:8],
        lambda x, y: gx.exp(x * 2.0)[8:16] + y[8:16],
    ],
)
def test_any_other_difference_makes_one(other):
    assert likeness(other, X, X) != likeness(lambda x, y: gx.exp(x * 2.0) + y, X, X)


def test_slices_are_told_apart():
    first, second = (likeness(lambda x, n=n: x[n : n + 8] * 2.0, X) for n in (0, 8))

    assert first is not None
    assert first != second


@pytest.mark.parametrize(
    "array", [X.astype(np.float64), X[:16], X.reshape(64, 32), X.astype(np.int32)]
)
def test_shapes_and_dtypes_are_told_apart(array):
    f = lambda x: gx.abs(x) * 2

    assert likeness(f, array) != likeness(f, X)


def test_groups_that_are_alike_share_a_kernel():
    one, other, different = (
        compile_group(gx.capture(f)(X))
        for f in (lambda x: x * 2.0 + 1.0, lambda y: y * 2.0 + 1.0, lambda x: x * 2.0 - 1.0)
    )

    assert one is other
    assert one is not different


def test_an_unrolled_loop_compiles_the_kernel_of_its_step_once(monkeypatch):
    from gradx.graph.native import launch

    asked = []
    analyse = launch.analyse
    monkeypatch.setattr(launch, "analyse", lambda graph: asked.append(graph) or analyse(graph))

    def unrolled(x, w):
        for _ in range(10):
            x = gx.tanh(x @ w) * 0.123 + x
        return x

    compiled = gx.compile(unrolled)
    np.testing.assert_allclose(
        compiled(X, np.eye(64, dtype=np.float32)), unrolled(X, np.eye(64)), rtol=1e-5
    )

    assert len(asked) == 1
