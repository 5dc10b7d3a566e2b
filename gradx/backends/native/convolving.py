"""Convolution of whole samples in machine code, with strides of 1 and two spatial axes.

For each column of the kernel the rows of a sample are copied once, as far as windows reach along
them, with zeros for padding. Windows one after another are then elements one after another, to
each place in the kernel begun at another offset, and a product of matrices is all that is left: of
the kernels, and of lines of windows. A unit is a band of rows of one sample, so whoever computes
it copies what it reads by itself, on its stack, and writes results to where they belong.

Sums are added up in the order of the places, channels, then rows, then columns of the kernel, in
parts of some channels.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from gradx.backends.native import compiler
from gradx.backends.native.loops import module
from gradx.backends.native.samples import COPIES, WORD, Samples
from gradx.backends.native.storage import user_store
from gradx.backends.native.threads import Loop, loop_at
from gradx.backends.native.windows import tiles

POINTERS = ("out", "x", "weight", "offsets")
# Lengths are in elements; "sample", "channel" and "row" of an array are in bytes. A band has "band"
# rows of windows, "reach" more of the sample. Of the channels, "turn" at a time are copied.
NUMBERS = (
    *("groups", "bands", "band", "reach", "outputs", "inputs", "turn", "turns"),
    *("height", "width", "rows", "columns", "kernel", "before", "left", "dilation", "places"),
    *("x_sample", "x_channel", "x_row"),
)


class Loops(NamedTuple):
    """The loop for one dtype, and how many elements may be copied at a time."""

    convolve: Loop
    most: int


@cache
def loops(dtype: str) -> Loops:
    """Return the loop for float32 or float64."""
    size = np.dtype(dtype).itemsize
    source = module([_Convolve(dtype, compiler.REGISTER_BYTES // size).text()])
    (convolve,) = compiler.addresses(source, ("convolve",), user_store(), compiler.PASSES)
    return Loops(loop_at(convolve), COPIES // size)


class _Convolve(Samples):
    name = "convolve"

    def __init__(self, dtype: str, lanes: int) -> None:
        super().__init__(dtype, lanes, POINTERS, NUMBERS)
        self.out, self.x, self.weight, self.offsets = self.pointers

    def write(self) -> None:
        """Go over bands, groups and samples."""
        given = self.given
        windows = self.do("mul", given["rows"], given["columns"])
        self.of_out = self.do("mul", windows, self.size)
        self.of_weight = self.do("mul", self.do("mul", given["inputs"], given["places"]), self.size)
        of_group = self.do("mul", given["outputs"], self.of_out)
        with self.loop("%first", "%end") as unit:
            rest, number = self.parted(unit, given["bands"])
            first = self.do("mul", number, given["band"])
            rows = self.smaller(given["band"], self.do("sub", given["rows"], first))
            sample, group = self.parted(rest, given["groups"])
            out = self.beyond(self.beyond(self.out, rest, of_group), first, self.of_copy)
            inputs = self.do("mul", group, given["inputs"])
            x = self.beyond(self.x, sample, given["x_sample"])
            x = self.beyond(x, inputs, given["x_channel"])
            outputs = self.do("mul", group, given["outputs"])
            weight = self.beyond(self.weight, outputs, self.of_weight)
            with self.loop(0, given["turns"]) as self.turn:
                before = self.do("mul", self.turn, given["turn"])
                channels = self.smaller(given["turn"], self.do("sub", given["inputs"], before))
                self.copy(self.beyond(x, before, given["x_channel"]), channels, first, rows)
                self.depth = self.do("mul", channels, given["places"])
                skip = self.do("mul", before, given["places"])
                self._lines(self.beyond(weight, skip, self.size), out, rows)

    def _lines(self, weight: str, out: str, rows: str) -> None:
        """Go over the windows of a band, as many vectors at a time as a tile has."""
        lanes, most = self.code.lanes, tiles().products[1]
        count = self.do("mul", rows, self.given["columns"])
        vectors = self.do("udiv", self.do("add", count, lanes - 1), lanes)
        # Those that are left over are two and two: one alone would be slow.
        strips = self.do("udiv", self.do("add", vectors, most - 1), most)
        narrow = self.do("sub", self.do("mul", strips, most), vectors)
        whole = self.do("mul", self.do("sub", strips, narrow), most)
        whole = self.choose(self.do("icmp ugt", narrow, strips), 0, whole)
        begin = self.code.cell("i64")
        self.code.lines.append(f"store i64 0, ptr {begin}")
        for columns, end in ((most, whole), (most - 1, vectors), (1, vectors)):
            with self.loop(self.load("i64", begin), end, columns) as vector:
                last = self.do("add", vector, columns - 1)
                left = self.do("sub", count, self.do("mul", last, lanes))
                self.last = self.mask(self.smaller(left, lanes))
                lines = self.beyond(self.copies, vector, self.bytes_of_vector)
                self._tiles(weight, lines, self.beyond(out, vector, self.bytes_of_vector), columns)
                self.code.lines.append(f"store i64 {self.do('add', vector, columns)}, ptr {begin}")

    def _tiles(self, weight: str, lines: str, out: str, columns: int) -> None:
        begin, most = self.code.cell("i64"), tiles().products[0]
        self.code.lines.append(f"store i64 0, ptr {begin}")
        for height in (most, most // 2, 1):
            with self.loop(self.load("i64", begin), self.given["outputs"], height) as output:
                row = self.beyond(weight, output, self.of_weight)
                self._tile(row, lines, self.beyond(out, output, self.of_out), (height, columns))
                self.code.lines.append(f"store i64 {self.do('add', output, height)}, ptr {begin}")

    def _tile(self, weight: str, lines: str, out: str, shape: tuple[int, int]) -> None:
        height, columns = shape
        places = [
            [self.at(line, column * self.bytes_of_vector) for column in range(columns)]
            for line in [self.beyond(out, i, self.of_out) for i in range(height)]
        ]
        sums = [self.sums(columns) for _ in range(height)]
        rows = [self.beyond(weight, i, self.of_weight) for i in range(height)]
        with self.loop(0, self.depth) as k:
            read = self.at(lines, self.load("i64", self.beyond(self.offsets, k, WORD)))
            offset = self.do("mul", k, self.size)
            vectors = [self.vector(self.at(read, c * self.bytes_of_vector)) for c in range(columns)]
            for row, cells in zip(rows, sums, strict=True):
                factor = self.element(self.at(row, offset))
                for cell, vector in zip(cells, vectors, strict=True):
                    self.add(cell, factor, vector)
                self.keep_order()
        with self.when(self.do("icmp ne", self.turn, 0)):
            self.add_earlier(sums, places, self.last)
        self.put_down(sums, places, self.last)
