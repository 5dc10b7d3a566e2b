"""Convolutions and pools of images, forward and with all gradients, and a step of a small CNN.

Arrays are float32, kernels 3 x 3 and 5 x 5 with padding that keeps the size. The CNN has
two convolutions of 5 x 5, to 16 and 32 channels, each with relu and a max pool of pairs, and
a matrix: batch 64, 28 x 28, cross entropy, SGD.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

# Name -> samples, channels, height and width, outputs, kernel.
CONVOLUTIONS = {
    "3x3 32-64 28x28": (32, 32, 28, 64, 3),
    "3x3 64-64 14x14": (32, 64, 14, 64, 3),
    "5x5 32-32 28x28": (32, 32, 28, 32, 5),
    "5x5 32-64 14x14": (32, 32, 14, 64, 5),
}
# Name -> samples, channels, height and width, kernel, stride.
POOLS = {"2x2 16 24x24": (64, 16, 24, 2, 2), "3x3 64 28x28": (32, 64, 28, 3, 2)}
STEP = "CNN step"
RATE = 0.01
Run = Callable[[int], Any]
Works = dict[str, Run]


def arrays(*shapes: tuple[int, ...], scale: float = 1.0) -> list[Any]:
    """Draw arrays, the same in every process."""
    np = import_module("numpy")
    draws = np.random.default_rng(0)
    return [(scale * draws.normal(size=shape)).astype(np.float32) for shape in shapes]


def convolution(case: tuple[int, ...]) -> list[Any]:
    """Return an image, a kernel and a cotangent."""
    samples, channels, length, outputs, kernel = case
    return arrays(
        (samples, channels, length, length),
        (outputs, channels, kernel, kernel),
        (samples, outputs, length, length),
    )


def network() -> tuple[Any, Any, list[Any]]:
    """Return images, labels and initial parameters of the CNN."""
    np = import_module("numpy")
    (x,) = arrays((64, 1, 28, 28))
    y = np.random.default_rng(1).integers(0, 10, size=64)
    shapes = [(16, 1, 5, 5), (32, 16, 5, 5), (512, 10)]
    return x, y, arrays(*shapes, scale=0.05)


def repeating(once: Callable[[], Any]) -> Run:
    """Do the work again and again; what is compared is the number that it returns last."""

    def run(n):
        for _ in range(n):
            result = once()
        return float(result)

    return run


def waiting(step: Callable[[], Any]) -> Callable[[], Any]:
    """Let a step of JAX wait for what it returns."""
    jax = import_module("jax")
    return lambda: jax.block_until_ready(step())


def gradx() -> Works:
    """gradx, uncompiled."""
    gx = import_module("gradx")
    works: Works = {}

    def add(name, f, inputs, g):
        def both():
            out, pullback = gx.vjp(f, *inputs)
            return out.ravel()[7] + pullback(g)[-1].ravel()[7]

        works[f"forward {name}"] = repeating(lambda: f(*inputs).ravel()[7])
        works[f"with gradients {name}"] = repeating(both)

    for name, case in CONVOLUTIONS.items():
        x, w, g = convolution(case)
        add(name, lambda x, w, k=case[-1]: gx.conv(x, w, padding=k // 2), (x, w), g)
    for kind, pool in (("max", gx.max_pool), ("avg", gx.avg_pool)):
        for name, (*shape, length, kernel, stride) in POOLS.items():
            (x,) = arrays((*shape, length, length))
            f = lambda x, p=pool, k=kernel, s=stride: p(x, k, stride=s)
            add(f"{kind} {name}", f, (x,), f(x))
    return works | {STEP: repeating(_gradx_step(gx))}


def _gradx_step(gx):
    nn = gx.nn
    x, y, params = network()

    def loss(first, second, matrix):
        hidden = gx.max_pool(nn.relu(gx.conv(x, first)), 2)
        hidden = gx.max_pool(nn.relu(gx.conv(hidden, second)), 2)
        return nn.cross_entropy(gx.reshape(hidden, (64, 512)) @ matrix, y)

    f = gx.value_and_grad(loss, argnums=(0, 1, 2))

    def step():
        value, gradients = f(*params)
        for p, g in zip(params, gradients, strict=True):
            p -= RATE * g
        return value

    return step


def torch() -> Works:
    """PyTorch, eager."""
    torch = import_module("torch")
    functional = torch.nn.functional
    works: Works = {}

    def add(name, f, inputs, g):
        tracked = [array.clone().requires_grad_() for array in inputs]

        def both():
            out = f(*tracked)
            *_, last = torch.autograd.grad(out, tracked, g)
            return out.detach().flatten()[7] + last.flatten()[7]

        works[f"forward {name}"] = repeating(lambda: f(*inputs).flatten()[7])
        works[f"with gradients {name}"] = repeating(both)

    for name, case in CONVOLUTIONS.items():
        x, w, g = map(torch.from_numpy, convolution(case))
        f = lambda x, w, k=case[-1]: functional.conv2d(x, w, padding=k // 2)
        add(name, f, (x, w), g)
    for kind, pool in (("max", functional.max_pool2d), ("avg", functional.avg_pool2d)):
        for name, (*shape, length, kernel, stride) in POOLS.items():
            x = torch.from_numpy(arrays((*shape, length, length))[0])
            f = lambda x, p=pool, k=kernel, s=stride: p(x, k, s)
            add(f"{kind} {name}", f, (x,), f(x))
    return works | {STEP: repeating(torch_step())}


def torch_step(device: str = "cpu") -> Callable[[], Any]:
    """Return a training step of the network, written in PyTorch."""
    torch = import_module("torch")
    functional = torch.nn.functional
    x, y, params = network()
    x, y = torch.tensor(x, device=device), torch.tensor(y, device=device)
    params = [torch.tensor(p, device=device).requires_grad_() for p in params]

    def step():
        first, second, matrix = params
        hidden = functional.max_pool2d(torch.relu(functional.conv2d(x, first)), 2)
        hidden = functional.max_pool2d(torch.relu(functional.conv2d(hidden, second)), 2)
        value = functional.cross_entropy(hidden.reshape(64, 512) @ matrix, y)
        gradients = torch.autograd.grad(value, params)
        with torch.no_grad():
            for p, g in zip(params, gradients, strict=True):
                p -= RATE * g
        return value.detach()

    return step


def jax() -> Works:
    """JAX, compiled: the convolutions only."""
    jax = import_module("jax")
    works: Works = {}
    for name, case in CONVOLUTIONS.items():
        x, w, g = map(jax.numpy.asarray, convolution(case))
        forward = jax.jit(lambda x, w: jax.lax.conv(x, w, (1, 1), "SAME"))

        def both(x, w, g, f=forward):
            out, pullback = jax.vjp(f, x, w)
            return out, pullback(g)

        both = jax.jit(both)

        def once(f=both, inputs=(x, w, g)):
            out, gradients = jax.block_until_ready(f(*inputs))
            return out[0, 0, 0, 7] + gradients[1].reshape(-1)[7]

        works[f"forward {name}"] = repeating(lambda f=forward, x=x, w=w: f(x, w)[0, 0, 0, 7])
        works[f"with gradients {name}"] = repeating(once)
    return works


SYSTEMS = {"gradx": gradx, "torch": torch, "jax jit": jax}
