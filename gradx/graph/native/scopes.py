"""From equations to vectors: values are computed once, where they vary least, and when needed.

What does not vary along a row is computed before the loop over the row. A value is kept for as
long as the block that computed it is on the way to what follows: a ``Scope`` is a dictionary of
values over that of the scope around.
"""

from collections.abc import Callable, Iterable

from gradx.backends.native.values import LLVM_TYPES, Code, Value
from gradx.graph.equations import Variable
from gradx.graph.native.analysis import REDUCTIONS, Plan
from gradx.graph.native.operations import UnsupportedError, emit, read_by

Load = Callable[[Variable], Value]


class Scope:
    """Values known in one block of code, over those of the blocks around it."""

    def __init__(self, plan: Plan, code: Code, load: Load, around: "Scope | None" = None) -> None:
        self.plan, self.code, self.load = plan, code, load
        self.values: dict[Variable, Value] = dict(around.values) if around else {}

    def compute(self, targets: Iterable[Variable], wanted: Callable[[Variable], bool]) -> None:
        """Compute those of the values that ``targets`` need which are ``wanted`` here."""
        needed = self.needed(targets)
        for variable in self.plan.graph.inputs:
            if variable in needed and wanted(variable):
                self.values[variable] = self.load(variable)
        for equation in self.plan.graph.equations:
            (out,) = equation.outputs
            if out not in needed or not wanted(out):
                continue
            if equation in self.plan.kinds:
                raise UnsupportedError(f"{equation.op.name} too early")
            if equation.op.name in REDUCTIONS:  # over axes of length 1
                self.values[out] = self.values[next(equation.variables)].to(out.dtype)
            else:
                self.values[out] = emit(self.code, equation, self.values.__getitem__)

    def needed(self, targets: Iterable[Variable]) -> set[Variable]:
        """Return the values that ``targets`` are computed from, and that are not known yet."""
        needed = set(targets) - self.values.keys()
        for equation in reversed(self.plan.graph.equations):
            (out,) = equation.outputs
            if out in needed and equation not in self.plan.kinds:
                needed |= set(read_by(equation)) - self.values.keys()
        return needed


def size_of(dtype: str) -> int:
    """Return the bytes that an element takes in memory."""
    return 1 if dtype == "bool" else int(dtype.lstrip("uintfloa")) // 8


def stored(dtype: str) -> str:
    """Return LLVM's type of an element in memory: a truth value takes a byte."""
    return "i8" if dtype == "bool" else LLVM_TYPES[dtype]


def load_vector(code: Code, pointer: str, dtype: str) -> Value:
    """Load elements that lie one after another."""
    vector = f"<{code.lanes} x {stored(dtype)}>"
    align = size_of(dtype)
    if dtype != "bool":
        return code.emit(dtype, f"load {vector}, ptr {pointer}, align {align}")
    byte = code.emit("uint8", f"load {vector}, ptr {pointer}, align 1")
    return byte.differs(0)


def store_vector(code: Code, pointer: str, value: Value) -> None:
    """Store elements one after another."""
    value = value.to("uint8") if value.dtype == "bool" else value
    vector = code.vector(value.dtype)
    align = size_of(value.dtype)
    code.lines.append(f"store {vector} {value.name}, ptr {pointer}, align {align}")


def load_element(code: Code, pointer: str, dtype: str) -> Value:
    """Load one element, into all places of a vector."""
    kind, vector = stored(dtype), f"<{code.lanes} x {stored(dtype)}>"
    element, first, lanes = code.fresh(), code.fresh(), code.lanes
    code.lines += [
        f"{element} = load {kind}, ptr {pointer}, align {size_of(dtype)}",
        f"{first} = insertelement {vector} poison, {kind} {element}, i32 0",
    ]
    value = code.emit(
        "uint8" if dtype == "bool" else dtype,
        f"shufflevector {vector} {first}, {vector} poison, <{lanes} x i32> zeroinitializer",
    )
    return value.differs(0) if dtype == "bool" else value


def store_element(code: Code, pointer: str, value: Value) -> None:
    """Store the first element."""
    value = value.to("uint8") if value.dtype == "bool" else value
    element, kind = code.fresh(), stored(value.dtype)
    code.lines += [
        f"{element} = extractelement {code.vector(value.dtype)} {value.name}, i32 0",
        f"store {kind} {element}, ptr {pointer}, align {size_of(value.dtype)}",
    ]
