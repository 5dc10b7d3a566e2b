"""Layers that reduce windows to their largest element or their average."""

from typing import Any

from gradx.errors import ShapeError
from gradx.nn.module import Module, static
from gradx.ops import pooling
from gradx.ops.windows import padding_pairs, per_axis


class MaxPool(Module):
    """Find the largest element of each window: ``gx.max_pool`` as a layer, with its arguments.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.MaxPool(2)(np.ones((5, 3, 28, 28))).shape
    (5, 3, 14, 14)
    """

    kernel: Any = static()
    stride: Any = static()
    padding: Any = static()
    dilation: Any = static()
    ceil_mode: bool = static()

    def __init__(
        self,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:
        count = _axes_of("MaxPool", kernel)
        self.kernel = _lengths("MaxPool", "kernel", kernel, count)
        self.stride = _lengths("MaxPool", "stride", stride, count)
        self.padding = _padding("MaxPool", padding, count)
        self.dilation = _lengths("MaxPool", "dilation", dilation, count)
        self.ceil_mode = ceil_mode

    def __call__(self, x: Any) -> Any:
        return pooling.max_pool(
            x,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )


class AvgPool(Module):
    """Average each window: ``gx.avg_pool`` as a layer, with its arguments.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.AvgPool((7, 7))(np.ones((5, 3, 28, 28))).shape
    (5, 3, 4, 4)
    """

    kernel: Any = static()
    stride: Any = static()
    padding: Any = static()
    count_padding: bool = static()
    ceil_mode: bool = static()

    def __init__(
        self,
        kernel: Any,
        stride: Any = None,
        padding: Any = 0,
        count_padding: bool = True,
        ceil_mode: bool = False,
    ) -> None:
        count = _axes_of("AvgPool", kernel)
        self.kernel = _lengths("AvgPool", "kernel", kernel, count)
        self.stride = _lengths("AvgPool", "stride", stride, count)
        self.padding = _padding("AvgPool", padding, count)
        self.count_padding = count_padding
        self.ceil_mode = ceil_mode

    def __call__(self, x: Any) -> Any:
        return pooling.avg_pool(
            x,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            count_padding=self.count_padding,
            ceil_mode=self.ceil_mode,
        )


def _axes_of(name, kernel):
    """Return how many spatial axes a kernel has; a number is for any, which is ``None``."""
    if not isinstance(kernel, (tuple, list)):
        return None
    if not 1 <= len(kernel) <= 3:
        raise ShapeError(f"{name}: kernel={kernel!r}, expected 1, 2 or 3 lengths, or a number")
    return len(kernel)


def _lengths(name, what, value, count):
    """Check a setting, and return it so that it has an ``==`` of one truth value."""
    if value is None and what == "stride":
        return None
    lengths = per_axis(name, what, value, _counted(value, count))
    return lengths if isinstance(value, (tuple, list)) else value


def _padding(name, padding, count):
    if isinstance(padding, str) and padding == "same":
        return padding
    pairs = padding_pairs(name, padding, _counted(padding, count))
    return pairs if isinstance(padding, (tuple, list)) else padding


def _counted(value, count):
    """Return for how many axes a setting must be; a kernel that is a number leaves it open."""
    return count or (len(value) if isinstance(value, (tuple, list)) else 1)
