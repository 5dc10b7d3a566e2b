"""Losses: how far predictions are from targets.

``reduction`` says what becomes of the loss of each element (of each sample, where
labels are classes): ``"mean"`` of them all, their ``"sum"``, or ``"none"`` for
one loss each. Shapes must match: nothing is broadcast. ``losses_of_distributions.py`` and
``losses_of_distances.py`` have more.
"""

from math import inf
from typing import Any

from gradx.errors import ShapeError
from gradx.nn.checks import require_array, require_number
from gradx.nn.reducing import matching, reduced, require_labels
from gradx.nn.targets import checked_targets
from gradx.ops.along import take
from gradx.ops.arithmetic import multiply, subtract, where
from gradx.ops.comparison import equal
from gradx.ops.creation import ones_like
from gradx.ops.extremes import clip
from gradx.ops.neural import class_mask, log_softmax, relu, softmax_cross_entropy, softplus
from gradx.ops.shapes import astype, sum
from gradx.ops.signs import abs
from gradx.ops.statistical import mean
from gradx.ops.windows import integer


def mse(predictions: Any, targets: Any, reduction: str = "mean") -> Any:
    """Return the squared error, ``(prediction - target)**2``; the mean is over all elements.

    ``reduction`` is, here and in the other losses, ``"mean"``, ``"sum"``, or ``"none"`` for the
    loss of each. Shapes must match: nothing is broadcast.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.mse(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0])))
    2.0
    """
    error = _error("mse", predictions, targets)
    return reduced("mse", error * error, reduction)


def mae(predictions: Any, targets: Any, reduction: str = "mean") -> Any:
    """Return the absolute error, ``|prediction - target|``; the mean is over all elements.

    ``reduction`` is as for ``mse``.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.mae(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0])))
    1.0
    """
    error = _error("mae", predictions, targets)
    return reduced("mae", abs(error), reduction)


def huber(predictions: Any, targets: Any, delta: float = 1.0, reduction: str = "mean") -> Any:
    """Return half the squared error up to an error of ``delta``, and go on straight beyond.

    That is ``error**2 / 2``, and ``delta * (|error| - delta / 2)``; the mean is
    over all elements. Source: Huber, "Robust estimation of a location parameter"
    (Annals of Mathematical Statistics 35, 1964).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.huber(np.asarray([1.0, 4.0]), np.asarray([2.0, 2.0]), reduction="none")
    array([0.5, 1.5])
    """
    require_number("huber", "delta", delta)
    if not delta > 0:
        raise ShapeError(f"huber: delta={delta!r}, expected a number above 0")
    error = _error("huber", predictions, targets)
    # Both pieces in one: the clipped error is the error, or delta with its sign.
    clipped = clip(error, -float(delta), float(delta))
    return reduced("huber", clipped * (error - 0.5 * clipped), reduction)


def cross_entropy(
    logits: Any,
    labels: Any,
    reduction: str = "mean",
    smoothing: float = 0.0,
    *,
    class_weights: Any = None,
    ignore_index: int | None = None,
) -> Any:
    """Return the negative log-likelihood of integer ``labels`` under ``softmax(logits)``.

    ``logits`` are ``(..., classes)``, before the softmax, and ``labels`` ``(...)``,
    from 0 to ``classes - 1``; the mean is over samples. With ``smoothing``, that part of
    each label is spread evenly over all classes. Source of that: Szegedy and others,
    "Rethinking the Inception architecture" (CVPR 2016).

    ``class_weights``, ``(classes,)``, is what a sample of each class counts, in the mean too;
    of spread labels each part counts what its own class does, as in PyTorch. Samples whose label
    is ``ignore_index``, which may be no class, count nothing: their loss is 0, and the
    mean over no others is 0.

    Raises:
        ValueError: the shapes do not belong together, or ``smoothing`` is not from 0 to 1.
        TypeError: the labels are not integers.
        IndexError: a label is not a class.

    >>> import numpy as np, gradx as gx
    >>> loss = gx.nn.cross_entropy(np.zeros((4, 10)), np.asarray([3, 1, 4, 1]))
    >>> round(float(loss), 6)
    2.302585
    >>> labels = np.asarray([3, -1, 4, -1])  # the second and the fourth are unknown
    >>> gx.nn.cross_entropy(np.zeros((4, 10)), labels, "none", ignore_index=-1).round(3)
    array([2.303, 0.   , 2.303, 0.   ])
    """
    require_labels("cross_entropy", logits, labels)
    require_number("cross_entropy", "smoothing", smoothing)
    if not 0 <= smoothing <= 1:
        raise ShapeError(f"cross_entropy: smoothing={smoothing!r}, expected from 0 to 1")
    weights = None if class_weights is None else _weights_of_classes(logits, class_weights)
    if ignore_index is None:
        losses, counts = _weighted(logits, labels, smoothing, weights)
    else:
        ignored = equal(labels, integer("cross_entropy", "ignore_index", ignore_index, least=-inf))
        losses, counts = _weighted(logits, where(ignored, 0, labels), smoothing, weights)
        losses = where(ignored, 0.0, losses)
        counts = where(ignored, 0.0, ones_like(losses) if counts is None else counts)
    if counts is None or reduction != "mean" or 0 in losses.shape:
        return reduced("cross_entropy", losses, reduction)
    total = sum(counts)
    return sum(losses) / where(equal(total, 0), 1.0, total)


def _weighted(logits, labels, smoothing, weights):
    """Return the loss of each sample, and what it counts if not 1."""
    losses = softmax_cross_entropy(logits, labels)
    counts = None if weights is None else take(weights, labels, axis=0)
    if counts is not None:
        losses = losses * counts
    if smoothing:
        logs = log_softmax(logits)
        spread = -mean(logs if weights is None else logs * weights, axis=-1)
        losses = (1 - smoothing) * losses + smoothing * spread
    return losses, counts


def _weights_of_classes(logits, weights):
    require_array("cross_entropy", "class_weights", weights)
    if tuple(weights.shape) != tuple(logits.shape[-1:]):
        raise ShapeError(
            f"cross_entropy: class_weights {tuple(weights.shape)}, expected one for each of "
            f"{logits.shape[-1]} classes"
        )
    return astype(weights, logits.dtype)


def binary_cross_entropy(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    """Return the negative log-likelihood of ``targets`` under ``sigmoid(logits)``.

    ``targets`` are 0 or 1, or probabilities; the mean is over all elements. It is
    computed from the logits, so that large ones neither overflow nor round to 0.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.binary_cross_entropy(np.asarray([800.0, -800.0]), np.asarray([1.0, 1.0]), "none")
    array([  0., 800.])
    """
    targets = matching("binary_cross_entropy", logits, targets)
    targets = checked_targets(targets, law="probability", name="binary_cross_entropy")
    return reduced(
        "binary_cross_entropy", subtract(softplus(logits), multiply(logits, targets)), reduction
    )


def hinge(scores: Any, labels: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """Return how far scores fall short of being right by ``margin``.

    With labels of the shape of the scores, each -1 or 1: ``max(0, margin - label *
    score)``; the mean is over all elements. With scores ``(..., classes)`` and
    integer labels ``(...)``: the sum over the wrong classes of ``max(0, score -
    right score + margin)``; the mean is over samples. Sources: Cortes, Vapnik,
    "Support-vector networks" (1995); Weston, Watkins, "Support vector machines for
    multi-class pattern recognition" (ESANN 1999).

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.hinge(np.asarray([0.5, -3.0]), np.asarray([1, -1])))
    0.25
    >>> float(gx.nn.hinge(np.asarray([[2.0, 1.5, 0.0]]), np.asarray([0])))
    0.5
    """
    require_array("hinge", "scores", scores)
    require_array("hinge", "labels", labels)
    require_number("hinge", "margin", margin)
    if not 0 <= margin < inf:
        raise ShapeError(f"hinge: margin={margin!r}, expected 0 or more, and finite")
    if len(labels.shape) == len(scores.shape):
        labels = matching("hinge", scores, labels)
        labels = checked_targets(labels, law="sign", name="hinge")
        return reduced("hinge", relu(margin - multiply(labels, scores)), reduction)
    require_labels("hinge", scores, labels)
    classes = scores.shape[-1]
    labels = checked_targets(labels, law="class", name="hinge", classes=classes)
    is_right = class_mask(labels, classes=classes)
    right = sum(where(is_right, scores, 0.0), axis=-1, keepdims=True)
    excess = where(is_right, 0.0, relu(scores - right + margin))
    return reduced("hinge", sum(excess, axis=-1), reduction)


def _error(name, predictions, targets):
    return subtract(predictions, matching(name, predictions, targets))
