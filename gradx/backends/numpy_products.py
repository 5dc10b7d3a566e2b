"""Products of NumPy's matrices by the loop of `native/matrices.py`, for shapes that are known.

The numbers that it is given depend on shapes alone, so they are found once. Strides and addresses
it reads from the arrays by itself.
"""

import ctypes
from collections.abc import Callable
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gradx.backends.native import threads
from gradx.backends.native.optional import machine_code

DTYPES = ("float32", "float64")
WORTH_IT = 1 << 19  # multiplications, 6 us; below, NumPy is as quick
WORTH_SHARING = 1 << 19
FEWEST_ROWS, FEWEST_COLUMNS = 8, 16  # of which a product has more to do than to pack
FEW = 32  # rows that multiply y where it lies: to pack it would take as long as it saves
NARROW = 64  # columns, for which x that lies in columns is read where it lies, for the same reason
UNITS = 2  # of each thread, so that who is quicker has more
MOST_AXES = 4
TILE = 8  # rows
ITEMS = tuple.__basicsize__  # where the items of a tuple are, in bytes from its beginning
WORD = 8

# What tells, under NumPy's names for it, how many threads its OpenBLAS may use.
TELLERS = ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads")

Shape = tuple[int, ...]
Product = Callable[..., Any]  # product(x, y, out=array)


def product_of(x: Shape, y: Shape, dtype: str) -> Product:
    """Return what multiplies matrices of these shapes into a third array, in row-major order."""
    module = machine_code("matrices") if _pays(x, y, dtype) else None
    return np.matmul if module is None else _product(x, y, dtype, threads.limit())


@lru_cache(maxsize=1 << 10)
def _product(x: Shape, y: Shape, dtype: str, helpers: int) -> Product:
    module: Any = machine_code("matrices")
    loop = module.loops(dtype).multiply
    known = _numbers(x, y, dtype, module)
    matrices = prod(np.broadcast_shapes(x[:-2], y[:-2]))
    is_shared = matrices * prod(x[-2:]) * y[-1] >= WORTH_SHARING
    known |= _cut(known, _up(UNITS * helpers if is_shared else 1, matrices), module.MOST_ROWS)
    units = matrices * known["chunks"] * known["blocks"]
    numbers = (ctypes.c_int64 * len(known))(*[known[name] for name in module.NUMBERS])
    address, blas_threads = ctypes.addressof(numbers), _blas_threads()

    def multiply(x: Any, y: Any, out: Any) -> None:
        arrays = (x, y, out)
        place = id(arrays) + ITEMS
        if is_shared and blas_threads() > 1:
            is_other = threads.run(loop, place, address, units)
        else:
            is_other = loop.function(place, address, 0, units)
        if is_other:  # a dtype that NumPy calls the same, or results in another order
            np.matmul(x, y, out=out)

    multiply.numbers = numbers  # type: ignore[attr-defined]  # as long as they are needed
    return multiply


@cache
def _blas_threads() -> Callable[[], int]:
    """Return what tells how many threads a product by NumPy may use: ours uses no more.

    Users set it by ``OPENBLAS_NUM_THREADS``, or for a while by threadpoolctl.
    """
    folder = Path(np.__file__).parent
    for path in [*folder.parent.glob("numpy.libs/*openblas*"), *folder.glob(".dylibs/*openblas*")]:
        library = ctypes.PyDLL(str(path))  # loaded already
        for name in TELLERS:
            if hasattr(library, name):
                return getattr(library, name)
    return threads.limit


def _pays(x: Shape, y: Shape, dtype: str) -> bool:
    """Tell whether there is a loop for a product, and it is worth it."""
    if dtype not in DTYPES or not 2 <= min(len(x), len(y)) <= max(len(x), len(y)) <= MOST_AXES:
        return False
    batch = prod(np.broadcast_shapes(x[:-2], y[:-2]))
    return (
        all(prod(shape[:-2]) in (1, batch) for shape in (x, y))
        and x[-2] >= FEWEST_ROWS
        and y[-1] >= FEWEST_COLUMNS
        and batch * x[-2] * x[-1] * y[-1] >= WORTH_IT
    )


def _numbers(x: Shape, y: Shape, dtype: str, module: Any) -> dict[str, int]:
    """Return what the loop is told about a product, but for how it is cut."""
    loops = module.loops(dtype)
    (rows, depth), columns = x[-2:], y[-1]
    batch = np.broadcast_shapes(x[:-2], y[:-2])
    vectors = _up(columns, loops.lanes)
    strips = _up(vectors, loops.width)
    turn = _up(_up(depth, _up(depth, module.DEPTH)), loops.lanes) * loops.lanes
    return {
        "dtype": id(np.dtype(dtype)),
        "rows": rows,
        "columns": columns,
        "depth": depth,
        "turn": turn,
        "turns": _up(depth, turn),
        "inner": batch[-1] if batch else 1,
        "strips": strips,
        # The others are narrower by a vector: a strip of one would be slow.
        "whole": max(0, vectors - (loops.width - 1) * strips),
        "may_turn": int(prod(batch) == 1 and loops.turns and columns > NARROW),
        "may_stay": int(rows <= FEW and columns % loops.lanes == 0),
        **_places("x", x),
        **_places("y", y),
    }


def _cut(known: dict[str, int], wanted: int, most: int) -> dict[str, int]:
    """Cut a matrix of results into at least so many units that the least is packed again."""
    rows, columns, strips = known["rows"], known["columns"], known["strips"]
    tiles = _up(rows, TILE)
    least = _up(rows, most)

    def waste(chunks: int) -> tuple[bool, int]:
        blocks = min(strips, _up(wanted, chunks))
        return chunks * blocks < wanted, chunks * columns + blocks * rows

    chunks = min(range(least, max(least, min(tiles, wanted)) + 1), key=waste)
    chunk, block = _up(tiles, chunks) * TILE, _up(strips, _up(wanted, chunks))
    cut = {"chunk": chunk, "chunks": _up(rows, chunk)}
    return cut | {"block": block, "blocks": _up(strips, block)}


def _places(operand: str, shape: Shape) -> dict[str, int]:
    """Say where among an array's strides are those of a matrix and of two axes of a batch."""
    axes = len(shape)
    places = {"row": axes - 2, "column": axes - 1, "outer": max(0, axes - 4)}
    places["inner"] = max(0, axes - 3)
    found = {f"{operand}_{name}": WORD * place for name, place in places.items()}
    return found | {f"{operand}_many": int(prod(shape[:-2]) > 1)}


def _up(count: int, unit: int) -> int:
    """Return how many units hold so many."""
    return -(-count // unit)
