"""The loop along a row: whole vectors, then what is left over through a small buffer.

The code of the body is there once. For the last, incomplete vector its pointers are turned to
a buffer that the rest of the row was copied to, so that no load or store touches what is not
the row's.
"""

from collections.abc import Callable

from gradx.backends.native.values import Code, Value
from gradx.graph.equations import Variable
from gradx.graph.native.scopes import load_vector, size_of, store_vector, stored

Pointers = dict[Variable, str]


class Row:
    """What the body of the loop along a row may ask for."""

    def __init__(self, code: Code, cells: "Cells", whole: bool) -> None:
        self.code, self.cells = code, cells
        self.whole = whole

    def load(self, variable: Variable) -> Value:
        """Load the elements of this turn."""
        return load_vector(self.code, self._place(variable), variable.dtype)

    def store(self, variable: Variable, value: Value) -> None:
        """Store the elements of this turn."""
        store_vector(self.code, self._place(variable), value)

    def _place(self, variable: Variable) -> str:
        code = self.code
        base, index, place = code.fresh(), code.fresh(), code.fresh()
        bytes_, size = code.fresh(), size_of(variable.dtype)
        code.lines += [
            f"{base} = load ptr, ptr {self.cells.base[variable]}",
            f"{index} = load i64, ptr {self.cells.index}",
            f"{bytes_} = mul i64 {index}, {size}",
            f"{place} = getelementptr inbounds i8, ptr {base}, i64 {bytes_}",
        ]
        return place

    def valid(self) -> Value:
        """Return a mask of the elements that are the row's."""
        return self.code.emit("bool", f"load {self.code.vector('bool')}, ptr {self.cells.mask}")

    def column(self) -> str:
        """Return how many elements of the row came before this turn."""
        column = self.code.fresh()
        self.code.lines.append(f"{column} = load i64, ptr {self.cells.column}")
        return column


class Vector(Row):
    """A row that is one vector: there is no loop, and no buffer."""

    def __init__(self, code: Code, pointers: Pointers) -> None:
        self.code, self.pointers = code, pointers

    def _place(self, variable: Variable) -> str:
        return self.pointers[variable]

    def valid(self) -> Value:
        return self.code.constant("bool", True)

    def column(self) -> str:
        return "0"


class Cells:
    """Places on the stack for what changes from turn to turn; LLVM makes registers of them."""

    def __init__(self, code: Code, variables: list[Variable]) -> None:
        self.index, self.column = code.cell("i64"), code.cell("i64")
        self.left, self.last = code.cell("i64"), code.cell("i1")
        self.mask = code.cell(code.vector("bool"))
        self.base = {v: code.cell("ptr") for v in variables}
        self.end = {v: code.cell("ptr") for v in variables}
        self.buffer = {v: code.cell(f"[{code.lanes * size_of(v.dtype)} x i8]") for v in variables}


def along_row(
    code: Code, length: str, inputs: Pointers, outputs: Pointers, body: Callable[[Row], None]
) -> None:
    """Run ``body`` for every vector of a row of ``length`` elements."""
    pointers = inputs | outputs
    cells = Cells(code, list(pointers))
    head, whole, rest, turn, further, last, done = (
        code.label(name) for name in ("head", "whole", "rest", "turn", "further", "last", "done")
    )
    code.lines += [f"store ptr {p}, ptr {cells.base[v]}" for v, p in pointers.items()]
    code.lines += [
        f"store i64 0, ptr {cells.index}",
        f"store i64 0, ptr {cells.column}",
        f"store i64 {length}, ptr {cells.left}",
        f"store i1 false, ptr {cells.last}",
        f"store {code.vector('bool')} splat (i1 true), ptr {cells.mask}",
        f"br label %{head}",
    ]
    _choose(code, cells, head, turn, whole, rest, done)
    _copy_rest(code, cells, inputs, outputs, rest, turn)
    code.start(turn)
    body(Row(code, cells, True))
    _go_on(code, cells, head, further, last)
    _copy_back(code, cells, outputs, last, done)
    code.start(done)


def _choose(code, cells, head, turn, whole, rest, done) -> None:
    left, enough, some = code.fresh(), code.fresh(), code.fresh()
    code.start(head)
    code.lines += [
        f"{left} = load i64, ptr {cells.left}",
        f"{enough} = icmp uge i64 {left}, {code.lanes}",
        f"br i1 {enough}, label %{turn}, label %{whole}",
    ]
    code.start(whole)
    code.lines += [
        f"{some} = icmp ne i64 {left}, 0",
        f"br i1 {some}, label %{rest}, label %{done}",
    ]


def _copy_rest(code, cells, inputs, outputs, rest, turn) -> None:
    code.start(rest)
    left, index = code.fresh(), code.fresh()
    code.lines += [
        f"{left} = load i64, ptr {cells.left}",
        f"{index} = load i64, ptr {cells.index}",
        f"store i1 true, ptr {cells.last}",
    ]
    mask = _first(code, left)
    code.lines.append(f"store {code.vector('bool')} {mask}, ptr {cells.mask}")
    for variable in [*inputs, *outputs]:
        base, place, offset = code.fresh(), code.fresh(), code.fresh()
        size = size_of(variable.dtype)
        code.lines += [
            f"{base} = load ptr, ptr {cells.base[variable]}",
            f"{offset} = mul i64 {index}, {size}",
            f"{place} = getelementptr inbounds i8, ptr {base}, i64 {offset}",
            f"store ptr {place}, ptr {cells.end[variable]}",
            f"store ptr {cells.buffer[variable]}, ptr {cells.base[variable]}",
        ]
        if variable in inputs:
            _copy(code, cells.buffer[variable], place, variable.dtype, left, mask)
    code.lines += [f"store i64 0, ptr {cells.index}", f"br label %{turn}"]


def _copy(code: Code, target: str, source: str, dtype: str, count: str, mask: str) -> None:
    """Copy the elements of a mask, the first ``count``, into a buffer of a whole vector."""
    if not code.processor.masked_moves:
        code.copy(target, source, count, size_of(dtype))
        return
    vector, masks = f"<{code.lanes} x {stored(dtype)}>", code.vector("bool")
    symbol, value = _masked(code, "load", dtype), code.fresh()
    code.declarations[symbol] = f"declare {vector} {symbol}(ptr, i32, {masks}, {vector})"
    arguments = f"ptr {source}, i32 {size_of(dtype)}, {masks} {mask}, {vector} zeroinitializer"
    code.lines += [
        f"{value} = call {vector} {symbol}({arguments})",
        f"store {vector} {value}, ptr {target}, align {size_of(dtype)}",
    ]


def _copy_out(code: Code, target: str, source: str, dtype: str, count: str, mask: str) -> None:
    """Copy the elements of a mask, the first ``count``, out of a buffer."""
    if not code.processor.masked_moves:
        code.copy(target, source, count, size_of(dtype))
        return
    vector, masks = f"<{code.lanes} x {stored(dtype)}>", code.vector("bool")
    symbol, value = _masked(code, "store", dtype), code.fresh()
    code.declarations[symbol] = f"declare void {symbol}({vector}, ptr, i32, {masks})"
    arguments = f"{vector} {value}, ptr {target}, i32 {size_of(dtype)}, {masks} {mask}"
    code.lines += [
        f"{value} = load {vector}, ptr {source}, align {size_of(dtype)}",
        f"call void {symbol}({arguments})",
    ]


def _masked(code: Code, move: str, dtype: str) -> str:
    kind = stored(dtype)
    short = {"float": "f32", "double": "f64"}.get(kind, kind)
    return f"@llvm.masked.{move}.v{code.lanes}{short}.p0"


def _first(code: Code, count: str) -> str:
    """Return a mask of so many elements from the front."""
    short, first, splat = code.fresh(), code.fresh(), code.fresh()
    lanes = f"<{code.lanes} x i32>"
    places = ", ".join(f"i32 {i}" for i in range(code.lanes))
    code.lines += [
        f"{short} = trunc i64 {count} to i32",
        f"{first} = insertelement {lanes} poison, i32 {short}, i32 0",
        f"{splat} = shufflevector {lanes} {first}, {lanes} poison, {lanes} zeroinitializer",
    ]
    return code.emit("bool", f"icmp ult {lanes} <{places}>, {splat}").name


def _go_on(code, cells, head, further, last) -> None:
    incomplete = code.fresh()
    code.lines += [
        f"{incomplete} = load i1, ptr {cells.last}",
        f"br i1 {incomplete}, label %{last}, label %{further}",
    ]
    code.start(further)
    for cell, step in ((cells.index, "add"), (cells.column, "add"), (cells.left, "sub")):
        old, new = code.fresh(), code.fresh()
        code.lines += [
            f"{old} = load i64, ptr {cell}",
            f"{new} = {step} i64 {old}, {code.lanes}",
            f"store i64 {new}, ptr {cell}",
        ]
    code.lines.append(f"br label %{head}")


def _copy_back(code, cells, outputs, last, done) -> None:
    code.start(last)
    left, mask = code.fresh(), code.fresh()
    code.lines += [
        f"{left} = load i64, ptr {cells.left}",
        f"{mask} = load {code.vector('bool')}, ptr {cells.mask}",
    ]
    for variable in outputs:
        place = code.fresh()
        code.lines.append(f"{place} = load ptr, ptr {cells.end[variable]}")
        _copy_out(code, place, cells.buffer[variable], variable.dtype, left, mask)
    code.lines.append(f"br label %{done}")
