"""Compiled functions on CUDA: captured into a CUDA graph and replayed, on a device that is played.

Its graphs run again, in the same memory, what was launched while they were captured: kernels,
products and CuPy's own functions. It refuses what CUDA refuses during a capture.
"""

import warnings
from importlib import import_module

import numpy as np
import pytest

import gradx as gx
from gradx.device import to_device
from tests.cuda_emulation import needs_compiler
from tests.fake_cupy import FakeRuntimeError, launched
from tests.test_cuda_kernels import assert_close
from tests.test_cuda_kernels import cuda as cuda

pytestmark = needs_compiler


@pytest.fixture(autouse=True)
def products_are_recorded(cuda, monkeypatch):
    functions = import_module("gradx.backends.cublaslt")._library()
    multiply = functions["Matmul"]
    recorded = lambda *args: launched(cuda.machine, lambda: multiply(*args), "product")
    monkeypatch.setitem(functions, "Matmul", recorded)


def drawn(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def program_of(compiled):
    (entry,) = compiled.programs.values()
    return entry.program


def loss(params, key, x, labels):
    w, b, v = params
    hidden = gx.nn.relu(x @ w + b)
    hidden = gx.nn.Dropout(0.3)(hidden, key=key, train=True)
    return gx.mean(gx.nn.softmax_cross_entropy(hidden @ v, labels))


def step(params, moments, key, x, labels):
    value, grads = gx.value_and_grad(loss)(params, key, x, labels)
    moments = [m * 0.9 + g for m, g in zip(moments, grads, strict=True)]
    return [p - 0.1 * m for p, m in zip(params, moments, strict=True)], moments, value


def train(step, place, steps):
    params = [place(drawn(6, 8)), place(drawn(8) * 0), place(drawn(8, 3))]
    moments = [place(np.zeros(p.shape, np.float32)) for p in params]
    losses = []
    for i in range(steps):
        x, labels = place(drawn(5, 6, seed=i)), place(np.arange(5) % 3)
        params, moments, value = step(params, moments, gx.random.fold_in(KEY, i), x, labels)
        losses.append(value)
    return losses, params


KEY = gx.random.key(3)


def test_training_step_is_replayed_to_the_numbers_of_the_cpu(cuda):
    compiled = gx.compile(step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses, params = train(compiled, cuda.put, steps=4)

    expected, expected_params = train(step, lambda x: x, steps=4)
    assert len(program_of(compiled)._captures) == 1
    assert_close(np.asarray([cuda.get(x) for x in losses]), np.asarray(expected, dtype=float))
    for actual, wanted in zip(params, expected_params, strict=True):
        assert_close(cuda.get(actual), wanted.astype(float))


def test_replay_has_the_numbers_of_the_same_step_op_by_op(cuda):
    losses, params = train(gx.compile(step), cuda.put, steps=3)
    eager_losses, eager_params = train(step, cuda.put, steps=3)

    for one, other in zip([*losses, *params], [*eager_losses, *eager_params], strict=True):
        assert_close(cuda.get(one), cuda.get(other).astype(float))


def test_replay_runs_nothing_of_python(cuda, monkeypatch):
    double = gx.compile(lambda x: gx.nn.softmax(x) * 2)
    double(cuda.put(drawn(3)))
    monkeypatch.setitem(cuda.backend.kernels, "softmax", None)

    out = double(cuda.put(drawn(3, seed=1)))

    assert_close(cuda.get(out), gx.nn.softmax(drawn(3, seed=1).astype(float)) * 2)


def test_result_that_is_kept_is_not_overwritten(cuda):
    double = gx.compile(lambda x: x * 2)
    first = double(cuda.put(np.ones(3)))
    second = double(cuda.put(np.full(3, 5.0)))

    assert np.array_equal(cuda.get(first), np.full(3, 2.0))
    assert np.array_equal(cuda.get(second), np.full(3, 10.0))


def test_argument_is_not_overwritten(cuda):
    x = cuda.put(np.ones(3))
    same = gx.compile(lambda x: (x, x + 1))
    same(cuda.put(np.zeros(3)))

    out, more = same(x)

    more += 10
    out += 10
    assert np.array_equal(cuda.get(x), np.ones(3))


def test_key_is_data_of_a_replay(cuda):
    draw = gx.compile(lambda key, x: x + gx.random.uniform(key, x.shape, device="cuda:0"))
    x = cuda.put(np.zeros(5))

    outs = [cuda.get(draw(gx.random.key(seed), x)) for seed in (1, 2, 1)]

    assert np.array_equal(outs[0], gx.random.uniform(gx.random.key(1), 5))
    assert np.array_equal(outs[1], gx.random.uniform(gx.random.key(2), 5))
    assert np.array_equal(outs[2], outs[0])


def test_what_cannot_be_captured_runs_op_by_op_after_one_warning(cuda, monkeypatch):
    def reads(xp, x, /, **params):
        return x if x.get()[0] > 0 else -x

    monkeypatch.setitem(cuda.backend.kernels, "sort", reads)
    f = gx.compile(lambda x: gx.sort(x) * 2)

    with pytest.warns(UserWarning, match=r"f: sort at .*cannot be captured \(the current stream"):
        first = f(cuda.put(np.ones(2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = f(cuda.put(-np.ones(2)))

    assert np.array_equal(cuda.get(first), np.full(2, 2.0))
    assert np.array_equal(cuda.get(second), np.full(2, 2.0))
    assert not cuda.machine.capturing


def test_wrong_argument_is_said_op_by_op_and_the_next_call_is_captured(cuda):
    f = gx.compile(lambda x, labels: gx.nn.softmax_cross_entropy(x, labels))
    x = cuda.put(np.zeros((2, 3)))

    with pytest.raises(IndexError, match="label 3, expected 0 to 2"):
        f(x, cuda.put(np.asarray([0, 3])))
    out = f(x, cuda.put(np.asarray([0, 2])))

    assert_close(cuda.get(out), np.log([3.0, 3.0]))
    assert len(program_of(f)._captures) == 1


def test_capture_that_allocates_is_not_replayed(cuda, monkeypatch):
    def grows(xp, x, /):
        cuda.machine.pool_bytes += cuda.machine.capturing
        return x + 0

    monkeypatch.setitem(cuda.backend.kernels, "sin", grows)

    with pytest.warns(UserWarning, match="it took more memory while it was captured"):
        out = gx.compile(lambda x: gx.sin(x))(cuda.put(np.ones(2)))

    assert np.array_equal(cuda.get(out), np.ones(2))


def test_python_numbers_are_part_of_a_capture_of_which_few_are_kept(cuda):
    scaled = gx.compile(lambda x, rate: x * rate)
    x = cuda.put(np.ones(2))

    for rate in (0.5, 2.5, 0.5):
        assert np.array_equal(cuda.get(scaled(x, rate)), np.full(2, rate))
    assert len(program_of(scaled)._captures) == 2

    with pytest.warns(UserWarning, match=r"Python numbers \(input 1\) differ from call to call"):
        outs = [cuda.get(scaled(x, i / 3)) for i in range(40)]
    assert np.array_equal(outs, np.repeat(np.arange(40)[:, None] / 3, 2, axis=1))


def test_group_is_a_step_of_a_replay(cuda):
    from gradx.graph.equations import Equation, Group
    from gradx.graph.ir import Graph

    compile_cuda = import_module("gradx.graph.cuda.replay").compile_cuda
    inner = gx.capture(lambda x: gx.exp(x) * 2 + 1)(cuda.put(np.ones(3)))
    whole = Graph(
        inner.inputs,
        (),
        (Equation(Group(inner), inner.inputs, {}, inner.outputs),),
        inner.outputs,
    )

    program = compile_cuda(whole)
    outs = [program(cuda.put(np.full(3, x)))[0] for x in (0.0, 1.0)]

    assert_close(cuda.get(outs[0]), np.full(3, 3.0))
    assert_close(cuda.get(outs[1]), np.full(3, 2 * np.e + 1))


def test_next_key_is_a_result_on_the_cpu(cuda):
    def draw(key, x):
        key, subkey = gx.random.split(key)
        return key, x + gx.random.uniform(subkey, x.shape, device="cuda:0")

    f, x = gx.compile(draw), np.zeros(3)
    key, expected = gx.random.key(4), gx.random.key(4)
    for _ in range(3):
        key, out = f(key, cuda.put(x))
        expected, subkey = gx.random.split(expected)
        assert type(key) is np.ndarray
        assert np.array_equal(key, expected)
        assert np.array_equal(cuda.get(out), gx.random.uniform(subkey, 3))

    assert len(program_of(f)._captures) == 1


def test_numbers_cannot_be_read_while_the_device_records(cuda):
    array = cuda.put(np.ones(2))
    cuda.machine.recorded = []
    try:
        with pytest.raises(FakeRuntimeError):
            to_device(array, "cpu")
    finally:
        cuda.machine.recorded = None
