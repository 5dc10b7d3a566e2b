"""One training step of a CNN on 28 x 28: batch 64, cross entropy, SGD, float32.

Two convolutions of 5 x 5, to 16 and 32 channels, each with relu and a max pool of pairs, then a
matrix to 10 classes: the network of `_convolution.py`, here compiled too.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from _convolution import RATE, Works, network, repeating, torch_step, waiting

WORK = "CNN step"


def _loss(gx: Any) -> Any:
    def loss(params, x, y):
        first, second, matrix = params
        hidden = gx.max_pool(gx.nn.relu(gx.conv(x, first)), 2)
        hidden = gx.max_pool(gx.nn.relu(gx.conv(hidden, second)), 2)
        return gx.nn.cross_entropy(gx.reshape(hidden, (len(x), 512)) @ matrix, y)

    return loss


def _step() -> tuple[Any, list[Any]]:
    """Return gradx's step, with its ops, loss and optimizer, and what to call it with."""
    gx, optim = import_module("gradx"), import_module("gradx.optim")
    x, y, params = network()
    loss_and_grads = gx.value_and_grad(_loss(gx))
    optimizer = optim.sgd(RATE)
    state = optimizer.init(params)

    def whole(params, state, x, y):
        value, grads = loss_and_grads(params, x, y)
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state, value

    return whole, [params, state, x, y]


def gradx_step(compiled: bool, device: str = "cpu") -> Callable[[], Any]:
    """Return a call that trains once and returns the loss."""
    gx = import_module("gradx")
    whole, arguments = _step()
    params, state, x, y = gx.to_device(arguments, device)
    if compiled:
        whole = gx.compile(whole, donate=("params", "state"))

    def step():
        nonlocal params, state
        params, state, value = whole(params, state, x, y)
        return value

    return step


def gradx() -> Works:
    """gradx, uncompiled."""
    return {WORK: repeating(gradx_step(compiled=False))}


def gradx_compiled() -> Works:
    """gradx, the whole step compiled."""
    return {WORK: repeating(gradx_step(compiled=True))}


def profiles() -> dict[str, Any]:
    """Return where the time of the compiled step goes."""
    whole, arguments = _step()
    return {WORK: import_module("gradx").profile(whole, *arguments)}


def torch() -> Works:
    """PyTorch, eager."""
    return {WORK: repeating(torch_step())}


def jax_step() -> Callable[[], Any]:
    """Return a call that trains once and returns the loss, which is not waited for."""
    jax = import_module("jax")
    np, lax = jax.numpy, jax.lax
    x, y, params = network()
    x, y, params = np.asarray(x), np.asarray(y), [np.asarray(p) for p in params]

    def pooled(x):
        return lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss(params, x, y):
        first, second, matrix = params
        hidden = pooled(jax.nn.relu(lax.conv(x, first, (1, 1), "VALID")))
        hidden = pooled(jax.nn.relu(lax.conv(hidden, second, (1, 1), "VALID")))
        scores = jax.nn.log_softmax(hidden.reshape(len(x), 512) @ matrix)
        return -np.mean(scores[np.arange(len(x)), y])

    @jax.jit
    def whole(params, x, y):
        value, grads = jax.value_and_grad(loss)(params, x, y)
        return value, [p - RATE * g for p, g in zip(params, grads, strict=True)]

    def step():
        nonlocal params
        value, params = whole(params, x, y)
        return value

    return step


def jax() -> Works:
    """JAX, the whole step compiled."""
    return {WORK: repeating(waiting(jax_step()))}


SYSTEMS = {"gradx": gradx, "gradx compiled": gradx_compiled, "torch": torch, "jax jit": jax}
