"""Every op, on each of its samples: forward, both derivatives, and theirs to third order.

Ops are found by importing all of ``gradx.ops``, so declaring one is what puts it
under test.
"""

import functools
import importlib
import inspect
import pkgutil

import array_api_compat.numpy
import numpy as np
import pytest

import gradx.ops
from gradx import grad, vjp
from gradx.core.arrays import as_dtype, is_kind
from gradx.core.op import COMPOSED, OPS, Composed
from gradx.errors import TrackedError
from gradx.testing import check_derivatives
from tests.freedom import in_one_way

for module in pkgutil.iter_modules(gradx.ops.__path__, "gradx.ops."):
    importlib.import_module(module.name)


def drawing(seed, dtype=np.float64):
    """Draw arrays whose elements are distinct and not close: no kink is near by chance."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        count = int(np.prod(shape))
        places = rng.permutation(count) + rng.uniform(0.25, 0.75, count)
        return np.asarray(0.5 + 1.5 * places.reshape(shape) / max(count, 1), dtype=dtype)

    return draw


def described(array):
    if isinstance(array, list):
        return "+".join(map(described, array))
    return "x".join(map(str, np.shape(array))) or "scalar"


def cases(dtype=np.float64):
    for op in (*OPS.values(), *COMPOSED.values()):
        for index, sample in enumerate(op.samples(drawing(seed=0, dtype=dtype))):
            shapes = ",".join(map(described, sample.arrays))
            yield pytest.param(op, sample, id=f"{op.name}-{index}-{shapes}-{sample.params or ''}")


every_sample = pytest.mark.parametrize(("op", "sample"), list(cases()))
every_single_precision_sample = pytest.mark.parametrize(("op", "sample"), list(cases(np.float32)))


def convert(value, backend, dtype=None):
    if isinstance(value, list):
        return [convert(v, backend) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return backend.from_numpy(np.asarray(value), backend.devices()[0])
    if isinstance(value, tuple):
        return tuple(convert(v, backend) for v in value)
    return value


def bound(op, sample, backend, arrays=None):
    """Return the op as a function of the inputs it has derivatives for, and those inputs.

    They are those of the sample, unless others like them are given as ``arrays``.
    """
    arrays = arrays or [convert(array, backend) for array in sample.arrays]
    params = {name: convert(value, backend) for name, value in sample.params.items()}
    if "dtype" in params:
        params["dtype"] = as_dtype(backend.xp.asarray(0), params["dtype"])
    positions = [i for i, array in enumerate(sample.arrays) if varies(op, i) and is_floating(array)]

    def function(*varied):
        full = list(arrays)
        for position, array in zip(positions, varied, strict=True):
            full[position] = array
        return op.call(*full, **params)

    return function, [arrays[i] for i in positions]


def varies(op, position):
    """Tell whether there is a derivative with respect to an input."""
    return isinstance(op, Composed) or not (op.vjp[position] is None or refuses(op.vjp[position]))


def refuses(rule):
    """Tell whether a rule only says that nobody knows a formula."""
    try:
        rule.apply(1.0, None)
    except TrackedError:
        return True
    except Exception:  # it wants what it is given in a call
        return False
    return False


def is_floating(value):
    if isinstance(value, list):
        return all(is_floating(v) for v in value)
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"


def flat(backend, tree):
    """Return the arrays of a result on the host."""
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in flat(backend, part)]
    return [np.asarray(backend.to_numpy(tree) if not np.isscalar(tree) else tree)]


def reference(op, sample):
    """Compute ``op`` on NumPy without kernels: by its namesake there if it has one."""
    xp = array_api_compat.numpy
    params = dict(sample.params)
    if "dtype" in params:
        params["dtype"] = getattr(xp, params["dtype"])
    if callable(getattr(xp, op.name, None)):  # fft is a module there
        call = inspect.signature(op.call).bind(*sample.arrays, **params)
        return getattr(xp, op.name)(*call.args, **call.kwargs)
    if isinstance(op, Composed):
        return op.call(*sample.arrays, **params)
    arrays = sample.arrays[0] if op.signature.variadic else sample.arrays
    defaults = {name[1:]: value for name, value in op.defaults.items()}
    return op.forward(xp, *arrays, **(defaults | params))


# Of numbers drawn in single precision: a GPU has its own logarithm and cosine.
RELATIVE = {("cupy", "float32"): 1e-6}


@every_sample
def test_backends_agree_with_numpy(op, sample, backend):
    arrays = [convert(array, backend) for array in sample.arrays]
    params = {name: convert(value, backend) for name, value in sample.params.items()}
    if "dtype" in params:
        params["dtype"] = as_dtype(backend.xp.asarray(0), params["dtype"])

    actual = flat(backend, op.call(*arrays, **params))

    expected = flat(xp_numpy(), reference(op, sample))
    assert [a.shape for a in actual] == [e.shape for e in expected]
    pairs = zip(in_one_way(op.name, actual), in_one_way(op.name, expected), strict=True)
    for a, e in pairs:
        relative = RELATIVE.get((backend.name, a.dtype.name), 1e-12)
        np.testing.assert_allclose(a, e, rtol=relative, atol=1e-14)


def xp_numpy():
    return gradx.backends.backend_of(np.ndarray)


@every_sample
def test_derivatives_to_third_order(op, sample):
    function, arrays = bound(op, sample, xp_numpy())

    if arrays:
        check_derivatives(function, *arrays, order=3)
    else:
        assert is_constant(op, sample)


def is_constant(op, sample):
    """Tell whether nothing in the sample has a derivative, by declaration or by dtype."""
    if not any(varies(op, position) for position in range(len(sample.arrays))):
        return True
    return not any(is_floating(array) for array in sample.arrays)


@every_sample
def test_gradient_is_the_same_on_every_backend(op, sample, backend):
    cotangents = {}
    for where in (xp_numpy(), backend):
        function, arrays = bound(op, sample, where)
        out, pullback = vjp(function, *arrays)
        cotangents[where.name] = flat(where, list(pullback(out))) if arrays else []

    for actual, expected in zip(cotangents[backend.name], cotangents["numpy"], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


def total(function):
    """Reduce the floating-point outputs of a function to one real number."""

    def scalar(*arrays):
        outs = function(*arrays)
        outs = outs if isinstance(outs, (tuple, list)) else [outs]
        floating = [out for out in outs if is_kind(out, ("real floating", "complex floating"))]
        squares = [gradx.sum(gradx.real(gradx.multiply(out, out))) for out in floating]
        return functools.reduce(gradx.add, squares, 0.0)

    return scalar


@every_sample
def test_second_derivative_is_the_same_on_every_backend(op, sample, backend):
    seconds = {}
    for where in (xp_numpy(), backend):
        function, arrays = bound(op, sample, where)
        everything = tuple(range(len(arrays)))
        first = grad(total(function), everything)
        second = grad(
            total(lambda *xs, first=first: gradx.core.tree.leaves(first(*xs))), everything
        )
        seconds[where.name] = flat(where, list(second(*arrays))) if arrays else []

    for actual, expected in zip(seconds[backend.name], seconds["numpy"], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-12)


@every_single_precision_sample
def test_single_precision_stays_to_third_order(op, sample):
    function, arrays = bound(op, sample, xp_numpy())
    double = [a for a in gradx.core.tree.leaves(arrays) if a.dtype in (np.float64, np.complex128)]
    if not arrays or double or "dtype" in sample.params:
        return
    everything = tuple(range(len(arrays)))

    first = grad(total(function), everything)
    second = grad(total(lambda *xs: gradx.core.tree.leaves(first(*xs))), everything)
    third = grad(total(lambda *xs: gradx.core.tree.leaves(second(*xs))), everything)

    for derivative in (first, second, third):
        for leaf in gradx.core.tree.leaves(derivative(*arrays)):
            assert leaf.dtype in (np.float32, np.complex64)


def turned(x):
    """Return the same array, whose elements lie in memory the other way round."""
    return np.flip(np.asfortranarray(np.flip(x))) if np.ndim(x) else x


@every_sample
def test_memory_order_changes_neither_value_nor_gradient(op, sample):
    function, arrays = bound(op, sample, xp_numpy())
    if not arrays:
        return
    others = gradx.core.tree.map(turned, arrays)

    (out, pullback), (same, pull_same) = vjp(function, *arrays), vjp(function, *others)

    pairs = zip(
        gradx.core.tree.leaves([same, pull_same(out)]),
        gradx.core.tree.leaves([out, pullback(out)]),
        strict=True,
    )
    for actual, expected in pairs:
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13, strict=True)
