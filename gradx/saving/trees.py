"""Save a tree of arrays, and load it back into a tree of the same structure.

An array's name in the file is its path in the tree, as in ``layers[0].weight``. Complex
arrays are pairs of real ones, along a new last axis. Only numbers are in the file: the
structure, and all settings of layers, come from the tree that is loaded into.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, is_kind
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError, TrackedError
from gradx.saving.layout import ARRAY_DIGESTS, HEADER_DIGEST, NAMES, as_bytes, make_header
from gradx.saving.reading import read_file
from gradx.saving.writing import write_atomically

Tree = TypeVar("Tree")
NUMBERS = (bool, int, float, complex)
SINGLE = "array"  # the name of a tree that is one array


def save(path: Any, tree: Any, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a tree of arrays and numbers to a safetensors file, with a SHA-256 of each.

    The file appears whole or not at all: whatever happens while it is written, what was at
    ``path`` before stays readable. ``metadata`` are strings to be kept with it.

    Raises:
        TypeError: a leaf is neither an array nor a number.

    >>> import gradx as gx
    >>> model = gx.nn.Linear(3, 2, key=gx.random.key(0))
    >>> gx.save("model.safetensors", model)
    >>> again = gx.load("model.safetensors", like=model)
    >>> bool((again.weight == model.weight).all())
    True
    """
    metadata = dict(metadata or {})
    for name, value in metadata.items():
        if type(name) is not str or type(value) is not str:
            raise DTypeError(f"save: metadata {name!r}: {value!r}, expected strings")
        if name in (ARRAY_DIGESTS, HEADER_DIGEST):
            raise ShapeError(f"save: metadata {name!r} is gradx's own")
    arrays = {name: as_written(name, leaf) for name, leaf in named_leaves(tree).items()}
    parts = (as_bytes(array) for array in arrays.values())
    write_atomically(as_path("save", path), [make_header(arrays, metadata), *parts])


@overload
def load(path: Any, like: None = None, *, verify: bool = True) -> dict[str, np.ndarray]: ...


@overload
def load(path: Any, like: Tree, *, verify: bool = True) -> Tree: ...


def load(path: Any, like: Any = None, *, verify: bool = True) -> Any:
    """Return the tree in a file: one of the structure, dtypes and devices of ``like``.

    Without ``like``, return a dictionary of NumPy arrays by their paths, of which complex
    ones come as pairs of real numbers, along a new last axis. ``verify=False`` also reads
    files that have no SHA-256 of their arrays, as other programs write them.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is damaged, or not safetensors.
        ValueError: it does not hold a tree of the structure and shapes of ``like``.
        TypeError: a dtype is not that of ``like``.
    """
    arrays = read_file(as_path("load", path), verify=verify).arrays
    return arrays if like is None else into_tree(arrays, like)


def into_tree(arrays: Mapping[str, np.ndarray], like: Any) -> Any:
    """Return ``like`` with its leaves replaced by the arrays of their names."""
    named = named_leaves(like)
    missing, unknown = named.keys() - arrays.keys(), arrays.keys() - named.keys()
    if missing or unknown:
        raise ShapeError(
            f"load: the file lacks {_shown(missing)}, and has besides {_shown(unknown)}: "
            "it holds another tree than like=..."
        )
    leaves = [_as_leaf(name, arrays[name], leaf) for name, leaf in named.items()]
    return tree.unflatten(tree.flatten(like)[1], leaves)


def named_leaves(values: Any) -> dict[str, Any]:
    """Return the leaves of a tree by their names in a file."""
    names = [path.removeprefix(".") or SINGLE for path in tree.paths(values)]
    leaves = tree.leaves(values)
    if len(set(names)) < len(names) or "__metadata__" in names:
        raise ShapeError(f"save: two leaves have one name, or a forbidden one: {_shown(names)}")
    return dict(zip(names, leaves, strict=True))


def as_written(name: str, leaf: Any) -> np.ndarray:
    """Return a leaf as a NumPy array that is contiguous and little-endian."""
    if type(leaf) is Tensor:
        raise TrackedError(f"save: {name} is tracked: save it outside of the transform")
    array = np.asarray(leaf) if type(leaf) in NUMBERS else _to_numpy(name, leaf)
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    # An array that was a view, or transposed, becomes one of its own.
    array = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    if array.dtype not in NAMES:
        raise DTypeError(f"save: {name} is {describe(leaf)}, which safetensors does not have")
    return array


def _to_numpy(name: str, leaf: Any) -> np.ndarray:
    if not is_array(leaf):
        raise DTypeError(f"save: {name} is {describe(leaf)}, expected an array or a number")
    return np.asarray(backend_for(leaf).to_numpy(leaf))


def _as_leaf(name: str, array: np.ndarray, like: Any) -> Any:
    """Return an array of the file as a leaf of the kind, and on the device, of ``like``."""
    expected = as_written(name, like)
    if array.dtype != expected.dtype:
        raise DTypeError(f"load: {name} is {array.dtype} in the file, expected {expected.dtype}")
    if array.shape != expected.shape:
        raise ShapeError(
            f"load: {name} is {describe(array)} in the file, expected {describe(expected)}"
        )
    if type(like) in NUMBERS:
        return type(like)(_joined(array).item() if type(like) is complex else array.item())
    backend = backend_for(like)
    is_complex = is_kind(like, "complex floating")
    return backend.from_numpy(_joined(array) if is_complex else array, backend.device_of(like))


def _joined(pairs: np.ndarray) -> np.ndarray:
    """Return complex numbers from pairs along the last axis: by parts, which keeps every bit."""
    joined = np.empty(pairs.shape[:-1], np.result_type(pairs, np.complex64))
    joined.real, joined.imag = pairs[..., 0], pairs[..., 1]
    return joined


def as_path(name: str, path: Any) -> Path:
    """Return what ``name`` was given as the path of a file."""
    if not isinstance(path, (str, os.PathLike)):
        raise DTypeError(f"{name}: the path is {path!r}, expected a string or a Path")
    if not os.fspath(path) or "\0" in os.fsdecode(path):
        raise ShapeError(f"{name}: the path is {path!r}, which no file can have")
    return Path(path)


def _shown(names: Any) -> str:
    names = sorted(names)
    more = ["..."] if len(names) > 5 else []
    return ", ".join([*names[:5], *more]) or "nothing"
