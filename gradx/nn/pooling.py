"""Layers that reduce windows to their largest element or their average."""

from typing import Any

from gradx.nn.module import Module, static
from gradx.ops import pooling


class MaxPool(Module):
    """Find the largest element of each window: ``gx.max_pool`` as a layer, with its arguments.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.MaxPool(2)(np.ones((5, 3, 28, 28))).shape
    (5, 3, 14, 14)
    """

    kernel: Any = static()
    stride: Any = static(None)
    padding: Any = static(0)
    ceil_mode: bool = static(False)

    def __call__(self, x: Any) -> Any:
        return pooling.max_pool(
            x,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
        )


class AvgPool(Module):
    """Average each window: ``gx.avg_pool`` as a layer, with its arguments.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.AvgPool((7, 7))(np.ones((5, 3, 28, 28))).shape
    (5, 3, 4, 4)
    """

    kernel: Any = static()
    stride: Any = static(None)
    padding: Any = static(0)
    count_padding: bool = static(True)
    ceil_mode: bool = static(False)

    def __call__(self, x: Any) -> Any:
        return pooling.avg_pool(
            x,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            count_padding=self.count_padding,
            ceil_mode=self.ceil_mode,
        )
