"""Copies of many arrays in one launch: what a replay is given, and what it hands out.

A training step has some forty of them, which one by one would take longer than the step. Their
addresses are one argument, a table: each argument more takes the processor time.
"""

from functools import cache
from typing import Any

import numpy as np

from gradx.backends.cuda_kernels.launching import function
from gradx.backends.cuda_kernels.prelude import COMMON, MOST_BLOCKS, THREADS, blocks_for

# Arrays that a table has room for: the most is what a kernel's 4096 bytes of arguments hold.
ROOMS = (4, 24, 160)

TEXT = """
struct alignas(16) Sixteen { uint64 low, high; };
struct Table {
    unsigned char* to[ROOM];
    const unsigned char* from[ROOM];
    int64 size[ROOM];
};

// A row of blocks for each array. Sixteen bytes at a time where both arrays allow it.
extern "C" __global__ void copies(const __grid_constant__ Table table) {
    unsigned char* to = table.to[blockIdx.y];
    const unsigned char* from = table.from[blockIdx.y];
    const int64 size = table.size[blockIdx.y];
    int64 whole = 0;
    if (((uint64)to | (uint64)from) % 16 == 0) {
        whole = size / 16 * 16;
        FOR_EACH(i, size / 16) ((Sixteen*)to)[i] = ((const Sixteen*)from)[i];
    }
    FOR_EACH(i, size - whole) to[whole + i] = from[whole + i];
}
"""

KINDS = [(room,) for room in ROOMS]


@cache
def code(room: int) -> str:
    """Return the source for a table with room for so many arrays."""
    return COMMON + TEXT.replace("ROOM", str(room))


class Copies:
    """Copies of arrays of given sizes in bytes; all lie in row-major order."""

    def __init__(self, sizes: list[int]) -> None:
        most = ROOMS[-1]
        self._launches = [
            (slice(i, i + most), _Launch(sizes[i : i + most])) for i in range(0, len(sizes), most)
        ]

    def __call__(self, targets: list[Any], sources: list[Any]) -> None:
        """Copy arrays into others of their sizes, on the current device and stream."""
        for some, launch in self._launches:
            launch(targets[some], sources[some])


class _Launch:
    def __init__(self, sizes: list[int]) -> None:
        count = len(sizes)
        room = next(room for room in ROOMS if room >= count)
        numbers = np.zeros((3, room), np.uint64)
        self._to, self._from, numbers[2, :count] = numbers[0, :count], numbers[1, :count], sizes
        self._table = numbers.reshape(-1).view(f"V{numbers.nbytes}")  # as one argument, by value
        # The largest array has what blocks there are room for; others return at once or share.
        blocks = min(blocks_for(-(-max(sizes) // 16)), -(-MOST_BLOCKS // count))
        self._grid = (max(blocks, 1), count)
        self._source = code(room)

    def __call__(self, targets: list[Any], sources: list[Any]) -> None:
        self._to[:] = [x.data.ptr for x in targets]
        self._from[:] = [x.data.ptr for x in sources]
        function(self._source, "copies")(self._grid, (THREADS,), (self._table,))
