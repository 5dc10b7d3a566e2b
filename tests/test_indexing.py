"""Indexing, against NumPy: what a key reads, what a write reaches, where gradients go."""

import numpy as np
import pytest

import gradx as gx
from gradx.core.arrays import is_array
from gradx.core.views import rebind
from gradx.errors import ShapeError
from gradx.ops.along import add_at, last_writes, put_at, take, take_along_axis
from gradx.ops.indexing import getitem, scatter, setitem
from gradx.ops.joining import concat, split, unstack
from gradx.ops.linalg import diagonal
from gradx.ops.moving import flip, pad, repeat
from gradx.ops.shapes import (
    astype,
    broadcast_to,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    sum,
)
from gradx.ops.sorting import argsort, sort
from gradx.transforms.forward import jvp
from gradx.transforms.grad import grad, vjp

X = np.linspace(0.5, 2.0, 24).reshape(2, 3, 4)
ROWS, COLUMNS = np.asarray([1, 0, 1]), np.asarray([2, -1, 0])
MASK = X > 1.2

KEYS = {
    "integer": 1,
    "integers": (1, -1, 2),
    "NumPy integer": np.int64(1),
    "0-d array": np.asarray(1),
    "slices": (slice(None, None, -1), slice(0, 9, 2)),
    "ellipsis": (..., 1),
    "empty ellipsis": (0, 1, 2, ...),
    "new axes": (None, 0, None, ..., None),
    "nothing": (),
    "array": ROWS,
    "list": [1, 1, 0],
    "nested list": [[0, 1], [1, 1]],
    "empty list": [],
    "small dtype": np.asarray([-1, 0], dtype=np.int8),
    "unsigned": np.asarray([1, 0], dtype=np.uint8),
    "array in the middle": (slice(None), COLUMNS),
    "two arrays": (ROWS, COLUMNS),
    "arrays that broadcast": (ROWS.reshape(3, 1), COLUMNS),
    "arrays side by side": (slice(None), COLUMNS, ROWS),
    "arrays apart": (ROWS, slice(None), COLUMNS),
    "arrays around an empty ellipsis": (slice(None), COLUMNS, ..., ROWS),
    "arrays around a new axis": (ROWS, None, COLUMNS),
    "integer beside array": (slice(None), 0, COLUMNS),
    "array beside integer": (slice(None), COLUMNS, 0),
    "integer apart from array": (0, slice(None), COLUMNS),
    "array, then new axis": (ROWS, None),
    "2-d array and slice": (ROWS[:2].reshape(2, 1), slice(1, None)),
    "whole mask": MASK,
    "mask of the first axis": MASK[:, 0, 0],
    "mask of two axes": MASK[:, :, 0],
    "mask in the middle": (0, MASK[0, :, 0]),
    "mask at the end": (..., MASK[0, 0]),
    "mask and array": (MASK[:, 1, 1], COLUMNS[:1]),
    "mask of lists": [True, False],
    "mask of nothing": np.zeros((2, 3), dtype=bool),
    "mask of no length": np.zeros((2, 0), dtype=bool),
    "true": True,
    "false": False,
    "true and array": (slice(None), True, COLUMNS),
    "three arrays": (ROWS, COLUMNS, ROWS),
}

every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


def to_backend(backend, value):
    if isinstance(value, tuple):
        return tuple(to_backend(backend, part) for part in value)
    if isinstance(value, np.ndarray):
        return backend.from_numpy(value, backend.devices()[0])
    return value


def random_key(rng, shape):
    """Make a key with one part for some of the axes, arrays that broadcast among them."""
    parts = []
    for length in shape[: rng.integers(1, len(shape) + 1)]:
        parts += [
            [int(rng.integers(-length, length))],
            [slice(*sorted(rng.integers(0, length + 1, 2)))],
            [slice(None, None, -1)],
            [rng.integers(-length, length, (2,))],
            [rng.integers(-length, length, (3, 1))],
            [None, slice(None)],
            [rng.permutation([True, True] + [False] * (length - 2))],
        ][rng.integers(7)]
    if rng.random() < 0.3:
        parts.insert(int(rng.integers(len(parts) + 1)), ...)
    return tuple(parts)


@every_key
def test_key_reads_what_numpy_reads(backend, key):
    actual = getitem(to_backend(backend, X), to_backend(backend, key))

    np.testing.assert_array_equal(np.asarray(backend.to_numpy(actual)), X[key], strict=True)


@every_key
def test_write_changes_what_numpy_changes(backend, key):
    expected, value = X.copy(), np.linspace(3.0, 4.0, X[key].size).reshape(X[key].shape)
    expected[key] = value

    actual = setitem(to_backend(backend, X), to_backend(backend, value), to_backend(backend, key))

    np.testing.assert_array_equal(backend.to_numpy(actual), expected)


@every_key
def test_one_number_is_written_everywhere(backend, key):
    expected = X.copy()
    expected[key] = 7

    for value in (7, 7.0, to_backend(backend, np.asarray(7.0))):
        actual = setitem(to_backend(backend, X), value, to_backend(backend, key))
        np.testing.assert_array_equal(backend.to_numpy(actual), expected)


@every_key
def test_gradient_of_a_read_is_added_where_it_was_read(backend, key):
    g = np.linspace(1.0, 2.0, X[key].size).reshape(X[key].shape)
    expected = np.zeros_like(X)
    np.add.at(expected, key, g)
    g, key = to_backend(backend, np.asarray(g)), to_backend(backend, key)

    (pulled,) = vjp(lambda x: getitem(x, key), to_backend(backend, X))[1](g)
    added = scatter(g, X.shape, key)

    np.testing.assert_allclose(backend.to_numpy(pulled), expected)
    np.testing.assert_allclose(backend.to_numpy(added), expected)


def test_random_keys_mean_what_they_mean_in_numpy():
    rng = np.random.default_rng(0)
    x = rng.random((3, 2, 4, 2))
    checked = 0
    for _ in range(600):
        key = random_key(rng, x.shape)
        try:
            expected = x[key]
        except IndexError:
            with pytest.raises(IndexError):
                getitem(x, key)
            continue
        value = rng.random(expected.shape)
        written = x.copy()
        written[key] = value
        np.testing.assert_array_equal(getitem(x, key), expected, err_msg=str(key), strict=True)
        np.testing.assert_array_equal(setitem(x, value, key), written, err_msg=str(key))
        checked += 1
    assert checked > 300


def test_last_of_several_writes_stays_and_it_alone_has_a_gradient(backend):
    x, value = (
        to_backend(backend, np.zeros(3)),
        to_backend(backend, np.asarray([1.0, 2.0, 3.0, 4.0])),
    )
    key = to_backend(backend, np.asarray([2, 0, -1, 2]))
    g = to_backend(backend, np.asarray([10.0, 20.0, 30.0]))

    out, pullback = vjp(lambda x, value: setitem(x, value, key), x, value)
    of_x, of_value = pullback(g)
    _, moved = jvp(lambda value: setitem(x, value, key), (value,), (value,))

    np.testing.assert_array_equal(backend.to_numpy(out), [2.0, 0.0, 4.0])
    np.testing.assert_array_equal(backend.to_numpy(of_x), [0.0, 20.0, 0.0])
    np.testing.assert_array_equal(backend.to_numpy(of_value), [0.0, 10.0, 0.0, 30.0])
    np.testing.assert_array_equal(backend.to_numpy(moved), [2.0, 0.0, 4.0])


def test_gradient_of_a_written_value_is_read_where_it_was_written():
    value = np.asarray([[1.0], [2.0]])
    key = (slice(None), [0, 2])

    (pulled,) = vjp(lambda value: setitem(X[..., 0], value, key), value)[1](X[..., 1])

    np.testing.assert_allclose(pulled, X[:, [0, 2], 1].sum(axis=1, keepdims=True))


def test_infinities_do_not_spread_to_other_elements():
    x = np.asarray([np.inf, 1.0])

    _, moved = jvp(lambda v: setitem(x, v, 1), (np.asarray(1.0),), (np.asarray(5.0),))
    (pulled,) = vjp(lambda x: getitem(x, [0]), np.ones(2))[1](np.asarray([np.inf]))

    np.testing.assert_array_equal(moved, [0.0, 5.0])
    np.testing.assert_array_equal(pulled, [np.inf, 0.0])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "5 is out of bounds for axis 0 with size 2"),
        ((0, -4), "-4 is out of bounds for axis 1 with size 3"),
        ([0, 2], "2 is out of bounds for a"),
        (([0], [3]), "3 is out of bounds for an axis of size 3"),
        ((0, 0, 0, 0), "too many indices"),
        ((..., [0], ...), "more than one '...'"),
        (1.0, "integer or boolean array, got 1.0"),
        ([0.5], r"integer or boolean array, got \[0.5\]"),
        (np.ones((3, 2), dtype=bool), r"\(3, 2\) does not fit axes of shape \(2, 3\)"),
        (([0, 1], [0, 1, 2]), r"\(2,\), \(3,\) do not broadcast"),
    ],
)
def test_wrong_key_raises_an_index_error_that_says_why(key, message):
    for use in (getitem, lambda x, key: setitem(x, 0.0, key)):
        with pytest.raises(IndexError, match=message):
            use(X, key)
        with pytest.raises(IndexError, match=message):
            grad(lambda x, use=use: sum(use(x, key)))(X)


def test_indices_out_of_bounds_raise_on_every_backend(backend):
    x, beyond = to_backend(backend, X), to_backend(backend, np.asarray([0, 2]))

    for use in (
        lambda: take(x, beyond, axis=0),
        lambda: getitem(x, (beyond, beyond)),
        lambda: setitem(x, 0.0, beyond),
        lambda: last_writes(beyond, length=2),
    ):
        with pytest.raises(IndexError, match="2 is out of bounds for a"):
            use()


def test_write_of_another_dtype_is_cast_and_a_complex_one_refused():
    x = np.zeros(2, dtype=np.float32)

    assert setitem(x, np.asarray(0.1), [0]).dtype == np.float32
    assert setitem(np.zeros(2, dtype=int), 2.7, np.asarray([True, False])).tolist() == [2, 0]
    assert grad(lambda v: sum(setitem(x, v, [0])))(np.asarray(0.1)).dtype == np.float64
    with pytest.raises(TypeError, match=r"gx.real\(x\)"):
        setitem(x, np.asarray(1j), 0)


def test_sums_at_repeated_indices_are_exact_in_the_portable_form(backend):
    rng = np.random.default_rng(0)
    indices, values = rng.integers(0, 7, 500), rng.integers(0, 100, (2, 500, 3)).astype(float)
    expected = np.zeros((2, 7, 3))
    np.add.at(expected, (slice(None), indices), values)

    actual = add_at(to_backend(backend, values), to_backend(backend, indices), length=7, axis=1)

    np.testing.assert_array_equal(backend.to_numpy(actual), expected)


def test_last_writes_agree_with_writes_in_order(backend):
    rng = np.random.default_rng(0)
    indices, values = rng.integers(-7, 7, 50), rng.random((50, 2))
    expected = np.zeros((7, 2))
    for index, value in zip(indices, values, strict=True):
        expected[index] = value
    zeros = to_backend(backend, np.zeros((7, 2)))

    actual = put_at(zeros, to_backend(backend, values), to_backend(backend, indices), axis=0)

    np.testing.assert_array_equal(backend.to_numpy(actual), expected)


def test_third_derivative_of_a_gather():
    indices = np.asarray([0, 2, 0])

    def cube(x):
        taken = take(x, indices, axis=0)
        return sum(taken * taken * taken)

    first = grad(cube)
    second = grad(lambda x: sum(first(x)))
    third = grad(lambda x: sum(second(x)))

    np.testing.assert_allclose(third(np.asarray([1.0, 2.0, 3.0])), [12.0, 0.0, 6.0])


def test_equal_elements_are_sorted_stably_and_each_keeps_its_gradient(backend):
    x = to_backend(backend, np.asarray([2.0, 1.0, 2.0, 1.0]))
    g = to_backend(backend, np.asarray([1.0, 2.0, 3.0, 4.0]))

    (up,) = vjp(lambda x: sort(x), x)[1](g)
    (down,) = vjp(lambda x: sort(x, descending=True), x)[1](g)

    np.testing.assert_array_equal(backend.to_numpy(argsort(x, descending=True)), [0, 2, 1, 3])
    np.testing.assert_array_equal(backend.to_numpy(up), [3.0, 1.0, 4.0, 2.0])
    np.testing.assert_array_equal(backend.to_numpy(down), [1.0, 3.0, 2.0, 4.0])


def test_argsort_undone_by_take_along_axis():
    np.testing.assert_array_equal(
        take_along_axis(X, argsort(-X, axis=1), axis=1), -np.sort(-X, axis=1)
    )


def test_complex_array_is_not_cast_to_a_real_one(backend):
    with pytest.raises(TypeError, match=r"take gx.real\(x\) or gx.imag\(x\)"):
        astype(to_backend(backend, X + 1j), "float64")


def test_cast_to_a_lower_precision_casts_the_gradient_back():
    g = grad(lambda x: sum(astype(x, "float32") * 3))(np.asarray([1.0, 2.0]))

    np.testing.assert_array_equal(g, np.asarray([3.0, 3.0]), strict=True)


def write(view):
    """Write a number into the first element of a Tensor, as ``view[first] = 9`` does."""
    rebind(view, setitem(view, 9.0, (0,) * len(view.shape)))


VIEWS = {
    "slice": lambda x: getitem(x, (slice(None), slice(1, None), slice(None, None, 2))),
    "row": lambda x: getitem(x, 1),
    "slice of a slice": lambda x: getitem(getitem(x, (..., slice(1, 3))), (1, slice(1, None))),
    "reshape": lambda x: reshape(x, (6, 4)),
    "permute_dims": lambda x: permute_dims(x, (2, 0, 1)),
    "matrix_transpose": matrix_transpose,
    "moveaxis": lambda x: moveaxis(x, 0, -1),
    "expand_dims": lambda x: expand_dims(x, axis=(0, -1)),
    "squeeze": lambda x: squeeze(expand_dims(x, axis=0), axis=0),
    "flip": lambda x: flip(x, axis=(0, 2)),
    "flip of a slice": lambda x: flip(getitem(x, (slice(None), 1)), axis=0),
    "unstack": lambda x: unstack(x, axis=1)[2],
    "split": lambda x: split(x, 2, axis=-1)[1],
    "diagonal": diagonal,
    "cast to its own dtype": lambda x: astype(x, "float64", copy=False),
}


@pytest.mark.parametrize("read", VIEWS.values(), ids=VIEWS)
def test_write_through_a_view_reaches_its_base(read):
    expected = X.copy()
    view = read(expected)
    view[(0,) * view.ndim] = 9.0
    assert (expected == 9.0).sum() == 1

    def written(x):
        base = x * 1.0
        write(read(base))
        return base

    out, pullback = vjp(written, X)
    (g,) = pullback(np.ones_like(X))
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(g, np.where(expected == 9.0, 0.0, 1.0))


@pytest.mark.parametrize("read", VIEWS.values(), ids=VIEWS)
def test_write_to_a_base_reaches_its_views(read):
    expected = read(X * 1.0)
    base = X * 1.0
    expected = read(base)
    base[...] = 5.0

    def seen(x):
        base = x * 1.0
        view = read(base)
        rebind(base, setitem(base, 5.0, ...))
        return view

    np.testing.assert_array_equal(vjp(seen, X)[0], expected)


def test_views_stay_views_after_a_write():
    def written(x):
        base = x * 1.0
        view, other = getitem(base, slice(1, None)), getitem(base, slice(0, 2))
        rebind(view, setitem(view, 5.0, 0))
        rebind(view, setitem(view, 6.0, 1))
        rebind(base, setitem(base, 7.0, 0))
        return concat([base, view, other])

    np.testing.assert_array_equal(vjp(written, np.ones(3))[0], [7, 5, 6, 5, 6, 7, 5])


COPIES = {
    "array key": lambda x: getitem(x, [0, 1]),
    "mask": lambda x: getitem(x, MASK),
    "cast": lambda x: astype(x, "float64"),
    "concat": lambda x: concat([x, x]),
    "pad": lambda x: pad(x, 1),
    "reshape that copies": lambda x: reshape(permute_dims(x, (2, 1, 0)), (24,)),
}


@pytest.mark.parametrize("read", COPIES.values(), ids=COPIES)
def test_write_to_a_copy_stays_in_it(read):
    def written(x):
        base = x * 1.0
        write(read(base))
        return base

    np.testing.assert_array_equal(vjp(written, X)[0], X)


def test_broadcast_view_is_read_only():
    def written(x):
        write(broadcast_to(x * 1.0, (5, *x.shape)))
        return x

    with pytest.raises(ShapeError, match="broadcast_to: its output is read-only"):
        vjp(written, X)


def test_indexing_raw_arrays_gives_raw_arrays(backend):
    x = to_backend(backend, X)

    for key in (0, [0], to_backend(backend, MASK), (to_backend(backend, ROWS), 0)):
        assert is_array(getitem(x, key))
        assert type(setitem(x, 0.0, key)) is type(x)


def test_repeated_number_along_its_axis_receives_every_cotangent():
    x = np.asarray(2.0)

    for axis in (0, -1):
        np.testing.assert_array_equal(
            gx.vjp(lambda x, a=axis: repeat(x, 3, axis=a), x)[0], [2.0] * 3
        )
        assert gx.grad(lambda x, a=axis: gx.sum(repeat(x, 3, axis=a)))(x) == 3.0
