"""Compiled functions on CUDA: captured into a CUDA graph and replayed, on a device that is played.

Its graphs run again, in the same memory, what was launched while they were captured: kernels,
products and CuPy's own functions. It refuses what CUDA refuses during a capture.
"""

import ctypes
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
    multiply, describe = functions["Matmul"], functions["MatmulDescSetAttribute"]
    described = {}  # by description, what it was told last

    def describing(description, attribute, value, size):
        told = described.setdefault(description.value, {})
        told[attribute] = ctypes.string_at(value, size)
        return describe(description, attribute, value, size)

    def recorded(handle, description, *args):
        # A capture keeps the description as it is now: another may share it, with its own bias.
        kept = dict(described.get(description.value, {}))

        def product():
            for attribute, value in kept.items():
                describe(description, attribute, value, len(value))
            return multiply(handle, description, *args)

        return launched(cuda.machine, product, "product")

    monkeypatch.setitem(functions, "MatmulDescSetAttribute", describing)
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


@pytest.mark.parametrize("axis", [0, 1, None])
def test_many_arrays_are_joined_in_a_capture(axis, cuda):
    arrays = [drawn(2, 3, seed=i) for i in range(70)]
    joined = gx.compile(lambda *xs: gx.concat([x + 1 for x in xs], axis=axis))

    out = joined(*map(cuda.put, arrays))

    assert np.array_equal(cuda.get(out), np.concat(arrays, axis=axis) + 1)


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


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("silent")
def test_python_number_that_changes_is_todays_in_one_capture(cuda):
    scaled = gx.compile(lambda x, rate: (x * rate, x + rate**2, rate * 2, gx.exp(x) * -rate))
    x = cuda.put(np.ones(2, np.float32))

    for i in range(40):
        rate = (i - 3) / 3
        product, total, double, power = scaled(x, rate)
        assert product.dtype == total.dtype == np.float32
        assert double == rate * 2
        assert_close(cuda.get(product), np.full(2, rate))
        assert_close(cuda.get(total), np.full(2, 1 + rate**2))
        assert_close(cuda.get(power), np.full(2, -np.e * rate))
    assert len(program_of(scaled)._captures) == 1


@pytest.mark.usefixtures("silent")
def test_rate_that_is_an_argument_or_a_schedule_needs_no_new_capture(cuda):
    schedule = gx.optim.schedules.cosine(0.1, steps=20)
    scheduled = gx.optim.adam(schedule)

    def step(params, state, key, rate, x):
        def loss(w):
            return gx.sum((gx.nn.Dropout(0.5)(x, key=key, train=True) @ w - 1) ** 2)

        updates, state = scheduled.update(gx.grad(loss)(params), state, params)
        return gx.optim.apply_updates(params, updates) * (1 - rate), state

    compiled, x, start = gx.compile(step), drawn(4, 3), drawn(3, 2, seed=1)
    found, expected = cuda.put(start), start.astype(float)
    state, expected_state = scheduled.init(found), scheduled.init(expected)
    for i in range(20):
        key, rate = gx.random.key(i), 0.01 / (i + 1)
        found, state = compiled(found, state, key, rate, cuda.put(x))
        expected, expected_state = step(expected, expected_state, key, rate, x.astype(float))

    assert len(program_of(compiled)._captures) == 1
    assert np.allclose(cuda.get(found), expected, rtol=1e-4)


@pytest.mark.usefixtures("silent")
def test_number_that_python_cannot_compute_with_is_said_as_in_eager_code(cuda):
    f = gx.compile(lambda x, rate: x * (1 / rate))
    f(cuda.put(np.ones(2)), 2.0)

    with pytest.raises(ZeroDivisionError):
        f(cuda.put(np.ones(2)), 0.0)


def test_number_that_no_kernel_reads_is_part_of_a_capture_of_which_few_are_kept(cuda):
    power = gx.compile(lambda x, n: x**n)
    x = cuda.put(np.full(2, 3))

    for n in (2, 3, 2):
        assert np.array_equal(cuda.get(power(x, n)), np.full(2, 3**n))
    assert len(program_of(power)._captures) == 2

    with pytest.warns(UserWarning, match=r"Python numbers \(input 1\) differ from call to call"):
        outs = [cuda.get(power(x, n)) for n in range(30)]
    assert np.array_equal(outs, np.repeat(3 ** np.arange(30)[:, None], 2, axis=1))


def test_settings_are_part_of_a_capture(cuda):
    f = gx.compile(lambda x, places: gx.sum(gx.take(x, places, axis=0) * 2))
    grad = gx.compile(lambda x, places: gx.grad(f)(x, places))
    product = gx.compile(lambda x, y: x @ y)
    x, places = cuda.put(drawn(4, 64)), cuda.put(np.asarray([0, 1, 0]))

    exact = cuda.get(product(x, x.T))
    with gx.matmul_precision("bf16"):
        rounded = cuda.get(product(x, x.T))
    grad(x, places)
    atomic = cuda.machine.launches
    with gx.deterministic():
        grad(x, places)

    assert np.array_equal(cuda.get(product(x, x.T)), exact)
    assert not np.array_equal(exact, rounded)
    assert "add_at_atomic" in atomic
    assert "add_at_sorted" in cuda.machine.launches


@pytest.mark.usefixtures("silent")
def test_losses_that_check_their_targets_are_captured(cuda):
    losses = {
        "cross entropy": (gx.nn.cross_entropy, drawn(4, 3), np.asarray([0, 2, 1, 1])),
        "binary": (gx.nn.binary_cross_entropy, drawn(4), np.asarray([0.0, 1.0, 0.5, 1.0])),
        "hinge": (gx.nn.hinge, drawn(4), np.asarray([1, -1, -1, 1])),
    }
    for f, scores, targets in losses.values():
        compiled = gx.compile(lambda x, t, f=f: gx.value_and_grad(lambda x: f(x, t))(x))
        given = (cuda.put(scores), cuda.put(targets))
        compiled(*given)
        value, gradient = compiled(*given)

        expected = gx.value_and_grad(lambda x, f=f, t=targets: f(x, t))(scores.astype(float))
        assert_close(np.asarray(cuda.get(value)), np.asarray(expected[0]), "float32")
        assert_close(cuda.get(gradient), expected[1])
        assert len(program_of(compiled)._captures) == 1
        wrong, _ = compiled(given[0], given[1] + 7)
        assert np.isnan(cuda.get(wrong))


@pytest.mark.usefixtures("silent")
def test_capture_launches_nothing_that_a_warm_up_has_not(cuda, monkeypatch):
    launched = []
    is_capturing = cuda.backend.recording

    def differs(xp, x, /, **params):
        launched.append(("when captured" if is_capturing() else "else", cuda.machine.capturing))
        return x + 0

    monkeypatch.setitem(cuda.backend.kernels, "sort", differs)
    f = gx.compile(lambda x: gx.sort(x))
    f.graph(cuda.put(np.ones(2)))
    launched.clear()

    f(cuda.put(np.ones(2)))

    assert launched[0] == ("else", False)
    assert launched[1:] == [("when captured", False), ("when captured", True)]


def written(x, places):
    out = x * 1.0
    out[places] = x[:3] * 2
    return out


AT_PLACES = {
    "written": written,
    "read by two keys": lambda x, places: x[places, places % 3],
    "largest of segments": lambda x, places: gx.segment_max(x[:3], places, num_segments=4),
}


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("case", AT_PLACES)
def test_places_are_part_of_a_capture_and_one_that_is_none_makes_nan(case, cuda):
    f = lambda x, places: gx.sum(gx.tanh(AT_PLACES[case](x, places)))
    compiled = gx.compile(gx.value_and_grad(f))
    x, places = drawn(4, 3), np.asarray([2, 0, 2])

    for given in (places, np.asarray([-1, 3, 1]), np.asarray([0, 4, 1]), np.asarray([0, -5, 1])):
        value, gradient = compiled(cuda.put(x), cuda.put(given))
        if np.max(np.abs(given + 0.5)) > 4:
            assert np.isnan(cuda.get(value))
            with pytest.raises(IndexError, match="out of bounds"):
                gx.value_and_grad(f)(cuda.put(x), cuda.put(given))
        else:
            expected = gx.value_and_grad(f)(x.astype(float), given)
            assert_close(cuda.get(value), np.asarray(expected[0]), "float32")
            assert_close(cuda.get(gradient), expected[1])

    assert len(program_of(compiled)._captures) == 1


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


@pytest.mark.usefixtures("silent")
def test_convolution_and_its_derivatives_are_captured(cuda):
    both = gx.grad(lambda x, w: gx.sum(gx.conv(x, w, padding=1, stride=2) ** 2), argnums=(0, 1))
    x, w = drawn(2, 3, 5, 4), drawn(4, 3, 3, 3)

    found = gx.compile(both)(cuda.put(x), cuda.put(w))

    expected = both(x.astype(float), w.astype(float))
    for one, other in zip(found, expected, strict=True):
        assert_close(cuda.get(one), other)
