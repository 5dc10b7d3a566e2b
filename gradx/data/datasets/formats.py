"""The two formats data sets come in here: CSV with the target last, and IDX.

IDX is the format of MNIST: two zero bytes, a byte for the type (8 is uint8),
a byte for the number of axes, each length as a big-endian uint32, the values.
"""

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np

from gradx.errors import DatasetError

GZIP = b"\x1f\x8b"
UINT8 = 8


def read_csv(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (n, columns - 1) and targets (n,) as float64.

    ``content`` is CSV of numbers without a header, packed by gzip or not; the
    last column is the target.
    """
    lines = _unpacked(content, name)
    if not lines.strip():
        raise DatasetError(f"{name} has no rows")
    try:
        table = np.loadtxt(io.BytesIO(lines), delimiter=",", dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise DatasetError(f"{name} is not CSV of numbers: {error}") from error
    if table.shape[1] < 2:
        raise DatasetError(
            f"{name} has shape {table.shape}: expected inputs and a target in each row"
        )
    return table[:, :-1], table[:, -1]


def read_idx(content: bytes, name: str) -> np.ndarray:
    """Return the uint8 array in ``content``, which is IDX packed by gzip or not."""
    content = _unpacked(content, name)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UINT8:
        raise DatasetError(f"{name} is not IDX of bytes: it starts with {content[:4]!r}")
    axes = content[3]
    header = 4 + 4 * axes
    if len(content) < header:
        raise DatasetError(f"{name} ends inside its header: {len(content)} of {header} bytes")
    shape = struct.unpack_from(f">{axes}I", content, 4)
    values = np.frombuffer(content, dtype=np.uint8, offset=header)
    expected = int(np.prod(shape, dtype=object))
    if values.size != expected:
        raise DatasetError(f"{name} has {values.size} values, but shape {shape} has {expected}")
    return values.reshape(shape)


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DatasetError(f"{name} is not whole: {error}") from error


def read(path: Path) -> tuple[bytes, str]:
    """Return a file's bytes and its name, as the readers take them."""
    return path.read_bytes(), str(path)
