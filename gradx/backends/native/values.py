"""Vectors of LLVM code, written as Python expressions.

A ``Value`` stands for the elements that one turn of a loop works on, as many as
``Code.lanes`` says; an operator on it writes one instruction. No flag allows LLVM to
reorder or to contract arithmetic, so a sum or product is rounded as NumPy rounds it;
where a fused multiply-add is wanted, it is written: ``muladd``.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LLVM_TYPES = {
    "bool": "i1",
    **{f"{sign}int{bits}": f"i{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float32": "float",
    "float64": "double",
}
FLOATS = {"float32", "float64"}
# The integers whose bits a float can be seen as.
BITS = {"float32": "int32", "float64": "int64"}
FLOATING = {"int32": "float32", "int64": "float64"}

Number = bool | int | float


class Processor(NamedTuple):
    """What code is written differently for."""

    fused_multiply_add: bool
    masked_moves: bool  # loads and stores of some elements of a vector, of any size


class Code:
    """The straight lines of one function under construction."""

    def __init__(self, lanes: int, processor: Processor) -> None:
        self.lanes, self.processor = lanes, processor
        self.lines: list[str] = []
        self.declarations: dict[str, str] = {}  # by symbol: what the lines call
        self.cells: list[str] = []  # places on the stack
        self.block = "entry"  # the label of the block that lines are added to
        self._count = 0

    def fresh(self, stem: str = "v") -> str:
        """Return a name that nothing else has."""
        self._count += 1
        return f"%{stem}{self._count}"

    def label(self, stem: str) -> str:
        """Return a name for a block."""
        return self.fresh(f"{stem}.")[1:]

    def cell(self, kind: str) -> str:
        """Make a place on the stack, for one thing of a type of LLVM's."""
        name = self.fresh("cell")
        self.cells.append(f"{name} = alloca {kind}, align 64")
        return name

    def copy(self, target: str, source: str, count: str, size: int) -> None:
        """Copy elements of ``size`` bytes from one pointer to another."""
        symbol = "@llvm.memcpy.p0.p0.i64"
        self.declarations[symbol] = f"declare void {symbol}(ptr, ptr, i64, i1)"
        total = self.fresh()
        self.lines += [
            f"{total} = mul i64 {count}, {size}",
            f"call void {symbol}(ptr {target}, ptr {source}, i64 {total}, i1 false)",
        ]

    def vector(self, dtype: str) -> str:
        """Return LLVM's name of a vector of these."""
        return f"<{self.lanes} x {LLVM_TYPES[dtype]}>"

    def emit(self, dtype: str, instruction: str) -> "Value":
        """Add an instruction, and return its result."""
        name = self.fresh()
        self.lines.append(f"{name} = {instruction}")
        return Value(self, dtype, name)

    def constant(self, dtype: str, number: Number) -> "Value":
        """Return a vector whose elements are all this number."""
        return Value(self, dtype, f"splat ({LLVM_TYPES[dtype]} {literal(dtype, number)})")

    def call(self, symbol: str, dtype: str, *operands: "Value") -> "Value":
        """Call a function of vectors."""
        arguments = ", ".join(f"{self.vector(x.dtype)} {x.name}" for x in operands)
        return self.emit(dtype, f"call {self.vector(dtype)} {symbol}({arguments})")

    def intrinsic(self, name: str, dtype: str, *operands: "Value") -> "Value":
        """Call one of LLVM's own functions, of as many operands of one type."""
        vector = self.vector(dtype)
        kind = "f" if dtype in FLOATS else "i"
        symbol = f"@llvm.{name}.v{self.lanes}{kind}{np.dtype(dtype).itemsize * 8}"
        takes = ", ".join([vector] * len(operands))
        self.declarations[symbol] = f"declare {vector} {symbol}({takes})"
        return self.call(symbol, dtype, *operands)

    def apart(self, name: str, function: Callable[["Value"], "Value"], x: "Value") -> "Value":
        """Call ``function``, kept out of line: there once, and slower to reach."""
        symbol = f"@apart_{name}"
        if symbol not in self.declarations:
            inner = Code(self.lanes, self.processor)
            inner.declarations = self.declarations
            result = function(Value(inner, x.dtype, "%x"))
            takes, gives = self.vector(x.dtype), self.vector(result.dtype)
            body = "\n".join([*inner.cells, *inner.lines, f"ret {gives} {result.name}"])
            self.declarations[symbol] = (
                f"define internal {gives} {symbol}({takes} %x) noinline cold {{\nentry:\n{body}\n}}"
            )
        return self.call(symbol, x.dtype, x)

    def start(self, block: str) -> None:
        """Begin a block: what follows is jumped to by this label."""
        self.lines.append(f"{block}:")
        self.block = block

    def branch(self, mask: "Value", otherwise: "Value", rare: Callable[[], "Value"]) -> "Value":
        """Return what ``rare`` computes if a mask holds anywhere, else ``otherwise``."""
        before, taken, after = self.block, self.label("rare"), self.label("after")
        symbol = f"@llvm.vector.reduce.or.v{self.lanes}i1"
        self.declarations[symbol] = f"declare i1 {symbol}({self.vector('bool')})"
        found = self.fresh()
        self.lines.append(f"{found} = call i1 {symbol}({self.vector('bool')} {mask.name})")
        self.lines.append(f"br i1 {found}, label %{taken}, label %{after}")
        self.start(taken)
        special = rare()
        self.lines.append(f"br label %{after}")
        self.start(after)
        choices = f"[ {otherwise.name}, %{before} ], [ {special.name}, %{taken} ]"
        return self.emit(otherwise.dtype, f"phi {self.vector(otherwise.dtype)} {choices}")


def literal(dtype: str, number: Number) -> str:
    """Write a number as LLVM does: floats as the bits of the double."""
    if dtype == "bool":
        return "true" if number else "false"
    if dtype not in FLOATS:
        return str(int(number))
    rounded = float(np.dtype(dtype).type(number))
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"


class Value:
    """A vector of one NumPy dtype; a Python number beside it takes that dtype."""

    __slots__ = ("code", "dtype", "name")

    def __init__(self, code: Code, dtype: str, name: str) -> None:
        self.code, self.dtype, self.name = code, dtype, name

    def like(self, other: Any) -> "Value":
        """Return a Python number as a vector of this dtype, a vector as it is."""
        return other if type(other) is Value else self.code.constant(self.dtype, other)

    @property
    def floating(self) -> bool:
        """Tell whether the elements are floating-point numbers."""
        return self.dtype in FLOATS

    def _binary(self, instruction: str, other: Any, swap: bool = False) -> "Value":
        x, y = self, self.like(other)
        if swap:
            x, y = y, x
        if x.dtype != y.dtype:
            raise TypeError(f"{instruction}: {x.dtype} and {y.dtype} are not of one type")
        return self.code.emit(
            x.dtype, f"{instruction} {self.code.vector(x.dtype)} {x.name}, {y.name}"
        )

    def _arithmetic(self, name: str, other: Any, swap: bool = False) -> "Value":
        return self._binary(f"f{name}" if self.floating else name, other, swap)

    def __add__(self, other):
        return self._arithmetic("add", other)

    __radd__ = __add__

    def __sub__(self, other):
        return self._arithmetic("sub", other)

    def __rsub__(self, other):
        return self._arithmetic("sub", other, swap=True)

    def __mul__(self, other):
        return self._arithmetic("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self._binary("fdiv", other)

    def __rtruediv__(self, other):
        return self._binary("fdiv", other, swap=True)

    def __neg__(self):
        if not self.floating:
            return 0 - self
        return self.code.emit(self.dtype, f"fneg {self.code.vector(self.dtype)} {self.name}")

    def __and__(self, other):
        return self._binary("and", other)

    def __or__(self, other):
        return self._binary("or", other)

    def __xor__(self, other):
        return self._binary("xor", other)

    def __invert__(self):
        return self ^ (True if self.dtype == "bool" else -1)

    def __lshift__(self, other):
        return self._binary("shl", other)

    def __rshift__(self, other):
        return self._binary("lshr" if self.dtype.startswith("u") else "ashr", other)

    def _compare(self, floating: str, signed: str, other: Any) -> "Value":
        unsigned = self.dtype.startswith("u") or self.dtype == "bool"
        whole = f"u{signed[1:]}" if unsigned and signed[0] == "s" else signed
        test = f"fcmp {floating}" if self.floating else f"icmp {whole}"
        result = self._binary(test, other)
        return Value(self.code, "bool", result.name)

    def __lt__(self, other):
        return self._compare("olt", "slt", other)

    def __le__(self, other):
        return self._compare("ole", "sle", other)

    def __gt__(self, other):
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other):
        return self._compare("oge", "sge", other)

    def equal(self, other: Any) -> "Value":
        """Compare: never true of NaN."""
        return self._compare("oeq", "eq", other)

    def differs(self, other: Any) -> "Value":
        """Compare: always true of NaN."""
        return self._compare("une", "ne", other)

    def where(self, x: Any, y: Any) -> "Value":
        """Choose elements of ``x`` where this mask holds, of ``y`` elsewhere."""
        x, y = (x, x.like(y)) if type(x) is Value else (y.like(x), y)
        vector = self.code.vector(x.dtype)
        mask = f"{self.code.vector('bool')} {self.name}"
        return self.code.emit(x.dtype, f"select {mask}, {vector} {x.name}, {vector} {y.name}")

    def bits(self) -> "Value":
        """See floats as the integers of the same bits."""
        return self._seen_as(BITS[self.dtype])

    def from_bits(self) -> "Value":
        """See integers as the floats of the same bits."""
        return self._seen_as(FLOATING[self.dtype])

    def _seen_as(self, dtype: str) -> "Value":
        vector = self.code.vector
        return self.code.emit(dtype, f"bitcast {vector(self.dtype)} {self.name} to {vector(dtype)}")

    def to(self, dtype: str) -> "Value":
        """Convert, as ``astype`` does."""
        if dtype == self.dtype:
            return self
        if dtype == "bool":
            return self.differs(0)
        vector = self.code.vector
        instruction = _conversion(self.dtype, dtype)
        if instruction is None:
            return Value(self.code, dtype, self.name)
        return self.code.emit(
            dtype, f"{instruction} {vector(self.dtype)} {self.name} to {vector(dtype)}"
        )


def _conversion(source: str, target: str) -> str | None:
    """Name the instruction that converts; None where nothing needs to be done."""
    unsigned = "u" if source.startswith("u") or source == "bool" else "s"
    wider = np.dtype(target).itemsize - (0 if source == "bool" else np.dtype(source).itemsize)
    if source in FLOATS and target in FLOATS:
        return "fpext" if wider > 0 else "fptrunc"
    if source in FLOATS:
        return "fptoui" if target.startswith("u") else "fptosi"
    if target in FLOATS:
        return f"{unsigned}itofp"
    if wider == 0:
        return None
    return {"u": "zext", "s": "sext"}[unsigned] if wider > 0 else "trunc"


def muladd(x: Value, y: Any, z: Any) -> Value:
    """Compute ``x * y + z``, rounded once where the processor can."""
    if not x.code.processor.fused_multiply_add:
        return x * y + z
    return x.code.intrinsic("fma", x.dtype, x, x.like(y), x.like(z))


def polynomial(x: Value, coefficients: tuple[float, ...]) -> Value:
    """Evaluate a polynomial by Horner's rule; the constant term comes first."""
    *rest, last = coefficients
    result = x.like(last)
    for coefficient in reversed(rest):
        result = muladd(result, x, coefficient)
    return result


def magnitude(x: Value) -> Value:
    """Take the absolute value of floats: clear the sign."""
    return x.code.intrinsic("fabs", x.dtype, x)


def with_sign_of(x: Value, y: Value) -> Value:
    """Give ``x`` the sign of ``y``."""
    return x.code.intrinsic("copysign", x.dtype, x, y)


def bounded(x: Value, low: float, high: float) -> Value:
    """Keep between bounds; NaN stays."""
    x = (x < low).where(low, x)
    return (x > high).where(high, x)
