"""Pooling to a size that is given, whatever the size of the images."""

from typing import Any

import numpy as np

from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.images import along_axis, axes_of_image, each_axis, in_dtype, points_at, sizes_of
from gradx.nn.module import Module, static
from gradx.ops.arithmetic import multiply, where
from gradx.ops.shapes import reshape
from gradx.ops.statistical import mean
from gradx.transforms.boundary import is_differentiable


class AdaptiveAvgPool(Module):
    """Average images (samples, channels, ...) down to ``size``: one number, or one for each axis.

    Point ``i`` of ``size`` is the mean of the ``n`` points from ``floor(i * n / size)`` up to,
    and without, ``ceil((i + 1) * n / size)``, as in PyTorch; so windows overlap where ``size``
    does not divide ``n``. With ``size=1`` it is the mean of an image.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.AdaptiveAvgPool(1)(np.ones((5, 3, 7, 9))).shape
    (5, 3, 1, 1)
    >>> gx.nn.AdaptiveAvgPool(2)(np.asarray([[[1.0, 2.0, 6.0]]]))
    array([[[1.5, 4. ]]])
    """

    size: Any = static()

    def __init__(self, size: Any) -> None:
        self.size = sizes_of("AdaptiveAvgPool", size)

    def __call__(self, x: Any) -> Any:
        count = axes_of_image("AdaptiveAvgPool", x)
        if not is_differentiable(x):
            raise DTypeError(f"AdaptiveAvgPool: the input is {describe(x)}, expected floats")
        sizes = each_axis("AdaptiveAvgPool", "size", self.size, count)
        if 0 in x.shape[2:]:
            raise ShapeError(f"AdaptiveAvgPool: images of no points, {tuple(x.shape)}")
        for axis, size in enumerate(sizes, 2):
            x = _averaged(x, axis, size)
        return x


def _averaged(x: Any, axis: int, size: int) -> Any:
    length = x.shape[axis]
    if length % size == 0:
        parts = reshape(x, (*x.shape[:axis], size, length // size, *x.shape[axis + 1 :]))
        return mean(parts, axis=axis + 1)
    first = np.arange(size) * length // size
    counts = -(-np.arange(1, size + 1) * length // size) - first
    total: Any = 0.0
    for offset in range(counts.max()):
        points = points_at(x, np.minimum(first + offset, length - 1), axis)
        # Where a window has ended, what is behind it counts nothing, even if infinite.
        total = where(along_axis(x, offset < counts, axis), points, 0.0) + total
    return multiply(total, along_axis(x, in_dtype(x, 1 / counts), axis))
