"""How good predicted classes are: metrics of classification beside ``accuracy``.

``targets`` are integer labels of shape (...); ``predictions`` are scores of shape (...,
classes), of which the largest counts, or labels of shape (...). A row of scores with a NaN
predicts nothing. The numbers are scikit-learn's.
"""

from typing import Any

from gradx.core.arrays import backend_for, is_array, is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.ops.creation import place_of
from gradx.ops.windows import integer
from gradx.random.arguments import as_shape

AVERAGES = ("macro", "micro", "weighted", "binary")


def top_k_accuracy(predictions: Any, targets: Any, k: int = 5) -> float:
    """Compute the fraction of targets among the ``k`` classes of the largest scores.

    Of equal scores, that of the larger class counts as larger.

    >>> import numpy as np
    >>> from gradx.train import top_k_accuracy
    >>> top_k_accuracy(np.asarray([[0.1, 0.5, 0.3], [0.6, 0.3, 0.2]]), np.asarray([2, 2]), k=2)
    0.5
    """
    k = integer("top_k_accuracy", "k", k, least=1)
    _require_labels("top_k_accuracy", targets)
    classes = _classes_of_scores("top_k_accuracy", predictions, targets)
    _require_classes("top_k_accuracy", targets, classes)
    xp, device = place_of(predictions)
    numbers = xp.arange(classes, device=device)
    labels = xp.expand_dims(targets, axis=-1)
    own = xp.sum(xp.where(numbers == labels, predictions, xp.zeros_like(predictions)), axis=-1)
    own = xp.expand_dims(own, axis=-1)
    ahead = (predictions > own) | ((predictions == own) & (numbers > labels))
    is_known = ~xp.any(xp.isnan(predictions), axis=-1)
    hits = (xp.sum(xp.astype(ahead, xp.int64), axis=-1) < k) & is_known
    return float(xp.mean(xp.astype(hits, xp.float64)))


def confusion(predictions: Any, targets: Any, classes: int | None = None) -> Any:
    """Count how often each class was predicted as each: (classes, classes), true ones in rows.

    ``classes`` is the number of scores, or of the largest label and one, unless given.

    >>> import numpy as np
    >>> from gradx.train import confusion
    >>> confusion(np.asarray([0, 1, 1]), np.asarray([0, 0, 1]))
    array([[1, 1],
           [0, 1]])
    """
    _require_labels("confusion", targets)
    if is_array(predictions) and is_kind(predictions, "real floating"):
        found = _classes_of_scores("confusion", predictions, targets)
        classes = found if classes is None else classes
        predictions = _largest(predictions)
    else:
        _require_labels("confusion", predictions)
        if tuple(predictions.shape) != tuple(targets.shape):
            raise ShapeError(
                f"confusion: predictions have shape {tuple(predictions.shape)}, "
                f"targets {tuple(targets.shape)}: expected one shape"
            )
    xp, device = place_of(targets)
    if classes is None:
        classes = 1 + max(int(xp.max(predictions)), int(xp.max(targets)))
    classes, _ = as_shape((integer("confusion", "classes", classes, least=1),) * 2)
    _require_classes("confusion", targets, classes)
    _require_classes("confusion", predictions, classes, least=-1)
    numbers = xp.arange(classes, device=device)
    is_true, is_predicted = (
        xp.astype(xp.reshape(labels, (-1, 1)) == numbers, xp.float64)
        for labels in (targets, predictions)
    )
    return xp.astype(is_true.T @ is_predicted, xp.int64)


def f1(predictions: Any, targets: Any, average: str = "macro") -> float:
    """Compute the harmonic mean of precision and recall, ``2 tp / (2 tp + fp + fn)``.

    ``average`` is ``"macro"``, the mean over the classes that occur; ``"weighted"``, by how
    often they are true; ``"micro"``, of all counts together; or ``"binary"``, class 1 alone.
    Where nothing is true or predicted it is 0.

    >>> import numpy as np
    >>> from gradx.train import f1
    >>> round(f1(np.asarray([0, 1, 1]), np.asarray([0, 0, 1])), 4)
    0.6667
    """
    if not isinstance(average, str) or average not in AVERAGES:
        raise ShapeError(f"f1: average={average!r}, expected one of {', '.join(AVERAGES)}")
    least = 2 if average == "binary" else None
    counts = confusion(predictions, targets, least) if least else confusion(predictions, targets)
    backend = backend_for(counts)
    xp, counts = backend.xp, backend.xp.astype(counts, backend.xp.float64)
    right = xp.linalg.diagonal(counts)
    both = xp.sum(counts, axis=0) + xp.sum(counts, axis=1)
    if average == "micro":
        return _share(2 * float(xp.sum(right)), float(xp.sum(both)))
    scores = 2 * right / xp.where(both > 0, both, xp.ones_like(both))
    if average == "binary":
        return float(scores[1])
    weights = xp.sum(counts, axis=1) if average == "weighted" else xp.astype(both > 0, xp.float64)
    return _share(float(xp.sum(scores * weights)), float(xp.sum(weights)))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _largest(scores: Any) -> Any:
    """Return the class of the largest score, -1 where one is a NaN."""
    xp = backend_for(scores).xp
    found = xp.argmax(scores, axis=-1)
    return xp.where(xp.any(xp.isnan(scores), axis=-1), xp.full_like(found, -1), found)


def _classes_of_scores(name: str, scores: Any, targets: Any) -> int:
    if not is_array(scores) or not is_kind(scores, "real floating"):
        raise DTypeError(f"{name}: predictions are {describe(scores)}, expected scores")
    shape = tuple(scores.shape)
    if len(shape) < 1 or shape[:-1] != tuple(targets.shape) or 0 in shape:
        raise ShapeError(
            f"{name}: scores of shape {shape} need classes, and targets of shape "
            f"{shape[:-1]}, got {tuple(targets.shape)}"
        )
    return shape[-1]


def _require_labels(name: str, labels: Any) -> None:
    if not is_array(labels) or not is_kind(labels, "integral"):
        raise DTypeError(f"{name}: labels are {describe(labels)}, expected an array of integers")
    if 0 in labels.shape:
        raise ShapeError(f"{name}: of no elements, {tuple(labels.shape)}")


def _require_classes(name: str, labels: Any, classes: int, least: int = 0) -> None:
    xp = backend_for(labels).xp
    smallest, largest = int(xp.min(labels)), int(xp.max(labels))
    if smallest < least or largest >= classes:
        wrong = smallest if smallest < least else largest
        raise OutOfBoundsError(f"{name}: label {wrong}, expected 0 to {classes - 1}")
