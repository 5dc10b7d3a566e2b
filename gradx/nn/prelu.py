"""A rectifier whose slope for negative numbers is learned."""

from functools import partial
from typing import Any

from gradx.errors import ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn, require_array, require_number
from gradx.nn.module import Module
from gradx.ops.arithmetic import multiply, where
from gradx.ops.comparison import greater
from gradx.ops.shapes import reshape
from gradx.ops.windows import integer


class PReLU(Module):
    """Multiply negative elements by ``weight``, one number, or one for each channel.

    With ``channels`` above 1 those are the second axis of the input; ``initial`` is what
    weights begin with. At 0 the derivative is the weight. Leave it out of weight decay, which
    draws it to a plain ``relu``. Source: He and others, "Delving deep into rectifiers"
    (ICCV 2015).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.PReLU()(np.asarray([-4.0, 0.0, 4.0]))
    array([-1.,  0.,  4.])
    """

    weight: Any  # (channels,)

    def __init__(
        self, channels: int = 1, *, initial: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        channels = integer("PReLU", "channels", channels, least=1)
        require_number("PReLU", "initial", initial)
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        filled = partial(init.constant, value=initial)
        self.weight = drawn("PReLU", "weight", filled, None, (channels,), placed)

    def __call__(self, x: Any) -> Any:
        require_array("PReLU", "the input", x)
        (channels,), shape = self.weight.shape, tuple(x.shape)
        if channels > 1 and (len(shape) < 2 or shape[1] != channels):
            raise ShapeError(f"PReLU: expected (samples, {channels}, ...), got {shape}")
        # One weight fits the last axis of any shape, and a number too.
        wanted = (channels, *[1] * (len(shape) - 2)) if channels > 1 else (1,) * len(shape)
        return where(greater(x, 0), x, multiply(x, reshape(self.weight, wanted)))
