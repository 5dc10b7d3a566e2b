"""The layout of a safetensors file, and what gradx adds to it.

Eight bytes hold the length of the header, little-endian; the header is a JSON object, from
the name of each array to its dtype, shape and place; then the arrays follow without gaps,
in C order, little-endian. Under ``__metadata__`` are strings: gradx puts the SHA-256 of each
array there, and one of the header, so that a flipped bit anywhere is found.
"""

import hashlib
import json
from typing import Any

import numpy as np

METADATA = "__metadata__"
ARRAY_DIGESTS = "gradx.sha256"
HEADER_DIGEST = "gradx.header_sha256"
LENGTH_BYTES = 8
ALIGNMENT = 8  # of where the arrays begin
LONGEST_HEADER = 100_000_000  # bytes; the limit of safetensors

DTYPES = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("<u1"),
    "I8": np.dtype("<i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def digest(data: Any) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def header_digest(header: dict[str, Any]) -> str:
    """Return the SHA-256 of all that a header says, but for this digest itself."""
    metadata = {k: v for k, v in header.get(METADATA, {}).items() if k != HEADER_DIGEST}
    said = header | {METADATA: metadata}
    return digest(json.dumps(said, sort_keys=True).encode())


def make_header(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Return the bytes in front of the arrays, which are contiguous and little-endian."""
    header: dict[str, Any] = {}
    begin = 0
    for name, array in arrays.items():
        end = begin + array.nbytes
        place = {"dtype": NAMES[array.dtype], "shape": list(array.shape)}
        header[name] = place | {"data_offsets": [begin, end]}
        begin = end
    digests = {name: digest(as_bytes(array)) for name, array in arrays.items()}
    header[METADATA] = metadata | {ARRAY_DIGESTS: json.dumps(digests)}
    header[METADATA][HEADER_DIGEST] = header_digest(header)
    text = json.dumps(header).encode()
    text += b" " * (-(LENGTH_BYTES + len(text)) % ALIGNMENT)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def as_bytes(array: np.ndarray) -> memoryview:
    """Return the memory of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data
