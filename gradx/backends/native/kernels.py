"""The derivative of convolution with respect to kernels, in machine code: strides of 1, two axes.

``out[k, o] += sum over n and q of x[n, offsets[k] + q] * y[n, o, q]``. Rows of a tile are places in
the kernel, whose elements are read from a copy of the sample; columns are vectors of outputs, for
which y is turned: all outputs of a window side by side. So sums stay in registers, element by
element, over all windows of a sample. A unit is some samples, and has sums of its own, which are
added up later; how many there are depends on shapes alone.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from gradx.backends.native import compiler
from gradx.backends.native.loops import module
from gradx.backends.native.packing import Source, Target
from gradx.backends.native.samples import COPIES, Samples
from gradx.backends.native.storage import user_store
from gradx.backends.native.threads import Loop, loop_at
from gradx.backends.native.windows import tiles

POINTERS = ("out", "x", "y", "offsets")
# As in `convolving.py`; here columns are those of the copy, "windows" those of a row of y, and
# "padded" the outputs in whole vectors. A unit has "chunk" of the "samples".
NUMBERS = (
    *("groups", "bands", "band", "reach", "outputs", "inputs", "turn", "turns"),
    *("height", "width", "rows", "columns", "kernel", "before", "left", "dilation", "places"),
    *("x_sample", "x_channel", "x_row"),
    *("y_sample", "y_channel", "y_row", "windows", "padded", "samples", "chunk"),
)
TURNED = 1 << 16  # bytes of y that are turned at a time


class Loops(NamedTuple):
    """The loop for one dtype, and how many elements of x and y may be copied at a time."""

    kernels: Loop
    lanes: int
    most: int
    most_turned: int


@cache
def loops(dtype: str) -> Loops:
    """Return the loop for float32 or float64."""
    size = np.dtype(dtype).itemsize
    lanes = compiler.REGISTER_BYTES // size
    source = module([_Kernels(dtype, lanes).text()])
    (kernels,) = compiler.addresses(source, ("kernels",), user_store(), compiler.PASSES)
    return Loops(loop_at(kernels), lanes, COPIES // size, TURNED // size)


class _Kernels(Samples):
    name = "kernels"

    def __init__(self, dtype: str, lanes: int) -> None:
        super().__init__(dtype, lanes, POINTERS, NUMBERS)
        self.out, self.x, self.y, self.offsets = self.pointers
        self.turned = self.code.cell(f"[{TURNED} x i8]")

    def write(self) -> None:
        """Go over chunks of samples and groups, and within over samples and bands."""
        given = self.given
        self.of_place = self.do("mul", given["padded"], self.size)
        places = self.do("mul", given["inputs"], given["places"])
        of_unit = self.do("mul", places, self.of_place)
        with self.loop("%first", "%end") as unit:
            chunk, group = self.parted(unit, given["groups"])
            first = self.do("mul", chunk, given["chunk"])
            end = self.smaller(self.do("add", first, given["chunk"]), given["samples"])
            out = self.beyond(self.out, unit, of_unit)
            inputs = self.do("mul", group, given["inputs"])
            outputs = self.do("mul", group, given["outputs"])
            x = self.beyond(self.x, inputs, given["x_channel"])
            y = self.beyond(self.y, outputs, given["y_channel"])
            with self.loop(first, end) as sample, self.loop(0, given["bands"]) as number:
                top = self.do("mul", number, given["band"])
                self.count = self.smaller(given["band"], self.do("sub", given["rows"], top))
                of_y = self.beyond(self.beyond(y, sample, given["y_sample"]), top, given["y_row"])
                self._turn(of_y)
                self._channels(self.beyond(x, sample, given["x_sample"]), out, top)

    def _turn(self, y: str) -> None:
        """Put all outputs of a window side by side."""
        windows = self.do("mul", self.count, self.given["windows"])
        source = Source(y, str(self.size), self.given["y_channel"], self.given["outputs"])
        target = Target(self.turned, self.of_place, self.bytes_of_vector)
        vectors = self.do("udiv", self.given["padded"], self.code.lanes)
        self.pack(target, source, vectors, windows, ())

    def _channels(self, x: str, out: str, top: str) -> None:
        """Go over channels, some at a time."""
        given = self.given
        with self.loop(0, given["turns"]) as turn:
            before = self.do("mul", turn, given["turn"])
            channels = self.smaller(given["turn"], self.do("sub", given["inputs"], before))
            self.copy(self.beyond(x, before, given["x_channel"]), channels, top, self.count)
            skip = self.do("mul", before, given["places"])
            depth = self.do("mul", channels, given["places"])
            self._tiles(self.beyond(out, skip, self.of_place), depth)

    def _tiles(self, out: str, depth: str) -> None:
        """Go over vectors of outputs, two at a time, and places in the kernel."""
        vectors = self.do("udiv", self.given["padded"], self.code.lanes)
        begin = self.code.cell("i64")
        self.code.lines.append(f"store i64 0, ptr {begin}")
        for columns in (2, 1):
            with self.loop(self.load("i64", begin), vectors, columns) as vector:
                to = self.beyond(out, vector, self.bytes_of_vector)
                y = self.beyond(self.turned, vector, self.bytes_of_vector)
                self._places(to, y, depth, columns)
                self.code.lines.append(f"store i64 {self.do('add', vector, columns)}, ptr {begin}")

    def _places(self, out: str, y: str, depth: str, columns: int) -> None:
        begin, most = self.code.cell("i64"), tiles().products[0]
        self.code.lines.append(f"store i64 0, ptr {begin}")
        for height in (most, 1):
            with self.loop(self.load("i64", begin), depth, height) as k:
                reads = [
                    self.at(self.copies, self.load("i64", self.beyond(self.offsets, place, 8)))
                    for place in [self.do("add", k, i) for i in range(height)]
                ]
                self._tile(self.beyond(out, k, self.of_place), reads, y, columns)
                self.code.lines.append(f"store i64 {self.do('add', k, height)}, ptr {begin}")

    def _tile(self, out: str, reads: list[str], y: str, columns: int) -> None:
        places = [
            [self.at(line, column * self.bytes_of_vector) for column in range(columns)]
            for line in [self.beyond(out, i, self.of_place) for i in range(len(reads))]
        ]
        sums = [self.sums(columns) for _ in reads]
        with self.loop(0, self.count) as row:
            lines = [self.beyond(read, row, self.of_copy) for read in reads]
            of_row = self.beyond(y, self.do("mul", row, self.given["windows"]), self.of_place)
            with self.loop(0, self.given["windows"]) as window:
                self._add(sums, lines, self.beyond(of_row, window, self.of_place), window)
        for cells, line in zip(sums, places, strict=True):
            for cell, place in zip(cells, line, strict=True):
                self.store(self.vector(cell) + self.vector(place), place, self.size)

    def _add(self, sums: list[list[str]], lines: list[str], y: str, window: str) -> None:
        columns, offset = len(sums[0]), self.do("mul", window, self.size)
        vectors = [self.vector(self.at(y, c * self.bytes_of_vector)) for c in range(columns)]
        for cells, line in zip(sums, lines, strict=True):
            factor = self.element(self.at(line, offset))
            for cell, vector in zip(cells, vectors, strict=True):
                self.add(cell, factor, vector)
            self.keep_order()
