"""Tensors in Python's own functions and its standard library."""

import copy
import math
import pickle

import numpy as np
import pytest

import gradx as gx

X = np.asarray([[0.5, 0.8, 1.1], [1.4, 1.7, 2.0]])
COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "deepcopy of a list": lambda x: copy.deepcopy([x])[0],
    "np.copy": np.copy,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_keeps_its_derivative(copied):
    assert np.array_equal(gx.grad(lambda x: gx.sum(copied(x) ** 2))(X), 2 * X)
    assert gx.jvp(lambda x: gx.sum(copied(x) ** 2), (X,), (np.ones_like(X),))[1] == np.sum(2 * X)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_write_to_a_copy_does_not_reach_the_original(copied):
    def loss(x):
        other = copied(x)
        other[0] = 0.0
        return gx.sum(x * other)

    assert np.array_equal(gx.grad(loss)(X), 2 * X * [[0.0], [1.0]])


def test_a_pickle_would_lose_the_derivative():
    with pytest.raises(gx.GradxError, match="pickling of a Tensor tracked by grad of <lambda>"):
        gx.grad(lambda x: gx.sum(pickle.loads(pickle.dumps(x))))(X)


def test_divmod_is_differentiated_from_either_side():
    by_left = gx.grad(lambda x: gx.sum(divmod(x, 0.7)[1] * X))(X)
    by_right = gx.grad(lambda x: gx.sum(divmod(3.0, x)[1]))(X)
    assert np.array_equal(by_left, X)
    assert np.array_equal(by_right, -np.floor(3.0 / X))


def test_in_compares_numbers():
    found = []
    gx.grad(lambda x: (found.append((1.1 in x, 7.0 in x)), gx.sum(x))[1])(X)
    assert found == [(True, False)]


def test_round_to_digits_is_flat_and_to_a_whole_number_is_refused():
    x = np.float64(2.718)

    assert gx.jvp(lambda x: round(x, 1) * x, (x,), (x,)) == (round(x, 1) * x, round(x, 1) * x)
    assert gx.jvp(lambda x: round(x > 2) * x + math.trunc(x > 1), (x,), (x,)) == (x + 1, x)
    for whole in (round, math.trunc):
        with pytest.raises(gx.errors.TrackedError, match=rf"{whole.__name__}\(\) of a Tensor"):
            gx.grad(whole)(x)


def test_a_number_is_formatted():
    texts = []
    gx.grad(lambda x: (texts.append(f"{x[0, 2]:.3f} {x[0, 2]:8.1e}"), gx.sum(x))[1])(X)
    assert texts == ["1.100  1.1e+00"]
    with pytest.raises(TypeError, match=r"'\.3f' is for one number, got float64 \(2, 3\)"):
        gx.grad(lambda x: (f"{x:.3f}", gx.sum(x))[1])(X)


def test_item_takes_an_index():
    assert gx.tensor(X).item(1, 2) == X[1, 2]


def test_fill_overwrites_the_derivative():
    def loss(x):
        y = x * 2.0
        y[0].fill(3.0)
        return gx.sum(y)

    assert np.array_equal(gx.grad(loss)(X), [[0.0] * 3, [2.0] * 3])


def test_sort_in_place_moves_the_derivative():
    def loss(x):
        y = x * 1.0
        y.sort(axis=0)
        return gx.sum(y * np.asarray([[1.0], [10.0]]))

    assert np.array_equal(gx.grad(loss)(X[::-1]), [[10.0] * 3, [1.0] * 3])


def test_trace_is_no_method():
    with pytest.raises(gx.GradxError, match=r"write np\.trace\(t\) or gx\.linalg\.trace\(t\)"):
        gx.grad(lambda x: x.trace())(X)


LIST = [1.0, 2.0, 4.0]
OPERATIONS = {
    "x * list": lambda x: x * LIST,
    "list - x": lambda x: LIST - x,
    "x @ list": lambda x: x @ LIST,
    "x ** tuple": lambda x: x ** tuple(LIST),
    "list / x": lambda x: LIST / x,
    "x of a list": lambda x: np.where(x > [1.0, 1.0, 1.0], x, -x),
}


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS)
def test_operators_take_lists_as_those_of_numpy_do(f):
    def in_arrays(x):
        return np.sum(f(x) ** 2)

    h = 1e-6
    steps = h * np.eye(X.size).reshape(-1, *X.shape)
    numeric = [(in_arrays(X + step) - in_arrays(X - step)) / (2 * h) for step in steps]
    assert np.allclose(gx.grad(in_arrays)(X).ravel(), numeric)
    compiled = gx.compile(gx.grad(in_arrays))(X)
    np.testing.assert_allclose(compiled, gx.grad(in_arrays)(X), rtol=1e-14)
    along = gx.jvp(gx.grad(in_arrays), (X,), (np.ones_like(X),))[1]
    assert np.allclose(along, gx.hvp(in_arrays, (X,), (np.ones_like(X),)))


def test_lists_are_taken_in_place_too():
    def loss(x):
        y = x * 1.0
        y += LIST
        y *= LIST
        return gx.sum(y)

    assert np.array_equal(gx.grad(loss)(X), [LIST, LIST])


def test_functions_do_not_take_lists():
    with pytest.raises(TypeError, match="multiply: expected an array, got 'list'"):
        gx.grad(lambda x: gx.sum(gx.multiply(x, LIST)))(X)
