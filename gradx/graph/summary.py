"""Arrays in few words: numbers where they are few, else shape, mean, least and greatest."""

import warnings
from typing import Any, NamedTuple

from gradx.backends import backend_of
from gradx.core.arrays import untracked

FEW = 4  # numbers that fit above an edge
SOME = 12  # numbers that fit in a tooltip


class Summary(NamedTuple):
    """A value: the shape, if it needs telling, and lines for an edge; a sentence for a tooltip."""

    shape: tuple[str, ...]
    lines: tuple[str, ...]
    sentence: str


def summarize(array: Any) -> Summary:
    """Say what is in ``array``.

    Complex arrays have a mean, and the least and greatest of their magnitudes.
    """
    array = untracked(array)
    shape = tuple(array.shape)
    size = 1
    for length in shape:
        size *= length
    if size == 0:
        return Summary((), (f"empty {shape}",), f"empty {shape}")
    if size <= FEW:
        return Summary((), (_numbers(array, ".4g"),), _numbers(array, ".6g"))
    statistics = _statistics(array)
    mean, least, greatest = [_number(n, ".2g") for n in statistics]
    lines = (f"mean {mean}", f"{least} to {greatest}")
    if size <= SOME:
        return Summary((str(shape),), lines, _numbers(array, ".6g"))
    mean, least, greatest = [_number(n, ".4g") for n in statistics]
    return Summary((str(shape),), lines, f"{shape}, mean {mean}, min {least}, max {greatest}")


def _numbers(array, form):
    if array.ndim == 0:
        return _number(array, form)
    return "[" + ", ".join(_numbers(array[i, ...], form) for i in range(array.shape[0])) + "]"


def _number(scalar, form):
    number = complex(scalar)
    # Adding zero turns -0.0 into 0.0.
    return format(number if number.imag else number.real + 0.0, form)


def _statistics(array):
    xp = backend_of(type(array)).xp
    is_complex = xp.isdtype(array.dtype, "complex floating")
    if not is_complex:
        array = xp.astype(array, xp.float64)
    magnitudes = xp.abs(array) if is_complex else array
    with warnings.catch_warnings():  # Of infinities, which a drawing may well be about.
        warnings.simplefilter("ignore", RuntimeWarning)
        return xp.mean(array), xp.min(magnitudes), xp.max(magnitudes)
