"""What ``fit`` and ``evaluate`` accept as data, brought to one form.

A tuple, a dictionary or a single array holds rows; anything else gives batches
that somebody else has made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array
from gradx.core.explain import describe
from gradx.data import Batches, batches, split
from gradx.data.batches import SAMPLERS
from gradx.data.rows import rows_of
from gradx.distributed import World
from gradx.errors import DTypeError, ShapeError
from gradx.random import fold_in
from gradx.random.arguments import as_integer


class Source(NamedTuple):
    """The batches of epoch 0, 1, ... and how many there are, if that is known.

    ``order`` is what decides which rows each batch has, as far as that is known: plain values.
    """

    epoch: Callable[[int], Iterable[Any]]
    steps: int | None
    order: Mapping[str, Any] = {}


def training_source(data: Any, size: int, sampling: str, key: Any, world: World) -> Source:
    """Return the batches to train on: of arrays, freshly drawn in each epoch.

    Of several processes each has a part of every batch.
    """
    if holds_rows(data):
        data = batches(data, size, key=key, sampling=sampling)
    order = _order_of(data) if isinstance(data, Batches) else {}
    if world.size > 1:
        data = world.part(data)
        order |= {"processes": world.size}
    if isinstance(data, Batches):
        return Source(data.epoch, len(data), order)
    if callable(data) and not isinstance(data, type):
        return Source(lambda number: _returned(data(fold_in(key, number))), None)
    steps = _steps(data, "fit: data")
    return Source(lambda number: data, steps, {} if steps is None else {"batches": steps})


def _order_of(data: Batches) -> dict[str, Any]:
    names = {sampler: names for names, sampler in SAMPLERS.items()}
    sampling, replace = names.get(data.sampler, (data.sampler.__name__, None))
    return {
        "rows": data.rows.length,
        "batch_size": data.size,
        "sampling": sampling,
        "replace": replace,
        "drop_last": data.steps * data.size < data.rows.length,
        "the key of gx.data.batches": words_of(data.key),
    }


def words_of(key: Any) -> list[int]:
    """Return a key as plain integers."""
    return [int(word) for word in backend_for(key).to_numpy(key)]


def evaluation_source(data: Any, size: int) -> Source:
    """Return the batches to evaluate on: of arrays, all rows once and in order."""
    size = as_integer("batch_size", size)
    if size < 1:
        raise ShapeError(f"batch_size={size}: it is 1 row or more")
    if holds_rows(data):
        length = rows_of(data, "evaluate").length
        return Source(lambda number: _slices(data, length, size), -(-length // size))
    return Source(lambda number: data, _steps(data, "evaluate: data"))


def set_apart(data: Any, fraction: float, key: Any) -> tuple[Any, Any]:
    """Return the rows to train on, and a fraction of all to validate on."""
    if not holds_rows(data):
        raise DTypeError(
            f"fit: validation={fraction} divides arrays, but data is {type(data).__name__}: "
            "give the validation data itself"
        )
    if not 0.0 < fraction < 1.0:
        raise ShapeError(f"fit: validation={fraction}: a fraction lies between 0 and 1")
    return split(data, 1.0 - fraction, key=key)


def holds_rows(data: Any) -> bool:
    """Tell whether ``data`` is arrays, rather than batches."""
    return isinstance(data, (tuple, dict)) or is_array(data)


def rows_in(batch: Any, caller: str) -> int:
    """Return the number of rows in a batch: the first array's length."""
    first: Any = next(iter(tree.leaves(batch)), None)
    if not is_array(first) or not first.shape:
        raise DTypeError(f"{caller}: a batch begins with {describe(first)}, expected rows")
    return first.shape[0]


def _returned(made: Any) -> Iterable[Any]:
    if not isinstance(made, Iterable):
        raise DTypeError(f"fit: data(key) returned {made!r}, expected an iterable of batches")
    return made


def _slices(data: Any, length: int, size: int) -> Iterator[Any]:
    for start in range(0, length, size):
        rows = slice(start, start + size)
        yield tree.map(lambda leaf, rows=rows: leaf[rows, ...], data)


def _steps(data: Any, name: str) -> int | None:
    if not isinstance(data, Iterable) or isinstance(data, str):
        raise DTypeError(
            f"{name} is {type(data).__name__}: expected a tuple or dictionary of arrays, "
            "gx.data.batches(...), or an iterable of batches"
        )
    return len(data) if isinstance(data, Sized) else None
