"""A layer beside the way around it."""

from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.nn.module import Module, show_leaf
from gradx.nn.sequential import Function, call_layer
from gradx.ops.arithmetic import add


class Residual(Module):
    """Add what ``layer``, a module or a function, makes of the input to the input.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (CVPR 2016).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.Residual(gx.nn.relu)(np.asarray([-1.0, 2.0]))
    array([-1.,  4.])
    """

    layer: Module

    def __init__(self, layer: Any) -> None:
        if not callable(layer) or isinstance(layer, type):
            raise DTypeError(f"Residual: {show_leaf(layer)}, expected a module or a function")
        self.layer = layer if isinstance(layer, Module) else Function(layer)

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        out = call_layer(self.layer, x, key=key, position=0, train=train)
        if tuple(out.shape) != tuple(x.shape):
            raise ShapeError(
                f"Residual: the layer maps {tuple(x.shape)} to {tuple(out.shape)}, "
                "expected the same shape"
            )
        return add(x, out)
