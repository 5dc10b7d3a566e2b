"""Read a safetensors file, and believe nothing that it says.

Whatever is wrong with it raises ``CheckpointError``. Nothing that a file names is looked up,
imported or opened, and no more is allocated than the file is long.
"""

import json
import os
import stat
from io import BufferedReader
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradx.errors import CheckpointError
from gradx.saving.layout import (
    ARRAY_DIGESTS,
    DTYPES,
    HEADER_DIGEST,
    LENGTH_BYTES,
    LONGEST_HEADER,
    METADATA,
    as_bytes,
    digest,
    header_digest,
)

MOST_AXES = 64  # of a NumPy array
LONGEST_AXIS = 2**62
PLACE = {"dtype", "shape", "data_offsets"}


class Content(NamedTuple):
    """The arrays of a file by name, and its metadata without gradx's digests."""

    arrays: dict[str, np.ndarray]
    metadata: dict[str, str]


class Place(NamedTuple):
    """Where an array lies behind the header, and what it is."""

    name: str
    begin: int
    end: int
    dtype: np.dtype
    shape: tuple[int, ...]


def read_file(path: Path, *, verify: bool = True) -> Content:
    """Return what is in a file; without ``verify``, one that has no digests is read as well."""
    with open(path, "rb") as file:
        try:
            return _content(file, verify)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
        except RecursionError:
            raise CheckpointError(f"{path}: its header is nested without end") from None


def _content(file: BufferedReader, verify: bool) -> Content:
    status = os.fstat(file.fileno())
    _require(stat.S_ISREG(status.st_mode), "it is no ordinary file")
    header, size = _header(file, status.st_size)
    metadata = _metadata(header)
    digests = _digests(header, metadata, verify)
    places = sorted(
        [_place(name, entry) for name, entry in header.items() if name != METADATA],
        key=lambda place: (place.begin, place.end),
    )
    _require_no_gaps(places, size)
    arrays = {place.name: _array(file, place, digests) for place in places}
    added = (ARRAY_DIGESTS, HEADER_DIGEST)
    return Content(arrays, {k: v for k, v in metadata.items() if k not in added})


def _header(file: BufferedReader, size: int) -> tuple[dict[str, Any], int]:
    """Return the header as parsed, and how many bytes are behind it."""
    start = file.read(LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    left = size - LENGTH_BYTES - length
    _require(
        len(start) == LENGTH_BYTES and left >= 0,
        f"no safetensors file, or cut off: its {size} bytes are too few for a header of {length}",
    )
    _require(length <= LONGEST_HEADER, f"its header of {length} bytes is too long")
    return _parsed("its header", file.read(length)), left


def _parsed(what: str, text: bytes) -> dict[str, Any]:
    _require(text[:1] == b"{", f"{what} is no JSON object")
    try:
        return json.loads(
            text.decode(), object_pairs_hook=_without_repetition, parse_constant=_refuse
        )
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{what} is no JSON: {type(error).__name__}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _require(len(found) == len(pairs), "it has a key twice")
    return found


def _refuse(constant: str) -> Any:
    raise CheckpointError(f"it has a {constant}")


def _metadata(header: dict[str, Any]) -> dict[str, str]:
    metadata = header.get(METADATA, {})
    _require(
        type(metadata) is dict and all(type(value) is str for value in metadata.values()),
        "its metadata are no strings",
    )
    return metadata


def _digests(
    header: dict[str, Any], metadata: dict[str, str], verify: bool
) -> dict[str, str] | None:
    """Return the digest of each array: None if there are none and none are asked for."""
    if not verify and HEADER_DIGEST not in metadata and ARRAY_DIGESTS not in metadata:
        return None
    _require(
        HEADER_DIGEST in metadata and ARRAY_DIGESTS in metadata,
        "it has no SHA-256 of its content: if another program wrote it, verify=False reads it",
    )
    _require(metadata[HEADER_DIGEST] == header_digest(header), "its header is damaged")
    return _parsed("its list of SHA-256", metadata[ARRAY_DIGESTS].encode(errors="replace"))


def _place(name: str, entry: Any) -> Place:
    _require(type(entry) is dict and entry.keys() == PLACE, f"the place of {name!r} is none")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    _require(
        type(dtype) is str and dtype in DTYPES,
        f"the dtype of {name!r} is {str(dtype)[:40]!r}, expected one of {', '.join(DTYPES)}",
    )
    _require(
        _are_integers(shape) and len(shape) <= MOST_AXES and max(shape, default=0) < LONGEST_AXIS,
        f"the shape of {name!r} is none",
    )
    _require(_are_integers(offsets) and len(offsets) == 2, f"the offsets of {name!r} are none")
    begin, end = offsets
    _require(
        end - begin == prod(shape) * DTYPES[dtype].itemsize,
        f"{name!r} has another number of bytes than its shape says",
    )
    return Place(name, begin, end, DTYPES[dtype], tuple(shape))


def _are_integers(values: Any) -> bool:
    return type(values) is list and all(type(value) is int and value >= 0 for value in values)


def _require_no_gaps(places: list[Place], size: int) -> None:
    ends = [0, *[place.end for place in places]]
    touching = all(end == place.begin for end, place in zip(ends, places, strict=False))
    ordered = all(before <= after for before, after in pairwise(ends))
    _require(touching and ordered, "its arrays do not lie one behind the other")
    _require(ends[-1] == size, f"its arrays end at {ends[-1]}, but {size} bytes are there")


def _array(file: BufferedReader, place: Place, digests: dict[str, str] | None) -> np.ndarray:
    """Read the next array: places are in order and without gaps."""
    try:
        array = np.empty(place.shape, place.dtype)
    except (ValueError, MemoryError):  # Of no elements, but of axes that NumPy cannot count.
        raise CheckpointError(f"the shape of {place.name!r} is too large") from None
    memory = as_bytes(array)
    _require(file.readinto(memory) == len(memory), "it became shorter while it was read")
    if digests is not None:
        _require(
            digests.get(place.name) == digest(memory),
            f"{place.name!r} is damaged: its SHA-256 is not what was written",
        )
    if place.dtype == np.bool_:
        _require(max(memory, default=0) <= 1, f"{place.name!r} has a truth value above 1")
    return array


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise CheckpointError(problem)
