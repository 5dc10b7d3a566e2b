"""Whole compiled programs with machine code in them: eager's numbers, within rounding."""

import os
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.backends import scratch
from gradx.core import tree
from gradx.graph.capture import capture
from gradx.graph.equations import Group
from gradx.graph.native.grouping import grouped
from gradx.graph.native.launch import reason
from tests.native.test_groups import OWN, group
from tests.programs import make_program
from tests.programs import run as run_program
from tests.test_compile_training import OPTIMIZERS, problem, step_with, train
from tests.test_ops import drawing


def assert_near(actual, expected, rtol):
    actual, expected = tree.leaves(actual), tree.leaves(expected)
    for a, e in zip(actual, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(e), initial=0)))
        assert np.asarray(a).dtype == np.asarray(e).dtype
        np.testing.assert_allclose(a, e, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_the_same_in_machine_code(name):
    optimizer = OPTIMIZERS[name](0.01)
    step = step_with(optimizer)

    actual = train(gx.compile(step), optimizer, 8)

    assert_near(actual, train(step, optimizer, 8), rtol=2e-4)


def test_a_training_step_is_few_loops():
    optimizer = optim.adam(0.01)
    model, x, y = problem()
    step = gx.compile(step_with(optimizer))
    graph = step.graph(model, optimizer.init(model), x, y, gx.random.key(0))

    loops = grouped(graph)

    groups = [e.op.graph for e in loops.equations if type(e.op) is Group]
    inside = sum(len(g.equations) for g in groups)
    assert len(groups) <= 9
    assert inside >= 0.6 * len(graph.equations)
    assert not any(map(reason, groups))


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_and_gradients_are_the_same_in_machine_code(seed):
    steps, inputs, hard = make_program(np.random.default_rng([11, seed]))
    if hard:
        pytest.skip("at a tie or a pole the last bit decides")
    everything = tuple(range(len(inputs)))
    f = gx.value_and_grad(lambda *xs: run_program(steps, xs), everything)

    with np.errstate(all="ignore"):
        expected = f(*inputs)
        try:
            actual = gx.compile(f)(*inputs)
        except gx.CaptureError as error:
            if "the shape of its result depends on numbers" not in str(error):
                raise
            pytest.skip("a shape depends on numbers")

    assert_near(actual, expected, rtol=45000 * np.finfo(inputs[0].dtype).eps)


def test_groups_are_in_an_order_in_which_they_can_run():
    x = np.linspace(0.5, 2, 12).reshape(3, 4)

    def f(x):
        a = gx.exp(x) * 2
        b = gx.sort(a, axis=0) + 1  # needs a, and c needs both
        c = a * b
        total = gx.sum(c)
        return c / total, gx.broadcast_to(total, (3, 4)) * a

    compiled = gx.compile(f)

    assert_near(compiled(x), f(x), rtol=1e-13)


def test_a_view_that_is_returned_and_read_in_a_loop_is_both():
    x = np.linspace(0.5, 2, 6)

    def f(x):
        y = gx.exp(x) + 1
        row = gx.reshape(y, (1, 6))
        return row, row * 2 + 1, gx.sort(gx.reshape(y, (1, 6)))

    assert_near(gx.compile(f)(x), f(x), rtol=1e-13)


SCRIPT = """
import sys
if {blocked}:
    sys.modules["llvmlite"] = None
    import importlib.util
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name == "llvmlite" else find(name, *rest)
import numpy as np, gradx as gx
f = gx.compile(lambda x: gx.sum(gx.exp(x) * 2 + 1))
x = np.linspace(0, 1, 100_000)
assert abs(float(f(x)) - float(np.sum(np.exp(x) * 2 + 1))) < 1e-6
print("llvmlite.binding" in sys.modules)
"""


@pytest.mark.parametrize(
    ("blocked", "setting", "native"),
    [(True, "1", False), (False, "0", False), (False, "1", True)],
)
def test_machine_code_is_used_where_llvm_is_installed_and_not_forbidden(blocked, setting, native):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(blocked=blocked)],
        env={**os.environ, "GRADX_NATIVE": setting},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(native)


def test_every_op_that_a_loop_may_have_is_an_elementwise_op_or_known():
    names = {op.name for op in OWN}
    x = drawing(0)(3, 4)

    assert {"tanh", "where", "sum", "broadcast_to"} <= names
    assert reason(group(lambda x: gx.tanh(x) + 1, x)) == ""


EXPANDED = {
    "softmax": lambda x: gx.nn.softmax(x * 2, axis=-1) + 1,
    "softmax of several": lambda x: gx.nn.softmax(x * 2, axis=(1, 2)) + 1,
    "log_softmax": lambda x: gx.nn.log_softmax(x * 2, axis=-1) + 1,
    "var": lambda x: gx.var(x * 2, axis=(1, 2), correction=1) + 1,
    "var kept": lambda x: (x - 1) / gx.var(x * 2, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", EXPANDED)
def test_ops_over_the_last_axes_join_a_loop(name):
    x = drawing(seed=0)(4, 3, 50) * 9
    loops = grouped(group(EXPANDED[name], x))

    actual = gx.compile(EXPANDED[name])(x)

    assert [type(e.op) for e in loops.equations] == [Group]
    assert reason(loops.equations[0].op.graph) == ""
    assert_near(actual, EXPANDED[name](x), rtol=1e-13)


def cross_entropy(x, labels):
    return gx.value_and_grad(lambda x: gx.nn.cross_entropy(x * 2, labels))(x)


@pytest.mark.parametrize("labels", [np.asarray([4, 0, 2]), np.asarray([[4, 1], [0, 0], [3, 2]])])
def test_a_loss_of_labels_and_its_gradient_are_one_loop(labels):
    x = drawing(seed=0)(*labels.shape, 5) * 9
    compiled = gx.compile(cross_entropy)
    graph, _ = compiled.prepared(x, labels)
    names = [e.op.name for e in grouped(graph).equations]

    actual = compiled(x, labels)

    assert names == ["checked_labels", "group", "divide"]
    assert_near(actual, cross_entropy(x, labels), rtol=1e-13)


@pytest.mark.parametrize("wrong", [5, -1])
def test_a_compiled_loss_names_a_label_that_is_no_class(wrong):
    x, labels = drawing(seed=0)(3, 5), np.asarray([4, 0, 2])
    compiled = gx.compile(cross_entropy)
    compiled(x, labels)

    with pytest.raises(IndexError, match=f"softmax_cross_entropy: label {wrong}, expected 0 to 4"):
        compiled(x, np.asarray([4, wrong, 2]))


def test_a_variance_of_too_few_is_what_it_is_eagerly():
    x = drawing(seed=0)(4, 3)
    f = lambda x: gx.var(x * 2, axis=-1, correction=3) + 1

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(gx.compile(f)(x), f(x))


@pytest.mark.parametrize("axis", [0, 1, (0, 2)])
def test_ops_over_other_axes_stay_what_they_are(axis):
    x = drawing(seed=0)(4, 3, 50)
    f = lambda x: gx.nn.softmax(x * 2, axis=axis) + 1

    assert_near(gx.compile(f)(x), f(x), rtol=1e-13)


def test_a_reshape_that_keeps_the_last_axis_does_not_end_a_loop():
    draws = np.random.default_rng(0)
    x, bias, rest = (draws.normal(size=n).astype("float32") for n in ((64, 32), 32, (16, 4, 32)))

    def f(x, bias, rest):
        return gx.sum(gx.nn.gelu(gx.reshape(x + bias, (16, 4, 32))) * rest, axis=(0, 1))

    graph = grouped(capture(f)(x, bias, rest))

    assert [type(e.op) for e in graph.equations] == [Group]
    np.testing.assert_allclose(gx.compile(f)(x, bias, rest), f(x, bias, rest), rtol=1e-5)


def test_a_reshape_that_mixes_axes_ends_a_loop():
    x, y = np.random.default_rng(0).normal(size=(2, 24, 32))

    def f(x, y):
        return gx.tanh(gx.reshape(x + 1, (32, 24)) * y[0, :24] + 1)

    np.testing.assert_allclose(gx.compile(f)(x, y), f(x, y), rtol=1e-14)


def test_slow_ops_and_broadcast_ones_are_loops_alone():
    x, row = np.random.default_rng(0).normal(size=(64, 128)), np.ones(128)

    for f in (lambda x, row: gx.nn.gelu(x), lambda x, row: x + row):
        (equation,) = grouped(capture(f)(x, row)).equations
        assert type(equation.op) is Group
    for f in (lambda x, row: gx.exp(x), lambda x, row: gx.nn.gelu(row)):
        (equation,) = grouped(capture(f)(x, row)).equations
        assert type(equation.op) is not Group


def mlp(keys):
    return nn.Sequential(
        nn.Linear(784, 128, key=keys[0]), nn.relu, nn.Linear(128, 10, key=keys[1])
    ), (64, 784)


def cnn(keys):
    return nn.Sequential(
        nn.Conv(1, 16, 5, key=keys[0]),
        nn.relu,
        nn.MaxPool(2),
        nn.Conv(16, 32, 5, key=keys[1]),
        nn.relu,
        nn.MaxPool(2),
        nn.Flatten(),
        nn.Linear(512, 10, key=keys[2]),
    ), (64, 1, 28, 28)


def peak_of(step, model, state):
    """Return the most memory that steps allocate beyond what they are given."""
    scratch._idle.clear()  # so that each counts what it is lent
    tracemalloc.start()
    try:
        for number in range(4):
            if number == 2:  # captured, and buffers are there
                tracemalloc.reset_peak()
            model, state = step(model, state)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("network", [mlp, cnn])
def test_compiled_steps_take_no_more_memory_than_eager_ones(network):
    model, shape = network(gx.random.split(gx.random.key(0), 3))
    x = gx.random.normal(gx.random.key(1), shape, dtype="float32")
    y = np.arange(shape[0]) % 10
    optimizer = optim.adam(0.01)

    def step(model, state):
        grads = gx.grad(lambda model: nn.cross_entropy(model(x), y))(model)
        updates, state = optimizer.update(grads, state, model)
        return optim.apply_updates(model, updates), state

    start = lambda: (tree.map(np.copy, model), optimizer.init(model))
    compiled = gx.compile(step, donate=("model", "state"))

    assert peak_of(compiled, *start()) <= peak_of(step, *start())
