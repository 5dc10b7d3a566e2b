"""A learned vector for each of a number of things, such as the words of a vocabulary."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn, require_array
from gradx.nn.module import Module
from gradx.ops.along import take
from gradx.ops.linalg import matmul
from gradx.ops.shapes import matrix_transpose
from gradx.ops.windows import integer

Initializer = Callable[..., Any]
UNIT_NORMAL = partial(init.normal, std=1.0)


class Embedding(Module):
    """Map integers (...) from 0 to ``count - 1`` to vectors (..., features).

    The vectors are drawn by ``weight_init``, a function as in ``gx.nn.init``, from the
    normal distribution by default. Negative integers count from the end, and one
    outside of the table raises ``IndexError``. ``logits`` is the way back with
    the same weights: scores of each thing, of a vector.

    >>> import numpy as np, gradx as gx
    >>> table = gx.nn.Embedding(100, 16, key=gx.random.key(0))
    >>> vectors = table(np.asarray([[1, 2, 3], [4, 5, 6]]))
    >>> vectors.shape, table.logits(vectors).shape
    ((2, 3, 16), (2, 3, 100))
    """

    weight: Any  # (count, features)

    def __init__(
        self,
        count: int,
        features: int,
        *,
        key: Any,
        weight_init: Initializer = UNIT_NORMAL,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.weight = drawn_table("Embedding", count, features, key, weight_init, device, dtype)

    def __call__(self, x: Any) -> Any:
        require_integers("Embedding", "the input", x)
        return take(self.weight, x, axis=0)

    def logits(self, x: Any) -> Any:
        """Map vectors (..., features) to (..., count), their products with each row."""
        require_array("Embedding", "the input of logits", x)
        features = self.weight.shape[1]
        if not x.shape or x.shape[-1] != features:
            raise ShapeError(f"Embedding: logits of (..., {features}), got {tuple(x.shape)}")
        return matmul(x, matrix_transpose(self.weight))


def drawn_table(
    name: str, count: Any, features: Any, key: Any, weight_init: Any, device: Any, dtype: Any
) -> Any:
    """Return the initial vectors of a layer: (count, features)."""
    shape = (
        integer(name, "count", count, least=1),
        integer(name, "features", features, least=1),
    )
    placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
    return drawn(name, "weight", weight_init, key, shape, placed)


def require_integers(name: str, what: str, x: Any) -> None:
    """Raise unless ``x`` is an array of integers."""
    require_array(name, what, x)
    if not is_kind(x, "integral"):
        raise DTypeError(f"{name}: {what} is {describe(x)}, expected integers")
