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
    "intersect1d": lambda x: np.intersect1d(x, x[0, ::2]),
    "insert": lambda x: np.insert(x, 1, [7.0, 8.0], axis=1),
    "insert columns": lambda x: np.insert(x, [1, 2], x[:, :1], axis=1),
    "insert into all": lambda x: np.insert(x, [1, 1, -1], x[0] * x[1]),
    "insert into an array": lambda x: np.insert(np.zeros(3), 1, x[0, 0]),
    "logspace": lambda x: np.logspace(x[0], x[1], 3, base=2.0),
    "piecewise": lambda x: np.piecewise(x, [x < 0, x > 1], [lambda t: -t, lambda t: t * t, 5.0]),
    "piecewise, one piece": lambda x: np.piecewise(x, [x > 0], [np.log]),
    "resize": lambda x: np.resize(x, (4, 2)),
    "setdiff1d": lambda x: np.setdiff1d(np.concatenate([x[0], x[0]]), x[0, 1]),
    "setxor1d": lambda x: np.setxor1d(x[0], x[0, :2]),
    "setxor1d of two": lambda x: np.setxor1d(x[0], x[1]),
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
    "polydiv": lambda p: np.polydiv(p, p[2:4]),
    "polydiv by a longer one": lambda p: np.polydiv(p[:2], p),
    "polyfit": lambda p: np.polyfit(np.arange(5.0), p, 2, w=np.arange(1.0, 6.0)),
    "polyfit and its covariance": lambda p: np.polyfit(np.arange(5.0), p, 2, cov=True),
    "polyfit and its unscaled covariance": lambda p: np.polyfit(p, V**2, 1, cov="unscaled")[1],
    "polyfit of columns": lambda p: np.polyfit(
        np.arange(5.0), np.stack([p, np.cos(p)], 1), 1, w=2 + np.sin(p), cov=True
    ),
    "polyfit, all it knows": lambda p: np.polyfit(p, np.arange(5.0), 2, full=True)[:4],
    "polyfit over x": lambda p: np.polyfit(p, np.arange(5.0) ** 2, 2),
    "polyint": lambda p: np.polyint(p, 2, k=[1.0, 2.0]),
    "polymul": lambda p: np.polymul(p, [1.0, 2.0]),
    "roots": lambda p: np.real(np.roots(np.concatenate([[2.0], p]))) ** 2,
    "roots, real ones": lambda p: np.roots(np.poly(p)),
    "roots, some 0": lambda p: np.roots(np.concatenate([[0.0], p[2:], [0.0, 0.0]])),
    "roots of a constant": lambda p: np.roots(p[:1]),
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
COUNTS = {
    "histogram, weighted": lambda x: np.histogram(X, [-1.0, 0.0, 1.0, 2.2], weights=x * x),
    "histogram, weighted density": lambda x: np.histogram(X, 3, weights=x * x, density=True),
    "histogram, density": lambda x: np.histogram(x, 4, density=True),
    "histogram, edges": lambda x: np.histogram(x, "sturges")[1],
    "histogram of a range": lambda x: np.histogram(x, 3, (-1, 1), weights=np.exp(x)),
    "histogram_bin_edges": lambda x: np.histogram_bin_edges(x[0], 4),
    "histogram, edges around one number": lambda x: np.histogram(x[0, 0], 3)[1],
    "histogram2d": lambda x: np.histogram2d(x[0], x[1], (2, 3), weights=x[0] * x[1]),
    "histogram2d, density": lambda x: np.histogram2d(x[0], x[1], 2, density=True),
    "histogramdd": lambda x: np.histogramdd(x.T, [2, 3], weights=x[0])[0],
}
DOMAINS = {
    "emath.arcsin": lambda x: np.emath.arcsin(x / 5),
    "emath.arccos, complex": lambda x: np.emath.arccos(x[:, :2]),
    "emath.arctanh": lambda x: np.emath.arctanh(x / 3),
    "emath.log": np.emath.log,
    "emath.logn": lambda x: np.emath.logn(2.0, x * x),
    "emath.power": lambda x: np.emath.power(x, 2.5),
    "emath.sqrt": np.emath.sqrt,
    "emath.sqrt, real": lambda x: np.emath.sqrt(x * x),
}
CALLS = EDITS | SPREADS | OTHERS | COUNTS | DOMAINS


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
    "array_equiv": lambda x: np.array_equiv(x, x),
    "digitize": lambda x: np.digitize(x, [0.0, 1.0]),
    "histogram": lambda x: np.histogram(x, [-1.0, 0.0, 1.0, 2.2])[0],
    "histogramdd": lambda x: np.histogramdd([x[0], x[1]], [2, 2])[0],
    "intersect1d places": lambda x: np.intersect1d(x, X[0], return_indices=True)[1:],
    "lexsort": lambda x: np.lexsort((x[0], np.round(x[1]), x[1] > 0)),
    "lexsort along columns": lambda x: np.lexsort((-x, x > 0), axis=0),
    "ravel_multi_index": lambda x: np.ravel_multi_index((x > 0).astype(int), (2, 2, 2)[:2]),
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


def test_numbers_that_vary_choose_as_conditions():
    assert_as_on_arrays(lambda x: np.compress(np.maximum(x[0], 0.0), x, axis=1), X)
    assert_as_on_arrays(lambda x: np.extract(np.maximum(x, 0.0), x**2), X)


READING = {
    "bincount": lambda x: np.bincount(np.argsort(x[0]), x[0]),
    "choose": lambda x: np.choose(np.argsort(x[0]), [x[0], x[1], x[0]]),
    "compress": lambda x: np.compress(x[0] > 0.0, x, axis=1),
    "extract": lambda x: np.extract(x > 0.0, x),
    "nanquantile": lambda x: np.nanquantile(x, 0.3, method="inverted_cdf"),
    "unique": np.unique,
}


@pytest.mark.parametrize("f", READING.values(), ids=READING)
def test_what_reads_numbers_is_not_captured(f):
    with pytest.raises(gx.errors.CaptureError, match="asks for the number"):
        gx.capture(f)(X)


@pytest.mark.parametrize("f", READING.values(), ids=READING)
def test_what_reads_numbers_is_refused_where_vmap_holds_those_of_several_calls(f):
    with pytest.raises(TrackedError, match="asks for the numbers of one call"):
        gx.vmap(f)(np.stack([X, X[:, ::-1]]))


MAPPED = {
    "argpartition": lambda x: np.sort(np.take_along_axis(x, np.argpartition(x, 1), -1)[:, :2]),
    "lexsort": lambda x: x[0][np.lexsort((x[0], x[1] > 0))],
    "digitize": lambda x: np.digitize(x, [0.0, 1.0]),
    "digitize downwards": lambda x: np.digitize(x, [1.0, 0.4, 0.0], right=True),
    "histogram": lambda x: np.histogram(x, [-1.0, 0.0, 1.0, 2.2])[0],
    "histogram of a range": lambda x: np.histogram(x, 3, (-1, 1), weights=np.exp(x))[0],
    "tril_indices_from": lambda x: x[np.tril_indices_from(x)],
    "unwrap": lambda x: np.unwrap(3 * x),
}


@pytest.mark.parametrize("f", MAPPED.values(), ids=MAPPED)
def test_each_call_of_vmap_and_of_a_graph_has_its_own_answer(f):
    several = np.stack([X, X[:, ::-1] * 1.5, -X])
    graph = gx.capture(f)(X)

    expected = np.stack([f(x) for x in several])
    np.testing.assert_allclose(gx.vmap(f)(several), expected, rtol=1e-14)
    np.testing.assert_allclose(np.stack([graph(x) for x in several]), expected, rtol=1e-14)


def test_median_is_captured():
    graph = gx.capture(lambda x: np.median(x, axis=1))(X)

    np.testing.assert_array_equal(graph(X[:, ::-1] * 2), np.median(X[:, ::-1] * 2, axis=1))


def test_universal_functions_of_scipy_are_those_of_gradx():
    special = pytest.importorskip("scipy.special")

    assert_as_on_arrays(special.erfcx, X)
    assert_as_on_arrays(special.expm1, X)
    with pytest.raises(TrackedError, match=r"no derivative for scipy\.special\.kolmogorov"):
        special.kolmogorov(gx.tensor(X))


SMOOTH_METHODS = ["hazen", "interpolated_inverted_cdf", "linear", "median_unbiased", "weibull"]
STEPS = ["averaged_inverted_cdf", "closest_observation", "higher", "inverted_cdf", "midpoint"]
# From beside 0, where the smallest element is the quantile, to beside 1; none at a kink.
LEVELS = np.asarray([0.027, 0.13, 0.37, 0.52, 0.87, 0.985])


@pytest.mark.parametrize("method", [*SMOOTH_METHODS, *STEPS, "normal_unbiased"])
def test_quantiles_of_every_method_are_differentiated_by_their_levels(method):
    x = np.random.default_rng(3).normal(size=(2, 7))
    f = lambda x, q: np.quantile(x, q, axis=1, method=method)

    np.testing.assert_allclose(gx.vjp(f, x, LEVELS)[0], f(x, LEVELS), 1e-14)
    gx.testing.check_derivatives(f, x, LEVELS)
    by_level = gx.grad(lambda q: np.sum(f(x, q)))(LEVELS)
    assert np.any(by_level) == (method not in STEPS)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("function", [np.quantile, np.nanquantile, np.percentile])
def test_quantiles_of_what_is_weighed_are_the_elements_that_numpy_takes(function, axis):
    draw = np.random.default_rng(4)
    x, weights = draw.normal(size=(2, 3, 4)), draw.uniform(0.1, 2.0, size=(2, 3, 4))
    weights[0, 0, :2] = 0.0
    f = lambda x: function(x, LEVELS, axis=axis, weights=weights, method="inverted_cdf")
    with_nan = np.where(x > 1, np.nan, x)

    gx.testing.check_derivatives(f, x)
    if function is np.nanquantile and axis == (0, 2):  # where NumPy itself raises
        with_nan = x
    for array in (x, x.astype(np.float32), with_nan):
        found = gx.vjp(f, array)[0]
        np.testing.assert_array_equal(found, f(array))
        assert found.dtype == f(array).dtype


def test_quantiles_of_one_axis_are_weighed_by_its_elements():
    f = lambda x: np.quantile(x, 0.4, axis=1, weights=[0, 2, 1], method="inverted_cdf")

    assert_as_on_arrays(f, X)
    with pytest.raises(ValueError, match="Only method 'inverted_cdf' supports weights"):
        gx.grad(lambda x: np.quantile(x, 0.4, weights=X))(X)


@pytest.mark.parametrize("widths", [1, (2, 9), ((3, 0), (0, 11))])
@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (5, 1)])
def test_ends_are_turned_about_as_numpy_pads_them(shape, mode, widths):
    x = np.random.default_rng(5).normal(size=shape)
    f = lambda x: np.pad(x, widths, mode, reflect_type="odd")

    np.testing.assert_allclose(gx.vjp(f, x)[0], f(x), 1e-13, 1e-13)
    gx.testing.check_derivatives(f, x)
    assert gx.vjp(f, x.astype(np.float32))[0].dtype == np.float32
    even = lambda x: np.pad(x, widths, mode, reflect_type="even")
    np.testing.assert_array_equal(gx.vjp(even, x)[0], even(x))


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest", "midpoint"])
def test_quantiles_of_a_batch_need_no_numbers(method):
    x = np.random.default_rng(3).normal(size=(2, 7))
    x[1, 2:4] = np.nan
    levels = np.append(LEVELS, [0.0, 0.25, 0.75, 1.0])
    f = lambda x, q: np.nanquantile(x, q, method=method)

    found = gx.vmap(f, in_axes=(0, None))(x, levels)

    np.testing.assert_array_equal(found, [f(row, levels) for row in x])
    np.testing.assert_array_equal(gx.compile(f)(x, levels), f(x, levels))


@pytest.mark.parametrize("method", SMOOTH_METHODS)
def test_quantiles_at_varying_levels_are_compiled_and_batched(method):
    f = gx.grad(lambda q: np.sum(np.quantile(X, q, axis=1, method=method)))
    compiled = gx.compile(f)

    expected = [f(level) for level in LEVELS]

    np.testing.assert_allclose([compiled(level) for level in LEVELS], expected)
    np.testing.assert_allclose(gx.vmap(f)(LEVELS), expected)


IN_SINGLE_PRECISION = {
    "insert": lambda x: np.insert(x, 1, 0.5),
    "insert numbers": lambda x: np.insert(x, [0, 2], np.asarray([0.5, 2.0])),
    "linspace": lambda x: np.linspace(x[0, 0], x[1, 1], 4),
    "linspace of arrays": lambda x: np.linspace(x[0], 2.0, 4, endpoint=False),
}


@pytest.mark.parametrize("f", IN_SINGLE_PRECISION.values(), ids=IN_SINGLE_PRECISION)
def test_single_precision_stays_as_in_numpy(f):
    x = X.astype(np.float32)

    out, tangent = gx.jvp(f, (x,), (x,))

    assert (out.dtype, tangent.dtype) == (f(x).dtype, np.float32)
    np.testing.assert_allclose(out, f(x), rtol=1e-6)
