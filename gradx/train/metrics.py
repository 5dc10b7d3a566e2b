"""How good predictions are: functions of all predictions and all targets.

``fit`` and ``evaluate`` gather the predictions of all batches before they call a
metric, so one need not be a mean over samples (r2 is not). Sums are taken in
float64.
"""

from typing import Any

from gradx.core.arrays import backend_for, is_kind
from gradx.errors import ShapeError


def accuracy(predictions: Any, targets: Any) -> float:
    """Compute the fraction of targets that were predicted.

    ``targets`` are integer labels of shape (...); ``predictions`` are scores of
    shape (..., classes), of which the largest counts, or labels of shape (...).

    >>> import numpy as np
    >>> from gradx.train import accuracy
    >>> accuracy(np.asarray([[0.1, 2.0], [0.3, 0.2]]), np.asarray([1, 1]))
    0.5
    """
    xp = backend_for(predictions).xp
    labels = predictions
    if is_kind(predictions, "real floating"):
        if predictions.shape[:-1] != targets.shape:
            raise ShapeError(
                f"accuracy: scores of shape {tuple(predictions.shape)} need targets of shape "
                f"{tuple(predictions.shape[:-1])}, got {tuple(targets.shape)}"
            )
        labels = xp.argmax(predictions, axis=-1)
    _require_one_shape(labels, targets, "accuracy")
    return float(xp.mean(xp.astype(labels == targets, xp.float64)))


def mean_absolute_error(predictions: Any, targets: Any) -> float:
    """Compute the mean of ``|predictions - targets|``, both of one shape.

    >>> import numpy as np
    >>> from gradx.train import mean_absolute_error
    >>> mean_absolute_error(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0]))
    1.0
    """
    errors, _ = _errors(predictions, targets, "mean_absolute_error")
    xp = backend_for(errors).xp
    return float(xp.mean(xp.abs(errors)))


def mean_squared_error(predictions: Any, targets: Any) -> float:
    """Compute the mean of ``(predictions - targets)**2``, both of one shape.

    >>> import numpy as np
    >>> from gradx.train import mean_squared_error
    >>> mean_squared_error(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0]))
    2.0
    """
    errors, _ = _errors(predictions, targets, "mean_squared_error")
    return float(backend_for(errors).xp.mean(errors * errors))


def r2(predictions: Any, targets: Any) -> float:
    """Compute the part of the targets' variance that the predictions explain.

    1 is perfect; 0 is as good as always predicting the mean. Both have shape
    (n,) or (n, outputs); outputs count alike, as in scikit-learn's ``r2_score``,
    and one whose targets are all equal counts 1 if predicted exactly, else 0.

    >>> import numpy as np
    >>> from gradx.train import r2
    >>> r2(np.asarray([1.0, 2.0, 2.0]), np.asarray([1.0, 2.0, 3.0]))
    0.5
    """
    errors, targets = _errors(predictions, targets, "r2")
    xp = backend_for(errors).xp
    deviations = targets - xp.mean(targets, axis=0, keepdims=True)
    unexplained = xp.sum(errors * errors, axis=0)
    total = xp.sum(deviations * deviations, axis=0)
    constant = total == 0
    ratio = unexplained / xp.where(constant, xp.ones_like(total), total)
    missed = xp.astype(unexplained > 0, ratio.dtype)
    return float(xp.mean(1 - xp.where(constant, missed, ratio)))


def _errors(predictions: Any, targets: Any, metric: str) -> tuple[Any, Any]:
    _require_one_shape(predictions, targets, metric)
    xp = backend_for(predictions).xp
    targets = xp.astype(targets, xp.float64)
    return xp.astype(predictions, xp.float64) - targets, targets


def _require_one_shape(predictions: Any, targets: Any, metric: str) -> None:
    # (n, 1) and (n,) would broadcast to (n, n), and give a number all the same.
    if predictions.shape != targets.shape:
        raise ShapeError(
            f"{metric}: predictions have shape {tuple(predictions.shape)}, "
            f"targets {tuple(targets.shape)}: expected one shape"
        )
