"""Methods and casts of NumPy's universal functions on Tensors, as NumPy does them on arrays."""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError, TrackedError
from tests.test_numpy_functions import EVEN, X, assert_as_on_arrays

POSITIVE = np.abs(X)


def at(ufunc, *arguments):
    """Return what writes to a copy of ``x`` by ``ufunc.at``."""

    def written(x):
        out = np.copy(x)
        ufunc.at(out, *(part(x) if callable(part) else part for part in arguments))
        return out

    return written


FOLDED = {
    "at, columns": at(np.multiply, (slice(None), [0, 2, 0]), lambda x: x[:, :1]),
    "at, of one argument": at(np.negative, ([0, 1, 0, 1, 0], [1, 0, 1, 0, 1])),
    "at, a mask": at(np.divide, EVEN, 2.0),
    "at, again and again": at(np.maximum, [0, 0, 1, 0], lambda x: x[0] * [[1], [2], [3], [0.5]]),
    "divide.accumulate": lambda x: np.divide.accumulate(x, axis=1),
    "fmax.reduce": lambda x: np.fmax.reduce(x, axis=None),
    "hypot.reduce": np.hypot.reduce,
    "hypot.reduce, of nothing": lambda x: x[0] + np.hypot.reduce(x[:0]),
    "hypot.reduce, all": lambda x: np.hypot.reduce(x, axis=(0, 1), keepdims=True),
    "hypot.reduce, where": lambda x: np.hypot.reduce(x, axis=1, where=EVEN),
    "logaddexp.accumulate": lambda x: np.logaddexp.accumulate(x, axis=1),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True),
    "logaddexp.reduce, initial": lambda x: np.logaddexp.reduce(x, axis=1, initial=0.5),
    "maximum.reduceat": lambda x: np.maximum.reduceat(x, [0, 2, 1], axis=1),
    "multiply.reduceat": lambda x: np.multiply.reduceat(x, [0, 1], axis=-1),
    "reduceat, of no places": lambda x: (
        x[0] + sum(np.sum(f.reduceat(x, np.zeros(0, int), axis=1)) for f in (np.add, np.maximum))
    ),
    "subtract.accumulate": np.subtract.accumulate,
    "subtract.reduce": lambda x: np.subtract.reduce(x, axis=-1),
    "subtract.reduce, where": lambda x: np.subtract.reduce(x, axis=1, where=EVEN, initial=2.0),
}


@pytest.mark.parametrize("f", FOLDED.values(), ids=FOLDED)
def test_methods_of_universal_functions_are_differentiated(f):
    assert_as_on_arrays(f, X)


def test_a_fold_keeps_single_precision():
    x = POSITIVE.astype(np.float32)

    found = gx.vjp(lambda x: np.logaddexp.reduce(x, initial=0.0, where=EVEN), x)[0]

    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: np.subtract.reduce(x, axis=(0, 1)), ValueError, "not reorderable"),
        (lambda x: np.fmax.reduce(x, where=EVEN), ShapeError, r"np\.fmax\.reduce: .* needs init"),
        (lambda x: np.hypot.reduce(x, axis=2), ValueError, "axis 2 is out of bounds"),
        (lambda x: np.hypot.reduceat(x, [3]), OutOfBoundsError, r"hypot\.reduceat: indices for an"),
        (lambda x: np.hypot.at(np.ones(2), 0, x[0, 0]), TrackedError, r"np\.hypot\.at\("),
    ],
)
def test_wrong_calls_of_methods_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        gx.vjp(call, X)


CASTS = {
    "signature, a text": lambda x: np.multiply(x, x, signature="ff->f"),
    "signature, of the result": lambda x: np.multiply(x, 2, signature=(None, None, np.float32)),
    "dtype": lambda x: np.exp(x, dtype=np.float32),
    "dtype, of two arrays": lambda x: np.add(x, [1, 2, 3], dtype=np.float32),
    "dtype, complex": lambda x: np.multiply(x, 1j, dtype=np.complex128),
    "dtype, out": lambda x: np.exp(x, out=np.zeros_like(x), dtype=np.float32),
    "casting": lambda x: np.add(x, np.float32(1.0), casting="safe"),
    "casting into out": lambda x: np.exp(x, out=np.zeros_like(x, np.float32), casting="same_kind"),
    "order, subok": lambda x: np.exp(x, order="F", subok=True),
}


@pytest.mark.parametrize("f", CASTS.values(), ids=CASTS)
def test_universal_functions_compute_in_the_dtype_asked_for(f):
    found, expected = gx.vjp(f, X)[0], f(X)

    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert gx.vjp(f, X)[1](np.ones_like(expected))[0].dtype == X.dtype


def test_a_cast_of_all_that_is_asked_for_cuts_off_into_integers():
    def cut(x):
        return np.multiply(x, 3.0, out=np.zeros_like(x, int), casting="unsafe")

    assert gx.jvp(cut, (X,), (X,))[0].tolist() == cut(X).tolist()


REFUSED_CASTS = {
    "down, safe": lambda x: np.add(x, 1, dtype=np.float32, casting="safe"),
    "to whole numbers": lambda x: np.add(x, 1, dtype=int),
    "to real numbers": lambda x: np.exp(x + 1j, dtype=float),
    "none at all": lambda x: np.add(x, np.float32(1.0), casting="no"),
    "into out, safe": lambda x: np.exp(x, out=np.zeros_like(x, np.float32), casting="safe"),
    "no such loop": lambda x: np.sin(x, dtype=int),
}


@pytest.mark.parametrize("f", REFUSED_CASTS.values(), ids=REFUSED_CASTS)
def test_casts_that_numpy_refuses_are_refused(f):
    with pytest.raises(TypeError):
        f(X)
    with pytest.raises(DTypeError, match=r"np\.\w+: (Cannot cast|No loop)"):
        gx.vjp(f, X)


def test_objects_have_no_derivative():
    with pytest.raises(TrackedError, match=r"np\.add with dtype="):
        gx.vjp(lambda x: np.add(x, 1.0, dtype=object), X)
