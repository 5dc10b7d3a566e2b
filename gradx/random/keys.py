"""Keys and how they multiply.

A child key is the first half of a Philox block of its parent, at a counter that
says which child it is. Blocks of different counters are different, and halves of
them agree by chance with probability 2**-128: children are as independent of one
another, and of their parent's draws, as the words of one stream.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradx.backends import device_of
from gradx.core.arrays import is_kind
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.op import constant
from gradx.core.samples import Draw, Sample
from gradx.device import array_to_device
from gradx.errors import DTypeError, ShapeError
from gradx.random.arguments import as_integer, as_key, as_shape, checked_key
from gradx.random.philox import FOLD, MASK, SPLIT, stream

LARGEST = 2**128


def key(seed: int) -> np.ndarray:
    """Return the key of ``seed``, an integer from 0 to 2**128 - 1.

    Different seeds give different keys.

    Raises:
        TypeError: the seed is not an integer.
        ValueError: it is out of range.

    >>> import gradx as gx
    >>> gx.random.key(7)
    array([7, 0], dtype=uint64)
    """
    number = _as_counter("seed", seed)
    return np.array([number & MASK, number >> 64], dtype=np.uint64)


def split(key: Any, n: int = 2) -> np.ndarray:
    """Return ``n`` independent keys, as an array of shape (n, 2).

    The first keys do not depend on ``n``.

    >>> import gradx as gx
    >>> key, subkey = gx.random.split(gx.random.key(0))
    >>> subkey.shape
    (2,)
    """
    count = as_integer("n", n)
    if count < 0:
        raise ShapeError(f"n: expected 0 or more keys, got {count}")
    (count,) = as_shape(count)
    return child_keys(checked_key(key), count=count)


def _split_samples(draw: Draw) -> Iterator[Sample]:
    yield Sample(((draw(2) * 97).astype("uint64"),), {"count": 3})


@constant(samples=_split_samples)
def child_keys(xp, key, /, *, count):
    """Make ``count`` keys of one, where that is."""
    with stream(as_key(key), SPLIT) as generator:
        words = generator.random_raw(4 * count)
    return array_to_device(words.reshape(count, 4)[:, :2].copy(), device_of(key))


def fold_in(key: Any, data: Any) -> np.ndarray:
    """Return the key for ``key`` and ``data``, an integer from 0 to 2**128 - 1.

    For keys by number: of a step, a layer, a process.

    >>> import gradx as gx
    >>> key = gx.random.key(0)
    >>> step_keys = [gx.random.fold_in(key, step) for step in range(3)]
    """
    key = checked_key(key)
    if type(data) is not Tensor:
        return folded_key(key, _as_counter("data", data))
    if data.shape != () or not is_kind(data, "integral"):
        raise DTypeError(f"data: expected an integer, got {describe(data)}")
    return folded_key(key, data)


def _fold_samples(draw: Draw) -> Iterator[Sample]:
    yield Sample(((draw(2) * 97).astype("uint64"), 5))


@constant(samples=_fold_samples)
def folded_key(xp, key, data, /):
    """Make the key for ``key`` and a number, where that is."""
    with stream(as_key(key), FOLD, _as_counter("data", data)) as generator:
        return array_to_device(generator.random_raw(4)[:2].copy(), device_of(key))


def _as_counter(name: str, value: Any) -> int:
    number = as_integer(name, value)
    if not 0 <= number < LARGEST:
        raise ShapeError(f"{name}: expected an integer from 0 to 2**128 - 1, got {number}")
    return number
