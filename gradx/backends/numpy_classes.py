"""Losses of labels on NumPy: into memory that is given, and with memory that is lent.

Each does what its op does, in the same order.
"""

from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.labels import check_labels
from gradx.backends.scratch import lent


def class_mask(xp: Any, labels: Any, /, *, classes: int, out: Any = None) -> Any:
    """Compare each label with the number of each class."""
    return np.equal(np.expand_dims(labels, -1), np.arange(classes, dtype=labels.dtype), out=out)


def softmax_cross_entropy(xp: Any, logits: Any, labels: Any, /, *, out: Any = None) -> Any:
    """Add up exponentials in memory that is lent."""
    check_labels(np, logits, labels)
    places = np.expand_dims(labels, -1)
    with lent(logits.shape, logits.dtype) as shifted:
        np.subtract(logits, np.max(logits, axis=-1, keepdims=True), out=shifted)
        chosen = np.take_along_axis(shifted, places, axis=-1)
        total = np.log(np.add.reduce(np.exp(shifted, out=shifted), axis=-1))
        return np.subtract(total, np.squeeze(chosen, axis=-1), out=out)


KERNELS: dict[str, Kernel] = {
    "class_mask": class_mask,
    "softmax_cross_entropy": softmax_cross_entropy,
}
