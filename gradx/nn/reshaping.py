"""Layers that only change shapes."""

from math import prod
from typing import Any

from gradx.errors import ShapeError
from gradx.nn.checks import require_array
from gradx.nn.module import Module
from gradx.ops.shapes import reshape


class Flatten(Module):
    """Map ``(samples, ...)`` to ``(samples, features)``.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.Flatten()(np.ones((5, 2, 3))).shape
    (5, 6)
    """

    def __call__(self, x: Any) -> Any:
        require_array("Flatten", "the input", x)
        if not x.shape:
            raise ShapeError("Flatten: expected (samples, ...), got ()")
        return reshape(x, (x.shape[0], prod(x.shape[1:])))
