"""NumPy's functions that edit, interpolate and fit: as on arrays, with derivatives."""

import warnings

import numpy as np
import pytest

import gradx as gx
from gradx.errors import TrackedError
from tests.test_numpy_functions import SQUARE, V, X, Z, assert_as_on_arrays

DEEP = np.sin(np.arange(36.0) ** 2).reshape(2, 3, 6)
UPPER = SQUARE + np.diag([4.0, 0.0, -4.0])  # not symmetric, its eigenvalues apart

EDITS = {
    "apply_along_axis": lambda x: np.apply_along_axis(lambda row: row * row.sum(), 0, x),
    "apply_along_axis, to numbers": lambda x: np.apply_along_axis(np.sum, 1, x * x),
    "apply_along_axis, to matrices": lambda x: np.apply_along_axis(
        lambda row: np.outer(row, row), 0, x
    ),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x * x, [0, 1]),
    "bincount": lambda x: np.bincount([0, 1, 1], x[0], minlength=4),
    "choose": lambda x: np.choose([0, 1, 0], [x[0], x[1]]),
    "delete": lambda x: np.delete(x, [0, 2], axis=1),
    "delete of all": lambda x: np.delete(x, slice(1, 3)),
    "extract": lambda x: np.extract(X > 0, x),
    "geomspace": lambda x: np.geomspace(np.exp(x[0]), np.exp(x[1]), 4),
    "insert": lambda x: np.insert(x, 1, [7.0, 8.0], axis=1),
    "insert columns": lambda x: np.insert(x, [1, 2], x[:, :1], axis=1),
    "insert into all": lambda x: np.insert(x, [1, 1, -1], x[0] * x[1]),
    "insert into an array": lambda x: np.insert(np.zeros(3), 1, x[0, 0]),
    "logspace": lambda x: np.logspace(x[0], x[1], 3, base=2.0),
    "piecewise": lambda x: np.piecewise(x, [x < 0, x > 1], [lambda t: -t, lambda t: t * t, 5.0]),
    "piecewise, one piece": lambda x: np.piecewise(x, [x > 0], [np.log]),
    "resize": lambda x: np.resize(x, (4, 2)),
    "sliding_window_view": lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)),
    "union1d": lambda x: np.union1d(x[0], x[1]),
    "unique": lambda x: np.unique(np.concatenate([x, x])),
    "unique, with more": lambda x: np.unique(x[[0, 0]], return_counts=True, axis=0)[0],
    "unwrap": lambda x: np.unwrap(3 * x),
    "unwrap rows": lambda x: np.unwrap(3 * x, axis=0, period=2.0),
}
POLYNOMIALS = {
    "poly": np.poly,
    "polyadd, polysub": lambda p: np.polysub(np.polyadd(p, [1.0, 2.0]), [3.0]),
    "polyder": lambda p: np.polyder(p, 2),
    "polyfit": lambda p: np.polyfit(np.arange(5.0), p, 2, w=np.arange(1.0, 6.0)),
    "polyfit over x": lambda p: np.polyfit(p, np.arange(5.0) ** 2, 2),
    "polyint": lambda p: np.polyint(p, 2, k=[1.0, 2.0]),
    "polymul": lambda p: np.polymul(p, [1.0, 2.0]),
    "trim_zeros": lambda p: np.trim_zeros(p * np.asarray([0.0, 1.0, 0.0, 1.0, 0.0])),
    "vander": lambda p: np.vander(p, 3, increasing=True),
}
SPREADS = {
    f"{name}, {method}": lambda x, f=f, method=method: f(
        x, [0.0, 0.3, 0.5, 1.0], axis=1, method=method, keepdims=True
    )
    for name, f in {"quantile": np.quantile, "nanquantile": np.nanquantile}.items()
    for method in ("linear", "lower", "midpoint", "hazen", "averaged_inverted_cdf", "nearest")
}
OTHERS = {
    "cov, weighted": lambda x: np.cov(x, fweights=[1, 2, 3], aweights=[0.5, 1.0, 0.2]),
    "float_power of integers": lambda x: np.float_power(2, x),
    "frexp": lambda x: np.frexp(x)[0],
    "kron of numbers": lambda x: np.kron(x[0, 0], x[0, 1]),
    "ldexp": lambda x: np.ldexp(x, [1, 2, 3]),
    "nanmedian": np.nanmedian,
    "nanpercentile": lambda x: np.nanpercentile(x, 30, axis=0),
}
CALLS = EDITS | SPREADS | OTHERS


@pytest.mark.parametrize("f", CALLS.values(), ids=CALLS)
def test_editing_functions_are_differentiated(f):
    assert_as_on_arrays(f, X)


@pytest.mark.parametrize("f", POLYNOMIALS.values(), ids=POLYNOMIALS)
def test_polynomials_are_differentiated(f):
    assert_as_on_arrays(f, V)


def test_tensors_of_equations_are_solved_and_inverted():
    assert_as_on_arrays(lambda b: np.linalg.tensorsolve(DEEP, b), np.ones((2, 3)))
    identity = np.eye(6).reshape(2, 3, 6)
    assert_as_on_arrays(lambda a: np.linalg.tensorinv(identity + a / 8), DEEP)


@pytest.mark.parametrize("triangle", ["L", "U"])
def test_only_the_triangle_that_numpy_reads_has_a_derivative(triangle):
    f = lambda a: np.linalg.eigvalsh(a, triangle)

    assert_as_on_arrays(f, UPPER)
    unread = np.triu if triangle == "L" else np.tril
    jacobian = gx.jacobian(f)(UPPER)
    assert not unread(jacobian, 1 if triangle == "L" else -1).any()


def test_float_power_takes_complex_numbers():
    assert_as_on_arrays(lambda z: np.float_power(z, 2), Z)


def test_quantile_of_nothing_but_nan_is_nan_and_one_of_a_row_with_infinity_is_not():
    x = np.asarray([[np.nan, np.nan, np.nan], [1.0, 2.0, np.inf], [np.nan, 3.0, 5.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = gx.vjp(lambda x: np.nanmedian(x, axis=1), x)[0]
        largest = gx.vjp(lambda x: np.nanmax(x, axis=1), x)[0]

    np.testing.assert_array_equal(found, [np.nan, 2.0, 4.0])
    np.testing.assert_array_equal(largest, [np.nan, np.inf, 5.0])


def test_nanstd_of_a_constant_has_a_derivative_of_0():
    assert gx.grad(np.nanstd)(np.asarray([2.0, np.nan, 2.0])).tolist() == [0.0, 0.0, 0.0]


ANSWERS = {
    "argpartition": lambda x: np.argpartition(x, 1, axis=1),
    "array_equiv": lambda x: np.array_equiv(x, x),
    "digitize": lambda x: np.digitize(x, [0.0, 1.0]),
    "lexsort": lambda x: np.lexsort((x[0], x[1])),
    "nanargmax": lambda x: np.nanargmax(x, axis=1),
    "nanargmin": np.nanargmin,
    "spacing": lambda x: np.spacing(x),
    "tril_indices_from": lambda x: np.tril_indices_from(x),
    "unique counts": lambda x: np.unique(x, return_counts=True)[1],
}


@pytest.mark.parametrize("f", ANSWERS.values(), ids=ANSWERS)
def test_answers_are_numpys(f):
    _, answer = gx.grad(lambda x: (np.sum(x), f(x)), has_aux=True)(X)

    np.testing.assert_equal(answer, f(X))


READING = {
    "argpartition": lambda x: x[0][np.argpartition(x[0], 1)],
    "bincount": lambda x: np.bincount(np.argsort(x[0]), x[0]),
    "choose": lambda x: np.choose(np.argsort(x[0]), [x[0], x[1], x[0]]),
    "digitize": lambda x: x * np.digitize(x, [0.0, 1.0]),
    "lexsort": lambda x: x[0][np.lexsort((x[0], x[1]))],
    "nanquantile": lambda x: np.nanquantile(x, 0.3, method="hazen"),
    "unique": np.unique,
}


@pytest.mark.parametrize("f", READING.values(), ids=READING)
def test_what_reads_numbers_is_not_captured(f):
    with pytest.raises(gx.errors.CaptureError, match="asks for the number"):
        gx.capture(f)(X)


def test_median_is_captured():
    graph = gx.capture(lambda x: np.median(x, axis=1))(X)

    np.testing.assert_array_equal(graph(X[:, ::-1] * 2), np.median(X[:, ::-1] * 2, axis=1))


def test_universal_functions_of_scipy_are_those_of_gradx():
    special = pytest.importorskip("scipy.special")

    assert_as_on_arrays(special.erfcx, X)
    assert_as_on_arrays(special.expm1, X)
    with pytest.raises(TrackedError, match=r"no derivative for scipy\.special\.struve"):
        special.struve(1.0, gx.tensor(X))


def test_quantile_is_not_differentiated_by_its_level_and_says_so():
    with pytest.raises(TrackedError, match=r"np\.asarray\(\) of a Tensor"):
        gx.grad(lambda q: np.quantile(X, q))(np.asarray(0.3))
