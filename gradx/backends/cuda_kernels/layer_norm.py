"""Layer norm: rows of mean 0 and variance 1, times a weight and plus a bias, and back.

The variance is taken about the mean, in a second pass over the row: it is in the cache, and
nothing cancels. The derivatives of weight and bias are sums over all rows: blocks add up
strips of rows, a second launch adds the strips, so that they are the same bits every time.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import REALS, Number, real_number, source
from gradx.backends.cuda_kernels.rows import REDUCE, grid_for

STRIPS = 64  # at most so many partial sums

TEXT = """
extern "C" __global__ void layer_norm(
        Stored* out, Real* means, Real* scales, const Stored* x, const Stored* weight,
        const Stored* bias, int64 rows, int64 width, double eps) {
    if (ROW >= rows) return;
    x += ROW * width, out += ROW * width;
    Real sum = 0;
    ALONG_ROW(i, width) sum += loaded(x[i]);
    const Real mean = across_row<Sum>(sum) / width;
    Real squares = 0;
    ALONG_ROW(i, width) {
        const Real deviation = loaded(x[i]) - mean;
        squares += deviation * deviation;
    }
    const Real scale = 1 / sqrt(across_row<Sum>(squares) / width + (Real)eps);
    if (threadIdx.x == 0) means[ROW] = mean, scales[ROW] = scale;
    ALONG_ROW(i, width) {
        const Real normal = (loaded(x[i]) - mean) * scale;
        keep(out + i, normal * loaded(weight[i]) + loaded(bias[i]));
    }
}

extern "C" __global__ void layer_norm_to_x(
        Stored* to_x, const Stored* g, const Stored* x, const Stored* weight, const Real* means,
        const Real* scales, int64 rows, int64 width) {
    if (ROW >= rows) return;
    x += ROW * width, g += ROW * width, to_x += ROW * width;
    const Real mean = means[ROW], scale = scales[ROW];
    Real sum = 0, product = 0;
    ALONG_ROW(i, width) {
        const Real weighted = loaded(g[i]) * loaded(weight[i]);
        sum += weighted;
        product += weighted * (loaded(x[i]) - mean) * scale;
    }
    sum = across_row<Sum>(sum) / width;
    product = across_row<Sum>(product) / width;
    ALONG_ROW(i, width) {
        const Real weighted = loaded(g[i]) * loaded(weight[i]);
        keep(to_x + i, scale * (weighted - sum - (loaded(x[i]) - mean) * scale * product));
    }
}

// Each block adds up 32 columns of one strip of rows, with 8 threads for a column.
extern "C" __global__ void layer_norm_strips(
        Real* weights, Real* biases, const Stored* g, const Stored* x, const Real* means,
        const Real* scales, int64 rows, int64 width) {
    __shared__ Real products[8][33], sums[8][33];
    const int64 column = blockIdx.x * (int64)32 + threadIdx.x;
    Real product = 0, sum = 0;
    if (column < width)
        for (int64 row = blockIdx.y * (int64)8 + threadIdx.y; row < rows; row += gridDim.y * 8) {
            const Real one = loaded(g[row * width + column]);
            sum += one;
            product += one * (loaded(x[row * width + column]) - means[row]) * scales[row];
        }
    products[threadIdx.y][threadIdx.x] = product;
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || column >= width) return;
    for (int other = 1; other < 8; ++other) {
        product += products[other][threadIdx.x];
        sum += sums[other][threadIdx.x];
    }
    weights[blockIdx.y * width + column] = product;
    biases[blockIdx.y * width + column] = sum;
}

extern "C" __global__ void layer_norm_to_parameters(
        Stored* to_weight, Stored* to_bias, const Real* weights, const Real* biases,
        int64 strips, int64 width) {
    FOR_EACH(column, width) {
        Real product = 0, sum = 0;
        for (int64 strip = 0; strip < strips; ++strip) {
            product += weights[strip * width + column];
            sum += biases[strip * width + column];
        }
        keep(to_weight + column, product);
        keep(to_bias + column, sum);
    }
}
"""


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, REDUCE, TEXT)


def layer_norm(xp: Any, x: Any, weight: Any, bias: Any, /, *, eps: float) -> tuple[Any, Any, Any]:
    """Return the result, and each row's mean and one over its deviation for the derivative."""
    text, rows, width = _layout(x)
    x = contiguous(x)
    out = xp.empty_like(x)
    means = xp.empty((rows,), dtype=_kept_dtype(xp, x), device=x.device)
    scales = xp.empty_like(means)
    grid = grid_for(rows, width)
    parameters = (contiguous(weight), contiguous(bias))
    launch(text, "layer_norm", *grid, out, means, scales, x, *parameters, rows, width, float(eps))
    return out, means, scales


def layer_norm_backward(
    xp: Any, g: Any, x: Any, weight: Any, means: Any, scales: Any, /
) -> tuple[Any, Any, Any]:
    """Pull ``g`` back to ``x``, the weight and the bias."""
    text, rows, width = _layout(x)
    g, x, weight = contiguous(g), contiguous(x), contiguous(weight)
    to_x, to_weight, to_bias = xp.empty_like(x), xp.empty_like(weight), xp.empty_like(weight)
    kept, sizes = (means, scales), (rows, width)
    launch(text, "layer_norm_to_x", *grid_for(rows, width), to_x, g, x, weight, *kept, *sizes)
    strips = max(1, min(STRIPS, -(-rows // 64)))
    partial = xp.empty((2, strips, width), dtype=means.dtype, device=x.device)
    blocks = (-(-width // 32), strips)
    launch(text, "layer_norm_strips", blocks, (32, 8), *partial, g, x, *kept, *sizes)
    last = (to_weight, to_bias, *partial, strips, width)
    launch(text, "layer_norm_to_parameters", -(-width // 256), 256, *last)
    return to_x, to_weight, to_bias


def _layout(x):
    return code(real_number("layer_norm", x.dtype)), prod(x.shape[:-1]), x.shape[-1]


def _kept_dtype(xp, x):
    return xp.float64 if x.dtype == xp.float64 else xp.float32
