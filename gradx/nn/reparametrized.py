"""Layers whose weight is made of other parameters: a length for a direction, or one of norm 1."""

from math import inf
from typing import Any

from gradx.core.arrays import backend_for
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.convolution import ConvTranspose
from gradx.nn.linear import Linear
from gradx.nn.module import Module, static
from gradx.nn.module import state as state_field
from gradx.nn.sequential import call_layer
from gradx.nn.stateful import set_next
from gradx.ops.arithmetic import divide, multiply, where
from gradx.ops.comparison import equal
from gradx.ops.creation import stop_gradient
from gradx.ops.extremes import maximum
from gradx.ops.linalg import matmul, vecdot
from gradx.ops.linalg_norms import vector_norm
from gradx.ops.shapes import checked_axis, matrix_transpose, moveaxis, reshape
from gradx.ops.windows import integer
from gradx.random import normal

SECOND_IS_OUTPUTS = (Linear, ConvTranspose)
FIRST_STEPS = 15  # of the iteration, from a vector that was drawn


class WeightNorm(Module):
    """Learn the length of each output's weights apart from their direction.

    ``layer`` is a ``Linear``, a ``Conv`` or another module with a field ``weight``, which
    becomes the direction: the layer is called with ``scale * weight / |weight|``, where the norm
    is over all axes but ``axis``. That is the axis of the outputs unless it is given: the second
    of a ``Linear`` or a ``ConvTranspose`` (of which PyTorch takes the first, 0, here), the first
    of any other. To begin with the layer computes what it did before.
    Source: Salimans, Kingma, "Weight normalization" (NeurIPS 2016).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.WeightNorm(gx.nn.Linear(3, 2, key=gx.random.key(0)))
    >>> layer.scale.shape, layer(np.ones((5, 3), dtype=np.float32)).shape
    ((1, 2), (5, 2))
    """

    layer: Any
    scale: Any  # of the weight's shape, with 1 for all axes but one
    axis: int = static()

    def __init__(self, layer: Any, *, axis: int | None = None) -> None:
        self.layer = layer
        self.axis = _checked_axis("WeightNorm", layer, axis)
        self.scale = self._lengths()

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        lengths = self._lengths()
        direction = divide(self.layer.weight, where(equal(lengths, 0), 1.0, lengths))
        layer = self.layer.replace(weight=multiply(self.scale, direction))
        return call_layer(layer, x, key=key, position=0, train=train)

    def _lengths(self) -> Any:
        weight = self.layer.weight
        others = tuple(axis for axis in range(len(weight.shape)) if axis != self.axis)
        return vector_norm(weight, axis=others, keepdims=True)


class SpectralNorm(Module):
    """Divide the weight of ``layer`` by its largest singular value.

    ``layer`` and ``axis`` are as for ``WeightNorm``; the weight is a matrix with ``axis`` for
    rows and all else for columns. Its singular vectors are estimated by power iteration: the
    first ones from ``key``, then ``steps`` more in each call with ``train=True``. They are
    state, as the averages of ``BatchNorm``: see ``gx.nn.with_state``. No norm is taken to be
    less than ``eps``. Source: Miyato and others, "Spectral normalization for generative
    adversarial networks" (ICLR 2018).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.SpectralNorm(gx.nn.Linear(3, 2, key=gx.random.key(0)), key=gx.random.key(1))
    >>> float(gx.linalg.matrix_norm(layer(np.eye(3, dtype=np.float32)), ord=2).round(4))
    1.0
    """

    layer: Any
    left: Any = state_field()  # (rows,)
    right: Any = state_field()  # (columns,)
    axis: int = static()
    steps: int = static()
    eps: float = static()

    def __init__(
        self, layer: Any, *, key: Any, axis: int | None = None, steps: int = 1, eps: float = 1e-12
    ) -> None:
        self.layer = layer
        self.axis = _checked_axis("SpectralNorm", layer, axis)
        self.steps = integer("SpectralNorm", "steps", steps, least=1)
        require_number("SpectralNorm", "eps", eps)
        if not 0 <= eps < inf:
            raise ShapeError(f"SpectralNorm: eps={eps!r}, expected 0 or more, and finite")
        self.eps = float(eps)
        rows = self._rows()
        drawn = normal(
            key, rows.shape[1:], dtype=rows.dtype, device=backend_for(rows).device_of(rows)
        )
        self.left, self.right = self._iterated(rows, drawn, FIRST_STEPS)

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        rows = self._rows()
        left, right = stop_gradient(self.left), stop_gradient(self.right)
        if train:
            left, right = self._iterated(stop_gradient(rows), right, self.steps)
            set_next("SpectralNorm", self.left, lambda latest: left)
            set_next("SpectralNorm", self.right, lambda latest: right)
        largest = vecdot(left, matmul(rows, right))
        layer = self.layer.replace(weight=divide(self.layer.weight, largest))
        return call_layer(layer, x, key=key, position=0, train=train)

    def _rows(self) -> Any:
        weight = moveaxis(self.layer.weight, self.axis, 0)
        return reshape(weight, (weight.shape[0], -1))

    def _iterated(self, rows: Any, right: Any, steps: int) -> tuple[Any, Any]:
        left = self._of_length_one(matmul(rows, right))
        right = self._of_length_one(matmul(matrix_transpose(rows), left))
        return (left, right) if steps == 1 else self._iterated(rows, right, steps - 1)

    def _of_length_one(self, x: Any) -> Any:
        return divide(x, maximum(vector_norm(x), self.eps))


def _checked_axis(name: str, layer: Any, axis: int | None) -> int:
    shape: Any = getattr(getattr(layer, "weight", None), "shape", ())
    if not isinstance(layer, Module) or len(shape) < 2:
        raise DTypeError(
            f"{name}: expected a module with a weight of two axes or more, got {describe(layer)}: "
            f"gx.nn.{name}(gx.nn.Linear(784, 128, key=key))"
        )
    if axis is None:
        return 1 if isinstance(layer, SECOND_IS_OUTPUTS) else 0
    return checked_axis(name, axis, len(shape))
