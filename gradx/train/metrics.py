"""How good predictions are: functions of all predictions and all targets.

``fit`` and ``evaluate`` gather the predictions of all batches before they call a
metric, so one need not be a mean over samples (r2 is not). Sums are taken in
float64.
"""

from typing import Any

from gradx.core.arrays import backend_for, is_array, is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError


def accuracy(predictions: Any, targets: Any) -> float:
    """Compute the fraction of targets that were predicted.

    ``targets`` are integer labels of shape (...); ``predictions`` are scores of
    shape (..., classes), of which the largest counts, or labels of shape (...). A row
    of scores with a NaN predicts nothing.

    >>> import numpy as np
    >>> from gradx.train import accuracy
    >>> accuracy(np.asarray([[0.1, 2.0], [0.3, 0.2]]), np.asarray([1, 1]))
    0.5
    """
    _require_arrays("accuracy", predictions, targets)
    xp = backend_for(predictions).xp
    if not is_kind(predictions, "real floating"):
        _require_one_shape(predictions, targets, "accuracy")
        return _mean(predictions == targets)
    shape = tuple(predictions.shape)
    if not shape or not shape[-1] or shape[:-1] != tuple(targets.shape) or 0 in shape:
        raise ShapeError(
            f"accuracy: scores of shape {shape} need classes, and targets of shape "
            f"{shape[:-1]}, got {tuple(targets.shape)}"
        )
    is_known = ~xp.any(xp.isnan(predictions), axis=-1)
    return _mean((xp.argmax(predictions, axis=-1) == targets) & is_known)


def mean_absolute_error(predictions: Any, targets: Any) -> float:
    """Compute the mean of ``|predictions - targets|``, both of one shape.

    >>> import numpy as np
    >>> from gradx.train import mean_absolute_error
    >>> mean_absolute_error(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0]))
    1.0
    """
    errors, _ = _errors(predictions, targets, "mean_absolute_error")
    return _mean(backend_for(errors).xp.abs(errors))


def mean_squared_error(predictions: Any, targets: Any) -> float:
    """Compute the mean of ``(predictions - targets)**2``, both of one shape.

    >>> import numpy as np
    >>> from gradx.train import mean_squared_error
    >>> mean_squared_error(np.asarray([1.0, 2.0]), np.asarray([1.0, 4.0]))
    2.0
    """
    errors, _ = _errors(predictions, targets, "mean_squared_error")
    return _mean(errors * errors)


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
    if not errors.shape:
        raise ShapeError("r2: expected (n,) or (n, outputs), got ()")
    xp = backend_for(errors).xp
    deviations = targets - xp.mean(targets, axis=0, keepdims=True)
    unexplained = xp.sum(errors * errors, axis=0)
    total = xp.sum(deviations * deviations, axis=0)
    constant = total == 0
    ratio = unexplained / xp.where(constant, xp.ones_like(total), total)
    missed = xp.sign(unexplained)  # 0 or 1, and NaN stays NaN
    return _mean(1 - xp.where(constant, missed, ratio))


def _errors(predictions: Any, targets: Any, metric: str) -> tuple[Any, Any]:
    _require_arrays(metric, predictions, targets)
    for array in (predictions, targets):
        if is_kind(array, "complex floating"):
            raise DTypeError(f"{metric}: expected real numbers, got {describe(array)}")
    _require_one_shape(predictions, targets, metric)
    xp = backend_for(predictions).xp
    targets = xp.astype(targets, xp.float64)
    return xp.astype(predictions, xp.float64) - targets, targets


def _mean(values: Any) -> float:
    xp = backend_for(values).xp
    return float(xp.mean(xp.astype(values, xp.float64)))


def _require_arrays(metric: str, predictions: Any, targets: Any) -> None:
    for what, value in (("predictions", predictions), ("targets", targets)):
        if not is_array(value):
            raise DTypeError(
                f"{metric}: {what} are {value!r}, expected an array, as gx.asarray makes"
            )


def _require_one_shape(predictions: Any, targets: Any, metric: str) -> None:
    # (n, 1) and (n,) would broadcast to (n, n), and give a number all the same.
    if predictions.shape != targets.shape:
        raise ShapeError(
            f"{metric}: predictions have shape {tuple(predictions.shape)}, "
            f"targets {tuple(targets.shape)}: expected one shape"
        )
    if 0 in targets.shape:
        raise ShapeError(f"{metric}: of no elements, {tuple(targets.shape)}")
