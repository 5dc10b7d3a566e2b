"""Sums of products over windows in machine code: the two loops that convolutions are made of.

Both read what windows read where it lies. ``offsets`` has for each place in the kernel how many
bytes after the first window's beginning it is read, and windows beside each other are elements
beside each other, so one vector of elements is one place of as many windows::

    products:  out[n, o, q] = sum over k of weights[o, k] * x[n, offsets[k] + q]
    dots:      out[o, k]   += sum over n and q of y[n, o, q] * x[n, offsets[k] + q]

As in any fast product of matrices, a tile of results stays in registers: rows of it are outputs,
columns vectors of windows in ``products`` and places of the kernel in ``dots``. In ``products``
each sum is added up in the order of the places; in ``dots`` in as many parts as a vector has
elements, which are added up in pairs.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.native import compiler
from gradx.backends.native.copying import copy
from gradx.backends.native.loops import Writer, module
from gradx.backends.native.storage import user_store
from gradx.backends.native.threads import Loop, loop_at
from gradx.backends.native.values import Value

# The addresses that the loops are given, and the numbers, 8 bytes each; "row" and "sample" are how
# many bytes lie between rows and samples of an array, "strips" how many vectors of windows there
# are. A tile of dots goes over the samples in "turns", "at_once" in each.
POINTERS = ("out", "x", "factors", "offsets")
NUMBERS = ("strips", "blocks", "depth", "row", "sample", "x_sample", "samples", "at_once", "turns")


class Tiles(NamedTuple):
    """Rows and columns of the tiles: what a processor's registers hold."""

    products: tuple[int, int]
    dots: tuple[int, int]


class Loops(NamedTuple):
    """The loops for one dtype, and what copies to and from what they go over."""

    products: Loop  # its factors are weights, its units samples
    dots: Loop  # its factors are rows of y, its units tiles of results
    copy: Callable[[Any, Any], None]
    tiles: Tiles
    lanes: int


def tiles() -> Tiles:
    """Choose tiles: the results, one row of factors and one factor more are in registers."""
    return Tiles((8, 3), (4, 6)) if compiler.REGISTERS >= 32 else Tiles((4, 3), (3, 4))


@cache
def loops(dtype: str) -> Loops:
    """Return the loops for float32 or float64."""
    lanes = compiler.REGISTER_BYTES // np.dtype(dtype).itemsize
    source = module([kind(dtype, lanes).text() for kind in (_Products, _Dots)])
    products, dots = compiler.addresses(source, ("products", "dots"), user_store())
    return Loops(loop_at(products), loop_at(dots), copy, tiles(), lanes)


class _Writer(Writer):
    """What both loops are given: arrays by their addresses, and numbers."""

    def __init__(self, dtype: str, lanes: int) -> None:
        super().__init__(dtype, lanes)
        self.out, self.x, self.factors, self.offsets = (
            self.load("ptr", self.at("%arrays", 8 * place)) for place in range(len(POINTERS))
        )
        self.given = {
            name: self.load("i64", self.at("%numbers", 8 * place))
            for place, name in enumerate(NUMBERS)
        }


class _Products(_Writer):
    name = "products"

    def write(self) -> None:
        """Go over samples, and over vectors of windows: as many at once as a tile has."""
        with self.loop("%first", "%end") as sample:
            x = self.beyond(self.x, sample, self.given["x_sample"])
            out = self.beyond(self.out, sample, self.given["sample"])
            first = self.code.cell("i64")
            self.code.lines.append(f"store i64 0, ptr {first}")
            for columns in range(tiles().products[1], 0, -1):
                with self.loop(self.load("i64", first), self.given["strips"], columns) as strip:
                    self._strip(
                        self.beyond(out, strip, self.bytes_of_vector),
                        self.beyond(x, strip, self.bytes_of_vector),
                        columns,
                    )
                    self.code.lines.append(
                        f"store i64 {self.do('add', strip, columns)}, ptr {first}"
                    )

    def _strip(self, out: str, x: str, columns: int) -> None:
        rows, depth = tiles().products[0], self.given["depth"]
        with self.loop(0, self.given["blocks"]) as block:
            weights = self.beyond(self.factors, self.do("mul", block, depth), rows * self.size)
            sums = self.sums(rows * columns)
            with self.loop(0, depth) as k:
                self._add_products(sums, x, self.beyond(weights, k, rows * self.size), k, columns)
            for row in range(rows):
                number = self.do("add", self.do("mul", block, rows), row)
                place = self.beyond(out, number, self.given["row"])
                for column in range(columns):
                    total = self.vector(sums[row * columns + column])
                    self.store(
                        total, self.at(place, column * self.code.lanes * self.size), self.size
                    )

    def _add_products(self, sums: list[str], x: str, weights: str, k: str, columns: int) -> None:
        read = self.at(x, self.load("i64", self.beyond(self.offsets, k, 8)))
        bytes_of_vector = self.code.lanes * self.size
        windows = [
            self.vector(self.at(read, column * bytes_of_vector)) for column in range(columns)
        ]
        for row in range(len(sums) // columns):
            weight = self.element(self.at(weights, row * self.size))
            for column, window in enumerate(windows):
                self.add(sums[row * columns + column], weight, window)


class _Dots(_Writer):
    name = "dots"

    def write(self) -> None:
        """Go over some samples at a time, and add to each tile what they give."""
        rows, columns = tiles().dots
        padded = -(-rows * columns // self.code.lanes) * self.code.lanes * self.size
        samples, at_once = self.given["samples"], self.given["at_once"]
        with self.loop(0, self.given["turns"]) as turn:
            start = self.do("mul", turn, at_once)
            after = self.smaller(self.do("add", start, at_once), samples)
            with self.loop("%first", "%end") as number:
                sums = self.sums(rows * columns)
                self._tile(sums, number, start, after)
                self._keep(sums, self.beyond(self.out, number, padded))

    def _tile(self, sums: list[str], number: str, first: str, end: str) -> None:
        rows, columns = tiles().dots
        block, group = [self.do(f"u{part}", number, self.given["depth"]) for part in ("div", "rem")]
        y = self.beyond(self.factors, self.do("mul", block, rows), self.given["row"])
        offsets = self.beyond(self.offsets, group, 8 * columns)
        places = [self.load("i64", self.at(offsets, 8 * k)) for k in range(columns)]
        with self.loop(first, end) as sample:
            x = self.beyond(self.x, sample, self.given["x_sample"])
            reads = [self.at(x, place) for place in places]
            of_sample = self.beyond(y, sample, self.given["sample"])
            lines = [self.beyond(of_sample, row, self.given["row"]) for row in range(rows)]
            with self.loop(0, self.given["strips"]) as strip:
                offset = self.do("mul", strip, self.bytes_of_vector)
                outputs = [self.vector(self.at(line, offset)) for line in lines]
                for column, read in enumerate(reads):
                    window = self.vector(self.at(read, offset))
                    for row, output in enumerate(outputs):
                        self.add(sums[row * columns + column], output, window)

    def _keep(self, sums: list[str], out: str) -> None:
        lanes = self.code.lanes
        for start in range(0, len(sums), lanes):
            totals = self._totals([self.vector(cell) for cell in sums[start : start + lanes]])
            place = self.at(out, start * self.size)
            self.store(totals + self.vector(place), place, self.size)

    def _totals(self, vectors: list[Value]) -> Value:
        """Add up the elements of each of at most as many vectors as a vector has elements."""
        nothing = vectors[0].like(0.0)
        vectors += [nothing] * (self.code.lanes - len(vectors))
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self._every_second(x, y, 0) + self._every_second(x, y, 1) for x, y in pairs]
        return vectors[0]

    def _every_second(self, x: Value, y: Value, first: int) -> Value:
        vector, lanes = self.code.vector(self.dtype), self.code.lanes
        places = ", ".join(f"i32 {2 * i + first}" for i in range(lanes))
        return self.code.emit(
            self.dtype,
            f"shufflevector {vector} {x.name}, {vector} {y.name}, <{lanes} x i32> <{places}>",
        )
