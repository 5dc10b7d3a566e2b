"""Small tables from scikit-learn, which is imported when one is asked for.

A file of the same name in GRADX_DATA, ``digits.csv`` or ``digits.csv.gz``, goes
first: numbers, no header, the target in the last column.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradx.data.datasets.dataset import Dataset, classes, values
from gradx.data.datasets.files import missing, users_file
from gradx.data.datasets.formats import read, read_csv


def digits(*, dtype: Any = np.float32) -> Dataset:
    """Load 1,797 handwritten digits: inputs (1797, 64) in [0, 1], targets (1797,) int64.

    A row is an image of 8 x 8 pixels, from 0 (paper) to 1 (ink); the targets
    are the ten classes 0 to 9.

    Raises:
        DatasetError: scikit-learn is not installed.

    >>> from gradx.data import datasets
    >>> inputs, targets = datasets.digits()
    >>> inputs.shape, inputs.dtype, int(targets.max())
    ((1797, 64), dtype('float32'), 9)
    """
    inputs, targets = _table("digits")
    return classes(inputs / 16.0, targets, dtype)


def wine(*, dtype: Any = np.float32) -> Dataset:
    """Load 178 wines of three growers: inputs (178, 13), targets (178,) int64.

    The columns are chemical measurements in their own units (alcohol in %,
    proline in mg/l, ...), so scale them; the targets are the classes 0 to 2.

    Raises:
        DatasetError: scikit-learn is not installed.

    >>> from gradx.data import datasets
    >>> datasets.wine().inputs.shape
    (178, 13)
    """
    return classes(*_table("wine"), dtype)


def breast_cancer(*, dtype: Any = np.float32) -> Dataset:
    """Load 569 tumours: inputs (569, 30), targets (569,) int64.

    The columns measure cell nuclei in their own units, so scale them; the
    targets are 0 (malignant) and 1 (benign).

    Raises:
        DatasetError: scikit-learn is not installed.

    >>> from gradx.data import datasets
    >>> datasets.breast_cancer().inputs.shape
    (569, 30)
    """
    return classes(*_table("breast_cancer"), dtype)


def diabetes(*, dtype: Any = np.float32) -> Dataset:
    """Load 442 patients: inputs (442, 10), targets (442,), both of ``dtype``.

    The columns have mean 0 and a sum of squares of 1; a target is how far the
    disease went within a year, from 25 to 346 on its own scale.

    Raises:
        DatasetError: scikit-learn is not installed.

    >>> from gradx.data import datasets
    >>> datasets.diabetes().targets.dtype
    dtype('float32')
    """
    return values(*_table("diabetes"), dtype)


def _table(name: str) -> tuple[np.ndarray, np.ndarray]:
    path = users_file(f"{name}.csv", f"{name}.csv.gz")
    if path is not None:
        return read_csv(*read(path))
    if find_spec("sklearn") is None:
        raise missing(name, "pip install scikit-learn")
    load = getattr(import_module("sklearn.datasets"), f"load_{name}")
    return load(return_X_y=True)
