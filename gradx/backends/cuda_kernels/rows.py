"""Rows: kernels that reduce along the last axis, with a warp or a block for each row.

Short rows go to a warp each, eight in a block, whose threads only talk by shuffles; a long
row to a block of 256. A row is read several times: the second time it is in the cache.
"""

from math import prod
from typing import Any

from gradx.backends.cuda_kernels.launching import contiguous
from gradx.errors import AxisError

SHORT = 1024  # elements that a warp reads as fast as a block does

REDUCE = """
struct Sum {
    static __device__ __forceinline__ Real of(Real x, Real y) { return x + y; }
};
struct Largest {  // a NaN is larger than all
    static __device__ __forceinline__ Real of(Real x, Real y) { return x > y || is_nan(x) ? x : y; }
};

// Combine what the threads of a row hold; each of them gets the same bits.
template <class Pair> __device__ Real across_row(Real value) {
    for (int distance = 16; distance > 0; distance /= 2)
        value = Pair::of(value, __shfl_xor_sync(0xffffffffu, value, distance));
    if (blockDim.x == 32) return value;
    __shared__ Real of_warps[32];
    __syncthreads();  // those of the call before have been read
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    value = of_warps[0];
    for (int warp = 1; warp < blockDim.x / 32; ++warp) value = Pair::of(value, of_warps[warp]);
    return value;
}

#define ROW (blockIdx.x * (int64)blockDim.y + threadIdx.y)
#define ALONG_ROW(i, width) for (int64 i = threadIdx.x; i < (width); i += blockDim.x)
"""


def grid_for(rows: int, width: int) -> tuple[tuple[int], tuple[int, int]]:
    """Return the blocks, and the threads in one, for ``rows`` rows of ``width`` elements."""
    if width > SHORT:
        return (rows,), (256, 1)
    return (-(-rows // 8),), (32, 8)


class Rows:
    """An array as contiguous rows along some of its axes, and the way back.

    ``array`` is (rows, width); ``restore`` gives an array of that shape the shape and the
    order of axes that the first one had.
    """

    def __init__(self, xp: Any, name: str, x: Any, axis: int | tuple[int, ...] | None) -> None:
        axes = _as_axes(name, axis, x.ndim)
        others = tuple([i for i in range(x.ndim) if i not in axes])
        self._xp, self._order = xp, (*others, *axes)
        self._shape = tuple([x.shape[i] for i in self._order])
        self.width = prod(x.shape[i] for i in axes)
        self.count = prod(x.shape[i] for i in others)
        self.array = self.of(x)

    def of(self, x: Any) -> Any:
        """Return an array of the same shape as such rows."""
        if self._order != tuple(range(x.ndim)):
            x = self._xp.permute_dims(x, self._order)
        return contiguous(x).reshape(self.count, self.width)

    def restore(self, rows: Any) -> Any:
        """Return rows as an array of the first one's shape."""
        array = rows.reshape(self._shape)
        if self._order == tuple(range(array.ndim)):
            return array
        back = sorted(range(array.ndim), key=self._order.__getitem__)
        return self._xp.permute_dims(array, tuple(back))

    @property
    def grid(self) -> tuple[tuple[int], tuple[int, int]]:
        """The blocks and the threads in one."""
        return grid_for(self.count, self.width)


def _as_axes(name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if any(not -ndim <= one < ndim for one in axes) or len({one % ndim for one in axes}) < len(
        axes
    ):
        raise AxisError(f"{name}: axis={axis!r} of an array with {ndim} axes")
    return tuple([one % ndim for one in axes])
