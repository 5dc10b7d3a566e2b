"""Groups on NumPy without a compiler: ufuncs over blocks that stay in the cache.

Each equation of a group runs on a block of rows before the next block begins, so what
lies between two of them never goes to main memory. The bits are those of whole arrays.
"""

from collections.abc import Callable
from itertools import repeat
from math import prod
from typing import Any

import numpy as np

from gradx.graph.arena import arranged, memory_of
from gradx.graph.equations import Variable
from gradx.graph.executors.source import Source
from gradx.graph.executors.writing import written
from gradx.graph.ir import Graph
from gradx.graph.lifetimes import Layout, plan

BLOCK = 2**15  # elements


def is_worth_it(shape: tuple[int, ...]) -> bool:
    """Tell whether arrays of ``shape`` have enough rows to be cut into blocks."""
    return prod(shape) >= 2 * BLOCK and shape[0] >= 2 * _rows(shape)


def _rows(shape: tuple[int, ...]) -> int:
    return max(1, BLOCK // prod(shape[1:]))


def compile_blocks(graph: Graph) -> Callable[..., None]:
    """Return the kernel of a group whose equations all have the same shape."""
    shape = graph.equations[0].outputs[0].shape
    source = Source()
    layout = plan(graph, lambda equation: True)
    scratch = [x for equation in graph.equations for x in equation.outputs if x in layout.slots]
    whole: list[Any] = [*graph.inputs, *graph.outputs]
    names = [f"whole{i}" for i in range(len(whole))]
    targets = ", ".join(["rows", *map(source.name, scratch)])
    source.add(f"for {targets} in blocks:")
    for x, name in zip(whole, names, strict=True):
        cut = len(x.shape) == len(shape) and x.shape[0] == shape[0]
        source.add(f"    {source.name(x)} = {name}{'[rows]' if cut else ''}")
    for equation in graph.equations:
        source.add(f"    {written(source, equation)}")
    run = source.compile(["blocks", *names])
    idle: list[list[tuple[Any, ...]]] = []

    def kernel(*arrays: Any) -> None:
        # Popping and appending are atomic: no two threads ever hold the same blocks.
        try:
            blocks = idle.pop()
        except IndexError:
            blocks = _blocks(shape, layout, scratch)
        try:
            run(blocks, *arrays)
        finally:
            idle.append(blocks)

    return kernel


def _blocks(shape: tuple[int, ...], layout: Layout, scratch: list[Variable]) -> list[Any]:
    """Return the rows of each block, and the memory of what lies between two equations."""
    rows = _rows(shape)
    places, size = arranged([rows * (n // shape[0]) for n in layout.sizes], layout.spans)
    memory = memory_of(size)
    begins = [memory[places[layout.slots[x]] :] for x in scratch]
    blocks = []
    for start in range(0, shape[0], rows):
        end = min(start + rows, shape[0])
        parts = map(_scratch, begins, scratch, repeat(end - start))
        blocks.append((slice(start, end), *parts))
    return blocks


def _scratch(memory: Any, x: Variable, rows: int) -> Any:
    """Return where some rows of a value lie, at the start of ``memory``."""
    shape = (rows, *x.shape[1:])
    size = prod(shape) * np.dtype(x.dtype).itemsize
    return memory[:size].view(x.dtype).reshape(shape)
