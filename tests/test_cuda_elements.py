"""CUDA kernels of whole arrays and of single elements, which g++ runs where there is no GPU."""

import numpy as np

from gradx.core.op import OPS
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import TOLERANCE, assert_close, every
from tests.test_cuda_kernels import cuda as cuda

pytestmark = needs_compiler


# What is one number of a whole array


@every("shape", [(), (1,), (5,), (3, 0), (1000, 33), (2, 3, 5)])
def test_any_and_all_of_a_whole_array(shape, cuda):
    xp, rng = cuda.backend.xp, np.random.default_rng(15)
    for share in (0, 1e-3, 0.999, 1):
        x = rng.random(shape) < share
        for name in ("any", "all"):
            of = getattr(xp, name)
            assert cuda(lambda _, x, f=of: f(x), x) == getattr(np, name)(x)
            kept = cuda(lambda _, x, f=of: f(x, keepdims=True), x)
            assert kept.dtype == bool
            assert np.array_equal(kept, getattr(np, name)(x, keepdims=True))
    turned = rng.random((4, 6)) < 0.5
    assert np.array_equal(cuda(lambda _, x: xp.any(x, axis=0), turned), turned.any(axis=0))
    assert cuda(lambda _, x: xp.all(x.T), turned) == turned.all()
    assert cuda(lambda _, x: xp.any(x), np.asarray([0.0, -0.5]))


@every("axis", [None, (0, 1), (1, -2)])
@every("shape", [(1, 1), (7, 9), (300, 211)])
@every("dtype", ["float64", "float32", "float16"])
def test_sum_of_a_whole_array(axis, shape, dtype, cuda):
    x = np.random.default_rng(16).normal(size=shape).astype(dtype)
    axis = axis if axis is None else tuple(a % 2 for a in axis)

    for keepdims in (False, True):
        out = cuda(cuda.kernel("sum"), x, axis=axis, keepdims=keepdims)

        scale = np.abs(x).astype(float).sum() / abs(x.astype(float).sum())
        expected = x.astype(float).sum(axis=axis, keepdims=keepdims)
        assert out.shape == expected.shape
        assert out.dtype == dtype
        np.testing.assert_allclose(out, expected, rtol=TOLERANCE[dtype] * scale)
    assert cuda.modules.whole.is_summed(cuda.put(x), axis)


def test_sum_of_every_second_column(cuda):
    x = np.arange(12.0).reshape(3, 4)

    assert cuda(lambda xp, x: cuda.kernel("sum")(xp, x[:, ::2]), x) == x[:, ::2].sum()


# Elementwise ops


@every("dtype", ["float64", "float32", "float16", "int32"])
@every("name", ["normal_probability", "sech_squared", "sigmoid", "sigmoid_slope", "softplus"])
def test_elementwise_ops_in_any_layout_and_at_their_ends(name, dtype, cuda):
    x = np.linspace(-30, 30, 77).reshape(7, 11).astype(dtype)
    ends = np.asarray([-np.inf, -1000.0, -0.0, 0.0, 1000.0, np.inf, np.nan])

    out = cuda(lambda xp, x: cuda.kernel(name)(xp, x.T), x)
    at_ends = cuda(cuda.kernel(name), ends)

    with np.errstate(invalid="ignore"):
        expected, at_the_ends = (OPS[name].run((a,), {}) for a in (x.T.astype(np.float64), ends))
    assert out.dtype == (np.float64 if dtype == "int32" else dtype)
    assert_close(out, expected, out.dtype)
    np.testing.assert_array_equal(at_ends, at_the_ends)


def test_derivative_of_tanh_of_complex_numbers(cuda):
    x = np.asarray([0.5 - 2j, -0.5 + 2j, 40.0 + 1j, -40.0 + 1j])

    out = cuda(cuda.kernel("sech_squared"), x)

    np.testing.assert_allclose(out, OPS["sech_squared"].run((x,), {}), rtol=1e-14)
