"""Strips: columns of a matrix copied side by side, one row of them after another, in whole vectors.

However a matrix lies in memory, a strip of it lies in the order in which a product reads it.
"""

from typing import NamedTuple

from gradx.backends.native.loops import Writer
from gradx.backends.native.values import Value


class Source(NamedTuple):
    """Some columns of a matrix: where they begin, the bytes between rows and columns, how many."""

    begin: str
    row: str
    column: str
    columns: str


class Target(NamedTuple):
    """Where strips go: where they begin, the bytes between rows and vectors."""

    begin: str
    row: object
    vector: object


class Packer(Writer):
    """A function that packs strips."""

    def pack(
        self,
        to: Target,
        source: Source,
        width: object,
        depth: str,
        sizes: tuple[int, ...],
        in_columns: bool = True,
    ) -> None:
        """Copy ``depth`` rows of ``width`` vectors: together, if it is so many in a row.

        What is beyond the last column is 0, or that column again. Where the source is never
        ``in_columns``, there is no code for that.
        """
        is_along = self.do("icmp eq", source.column, self.size)
        vectors = self.choose(is_along, self.do("udiv", source.columns, self.code.lanes), 0)
        done = self.code.cell("i64")
        self.code.lines.append(f"store i64 0, ptr {done}")
        for columns in sizes:
            with self.when(self.do("icmp eq", vectors, columns)), self.loop(0, depth) as k:
                row = self.beyond(source.begin, k, source.row)
                self._copy(self.beyond(to.begin, k, to.row), to.vector, row, columns)
                self.code.lines.append(f"store i64 {columns}, ptr {done}")
        with self.loop(self.load("i64", done), width) as place:
            before = self.do("mul", place, self.code.lanes)
            rest = source._replace(
                begin=self.beyond(source.begin, before, source.column),
                columns=self.smaller(self.do("sub", source.columns, before), self.code.lanes),
            )
            self._vector(self.beyond(to.begin, place, to.vector), to.row, rest, depth, in_columns)

    def _copy(self, to: str, apart: object, source: str, columns: int) -> None:
        """Copy vectors of a row that lie side by side."""
        vectors = [self.vector(self.at(source, i * self.bytes_of_vector)) for i in range(columns)]
        for i, value in enumerate(vectors):
            self.store(value, self.beyond(to, i, apart), self.bytes_of_vector)

    def _vector(self, to: str, step: object, source: Source, depth: str, in_columns: bool) -> None:
        """Pack as many columns as a vector has, or the last columns."""
        done = self.code.cell("i64")
        self.code.lines.append(f"store i64 0, ptr {done}")
        with self.when(self.do("icmp eq", source.column, self.size)):
            mask = self.mask(source.columns)
            with self.loop(0, depth) as k:
                value = self.some(self.beyond(source.begin, k, source.row), mask)
                self.store(value, self.beyond(to, k, step), self.bytes_of_vector)
            self.code.lines.append(f"store i64 {depth}, ptr {done}")
        if in_columns:
            with self.when(self.do("icmp eq", source.row, self.size)):
                self._squares(to, step, source, (self.load("i64", done), depth), done)
        self._one_by_one(to, step, source, self.load("i64", done), depth)

    def _squares(
        self, to: str, step: object, source: Source, rows: tuple[str, str], done: str
    ) -> None:
        """Pack columns that lie one after another: as many rows at a time as columns."""
        lanes, last = self.code.lanes, self.do("sub", source.columns, 1)
        lines = [
            self.beyond(source.begin, self.smaller(i, last), source.column) for i in range(lanes)
        ]
        with self.loop(*rows, lanes) as k:
            offset = self.do("mul", k, self.size)
            vectors = [self.vector(self.at(line, offset)) for line in lines]
            for i, value in enumerate(self._turned(vectors)):
                place = self.beyond(to, self.do("add", k, i), step)
                self.store(value, place, self.bytes_of_vector)
            self.code.lines.append(f"store i64 {self.do('add', k, lanes)}, ptr {done}")

    def _one_by_one(self, to: str, step: object, source: Source, first: str, depth: str) -> None:
        last, kind = self.do("sub", source.columns, 1), f"i{8 * self.size}"
        with self.loop(first, depth) as k:
            line, row = self.beyond(source.begin, k, source.row), self.beyond(to, k, step)
            with self.loop(0, self.code.lanes) as i:
                value = self.load(kind, self.beyond(line, self.smaller(i, last), source.column))
                place = self.beyond(row, i, self.size)
                self.code.lines.append(f"store {kind} {value}, ptr {place}")

    def _turned(self, vectors: list[Value]) -> list[Value]:
        """Return the columns of a square of elements: halves are interleaved again and again."""
        lanes, kind = self.code.lanes, self.code.vector(self.dtype)
        half = lanes // 2
        orders = [
            ", ".join(f"i32 {i}" for pair in range(half) for i in (low + pair, low + pair + lanes))
            for low in (0, half)
        ]
        for _ in range(lanes.bit_length() - 1):
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [
                self.code.emit(
                    self.dtype,
                    f"shufflevector {kind} {x.name}, {kind} {y.name}, <{lanes} x i32> <{order}>",
                )
                for x, y in pairs
                for order in orders
            ]
        return vectors
