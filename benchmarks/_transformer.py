"""One training step of a transformer block: 64 samples of 16 steps, 128 features, 4 heads.

Causal attention with the norms first and 512 hidden features with gelu, the mean square of what
comes out as the loss, SGD, float32. All systems begin with the same numbers.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from _convolution import Works, repeating, waiting

SAMPLES, STEPS, WIDTH, HEADS = 64, 16, 128, 4
PART = WIDTH // HEADS
RATE, EPS = 0.01, 1e-5
MATRICES = ("queries", "keys", "values", "out", "widen", "narrow")
NORMS = ("first_norm", "second_norm")
WORK = "transformer step"
Params = dict[str, Any]


def data() -> tuple[Any, Params]:
    """Return sequences, and weights and biases by name, the same in every process."""
    np = import_module("numpy")
    draws = np.random.default_rng(0)
    x = draws.normal(size=(SAMPLES, STEPS, WIDTH)).astype(np.float32)
    shapes = dict.fromkeys(MATRICES, (WIDTH, WIDTH))
    shapes |= {"widen": (WIDTH, 4 * WIDTH), "narrow": (4 * WIDTH, WIDTH)}
    params: Params = {}
    for name, (n, m) in shapes.items():
        params[f"{name} weight"] = (draws.normal(size=(n, m)) / n**0.5).astype(np.float32)
        params[f"{name} bias"] = np.zeros(m, np.float32)
    for name in NORMS:
        params[f"{name} weight"] = np.ones(WIDTH, np.float32)
        params[f"{name} bias"] = np.zeros(WIDTH, np.float32)
    return x, params


def _step() -> tuple[Any, list[Any]]:
    """Return gradx's step, with its block and optimizer, and what to call it with."""
    gx, optim = import_module("gradx"), import_module("gradx.optim")
    x, given = data()
    block = import_module("gradx.nn").TransformerBlock(
        WIDTH, HEADS, key=gx.random.key(0), causal=True, eps=EPS
    )
    block = _with(block, given, (*MATRICES[4:], *NORMS))
    block = block.replace(attention=_with(block.attention, given, MATRICES[:4]))
    loss_and_grads = gx.value_and_grad(lambda block, x: gx.mean(block(x) ** 2))
    optimizer = optim.sgd(RATE)
    state = optimizer.init(block)

    def whole(block, state, x):
        value, grads = loss_and_grads(block, x)
        updates, state = optimizer.update(grads, state, block)
        return optim.apply_updates(block, updates), state, value

    return whole, [block, state, x]


def gradx_step(compiled: bool, device: str = "cpu") -> Callable[[], Any]:
    """Return a call that trains once and returns the loss."""
    gx = import_module("gradx")
    whole, arguments = _step()
    block, state, x = gx.to_device(arguments, device)
    if compiled:
        whole = gx.compile(whole, donate=("block", "state"))

    def step():
        nonlocal block, state
        block, state, value = whole(block, state, x)
        return value

    return step


def gradx() -> Works:
    """gradx, uncompiled."""
    return {WORK: repeating(gradx_step(compiled=False))}


def _with(module: Any, given: Params, names: tuple[str, ...]) -> Any:
    """Return a module whose layers have the given weights and biases."""
    layers = {
        name: getattr(module, name).replace(
            weight=given[f"{name} weight"], bias=given[f"{name} bias"]
        )
        for name in names
    }
    return module.replace(**layers)


def gradx_compiled() -> Works:
    """gradx, the whole step compiled."""
    return {WORK: repeating(gradx_step(compiled=True))}


def profiles() -> dict[str, Any]:
    """Return where the time of the compiled step goes."""
    whole, arguments = _step()
    return {WORK: import_module("gradx").profile(whole, *arguments)}


def torch_step(compiled: bool = False, device: str = "cpu") -> Callable[[], Any]:
    """Return a call that trains once, with PyTorch's own fused attention and norms."""
    torch = import_module("torch")
    functional = torch.nn.functional
    x, params = data()
    x = torch.tensor(x, device=device)
    params = {name: torch.tensor(p, device=device).requires_grad_() for name, p in params.items()}

    def linear(name, x):
        return x @ params[f"{name} weight"] + params[f"{name} bias"]

    def normed(name, x):
        return functional.layer_norm(
            x, (WIDTH,), params[f"{name} weight"], params[f"{name} bias"], EPS
        )

    def loss(x):
        hidden = normed("first_norm", x)
        parts = [
            linear(name, hidden).reshape(SAMPLES, STEPS, HEADS, PART).transpose(1, 2)
            for name in MATRICES[:3]
        ]
        seen = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + linear("out", seen.transpose(1, 2).reshape(SAMPLES, STEPS, WIDTH))
        x = x + linear("narrow", functional.gelu(linear("widen", normed("second_norm", x))))
        return (x * x).mean()

    if compiled:
        loss = torch.compile(loss)

    def step():
        value = loss(x)
        gradients = torch.autograd.grad(value, list(params.values()))
        with torch.no_grad():
            for p, g in zip(params.values(), gradients, strict=True):
                p -= RATE * g
        return value.detach()

    return step


def torch() -> Works:
    """PyTorch, eager."""
    return {WORK: repeating(torch_step())}


def torch_compiled() -> Works:
    """PyTorch, loss and gradient compiled."""
    return {WORK: repeating(torch_step(compiled=True))}


def jax_step() -> Callable[[], Any]:
    """Return a call that trains once and returns the loss, which is not waited for."""
    jax = import_module("jax")
    np = jax.numpy
    x, params = data()
    x, params = np.asarray(x), {name: np.asarray(p) for name, p in params.items()}
    mask = np.tril(np.ones((STEPS, STEPS), bool))

    def loss(params, x):
        def linear(name, x):
            return x @ params[f"{name} weight"] + params[f"{name} bias"]

        def normed(name, x):
            away = x - x.mean(-1, keepdims=True)
            away = away / np.sqrt((away * away).mean(-1, keepdims=True) + EPS)
            return away * params[f"{name} weight"] + params[f"{name} bias"]

        hidden = normed("first_norm", x)
        q, k, v = (
            linear(name, hidden).reshape(SAMPLES, STEPS, HEADS, PART).swapaxes(1, 2)
            for name in MATRICES[:3]
        )
        weights = jax.nn.softmax(np.where(mask, q @ k.swapaxes(2, 3) * PART**-0.5, -1e30))
        x = x + linear("out", (weights @ v).swapaxes(1, 2).reshape(SAMPLES, STEPS, WIDTH))
        hidden = jax.nn.gelu(linear("widen", normed("second_norm", x)), approximate=False)
        x = x + linear("narrow", hidden)
        return np.mean(x * x)

    @jax.jit
    def whole(params, x):
        value, grads = jax.value_and_grad(loss)(params, x)
        return value, {name: p - RATE * grads[name] for name, p in params.items()}

    def step():
        nonlocal params
        value, params = whole(params, x)
        return value

    return step


def jax() -> Works:
    """JAX, the whole step compiled."""
    return {WORK: repeating(waiting(jax_step()))}


SYSTEMS = {
    "gradx": gradx,
    "gradx compiled": gradx_compiled,
    "torch": torch,
    "torch compiled": torch_compiled,
    "jax jit": jax,
}
