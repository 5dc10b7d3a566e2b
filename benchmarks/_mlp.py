"""One training step of an MLP: batch 128, ReLU, cross entropy, Adam, float32; in two sizes."""

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any

WORKS = {"MLP step": (784, 256, 128, 10), "wide MLP step": (784, 512, 512, 10)}
BATCH = 128
RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
Sizes = tuple[int, ...]
Work = Callable[[int], Any]


def data(sizes: Sizes) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """Return inputs, labels and initial (weight, bias) pairs, the same in every process."""
    np = import_module("numpy")
    draws = np.random.default_rng(0)
    x = draws.normal(size=(BATCH, sizes[0])).astype(np.float32)
    y = draws.integers(0, sizes[-1], size=BATCH)
    params = [
        ((draws.normal(size=(n, m)) / n**0.5).astype(np.float32), np.zeros(m, np.float32))
        for n, m in pairwise(sizes)
    ]
    return x, y, params


def stepping(step: Callable[[], Any]) -> Work:
    """Return the work: ``step()`` trains once and returns the loss before it."""

    def run(n):
        for _ in range(n):
            loss = step()
        return float(loss)

    return run


def numpy(sizes: Sizes) -> Work:
    """NumPy by hand: the derivative written out, Adam in place."""
    np = import_module("numpy")
    x, y, layers = data(sizes)
    params = [array for layer in layers for array in layer]
    means = [np.zeros_like(p) for p in params]
    squares = [np.zeros_like(p) for p in params]
    rows = np.arange(BATCH)
    done = 0

    def gradients():
        w1, b1, w2, b2, w3, b3 = params
        first = np.maximum(x @ w1 + b1, 0)
        second = np.maximum(first @ w2 + b2, 0)
        scores = second @ w3 + b3
        scores -= scores.max(axis=1, keepdims=True)
        total = np.exp(scores).sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - scores[rows, y]).mean()
        g = np.exp(scores) / total
        g[rows, y] -= 1
        g /= BATCH
        g_second = g @ w3.T * (second > 0)
        g_first = g_second @ w2.T * (first > 0)
        return loss, [
            *(x.T @ g_first, g_first.sum(0)),
            *(first.T @ g_second, g_second.sum(0)),
            *(second.T @ g, g.sum(0)),
        ]

    def step():
        nonlocal done
        loss, grads = gradients()
        done += 1
        rate = RATE * (1 - BETA2**done) ** 0.5 / (1 - BETA1**done)
        for p, g, mean, square in zip(params, grads, means, squares, strict=True):
            mean += (1 - BETA1) * (g - mean)
            square += (1 - BETA2) * (g * g - square)
            p -= rate * mean / (np.sqrt(square) + EPS)
        return loss

    return stepping(step)


def step_of(sizes: Sizes) -> tuple[Any, list[Any]]:
    """Return gradx's step, with its layers, loss and optimizer, and what to call it with."""
    gx = import_module("gradx")
    nn, optim = import_module("gradx.nn"), import_module("gradx.optim")
    x, y, layers = data(sizes)
    keys = gx.random.split(gx.random.key(0), len(layers))
    linears = [nn.Linear(*w.shape, key=key) for (w, _), key in zip(layers, keys, strict=True)]
    model = nn.Sequential(linears[0], nn.relu, linears[1], nn.relu, linears[2])
    leaves, structure = import_module("gradx.core.tree").flatten(model)
    given = [array for layer in layers for array in layer]
    assert [leaf.shape for leaf in leaves] == [array.shape for array in given]
    model = import_module("gradx.core.tree").unflatten(structure, given)
    loss_and_grads = gx.value_and_grad(lambda model, x, y: nn.cross_entropy(model(x), y))
    optimizer = optim.adam(RATE, BETA1, BETA2, EPS)
    state = optimizer.init(model)

    def whole(model, state, x, y):
        loss, grads = loss_and_grads(model, x, y)
        updates, state = optimizer.update(grads, state, model)
        return optim.apply_updates(model, updates), state, loss

    return whole, [model, state, x, y]


def gradx(sizes: Sizes, compiled: bool = False) -> Work:
    """gradx, uncompiled."""
    whole, (model, state, x, y) = step_of(sizes)
    if compiled:
        whole = import_module("gradx").compile(whole, donate=("model", "state"))

    def step():
        nonlocal model, state
        model, state, loss = whole(model, state, x, y)
        return loss

    return stepping(step)


def gradx_compiled(sizes: Sizes) -> Work:
    """gradx, the whole step compiled, its parameters and state given up to it."""
    return gradx(sizes, compiled=True)


def profiles() -> dict[str, Any]:
    """Return where the time of the compiled step goes."""
    found = {}
    for work, sizes in WORKS.items():
        whole, arguments = step_of(sizes)
        found[work] = import_module("gradx").profile(whole, *arguments)
    return found


def torch(sizes: Sizes, **options: Any) -> Work:
    """PyTorch, eager."""
    torch = import_module("torch")
    x, y, layers = data(sizes)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    linears = []
    for w, b in layers:
        linear = torch.nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(w.T.copy()), torch.from_numpy(b)
        linears.append(linear)
    relu = torch.nn.ReLU()
    model = torch.nn.Sequential(linears[0], relu, linears[1], relu, linears[2])
    optimizer = torch.optim.Adam(model.parameters(), RATE, (BETA1, BETA2), EPS, **options)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return stepping(step)


def torch_fused(sizes: Sizes) -> Work:
    """PyTorch with its fused Adam."""
    return torch(sizes, fused=True)


def _adam(np, params, state, grads):
    """Adam as one writes it for a library without optimizers."""
    means, squares, done = state
    done += 1
    means = [m + (1 - BETA1) * (g - m) for m, g in zip(means, grads, strict=True)]
    squares = [s + (1 - BETA2) * (g * g - s) for s, g in zip(squares, grads, strict=True)]
    rate = RATE * (1 - BETA2**done) ** 0.5 / (1 - BETA1**done)
    params = [
        p - rate * m / (np.sqrt(s) + EPS) for p, m, s in zip(params, means, squares, strict=True)
    ]
    return params, (means, squares, done)


def autograd(sizes: Sizes) -> Work:
    """The library autograd, Adam by hand."""
    import_module("autograd")
    np = import_module("autograd.numpy")
    differential = import_module("autograd.differential_operators")
    logsumexp = import_module("autograd.scipy.special").logsumexp
    x, y, layers = data(sizes)
    params = [array for layer in layers for array in layer]
    rows = np.arange(BATCH)
    state = ([np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], 0)

    def loss_of(params):
        w1, b1, w2, b2, w3, b3 = params
        hidden = np.maximum(np.dot(x, w1) + b1, 0)
        hidden = np.maximum(np.dot(hidden, w2) + b2, 0)
        scores = np.dot(hidden, w3) + b3
        return np.mean(logsumexp(scores, axis=1) - scores[rows, y])

    loss_and_grads = differential.value_and_grad(loss_of)

    def step():
        nonlocal params, state
        loss, grads = loss_and_grads(params)
        params, state = _adam(np, params, state, grads)
        return loss

    return stepping(step)


def mygrad(sizes: Sizes) -> Work:
    """MyGrad, Adam by hand."""
    np, mg = import_module("numpy"), import_module("mygrad")
    cross_entropy = import_module("mygrad.nnet.losses").softmax_crossentropy
    relu = import_module("mygrad.nnet.activations").relu
    x, y, layers = data(sizes)
    params = [array for layer in layers for array in layer]
    state = ([np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], 0)

    def step():
        nonlocal params, state
        tensors = [mg.tensor(p, copy=False) for p in params]
        w1, b1, w2, b2, w3, b3 = tensors
        hidden = relu(relu(mg.matmul(x, w1) + b1) @ w2 + b2)
        loss = cross_entropy(hidden @ w3 + b3, y)
        loss.backward()
        params, state = _adam(np, params, state, [t.grad for t in tensors])
        return loss.data

    return stepping(step)


def jax(sizes: Sizes) -> Work:
    """JAX, the whole step compiled."""
    jax = import_module("jax")
    np = jax.numpy
    x, y, layers = data(sizes)
    params = [np.asarray(array) for layer in layers for array in layer]
    rows = np.arange(BATCH)
    state = ([np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], 0)

    def loss_of(params, x, y):
        w1, b1, w2, b2, w3, b3 = params
        hidden = jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2)
        return -np.mean(jax.nn.log_softmax(hidden @ w3 + b3)[rows, y])

    @jax.jit
    def compiled(params, state, x, y):
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        return loss, _adam(np, params, state, grads)

    def step():
        nonlocal params, state
        loss, (params, state) = compiled(params, state, x, y)
        return jax.block_until_ready(loss)

    return stepping(step)


def _in_sizes(make: Callable[[Sizes], Work]) -> Callable[[], dict[str, Work]]:
    return lambda: {work: make(sizes) for work, sizes in WORKS.items()}


SYSTEMS = {
    "numpy": _in_sizes(numpy),
    "gradx": _in_sizes(gradx),
    "gradx compiled": _in_sizes(gradx_compiled),
    "torch": _in_sizes(torch),
    "torch fused": _in_sizes(torch_fused),
    "autograd": _in_sizes(autograd),
    "mygrad": _in_sizes(mygrad),
    "jax jit": _in_sizes(jax),
}
