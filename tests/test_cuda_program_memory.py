"""The memory of a captured step: all that it takes is there before it is captured."""

import numpy as np
import pytest

import gradx as gx
from tests.cuda_emulation import needs_compiler
from tests.fake_cupy import FakeRuntimeError
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import program_of
from tests.test_cuda_replay import silent as silent

pytestmark = needs_compiler


def test_capture_that_allocates_is_not_replayed(cuda, monkeypatch):
    def grows(xp, x, /, **params):
        cuda.machine.pool_bytes += cuda.machine.capturing
        return x + 0

    monkeypatch.setitem(cuda.backend.kernels, "sort", grows)

    with pytest.warns(UserWarning, match="it took more memory while it was captured"):
        out = gx.compile(lambda x: gx.sort(x))(cuda.put(np.ones(2)))

    assert np.array_equal(cuda.get(out), np.ones(2))


@pytest.mark.usefixtures("silent")
def test_pool_that_still_grows_is_warmed_up_further(cuda, monkeypatch):
    runs = []

    def grows_at_first(xp, x, /, **params):
        runs.append(cuda.machine.capturing)
        cuda.machine.pool_bytes += len(runs) < 5
        return x + 0

    monkeypatch.setitem(cuda.backend.kernels, "sort", grows_at_first)
    f = gx.compile(lambda x: gx.sort(x))
    f.graph(cuda.put(np.ones(2)))
    runs.clear()

    f(cuda.put(np.ones(2)))

    assert runs == [False] * 5 + [True]


@pytest.mark.usefixtures("silent")
def test_capture_that_found_no_room_is_made_again(cuda, monkeypatch):
    runs = []

    def finds_no_room_at_first(xp, x, /, **params):
        runs.append(cuda.machine.capturing)
        if runs.count(True) == 1:
            if cuda.machine.capturing:
                raise FakeRuntimeError("cudaMalloc: operation not permitted")
            cuda.machine.pool_bytes = 1  # what runs again finds another place
        return x + 0

    monkeypatch.setitem(cuda.backend.kernels, "sort", finds_no_room_at_first)
    f = gx.compile(lambda x: gx.sort(x))

    out = f(cuda.put(np.ones(2)))

    assert np.array_equal(cuda.get(out), np.ones(2))
    assert runs.count(True) == 2
    assert len(program_of(f)._captures) == 1
