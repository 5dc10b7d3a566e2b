"""Layers that add to each step of a sequence where in the sequence it is.

Both map (..., steps, features) to the same; ``start`` is the position of the first step,
for sequences that are continued.
"""

from collections.abc import Callable
from functools import partial
from math import log
from typing import Any

from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.creation import arange
from gradx.errors import DTypeError, ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn, require_array
from gradx.nn.module import Module, static
from gradx.ops.along import take
from gradx.ops.arithmetic import add
from gradx.ops.creation import place_of
from gradx.ops.exponential import exp
from gradx.ops.joining import stack
from gradx.ops.shapes import astype, reshape
from gradx.ops.trigonometric import cos, sin
from gradx.ops.windows import integer

Initializer = Callable[..., Any]
SMALL_NORMAL = partial(init.normal, std=0.02)


def sinusoids(positions: Any, features: int) -> Any:
    """Return sines and cosines of positions (...,) at ``features / 2`` frequencies, in turns.

    ``out[..., 2 * i]`` is ``sin(position / 10000 ** (2 * i / features))`` and ``out[..., 2 *
    i + 1]`` the cosine. Source: Vaswani and others, "Attention is all you need" (NeurIPS 2017).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.sinusoids(np.asarray([0.0, np.pi / 2]), 2).round(3)
    array([[0., 1.],
           [1., 0.]])
    """
    require_array("sinusoids", "the positions", positions)
    if not is_kind(positions, ("integral", "real floating")):
        raise DTypeError(f"sinusoids: the positions are {describe(positions)}, expected numbers")
    if integer("sinusoids", "features", features, least=1) % 2:
        raise ShapeError(f"sinusoids: features={features}, expected an even number")
    halves = arange(0, features, 2, dtype="float64", device=place_of(positions)[1])
    angles = reshape(positions, (*positions.shape, 1)) * exp(halves * (-log(10000) / features))
    return reshape(stack([sin(angles), cos(angles)], axis=-1), (*positions.shape, features))


class SinusoidalPositions(Module):
    """Add ``gx.nn.sinusoids`` of each step's position. It has no parameters.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.SinusoidalPositions()(np.zeros((2, 5, 8))).shape
    (2, 5, 8)
    """

    def __call__(self, x: Any, *, start: Any = 0) -> Any:
        steps, features = _steps_and_features("SinusoidalPositions", x)
        xp, device = place_of(x)
        positions = xp.arange(steps, dtype=xp.float64, device=device) + _floating(start, xp)
        return add(x, astype(sinusoids(positions, features), untracked(x).dtype))


class LearnedPositions(Module):
    """Add a learned vector for each of the first ``length`` positions.

    They are drawn by ``weight_init``, from a normal distribution of deviation 0.02 by default.
    Source: Gehring and others, "Convolutional sequence to sequence learning" (ICML 2017).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.LearnedPositions(10, 8, key=gx.random.key(0))
    >>> layer(np.zeros((2, 5, 8), dtype=np.float32), start=5).shape
    (2, 5, 8)
    """

    weight: Any  # (length, features)
    length: int = static()

    def __init__(
        self,
        length: int,
        features: int,
        *,
        key: Any,
        weight_init: Initializer = SMALL_NORMAL,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = "LearnedPositions"
        self.length = integer(name, "length", length, least=1)
        shape = (length, integer(name, "features", features, least=1))
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        self.weight = drawn(name, "weight", weight_init, key, shape, placed)

    def __call__(self, x: Any, *, start: Any = 0) -> Any:
        steps, features = _steps_and_features("LearnedPositions", x)
        if features != self.weight.shape[1]:
            raise ShapeError(
                f"LearnedPositions: expected (..., steps, {self.weight.shape[1]}), "
                f"got {tuple(x.shape)}"
            )
        first = _known(start)
        if not 0 <= first <= self.length - steps:
            raise ShapeError(
                f"LearnedPositions: {steps} steps from position {first}, but there are "
                f"{self.length} positions"
            )
        xp, device = place_of(x)
        return add(x, take(self.weight, xp.arange(steps, device=device) + start, axis=0))


def _steps_and_features(name, x):
    require_array(name, "the input", x)
    if len(x.shape) < 2:
        raise ShapeError(f"{name}: expected (..., steps, features), got {tuple(x.shape)}")
    return x.shape[-2:]


def _floating(start, xp):
    return astype(start, xp.float64) if hasattr(start, "dtype") else float(start)


def _known(start):
    """Return a position as a number: 0 for one that is tracked or on a GPU, and is not read."""
    if not hasattr(start, "dtype"):
        return integer("LearnedPositions", "start", start, least=0)
    is_far = type(start) is Tensor or backend_for(start).device_of(start).startswith("cuda")
    return 0 if is_far else int(start)
