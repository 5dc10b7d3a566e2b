"""What layers of images (samples, channels, ...) have in common: settings of axes, and points."""

from typing import Any

import numpy as np

from gradx.errors import ShapeError
from gradx.nn.checks import require_array
from gradx.ops.along import take
from gradx.ops.creation import place_of
from gradx.ops.windows import integer, per_axis


def sizes_of(name: str, size: Any) -> Any:
    """Return the lengths that are wanted: one number, or a tuple of one for each axis."""
    if isinstance(size, (tuple, list)):
        return per_axis(name, "size", tuple(size), len(size))
    return integer(name, "size", size, least=1)


def each_axis(name: str, what: str, value: Any, count: int) -> tuple[Any, ...]:
    """Return a setting for each axis of the image."""
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise ShapeError(f"{name}: {what}={value} for an image of {count} axes")
    return value


def axes_of_image(name: str, x: Any) -> int:
    """Return how many axes the images have, each of which must have a length."""
    require_array(name, "the input", x)
    if len(x.shape) < 3:
        raise ShapeError(f"{name}: expected (samples, channels, ...), got {tuple(x.shape)}")
    return len(x.shape) - 2


def points_at(x: Any, places: Any, axis: int) -> Any:
    """Return the points of ``x`` at places along an axis."""
    xp, device = place_of(x)
    return take(x, xp.asarray(places.astype(np.int64), device=device), axis=axis)


def along_axis(x: Any, values: Any, axis: int) -> Any:
    """Return values as an array beside ``x``, one for each place along an axis."""
    xp, device = place_of(x)
    return xp.reshape(xp.asarray(values, device=device), (-1, *[1] * (len(x.shape) - axis - 1)))


def in_dtype(x: Any, values: Any) -> Any:
    """Return numbers of NumPy in the dtype of ``x``."""
    return values.astype(str(x.dtype).rpartition(".")[2])
