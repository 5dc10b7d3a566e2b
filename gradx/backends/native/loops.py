"""Functions of loops over memory under construction: what those that multiply are written with."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from gradx.backends.native import compiler
from gradx.backends.native.values import LLVM_TYPES, Code, Value, muladd


class Writer:
    """A function under construction: loops, pointers, and vectors in registers."""

    name = ""

    def __init__(self, dtype: str, lanes: int) -> None:
        self.dtype = dtype
        self.size = np.dtype(dtype).itemsize
        self.bytes_of_vector = lanes * self.size
        self.code = Code(lanes, compiler.PROCESSOR)

    def text(self) -> str:
        """Write the function, and what it declares."""
        self.write()
        head = f"define i32 @{self.name}(ptr %arrays, ptr %numbers, i64 %first, i64 %end)"
        body = "\n".join([*self.code.cells, *self.code.lines, "ret i32 0"])
        return "\n".join([f"{head} {{\nentry:\n{body}\n}}", *self.code.declarations.values()])

    def write(self) -> None:
        """Write the body."""
        raise NotImplementedError

    def load(self, kind: str, pointer: str) -> str:
        """Load a number."""
        name = self.code.fresh()
        self.code.lines.append(f"{name} = load {kind}, ptr {pointer}")
        return name

    def do(self, instruction: str, x: object, y: object) -> str:
        """Compute with two integers."""
        name = self.code.fresh()
        self.code.lines.append(f"{name} = {instruction} i64 {x}, {y}")
        return name

    def at(self, pointer: str, offset: object) -> str:
        """Return the place so many bytes later."""
        name = self.code.fresh()
        self.code.lines.append(f"{name} = getelementptr i8, ptr {pointer}, i64 {offset}")
        return name

    def beyond(self, pointer: str, count: object, size: object) -> str:
        """Return the place of an element of ``size`` bytes."""
        return self.at(pointer, self.do("mul", count, size))

    def vector(self, pointer: str) -> Value:
        """Load elements that lie one after another."""
        kind = self.code.vector(self.dtype)
        return self.code.emit(self.dtype, f"load {kind}, ptr {pointer}, align {self.size}")

    def element(self, pointer: str) -> Value:
        """Load one element, into all places of a vector."""
        kind, vector = LLVM_TYPES[self.dtype], self.code.vector(self.dtype)
        element, first = self.code.fresh(), self.code.fresh()
        self.code.lines += [
            f"{element} = load {kind}, ptr {pointer}, align {self.size}",
            f"{first} = insertelement {vector} poison, {kind} {element}, i32 0",
        ]
        places = f"<{self.code.lanes} x i32> zeroinitializer"
        return self.code.emit(
            self.dtype, f"shufflevector {vector} {first}, {vector} poison, {places}"
        )

    def store(self, value: Value, pointer: str, align: int) -> None:
        """Store elements one after another."""
        kind = self.code.vector(value.dtype)
        self.code.lines.append(f"store {kind} {value.name}, ptr {pointer}, align {align}")

    @contextmanager
    def loop(self, first: object, end: object, step: object = 1) -> Iterator[str]:
        """Count from ``first`` in steps, as long as a whole step is left before ``end``."""
        code, cell = self.code, self.code.cell("i64")
        head, body, done = code.label("head"), code.label("body"), code.label("done")
        code.lines += [f"store i64 {first}, ptr {cell}", f"br label %{head}"]
        code.start(head)
        place, more = self.load("i64", cell), code.fresh()
        after = self.do("add", place, step)
        code.lines += [
            f"{more} = icmp ule i64 {after}, {end}",
            f"br i1 {more}, label %{body}, label %{done}",
        ]
        code.start(body)
        yield place
        code.lines += [f"store i64 {after}, ptr {cell}", f"br label %{head}"]
        code.start(done)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Run a block of code only where a condition holds."""
        then, after = self.code.label("then"), self.code.label("after")
        self.code.lines.append(f"br i1 {condition}, label %{then}, label %{after}")
        self.code.start(then)
        yield
        self.code.lines.append(f"br label %{after}")
        self.code.start(after)

    def choose(self, condition: str, x: object, y: object, kind: str = "i64") -> str:
        """Return one of two integers, or pointers."""
        name = self.code.fresh()
        self.code.lines.append(f"{name} = select i1 {condition}, {kind} {x}, {kind} {y}")
        return name

    def smaller(self, x: object, y: object) -> str:
        """Return the smaller of two integers."""
        return self.choose(self.do("icmp ult", x, y), x, y)

    def both(self, x: str, y: str) -> str:
        """Tell whether two conditions hold."""
        name = self.code.fresh()
        self.code.lines.append(f"{name} = and i1 {x}, {y}")
        return name

    def mask(self, count: str) -> Value:
        """Return a mask of the first elements of a vector."""
        lanes, vector = self.code.lanes, f"<{self.code.lanes} x i64>"
        first, every = self.code.fresh(), self.code.fresh()
        self.code.lines += [
            f"{first} = insertelement {vector} poison, i64 {count}, i32 0",
            f"{every} = shufflevector {vector} {first}, {vector} poison,"
            f" <{lanes} x i32> zeroinitializer",
        ]
        numbers = ", ".join(f"i64 {i}" for i in range(lanes))
        return self.code.emit("bool", f"icmp ult {vector} <{numbers}>, {every}")

    def masked(self, kind: str) -> str:
        """Return the name of what loads or stores some elements of a vector."""
        vector = self.code.vector(self.dtype)
        symbol = f"@llvm.masked.{kind}.v{self.code.lanes}f{8 * self.size}.p0"
        bits = self.code.vector("bool")
        self.code.declarations[symbol] = {
            "load": f"declare {vector} {symbol}(ptr, i32, {bits}, {vector})",
            "store": f"declare void {symbol}({vector}, ptr, i32, {bits})",
        }[kind]
        return symbol

    def some(self, pointer: str, mask: Value) -> Value:
        """Load some elements, and zeros for the others."""
        vector, bits = self.code.vector(self.dtype), self.code.vector("bool")
        return self.code.emit(
            self.dtype,
            f"call {vector} {self.masked('load')}(ptr {pointer}, i32 {self.size},"
            f" {bits} {mask.name}, {vector} zeroinitializer)",
        )

    def store_some(self, value: Value, pointer: str, mask: Value) -> None:
        """Store some elements."""
        vector, bits = self.code.vector(self.dtype), self.code.vector("bool")
        self.code.lines.append(
            f"call void {self.masked('store')}({vector} {value.name}, ptr {pointer},"
            f" i32 {self.size}, {bits} {mask.name})"
        )

    def sums(self, count: int) -> list[str]:
        """Make places for sums, with nothing in them; LLVM makes registers of them."""
        kind = self.code.vector(self.dtype)
        cells = [self.code.cell(kind) for _ in range(count)]
        self.code.lines += [f"store {kind} zeroinitializer, ptr {cell}" for cell in cells]
        return cells

    def add(self, cell: str, x: Value, y: Value) -> None:
        """Add a product to a sum."""
        self.store(muladd(x, y, self.vector(cell)), cell, 64)

    def keep_order(self) -> None:
        """Let no load move past this line: LLVM would load more factors than registers hold."""
        self.code.lines.append('call void asm sideeffect "", "~{memory}"()')

    def add_earlier(self, sums: list[list[str]], places: list[list[str]], last: Value) -> None:
        """Add what lies where sums belong; of each row's last vector there is a part."""
        for cells, line in zip(sums, places, strict=True):
            found = [self.vector(place) for place in line[:-1]] + [self.some(line[-1], last)]
            for cell, earlier in zip(cells, found, strict=True):
                self.store(self.vector(cell) + earlier, cell, 64)

    def put_down(self, sums: list[list[str]], places: list[list[str]], last: Value) -> None:
        """Store sums where they belong."""
        for cells, line in zip(sums, places, strict=True):
            for cell, place in zip(cells[:-1], line[:-1], strict=True):
                self.store(self.vector(cell), place, self.size)
            self.store_some(self.vector(cells[-1]), line[-1], last)


def module(texts: list[str]) -> str:
    """Put functions together, with what they declare once."""
    lines = [line for text in texts for line in text.splitlines()]
    declared = dict.fromkeys(line for line in lines if line.startswith("declare"))
    return "\n".join([*[line for line in lines if not line.startswith("declare")], *declared, ""])
