"""The maximum of windows that lie side by side, and its derivative, in machine code.

Windows of K0 x K1 with strides of the same: K0 rows of an image make a row of results, and each
element belongs to one window. A row's elements are loaded as they lie and sorted by their place in
the window, so lengths are part of the code: what is left of a row is a shorter vector.
"""

import ctypes
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from gradx.backends.native import compiler, threads
from gradx.backends.native.storage import user_store
from gradx.backends.native.values import LLVM_TYPES, Code, Value

# What a function is given, and whether it has all elements rather than one for each window.
POINTERS = {"x": True, "e": False, "y": False, "out": True}


class _Row:
    """The code for one row of windows; its pointers are of rows of x, of results and of both."""

    def __init__(self, dtype: str, kernel: tuple[int, int], windows: int) -> None:
        self.dtype, self.kernel, self.windows = dtype, kernel, windows
        self.size = np.dtype(dtype).itemsize
        self.functions: list[str] = []
        self.calls: list[str] = []

    def pieces(self) -> Iterator[tuple[int, Code]]:
        """Cut a row into vectors: where each begins, and the code of a function for it."""
        most = compiler.REGISTER_BYTES // self.size
        takes = ", ".join(f"ptr %{pointer}" for pointer in POINTERS)
        for start in range(0, self.windows, most):
            code = Code(min(most, self.windows - start), compiler.PROCESSOR)
            yield start, code
            head = f"define internal void @piece{start}({takes}) alwaysinline {{\nentry:"
            self.functions.append("\n".join([head, *code.lines, "ret void\n}"]))
            self.calls.append(f"call void @piece{start}({takes})")

    def results(self, code: Code, pointer: str, start: int) -> Value:
        """Load what there is one of for each window."""
        place = self._at(code, pointer, start)
        return code.emit(
            self.dtype, f"load {code.vector(self.dtype)}, ptr {place}, align {self.size}"
        )

    def elements(self, code: Code, pointer: str, start: int) -> list[list[Value]]:
        """Load the elements of windows: for each row of the kernel, for each place in it."""
        rows, places = self.kernel
        kind = LLVM_TYPES[self.dtype]
        wide = f"<{places * code.lanes} x {kind}>"
        found = []
        for row in range(rows):
            place = self._at(code, pointer, (row * self.windows + start) * places)
            whole = code.fresh()
            code.lines.append(f"{whole} = load {wide}, ptr {place}, align {self.size}")
            found.append([self._every(code, whole, wide, k) for k in range(places)])
        return found

    def _every(self, code: Code, whole: str, wide: str, first: int) -> Value:
        places = ", ".join(f"i32 {self.kernel[1] * i + first}" for i in range(code.lanes))
        return code.emit(
            self.dtype,
            f"shufflevector {wide} {whole}, {wide} poison, <{code.lanes} x i32> <{places}>",
        )

    def store(self, code: Code, pointer: str, start: int, value: Value) -> None:
        """Store what there is one of for each window."""
        place = self._at(code, pointer, start)
        vector = code.vector(self.dtype)
        code.lines.append(f"store {vector} {value.name}, ptr {place}, align {self.size}")

    def store_elements(
        self, code: Code, pointer: str, start: int, values: list[list[Value]]
    ) -> None:
        """Store the elements of windows, as ``elements`` loads them."""
        kind, lanes, places = LLVM_TYPES[self.dtype], code.lanes, self.kernel[1]
        for row, line in enumerate(values):
            whole, length = line[0].name, lanes
            for value in line[1:]:
                whole = self._joined(code, whole, length, value)
                length += lanes
            order = ", ".join(f"i32 {k * lanes + i}" for i in range(lanes) for k in range(places))
            wide, indices, mixed = f"<{length} x {kind}>", f"<{length} x i32>", code.fresh()
            place = self._at(code, pointer, (row * self.windows + start) * places)
            code.lines += [
                f"{mixed} = shufflevector {wide} {whole}, {wide} poison, {indices} <{order}>",
                f"store {wide} {mixed}, ptr {place}, align {self.size}",
            ]

    def _joined(self, code: Code, whole: str, length: int, value: Value) -> str:
        kind, lanes = LLVM_TYPES[self.dtype], code.lanes
        wide, longer, joined = f"<{length} x {kind}>", code.fresh(), code.fresh()
        places = ", ".join(f"i32 {min(i, lanes)}" for i in range(length))
        ends = ", ".join(f"i32 {i}" for i in range(length + lanes))
        code.lines += [
            f"{longer} = shufflevector <{lanes} x {kind}> {value.name}, "
            f"<{lanes} x {kind}> poison, <{length} x i32> <{places}>",
            f"{joined} = shufflevector {wide} {whole}, {wide} {longer}, "
            f"<{length + lanes} x i32> <{ends}>",
        ]
        return joined

    def _at(self, code: Code, pointer: str, elements: int) -> str:
        place = code.fresh()
        code.lines.append(f"{place} = getelementptr i8, ptr {pointer}, i64 {elements * self.size}")
        return place


def _larger(x: Value, y: Value) -> Value:
    """Return the maximum as NumPy has it: NaN if one is."""
    return ((x > y) | x.differs(x)).where(x, y)


def _maximum(row: _Row) -> None:
    for start, code in row.pieces():
        found = [x for line in row.elements(code, "%x", start) for x in line]
        while len(found) > 1:
            found = [_larger(*found[:2]), *found[2:]]
        row.store(code, "%e", start, found[0])


def _spread(row: _Row) -> None:
    for start, code in row.pieces():
        extreme, y = (row.results(code, pointer, start) for pointer in ("%e", "%y"))
        lines = row.elements(code, "%x", start)
        won = [[x.equal(extreme) | x.differs(x) for x in line] for line in lines]
        count = y.like(0.0)
        for mask in (mask for line in won for mask in line):
            count = mask.where(count + 1.0, count)
        share = extreme.differs(extreme).where(extreme, y / count)
        parts = [[mask.where(share, 0.0) for mask in line] for line in won]
        row.store_elements(code, "%out", start, parts)


FUNCTIONS: dict[str, Callable[[_Row], None]] = {"maximum": _maximum, "spread": _spread}


@cache
def row_function(
    name: str, dtype: str, kernel: tuple[int, int], windows: int
) -> Callable[..., None]:
    """Return ``f(x, extreme, y, out, rows)``, of addresses, for rows of so many windows."""
    row = _Row(dtype, kernel, windows)
    FUNCTIONS[name](row)
    (address,) = compiler.addresses(_text(row), ("pool",), user_store())
    loop = threads.loop_at(address)

    def over_rows(*arguments: int) -> None:
        *addresses, rows = arguments
        arrays = (ctypes.c_int64 * len(POINTERS))(*addresses)
        threads.run(loop, ctypes.addressof(arrays), 0, rows)

    return over_rows


def _text(row: _Row) -> str:
    """Write the loop over rows, of some of the pointers' rows, beginning with ``%first``."""
    found, moved, moves = [], ["%row = phi i64 [ %first, %entry ], [ %next, %body ]"], []
    for place, (p, whole) in enumerate(POINTERS.items()):
        step = row.windows * row.size * (row.kernel[0] * row.kernel[1] if whole else 1)
        found += [
            f"%{p}_at = getelementptr i8, ptr %arrays, i64 {8 * place}",
            f"%{p}_array = load ptr, ptr %{p}_at",
            f"%{p}_before = mul i64 %first, {step}",
            f"%{p}0 = getelementptr i8, ptr %{p}_array, i64 %{p}_before",
        ]
        moved.append(f"%{p} = phi ptr [ %{p}0, %entry ], [ %{p}1, %body ]")
        moves.append(f"%{p}1 = getelementptr i8, ptr %{p}, i64 {step}")
    return "\n".join(
        [
            "define i32 @pool(ptr %arrays, ptr %nothing, i64 %first, i64 %end) {\nentry:",
            *[*found, "br label %body\nbody:", *moved, *row.calls, *moves],
            "%next = add i64 %row, 1\n%more = icmp ult i64 %next, %end",
            "br i1 %more, label %body, label %done\ndone:\nret i32 0\n}",
            *row.functions,
        ]
    )
