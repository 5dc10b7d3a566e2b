"""Value and gradient of sum(tanh(x y + 0.5) exp(-x x)), 5 million float32 numbers."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

SIZE = 5_000_000
WORK = "elementwise 5M"
Works = dict[str, Callable[[int], Any]]


def data() -> tuple[Any, Any]:
    """Return two arrays, the same in every process."""
    np = import_module("numpy")
    draws = np.random.default_rng(0)
    return tuple(draws.uniform(-1.5, 2.0, SIZE).astype(np.float32) for _ in range(2))


def computing(value_and_grad: Callable[[], tuple[Any, Any]]) -> Works:
    """Return the work; what is compared is the value plus an element of the gradient."""

    def run(n):
        for _ in range(n):
            value, gradient = value_and_grad()
        return float(value) + float(gradient[7])

    return {WORK: run}


def numpy() -> Works:
    """NumPy by hand, in place where that is possible."""
    np = import_module("numpy")
    x, y = data()

    def value_and_grad():
        t = x * y
        t += np.float32(0.5)
        np.tanh(t, out=t)
        e = x * x
        np.negative(e, out=e)
        np.exp(e, out=e)
        value = np.dot(t, e)
        gradient = (1 - t * t) * y - 2 * x * t
        gradient *= e
        return value, gradient

    return computing(value_and_grad)


def gradx() -> Works:
    """gradx, uncompiled."""
    gx = import_module("gradx")
    x, y = data()
    f = gx.value_and_grad(lambda x: gx.sum(gx.tanh(x * y + 0.5) * gx.exp(-x * x)))
    return computing(lambda: f(x))


def _function() -> Any:
    """Return gradx's function of both arrays."""
    gx = import_module("gradx")
    return gx.value_and_grad(lambda x, y: gx.sum(gx.tanh(x * y + 0.5) * gx.exp(-x * x)))


def gradx_compiled() -> Works:
    """gradx, compiled."""
    x, y = data()
    f = import_module("gradx").compile(_function())
    return computing(lambda: f(x, y))


def profiles() -> dict[str, Any]:
    """Return where the time of the compiled work goes."""
    return {WORK: import_module("gradx").profile(_function(), *data())}


def torch(compiled: bool = False) -> Works:
    """PyTorch, eager."""
    torch = import_module("torch")
    x, y = map(torch.from_numpy, data())
    x.requires_grad_()
    f = lambda x, y: torch.sum(torch.tanh(x * y + 0.5) * torch.exp(-x * x))
    if compiled:
        f = torch.compile(f)

    def value_and_grad():
        value = f(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        return value.detach(), gradient

    return computing(value_and_grad)


def torch_compiled() -> Works:
    """PyTorch, compiled."""
    return torch(compiled=True)


def autograd() -> Works:
    """The library autograd."""
    np = import_module("autograd.numpy")
    x, y = data()
    f = import_module("autograd.differential_operators").value_and_grad(
        lambda x: np.sum(np.tanh(x * y + np.float32(0.5)) * np.exp(-x * x))
    )
    return computing(lambda: f(x))


def mygrad() -> Works:
    """MyGrad."""
    mg, np = import_module("mygrad"), import_module("numpy")
    x, y = data()

    def value_and_grad():
        tensor = mg.tensor(x, copy=False)
        value = mg.sum(mg.tanh(tensor * y + np.float32(0.5)) * mg.exp(-tensor * tensor))
        value.backward()
        return value.data, tensor.grad

    return computing(value_and_grad)


def jax() -> Works:
    """JAX, compiled."""
    jax = import_module("jax")
    np = jax.numpy
    x, y = map(np.asarray, data())
    f = jax.jit(jax.value_and_grad(lambda x, y: np.sum(np.tanh(x * y + 0.5) * np.exp(-x * x))))
    return computing(lambda: jax.block_until_ready(f(x, y)))


SYSTEMS = {
    "numpy": numpy,
    "gradx": gradx,
    "gradx compiled": gradx_compiled,
    "torch": torch,
    "torch compiled": torch_compiled,
    "autograd": autograd,
    "mygrad": mygrad,
    "jax jit": jax,
}
