"""The same training step in PyTorch and JAX on a GPU, in each of their ways to run it.

Each function takes the layers' initial arrays, a batch and a precision, and returns what makes a
step, by name: a call of the step trains once; nothing is waited for.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

Steps = dict[str, Callable[[], Callable[[], Any]]]
RATE = 1e-3


def torch_steps(layers: Any, x: Any, labels: Any, precision: str) -> Steps:
    """The whole step as one CUDA graph, eager, and compiled; Adam's fused form in each."""
    torch = import_module("torch")
    inputs = torch.tensor(x, device="cuda")
    targets = torch.tensor(labels, device="cuda")
    loss_of = torch.nn.functional.cross_entropy

    def model():
        parts = []
        for weight, bias in layers:
            linear = torch.nn.Linear(*weight.shape, device="cuda")
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight.T))
                linear.bias.copy_(torch.tensor(bias))
            parts += [linear, torch.nn.ReLU()]
        return torch.nn.Sequential(*parts[:-1])

    def stepping(network, **settings):
        optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True, **settings)

        # A setting of all threads: the last that was made is that which is measured.
        torch.backends.cuda.matmul.allow_tf32 = precision != "highest"

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(network(inputs), targets)
            loss.backward()
            optimizer.step()
            return loss

        return step

    return {
        "torch CUDA graph": lambda: whole_graph(stepping(model(), capturable=True)),
        "torch eager": lambda: stepping(model()),
        "torch compile": lambda: stepping(torch.compile(model(), mode="reduce-overhead")),
    }


def whole_graph(step: Callable[[], Any]) -> Callable[[], Any]:
    """Return a call that replays a step of PyTorch as one CUDA graph."""
    torch = import_module("torch")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(11):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def jax_steps(layers: Any, x: Any, labels: Any, precision: str) -> Steps:
    """The whole step under ``jit``, Adam written out; the state is donated."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")
    name = {"highest": "highest", "tf32": "tensorfloat32", "bf16": "bfloat16"}[precision]
    inputs, targets = jnp.asarray(x), jnp.asarray(labels)
    params = [tuple(map(jnp.asarray, layer)) for layer in layers]
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, jax.tree.map(jnp.copy, zeros), jnp.zeros((), jnp.int32))

    def loss_of(params):
        hidden = inputs
        for weight, bias in params[:-1]:
            hidden = jax.nn.relu(hidden @ weight + bias)
        logits = hidden @ params[-1][0] + params[-1][1]
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], axis=1)
        return -chosen.mean()

    def update(state):
        params, means, squares, count = state
        loss, grads = jax.value_and_grad(loss_of)(params)
        count = count + 1
        means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, grads)
        squares = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, squares, grads)
        size = RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        params = jax.tree.map(
            lambda p, m, s: p - size * m / (jnp.sqrt(s) + 1e-8), params, means, squares
        )
        return (params, means, squares, count), loss

    def make():
        with jax.default_matmul_precision(name):
            compiled = jax.jit(update, donate_argnums=0).lower(state).compile()

        def step():
            nonlocal state
            state, loss = compiled(state)
            return loss

        step.wait = lambda: jax.block_until_ready(state)  # type: ignore[attr-defined]
        return step

    return {"jax jit": make}
