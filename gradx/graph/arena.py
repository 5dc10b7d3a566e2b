"""Arena: one piece of memory, in which values lie where others lay that are not read any more.

Pieces of fixed sizes, each for one value after another, are held by the largest that each ever
has: after the many small values of a sequence's steps, large ones found no place.
"""

from bisect import bisect
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

ALIGNED = 64  # bytes: a line of the cache, and the widest register


class Piece(NamedTuple):
    """Bytes of the arena."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.stop - self.start


class Arena:
    """Which bytes are free while values come and go, and how many there must be."""

    def __init__(self) -> None:
        self.size = 0
        self.gaps: list[Piece] = []  # in order, none beside another

    def take(self, size: int) -> Piece:
        """Return the piece that is free and fits best; at the end there is always one."""
        fitting = [gap for gap in self.gaps if gap.size >= size]
        if fitting:
            gap = min(fitting, key=lambda gap: gap.size)
            self.gaps.remove(gap)
        else:
            at_end = bool(self.gaps) and self.gaps[-1].stop == self.size
            gap = self.gaps.pop() if at_end else Piece(self.size, self.size)
            self.size = gap.start + size
        piece = Piece(gap.start, gap.start + size)
        if piece.stop < gap.stop:
            self.give(Piece(piece.stop, gap.stop))
        return piece

    def give(self, piece: Piece) -> None:
        """Take a piece back, as one with what is free beside it."""
        place = bisect(self.gaps, piece)
        start, stop = piece
        if place < len(self.gaps) and self.gaps[place].start == stop:
            stop = self.gaps.pop(place).stop
        if place and self.gaps[place - 1].stop == start:
            start = self.gaps.pop(place - 1).start
            place -= 1
        self.gaps.insert(place, Piece(start, stop))


def arranged(sizes: Sequence[int], spans: Sequence[tuple[int, int]]) -> tuple[list[int], int]:
    """Return where each value begins in an arena, and the size of that.

    ``spans`` are the first and the last time at which each is needed.
    """
    # Back in time, as what a derivative reads last was written first: it has its place before
    # all that comes and goes meanwhile. Of what is needed at one time, the largest first.
    order = sorted(range(len(sizes)), key=lambda i: (-spans[i][1], -sizes[i]))
    arena = Arena()
    starts = [0] * len(sizes)
    held: list[tuple[int, Piece]] = []  # by the first time, the latest first
    for i in order:
        first, last = spans[i]
        while held and -held[0][0] > last:
            arena.give(heappop(held)[1])
        piece = arena.take(-(-sizes[i] // ALIGNED) * ALIGNED)
        heappush(held, (-first, piece))
        starts[i] = piece.start
    return starts, arena.size


def memory_of(size: int) -> Any:
    """Return new memory of so many bytes, aligned."""
    memory = np.empty(size + ALIGNED, np.uint8)
    start = -memory.ctypes.data % ALIGNED
    return memory[start : start + size]
