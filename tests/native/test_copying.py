"""Copies of rows that lie apart: what is copied is there, and nothing else has changed."""

import numpy as np
import pytest

from gradx.backends.native import threads

pytest.importorskip("llvmlite")

from gradx.backends.native import copying


@pytest.fixture
def for_all(monkeypatch):
    monkeypatch.setattr(copying, "WORTH_IT", 0)
    monkeypatch.setattr(copying, "WORTH_SHARING", 0)
    before = threads.limit()
    threads.limit(3)
    yield
    threads.limit(before)


def inside(shape, dtype, draws):
    """Return an array inside a larger one, and a mask of what is around it."""
    larger = [int(n + draws.integers(0, 3)) for n in shape]
    whole = draws.normal(size=larger).astype(dtype)
    place = tuple(slice(big - n, big) for n, big in zip(shape, larger, strict=True))
    around = np.ones(larger, bool)
    around[place] = False
    return whole, whole[place], around


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axes", [1, 2, 3, 4, 5])
def test_rows_are_copied_and_nothing_around_them(dtype, axes, for_all):
    draws = np.random.default_rng(axes)
    ways = 0
    for _ in range(100):
        shape = (*draws.integers(1, 7, size=axes - 1), draws.integers(1, 60))
        whole, to, around = inside(shape, dtype, draws)
        _, source, _ = inside(shape, dtype, draws)
        before = whole.copy()
        ways += copying._way(to.shape, to.strides, source.strides, to.itemsize) is not None

        copying.copy(to, source)

        assert np.array_equal(to, source)
        assert np.array_equal(whole[around], before[around])
    assert ways > 50


def test_elements_that_lie_apart_and_other_dtypes_are_numpys(for_all):
    to = np.zeros((6, 40), "float32")

    copying.copy(to[:, ::2], np.ones((6, 20), "float32"))
    copying.copy(to[:, 1::2], np.full((6, 20), 2.0))

    assert np.array_equal(to, np.tile(np.asarray([1, 2], "float32"), (6, 20)))
