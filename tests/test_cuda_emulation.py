"""What kernels are emulated with: sixteen-bit numbers, barriers, arguments."""

import numpy as np
import pytest

from gradx.backends.cuda_kernels import prelude
from tests.cuda_emulation import EmulationError, Module, needs_compiler
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_kernels import every

pytestmark = needs_compiler

# Sixteen-bit numbers

CONVERSIONS = """
extern "C" __global__ void widened(float* out, const Stored* x, int64 count) {
    FOR_EACH(i, count) out[i] = loaded(x[i]);
}
extern "C" __global__ void narrowed(Stored* out, const float* x, int64 count) {
    FOR_EACH(i, count) keep(out + i, x[i]);
}
"""


def test_bfloat16_is_the_upper_half_of_float32_rounded_to_even():
    module = Module(prelude.source(prelude.REALS["bfloat16"], CONVERSIONS))
    bits = np.arange(2**16, dtype=np.uint16)
    exact = (bits.astype(np.uint32) << 16).view(np.float32)
    is_nan = np.isnan(exact)

    wide, narrow = np.empty(2**16, np.float32), np.empty(2**16, np.uint16)
    module.get_function("widened")((4,), (256,), (wide, bits, np.int64(2**16)))
    module.get_function("narrowed")((4,), (256,), (narrow, exact, np.int64(2**16)))

    assert np.array_equal(wide, exact, equal_nan=True)
    assert np.array_equal(narrow[~is_nan], bits[~is_nan])
    assert set(narrow[is_nan]) == {0x7FC0}


@every("pair", [(1 + 2**-8, 1.0), (1 + 3 * 2**-8, 1 + 2**-6), (1 + 2**-8 + 2**-20, 1 + 2**-7)])
def test_bfloat16_between_two_goes_to_the_nearest_and_then_to_the_even(pair):
    module = Module(prelude.source(prelude.REALS["bfloat16"], CONVERSIONS))
    x, out = np.asarray(pair[:1], np.float32), np.empty(1, np.uint16)

    module.get_function("narrowed")((1,), (1,), (out, x, np.int64(1)))

    assert (out.astype(np.uint32) << 16).view(np.float32) == pair[1]


# The emulation itself

TWO_KERNELS = """
extern "C" __global__ void reversed(double* out, const double* x) {
    __shared__ double all[64];
    all[threadIdx.x] = x[threadIdx.x];
    SYNCHRONIZE
    out[threadIdx.x] = all[63 - threadIdx.x];
}
extern "C" __global__ void stuck(double* out) {
    if (threadIdx.x == 0) __syncthreads();
}
"""


def test_missing_barrier_shows():
    x, out = np.arange(64.0) + 1, np.empty(64)

    with_one = Module(TWO_KERNELS.replace("SYNCHRONIZE", "__syncthreads();"))
    with_one.get_function("reversed")((1,), (64,), (out, x))
    assert np.array_equal(out, x[::-1])

    without = Module(TWO_KERNELS.replace("SYNCHRONIZE", ""))
    without.get_function("reversed")((1,), (64,), (out, x))
    assert not np.array_equal(out, x[::-1])


def test_barrier_that_some_threads_never_reach_is_reported():
    module = Module(TWO_KERNELS.replace("SYNCHRONIZE", ""))

    with pytest.raises(EmulationError, match="stuck: threads wait at a barrier"):
        module.get_function("stuck")((1,), (2,), (np.empty(1),))


def test_arguments_that_cuda_would_misread_are_refused():
    module = Module(TWO_KERNELS.replace("SYNCHRONIZE", ""))

    with pytest.raises(EmulationError, match="reversed: 2 arguments, got 1"):
        module.get_function("reversed")((1,), (64,), (np.empty(64),))
    with pytest.raises(EmulationError, match="x: the array is not contiguous"):
        module.get_function("reversed")((1,), (64,), (np.empty(64), np.empty(128)[::2]))
