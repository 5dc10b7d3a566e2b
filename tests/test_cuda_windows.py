"""CUDA kernels of convolution and pooling, which g++ runs where there is no GPU."""

import numpy as np

import gradx as gx
from gradx.core.op import OPS
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close, every
from tests.test_cuda_kernels import cuda as cuda

pytestmark = needs_compiler


@every("dilation", [(1, 1), (2, 3)])
@every("dtype", ["float64", "float32"])
def test_pooled_ties_and_nans_are_as_on_the_cpu(dtype, dilation, cuda):
    x = np.random.default_rng(10).integers(0, 2, (2, 2, 7, 6)).astype(dtype)
    x[0, 0, 2, 3], x[0, 1] = np.nan, -np.inf
    settings = {"kernel": (3, 2), "outputs": (4, 4), "stride": (2, 2), "before": (1, 1)}
    settings |= {"dilation": dilation}
    y = np.random.default_rng(11).normal(size=(2, 2, 4, 4)).astype(dtype)

    largest = cuda(cuda.kernel("maximum_of_windows"), x, **settings)
    spread = cuda(cuda.kernel("spread_to_maxima"), y, x, largest, **settings)
    with np.errstate(invalid="ignore"):
        found = gx.backends.backend_of(np.ndarray).kernels["spread_to_maxima"](
            np, y, x, largest, **settings
        )

    assert np.array_equal(largest, OPS["maximum_of_windows"].run((x,), settings), equal_nan=True)
    assert_close(spread, found.astype(np.float64))


def test_integers_are_pooled(cuda):
    x = np.arange(12).reshape(1, 1, 3, 4) - 20
    settings = {"kernel": (2, 2), "outputs": (2, 3), "stride": (1, 1), "before": (0, 0)}
    settings |= {"dilation": (1, 1)}

    out = cuda(cuda.kernel("maximum_of_windows"), x, **settings)

    assert np.array_equal(out, OPS["maximum_of_windows"].run((x,), settings))


def test_convolution_in_blocks_is_convolution(cuda, monkeypatch):
    rng = np.random.default_rng(12)
    x, weight = rng.normal(size=(5, 2, 6, 5)), rng.normal(size=(4, 1, 3, 2))
    settings = {"stride": (1, 2), "before": (1, 0), "dilation": (1, 1), "groups": 2}
    monkeypatch.setattr(cuda.modules.convolution, "BLOCK", 5000)

    out = cuda(cuda.kernel("convolution"), x, weight, outputs=(6, 2), **settings)
    to_x = cuda(cuda.kernel("convolution_transpose"), out, weight, lengths=(6, 5), **settings)
    to_weight = cuda(cuda.kernel("convolution_kernel"), x, out, kernel=(3, 2), **settings)

    assert_close(out, OPS["convolution"].run((x, weight), settings | {"outputs": (6, 2)}))
    whole = OPS["convolution_transpose"].run((out, weight), settings | {"lengths": (6, 5)})
    assert_close(to_x, whole)
    assert_close(to_weight, OPS["convolution_kernel"].run((x, out), settings | {"kernel": (3, 2)}))


def test_windows_of_large_arrays_are_those_of_small_ones(cuda, monkeypatch):
    x = np.random.default_rng(13).normal(size=(2, 2, 7, 6))
    settings = {"kernel": (3, 2), "outputs": (4, 4), "stride": (2, 2), "before": (1, 1)}
    dilated = settings | {"dilation": (1, 1)}
    weight = np.random.default_rng(14).normal(size=(3, 2, 3, 2))
    of_conv = {name: dilated[name] for name in ("outputs", "stride", "before", "dilation")}

    def all_of_them():
        largest = cuda(cuda.kernel("maximum_of_windows"), x, **dilated)
        return [
            largest,
            cuda(cuda.kernel("spread_to_maxima"), largest, x, largest, **dilated),
            cuda(cuda.kernel("read_at_maxima"), x, x, largest, **dilated),
            cuda(cuda.kernel("sum_of_windows"), x, **settings),
            cuda(cuda.kernel("convolution"), x, weight, groups=1, **of_conv),
        ]

    narrow = all_of_them()
    for module in (cuda.modules.convolution, cuda.modules.pooling):
        monkeypatch.setattr(module, "NARROW", 0)
    assert all(map(np.array_equal, narrow, all_of_them()))
