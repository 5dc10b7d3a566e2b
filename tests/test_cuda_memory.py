"""Memory of a GPU and batches on their way there, on a device that is played.

What streams are asked to do is kept in order; arrays are counted, and may not fit.
"""

import gc
import warnings
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import gradx as gx
from gradx import backends
from gradx.data.prefetching import on_the_way
from gradx.errors import DeviceError, DTypeError, OutOfMemoryError, ShapeError
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

pytestmark = needs_compiler


@pytest.fixture(autouse=True)
def unlimited(cuda):
    cuda.machine.log.clear()
    yield
    cuda.machine.capacity = None
    cuda.module("cupy").get_default_memory_pool().limit = 0


# Batches ahead


def numbered(count, size=2):
    return [(np.full(size, float(i)), np.asarray([i])) for i in range(count)]


def test_batches_are_those_given_on_the_device(cuda):
    found = list(gx.data.prefetch(numbered(5), "cuda"))

    assert [(cuda.get(x).tolist(), cuda.get(y).tolist()) for x, y in found] == [
        ([i, i], [i]) for i in range(5)
    ]


def test_next_batch_is_copied_before_this_one_is_used(cuda):
    batches = gx.data.prefetch([(np.asarray([float(i)]),) for i in range(3)], "cuda")
    seen = []
    for (x,) in batches:
        copied = [what[2] for what in cuda.machine.log if what[1] == "copies"]
        seen.append((cuda.get(x).tolist(), copied[-1]))

    assert seen == [([0.0], [1.0]), ([1.0], [2.0]), ([2.0], [2.0])]


def test_copy_waits_for_the_memory_and_the_step_for_the_copy(cuda):
    next(gx.data.prefetch([(np.asarray([1.0]),)], "cuda"))

    (ready, waits, copies, copied, used) = cuda.machine.log
    assert ready[:2] == ("compute", "records")
    assert waits == ("copy", "waits for", ready[2])
    assert copies == ("copy", "copies", [1.0])
    assert copied[:2] == ("copy", "records")
    assert used == ("compute", "waits for", copied[2])


def test_pinned_buffers_are_two_and_are_filled_when_their_copy_is_done(cuda, monkeypatch):
    made = []
    cupyx = cuda.module("cupyx")
    empty = cupyx.empty_pinned
    monkeypatch.setattr(cupyx, "empty_pinned", lambda *a, **k: made.append(a) or empty(*a, **k))

    list(gx.data.prefetch([(np.full(3, i),) for i in range(6)], "cuda"))

    assert made == [((3,),), ((3,),)]
    waited = [what for what in cuda.machine.log if what[0] == "host"]
    copied = [what[2] for what in cuda.machine.log if what[:2] == ("copy", "records")]
    assert [what[2] for what in waited] == copied[:4]


def test_two_arrays_of_one_kind_have_two_buffers(cuda):
    ((x, y),) = gx.data.prefetch([(np.zeros(3), np.ones(3))], "cuda")

    assert cuda.get(x).tolist() == [0, 0, 0]
    assert cuda.get(y).tolist() == [1, 1, 1]


def test_what_is_on_the_device_stays_and_names_do_too(cuda):
    x = cuda.put(np.ones(2))

    (batch,) = gx.data.prefetch([{"x": x, "y": np.zeros(2), "name": "first"}], "cuda")

    assert batch["x"] is x
    assert batch["name"] == "first"
    assert cuda.get(batch["y"]).tolist() == [0, 0]


def test_error_of_the_data_comes_after_the_batch_before_it(cuda):
    def failing():
        yield (np.zeros(1),)
        raise OSError("a disk")

    batches = gx.data.prefetch(failing(), "cuda")

    assert cuda.get(next(batches)[0]).tolist() == [0]
    with pytest.raises(OSError, match="a disk"):
        next(batches)


class Asked:
    """A number on a device that says when it is asked for."""

    def __init__(self, number, log):
        self.number, self.log = number, log

    def __bool__(self):
        self.log.append("waits")
        return bool(self.number)

    def __float__(self):
        return float(self.number)


@pytest.mark.parametrize("compiled", [False, True])
def test_next_batch_is_prepared_while_the_device_is_at_work_on_a_step(compiled, monkeypatch):
    module = import_module("gradx.train.step")
    monkeypatch.setattr(module, "while_it_compiles", lambda function, what: function)
    log = []

    def whole(weights, batch, key, rate):
        log.append("begins")
        return module.Found(weights, Asked(0.5, log), Asked(True, log))

    step = module._as_it_is(whole, None)
    step = module._compiled(whole, step) if compiled else step
    state = SimpleNamespace(weights="weights", rate=1.0, model=None)

    assert step(state, None, None, lambda: log.append("prepares")) == ("weights", 0.5)
    assert log == ["begins", "prepares", "waits"]


def test_batches_on_the_way_are_copied_when_they_are_prepared_or_asked_for(cuda):
    batches = on_the_way(numbered(3), "cuda")
    copied = lambda: [what[2] for what in cuda.machine.log if what[1] == "copies"][::2]

    batches.prepare()
    batches.prepare()
    assert copied() == [[0.0, 0.0]]
    assert cuda.get(next(batches)[0]).tolist() == [0, 0]
    assert copied() == [[0.0, 0.0]]
    assert cuda.get(next(batches)[0]).tolist() == [1, 1]
    batches.prepare()
    assert copied() == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
    assert len(list(batches)) == 1
    assert list(batches) == []


def test_training_on_a_gpu_is_training_on_the_cpu_with_batches_ahead(cuda):
    rows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    data = (rows, rows[:, :2])
    options = {"epochs": 2, "key": gx.random.key(0), "progress": None, "batch_size": 4}

    def fitted(**how):
        model = gx.nn.Linear(4, 2, key=gx.random.key(1))
        options["validation"] = data
        return gx.train.fit(model, gx.nn.mse, gx.optim.sgd(0.1), data, **options, **how)

    on_cpu, on_gpu = fitted(), fitted(device="cuda")

    assert np.allclose(on_cpu.history["loss"], on_gpu.history["loss"], rtol=1e-5)
    assert np.allclose(on_cpu.history["validation_loss"], on_gpu.history["validation_loss"], 1e-5)
    assert ("copy", "copies") in {what[:2] for what in cuda.machine.log}


@pytest.mark.parametrize("wrong", [3, None, "batches"])
def test_batches_that_cannot_be_gone_through_are_refused(wrong):
    with pytest.raises(DTypeError, match=f"expected batches to go through, got {wrong!r}"):
        gx.data.prefetch(wrong, "cpu")


# What is used, and limits


def test_memory_is_told_of_arrays_and_programs(cuda):
    before = gx.memory()["used"]
    array = cuda.put(np.zeros(1000))

    assert gx.memory()["used"] - before == 8000
    del array
    assert gx.memory()["used"] == before
    assert set(gx.memory("cuda:1")) == {"used", "held", "programs", "limit", "free", "total"}


def test_programs_have_pools_that_are_told_as_long_as_they_live(cuda):
    before = pools_alive(cuda)
    compiled = gx.compile(lambda x: gx.exp(x) * 2)
    compiled(cuda.put(np.ones(3)))

    assert pools_alive(cuda) == before + 1
    del compiled
    assert pools_alive(cuda) == before


def pools_alive(cuda):
    gc.collect()
    cuda.machine.pool_bytes = 512
    told = cuda.module("gradx.backends.cuda_memory").memory()["programs"]
    cuda.machine.pool_bytes = 0
    return told / 512


def test_memory_of_a_program_that_is_forgotten_is_given_back(cuda):
    compiled = gx.compile(lambda x: gx.exp(x) * 2)
    compiled(cuda.put(np.ones(3)))
    used = cuda.machine.used
    cuda.machine.log.clear()

    del compiled
    gc.collect()

    # CuPy's pool keeps what it has when it is forgotten, so its arrays went back to it before.
    frees = [what for what in cuda.machine.log if what[:2] == ("pool", "frees")]
    assert frees == [("pool", "frees", cuda.machine.used)]
    assert cuda.machine.used < used


def test_program_of_another_gpu_replays_there(cuda):
    x = gx.to_device(np.ones(3), "cuda:1")
    with gx.default_device("cuda:1"):
        graph = gx.capture(lambda x: gx.exp(x) * 2)(x)
    program = cuda.module("gradx.graph.cuda.replay").compile_cuda(graph)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (out,) = program(x)

    assert backends.device_of(out) == "cuda:1"
    assert np.allclose(cuda.get(out), 2 * np.exp(1))


@pytest.mark.parametrize(("limit", "held"), [(1 << 20, 1 << 20), (0.25, 2 << 30), (None, 0)])
def test_limit_is_bytes_or_a_fraction(limit, held, cuda):
    gx.limit_memory(limit)

    assert gx.memory()["limit"] == held
    assert cuda.module("gradx.backends.cuda_memory").ProgramPool().limit() == held


WRONG = {
    "text": ("half", DTypeError, "'half', expected bytes, a fraction, or None"),
    "true": (True, DTypeError, "True, expected bytes"),
    "nothing": (0, ShapeError, "0, expected bytes above 0"),
    "more than all": (1.5, ShapeError, "1.5, expected bytes above 0 or a fraction from 0 to 1"),
    "not a number": (float("nan"), ShapeError, "nan, expected"),
}


@pytest.mark.parametrize("case", WRONG)
def test_limit_that_is_none_is_refused(case):
    limit, error, message = WRONG[case]

    with pytest.raises(error, match=message):
        gx.limit_memory(limit)


def test_memory_of_a_cpu_is_not_told():
    with pytest.raises(DeviceError, match="of GPUs, got device 'cpu'"):
        gx.memory("cpu")
    with pytest.raises(DeviceError, match="of GPUs, got device 'cpu'"):
        gx.limit_memory(0.5, "cpu")


# What does not fit


def test_array_that_does_not_fit_is_an_error_after_which_all_works(cuda):
    x = cuda.put(np.ones(100))
    cuda.machine.capacity = cuda.machine.used + 1000

    with pytest.raises(OutOfMemoryError, match=r"concat\(.*Out of memory allocating 1,600 bytes"):
        gx.concat([x, x])

    assert float(cuda.get(gx.sum(x * 1.0))) == 100
    assert cuda.machine.used <= cuda.machine.capacity


def test_compiled_function_that_does_not_fit_once_is_captured_when_memory_is_freed(
    cuda, monkeypatch
):
    f = gx.compile(lambda x: gx.exp(x) * 2 + gx.sort(x))
    x = cuda.put(np.zeros(1000))
    f.graph(x)
    pool = cuda.module("cupy").get_default_memory_pool()
    cuda.machine.capacity = cuda.machine.used + 20_000

    free = type(pool).free_all_blocks
    given_back = lambda pool: (setattr(cuda.machine, "capacity", None), free(pool))
    with monkeypatch.context() as patched, warnings.catch_warnings():
        patched.setattr(type(pool), "free_all_blocks", given_back)
        warnings.simplefilter("error")
        out = f(x)

    assert np.array_equal(cuda.get(out), np.full(1000, 2.0))
    assert len(next(iter(f.programs.values())).program._captures) == 1


def test_compiled_function_that_never_fits_runs_op_by_op_or_says_which_op_failed(cuda):
    f = gx.compile(lambda x: gx.exp(x) * 2 + gx.sort(x))
    x = cuda.put(np.zeros(1000))
    f.graph(x)
    cuda.machine.capacity = cuda.machine.used + 5000

    with (
        pytest.warns(UserWarning, match="its own memory does not fit beside the rest"),
        pytest.raises(OutOfMemoryError, match=r"exp\(float64 \(1000,\)\): Out of memory"),
    ):
        f(x)
    cuda.machine.capacity = None

    assert np.array_equal(cuda.get(f(x)), np.full(1000, 2.0))
    assert not cuda.machine.capturing
