"""The fully connected layer."""

from collections.abc import Callable
from math import prod
from typing import Any

from gradx.core.explain import describe
from gradx.errors import ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn, require_array
from gradx.nn.module import Module
from gradx.ops.arithmetic import add
from gradx.ops.linalg import matmul
from gradx.ops.shapes import reshape
from gradx.ops.windows import integer
from gradx.random import split

Initializer = Callable[..., Any]


class Linear(Module):
    """Map ``(..., inputs)`` to ``(..., outputs)`` by ``x @ weight + bias``.

    Weights are drawn by ``weight_init``, from a normal distribution of variance
    ``1 / inputs`` by default, biases by ``bias_init``, zero by default; both are
    functions as in ``gx.nn.init``. ``dtype`` is float32 unless another is given.
    With ``bias=False`` there is none, and the field is ``None``.

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.Linear(784, 10, key=gx.random.key(0))
    >>> layer
    Linear(weight=float32 (784, 10), bias=float32 (10,))
    >>> layer(np.ones((5, 784), dtype=np.float32)).shape
    (5, 10)
    """

    weight: Any  # (inputs, outputs)
    bias: Any  # (outputs,) or None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        key: Any,
        bias: bool = True,
        weight_init: Initializer = init.lecun_normal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        inputs = integer("Linear", "inputs", inputs, least=1)
        outputs = integer("Linear", "outputs", outputs, least=1)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        weight_key, bias_key = split(key)
        shape = (inputs, outputs)
        self.weight = drawn("Linear", "weight", weight_init, weight_key, shape, placed)
        self.bias = (
            drawn("Linear", "bias", bias_init, bias_key, shape[1:], placed) if bias else None
        )

    def __call__(self, x: Any) -> Any:
        require_array("Linear", "the input", x)
        shape: Any = getattr(self.weight, "shape", ())
        if len(shape) != 2:
            raise ShapeError(
                f"Linear: weight is {describe(self.weight)}, expected (inputs, outputs)"
            )
        inputs = shape[0]
        if not x.shape or x.shape[-1] != inputs:
            raise ShapeError(f"Linear: expected (..., {inputs}), got {tuple(x.shape)}")
        # One product of all rows, where NumPy would take one for each matrix of a stack.
        rows = x if len(x.shape) <= 2 else reshape(x, (prod(x.shape[:-1]), inputs))
        out = matmul(rows, self.weight)
        # Its shape before the bias, so that a compiled step adds that in the loop of what follows.
        out = out if len(x.shape) <= 2 else reshape(out, (*x.shape[:-1], shape[1]))
        return out if self.bias is None else add(out, self.bias)
