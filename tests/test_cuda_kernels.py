"""CUDA kernels, run thread by thread by g++ on a machine without a GPU, against float64.

Each op that has a kernel runs on its own samples, through the function that CuPy's backend
registers, on a CuPy made of NumPy; then where kernels go wrong: sizes that no block divides,
rows longer than a block, ties, infinities and NaNs. ``test_cuda_sources.py`` compiles the
same sources with NVIDIA's compiler.
"""

import math
import pkgutil
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx import backends
from gradx.backends import registry
from gradx.core.op import OPS
from gradx.device import to_device
from gradx.errors import AxisError, DTypeError, OutOfBoundsError, ShapeError
from tests.cuda_emulation import needs_compiler
from tests.fake_cupy import Machine, installed
from tests.test_ops import drawing, reference

pytestmark = needs_compiler

PATH = [str(Path(backends.__file__).parent / "cuda_kernels")]
# Relative to the largest element; sixteen-bit numbers are rounded when they are stored.
TOLERANCE = {"float64": 1e-13, "float32": 1e-6, "float16": 2**-10}
WITH_KERNELS = (
    *("add_at", "convolution", "convolution_kernel", "convolution_transpose", "gelu"),
    *("log_softmax", "maximum_of_windows", "read_at_maxima", "softmax", "softmax_cross_entropy"),
    *("spread_over_windows", "spread_to_maxima", "sum_of_windows"),
    *("child_keys", "folded_key", "random_numbers", "take"),
    *("normal_probability", "sech_squared", "sigmoid", "sigmoid_slope", "softplus"),
)


@pytest.fixture(scope="module")
def cuda():
    """The CuPy backend on a machine with two GPUs, which g++ plays."""

    def version(distribution):
        if distribution == "cupy-cuda13x":
            return "14.2.0"
        raise metadata.PackageNotFoundError(distribution)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_by_device", {})
        patch.setattr(registry, "_by_array_type", {})
        patch.setattr(metadata, "version", version)
        machine = Machine()
        with installed(machine):
            backend, _ = backends.backend_for_device("cuda")
            yield Played(machine, backend, Modules())


class Modules:
    """The modules of kernels that belong to the CuPy that is installed."""

    def __getattr__(self, name):
        return import_module(f"gradx.backends.cuda_kernels.{name}")


class Played:
    """The backend, its kernels' modules, and the way there and back."""

    def __init__(self, machine, backend, modules):
        self.machine, self.backend, self.modules = machine, backend, modules

    def __call__(self, function, *arrays, **params):
        """Call ``function(xp, *arrays)`` on the device; return NumPy's arrays."""
        moved = [self.put(x) if isinstance(x, (np.ndarray, np.generic)) else x for x in arrays]
        out = function(self.backend.xp, *moved, **params)
        return tuple(map(self.get, out)) if isinstance(out, tuple) else self.get(out)

    def module(self, name):
        return import_module(name)

    def put(self, array):
        return to_device(np.asarray(array), "cuda")

    def get(self, array):
        assert type(array) in self.backend.array_types
        return np.array(array)

    def kernel(self, name):
        return self.backend.kernels[name]


def assert_close(actual, expected, dtype=None):
    name = (dtype or actual.dtype).name if not isinstance(dtype, str) else dtype
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    finite = np.isfinite(expected)
    assert np.array_equal(np.where(finite, 0, actual), np.where(finite, 0, expected), True)
    scale = np.abs(expected[finite]).max(initial=0) or 1
    error = np.abs(actual[finite].astype(expected.dtype) - expected[finite]).max(initial=0)
    assert error <= TOLERANCE[name.replace("complex128", "float64")] * scale


def every(name, values):
    return pytest.mark.parametrize(name, values, ids=lambda value: str(value).replace(" ", ""))


def samples():
    for name in WITH_KERNELS:
        for index, sample in enumerate(OPS[name].samples(drawing(seed=0))):
            yield pytest.param(name, sample, id=f"{name}-{index}")


def rounded(array, dtype):
    keep = getattr(array, "dtype", None) != np.float64
    return array if keep else array.astype(dtype)


def test_ops_with_kernels_are_those_that_are_tested(cuda):
    modules = [getattr(cuda.modules, found.name) for found in pkgutil.iter_modules(PATH)]

    with_kernels = {op for one in modules for op in getattr(one, "KERNELS", ())}

    assert with_kernels == set(WITH_KERNELS)
    assert with_kernels <= set(cuda.backend.kernels)


@every("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "sample"), list(samples()))
def test_kernel_is_the_op_on_each_of_its_samples(name, sample, dtype, cuda):
    arrays = [rounded(array, dtype) for array in sample.arrays]
    exact = [rounded(array, np.float64) for array in arrays]

    actual = cuda(cuda.kernel(name), *arrays, **sample.params)

    expected = reference(OPS[name], sample._replace(arrays=tuple(exact)))
    if actual.dtype.kind == "c":
        assert np.allclose(actual, expected, rtol=1e-6)
        return
    if actual.dtype.kind != "f":
        assert np.array_equal(actual, expected)
        return
    assert actual.dtype == sample.params.get("drawn_dtype", dtype)
    assert_close(actual, expected)


# Rows

ROWS = [(1, 1), (3, 7), (9, 32), (2, 1023), (1, 1025), (2, 5003)]


def softmax_of(x):
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        powers = np.exp(x - x.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)


@every("dtype", ["float64", "float32", "float16"])
@every("shape", ROWS)
def test_softmax_of_rows_of_any_length(shape, dtype, cuda):
    x = np.random.default_rng(0).normal(size=shape, scale=5).astype(dtype)

    actual = cuda(cuda.kernel("softmax"), x)

    assert_close(actual, softmax_of(x))


@every("dtype", ["float64", "float32"])
@every("shape", ROWS)
def test_softmax_and_its_logarithm_are_pulled_back(shape, dtype, cuda):
    rng = np.random.default_rng(1)
    x, g = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    softmax = cuda.modules.softmax
    p = softmax_of(x)

    out = cuda(softmax.softmax_backward, g, p.astype(dtype))
    logarithms = cuda(softmax.log_softmax_backward, g, np.log(p).astype(dtype))

    assert_close(out, p * (g - (p * g).sum(axis=-1, keepdims=True)))
    assert_close(logarithms, g - p * g.astype(float).sum(axis=-1, keepdims=True))


@every("width", [4, 1100])
def test_rows_with_infinities_and_nans_are_as_on_the_cpu(width, cuda):
    x = np.zeros((5, width))
    x[0] = -np.inf
    x[1, 1] = -np.inf
    x[2, 2] = np.inf
    x[3, -1] = np.nan
    x[4] = 700.0
    labels = np.zeros(5, np.int64)

    with np.errstate(invalid="ignore"):
        expected = gx.nn.softmax(x), gx.nn.log_softmax(x), gx.nn.softmax_cross_entropy(x, labels)

    assert_close(cuda(cuda.kernel("softmax"), x), expected[0])
    assert_close(cuda(cuda.kernel("log_softmax"), x), expected[1])
    assert_close(cuda(cuda.kernel("softmax_cross_entropy"), x, labels), expected[2])


@every("axis", [0, 1, (0, 2), None])
def test_softmax_along_any_axes_of_any_layout(axis, cuda):
    x = np.random.default_rng(2).normal(size=(4, 3, 5))
    transposed = cuda.put(x).transpose(2, 0, 1)

    out = cuda(cuda.kernel("softmax"), transposed, axis=axis)

    assert_close(out, gx.nn.softmax(x.transpose(2, 0, 1), axis=axis))


def test_softmax_refuses_what_has_none(cuda):
    softmax = cuda.kernel("softmax")

    with pytest.raises(AxisError, match="softmax: axis=2 of an array with 2 axes"):
        cuda(softmax, np.ones((2, 3)), axis=2)
    with pytest.raises(DTypeError, match=r"softmax: expected one of float64.*got complex128"):
        cuda(softmax, np.ones(3) * 1j)


@every("dtype", ["float64", "float32", "float16"])
@every("shape", ROWS)
def test_cross_entropy_and_its_gradient(shape, dtype, cuda):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=shape, scale=4).astype(dtype)
    labels = rng.integers(0, shape[1], shape[0])
    g = rng.normal(size=shape[0]).astype(dtype)
    module = cuda.modules.softmax_cross_entropy

    losses = cuda(module.softmax_cross_entropy, logits, labels)
    to_logits = cuda(module.softmax_cross_entropy_backward, g, logits, labels)

    p, rows = softmax_of(logits), np.arange(shape[0])
    with np.errstate(divide="ignore"):
        expected = -np.log(p[rows, labels])
    p[rows, labels] -= 1
    assert_close(losses, expected)
    assert_close(to_logits, g.astype(float)[:, None] * p)


def test_gradient_of_cross_entropy_has_digits_where_the_label_is_nearly_certain(cuda):
    logits, labels, g = np.asarray([[40.0, 0.0, -1.0]]), np.asarray([0]), np.ones((1, 1))

    found = cuda(
        cuda.modules.softmax_cross_entropy.softmax_cross_entropy_backward, g, logits, labels
    )

    others = np.exp([-40.0, -41.0])
    np.testing.assert_allclose(found, [[-others.sum(), *others]], 1e-13)


def test_cross_entropy_refuses_a_label_that_is_no_class_unless_it_is_captured(cuda):
    loss, logits = cuda.kernel("softmax_cross_entropy"), np.zeros((2, 3))

    with pytest.raises(OutOfBoundsError, match="label 3, expected 0 to 2"):
        cuda(loss, logits, np.asarray([0, 3]))
    cuda.machine.recorded = []
    try:
        captured = cuda(loss, logits, np.asarray([0, 3]))
        with pytest.raises(ShapeError, match="one for each row"):
            cuda(loss, logits, np.asarray([0]))
    finally:
        cuda.machine.recorded = None

    assert_close(captured, [math.log(3), np.nan])


@every("dtype", ["float64", "float32", "float16"])
@every("keepdims", [False, True])
@every(
    ("shape", "axis"),
    [
        *[((1, 1), 0), ((3, 7), (0,)), ((130, 33), -2), ((2, 30, 40), (0, 1)), ((700, 2), (0,))],
        *[((2, 3, 4), 0), ((0, 4), 0), ((4, 0), 0)],
    ],
)
def test_sums_over_the_first_axes(shape, axis, keepdims, dtype, cuda):
    x = np.random.default_rng(4).normal(size=shape).astype(dtype)
    module = cuda.modules.column_sums

    assert module.is_over_columns(cuda.put(x), axis)
    out = cuda(cuda.kernel("sum"), x, axis=axis, keepdims=keepdims)

    assert_close(out, x.astype(float).sum(axis=axis, keepdims=keepdims))


@every(
    ("shape", "axis"), [((3, 4), 1), ((3, 4), None), ((3,), 0), ((2, 3, 4), (1, 0)), ((3, 4), ())]
)
def test_other_sums_are_those_of_cupy(shape, axis, cuda):
    x = np.random.default_rng(4).normal(size=shape)
    is_over_columns = cuda.modules.column_sums.is_over_columns

    out = cuda(cuda.kernel("sum"), x, axis=axis)

    assert_close(np.asarray(out), x.sum(axis=axis))
    assert is_over_columns(cuda.put(x), axis) == (axis == (1, 0))
    assert not is_over_columns(cuda.put(x).T, 0)


# Elements


@every("dtype", ["float64", "float32", "float16"])
@every("approximate", ["none", "tanh"])
@every("size", [0, 1, 257, 1000])
def test_gelu_and_its_derivative(size, approximate, dtype, cuda):
    rng = np.random.default_rng(5)
    x, g = (rng.normal(size=size, scale=2).astype(dtype) for _ in range(2))
    module, exact = cuda.modules.gelu, x.astype(np.float64)

    out = cuda(module.gelu, x, approximate=approximate)
    pulled = cuda(module.gelu_backward, g, x, approximate=approximate)

    def gelu(x):
        return gx.nn.gelu(x, approximate=approximate)

    assert_close(out, gelu(exact))
    assert_close(pulled, gx.vjp(gelu, exact)[1](g.astype(np.float64))[0])


def test_gelu_refuses_another_formula(cuda):
    with pytest.raises(ShapeError, match="approximate='sigmoid'"):
        cuda(cuda.modules.gelu.gelu, np.ones(2), approximate="sigmoid")


# Taking at places


def test_place_that_does_not_exist_is_refused_or_while_capturing_nan(cuda):
    take, x, places = cuda.kernel("take"), np.arange(6.0).reshape(3, 2), np.asarray([2, 3, -4])

    with pytest.raises(OutOfBoundsError, match="index 4 is out of bounds for an axis of size 3"):
        cuda(take, x, places, axis=0)
    with pytest.raises(OutOfBoundsError, match="index 4 is out of bounds"):
        cuda(take, x.astype(int), places, axis=0)
    cuda.machine.recorded = []
    try:
        captured = cuda(take, x, places, axis=0)
        with pytest.raises(RuntimeError, match="places in int64 have no NaN"):
            cuda(take, x.astype(int), places, axis=0)
    finally:
        cuda.machine.recorded = None

    assert_close(captured, [[4, 5], [np.nan] * 2, [np.nan] * 2])


# Adding at places


@every("mode", [False, True])
@every("dtype", ["float64", "float32", "float16", "int32", "int64"])
def test_slices_are_added_at_repeated_places(dtype, mode, cuda):
    rng = np.random.default_rng(8)
    x = rng.integers(-4, 5, (2, 40, 3)).astype(dtype)
    places = rng.integers(-6, 6, 40)

    with gx.deterministic(mode):
        out = cuda(cuda.kernel("add_at"), x, places, length=6, axis=1)

    expected = np.zeros((2, 6, 3), dtype)
    np.add.at(expected, (slice(None), places), x)
    assert np.array_equal(out, expected)


def test_deterministic_sums_have_the_order_of_numpy(cuda):
    x = np.random.default_rng(9).normal(size=(500, 2)).astype(np.float32)
    places = np.random.default_rng(9).integers(0, 3, 500)

    with gx.deterministic():
        out = cuda(cuda.kernel("add_at"), x, places, length=3, axis=0)

    expected = np.zeros((3, 2), np.float32)
    np.add.at(expected, places, x)
    assert np.array_equal(out, expected)
