"""Layers that make images larger: by what lies between their points, or out of their channels.

A point of the result is a sum of one, two or four points along each axis of the image, one axis
after the other.
"""

from math import floor
from typing import Any

import numpy as np

from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.images import along_axis, axes_of_image, each_axis, in_dtype, points_at, sizes_of
from gradx.nn.module import Module, static
from gradx.ops.arithmetic import add, multiply
from gradx.ops.shapes import permute_dims, reshape
from gradx.ops.windows import integer
from gradx.transforms.boundary import is_differentiable

SHARPNESS = -0.75  # of the cubic: R. Keys has -1/2, PyTorch and OpenCV this


def _linear(distance: Any) -> Any:
    return np.maximum(1 - distance, 0)


def _cubic(distance: Any) -> Any:
    a = SHARPNESS
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, far)


# Method: how much a point counts at a distance, and which points do.
KERNELS = {"linear": (_linear, (0, 1)), "cubic": (_cubic, (-1, 0, 1, 2))}


class Upsample(Module):
    """Bring images (samples, channels, ...) to another size, ``scale`` times theirs or ``size``.

    Both are one number, or one for each axis of the image, and a scale may be a fraction, also
    below 1. ``method`` is ``"nearest"``, ``"linear"`` between the two neighbours along each
    axis, or ``"cubic"`` between four. Points are in the middle of their pixels; with
    ``align_corners=True`` the outermost ones of both sizes coincide. The numbers are those of
    PyTorch's layer, whose ``"bilinear"`` is ``"linear"`` here.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.Upsample(2)(np.asarray([[[1.0, 2.0]]]))
    array([[[1., 1., 2., 2.]]])
    >>> gx.nn.Upsample(size=3, method="linear", align_corners=True)(np.asarray([[[1.0, 2.0]]]))
    array([[[1. , 1.5, 2. ]]])
    """

    scale: Any = static()
    size: Any = static()
    method: str = static()
    align_corners: bool = static()

    def __init__(
        self,
        scale: Any = None,
        *,
        size: Any = None,
        method: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        if (scale is None) == (size is None):
            raise ShapeError(f"Upsample: scale={scale!r}, size={size!r}, expected one of them")
        methods = ("nearest", *KERNELS)
        if not isinstance(method, str) or method not in methods:
            expected = ", ".join(map(repr, methods))
            raise ShapeError(f"Upsample: method={method!r}, expected one of {expected}")
        if align_corners and method == "nearest":
            raise ShapeError("Upsample: align_corners=True is not for method='nearest'")
        self.scale = None if scale is None else _scales(scale)
        self.size = None if size is None else sizes_of("Upsample", size)
        self.method = method
        self.align_corners = bool(align_corners)

    def __call__(self, x: Any) -> Any:
        count = axes_of_image("Upsample", x)
        if self.method != "nearest" and not is_differentiable(x):
            raise DTypeError(f"Upsample: the input is {describe(x)}, expected floating-point")
        scales, sizes = each_axis("Upsample", "scale", self.scale, count), self._sizes_of(x, count)
        if sizes == tuple(x.shape[2:]) and self.method != "cubic":
            return x  # whatever the scale, as in PyTorch
        for axis, scale, size in zip(range(2, count + 2), scales, sizes, strict=True):
            x = self._along(x, axis, size, x.shape[axis] / size if scale is None else 1 / scale)
        return x

    def _sizes_of(self, x: Any, count: int) -> tuple[int, ...]:
        lengths = x.shape[2:]
        if self.size is not None:
            sizes = each_axis("Upsample", "size", self.size, count)
        else:
            scales = each_axis("Upsample", "scale", self.scale, count)
            sizes = tuple([floor(n * scale) for n, scale in zip(lengths, scales, strict=True)])
        if 0 in (*lengths, *sizes):
            raise ShapeError(f"Upsample: images of {tuple(lengths)} to a size of {sizes}")
        return sizes

    def _along(self, x: Any, axis: int, size: int, ratio: float) -> Any:
        length = x.shape[axis]
        if self.method == "nearest":
            # In whole numbers where the ratio is one of lengths, so that none is rounded down.
            is_exact = abs(length / size - ratio) < 1e-12 * ratio
            steps = np.arange(size)
            places = steps * length // size if is_exact else np.floor(steps * ratio)
            return points_at(x, np.minimum(places, length - 1), axis)
        kernel, neighbours = KERNELS[self.method]
        places = self._places(length, size, ratio)
        first = np.floor(places)
        parts = []
        for offset in neighbours:
            share = kernel(np.abs(places - first - offset))
            points = points_at(x, np.clip(first + offset, 0, length - 1), axis)
            parts.append(multiply(points, along_axis(x, in_dtype(x, share), axis)))
        return _sum(parts)

    def _places(self, length: int, size: int, ratio: float) -> Any:
        """Return where in the image the points of the result are."""
        steps = np.arange(size)
        if self.align_corners:
            return steps * ((length - 1) / (size - 1) if size > 1 else 0.0)
        places = (steps + 0.5) * ratio - 0.5
        return np.maximum(places, 0) if self.method == "linear" else places


class PixelShuffle(Module):
    """Map (samples, channels * scale**axes, ...) to (samples, channels, ...), of larger images.

    Each axis of an image is then ``scale`` times as long: channels beside each other become
    points beside each other. Source: Shi and others, "Real-time single image and video
    super-resolution" (CVPR 2016).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.PixelShuffle(2)(np.arange(4.0).reshape(1, 4, 1, 1))
    array([[[[0., 1.],
             [2., 3.]]]])
    """

    scale: int = static()

    def __init__(self, scale: int) -> None:
        self.scale = integer("PixelShuffle", "scale", scale, least=1)

    def __call__(self, x: Any) -> Any:
        count, scale = axes_of_image("PixelShuffle", x), self.scale
        samples, channels, *lengths = x.shape
        if channels % scale**count:
            raise ShapeError(
                f"PixelShuffle: {channels} channels of {tuple(x.shape)}, expected a multiple of "
                f"{scale}**{count}"
            )
        own = channels // scale**count
        apart = reshape(x, (samples, own, *[scale] * count, *lengths))
        order = [axis for n in range(count) for axis in (2 + count + n, 2 + n)]
        beside = permute_dims(apart, (0, 1, *order))
        return reshape(beside, (samples, own, *[scale * length for length in lengths]))


def _scales(scale: Any) -> Any:
    for value in scale if isinstance(scale, (tuple, list)) else (scale,):
        require_number("Upsample", "scale", value)
        if not 0 < value < float("inf"):
            raise ShapeError(f"Upsample: scale={value!r}, expected a number above 0")
    return tuple(scale) if isinstance(scale, list) else scale


def _sum(parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = add(total, part)
    return total
