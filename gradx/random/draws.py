"""Numbers from bits, by arithmetic that any device can repeat.

Element ``i`` depends on the key, the dtype and ``i`` alone: a longer draw begins
with a shorter one. A float32 or a boolean takes 32 bits (two to a word, low half
first), a float64 or an integer one word, an integer from a range above 2**32 two.

Bits are drawn on the CPU, in blocks that stay in its cache, and then moved.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gradx.backends import canonical_device, current_device, device_of, find_backend
from gradx.core.arrays import backend_for, untracked
from gradx.core.call import Tensor
from gradx.core.op import constant
from gradx.core.samples import Draw, Sample
from gradx.device import array_to_device, to_device
from gradx.errors import ShapeError
from gradx.ops.along import take
from gradx.random.arguments import (
    as_float_dtype,
    as_integer,
    as_integer_dtype,
    as_key,
    as_number,
    as_shape,
    checked_key,
)
from gradx.random.philox import stream

BLOCK = 2**14  # elements, even: normal numbers come in pairs
LOW_HALF = 2**32 - 1

Fill = Callable[[np.ndarray, np.ndarray], None]  # (words, out): set all of out


def uniform(
    key: Any,
    shape: Any = (),
    *,
    dtype: Any = None,
    device: Any = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Any:
    """Draw from the uniform distribution on [low, high).

    A float64 is the top 53 bits of a word times 2**-53, a float32 the top 24 of a
    half times 2**-24, scaled and kept below ``high``. ``dtype`` is float64 (the
    default) or float32, and ``low < high`` must hold in it.

    >>> import gradx as gx
    >>> gx.random.uniform(gx.random.key(0), (2,), low=-1.0).shape
    (2,)
    """
    chosen = as_float_dtype(dtype)
    lowest = chosen.type(as_number("low", low))
    limit = chosen.type(as_number("high", high))
    if not (lowest < limit and math.isfinite(float(limit) - float(lowest))):
        raise ShapeError(
            f"uniform: expected low < high, a finite range in {chosen}, got [{low}, {high})"
        )
    return _drawn("uniform", key, shape, chosen, device, float(lowest), float(limit))


def _draw_uniform(
    key: np.ndarray, shape: Any, dtype: np.dtype, low: float, high: float
) -> np.ndarray:
    lowest, limit = dtype.type(low), dtype.type(high)
    out = _draw(key, shape, dtype, 8 * dtype.itemsize, _FRACTIONS[dtype])
    if (lowest, limit) != (0, 1):
        out *= limit - lowest
        out += lowest
        # Rounding may reach the limit.
        np.minimum(out, np.nextafter(limit, lowest), out=out)
    return out


def _fill_fractions64(words: np.ndarray, out: np.ndarray) -> None:
    out[...] = words[: out.size] >> 11
    out *= 2.0**-53


def _fill_fractions32(words: np.ndarray, out: np.ndarray) -> None:
    out[...] = _halves(words)[: out.size] >> 8
    out *= 2.0**-24


_FRACTIONS: dict[np.dtype, Fill] = {
    np.dtype(np.float64): _fill_fractions64,
    np.dtype(np.float32): _fill_fractions32,
}


def normal(
    key: Any,
    shape: Any = (),
    *,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: Any = None,
    device: Any = None,
) -> Any:
    """Draw from the normal distribution with ``mean`` and ``std``.

    By the transform of Box and Muller (Annals of Mathematical Statistics 29, 1958)
    from pairs of uniform numbers: two words to two float64, whose size reaches 8.5
    ``std``, two halves to two float32, 6.7. ``dtype`` is float64 (the default) or
    float32; ``std`` is 0 or more.

    >>> import gradx as gx
    >>> gx.random.normal(gx.random.key(0), (2, 3), std=0.1).shape
    (2, 3)
    """
    chosen = as_float_dtype(dtype)
    center, spread = as_number("mean", mean), as_number("std", std)
    if spread < 0:
        raise ShapeError(f"std: expected 0 or more, got {spread}")
    return _drawn("normal", key, shape, chosen, device, center, spread)


def _draw_normal(
    key: np.ndarray, shape: Any, dtype: np.dtype, center: float, spread: float
) -> np.ndarray:
    out = _draw(key, shape, dtype, 8 * dtype.itemsize, _NORMALS[dtype])
    if spread != 1:
        out *= spread
    if center != 0:
        out += center
    return out


def _fill_normal64(words: np.ndarray, out: np.ndarray) -> None:
    bits = words >> 11
    # One is added so that the logarithm never meets zero.
    fractions = (bits[0::2] + 1) * 2.0**-53
    _box_muller(fractions, bits[1::2] * (2 * math.pi * 2.0**-53), out)


def _fill_normal32(words: np.ndarray, out: np.ndarray) -> None:
    numbers = _halves(words).astype(np.float32)
    # Half a step is added so that the logarithm never meets zero.
    fractions = numbers[0::2] * np.float32(2.0**-32) + np.float32(2.0**-33)
    _box_muller(fractions, numbers[1::2] * np.float32(2 * math.pi * 2.0**-32), out)


def _box_muller(fractions: np.ndarray, angles: np.ndarray, out: np.ndarray) -> None:
    """Write pairs ``radius * (cos, sin)`` beside each other; the last may be half."""
    radius = np.log(fractions, out=fractions)
    radius *= -2
    np.sqrt(radius, out=radius)
    np.multiply(radius, np.cos(angles), out=out[0::2])
    pairs = out.size // 2
    np.multiply(radius[:pairs], np.sin(angles[:pairs]), out=out[1::2])


_NORMALS: dict[np.dtype, Fill] = {
    np.dtype(np.float64): _fill_normal64,
    np.dtype(np.float32): _fill_normal32,
}


def bernoulli(key: Any, p: float = 0.5, shape: Any = (), *, device: Any = None) -> Any:
    """Draw truth values that are True with probability ``p``, from 0 to 1.

    Half a word is compared with ``p`` rounded to a multiple of 2**-32.

    >>> import gradx as gx
    >>> gx.random.bernoulli(gx.random.key(0), 1.0, (2,))
    array([ True,  True])
    """
    probability = as_number("p", p)
    if not 0 <= probability <= 1:
        raise ShapeError(f"p: expected a probability from 0 to 1, got {probability}")
    return _drawn("bernoulli", key, shape, np.dtype(bool), device, round(probability * 2**32))


def _draw_bernoulli(key: np.ndarray, shape: Any, dtype: np.dtype, limit: int) -> np.ndarray:
    return _draw(key, shape, dtype, 32, partial(_fill_below, limit=limit))


def _fill_below(words: np.ndarray, out: np.ndarray, *, limit: int) -> None:
    np.less(_halves(words)[: out.size], limit, out=out)


def integers(
    key: Any, low: int, high: int, shape: Any = (), *, dtype: Any = None, device: Any = None
) -> Any:
    """Draw integers from ``low`` to ``high - 1``, all equally likely.

    The high part of bits times range, with no rejection (Lemire, ACM TOMACS 29,
    2019): 64 bits for a range up to 2**32, 128 above, so that no probability is off
    by more than a factor 1 + 2**-32. ``dtype`` is int64 or another integer dtype
    that holds the range.

    >>> import gradx as gx
    >>> gx.random.integers(gx.random.key(0), 5, 6, (3,))
    array([5, 5, 5])
    """
    chosen = as_integer_dtype(dtype)
    lowest, limit = as_integer("low", low), as_integer("high", high)
    if lowest >= limit:
        raise ShapeError(f"integers: expected low < high, got low={lowest}, high={limit}")
    held = np.iinfo(chosen)
    if lowest < held.min or limit - 1 > held.max:
        raise ShapeError(f"integers: {chosen} does not hold all of [{lowest}, {limit})")
    return _drawn("integers", key, shape, chosen, device, lowest, limit - lowest)


def _draw_integers(
    key: np.ndarray, shape: Any, dtype: np.dtype, low: int, count: int
) -> np.ndarray:
    scale, bits = (_high_product, 64) if count <= 2**32 else (_scale_two_words, 128)
    fill = partial(_fill_integers, scale=scale, low=low, count=count)
    return _draw(key, shape, dtype, bits, fill)


def _fill_integers(
    words: np.ndarray,
    out: np.ndarray,
    *,
    scale: Callable[[np.ndarray, int], np.ndarray],
    low: int,
    count: int,
) -> None:
    numbers = scale(words, count)[: out.size]
    numbers += np.uint64(low % 2**64)  # both lines wrap round, as two's complement does
    out[...] = numbers


def _scale_two_words(words: np.ndarray, count: int) -> np.ndarray:
    """Return ``(high * 2**64 + low) * count // 2**128`` for each pair of words."""
    high, low = words[0::2], words[1::2]
    if count == 2**64:
        return high.copy()
    middle = high * np.uint64(count)
    carry = middle + _high_product(low, count) < middle
    return _high_product(high, count) + carry


def _high_product(words: np.ndarray, factor: int) -> np.ndarray:
    """Return ``words * factor // 2**64``, by halves, for a factor below 2**64."""
    upper, lower = factor >> 32, factor & LOW_HALF
    high, low = words >> 32, words & LOW_HALF
    first = high * lower + (low * lower >> 32)
    if upper == 0:
        return first >> 32
    second = low * upper + (first & LOW_HALF)
    return high * upper + (first >> 32) + (second >> 32)


def permutation(key: Any, x: Any, *, device: Any = None) -> Any:
    """Shuffle: the integers below ``x``, or the rows of an array ``x`` (axis 0).

    The order that sorts as many random words. Rows stay on their device unless
    ``device`` is given.

    >>> import gradx as gx
    >>> sorted(gx.random.permutation(gx.random.key(0), 4).tolist())
    [0, 1, 2, 3]
    """
    if type(x) is not Tensor and (find_backend(type(x)) is None or isinstance(x, np.integer)):
        return _permuted(key, as_integer("x", x), device)
    rows: Any = x
    if rows.ndim == 0:
        raise ShapeError("permutation: expected an integer or an array with rows, got shape ()")
    order = _permuted(key, rows.shape[0], backend_for(x).device_of(untracked(x)))
    rows = take(rows, order, axis=0)
    return rows if device is None else to_device(rows, device)


def _permuted(key: Any, count: int, device: Any) -> Any:
    if count < 0:
        raise ShapeError(f"permutation: expected 0 or more, got {count}")
    return _drawn("permutation", key, (count,), np.dtype(np.int64), device)


def _draw_permutation(key: np.ndarray, shape: Any, dtype: np.dtype) -> np.ndarray:
    with stream(key) as generator:
        return np.argsort(generator.random_raw(shape[0])).astype(dtype, copy=False)


def _draw(key: np.ndarray, shape: Any, dtype: np.dtype, bits: int, fill: Fill) -> np.ndarray:
    """Fill an array block by block, with ``bits`` bits for each element."""
    out = np.empty(shape, dtype)
    flat = out.reshape(-1)
    with stream(key) as generator:
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK]
            even = block.size + block.size % 2
            fill(generator.random_raw(even * bits // 64), block)
    return out


def _halves(words: np.ndarray) -> np.ndarray:
    """Return the 32-bit halves of ``words``, low before high on every machine."""
    return words.astype("<u8", copy=False).view("<u4")


LAWS: dict[str, Callable[..., np.ndarray]] = {
    "bernoulli": _draw_bernoulli,
    "integers": _draw_integers,
    "normal": _draw_normal,
    "permutation": _draw_permutation,
    "uniform": _draw_uniform,
}


def _samples(draw: Draw) -> Iterator[Sample]:
    key = (draw(2) * 97).astype("uint64")
    laws: list[tuple[str, str, tuple[float, ...]]] = [
        ("uniform", "float64", (-1.0, 2.0)),
        ("normal", "float32", (0.5, 2.0)),
        ("bernoulli", "bool", (2**31,)),
        ("integers", "int64", (-3, 7)),
    ]
    for law, dtype, numbers in laws:
        params = {"law": law, "shape": (2, 3), "numbers": numbers, "drawn_dtype": dtype}
        yield Sample((key,), params)
    yield Sample(
        (key,), {"law": "permutation", "shape": (4,), "numbers": (), "drawn_dtype": "int64"}
    )


@constant(samples=_samples)
def random_numbers(xp, key, /, *, law, shape, drawn_dtype, numbers=(), device=None):
    """Draw from the law of a name: on ``device``, or where the key is."""
    out = LAWS[law](as_key(key), shape, np.dtype(drawn_dtype), *numbers)
    return array_to_device(out, device_of(key) if device is None else device)


def _drawn(law: str, key: Any, shape: Any, dtype: np.dtype, device: Any, *numbers: float) -> Any:
    """Draw as an op of the key: in a captured graph the key is data like any other."""
    return random_numbers(
        checked_key(key),
        law=law,
        shape=as_shape(shape),
        drawn_dtype=dtype.name,
        numbers=numbers,
        device=canonical_device(current_device() if device is None else device),
    )
