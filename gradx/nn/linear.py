"""The fully connected layer."""

from collections.abc import Callable
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.nn import init
from gradx.nn.module import Module
from gradx.ops.arithmetic import add
from gradx.ops.linalg import matmul
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
        require_width("inputs", inputs)
        require_width("outputs", outputs)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        weight_key, bias_key = split(key)
        self.weight = weight_init(weight_key, (inputs, outputs), **placed)
        self.bias = bias_init(bias_key, (outputs,), **placed) if bias else None

    def __call__(self, x: Any) -> Any:
        inputs = self.weight.shape[0]
        if not x.shape or x.shape[-1] != inputs:
            raise ShapeError(f"Linear: expected (..., {inputs}), got {tuple(x.shape)}")
        out = matmul(x, self.weight)
        return out if self.bias is None else add(out, self.bias)


def require_width(name: str, value: Any) -> None:
    """Raise unless ``value`` is a number of features."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise DTypeError(f"Linear: {name}={value!r}, expected an integer")
    if value < 1:
        raise ShapeError(f"Linear: {name}={value}, expected 1 or more")
