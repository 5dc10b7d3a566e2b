"""A compiled training step is the eager step: the same numbers, and no memory that grows."""

import gc
import io
import tracemalloc

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.core import tree

pytestmark = pytest.mark.usefixtures("eager_bits")

SCHEDULES = {
    "constant": 0.05,
    "step": optim.schedules.step(0.05, every=10),
    "cosine": optim.schedules.cosine(0.05, steps=60),
    "warmup": optim.schedules.warmup(10, then=optim.schedules.exponential(0.05, 0.99)),
}
OPTIMIZERS = {
    "sgd": lambda rate: optim.sgd(rate, momentum=0.9, nesterov=True),
    "adam": optim.adam,
    "adamw": optim.adamw,
    "nadam": optim.nadam,
    "radam": optim.radam,
    "rmsprop": lambda rate: optim.rmsprop(rate, momentum=0.5),
    "adagrad": optim.adagrad,
    "adadelta": optim.adadelta,
    "clipped": lambda rate: optim.chain(optim.clip_by_global_norm(0.1), optim.sgd(rate)),
}


def problem():
    keys = gx.random.split(gx.random.key(0), 4)
    x = gx.random.normal(keys[0], (70, 6), dtype="float32")
    y = gx.random.integers(keys[1], 0, 3, (70,))
    model = nn.Sequential(
        nn.Linear(6, 16, key=keys[2]), nn.relu, nn.Dropout(0.2), nn.Linear(16, 3, key=keys[3])
    )
    return model, x, y


def step_with(optimizer):
    def loss_of(model, x, y, key):
        return nn.cross_entropy(model(x, key=key, train=True), y)

    def step(model, state, x, y, key):
        loss, grads = gx.value_and_grad(loss_of)(model, x, y, key)
        updates, state = optimizer.update(grads, state, model)
        return optim.apply_updates(model, updates), state, loss

    return step


def train(step, optimizer, steps, size=32):
    model, x, y = problem()
    state = optimizer.init(model)
    losses = []
    for number in range(steps):
        start = (number * size) % 96
        rows = slice(start, start + size)  # 32, 32, and the last 6
        key = gx.random.fold_in(gx.random.key(1), number)
        model, state, loss = step(model, state, x[rows], y[rows], key)
        losses.append(loss)
    return model, state, losses


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_hundred_compiled_steps_are_a_hundred_eager_steps(schedule):
    optimizer = optim.sgd(SCHEDULES[schedule], momentum=0.9)
    step = step_with(optimizer)
    compiled = gx.compile(step)

    actual = train(compiled, optimizer, 100)

    for a, e in zip(tree.leaves(actual), tree.leaves(train(step, optimizer, 100)), strict=True):
        np.testing.assert_array_equal(a, e)
    assert len(compiled.programs) == 2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_the_same_compiled(name):
    optimizer = OPTIMIZERS[name](0.05)
    step = step_with(optimizer)

    actual = train(gx.compile(step), optimizer, 12)

    for a, e in zip(tree.leaves(actual), tree.leaves(train(step, optimizer, 12)), strict=True):
        np.testing.assert_array_equal(a, e)


def test_memory_does_not_grow_over_a_thousand_steps():
    optimizer = optim.adam(0.01)
    compiled = gx.compile(step_with(optimizer))
    model, x, y = problem()
    state, key = optimizer.init(model), gx.random.key(0)

    tracemalloc.start()
    taken = []
    for _ in range(2):  # Python itself keeps a few hundred small objects after the first
        for _ in range(1000):
            model, state, _ = compiled(model, state, x[:32], y[:32], key)
        gc.collect()
        taken.append(tracemalloc.take_snapshot())
    tracemalloc.stop()

    before, after = taken
    grown = sum(difference.size_diff for difference in after.compare_to(before, "filename"))
    # One array kept from each step would be 112 KB; the tools' own and Python's vary by 20.
    assert grown < 64 * 1024


def test_donating_steps_are_the_same_and_need_no_new_memory():
    keys = gx.random.split(gx.random.key(0), 3)
    model = nn.Sequential(
        nn.Linear(200, 500, key=keys[0]), nn.relu, nn.Linear(500, 300, key=keys[1])
    )
    x = gx.random.normal(keys[2], (16, 200), dtype="float32")
    y = np.arange(16)
    optimizer = optim.adam(0.01)

    def step(model, state):
        loss, grads = gx.value_and_grad(lambda model: nn.cross_entropy(model(x), y))(model)
        updates, state = optimizer.update(grads, state, model)
        return optim.apply_updates(model, updates), state, loss

    kept = (model, optimizer.init(model))
    ours = tree.map(np.copy, kept)
    keeping, compiled = gx.compile(step), gx.compile(step, donate=("model", "state"))
    for _ in range(3):
        *kept, _ = keeping(*kept)
        *ours, _ = compiled(*ours)

    tracemalloc.start()
    for _ in range(5):
        *ours, _ = compiled(*ours)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    for _ in range(5):
        *kept, _ = keeping(*kept)
    for a, e in zip(tree.leaves(ours), tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(a, e)
    assert peak < 200_000  # the largest parameter takes 600,000 bytes


def test_a_compiled_pool_is_one_op_forward_and_one_back():
    first, second = gx.random.normal(gx.random.key(0), (2, 4, 4, 3, 3))
    x = gx.random.normal(gx.random.key(1), (2, 4, 14, 14))

    def loss(first, second):
        hidden = gx.max_pool(nn.relu(gx.conv(x, first)), 2)
        hidden = gx.max_pool(nn.relu(gx.conv(hidden, second)), 2)
        return nn.cross_entropy(gx.reshape(hidden, (2, 16)), np.asarray([1, 2]))

    graph = gx.capture(gx.grad(loss, argnums=(0, 1)))(first, second)

    ops = [equation.op.name for equation in graph.equations]
    assert (ops.count("maximum_of_windows"), ops.count("spread_to_maxima")) == (2, 2)
    assert "not_equal" not in ops  # nothing asks which zeros are dead


def test_evaluations_are_compiled_to_the_same_numbers():
    model, x, y = problem()
    calls = io.StringIO()  # where no guard looks

    def loss(model, inputs, targets, *, key, train):
        if not train:
            calls.write(".")
        predictions = model(inputs, key=key, train=train)
        return nn.cross_entropy(predictions, targets), predictions

    def history(compile):
        return gx.train.fit(
            model,
            loss,
            optim.adam(0.01),
            (x, y),
            epochs=7,
            key=gx.random.key(2),
            validation=0.3,
            metrics=[gx.train.accuracy],
            compile=compile,
            progress=None,
        ).history

    compiled, counted = history(True), len(calls.getvalue())
    eager = history(False)

    assert counted == 1
    for name in ("validation_loss", "validation_accuracy"):
        assert compiled[name] == eager[name]
