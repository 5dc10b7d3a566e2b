"""What losses have in common: shapes that match, labels, and what becomes of the loss of each."""

from math import prod
from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_array
from gradx.ops.shapes import astype, sum

REDUCTIONS = ("mean", "sum", "none")


def reduced(name: str, values: Any, reduction: str) -> Any:
    """Return the mean of losses, their sum, or all of them."""
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        allowed = ", ".join(map(repr, REDUCTIONS))
        raise ShapeError(f"{name}: reduction={reduction!r}, expected one of {allowed}")
    if reduction == "none":
        return values
    count = prod(values.shape)
    if reduction == "sum":
        return sum(values)
    if count == 0:
        raise ShapeError(f"{name}: the mean over no elements, of {tuple(values.shape)}")
    return sum(values) / count


def matching(
    name: str,
    predictions: Any,
    targets: Any,
    first: str = "predictions",
    second: str = "targets",
) -> Any:
    """Return targets as floats of the predictions' kind, if their shape is the same."""
    require_array(name, first, predictions)
    require_array(name, second, targets)
    if is_kind(predictions, ("bool", "integral")):  # whose differences would wrap around
        raise DTypeError(f"{name}: {first} are {describe(predictions)}, expected floating-point")
    if tuple(targets.shape) != tuple(predictions.shape):
        raise ShapeError(
            f"{name}: {first} {tuple(predictions.shape)} and {second} "
            f"{tuple(targets.shape)} have different shapes"
        )
    if is_kind(targets, ("bool", "integral")):
        return astype(targets, predictions.dtype)
    return targets


def require_labels(name: str, scores: Any, labels: Any) -> None:
    """Raise unless labels are integers, one for each row of scores."""
    require_array(name, "the scores", scores)
    require_array(name, "the labels", labels)
    if not scores.shape or tuple(labels.shape) != tuple(scores.shape[:-1]):
        is_one_hot = tuple(labels.shape) == tuple(scores.shape)
        raise ShapeError(
            f"{name}: expected scores (..., classes) and labels (...), got "
            f"{tuple(scores.shape)} and {tuple(labels.shape)}"
            + ("; of one-hot rows gx.argmax(labels, axis=-1) makes labels" if is_one_hot else "")
        )
    if not is_kind(labels, "integral"):
        dtype = str(labels.dtype).rpartition(".")[2]
        raise DTypeError(f"{name}: expected labels that are integers, got {dtype}")
