"""What memory a compiled training step takes: none anew once it runs, and no more than eager."""

import gc
import tracemalloc

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.backends import scratch
from gradx.graph.executors import numpy as numpy_executor

# Bytes of arrays with a number for each sample, and of NumPy's own buffers, of 8192 elements: what
# lies in planned or lent memory instead takes 100,000 or more, but for the few numbers of classes.
SMALL = 40_000
# Of the steps of a sequence there are hundreds of views, which have 100 bytes each beside that.
SMALL_OF_STEPS = 60_000
OF_NUMPY = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)


@pytest.fixture(params=["machine code", "NumPy alone"])
def way(request, monkeypatch):
    if request.param == "NumPy alone":
        monkeypatch.setattr(numpy_executor, "group_compiler", lambda: None)
    return request.param


def perceptron():
    keys = gx.random.split(gx.random.key(0), 3)
    model = nn.Sequential(
        nn.Linear(784, 256, key=keys[0]), nn.relu, nn.Linear(256, 10, key=keys[1])
    )
    return model, gx.random.normal(keys[2], (128, 784), dtype="float32")


def convolutional():
    keys = gx.random.split(gx.random.key(0), 4)
    model = nn.Sequential(
        nn.Conv(1, 16, (5, 5), key=keys[0]),
        nn.relu,
        lambda x: gx.max_pool(x, 2),
        nn.Conv(16, 32, (5, 5), key=keys[1]),
        nn.relu,
        lambda x: gx.reshape(gx.max_pool(x, 2), (len(x), -1)),
        nn.Linear(32 * 4 * 4, 10, key=keys[2]),
    )
    return model, gx.random.normal(keys[3], (64, 1, 28, 28), dtype="float32")


def recurrent():
    keys = gx.random.split(gx.random.key(0), 3)
    model = nn.Sequential(
        nn.LSTM(64, 64, key=keys[0]), lambda x: x[:, -1], nn.Linear(64, 10, key=keys[1])
    )
    return model, gx.random.normal(keys[2], (32, 32, 64), dtype="float32")


NETWORKS = {"perceptron": perceptron, "convolutional": convolutional, "recurrent": recurrent}
every_network = pytest.mark.parametrize("network", NETWORKS)


class Training:
    """A step of training and what it goes on with."""

    def __init__(self, network, **options):
        model, x = NETWORKS[network]()
        y = np.arange(len(x)) % 10
        optimizer = optim.adam(0.001)

        def loss_of(model, x, y):
            return nn.cross_entropy(model(x), y)

        def step(model, state, x, y):
            loss, grads = gx.value_and_grad(loss_of)(model, x, y)
            updates, state = optimizer.update(grads, state, model)
            return optim.apply_updates(model, updates), state, loss

        self.step = gx.compile(step, **options) if options else step
        self.data = x, y
        self.now = model, optimizer.init(model)

    def run(self, steps):
        for _ in range(steps):
            *now, self.loss = self.step(*self.now, *self.data)
            self.now = now


def bytes_of_arrays():
    found = tracemalloc.take_snapshot().filter_traces([OF_NUMPY])
    return sum(trace.size for trace in found.traces)


def peak_of_a_step(training):
    """Return the most bytes that arrays take in a step, parameters and planned memory included."""
    scratch._idle.clear()  # so that each counts what it is lent
    training.run(3)
    gc.collect()
    tracemalloc.reset_peak()
    start, _ = tracemalloc.get_traced_memory()
    training.run(1)
    _, peak = tracemalloc.get_traced_memory()
    return bytes_of_arrays() + peak - start


@every_network
def test_a_steady_donating_step_allocates_no_memory_for_arrays(network, way):
    training = Training(network, donate=("model", "state"))
    training.run(5)
    tracemalloc.start()
    training.run(5)
    tracemalloc.reset_peak()
    start, _ = tracemalloc.get_traced_memory()

    training.run(1)
    _, peak = tracemalloc.get_traced_memory()
    kept = bytes_of_arrays()
    training.run(5)
    kept_later = bytes_of_arrays()
    tracemalloc.stop()

    assert peak - start < (SMALL_OF_STEPS if network == "recurrent" else SMALL)
    assert kept_later - kept < 512  # the loss of the last step


@every_network
@pytest.mark.parametrize("donate", [(), ("model", "state")])
def test_a_compiled_step_takes_no_more_memory_than_an_eager_one(network, donate, way):
    tracemalloc.start()
    eager = peak_of_a_step(Training(network))
    tracemalloc.stop()
    tracemalloc.start()
    compiled = peak_of_a_step(Training(network, donate=donate, static=()))
    tracemalloc.stop()

    assert compiled <= eager
