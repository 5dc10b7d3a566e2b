"""Sample inputs: small arguments that show an op at work.

One set serves the derivative tests, the backend tests and the benchmarks.
``draw(*shape)`` returns an array of that shape and of the dtype under test,
its elements distinct and between 0.5 and 2.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """The arguments of one call."""

    arrays: tuple[Any, ...]
    params: dict[str, Any] = {}  # noqa: RUF012 (of a NamedTuple: nobody writes to it)


Draw = Callable[..., Any]
SampleSet = Callable[[Draw], Iterable[Sample]]

SHAPES: list[tuple[int, ...]] = [(), (1,), (3,), (2, 3), (0, 3), (2, 1, 3)]


def single_arrays(draw: Draw) -> Iterator[Sample]:
    """One array: a scalar, a vector, a matrix, an empty one."""
    for shape in SHAPES:
        yield Sample((draw(*shape),))


def single_within(low: float, high: float) -> SampleSet:
    """One array with elements between ``low`` and ``high``."""

    def samples(draw):
        for shape in SHAPES:
            yield Sample((low + (draw(*shape) - 0.5) * ((high - low) / 1.5),))

    return samples


def broadcast_pairs(draw: Draw) -> Iterator[Sample]:
    """Two arrays, in every way their shapes may broadcast."""
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (2, 3)),
        ((2, 1), (1, 3)),
        ((), (3,)),
        ((3,), ()),
        ((), ()),
        ((0, 3), (3,)),
        ((1,), (0,)),
    ]
    for x, y in pairs:
        yield Sample((draw(*x), draw(*y)))


def reductions(draw: Draw) -> Iterator[Sample]:
    """One array, reduced over no, one, several and all axes."""
    for axis in [None, 0, -1, (0, 2), (-1, 1), ()]:
        for keepdims in [False, True]:
            yield Sample((draw(2, 3, 4),), {"axis": axis, "keepdims": keepdims})
    yield Sample((draw(),))
    yield Sample((draw(3, 1),), {"axis": 1})


def matrix_pairs(draw: Draw) -> Iterator[Sample]:
    """Two matrices, or stacks of matrices that broadcast, or vectors."""
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((2, 1, 2, 3), (4, 3, 2)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((2, 4, 3), (3,)),
        ((3,), (2, 3, 4)),
        ((2, 0), (0, 3)),
    ]
    for x, y in pairs:
        yield Sample((draw(*x), draw(*y)))
