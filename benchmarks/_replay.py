"""What a replay adds to NumPy's own time, an equation: products of small matrices, one by one."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

PRODUCTS = 64
WORK = "replay of an equation"
Works = dict[str, Callable[[int], Any]]


def data() -> tuple[Any, Any]:
    """Return two small matrices, whose products stay small."""
    np = import_module("numpy")
    return np.eye(4, dtype=np.float32), 0.5 * np.eye(4, dtype=np.float32)


def _per_equation(f: Callable[[], Any]) -> Works:
    """Return the work: n equations, as so many calls as those are in."""

    def run(n):
        for _ in range(-(-n // PRODUCTS)):
            f()

    return {WORK: run}


def numpy() -> Works:
    """NumPy, into memory that is there."""
    np = import_module("numpy")
    x, w = data()
    out, matmul = np.empty_like(x), np.matmul

    def products():
        for _ in range(PRODUCTS):
            matmul(x, w, out)

    return _per_equation(products)


def gradx_compiled() -> Works:
    """gradx, compiled: the products are one program."""
    gx = import_module("gradx")
    x, w = data()

    @gx.compile
    def products(x, w):
        for _ in range(PRODUCTS):
            x = x @ w
        return x

    for _ in range(3):  # at the second call code is written that recognises the next
        products(x, w)
    return _per_equation(lambda: products(x, w))


def profiles() -> dict[str, Any]:
    """Return nothing: all that is measured is what is between the ops."""
    return {}


SYSTEMS = {"numpy": numpy, "gradx compiled": gradx_compiled}
