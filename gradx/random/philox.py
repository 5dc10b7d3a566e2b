"""Random bits: Philox4x64-10, a function from a key and a counter to 256 bits.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011). NumPy's generator is used, and any other implementation gives the same
bits: word ``j`` of a stream is word ``j % 4`` of the block of this key at the
counter ``(first + j // 4, 0, 0, domain)``, lowest word first.

The last word of the counter tells apart what a key is used for, so that drawing
from a key never meets the blocks from which its children are made.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

DRAW, SPLIT, FOLD = range(3)
MASK = 2**64 - 1

# Making a generator costs 20 us, most of it for entropy that is thrown away;
# placing one costs 4. Popping and appending are atomic, so that no two threads,
# and no finalizer that runs in between, ever hold the same one.
_idle: "list[np.random.Philox]" = []  # in quotes: numpy.random takes 8 ms to import
_NO_WORDS = np.zeros(4, dtype=np.uint64)


@contextmanager
def stream(key: np.ndarray, domain: int = DRAW, first: int = 0) -> "Iterator[np.random.Philox]":
    """Lend a generator of the words of ``key``, from block ``first`` of ``domain``."""
    try:
        generator = _idle.pop()
    except IndexError:
        generator = np.random.Philox(0)
    # It adds one to the counter before it makes a block.
    before = ((domain << 192) + first - 1) % 2**256
    counter = [(before >> shift) & MASK for shift in (0, 64, 128, 192)]
    generator.state = {
        "bit_generator": "Philox",
        "state": {"counter": np.array(counter, dtype=np.uint64), "key": key},
        "buffer": _NO_WORDS,
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }
    try:
        yield generator
    finally:
        _idle.append(generator)
