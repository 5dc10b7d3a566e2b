"""NumPy's functions on Tensors of single precision, at odd places, mapped and captured."""

import warnings

import numpy as np
import pytest

import gradx as gx
from tests import test_numpy_editing as editing
from tests import test_numpy_functions as functions
from tests.test_numpy_functions import GAPPED, X, assert_as_on_arrays

CALLS = functions.CALLS | editing.CALLS | functions.IGNORING_NAN
# Where the numbers say how many elements there are, or NumPy itself is asked.
ASKING = (
    *("emath", "histogram", "intersect1d", "piecewise", "setdiff1d", "setxor1d", "union1d"),
    "unique",
)
READING = {name for name in CALLS if name.startswith(ASKING)}
READING -= {"histogram of a range", "histogram, weighted", "histogram, weighted density"}
FORMULAS = ("linear", "hazen", "lower", "midpoint", "nearest")  # places follow from a formula
READING |= {name for name in editing.SPREADS if "nan" in name and not name.endswith(FORMULAS)}


def parts_of(found):
    return list(found) if isinstance(found, list | tuple) else [found]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("f", CALLS.values(), ids=CALLS)
def test_single_precision_gives_the_precision_that_numpy_gives(f):
    x = X.astype(np.float32)

    found, expected = parts_of(gx.vjp(f, x)[0]), parts_of(f(x))

    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.asarray(other).dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_functions_are_mapped_as_over_each_element(name):
    f, stacked = CALLS[name], np.stack([X, np.cos(X)])

    if name in READING:
        with pytest.raises(gx.GradxError, match="asks for the numbers of one call"):
            gx.vmap(f)(stacked)
        return
    found = parts_of(gx.vmap(f)(stacked))

    for number, x in enumerate(stacked):
        for one, other in zip(found, parts_of(gx.vjp(f, x)[0]), strict=True):
            np.testing.assert_allclose(one[number], other, rtol=1e-12, atol=1e-14)


ENDS = np.asarray([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, -3.0, 1.7e308])
MISSING = np.asarray([complex(np.nan, 1), complex(2, np.inf), complex(-np.inf, 3), 4 - 5j])
ODD = {
    "angle": lambda: (np.angle, ENDS),
    "average of infinity": lambda: (np.average, np.asarray([1.0, np.inf])),
    "cbrt": lambda: (np.cbrt, np.asarray([27.0, -64.0, 0.0, np.inf, -np.inf, 1e-310])),
    "cov of nothing": lambda: (np.cov, np.zeros((2, 0))),
    "cov of one row": lambda: (lambda x: np.cov(x, rowvar=False), X[:1]),
    "frexp": lambda: (lambda x: np.frexp(x)[0], ENDS),
    "geomspace of a dtype": lambda: (
        lambda x: np.geomspace(x, 5.0, 3, dtype=np.float32),
        np.abs(X),
    ),
    "frexp, exponents": lambda: (lambda x: np.frexp(x)[1] + np.frexp(x)[0], ENDS),
    "imag": lambda: (np.imag, ENDS),
    "interp, infinite": lambda: (lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0]), ENDS[2:]),
    "interp, one place": lambda: (lambda x: np.interp(x, [0.5], [2.0], 1.0), X[0]),
    "interp, a step": lambda: (lambda x: np.interp([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], x), X[0]),
    "ldexp": lambda: (lambda x: np.ldexp(x, 2000), np.asarray([1e-300, 5e-324, 0.0, 1.0])),
    "ldexp, down": lambda: (lambda x: np.ldexp(x, -2045), np.asarray([1.7e308, 3.0])),
    "linspace of nothing": lambda: (lambda x: np.linspace(0.0, x, 0), X),
    "linspace to its stop": lambda: (lambda x: np.linspace(0.1, x, 7)[-1] - x, X),
    "matrix_rank": lambda: (lambda x: np.linalg.matrix_rank(x, tol=2.5) + np.sum(x), X),
    "max of nothing": lambda: (lambda x: np.max(x, axis=1, initial=0.5), np.zeros((2, 0))),
    "nan_to_num": lambda: (np.nan_to_num, MISSING),
    "piecewise of a number": lambda: (lambda x: np.piecewise(x, x < 0, [np.exp]), X[0, 1]),
    "resize of nothing": lambda: (lambda x: np.resize(x, (2, 2)), np.zeros(0)),
    "spacing": lambda: (lambda x: np.spacing(x), np.append(ENDS, np.finfo(float).max)),
    "take, clipped": lambda: (lambda x: np.take(x, [-9, 1, 9], mode="clip"), X),
    "take, wrapped": lambda: (lambda x: np.take(x, [-9, 1, 9], 1, mode="wrap"), X),
}


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_odd_arguments_give_what_numpy_gives(case):
    f, x = case()
    x = np.asarray(x)

    found, expected = gx.vjp(f, x)[0], f(x)

    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


MORE = {
    "add.reduce, all": lambda x: np.add.reduce(x, 1, initial=2.0, where=functions.EVEN),
    "add.reduce, dtype": lambda x: np.add.reduce(x, dtype=np.float64),
    "array_split by NumPy's number": lambda x: np.array_split(x, np.int64(2), axis=1),
    "average along two axes": lambda x: np.average(
        x[None] * [[[2.0]], [[3.0]]], axis=(2, 0), weights=np.arange(1.0, 7.0).reshape(3, 2)
    ),
    "choose, clipped": lambda x: np.choose([5, -1, 1], [x[0], x[1]], mode="clip"),
    "concatenate lists": lambda x: np.concatenate([x, [[1, 2, 3]]]),
    "cross along the first": lambda x: np.linalg.cross(x.T, np.cos(x.T)[:, None], axis=0),
    "ediff1d, lists": lambda x: np.ediff1d(x, to_begin=[1, 2], to_end=3.0),
    "insert into integers": lambda x: np.insert([1, 2], 1, x[0] * 9) + x[0, :1],
    "interp, around": lambda x: np.interp(3 * x, [0.0, 1.5, 0.5], [1.0, 3.0, 2.0], period=2.0),
    "lstsq": lambda x: np.linalg.lstsq(x.T, x[0] ** 2)[:2],
    "lstsq, nothing left": lambda x: np.linalg.lstsq(x, x[:, 0] ** 2)[:2],
    "lstsq, too low a rank": lambda x: np.linalg.lstsq(np.ones((3, 2)), x[0])[:2],
    "meshgrid, sparse": lambda x: np.meshgrid(x[0], x[1], x[0], sparse=True),
    "multiply.reduce, dtype": lambda x: np.multiply.reduce(x, axis=None, dtype=np.float64),
    "nanmean, where": lambda x: np.nanmean(x, axis=1, where=functions.EVEN),
    "nanstd about another mean": lambda x: np.nanstd(x, 1, mean=np.asarray([[0.3], [0.1]])),
    "nanvar, where": lambda x: np.nanvar(x, axis=0, where=functions.EVEN),
    "pad by ramps": lambda x: np.pad(x, ((2, 1), (0, 3)), "linear_ramp", end_values=(1, 5)),
    "pad by means": lambda x: np.pad(x, 1, "mean", stat_length=((1, 2), (2, 9))),
    "pad by medians and extremes": lambda x: [
        np.pad(x, (2, 1), mode) for mode in ("median", "maximum", "minimum")
    ],
    "pad by a table": lambda x: np.pad(x, {-1: (1, 2), 0: 1}, mode="edge"),
    "pad with an array of ends": lambda x: np.pad(x, 1, constant_values=np.asarray([1, 2])),
    "pad with what varies": lambda x: np.pad(x[0] * x[0], 1, constant_values=x[1, 0]),
    "pad with anything": lambda x: np.pad(x, (1, 2), "empty")[1:-2, 1:-2],
    "pad with ends": lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4))),
    "poly of a matrix": lambda x: np.poly(x[:, :2]),
    "polyint, one constant": lambda x: np.polyint(x[0], 2, k=[3.0]),
    "sort_complex": np.sort_complex,
    "split by NumPy's number": lambda x: np.split(x, np.int64(3), axis=1),
    "std about another mean": lambda x: np.std(x, axis=1, mean=np.asarray([[0.3], [0.1]])),
    "tile by an array": lambda x: np.tile(x, np.asarray([2, 1])),
    "trapezoid of widths": lambda x: np.trapezoid(x, dx=np.asarray([[1.0, 2.0, 3.0]]), axis=0),
    "var about its mean": lambda x: np.var(x, 1, mean=np.mean(x, axis=1, keepdims=True), ddof=1),
    "vecdot along an axis": lambda x: np.vecdot(x, x * x, axis=0),
}


@pytest.mark.parametrize("f", MORE.values(), ids=MORE)
def test_what_more_numpy_takes_is_differentiated(f):
    assert_as_on_arrays(f, X)


@pytest.mark.parametrize("f", [np.fmax, np.fmin])
def test_number_beside_a_nan_has_the_whole_derivative(f):
    x, y = np.asarray([1.0, np.nan, 2.0]), np.asarray([np.nan, 4.0, 3.0])

    gradients = gx.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(x, y)

    larger = f is np.fmax
    np.testing.assert_array_equal(gradients[0] + gradients[1], [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(gradients[1][2], 1.0 if larger else 0.0)


def test_median_beside_nans_is_compiled():
    f = gx.compile(lambda x: np.nanmedian(x, axis=1))

    for x in (GAPPED, GAPPED[::-1] * 3, X):
        np.testing.assert_allclose(f(x), np.nanmedian(x, axis=1), rtol=1e-15)
