"""One vector for each bag of things: the sum, average or largest of those that they have."""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

from gradx.errors import ShapeError
from gradx.nn.checks import require_array
from gradx.nn.embedding import UNIT_NORMAL, drawn_table, require_integers
from gradx.nn.module import Module, static
from gradx.ops.along import take
from gradx.ops.arithmetic import divide, multiply, subtract, where
from gradx.ops.comparison import equal, less, logical_and, not_equal
from gradx.ops.creation import place_of
from gradx.ops.searching import searchsorted
from gradx.ops.segments import segment_max, segment_sum
from gradx.ops.shapes import astype, expand_dims, sum
from gradx.ops.statistical import max
from gradx.ops.windows import integer

Initializer = Callable[..., Any]
MODES = ("mean", "sum", "max")


class EmbeddingBag(Module):
    """Map bags of integers from 0 to ``count - 1`` to one vector each.

    A bag is a row of an array (..., length), and the result is (..., features). Or all bags lie
    one after the other in an array of one axis, ``offsets`` (bags,) say where each begins, and
    the result is (bags, features). ``mode`` says what becomes of the vectors of a bag: their
    ``"mean"``, their ``"sum"`` or, element by element, the ``"max"``; of none it is 0. Integers
    that are ``padding`` count for nothing, and their vector is never trained. With
    ``mode="sum"``, ``weights`` of the shape of the integers multiply the vectors.

    >>> import numpy as np, gradx as gx
    >>> bags = gx.nn.EmbeddingBag(100, 16, key=gx.random.key(0))
    >>> bags(np.asarray([[1, 2, 3], [4, 5, 6]])).shape
    (2, 16)
    >>> bags(np.asarray([1, 2, 3, 4, 5, 6]), np.asarray([0, 2, 2])).shape
    (3, 16)
    """

    weight: Any  # (count, features)
    mode: str = static()
    padding: int | None = static()

    def __init__(
        self,
        count: int,
        features: int,
        *,
        key: Any,
        mode: str = "mean",
        padding: int | None = None,
        weight_init: Initializer = UNIT_NORMAL,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(mode, str) or mode not in MODES:
            raise ShapeError(f"EmbeddingBag: mode={mode!r}, expected one of {MODES}")
        self.weight = drawn_table("EmbeddingBag", count, features, key, weight_init, device, dtype)
        self.mode = mode
        self.padding = None if padding is None else _checked_padding(padding, count)

    def __call__(self, x: Any, offsets: Any = None, weights: Any = None) -> Any:
        require_integers("EmbeddingBag", "the input", x)
        add_up, largest = _of_rows(x) if offsets is None else _of_segments(x, offsets)
        vectors = take(self.weight, x, axis=0)
        held = self._held(x)
        if weights is not None:
            vectors = multiply(vectors, expand_dims(self._checked(weights, x), -1))
        if self.mode == "max":
            found = largest(where(held, vectors, -inf))
            return where(equal(found, -inf), 0.0, found)
        total = add_up(where(held, vectors, 0.0))
        if self.mode == "sum":
            return total
        count = add_up(astype(held, total.dtype))
        return divide(total, where(equal(count, 0), 1.0, count))

    def _held(self, x):
        """Tell which integers count, with an axis for the features."""
        if self.padding is None:
            return expand_dims(equal(x, x), -1)
        counted_from_the_end = self.padding - self.weight.shape[0]
        held = logical_and(not_equal(x, self.padding), not_equal(x, counted_from_the_end))
        return expand_dims(held, -1)

    def _checked(self, weights, x):
        require_array("EmbeddingBag", "weights", weights)
        if self.mode != "sum":
            raise ShapeError(f"EmbeddingBag: weights go with mode='sum', not {self.mode!r}")
        if tuple(weights.shape) != tuple(x.shape):
            raise ShapeError(
                f"EmbeddingBag: weights {tuple(weights.shape)} and integers {tuple(x.shape)} "
                "have different shapes"
            )
        return weights


def _checked_padding(padding, count):
    padding = integer("EmbeddingBag", "padding", padding, least=0)
    if padding >= count:
        raise ShapeError(f"EmbeddingBag: padding={padding}, expected less than count={count}")
    return padding


def _of_rows(x):
    """Return how the vectors of a bag are added up, and the largest found, where rows are bags."""
    if not x.shape:
        raise ShapeError("EmbeddingBag: expected bags (..., length), got one integer")
    return partial(sum, axis=-2), partial(max if x.shape[-1] else sum, axis=-2)


def _of_segments(x, offsets):
    """Return the same where each bag begins at its offset."""
    require_integers("EmbeddingBag", "offsets", offsets)
    if len(x.shape) != 1 or len(offsets.shape) != 1:
        raise ShapeError(
            "EmbeddingBag: with offsets (bags,) the integers have one axis, got "
            f"{tuple(offsets.shape)} and {tuple(x.shape)}"
        )
    xp, device = place_of(x)
    count = offsets.shape[0]
    places = xp.arange(x.shape[0], dtype=offsets.dtype, device=device)
    bags = subtract(searchsorted(offsets, places, side="right"), 1)
    # What comes before the first bag is in none: no segment is of that number.
    bags = where(less(bags, 0), count, bags)
    return (
        lambda vectors: segment_sum(vectors, bags, num_segments=count),
        lambda vectors: segment_max(vectors, bags, num_segments=count),
    )
