"""A program with types, as a user writes it: mypy, as strict as can be, takes it as it is.

It is checked with the package; each ``assert_type`` says what an editor shows of a name.
"""

from typing import Any, assert_type

import numpy as np

import gradx as gx
from gradx import nn, optim, train

Array = np.ndarray[Any, np.dtype[Any]]
KEY = gx.random.key(0)


def loss(weights: Array, inputs: Array, *, scale: float = 1.0) -> Any:
    return gx.sum(gx.tanh(inputs @ weights) ** 2) * scale


class Net(nn.Module):
    first: nn.Linear
    second: nn.Linear
    slope: float = nn.static(default=0.5)

    def __call__(self, x: Any) -> Any:
        return self.second(nn.relu(self.first(x)))


@gx.compile
def step(weights: Array, rate: float) -> tuple[Array, float]:
    value, gradient = gx.value_and_grad(loss)(weights, INPUTS, scale=2.0)
    return weights - rate * gradient, value


@gx.compile(static="rows")
def folded(x: Array, rows: int) -> Array:
    result: Array = gx.reshape(x, (rows, -1))
    return result


WEIGHTS, INPUTS = np.ones(3), np.ones((4, 3))
after, value = step(WEIGHTS, 0.1)
assert_type(after, Array)
assert_type(value, float)
assert_type(folded(WEIGHTS, 3), Array)

x, y, z = gx.tensor(-2.0), gx.tensor(5.0), gx.tensor(-4.0)
f = (x + y) * z
assert_type(f, gx.Tensor)
assert_type(2.0 * -f[()] / (1 - f**2), gx.Tensor)
assert_type(f.sum().reshape(1, 1).mT, gx.Tensor)
assert_type(f.shape, tuple[int, ...])
assert_type(float(f.detach()), float)
f.backward()
assert float(x.grad) == -4.0

first, second = gx.random.split(KEY)
net = Net(nn.Linear(3, 4, key=first), nn.Linear(4, 1, key=second))
assert_type(net.replace(slope=0.1), Net)
result = train.fit(
    net, nn.mse, optim.adam(1e-3), (INPUTS, INPUTS[:, :1]), epochs=1, key=KEY, progress=None
)
assert_type(result.model, Net)
assert_type(result.history["loss"], list[float])
gx.save("net.safetensors", result.model)
assert_type(gx.load("net.safetensors", like=net), Net)
assert_type(gx.checkpoint(step)(WEIGHTS, 0.1), tuple[Array, float])
