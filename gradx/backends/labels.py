"""What the loss of labels asks of its arguments: the same words from every backend's kernel."""

from typing import Any

from gradx.errors import DTypeError, OutOfBoundsError, ShapeError


def check_labels(xp: Any, logits: Any, labels: Any) -> None:
    """Raise unless there is a label for each row of ``logits``, and each is a class."""
    check_kinds_of_labels(xp, logits, labels)
    check_classes(xp, labels, logits.shape[-1])


def check_classes(xp: Any, labels: Any, classes: int) -> None:
    """Raise unless each label is a class: one of the numbers from 0 on."""
    outside = (labels < 0) | (labels >= classes)
    if xp.any(outside):
        first = int(labels[outside][0])
        raise OutOfBoundsError(
            f"softmax_cross_entropy: label {first}, expected 0 to {classes - 1}: "
            f"the last axis of the logits has {classes} classes"
        )


def check_kinds_of_labels(xp: Any, logits: Any, labels: Any) -> None:
    """Raise unless shapes and dtypes belong together; the labels are not looked at."""
    if not xp.isdtype(logits.dtype, "real floating") or not xp.isdtype(labels.dtype, "integral"):
        raise DTypeError(
            "softmax_cross_entropy: expected floating-point logits and integer labels, "
            f"got {logits.dtype} and {labels.dtype}"
        )
    if logits.shape[:-1] != labels.shape or logits.ndim == 0:
        raise ShapeError(
            f"softmax_cross_entropy: logits {tuple(logits.shape)} need labels "
            f"{tuple(logits.shape[:-1])}, one for each row, got {tuple(labels.shape)}"
        )
