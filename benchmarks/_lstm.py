"""Value and gradient of an LSTM cell over 64 steps: batch 32, 128 inputs, 128 hidden, float32.

The gates are cut from one product, in PyTorch's order: input, forget, cell, output.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from _convolution import waiting

STEPS, BATCH, WIDTH = 64, 32, 128
WORK = "LSTM 64 steps"
Works = dict[str, Callable[[int], Any]]


def data() -> tuple[Any, Any, Any, Any]:
    """Return the sequence, the two weights and the bias, the same in every process."""
    np = import_module("numpy")
    draws = np.random.default_rng(0)
    shapes = [(STEPS, BATCH, WIDTH), (WIDTH, 4 * WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH,)]
    scales = [1.0, WIDTH**-0.5, WIDTH**-0.5, 0.1]
    x, w, u, b = [
        (scale * draws.normal(size=shape)).astype(np.float32)
        for shape, scale in zip(shapes, scales, strict=True)
    ]
    return x, w, u, b


def computing(value_and_grads: Callable[[], tuple[Any, Any]]) -> Works:
    """Return the work; what is compared is the value plus an element of a gradient."""

    def run(n):
        for _ in range(n):
            value, (g, *_) = value_and_grads()
        return float(value) + float(g[3, 7])

    return {WORK: run}


def loss_by_hand(xp: Any, sigmoid: Callable[[Any], Any], x: Any, zeros: Any) -> Callable[..., Any]:
    """Return the loss of (w, u, b), written with a namespace that has NumPy's names."""

    def loss(w, u, b):
        hidden, cell = zeros, zeros
        for step in range(STEPS):
            gates = x[step] @ w + hidden @ u + b
            let_in = sigmoid(gates[:, :WIDTH])
            keep = sigmoid(gates[:, WIDTH : 2 * WIDTH])
            candidate = xp.tanh(gates[:, 2 * WIDTH : 3 * WIDTH])
            let_out = sigmoid(gates[:, 3 * WIDTH :])
            cell = keep * cell + let_in * candidate
            hidden = let_out * xp.tanh(cell)
        return xp.sum(hidden * hidden)

    return loss


def _function(device: str = "cpu") -> tuple[Any, list[Any]]:
    """Return gradx's function, and what to call it with."""
    gx = import_module("gradx")
    x, *params = gx.to_device(data(), device)
    loss = loss_by_hand(gx, import_module("gradx.nn").sigmoid, x, x[0] * 0)
    return gx.value_and_grad(loss, argnums=(0, 1, 2)), params


def gradx_step(compiled: bool, device: str = "cpu") -> Callable[[], Any]:
    """Return a call that computes the value and the gradients."""
    f, params = _function(device)
    if compiled:
        f = import_module("gradx").compile(f)
    return lambda: f(*params)


def gradx() -> Works:
    """gradx, uncompiled."""
    return computing(gradx_step(compiled=False))


def gradx_compiled() -> Works:
    """gradx, compiled."""
    return computing(gradx_step(compiled=True))


def profiles() -> dict[str, Any]:
    """Return where the time of the compiled work goes."""
    f, params = _function()
    return {WORK: import_module("gradx").profile(f, *params)}


def torch_step(device: str = "cpu") -> Callable[[], Any]:
    """Return a call that computes the value and the gradients with PyTorch."""
    torch = import_module("torch")
    x, *params = [torch.tensor(array, device=device) for array in data()]
    for p in params:
        p.requires_grad_()
    loss = loss_by_hand(torch, torch.sigmoid, x, x[0] * 0)

    def value_and_grads():
        value = loss(*params)
        return value.detach(), torch.autograd.grad(value, params)

    return value_and_grads


def torch() -> Works:
    """PyTorch, eager."""
    return computing(torch_step())


def torch_fused() -> Works:
    """PyTorch's own LSTM, written in C++."""
    torch = import_module("torch")
    x, w, u, b = map(torch.from_numpy, data())
    lstm = torch.nn.LSTM(WIDTH, WIDTH)
    lstm.weight_ih_l0.data, lstm.weight_hh_l0.data = w.T.contiguous(), u.T.contiguous()
    lstm.bias_ih_l0.data, lstm.bias_hh_l0.data = b, b * 0

    def value_and_grads():
        hidden = lstm(x)[0][-1]
        value = torch.sum(hidden * hidden)
        g, *rest = torch.autograd.grad(value, list(lstm.parameters()))
        return value.detach(), (g.T, *rest)

    return computing(value_and_grads)


def autograd() -> Works:
    """The library autograd."""
    np = import_module("autograd.numpy")
    expit = import_module("autograd.scipy.special").expit
    x, *params = data()
    loss = loss_by_hand(np, expit, x, x[0] * 0)
    f = import_module("autograd.differential_operators").value_and_grad(lambda p: loss(*p))
    return computing(lambda: f(params))


def mygrad() -> Works:
    """MyGrad."""
    mg = import_module("mygrad")
    sigmoid = import_module("mygrad.nnet.activations").sigmoid
    x, *params = data()

    loss = loss_by_hand(mg, sigmoid, x, x[0] * 0)

    def value_and_grads():
        tensors = [mg.tensor(p, copy=False) for p in params]
        value = loss(*tensors)
        value.backward()
        return value.data, [t.grad for t in tensors]

    return computing(value_and_grads)


def jax_step() -> Callable[[], Any]:
    """Return a call of JAX, compiled, with a scan over the steps; it is not waited for."""
    jax = import_module("jax")
    np = jax.numpy
    x, *params = map(np.asarray, data())

    def loss(w, u, b, x):
        def step(carry, x):
            hidden, cell = carry
            let_in, keep, candidate, let_out = np.split(x @ w + hidden @ u + b, 4, axis=1)
            cell = jax.nn.sigmoid(keep) * cell + jax.nn.sigmoid(let_in) * np.tanh(candidate)
            return (jax.nn.sigmoid(let_out) * np.tanh(cell), cell), None

        (hidden, _), _ = jax.lax.scan(step, (x[0] * 0, x[0] * 0), x)
        return np.sum(hidden * hidden)

    f = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))
    return lambda: f(*params, x)


def jax() -> Works:
    """JAX, compiled."""
    return computing(waiting(jax_step()))


SYSTEMS = {
    "gradx": gradx,
    "gradx compiled": gradx_compiled,
    "torch": torch,
    "torch fused": torch_fused,
    "autograd": autograd,
    "mygrad": mygrad,
    "jax jit": jax,
}
