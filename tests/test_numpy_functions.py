"""NumPy's own functions, called on Tensors: the same values as on arrays, and derivatives."""

import warnings

import numpy as np
import pytest

import gradx as gx

X = np.asarray([[0.4, -1.3, 2.2], [1.7, 0.6, -0.9]])  # no ties, no kinks
V = np.asarray([0.3, -1.1, 2.5, 0.8, -0.2])
SQUARE = np.asarray([[2.0, 0.3, -0.4], [0.1, 1.5, 0.7], [0.6, -0.2, 1.2]])
Z = X + 1j * np.asarray([[0.2, 0.9, -0.5], [-1.1, 0.3, 0.7]])
GAPPED = np.asarray([[0.4, np.nan, 2.2], [1.7, 0.6, np.nan]])
EVEN = np.asarray([[True, False, True], [False, True, True]])


def silently(function, x):
    """Call a function of NumPy that a later NumPy calls deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return function(x)


ELEMENTWISE = {
    "arctan2": lambda x: np.arctan2(x, 2.0),
    "array on the left": lambda x: np.ones((2, 3)) * x + np.float64(2) * x,
    "cbrt": np.cbrt,
    "deg2rad": np.deg2rad,
    "degrees": np.degrees,
    "divmod": lambda x: np.divmod(x, 0.7),
    "exp2": np.exp2,
    "exp, tanh, power": lambda x: np.power(np.tanh(np.exp(-x)), 2),
    "fabs": np.fabs,
    "float_power": lambda x: np.float_power(np.exp(x), 2),
    "fmax": lambda x: np.fmax(x, [np.nan, 0.5, 1.0]),
    "fmin": lambda x: np.fmin([np.nan, 0.5, 1.0], x),
    "fmod": lambda x: np.fmod(x, -0.7),
    "i0": np.i0,
    "heaviside": lambda x: np.heaviside(x, 0.5) * x,
    "logaddexp2": lambda x: np.logaddexp2(x, 0.5),
    "maximum": lambda x: np.maximum(x, 2.5),
    "modf": np.modf,
    "radians": np.radians,
    "reciprocal": np.reciprocal,
    "sin": np.sin,
    "sinc": np.sinc,
}
ALONG_AXES = {
    "add.accumulate": lambda x: np.add.accumulate(x * x, axis=1),
    "add.reduce": np.add.reduce,
    "average": np.average,
    "average, weighted": lambda x: np.average(x, axis=1, weights=np.asarray([1.0, 2.0, 4.0])),
    "average, of weights": lambda x: np.average([3.0, 1.0], axis=0, weights=x[:, 0] ** 2),
    "average, returned": lambda x: np.average(x, 0, returned=True),
    "corrcoef": np.corrcoef,
    "cov": np.cov,
    "cov of columns": lambda x: np.cov(x, rowvar=False, bias=True),
    "cov of two": lambda x: np.cov(x[0], x[1], ddof=0),
    "cov of one": lambda x: np.cov(x[0]),
    "cumprod": lambda x: np.cumprod(x, axis=0),
    "cumsum": lambda x: np.cumsum(x * x),
    "cumulative_sum": lambda x: np.cumulative_sum(x * x, axis=1, include_initial=True),
    "max": lambda x: np.max(x, axis=1),
    "max, initial": lambda x: np.max(x, axis=1, initial=2.0),
    "max, where": lambda x: np.max(x, where=EVEN, initial=-5.0, axis=0),
    "mean": lambda x: np.mean(x * x),
    "mean, where": lambda x: np.mean(x * x, axis=1, where=EVEN),
    "median": lambda x: np.median(x, axis=1),
    "median of all": np.median,
    "min, keepdims": lambda x: np.min(x, 1, keepdims=True),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    "percentile": lambda x: np.percentile(x, [10, 50, 75], axis=1),
    "prod": np.prod,
    "prod, along a number of NumPy": lambda x: np.prod(x, axis=np.int64(1)),
    "prod, initial": lambda x: np.prod(x, axis=0, initial=3.0),
    "ptp": lambda x: np.ptp(x, axis=1),
    "quantile, by its level": lambda x: np.quantile(x, np.exp(-(x[:, 0] ** 2)), axis=1),
    "percentile, by its level": lambda x: np.percentile([3.0, 1.0, 7.0], 20 * x[0, 2] ** 2),
    "quantile, keepdims": lambda x: np.quantile(x, 0.3, axis=(0, 1), keepdims=True),
    "std": lambda x: np.std(x, axis=1),
    "sum": lambda x: np.sum(x * x, axis=0),
    "sum, where and initial": lambda x: np.sum(x, 1, initial=2.0, where=EVEN),
    "var": lambda x: np.var(x, axis=0, ddof=1),
    "var, where": lambda x: np.var(x, axis=1, where=EVEN),
    "std, given the mean": lambda x: np.std(x, axis=1, mean=np.mean(x, axis=1, keepdims=True)),
}
MOVED = {
    "append": lambda x: np.append(x, x[0]),
    "append rows": lambda x: np.append(x, x * x, axis=0),
    "array_split": lambda x: np.array_split(x, 2, axis=1),
    "atleast_3d": np.atleast_3d,
    "block": lambda x: np.block([[x, x * x], [x[0] * 2, x[1]]]),
    "broadcast_arrays": lambda x: np.broadcast_arrays(2.0, x, x[0]),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "broadcast_to, an array": lambda x: np.broadcast_to(x, np.asarray([2, 2, 3])),
    "column_stack": lambda x: np.column_stack([x[0], x.T]),
    "concatenate lists": lambda x: np.concatenate([[[1.0, 2.0, 3.0]], x]),
    "stack lists": lambda x: np.stack([x[0], [1.0, 2.0, 3.0]]),
    "concatenate": lambda x: np.concatenate([x, x * x], axis=1),
    "dstack": lambda x: np.dstack([x, x * x]),
    "flip": np.flip,
    "fliplr, flipud": lambda x: np.fliplr(np.flipud(x)),
    "hstack": lambda x: np.hstack([x[0], x[1]]),
    "full_like": lambda x: np.full_like(x, x[0]),
    "full_like, of a shape": lambda x: np.full_like(x, x[0, 0], shape=(2, 2)),
    "hsplit": lambda x: np.hsplit(x, 3),
    "meshgrid": lambda x: np.meshgrid(x[0], x[1]),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "pad": lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0),
    "pad, reflected": lambda x: np.pad(x, 1, mode="reflect"),
    "ravel": np.ravel,
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "reshape, an array": lambda x: np.reshape(x, np.asarray([3, -1])),
    "resized by tile": lambda x: np.tile(x, (2, 1, 2)),
    "roll": lambda x: np.roll(x, 1, axis=1),
    "rollaxis": lambda x: np.rollaxis(x[None], 2),
    "rot90": lambda x: [np.rot90(x, k) for k in range(-1, 5)],
    "split": lambda x: np.split(x, [1], axis=1),
    "squeeze": lambda x: np.squeeze(x[None] * x, axis=0),
    "squeeze all": lambda x: np.squeeze(x[None, :, :1]),
    "stack": lambda x: np.stack([x, x * x], axis=-1),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "tile": lambda x: np.tile(x, 2),
    "transpose": np.transpose,
    "vstack": lambda x: np.vstack([x, x[0]]),
    "vsplit": lambda x: np.vsplit(x, 2),
}
PICKED = {
    "angle": np.angle,
    "clip": lambda x: np.clip(x * x, 0.2, 2.0),
    "clip, by keywords": lambda x: np.clip(x, min=-1.0, max=1.0),
    "compress": lambda x: np.compress([True, False, True], x, axis=1),
    "clip of a number": lambda x: np.clip(0.5, x * x, np.full((2, 3), 3.0)),
    "clip of an array": lambda x: np.ones((2, 3)).clip(x * x, 3.0),
    "extract by where": lambda x: np.where(EVEN, x, x * x),
    "fix": lambda x: silently(np.fix, x) * x,
    "nan_to_num": lambda x: np.nan_to_num(np.where(EVEN, x, np.inf), posinf=1.0, neginf=-1.0),
    "partition": lambda x: np.sort(np.partition(x, 1, axis=1), axis=1),
    "real, imag": lambda x: (np.real(x), np.imag(x)),
    "round": lambda x: np.round(x, 1) * x,
    "select": lambda x: np.select([x > 1, x < 0], [x * x, -x], 3.0),
    "sort": np.sort,
    "sort of all": lambda x: np.sort(x, axis=None),
    "take": lambda x: np.take(x, [2, 0], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.asarray([[2], [0]]), axis=1),
}
MULTIPLIED = {
    "add.outer": lambda x: np.add.outer(x[0], x),
    "convolve": lambda x: [np.convolve(x[0], x[1][:2], m) for m in ("full", "same", "valid")],
    "convolve, short first": lambda x: np.convolve(x[0][:2], x[1]),
    "correlate": lambda x: [np.correlate(x[0], x[1][:2], m) for m in ("full", "same", "valid")],
    "correlate, short first": lambda x: [
        np.correlate(x[0][:2], x[1], m) for m in ("full", "same", "valid")
    ],
    "cross": lambda x: np.cross(x[0], x[1]),
    "cross by columns": lambda x: np.cross([1.0, 2.0, 3.0], x.T, axisb=0, axisc=0),
    "diag": lambda x: [np.diag(x, k) for k in (-1, 0, 1)],
    "diag of a vector": lambda x: [np.diag(x[0], k) for k in (-1, 0, 2)],
    "diagflat": lambda x: np.diagflat(x, 1),
    "diagonal": lambda x: np.diagonal(x[..., None] * x[0], offset=1, axis1=1, axis2=2),
    "dot": lambda x: np.dot(x, x.T),
    "dot, deep": lambda x: np.dot(x, np.ones((2, 3, 4)) * x[:, :, None]),
    "dot of a number": lambda x: np.dot(2.0, x),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "einsum of lists": lambda x: np.einsum(x, [0, 1], x, [2, 1], [0, 2]),
    "inner": lambda x: np.inner(x, x),
    "kron": lambda x: np.kron(x, x[0]),
    "matmul": lambda x: np.matmul(x, x.T),
    "matvec": lambda x: np.matvec(x, x[0]),
    "outer": lambda x: np.outer(x, x[0]),
    "tensordot": lambda x: np.tensordot(x, x, axes=((0,), (0,))),
    "trace": lambda x: np.trace(x, offset=1),
    "tril, triu": lambda x: np.tril(x) + 2 * np.triu(x, 1),
    "vdot": lambda x: np.vdot(x, x),
    "vecdot": lambda x: np.vecdot(x, x),
    "vecmat": lambda x: np.vecmat(x[:, 0], x),
}
DIFFERENCES = {
    "diff": lambda x: np.diff(x, axis=0),
    "diff, twice, extended": lambda x: np.diff(x, 2, prepend=0.5, append=x[:, :1]),
    "ediff1d": lambda x: np.ediff1d(x, to_begin=1.0, to_end=np.asarray([2.0, 3.0])),
    "gradient": np.gradient,
    "gradient, uneven": lambda x: np.gradient(x, np.asarray([0.0, 0.5, 2.0]), axis=1, edge_order=2),
    "gradient, spaced": lambda x: np.gradient(x, 0.5, 2.0),
    "interp": lambda x: np.interp(x, [-1.0, 0.0, 1.0, 1.5], [0.0, 2.0, 1.0, 5.0], left=7.0),
    "interp between": lambda x: np.interp([0.2, 0.7, 3.0], [0.0, 0.5, 1.0], x[0]),
    "linspace": lambda x: np.linspace(x[0], x[1], 4),
    "linspace, open": lambda x: np.linspace(0.0, x, 3, endpoint=False, axis=-1, retstep=True),
    "linspace, of one": lambda x: np.linspace(x[0], x[1], 1),
    "polyval": lambda x: np.polyval(x[0], x),
    "trapezoid": lambda x: np.trapezoid(x, dx=0.5, axis=0),
    "trapezoid, uneven": lambda x: np.trapezoid(x, [0.0, 0.5, 2.0]),
    "trapezoid, over x": lambda x: np.trapezoid([1.0, 2.0, 4.0], x),
}
BESIDE_LISTS = {
    "clip": lambda x: np.clip(x, [-1.0, -1.0, 0.0], [[1.0], [2.0]]),
    "diff": lambda x: np.diff(x, prepend=[[0.0], [1.0]]),
    "einsum": lambda x: np.einsum("ij,j", x, [1.0, 2.0, 3.0]),
    "gradient": lambda x: np.gradient(x, [0, 1, 3], axis=1),
    "linspace": lambda x: np.linspace(x, [1, 2, 3], 4),
    "lstsq": lambda x: np.linalg.lstsq([[1, 2], [0, 1]], x)[0],
    "polyval": lambda x: np.polyval([1, 2, 3], x),
    "select": lambda x: np.select([x > 1, [True, False, False]], [x * x, [1, 2, 3]], 0.5),
    "solve": lambda x: np.linalg.solve([[1, 2], [0, 1]], x),
    "tensordot": lambda x: np.tensordot(x, [[1, 2], [0, 1]], axes=([0], [1])),
    "times": lambda x: [1, 2, 3] * x,
    "where": lambda x: np.where([True, False, True], x, [1, 2, 3]),
}
CALLS = ELEMENTWISE | ALONG_AXES | MOVED | PICKED | MULTIPLIED | DIFFERENCES


def assert_as_on_arrays(f, x):
    """Check what ``f`` returns of a Tensor by what it returns of an array, and its derivatives."""
    found, expected = gx.vjp(f, x)[0], f(x)
    assert isinstance(found, list | tuple) == isinstance(expected, list | tuple)
    several = isinstance(expected, list | tuple)
    for one, other in zip(
        found if several else [found], expected if several else [expected], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
        assert one.shape == np.shape(other)
        assert one.dtype == np.asarray(other).dtype
    gx.testing.check_derivatives(f, x)


@pytest.mark.parametrize("f", CALLS.values(), ids=CALLS)
def test_numpys_own_functions_are_differentiated(f):
    assert_as_on_arrays(f, X)


@pytest.mark.parametrize("f", BESIDE_LISTS.values(), ids=BESIDE_LISTS)
def test_lists_of_numbers_are_arrays_to_them(f):
    assert_as_on_arrays(f, X)


def test_coefficients_of_double_precision_make_the_value_one_of_it():
    x = np.float32([0.5, 2.0])

    for coefficients in ([0.5, -1.0], np.float64([0.5, -1.0]), np.float32([0.5, -1.0]), [1, 2]):
        found = gx.vjp(lambda x, p=coefficients: np.polyval(p, x), x)[0]
        assert found.dtype == np.polyval(coefficients, x).dtype


def test_linspace_ends_exactly_where_it_is_told_to():
    start, stop = np.linspace(0.1, 0.7, 20), np.linspace(1.3, 2.9, 20)

    points = gx.vjp(lambda x: np.linspace(x, stop, 50), start)[0]

    np.testing.assert_array_equal(points[-1], stop)
    assert np.any(start + 49 * ((stop - start) / 49) != stop)


IGNORING_NAN = {
    "nancumsum": lambda x: np.nancumsum(x, axis=1),
    "nancumprod": np.nancumprod,
    "nanmax": lambda x: np.nanmax(x, axis=0),
    "nanmean": lambda x: np.nanmean(x, axis=0),
    "nanmin": np.nanmin,
    "nanprod": np.nanprod,
    "nanstd": lambda x: np.nanstd(x, axis=1, ddof=1),
    "nansum": lambda x: np.nansum(x * x, axis=1),
    "nanvar": lambda x: np.nanvar(x, keepdims=True),
}


@pytest.mark.parametrize("f", IGNORING_NAN.values(), ids=IGNORING_NAN)
def test_nan_is_ignored_by_functions_that_say_so(f):
    there = ~np.isnan(GAPPED)
    of_numbers = lambda x: f(np.where(there, x, np.nan))

    assert_as_on_arrays(f, X)
    np.testing.assert_allclose(gx.vjp(f, GAPPED)[0], f(GAPPED), rtol=1e-14)
    gx.testing.check_derivatives(of_numbers, X)


COMPLEX = {
    "angle": np.angle,
    "average": lambda z: np.average(z, axis=1, weights=[1.0, 2.0, 3.0]),
    "cov": np.cov,
    "correlate": lambda z: np.correlate(z[0], z[1], "full"),
    "fft": np.fft.fft,
    "fftn": lambda z: np.fft.fftn(z, norm="ortho"),
    "fftshift": np.fft.fftshift,
    "ifft2": np.fft.ifft2,
    "irfft": lambda z: np.fft.irfft(z, n=4, axis=-1),
    "real_if_close": lambda z: np.real_if_close(z * np.conj(z)),
    "var": lambda z: np.var(z, axis=1),
    "vdot": lambda z: np.vdot(z, z * z),
}


@pytest.mark.parametrize("f", COMPLEX.values(), ids=COMPLEX)
def test_complex_numbers_go_through_numpys_functions(f):
    assert_as_on_arrays(f, Z)


QUESTIONS = {
    "all": lambda x: np.all(x > -2),
    "allclose": lambda x: np.allclose(x, x + 1e-12),
    "any": lambda x: np.any(x > 2, axis=1, where=EVEN),
    "argmax": lambda x: np.argmax(x, axis=1),
    "argmin": np.argmin,
    "argsort": np.argsort,
    "argwhere": lambda x: np.argwhere(x > 0),
    "array_equal": lambda x: np.array_equal(x, x + 1),
    "array_equal, other shape": lambda x: np.array_equal(x, x[0]),
    "count_nonzero": lambda x: np.count_nonzero(x, axis=0),
    "empty_like": lambda x: np.empty_like(x).shape,
    "flatnonzero": lambda x: np.flatnonzero(x > 0),
    "full_like": lambda x: np.full_like(x, 3, dtype=int),
    "isclose": lambda x: np.isclose(x, [np.nan, np.inf, 2.2], equal_nan=True),
    "iscomplexobj": np.iscomplexobj,
    "isin": lambda x: np.isin(x, [0.4, 1.7]),
    "isposinf, isneginf": lambda x: np.isposinf(x) | np.isneginf(x),
    "isreal, iscomplex": lambda x: np.isreal(x) | np.iscomplex(x),
    "logical_and, or, not, xor": lambda x: np.logical_xor(
        np.logical_and(x, 1.0), np.logical_or(np.logical_not(x), x > 1)
    ),
    "ndim, shape, size": lambda x: (np.ndim(x), np.shape(x), np.size(x), np.size(x, 1)),
    "nonzero": lambda x: np.nonzero(x > 0),
    "ones_like": np.ones_like,
    "result_type": lambda x: np.result_type(x, np.float32).name,
    "searchsorted": lambda x: np.searchsorted(np.sort(x[0]), [0.0, 1.0], side="right"),
    "where": lambda x: np.where(x > 0),
    "zeros_like": lambda x: np.zeros_like(x, shape=(4,)),
}


@pytest.mark.parametrize("f", QUESTIONS.values(), ids=QUESTIONS)
def test_questions_have_numpys_answers(f):
    _, answer = gx.grad(lambda x: (np.sum(x), f(x)), has_aux=True)(X)

    np.testing.assert_equal(answer, f(X))


METHODS = {
    "argmax": lambda x: x.argmax(1),
    "clip": lambda x: x.clip(-1, 1),
    "compress": lambda x: x.compress([False, True], axis=0),
    "conjugate": lambda x: x.conjugate(),
    "cumsum": lambda x: x.cumsum(0),
    "cumprod": lambda x: x.cumprod(),
    "diagonal": lambda x: x.diagonal(1),
    "dot": lambda x: x.dot(x.T),
    "max": lambda x: x.max(0),
    "mean": lambda x: x.mean(axis=-1, keepdims=True),
    "min": lambda x: x.min(),
    "nonzero": lambda x: x.nonzero(),
    "prod": lambda x: x.prod(0),
    "repeat": lambda x: x.repeat(2),
    "round": lambda x: x.round(1) * x,
    "squeeze": lambda x: x[:, :1].squeeze(),
    "std": lambda x: x.std(1, ddof=1),
    "sum": lambda x: x.sum(0),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "take": lambda x: x.take([1, 4]),
    "var": lambda x: x.var(0, ddof=1),
}


@pytest.mark.parametrize("f", METHODS.values(), ids=METHODS)
def test_methods_are_called_like_those_of_arrays(f):
    assert_as_on_arrays(f, X)


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
@pytest.mark.parametrize("f", [np.cbrt, np.i0, np.median, np.fft.fft, np.fft.rfft, np.fft.fftn])
def test_small_dtypes_stay_what_numpy_makes_of_them(f, dtype):
    if dtype == "complex64" and f in (np.cbrt, np.i0, np.fft.rfft):
        pytest.skip("NumPy takes real numbers only")
    x = X.astype(dtype)

    found, expected = gx.vjp(f, x)[0], f(x)

    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=4e-3 if dtype == "float16" else 1e-5)


def test_median_of_nothing_is_nan_with_the_warning_of_numpy():
    for a in (X, gx.tensor(X)):
        with pytest.warns(RuntimeWarning, match=r"(?i)mean of empty slice|invalid value"):
            assert np.isnan(gx.stop_gradient(np.median(a[:0], axis=0))).all()
    assert gx.vjp(lambda x: np.median(x[:0], axis=1), X)[0].shape == (0,)


@pytest.mark.parametrize("said", [{"dtype": None}, {"casting": "same_kind"}, {}])
def test_universal_functions_take_what_says_nothing(said):
    x = np.ones(3, dtype=np.float32)

    for f in (lambda x: np.add(x, x, **said), lambda x: np.sin(x, **said)):
        found, expected = gx.vjp(f, x)[0], f(x)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert found.dtype == np.float32


@pytest.mark.parametrize("rows", [X[:, :2], np.vstack([V, 2 * V + 1, -V])])
def test_correlations_are_numpys_to_the_last_digit_and_never_above_1(rows):
    found = []

    def total(x):
        found.append(np.corrcoef(x))
        return gx.sum(gx.real(found[0]))

    value, gradient = gx.value_and_grad(total)(rows)

    expected = np.corrcoef(rows)
    assert value == np.sum(np.real(expected))
    assert np.max(np.real(expected)) == 1.0
    np.testing.assert_allclose(gradient, 0.0, atol=1e-9)  # each is at an end: 1 or -1


def test_correlations_of_complex_numbers_are_numpys_to_the_last_digit():
    value = gx.value_and_grad(lambda z: gx.sum(gx.real(np.corrcoef(z))))(Z)[0]

    assert value == np.sum(np.real(np.corrcoef(Z)))


def test_what_fmod_leaves_of_0_has_the_derivative_of_its_neighbours():
    slopes = gx.grad(lambda x: np.sum(np.fmod(x, [0.7, -2.0])))(np.zeros(2))

    assert slopes.tolist() == [1.0, 1.0]
