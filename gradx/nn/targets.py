"""Whether targets are what a loss expects: looked at in every call, of a compiled step too.

As an op that returns what it is given, the check is part of a graph like any other.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gradx.core.op import primitive
from gradx.core.samples import Draw, Sample
from gradx.errors import GradxError, OutOfBoundsError, ShapeError


class Law(NamedTuple):
    """What must hold of every target, and what is said of the first of which it does not."""

    holds: Callable[[Any, int], Any]
    error: type[GradxError]
    message: str


LAWS = {
    "probability": Law(
        lambda x, classes: (x >= 0) & (x <= 1),
        ShapeError,
        "target {value}, expected 0, 1 or a probability between them",
    ),
    "length": Law(
        lambda x, classes: (x >= 1) & (x <= classes),
        ShapeError,
        "length {value:.0f}, expected 1 to {classes}, the steps there are",
    ),
    "at most": Law(
        lambda x, classes: (x >= 0) & (x <= classes),
        ShapeError,
        "label length {value:.0f}, expected 0 to {classes}, the labels there are",
    ),
    "count": Law(lambda x, classes: x >= 0, ShapeError, "target {value}, expected 0 or more"),
    "variance": Law(lambda x, classes: x >= 0, ShapeError, "variance {value}, expected 0 or more"),
    "sign": Law(
        lambda x, classes: (x == 1) | (x == -1),
        ShapeError,
        "label {value}, expected -1 or 1",
    ),
    "class": Law(
        lambda x, classes: (x >= 0) & (x < classes),
        OutOfBoundsError,
        "label {value:.0f}, expected 0 to {last}: the last axis of the scores has {classes} "
        "classes",
    ),
}


def _targets(draw: Draw) -> Iterator[Sample]:
    yield Sample((draw(2, 3) / 2,), {"law": "probability", "name": "loss"})
    yield Sample(((draw(3) > 1) * 2 - 1,), {"law": "sign", "name": "loss"})
    yield Sample(((draw(3) > 1) * 1,), {"law": "class", "name": "loss", "classes": 2})


@primitive(vjp={"x": lambda g: g}, jvp={"x": lambda g: g}, samples=_targets)
def checked_targets(xp, x, /, *, law, name, classes=0):
    """Return ``x``, or raise an error that names the first element that breaks the law."""
    holds, error, message = LAWS[law]
    right = holds(x, classes)
    if not xp.all(right):
        value = float(x[~right][0])
        said = message.format(value=value, last=classes - 1, classes=classes)
        raise error(f"{name}: {said}")
    return x
