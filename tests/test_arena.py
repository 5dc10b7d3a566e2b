"""Where values lie in an arena: apart while both are needed, in little more than there must be."""

import numpy as np
import pytest

from gradx.graph.arena import ALIGNED, Arena, Piece, arranged, memory_of

KB = 1024


def most_at_once(sizes, spans):
    times = range(max(last for _, last in spans) + 1)
    pairs = list(zip(sizes, spans, strict=True))
    return max(sum(n for n, (first, last) in pairs if first <= t <= last) for t in times)


@pytest.mark.parametrize("seed", range(20))
def test_values_that_are_needed_at_one_time_lie_apart(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5000, 60).tolist()
    firsts = rng.integers(0, 100, 60)
    spans = [(int(a), int(a + n)) for a, n in zip(firsts, rng.integers(0, 40, 60), strict=True)]

    starts, size = arranged(sizes, spans)

    assert all(start % ALIGNED == 0 for start in starts)
    assert all(start + n <= size for start, n in zip(starts, sizes, strict=True))
    values = list(zip(starts, sizes, spans, strict=True))
    for place, (start, n, (first, last)) in enumerate(values):
        for other, m, (begun, ended) in values[place + 1 :]:
            at_once = first <= ended and begun <= last
            assert not at_once or start + n <= other or other + m <= start


def test_large_values_lie_where_many_small_ones_did():
    small = [(i, i + 1 + 2 * (20 - i)) for i in range(20)]  # the first is needed to the end
    spans = [*small, (50, 60), (55, 60)]
    sizes = [KB] * 20 + [8 * KB, 10 * KB]

    assert arranged(sizes, spans)[1] == most_at_once(sizes, spans) == 20 * KB


def test_what_comes_and_goes_does_not_cut_up_what_stays():
    spans, sizes = [], []
    for step in range(10):  # a step keeps one value for its derivative, and needs a larger one
        spans += [(2 * step, 2 * step + 1), (2 * step, 40 - step)]
        sizes += [3 * KB, KB]

    assert arranged(sizes, spans)[1] == most_at_once(sizes, spans)


def test_pieces_given_back_are_one_again():
    arena = Arena()
    first, second, third = [arena.take(64) for _ in range(3)]

    for piece in (first, third, second):
        arena.give(piece)

    assert arena.gaps == [Piece(0, 192)]


def test_nothing_takes_no_memory():
    assert arranged([], []) == ([], 0)


def test_memory_is_aligned():
    held = [memory_of(1000 + i) for i in range(5)]

    assert [len(memory) for memory in held] == [1000, 1001, 1002, 1003, 1004]
    assert all(memory.ctypes.data % ALIGNED == 0 for memory in held)
