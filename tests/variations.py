"""Samples of ops in other guises: strided, repeated, complex, empty, without axes, ...

They are made from an op's own samples, so that none can lack one. Which guises an op
has is its own to say: it refuses the others with an error of gradx.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import gradx as gx
from gradx.core.op import Composed
from gradx.core.samples import Sample


def _is_floating(value):
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fc"


def _arrays(sample):
    parts = [a for a in sample.arrays for a in (a if isinstance(a, list) else [a])]
    return [a for a in parts if isinstance(a, (np.ndarray, np.generic))]


def plainest(samples: list[Sample]) -> Sample:
    """Return the first sample whose arrays all have axes and elements, of few parameters."""
    full = [s for s in samples if all(map(np.size, _arrays(s)))] or samples
    with_axes = [s for s in full if all(map(np.ndim, _arrays(s)))] or full
    return min(with_axes, key=lambda sample: len(sample.params))


def _mapped(change: Callable[[Any], Any], sample: Sample) -> Sample:
    """Change the floating-point arrays of a sample."""

    def one(value):
        if isinstance(value, list):
            return [one(part) for part in value]
        return change(value) if _is_floating(value) else value

    return Sample(tuple(map(one, sample.arrays)), sample.params)


def _strided(a):
    if a.ndim == 0:
        return a
    wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), np.nan, a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def _reversed(a):
    everywhere = (slice(None, None, -1),) * a.ndim
    return np.array(a[everywhere])[everywhere]


LAYOUTS = {"strided": _strided, "reversed": _reversed, "transposed": np.asfortranarray}


def layouts(sample: Sample) -> Iterator[Sample]:
    """Yield the same numbers, differently in memory."""
    for change in LAYOUTS.values():
        yield _mapped(change, sample)


def _in(dtype):
    return lambda a: a.astype(dtype) if a.dtype.kind == "f" else a


def _first_in_single(sample):
    first, *others = sample.arrays
    return Sample((_in("float32")(first) if _is_floating(first) else first, *others), sample.params)


def precisions(sample: Sample) -> Iterator[Sample]:
    """Yield the same numbers in less precision, and the first array alone in less."""
    yield _mapped(_in("float16"), sample)
    yield _mapped(_in("float32"), sample)
    yield _first_in_single(sample)


def _along(sample, change):
    """Change the axis, if the sample has one that is a number or could have."""
    axis = sample.params.get("axis", 0)
    if type(axis) is not int:
        return None
    rank = np.ndim(_arrays(sample)[0])
    if rank == 0:
        return None
    return Sample(sample.arrays, sample.params | {"axis": change(axis % rank, rank)})


def _all_of_several(axis, rank):
    return tuple(range(-rank, 0)) if rank > 1 else axis


GUISES: dict[str, Callable[[Sample], Sample | None]] = {
    "no axes": lambda s: _mapped(lambda a: np.asarray(a.flat[0]) if a.size else a, s),
    "no elements": lambda s: _mapped(lambda a: a[:0] if a.ndim else a, s),
    "complex": lambda s: _mapped(lambda a: a * (1 + 0.3j) if a.dtype.kind == "f" else a, s),
    "negative axis": lambda s: _along(s, lambda axis, rank: axis - rank),
    "several axes": lambda s: _along(
        s, lambda axis, rank: tuple(range(-rank, 0)) if rank > 1 else axis
    ),
    "kept axes": lambda s: Sample(s.arrays, s.params | {"keepdims": True}),
}


def guises(op: Any, samples: list[Sample]) -> Iterator[tuple[str, Sample]]:
    """Yield what else an op takes than its samples."""
    for name, make in GUISES.items():
        made = make(plainest(samples))
        if made is not None and _takes(op, made):
            yield name, made


def _takes(op, sample):
    try:
        with np.errstate(all="ignore"):
            out = op.call(*sample.arrays, **sample.params)
    except gx.GradxError:
        return False
    except TypeError as error:
        if "unexpected keyword" not in str(error):  # that is, it has such a parameter
            raise
        return False
    # What is NaN, as the variance of nothing, has no derivative to compare.
    return all(np.all(np.isfinite(leaf)) for leaf in gx.core.tree.leaves(out))


def repeated(op: Any, samples: list[Sample]) -> tuple[Callable[..., Any], Any] | None:
    """Return a function that gives an op one array several times, and that array."""
    if not isinstance(op, Composed) and op.signature.variadic:
        x = next(a for sample in samples for a in sample.arrays[0] if np.size(a))
        return (lambda x: op.call([x, x])), x
    for sample in samples:
        places = [i for i, a in enumerate(sample.arrays) if _is_floating(a)]
        shapes = {np.shape(sample.arrays[i]) for i in places}
        if len(places) > 1 and len(shapes) == 1 and np.size(sample.arrays[places[0]]):
            return _at(op, sample, places), sample.arrays[places[0]]
    return None


def _at(op, sample, places):
    def call(x):
        arrays = [x if i in places else a for i, a in enumerate(sample.arrays)]
        return op.call(*arrays, **sample.params)

    return call
