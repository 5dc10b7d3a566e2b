"""Losses of labels on NumPy: into memory that is given, and with memory that is lent.

Each does what its op does, in the same order.
"""

from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.labels import check_classes, check_labels
from gradx.backends.scratch import lent

SHORT = 32  # elements of a row


def class_mask(xp: Any, labels: Any, /, *, classes: int, out: Any = None) -> Any:
    """Compare each label with the number of each class."""
    return np.equal(np.expand_dims(labels, -1), np.arange(classes, dtype=labels.dtype), out=out)


def checked_labels(xp: Any, labels: Any, /, *, classes: int) -> Any:
    """Look at the largest only, where nothing is wrong: below 0 is large without a sign."""
    kind = f"u{labels.dtype.itemsize}"
    if labels.size and np.maximum.reduce(labels.view(kind), axis=None) >= classes:
        check_classes(np, labels, classes)
    return labels


def softmax_cross_entropy(xp: Any, logits: Any, labels: Any, /, *, out: Any = None) -> Any:
    """Add up exponentials in memory that is lent."""
    if not _are_labels(logits, labels):
        check_labels(np, logits, labels)
    rows = logits.reshape(-1, logits.shape[-1])
    with lent(rows.shape, logits.dtype) as shifted:
        np.subtract(rows, _largest(rows), out=shifted)
        chosen = shifted[np.arange(len(rows)), labels.reshape(-1)]
        total = np.log(np.add.reduce(np.exp(shifted, out=shifted), axis=-1))
        return np.subtract(total.reshape(labels.shape), chosen.reshape(labels.shape), out=out)


def _are_labels(logits: Any, labels: Any) -> bool:
    """Tell whether there is a label for each row, in a few calls; ``check_labels`` says why not."""
    if logits.dtype.kind != "f" or labels.dtype.kind not in "iu" or not labels.size:
        return False
    fits = logits.shape[:-1] == labels.shape and bool(logits.ndim)
    return fits and bool(labels.min() >= 0 and labels.max() < logits.shape[-1])


def _largest(rows: Any) -> Any:
    """Return the largest element of each row: of short ones, going down columns is quicker."""
    if rows.shape[-1] > SHORT:
        return np.maximum.reduce(rows, axis=-1, keepdims=True)
    return np.maximum.reduce(np.ascontiguousarray(rows.T), axis=0)[:, None]


KERNELS: dict[str, Kernel] = {
    "checked_labels": checked_labels,
    "class_mask": class_mask,
    "softmax_cross_entropy": softmax_cross_entropy,
}
