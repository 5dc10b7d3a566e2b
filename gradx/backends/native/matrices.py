"""Products of matrices in machine code: ``out[b] = x[b] @ y[b]``, for any strides of x and y.

A unit is a block of results: some rows, and some *strips*, each of as many columns as a tile has.
A tile stays in registers; rows of it are rows of x, columns vectors of a strip. For so many
products at a time as fit the cache, a strip of y is packed, one row of it after another, and rows
of x are read where they lie, or are packed too where they lie in columns. So whoever computes a
unit packs what it needs by itself, on its stack: that takes less than to wait for another thread,
and for what is in that one's cache.

Sums are added up in parts of some products, one after another, however a product is cut into
units, so results depend neither on that nor on who computes them.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from gradx.backends.native import compiler
from gradx.backends.native.loops import module
from gradx.backends.native.packing import Packer, Source, Target
from gradx.backends.native.storage import user_store
from gradx.backends.native.threads import Loop, loop_at
from gradx.backends.native.windows import tiles

# What a product is, 8 bytes each. Batches have two axes; "row", "column", "outer" and "inner" of an
# operand say where among its strides, in bytes, is that of an axis, "many" is 0 for an operand that
# is one matrix for all. A unit has "chunk" rows, "block" strips; the first "whole" strips have all
# columns of a tile, the others a vector less.
OPERANDS = ("x", "y")
NUMBERS = (
    *("dtype", "rows", "columns", "depth", "turn", "turns", "inner", "strips", "whole"),
    *("chunk", "chunks", "block", "blocks", "may_turn", "may_stay"),
    *(f"{x}_{name}" for x in OPERANDS for name in ("row", "column", "outer", "inner", "many")),
)
# Where a NumPy array keeps things, in bytes after the head that all Python objects have.
DATA, STRIDES, DTYPE, FLAGS = 0, 24, 40, 48
IN_ORDER, ALIGNED = 0x1, 0x100
HEAD = object.__basicsize__
WORD = 8
DEPTH = 192  # products that are added to a tile at a time: its strip stays in the first cache
AT_ONCE = (4, 1)  # vectors of x that are packed together: what lies side by side is read so
MOST_ROWS = 128  # of x in a unit: so many may be packed

Range = tuple[str, str]  # the first, and what comes after the last


class Loops(NamedTuple):
    """The loop for one dtype, how wide strips are, and whether rows of x can be packed."""

    multiply: Loop
    lanes: int
    width: int  # in vectors
    turns: bool


@cache
def loops(dtype: str) -> Loops:
    """Return the loop for float32 or float64."""
    lanes = compiler.REGISTER_BYTES // np.dtype(dtype).itemsize
    source = module([_Product(dtype, lanes).text()])
    (multiply,) = compiler.addresses(source, ("multiply",), user_store(), compiler.PASSES)
    height, width = tiles().products
    # As many rows as a vector holds are packed together, and those of a tile are of one such block.
    return Loops(loop_at(multiply), lanes, width, lanes % height == 0)


class _Product(Packer):
    name = "multiply"

    def __init__(self, dtype: str, lanes: int) -> None:
        super().__init__(dtype, lanes)
        self.width = tiles().products[1]
        self.given = {
            name: self.load("i64", self.at("%numbers", WORD * place))
            for place, name in enumerate(NUMBERS)
        }
        self.arrays = [self.load("ptr", self.at("%arrays", WORD * place)) for place in range(3)]
        self.x, self.y, self.out = (self.load("ptr", self.at(a, HEAD + DATA)) for a in self.arrays)
        self.strides = {
            (x, axis): self._stride(x, axis)
            for x in OPERANDS
            for axis in ("row", "column", "outer", "inner")
        }
        self.strip = self.code.cell(f"[{DEPTH * self.width * self.bytes_of_vector} x i8]")
        self.packed_rows = self.code.cell(f"[{MOST_ROWS * DEPTH * self.size} x i8]")

    def _stride(self, operand: str, axis: str) -> str:
        """Return the bytes between an operand's elements along an axis."""
        array = self.arrays[OPERANDS.index(operand)]
        strides = self.load("ptr", self.at(array, HEAD + STRIDES))
        return self.load("i64", self.at(strides, self.given[f"{operand}_{axis}"]))

    def write(self) -> None:
        """Go over units: blocks of strips are the innermost, then chunks of rows, then matrices."""
        self._check()
        self._find_ways()
        self.of_row = self.do("mul", self.given["columns"], self.size)
        with self.loop("%first", "%end") as unit:
            rest, block = self._parted(unit, self.given["blocks"])
            number, chunk = self._parted(rest, self.given["chunks"])
            rows = self._part(chunk, self.given["chunk"], self.given["rows"])
            strips = self._part(block, self.given["block"], self.given["strips"])
            x, y = self._matrix("x", number), self._matrix("y", number)
            of_matrix = self.do("mul", self.of_row, self.given["rows"])
            out = self.beyond(self.out, number, of_matrix)
            with self.loop(0, self.given["turns"]) as turn:
                skip, end = self._part(turn, self.given["turn"], self.given["depth"])
                self.skip, self.depth = skip, self.do("sub", end, skip)
                self._block(x, y, out, rows, strips)

    def _parted(self, number: str, count: str) -> tuple[str, str]:
        return self.do("udiv", number, count), self.do("urem", number, count)

    def _part(self, number: str, size: str, whole: str) -> Range:
        """Return where a part begins and ends."""
        first = self.do("mul", number, size)
        return first, self.smaller(self.do("add", first, size), whole)

    def _matrix(self, operand: str, number: str) -> str:
        """Return where one matrix of an operand begins."""
        place = self.x if operand == "x" else self.y
        number = self.do("mul", number, self.given[f"{operand}_many"])
        for axis, index in zip(
            ("outer", "inner"), self._parted(number, self.given["inner"]), strict=True
        ):
            place = self.beyond(place, index, self.strides[operand, axis])
        return place

    def _find_ways(self) -> None:
        """Find whether x is packed, and y is not, as they lie in memory."""
        along = self.do("icmp eq", self.strides["y", "column"], self.size)
        may_stay = self.do("icmp ne", self.given["may_stay"], 0)
        self.stays = self.both(along, may_stay)
        down = self.do("icmp eq", self.strides["x", "row"], self.size)
        far = self.do("icmp ne", self.strides["x", "column"], self.size)
        may_turn = self.do("icmp ne", self.given["may_turn"], 0)
        self.turns = self.both(self.both(down, far), may_turn)

    def _block(self, x: str, y: str, out: str, rows: Range, strips: Range) -> None:
        """Add what some products give to a block of results."""
        first, end = rows
        x = self.beyond(x, self.skip, self.strides["x", "column"])
        y = self.beyond(y, self.skip, self.strides["y", "row"])
        x = self.beyond(x, first, self.strides["x", "row"])
        count = self.do("sub", end, first)
        self._find_rows(x, count)
        out = self.beyond(out, first, self.of_row)
        with self.loop(*strips) as number:
            start, width = self._strip(number)
            before = self.do("mul", start, self.code.lanes)
            left = self.do("sub", self.given["columns"], before)
            begin = self._packed(y, before, left, width)
            to = self.beyond(out, start, self.bytes_of_vector)
            last = self.do("mul", self.do("sub", width, 1), self.code.lanes)
            self.last = self.mask(self.smaller(self.do("sub", left, last), self.code.lanes))
            for columns in range(self.width, 0, -1):
                with self.when(self.do("icmp eq", width, columns)):
                    self._tiles(begin, to, count, columns)

    def _packed(self, y: str, before: str, left: str, width: str) -> str:
        """Return where a strip of y is packed, or lies."""
        row, column = self.strides["y", "row"], self.strides["y", "column"]
        columns = self.smaller(left, self.do("mul", width, self.code.lanes))
        source = Source(self.beyond(y, before, column), row, column, columns)
        step, packs = self.do("mul", width, self.bytes_of_vector), self.code.fresh()
        self.code.lines.append(f"{packs} = xor i1 {self.stays}, true")
        with self.when(packs):
            target = Target(self.strip, step, self.bytes_of_vector)
            self.pack(target, source, width, self.depth, tuple(range(self.width, 0, -1)))
        self.step_of_y = self.choose(self.stays, row, step)
        return self.choose(self.stays, source.begin, self.strip, "ptr")

    def _strip(self, number: str) -> tuple[str, str]:
        """Return where a strip begins and how wide it is, in vectors."""
        up = self.do("add", self.given["columns"], self.code.lanes - 1)
        vectors, whole = self.do("udiv", up, self.code.lanes), self.given["whole"]
        is_whole = self.do("icmp ult", number, whole)
        narrow = self.do("mul", self.do("sub", number, whole), self.width - 1)
        later = self.do("add", self.do("mul", whole, self.width), narrow)
        start = self.choose(is_whole, self.do("mul", number, self.width), later)
        width = self.choose(is_whole, self.width, self.width - 1)
        return start, self.smaller(width, self.do("sub", vectors, start))

    def _find_rows(self, x: str, count: str) -> None:
        """Find rows of x where they lie, or pack them, as many together as a vector holds."""
        lanes, row, column = self.code.lanes, self.strides["x", "row"], self.strides["x", "column"]
        of_block = self.do("mul", self.depth, self.bytes_of_vector)
        with self.when(self.turns):
            blocks = self.do("udiv", self.do("add", count, lanes - 1), lanes)
            begin = self.code.cell("i64")
            self.code.lines.append(f"store i64 0, ptr {begin}")
            for size in AT_ONCE:
                with self.loop(self.load("i64", begin), blocks, size) as block:
                    before = self.do("mul", block, lanes)
                    left = self.smaller(self.do("sub", count, before), size * lanes)
                    source = Source(self.beyond(x, before, row), column, row, left)
                    place = self.beyond(self.packed_rows, block, of_block)
                    target = Target(place, self.bytes_of_vector, of_block)
                    self.pack(target, source, size, self.depth, (size,), in_columns=False)
                    self.code.lines.append(f"store i64 {self.do('add', block, size)}, ptr {begin}")
        self.block = self.choose(self.turns, of_block, self.do("mul", row, lanes))
        self.step_of_x = self.choose(self.turns, self.bytes_of_vector, column)
        self.first_row = self.choose(self.turns, self.packed_rows, x, "ptr")

    def _tiles(self, strip: str, out: str, count: str, columns: int) -> None:
        """Compute rows of results: as many at a time as a tile has, then what is left."""
        begin = self.code.cell("i64")
        self.code.lines.append(f"store i64 0, ptr {begin}")
        for height in _heights():
            with self.loop(self.load("i64", begin), count, height) as row:
                block, inside = self._parted(row, str(self.code.lanes))
                x = self.beyond(self.first_row, block, self.block)
                x = self.beyond(x, inside, self.strides["x", "row"])
                self._tile(x, strip, self.beyond(out, row, self.of_row), height, columns)
                self.code.lines.append(f"store i64 {self.do('add', row, height)}, ptr {begin}")

    def _tile(self, x: str, strip: str, out: str, height: int, columns: int) -> None:
        places = [
            [self.at(line, column * self.bytes_of_vector) for column in range(columns)]
            for line in [self.beyond(out, i, self.of_row) for i in range(height)]
        ]
        sums = [self.sums(columns) for _ in range(height)]
        lines = [self.beyond(x, i, self.strides["x", "row"]) for i in range(height)]
        with self.loop(0, self.depth) as k:
            offset = self.do("mul", k, self.step_of_x)
            row = self.beyond(strip, k, self.step_of_y)
            vectors = [self.vector(self.at(row, c * self.bytes_of_vector)) for c in range(columns)]
            for line, cells in zip(lines, sums, strict=True):
                factor = self.element(self.at(line, offset))
                for cell, vector in zip(cells, vectors, strict=True):
                    self.add(cell, factor, vector)
        with self.when(self.do("icmp ne", self.skip, 0)):
            self.add_earlier(sums, places, self.last)
        self.put_down(sums, places, self.last)

    def _check(self) -> None:
        """Return 1 unless every array is of the dtype and aligned, and the last in order."""
        flags, difference = str(ALIGNED), "0"
        for array in self.arrays:
            found, both = self.load("i32", self.at(array, HEAD + FLAGS)), self.code.fresh()
            self.code.lines.append(f"{both} = and i32 {found}, {flags}")
            flags = both
            dtype = self.load("i64", self.at(array, HEAD + DTYPE))
            difference = self.do("or", difference, self.do("xor", dtype, self.given["dtype"]))
        of_out = self.load("i32", self.at(self.arrays[2], HEAD + FLAGS))
        ordered, both, wrong, other, either = (self.code.fresh() for _ in range(5))
        self.code.lines += [
            f"{ordered} = and i32 {of_out}, {IN_ORDER}",
            f"{both} = or i32 {ordered}, {flags}",
            f"{wrong} = icmp ne i32 {both}, {IN_ORDER | ALIGNED}",
            f"{other} = icmp ne i64 {difference}, 0",
            f"{either} = or i1 {wrong}, {other}",
        ]
        stop, go_on = self.code.label("wrong"), self.code.label("right")
        self.code.lines.append(f"br i1 {either}, label %{stop}, label %{go_on}")
        self.code.start(stop)
        self.code.lines.append("ret i32 1")
        self.code.start(go_on)


def _heights() -> tuple[int, ...]:
    """Return the rows of a tile, and of those for what is left over."""
    most = tiles().products[0]
    return (most, most // 2, 1)
