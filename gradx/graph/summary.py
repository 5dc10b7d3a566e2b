"""Arrays in few words: numbers where they are few, else shape, mean, least and greatest."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from gradx.backends import backend_of
from gradx.core.arrays import untracked

FEW = 4  # numbers that fit above an edge
SOME = 12  # numbers that fit in a tooltip
BARS = 12  # of a histogram
HEIGHTS = "0123456789"  # of its bars


class Summary(NamedTuple):
    """A value: the shape, if it needs telling, and lines for an edge; a sentence for a tooltip.

    Where there is a shape, there are mean, least and greatest too, and the heights of the bars
    of a histogram between those two, unless they are equal.
    """

    shape: tuple[str, ...]
    lines: tuple[str, ...]
    sentence: str
    statistics: tuple[str, ...] = ()
    histogram: str = ""


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
    numbers, bars = _statistics(array), histogram(array)
    mean, least, greatest = [_number(n, ".2g") for n in numbers]
    are_equal = numbers[1] == numbers[2] and mean == least
    lines = (f"all {mean}",) if are_equal else (f"mean {mean}", f"{least} to {greatest}")
    statistics = tuple([_number(n, ".4g") for n in numbers])
    sentence = "{}, mean {}, min {}, max {}".format(shape, *statistics)
    if size <= SOME:
        sentence = _numbers(array, ".6g")
    return Summary((str(shape),), lines, sentence, statistics, bars)


def histogram(array: Any) -> str:
    """Count the finite numbers of ``array`` in bars from least to greatest, each a digit.

    Of complex numbers it is the magnitudes. Equal numbers have no histogram.
    """
    numbers = np.abs(_as_numpy(array)) if _is_complex(array) else _as_numpy(array)
    numbers = numbers[np.isfinite(numbers)].astype(np.float64)
    if numbers.size == 0 or numbers.min() == numbers.max():
        return ""
    # Their distance may be more than a float can hold, and their halves less.
    numbers = numbers / np.abs(numbers).max()
    low, high = numbers.min(), numbers.max()
    places = np.minimum((numbers - low) / (high - low) * BARS, BARS - 1)
    counts = np.bincount(places.astype(np.int64), minlength=BARS)
    heights = -(-counts * (len(HEIGHTS) - 1) // counts.max())  # Whatever is there is seen.
    return "".join([HEIGHTS[height] for height in heights])


def _as_numpy(array):
    return np.asarray(backend_of(type(array)).to_numpy(array))


def _is_complex(array):
    return backend_of(type(array)).xp.isdtype(array.dtype, "complex floating")


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
    is_complex = _is_complex(array)
    if not is_complex:
        array = xp.astype(array, xp.float64)
    magnitudes = xp.abs(array) if is_complex else array
    with warnings.catch_warnings():  # Of infinities, which a drawing may well be about.
        warnings.simplefilter("ignore", RuntimeWarning)
        return xp.mean(array), xp.min(magnitudes), xp.max(magnitudes)
