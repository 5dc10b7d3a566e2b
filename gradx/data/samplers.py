"""Which rows the steps of one epoch take: two samplers, as generators of indices.

``subsets`` is shuffling: the epoch goes through every row once. ``random``
draws each batch from the whole set, as the theory of stochastic gradients
assumes. Indices are drawn on the host, where they cost next to nothing, and
each step of ``random`` has a key of its own, so an epoch can be entered at any
step without drawing what came before.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradx.backends import backend_of
from gradx.random import fold_in, integers, permutation

# (key, length, size, first step, number of steps) -> the indices of each step.
Sampler = Callable[[Any, int, int, int, int], Iterator[np.ndarray]]


def subsets(key: Any, length: int, size: int, start: int, steps: int) -> Iterator[np.ndarray]:
    """Shuffle all rows, then take them ``size`` at a time."""
    order = shuffled(key, length)
    for step in range(start, steps):
        yield order[step * size : (step + 1) * size]


def random(key: Any, length: int, size: int, start: int, steps: int) -> Iterator[np.ndarray]:
    """Draw ``size`` different rows of all at every step."""
    for step in range(start, steps):
        yield draw_distinct(fold_in(key, step), length, size)


def random_with_replacement(
    key: Any, length: int, size: int, start: int, steps: int
) -> Iterator[np.ndarray]:
    """Draw ``size`` rows of all at every step, each independently of the others."""
    for step in range(start, steps):
        yield _on_host(integers(fold_in(key, step), 0, length, (size,)))


def shuffled(key: Any, length: int) -> np.ndarray:
    """Return 0 ... length - 1 in random order."""
    return _on_host(permutation(key, length))


def draw_distinct(key: Any, length: int, size: int) -> np.ndarray:
    """Return ``size`` different numbers below ``length``, in random order.

    Shuffling all for a few would cost far more than the training step on large
    data, so numbers are drawn until enough differ: the first ``size`` different
    ones of independent draws are a sample without replacement.
    """
    if 4 * size >= length:
        return shuffled(key, length)[:size]
    drawn = np.empty(0, dtype=np.int64)
    attempt = 0
    while drawn.size < size:
        more = _on_host(integers(fold_in(key, attempt), 0, length, (size,)))
        drawn = _first_occurrences(np.concatenate([drawn, more]))
        attempt += 1
    return drawn[:size]


def _first_occurrences(values: np.ndarray) -> np.ndarray:
    """Drop repeats, keeping the order."""
    _, first = np.unique(values, return_index=True)
    return values[np.sort(first)]


def _on_host(array: Any) -> np.ndarray:
    return backend_of(type(array)).to_numpy(array)
