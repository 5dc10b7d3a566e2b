"""Writes in place in compiled functions: what they reach, and that arguments stay."""

import numpy as np
import pytest

import gradx as gx

X = np.asarray([1.0, 2.0, 3.0])


def test_arguments_are_never_written_to():
    def f(x):
        x = gx.asarray(x, copy=True)
        x[0] = 5.0
        x += 1.0
        return x

    x = X.copy()
    compiled = gx.compile(f)

    for _ in range(3):
        np.testing.assert_array_equal(compiled(x), [6.0, 3.0, 4.0])

    np.testing.assert_array_equal(x, X)


def written(x):
    x[0] = 5.0
    return x


def written_and_computed(x):
    x *= 2.0
    return gx.sum(x * x)


def written_through_a_view(x):
    view = x[1:]
    view += 1.0
    return gx.sum(gx.sin(x))


@pytest.mark.parametrize("f", [written, written_and_computed, written_through_a_view])
def test_write_into_an_argument_stays_inside(f):
    x = X.copy()
    compiled, graph = gx.compile(f), gx.capture(f)(x)

    for _ in range(2):
        np.testing.assert_allclose(compiled(x), f(X.copy()), rtol=1e-14)
        np.testing.assert_allclose(graph(x), f(X.copy()), rtol=1e-14)

    np.testing.assert_array_equal(x, X)


def test_in_place_writes_through_views_reach_their_base():
    def f(x):
        x = gx.asarray(x, copy=True)
        view = gx.reshape(x, (3, 1))
        view[0] = 9.0
        x[1:] *= 2.0
        return x, view

    compiled = gx.compile(f)

    for _ in range(2):
        x, view = compiled(X)
        np.testing.assert_array_equal(x, [9, 4, 6])
        np.testing.assert_array_equal(view[:, 0], [9, 4, 6])


def test_write_reaches_a_view_or_not_as_memory_lies_at_each_call():
    def f(x):
        y = gx.stop_gradient(x)
        flat = gx.reshape(y, (4,))  # a view of an array in order, a copy of a transposed one
        flat[0] = 9.0
        return y * 1.0

    compiled = gx.compile(f)
    x = np.asarray([[1.0, 2.0], [3.0, 4.0]])

    for one in (x, x.T, x):
        np.testing.assert_array_equal(compiled(one.copy(order="K")), gx.vjp(f, one)[0])
