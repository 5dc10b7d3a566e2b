"""Every op, on each of its samples, gives the same compiled as eager: values and derivatives.

They are captured at other numbers than those that they are compared at. No pass reorders
arithmetic, so values have the same bits. In a derivative, NumPy and BLAS may add up in another
order where memory lies in another order: a few units in the last place.
"""

import contextlib

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gradx as gx
from gradx.core import tree
from gradx.core.arrays import is_array
from gradx.core.op import COMPOSED
from gradx.errors import CaptureError
from tests.programs import make_program, run
from tests.test_ops import bound, convert, every_sample, flat, xp_numpy

pytestmark = pytest.mark.usefixtures("eager_bits")

# Their results have shapes that depend on numbers.
VARYING = {
    "nonzero",
    "nonzero_places",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_places",
    "unique_values",
}


def assert_same(backend, actual, expected, **tolerance):
    actual, expected = flat(backend, tree.leaves(actual)), flat(backend, tree.leaves(expected))
    assert [a.dtype for a in actual] == [e.dtype for e in expected]
    for a, e in zip(actual, expected, strict=True):
        if tolerance:
            np.testing.assert_allclose(a, e, **tolerance)
        else:
            np.testing.assert_array_equal(a, e)


def reads_numbers(op, sample):
    """Tell whether numbers among the arrays of the sample decide about shapes."""
    return op.name in VARYING or (op.name == "repeat" and isinstance(sample.arrays[1], np.ndarray))


def capture_elsewhere(compiled, arrays, backend):
    """Call a compiled function with zeros, or where it refuses them with ones.

    Whatever was decided by the numbers of the first call then is wrong for the next.
    """
    for number in (0, 1):
        others = tree.map(lambda x, n=number: _filled(x, n, backend), arrays)
        with contextlib.suppress(gx.GradxError), np.errstate(all="ignore"):
            compiled(*others)
            return


def _filled(x, number, backend):
    return backend.xp.full_like(x, number) if is_array(x) else x


@every_sample
def test_values_are_the_same_compiled(op, sample, backend):
    if backend.name == "cupy":
        pytest.skip("one library with NumPy's rules is enough")
    arrays = [convert(array, backend) for array in sample.arrays]
    params = {name: convert(value, backend) for name, value in sample.params.items()}
    numbers = [
        i
        for i, x in enumerate(arrays)
        if (op.name in COMPOSED or op.name == "repeat") and type(x) in (int, tuple)
    ]
    compiled = gx.compile(lambda *arrays: op.call(*arrays, **params), static=numbers)
    if reads_numbers(op, sample):
        with pytest.raises(gx.CaptureError, match="depends on numbers"):
            compiled(*arrays)
        return

    capture_elsewhere(compiled, arrays, backend)
    actual = [compiled(*arrays) for _ in range(2)]

    assert len(compiled.programs) == 1
    for one in actual:
        assert_same(backend, one, op.call(*arrays, **params))


@every_sample
def test_derivatives_are_the_same_compiled(op, sample, backend):
    if reads_numbers(op, sample) or not bound(op, sample, backend)[1]:
        return

    def derivatives(*arrays):
        function, varied = bound(op, sample, backend, arrays)
        out, pullback = gx.vjp(function, *varied)
        tangents = tuple(tree.map(gx.ones_like, varied))
        return out, pullback(tree.map(gx.ones_like, out)), gx.jvp(function, tuple(varied), tangents)

    arrays = [convert(array, backend) for array in sample.arrays]
    numbers = [i for i, x in enumerate(arrays) if isinstance(x, int | tuple)]
    compiled = gx.compile(derivatives, static=numbers)
    with np.errstate(all="ignore"):
        expected = derivatives(*arrays)
        capture_elsewhere(compiled, arrays, backend)
        actual = compiled(*arrays)

    assert len(compiled.programs) == 1
    assert_same(backend, actual, expected, rtol=1e-14, atol=1e-14)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_random_programs_are_the_same_compiled(number):
    steps, inputs, _ = make_program(np.random.default_rng(number))
    everything = tuple(range(len(inputs)))
    f = gx.value_and_grad(lambda *xs: run(steps, xs), everything)

    with np.errstate(all="ignore"):
        expected = f(*inputs)
        compiled = gx.compile(f)
        capture_elsewhere(compiled, inputs, xp_numpy())
        try:
            actual = [compiled(*inputs) for _ in range(2)]
        except CaptureError as error:
            assume("the shape of its result depends on numbers" not in str(error))
            raise

    eps = np.finfo(inputs[0].dtype).eps
    for one in actual:
        for a, e in zip(tree.leaves(one), tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, e, rtol=4500 * eps, atol=45 * eps)


@pytest.mark.parametrize("f", [gx.nn.softmax, gx.nn.log_softmax, gx.var, gx.std])
def test_number_has_the_axes_that_numpy_gives_it(f):
    x = np.asarray(2.0)

    for axis in (0, -1):
        assert gx.compile(lambda x, axis=axis: f(x, axis=axis))(x) == f(x, axis=axis)


@pytest.mark.parametrize("condition", [True, False, np.True_])
def test_choice_may_be_made_by_a_truth_value(condition):
    def f(x):
        y = gx.where(condition, 2.0 * x, 3.0 * x)
        return gx.sum(gx.sin(y) * y)

    x = np.arange(4.0)
    compiled = gx.compile(gx.grad(f))

    for _ in range(2):
        np.testing.assert_allclose(compiled(x), gx.grad(f)(x), rtol=1e-14)
