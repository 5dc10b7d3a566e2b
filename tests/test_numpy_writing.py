"""NumPy's functions and methods that write into arrays: what is written keeps its derivative."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, ShapeError, TrackedError
from tests.test_numpy_functions import EVEN, SQUARE, X, Z, assert_as_on_arrays


def written(write):
    """Return a function of ``x`` that writes into a copy of it, and returns that."""

    def f(x):
        copy = x * 1.0
        write(copy, x)
        return copy

    return f


INTO_OUT = {
    "a ufunc": lambda t, x: np.exp(x, out=t),
    "a ufunc, by position": lambda t, x: np.multiply(t, x, t),
    "a ufunc that broadcasts": lambda t, x: np.add(x[0], 1.0, out=t),
    "a ufunc where it may": lambda t, x: np.log(x, out=t, where=X > 0),
    "a ufunc, of two outputs": lambda t, x: np.modf(3 * x, out=(t, None)),
    "a reduction": lambda t, x: np.add.reduce(x, axis=0, out=t[0]),
    "clip": lambda t, x: np.clip(t, -1.0, 1.0, out=t),
    "clip, by position": lambda t, x: np.clip(t, -1.0, 1.0, t),
    "concatenate": lambda t, x: np.concatenate([x[1:], x[:1]], out=t),
    "copyto": lambda t, x: np.copyto(t, x[0] ** 2, where=EVEN),
    "cumsum": lambda t, x: np.cumsum(x, axis=1, out=t),
    "matmul": lambda t, x: np.matmul(x, x.T @ x, out=t),
    "mean into a view": lambda t, x: np.mean(x * x, axis=1, out=t[:, 0]),
    "nansum, by position": lambda t, x: np.nansum(x * x, 0, None, t[1]),
}
IN_PLACE = {
    "add.at": lambda t, x: np.add.at(t, [0, 1, 0], x[1]),
    "add.at, a number": lambda t, x: np.add.at(t, ([0, 1, 0], [1, 1, 1]), 2.5),
    "fill_diagonal": lambda t, x: np.fill_diagonal(t, x[:, 2] ** 2),
    "fill_diagonal of a tall one": lambda t, x: np.fill_diagonal(t.T, x[0, 0] ** 2),
    "fill_diagonal, wrapped": lambda t, x: np.fill_diagonal(t[:, :1], x[0], wrap=True),
    "flat": lambda t, x: t.flat.__setitem__(slice(None, None, 2), x[1, :3] ** 2),
    "nan_to_num": lambda t, x: np.nan_to_num(
        np.divide(t, EVEN, out=t), copy=False, posinf=7.0, neginf=2.0
    ),
    "place": lambda t, x: np.place(t, X > 0, x[0, :2] * 3),
    "put": lambda t, x: np.put(t, [[0, 4], [-1, 2]], x[0] ** 2),
    "put, of nothing": lambda t, x: np.put(t, [0, 1], []),
    "put beyond": lambda t, x: np.put(t, [7, -9], [x[0, 0] ** 2, 2.0][1], mode="wrap"),
    "put_along_axis": lambda t, x: np.put_along_axis(t, np.asarray([[2], [0]]), x[:, :1] * 5, 1),
    "putmask": lambda t, x: np.putmask(t, X > 0, x[1] * x[0]),
    "subtract.at": lambda t, x: np.subtract.at(t, [1, 1], x[0]),
}
BY_METHODS = {
    "clip": lambda t, x: t.clip(-1.0, 1.0, t),
    "compress": lambda t, x: x.compress([True, False, True], 1, out=t[:, 1:]),
    "cumsum": lambda t, x: t.cumsum(0, None, t),
    "max": lambda t, x: x.max(0, t[0]),
    "put": lambda t, x: t.put([0, 5], x[0, 1]),
    "round": lambda t, x: x.round(1, out=t),
    "sum": lambda t, x: (x * x).sum(axis=1, out=t[:, 0]),
}
WRITES = {
    f"{name}{of}": write
    for of, calls in {"": INTO_OUT, " in place": IN_PLACE, " method": BY_METHODS}.items()
    for name, write in calls.items()
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_numpy_writes_into_a_tensor_is_differentiated(write):
    assert_as_on_arrays(written(write), X)


def test_what_is_written_through_flat_with_an_operator_is_differentiated():
    def ridge(a):
        gram = a.T @ a
        gram.flat[:: gram.shape[0] + 1] += a[0] ** 2
        gram.flat[1] *= 2.0
        return gram

    assert_as_on_arrays(ridge, SQUARE)


PARTS = {
    "real": lambda z, x: z.real.__setitem__(0, x[1] ** 2),
    "imag": lambda z, x: z.imag.__setitem__((slice(None), 1), 3.0 * x[:, 0]),
    "np.real": lambda z, x: np.copyto(np.real(z), x * x, where=EVEN),
    "np.imag": lambda z, x: np.imag(z).T.__setitem__(1, x[:, 2]),
    "real, all of it": lambda z, x: setattr(z, "real", x**3),
    "imag, all of it": lambda z, x: setattr(z, "imag", 2.0),
    "a view kept before": lambda z, x: (z.imag, z.__imul__(1j))[0].__setitem__(0, x[0] * x[1]),
}


@pytest.mark.parametrize("write", PARTS.values(), ids=PARTS)
def test_what_is_written_to_a_part_of_complex_numbers_is_in_them(write):
    def f(x):
        z = np.sin(x) * (1.0 - 0.5j)
        write(z, x)
        return (z * z).real + np.abs(z)

    assert_as_on_arrays(f, X)


def test_part_of_complex_numbers_is_changed_by_operators():
    def f(x):
        z = x * (1.0 + 2.0j)
        z.imag *= x
        z.real[x > 0.0] -= x[x > 0.0] ** 2
        return (z * z).imag

    assert_as_on_arrays(f, X)


def test_mask_that_varies_with_a_batch_is_written_to():
    def f(x):
        y = x * x
        np.putmask(y, x > 0.0, [2.0, 3.0])
        return y

    np.testing.assert_array_equal(gx.vmap(f)(X), np.stack([f(row) for row in X]))


def test_flat_reads_the_elements_in_order_and_no_later_write_reaches_them():
    def f(x):
        copy = x * 1.0
        first = copy.flat[:2]
        copy.flat = x[1] * 2.0
        return [first, copy, np.stack(list(copy.flat)), np.asarray(len(copy.flat)) * x[0, 0]]

    assert_as_on_arrays(f, X)


def test_out_that_varies_with_nothing_takes_what_varies():
    f = lambda x: np.divide(x, x + 3.0, out=np.zeros_like(x), where=X != 0.4)

    assert_as_on_arrays(f, X)


def test_writing_into_a_constant_leaves_what_was_computed_with_it():
    def f(x):
        factor = np.full_like(x, 3.0)
        product = x * factor
        np.add(factor, 1.0, out=factor)
        np.sum(factor, axis=0, out=factor[0])
        return np.sum(product) + 0 * np.sum(factor)

    np.testing.assert_array_equal(gx.grad(f)(X), np.full_like(X, 3.0))


def test_out_and_what_is_returned_are_the_same_tensor():
    t = gx.tensor(X) * 1.0

    assert np.exp(t, out=t) is t
    assert np.clip(t, 0, 1, out=t) is t
    assert t.cumsum(0, out=t) is t


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: np.exp(t, out=np.zeros((2, 3))), TrackedError, r"np\.exp\(\.\.\., out=\.\.\.\)"),
        (lambda t: np.sum(t, 0, None, np.zeros(3)), TrackedError, r"np\.sum\(\.\.\., out=\.\.\.\)"),
        (lambda t: t.sum(0, None, np.zeros(3)), TrackedError, r"np\.sum\(\.\.\., out=\.\.\.\)"),
        (lambda t: t.clip(0, 1, out=np.zeros(3)), TrackedError, r"np\.clip\(\.\.\., out=\.\.\.\)"),
        (lambda t: np.sum(t, axis=0, out=t[:, 0]), ShapeError, r"np\.sum: out= is .* \(3,\)"),
        (lambda t: np.exp(t, out=np.zeros_like(t, dtype=int)), DTypeError, r"np\.exp: out= is "),
        (lambda t: np.exp(t * 1j, out=t * 1), DTypeError, r"result of dtype complex128"),
        (lambda t: np.copyto(np.zeros((2, 3)), t), TrackedError, r"np\.copyto\(\.\.\., out="),
        (lambda t: np.put_along_axis(np.zeros((2, 3)), [[0]], t, 1), TrackedError, "np.put_along"),
        (lambda t: np.fill_diagonal(np.zeros((2, 3)), t[0]), TrackedError, "lose its derivative"),
        (lambda t: np.add.at(np.zeros(3), [0], t[0]), TrackedError, r"np\.add\.at\(\.\.\., out="),
        (lambda t: np.place(t * 1, X > 0, []), ShapeError, "no values to write to 4 elements"),
        (lambda t: np.fill_diagonal(np.stack([t, t]), 0.0), ShapeError, r"got shape \(2, 2, 3\)"),
        (lambda t: np.log(t, where=X > 0), TrackedError, r"no derivative for np\.log with where"),
        (lambda t: np.exp(t, out=t), TrackedError, "in-place write to"),
    ],
)
def test_what_cannot_be_written_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        gx.grad(lambda t: (np.sum(t), call(t))[0])(X)


# Methods of universal functions

UFUNC_METHODS = {
    "add.accumulate": lambda x: np.add.accumulate(x * x, axis=1),
    "add.reduce": lambda x: np.add.reduce(x, axis=1, keepdims=True, initial=2.0, where=EVEN),
    "add.reduceat": lambda x: np.add.reduceat(x * x, [0, 2, 1], axis=1),
    "divide, of a dtype": lambda x: np.divide(x, 3, dtype=np.float32),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=1),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=None),
    "minimum.accumulate": np.minimum.accumulate,
    "multiply.outer": lambda x: np.multiply.outer([1.0, 2.0], x),
}


@pytest.mark.parametrize("f", UFUNC_METHODS.values(), ids=UFUNC_METHODS)
def test_methods_of_universal_functions_are_differentiated(f):
    if f is UFUNC_METHODS["divide, of a dtype"]:
        assert gx.vjp(f, X)[0].dtype == np.float32
        np.testing.assert_allclose(gx.grad(lambda x: np.sum(f(x)))(X), np.full_like(X, 1 / 3), 1e-6)
    else:
        assert_as_on_arrays(f, X)


def test_running_maximum_is_nan_after_a_nan_and_its_last_highest_has_the_derivative():
    x = np.asarray([1.0, 3.0, 3.0, 2.0, np.nan, 5.0])

    np.testing.assert_array_equal(gx.vjp(np.maximum.accumulate, x)[0], np.maximum.accumulate(x))
    gradient = gx.grad(lambda x: np.maximum.accumulate(x)[3])(x)
    np.testing.assert_array_equal(gradient, [0, 0, 1, 0, 0, 0])


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_arrays_are_joined_along_an_axis_that_is_given_by_its_place(axis):
    assert_as_on_arrays(lambda x: np.concatenate((x, x * x), axis), X)


def test_product_is_written_where_the_third_argument_says():
    def written(x):
        out = x.__array_namespace__().zeros((2, 2))
        np.dot(x, x.T, out)
        return out

    slopes = gx.grad(lambda x: np.sum(written(x)))(X)
    np.testing.assert_allclose(slopes, 2 * np.ones((2, 2)) @ X)


def test_joined_arrays_are_written_where_the_third_argument_says():
    def written(x):
        out = x.__array_namespace__().zeros((4, 3))
        np.concatenate((x, x * x), 0, out)
        return out

    np.testing.assert_allclose(gx.grad(lambda x: np.sum(written(x)))(X), 1 + 2 * X)


@pytest.mark.parametrize("f", [np.maximum.accumulate, np.minimum.accumulate])
def test_running_extremes_are_those_of_each_row_in_a_batch_and_of_each_call_compiled(f):
    slopes = gx.grad(lambda x: np.sum(f(x) * np.arange(3.0)))
    rows = np.stack([X[0], X[1], -X[0]])
    expected = [slopes(row) for row in rows]

    compiled = gx.compile(slopes)

    np.testing.assert_array_equal(gx.vmap(slopes)(rows), expected)
    np.testing.assert_array_equal([compiled(row) for row in rows], expected)
    assert not np.array_equal(expected[0], expected[2])


@pytest.mark.parametrize(("x", "axis"), [(X, 2), (X, -3), (np.asarray(1.0), 0)])
def test_running_extremes_along_no_axis_are_refused(x, axis):
    with pytest.raises(IndexError, match=f"axis {axis} is out of bounds"):
        gx.grad(lambda x: np.sum(np.maximum.accumulate(x, axis=axis)))(x)


def test_reduceat_beyond_the_axis_is_refused():
    with pytest.raises(IndexError, match=r"np\.add\.reduceat: indices for an axis of 3 elements"):
        gx.grad(lambda x: np.sum(np.add.reduceat(x, [0, 3])))(np.ones(3))


# The order of elements

ORDERS = {
    "ravel by columns": lambda x: np.ravel(x, order="F"),
    "ravel method": lambda x: x.ravel("F"),
    "flatten method": lambda x: x.flatten("F"),
    "reshape by columns": lambda x: np.reshape(x, (3, 2), order="F"),
    "reshape to one axis": lambda x: np.reshape(x, -1, order="F"),
    "reshape method": lambda x: x.reshape(3, 2, order="F"),
    "ravel as laid out": lambda x: np.ravel(x.T, order="K"),
    "ravel as laid out, by rows": lambda x: np.ravel(x, order="A"),
    "copy": lambda x: x.copy(order="F"),
}


@pytest.mark.parametrize("f", ORDERS.values(), ids=ORDERS)
def test_elements_are_read_in_the_order_that_is_asked_for(f):
    assert_as_on_arrays(f, X)


def test_order_that_depends_on_memory_is_refused_where_a_tensor_has_another_layout():
    with pytest.raises(TrackedError, match=r"np\.ravel of a view .* order='K'"):
        gx.grad(lambda x: np.sum(np.ravel(x[:, ::2], order="K")))(X)


def test_complex_numbers_are_written_too():
    assert_as_on_arrays(written(lambda t, z: np.multiply(z, 2j, out=t)), Z)


FILLED = {
    "items": lambda out, place, x: out.__setitem__(place, x * x),
    "in place": lambda out, place, x: out[place].__iadd__(x * x),
    "out=": lambda out, place, x: np.multiply(x, x, out=out[place]),
}


@pytest.mark.parametrize("way", FILLED)
def test_threads_may_each_fill_a_part_of_an_array(way):
    x = np.arange(1.0, 9.0)[:, None]
    interval = sys.getswitchinterval()

    def f(x):
        out = x.__array_namespace__().zeros((8, 50))
        work = lambda k: [FILLED[way](out, (k, slice(i, i + 1)), x[k]) for i in range(50)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        return gx.sum(out)

    sys.setswitchinterval(1e-6)
    try:
        value, gradient = gx.value_and_grad(f)(x)
    finally:
        sys.setswitchinterval(interval)

    assert value == 50 * np.sum(x * x)
    np.testing.assert_array_equal(gradient, 100 * x)


@pytest.mark.parametrize(
    "read",
    [
        lambda t: np.einsum("ii->i", t[:, :2]),
        lambda t: gx.linalg.diagonal(t.T),
        lambda t: np.meshgrid(t[0], t[1], copy=False)[0],
        lambda t: np.lib.stride_tricks.sliding_window_view(t, 2, 0),
        lambda t: np.lib.stride_tricks.sliding_window_view(t, 2, 0, writeable=True),
    ],
)
def test_write_that_would_be_lost_in_a_copy_is_refused(read):
    with pytest.raises((ShapeError, TrackedError), match=r"read-only|writeable=True"):
        gx.vjp(written(lambda t, x: read(t).__setitem__(..., 9.0)), X)


@pytest.mark.parametrize("copy", [True, False])
def test_sparse_grids_are_copies_where_numpys_are(copy):
    grids = lambda t: np.meshgrid(t[0], t[1], sparse=True, copy=copy)
    f = written(lambda t, x: grids(t)[0].__setitem__(..., 9.0))

    np.testing.assert_array_equal(gx.vjp(f, X)[0], f(X))
