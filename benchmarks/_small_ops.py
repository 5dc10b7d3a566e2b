"""Six small ops, and three of them together, plain, recorded, and forward + backward.

Each is a function of one array of 16 float32 numbers that uses it as often as
the op has inputs. "forward + backward" is one op alone, with what it costs to
begin and end a derivative; "chain of 4" is four in a row, as inside a program;
of the three together it is 12 ops, so their own cost prevails.
"""

from collections.abc import Callable
from importlib import import_module
from itertools import repeat
from typing import Any

OPS = ("multiply", "add", "sin", "exp", "sum", "matmul")
TOGETHER = "sin(x*x + x)"
Works = dict[str, Callable[[int], Any]]


def ops_of(xp: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the ops of a namespace that has NumPy's names."""
    multiply, add, sin, exp, sum_, matmul = (getattr(xp, name) for name in OPS)
    return {
        "multiply": lambda x: multiply(x, x),
        "add": lambda x: add(x, x),
        "sin": lambda x: sin(x),
        "exp": lambda x: exp(x),
        "sum": lambda x: sum_(x, axis=0, keepdims=True),
        "matmul": lambda x: matmul(x, x),
        TOGETHER: lambda x: sin(add(multiply(x, x), x)),
    }


def inputs() -> dict[str, Any]:
    """Return an array for each op that four of it in a row do not overflow."""
    np = import_module("numpy")
    small = np.linspace(-2.0, -1.0, 16, dtype=np.float32)
    matrix = np.linspace(-0.5, 0.5, 16, dtype=np.float32).reshape(4, 4)
    return {name: matrix if name == "matmul" else small for name in (*OPS, TOGETHER)}


def chained(op: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return four of ``op`` in a row."""
    return lambda x: op(op(op(op(x))))


def calling(function: Callable[[Any], Any], x: Any) -> Callable[[int], None]:
    """Return ``run(n)``, which calls ``function`` n times."""

    def run(n):
        for _ in repeat(None, n):
            function(x)

    return run


def works_of(
    ops: dict[str, Callable[[Any], Any]],
    arrays: dict[str, Any],
    *,
    plain: bool = False,
    recorded: Callable[..., Callable[[int], None]] | None = None,
    differentiate: Callable[..., Callable[[Any], Any]] | None = None,
) -> Works:
    """Name what a system can do: ``recorded(op, x)`` and ``differentiate(op, seed)`` say how."""
    works: Works = {}
    for name, op in ops.items():
        x = arrays[name]
        if plain:
            works[f"plain {name}"] = calling(op, x)
        if recorded:
            works[f"recorded {name}"] = recorded(op, x)
        if differentiate:
            works[f"forward + backward {name}"] = calling(differentiate(op, op(x)), x)
            chain = chained(op)
            works[f"chain of 4 {name}"] = calling(differentiate(chain, chain(x)), x)
    return works


def numpy() -> Works:
    """Plain NumPy: what all others stand on."""
    return works_of(ops_of(import_module("numpy")), inputs(), plain=True)


def gradx() -> Works:
    """The transforms of gradx, through ``gx.vjp``."""
    gx = import_module("gradx")

    def differentiate(op, out):
        seed = out * 0 + 1

        def forward_and_backward(x):
            _, pullback = gx.vjp(op, x)
            return pullback(seed)

        return forward_and_backward

    return works_of(
        ops_of(gx),
        inputs(),
        plain=True,
        recorded=recorded_by(gx.vjp),
        differentiate=differentiate,
    )


def recorded_by(vjp: Callable[..., Any]) -> Callable[..., Callable[[int], None]]:
    """Run the loop inside ``vjp(function, x)``, whose own cost is so spread over all n."""

    def recorded(op, x):
        def run(n):
            vjp(lambda x: (calling(op, x)(n), op(x))[1], x)

        return run

    return recorded


def gradx_tensor() -> Works:
    """The tape of ``gx.tensor``, written as one writes PyTorch."""
    gx = import_module("gradx")
    arrays = {name: gx.tensor(x) for name, x in inputs().items()}

    def differentiate(op, out):
        seed = out.detach() * 0 + 1

        def forward_and_backward(x):
            x.grad = None
            op(x).backward(seed)

        return forward_and_backward

    return works_of(ops_of(gx), arrays, recorded=calling, differentiate=differentiate)


def torch() -> Works:
    """PyTorch, eager, through ``torch.autograd.grad``."""
    torch = import_module("torch")
    ops = ops_of(torch)
    ops["sum"] = lambda x: torch.sum(x, 0, keepdim=True)
    arrays = {name: torch.tensor(x, requires_grad=True) for name, x in inputs().items()}

    def differentiate(op, out):
        seed = torch.ones_like(out)
        return lambda x: torch.autograd.grad(op(x), x, seed)

    works = works_of(ops, arrays, recorded=calling, differentiate=differentiate)
    plain = {name: torch.tensor(x) for name, x in inputs().items()}
    return works_of(ops, plain, plain=True) | works


def autograd() -> Works:
    """The library autograd, through ``autograd.make_vjp``."""
    make_vjp = import_module("autograd.core").make_vjp
    ops = ops_of(import_module("autograd.numpy"))

    def differentiate(op, out):
        seed = out * 0 + 1

        def forward_and_backward(x):
            pullback, _ = make_vjp(op, x)
            return pullback(seed)

        return forward_and_backward

    return works_of(
        ops,
        inputs(),
        plain=True,
        recorded=recorded_by(make_vjp),
        differentiate=differentiate,
    )


def mygrad() -> Works:
    """MyGrad, with the guards that it has by default."""
    mg = import_module("mygrad")
    arrays = {name: mg.tensor(x) for name, x in inputs().items()}

    def differentiate(op, out):
        seed = out.data * 0 + 1
        return lambda x: op(x).backward(seed)

    return works_of(ops_of(mg), arrays, recorded=calling, differentiate=differentiate)


def jax() -> Works:
    """JAX without jit."""
    jax = import_module("jax")
    arrays = {name: jax.numpy.asarray(x) for name, x in inputs().items()}

    def differentiate(op, out):
        seed = jax.numpy.ones_like(out)

        def forward_and_backward(x):
            _, pullback = jax.vjp(op, x)
            return jax.block_until_ready(pullback(seed))

        return forward_and_backward

    return works_of(ops_of(jax.numpy), arrays, plain=True, differentiate=differentiate)


SYSTEMS = {
    "numpy": numpy,
    "gradx": gradx,
    "gradx.tensor": gradx_tensor,
    "torch": torch,
    "autograd": autograd,
    "mygrad": mygrad,
    "jax": jax,
}
