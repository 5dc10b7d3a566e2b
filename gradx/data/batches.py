"""Batches of a data set, and its division into parts.

``Batches`` holds no position: epoch 3 of a key is the same sequence whenever
and wherever it is asked for, which is what resuming a run needs.
"""

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradx.data.rows import Rows, rows_of
from gradx.data.samplers import Sampler, random, random_with_replacement, shuffled, subsets
from gradx.errors import DTypeError, ShapeError
from gradx.random import fold_in

# (sampling, replace) -> sampler.
SAMPLERS: dict[tuple[str, bool], Sampler] = {
    ("subsets", False): subsets,
    ("random", False): random,
    ("random", True): random_with_replacement,
}


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """The batches of every epoch. Iterating goes through epoch 0.

    ``len`` is the number of steps in an epoch.
    """

    rows: Rows
    size: int
    key: Any
    sampler: Sampler
    steps: int

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return self.epoch(0)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Any]:
        """Iterate over the batches of epoch ``number``, from step ``start`` on.

        Epochs of different numbers are shuffled differently; the same number
        gives the same batches again, so a run that was interrupted goes on
        with ``epoch(number, start=steps_done)``.

        >>> import numpy as np
        >>> import gradx as gx
        >>> data = gx.data.batches(np.arange(6), 2, key=gx.random.key(0))
        >>> whole, rest = list(data.epoch(3)), list(data.epoch(3, start=1))
        >>> len(whole), len(rest), bool((whole[1] == rest[0]).all())
        (3, 2, True)
        """
        key = fold_in(self.key, number)
        plan = self.sampler(key, self.rows.length, self.size, start, self.steps)
        return (self.rows.take(indices) for indices in plan)


def batches(
    arrays: Any,
    size: int,
    *,
    key: Any,
    sampling: str = "subsets",
    replace: bool = False,
    drop_last: bool = False,
) -> Batches:
    """Divide arrays into batches of ``size`` rows, drawn with ``key``.

    ``arrays`` is an array of shape (n, ...) or a tree of such arrays with one
    n; each batch is a tree like it, of copies of shape (size, ...), on the
    device of the data.

    ``sampling="subsets"`` shuffles and goes through all rows once an epoch, in
    ceil(n / size) steps; the last batch may be smaller, and ``drop_last``
    leaves such a one out. ``sampling="random"`` draws every batch from all
    rows; within a batch no row repeats unless ``replace``. An epoch has as many
    steps as with subsets, all of the full size.

    Iterating twice gives the same batches twice, as everything comes from
    ``key``; ``batches(...).epoch(1)``, ``.epoch(2)`` and so on differ.

    Raises:
        ValueError: arrays differ in length or have no rows, the size is not positive or
            leaves no batch, or there is no such sampling.
        TypeError: the size is not an integer, or a leaf is no array.

    >>> import numpy as np
    >>> import gradx as gx
    >>> inputs, targets = np.ones((5, 3)), np.arange(5)
    >>> data = gx.data.batches((inputs, targets), 2, key=gx.random.key(0))
    >>> len(data), [x.shape for x, y in data]
    (3, [(2, 3), (2, 3), (1, 3)])
    """
    rows = rows_of(arrays, "batches")
    size = _positive(size, "batches: size")
    sampler = _sampler(sampling, replace)
    if sampler is random and size > rows.length:
        raise ShapeError(
            f"batches: cannot draw {size} different rows of {rows.length}: "
            "use a smaller size or replace=True"
        )
    steps = rows.length // size if drop_last else math.ceil(rows.length / size)
    if steps == 0:
        raise ShapeError(
            f"batches: drop_last with size {size} leaves no batch of {rows.length} rows"
        )
    return Batches(rows, size, key, sampler, steps)


def split(arrays: Any, sizes: float | Sequence[int], *, key: Any) -> tuple[Any, ...]:
    """Divide the rows of arrays at random into parts, such as training and validation.

    ``arrays`` is an array of shape (n, ...) or a tree of such arrays. ``sizes``
    is the first part's fraction of the rows, for two parts, or the number of
    rows in each part, which add up to n. Each part is a tree like ``arrays``,
    of copies; every row is in exactly one part.

    Raises:
        ValueError: sizes do not add up, a fraction is outside (0, 1), or a part has no rows.
        TypeError: sizes are of another type.

    >>> import numpy as np
    >>> import gradx as gx
    >>> training, validation = gx.data.split(np.arange(10), 0.8, key=gx.random.key(0))
    >>> training.shape, validation.shape
    ((8,), (2,))
    """
    rows = rows_of(arrays, "split")
    ends = np.cumsum(_part_sizes(sizes, rows.length))
    order = shuffled(key, rows.length)
    return tuple(rows.take(part) for part in np.split(order, ends[:-1]))


def _sampler(sampling: str, replace: bool) -> Sampler:
    known = sorted({name for name, _ in SAMPLERS})
    if not isinstance(sampling, str) or sampling not in known:
        raise ShapeError(f"batches: unknown sampling {sampling!r}: use one of {', '.join(known)}")
    if (sampling, bool(replace)) not in SAMPLERS:
        raise ShapeError(f"batches: replace=True has no meaning with sampling={sampling!r}")
    return SAMPLERS[sampling, bool(replace)]


def _part_sizes(sizes: float | Sequence[int], length: int) -> list[int]:
    if isinstance(sizes, float):
        if not 0.0 < sizes < 1.0:
            raise ShapeError(f"split: the fraction must lie between 0 and 1, got {sizes}")
        first = round(sizes * length)
        parts = [first, length - first]
    elif isinstance(sizes, Sequence) and not isinstance(sizes, str):
        parts = [_integer(size, "split: a size") for size in sizes]
    else:
        raise DTypeError(f"split: expected a fraction or a sequence of sizes, got {sizes!r}")
    if min(parts, default=0) < 1 or sum(parts) != length:
        raise ShapeError(f"split: cannot divide {length} rows into parts of {parts}")
    return parts


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise DTypeError(f"{name} must be an integer, got {value!r}")
    try:
        return operator.index(value)
    except TypeError as error:  # of an array
        raise DTypeError(f"{name} must be an integer, got {value!r}") from error


def _positive(value: Any, name: str) -> int:
    number = _integer(value, name)
    if number < 1:
        raise ShapeError(f"{name} must be positive, got {number}")
    return number
