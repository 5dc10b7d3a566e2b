"""What a data set for supervised learning is: inputs and targets."""

from typing import Any, NamedTuple

import numpy as np

from gradx.backends import numpy_dtype


class Dataset(NamedTuple):
    """``inputs`` and ``targets``: NumPy arrays with the same first length.

    Being a tuple it is a tree, so ``gx.data.batches``, ``gx.data.split`` and
    ``gx.to_device`` take it whole.
    """

    inputs: np.ndarray
    targets: np.ndarray


def classes(inputs: np.ndarray, labels: np.ndarray, dtype: Any) -> Dataset:
    """Return inputs as ``dtype`` and labels as int64, both in C order."""
    dtype = numpy_dtype(dtype)
    return Dataset(np.ascontiguousarray(inputs, dtype=dtype), labels.astype(np.int64))


def values(inputs: np.ndarray, targets: np.ndarray, dtype: Any) -> Dataset:
    """Return inputs and targets as ``dtype``, both in C order."""
    dtype = numpy_dtype(dtype)
    return Dataset(np.ascontiguousarray(inputs, dtype=dtype), targets.astype(dtype))
