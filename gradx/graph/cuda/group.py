"""A group of equations as one kernel: each value that is not returned lives in a register.

Without reductions a thread computes elements of the common shape. With reductions, which are
along the last axes, threads share a row (``cuda_kernels.rows``): one pass over it for what is
reduced, one more for what is reduced of that, and a last one that writes. What a pass needs it
computes again from the inputs, which are in the cache by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from gradx.backends.cuda_kernels.elementwise import HELPERS
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import COMMON, THREADS, blocks_for
from gradx.backends.cuda_kernels.rows import REDUCE, grid_for
from gradx.core.arrays import PYTHON_SCALARS
from gradx.graph.cuda.expressions import (
    COMPARISONS,
    COMPUTED,
    ONLY_REAL,
    STORED,
    expression,
    is_known,
    literal,
)
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph, GroupKernel
from gradx.graph.native.analysis import ALIGNED_AGAIN
from gradx.graph.rewriting import read_by

Shape = tuple[int, ...]

# Reduction -> how two are combined, and what it begins with.
REDUCTIONS = {
    "sum": ("Sum", "0"),
    "mean": ("Sum", "0"),
    "max": ("Largest", "-infinity()"),
    "min": ("Least", "infinity()"),
}
LEAST = """
struct Least {
    static __device__ __forceinline__ Real of(Real x, Real y) { return x < y || is_nan(x) ? x : y; }
};
"""
FREE = {"astype", "broadcast_to", "zeros_like", "ones_like"}  # of one number: nothing to do
# Python number -> how it lies in memory: a captured kernel reads today's from there.
WEAK = {"bool": "int64", "int64": "int64", "float64": "double"}
WIDEST = 1 << 16  # elements of a row; longer ones leave most of the device idle


class NoKernelError(Exception):
    """The group has something that this file cannot write: it runs op by op."""


def has_kernel(graph: Graph) -> bool:
    """Tell whether a group has a kernel, and is better as one."""
    try:
        written = Writer(graph)
        written.source()
    except NoKernelError:
        return False
    return not written.repeats_numbers


def compile_group(graph: Graph) -> GroupKernel | None:
    """Return a kernel for the graph of a group, None where there is none."""
    try:
        written = Writer(graph)
        text = written.source()
    except NoKernelError:
        return None
    weak = [x.weak for x in graph.inputs]
    count, grid = len(graph.inputs), written.grid

    def kernel(*arrays: Any) -> None:
        inputs = [argument(x, is_weak) for x, is_weak in zip(arrays, weak, strict=False)]
        launch(text, "group", *grid, *arrays[count:], *inputs)

    return kernel


def argument(value: Any, weak: bool) -> Any:
    """Return an input as a kernel takes it: in row-major order, a number in an array too."""
    return number_on_device(value) if weak and type(value) in PYTHON_SCALARS else contiguous(value)


def number_on_device(value: Any) -> Any:
    """Return a Python number in the memory of the current device, as kernels read it."""
    cupy = import_module("cupy")
    return cupy.full((), value, dtype=np.float64 if type(value) is float else np.int64)


@dataclass
class Rows:
    """How elements of the common shape are shared out: ``width`` of them to a row."""

    shape: Shape
    axes: int  # that are reduced: the last ones

    @property
    def width(self) -> int:
        """Elements in a row."""
        return prod(self.shape[len(self.shape) - self.axes :])

    @property
    def kept(self) -> Shape:
        """The shape of one number for each row."""
        return (*self.shape[: len(self.shape) - self.axes], *(1,) * self.axes)


class Writer:
    """Writes the source of one group."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = {out: equation for equation in graph.equations for out in equation.outputs}
        self.readers = read_by(graph)
        self.reductions = [e for e in graph.equations if e.op.name in REDUCTIONS]
        self.rows = Rows(*self._common_shape())
        self.names = {x: f"v{i}" for i, x in enumerate([*graph.inputs, *self.made])}
        self.levels: dict[Variable, int] = {}
        for equation in graph.equations:
            self._check(equation)
            level = max([self.levels.get(x, 0) for x in equation.variables], default=0)
            for out in equation.outputs:
                self.levels[out] = level + (equation.op.name in REDUCTIONS)
        self._check_variables()

    def _common_shape(self) -> tuple[Shape, int]:
        if not self.reductions:
            return self.graph.outputs[0].shape, 0  # type: ignore[union-attr]
        shapes = {e.inputs[0].shape for e in self.reductions}  # type: ignore[union-attr]
        counts = {_trailing_axes(e) for e in self.reductions}
        if len(shapes) > 1 or len(counts) > 1:
            raise NoKernelError
        return shapes.pop(), counts.pop()

    def _check(self, equation: Equation) -> None:
        name = equation.op.name
        if name in REDUCTIONS:
            if equation.params.get("dtype") is not None or equation.outputs[0].dtype != (
                self.reductions[0].outputs[0].dtype
            ):
                raise NoKernelError
            return
        if self._is_view_of_input(equation):
            return
        if name in ALIGNED_AGAIN and self._adds_kept_axes(equation):
            return
        if not is_known(name) or len(equation.outputs) != 1:
            raise NoKernelError
        kinds = [np.dtype(x.dtype).kind for x in equation.variables if x.dtype in COMPUTED]
        if name in ONLY_REAL and "f" not in kinds:
            raise NoKernelError

    def _is_view_of_input(self, equation: Equation) -> bool:
        # In row-major order, which inputs are in, elements keep their places.
        return equation.op.name in ALIGNED_AGAIN and equation.inputs[0] in self.graph.inputs

    def _adds_kept_axes(self, equation: Equation) -> bool:
        (x,) = equation.inputs
        return (
            type(x) is Variable
            and self._is_reduced(x)
            and equation.outputs[0].shape == self.rows.kept
        )

    def _is_reduced(self, x: Any) -> bool:
        return x in self.made and self.made[x].op.name in REDUCTIONS

    def _check_variables(self) -> None:
        """Every value is an element, or one number for each row, and of a type that C has."""
        shape, dropped = self.rows.shape, self.rows.shape[: len(self.rows.shape) - self.rows.axes]
        for x in (*self.graph.inputs, *self.made):
            if x.dtype not in COMPUTED:
                raise NoKernelError
            if x in self.graph.inputs and all(map(self._is_view_of_input, self.readers.get(x, ()))):
                continue
            if self._is_reduced(x) and x.shape == dropped and dropped:
                if any(e.op.name not in ALIGNED_AGAIN for e in self.readers.get(x, ())):
                    raise NoKernelError
            elif not _broadcasts(x.shape, shape):
                raise NoKernelError
        if self.rows.axes and (self.rows.width > WIDEST or self.rows.width == 0):
            raise NoKernelError
        whole = {shape, self.rows.kept, dropped} if self.rows.axes else {shape}
        if any(type(out) is not Variable or out.shape not in whole for out in self.graph.outputs):
            raise NoKernelError

    @property
    def repeats_numbers(self) -> bool:
        """Tell whether each thread would compute what is one number for all of them.

        Bias corrections, in float64, would take longer than all the rest of an update.
        """
        single = [
            e
            for e in self.graph.equations
            if prod(e.outputs[0].shape) == 1 and not self.levels[e.outputs[0]]
        ]
        return prod(self.rows.shape) > 1 and any(e.op.name not in FREE for e in single)

    @property
    def grid(self) -> tuple[Any, Any]:
        """The blocks, and the threads in one."""
        count = prod(self.rows.shape)
        if not self.rows.axes:
            return blocks_for(count), THREADS
        return grid_for(count // self.rows.width, self.rows.width)

    def source(self) -> str:
        """Return the whole source; its one kernel is called ``group``."""
        body = self._row_body() if self.rows.axes else self._element_body()
        real = COMPUTED[self.reductions[0].outputs[0].dtype] if self.reductions else "float"
        if self.reductions and real not in ("float", "double"):
            raise NoKernelError
        head = f"{COMMON}typedef {real} Real;\n{HELPERS}"
        if self.reductions:
            head += REDUCE + LEAST
        parameters = ", ".join(f"{kind} {name}" for kind, name in self.parameters())
        return f'{head}\nextern "C" __global__ void group({parameters}) {{\n{body}}}\n'

    def parameters(self) -> Iterator[tuple[str, str]]:
        """Yield the type and the name of each parameter of the kernel.

        No output is memory of an input, which lets a thread load several elements before it
        stores the first: more bytes are on their way.
        """
        for i, out in enumerate(self.graph.outputs):
            yield f"{STORED[out.dtype]}* __restrict__", f"out{i}"  # type: ignore[union-attr]
        for i, x in enumerate(self.graph.inputs):
            kind = WEAK[x.dtype] if x.weak else STORED[x.dtype]
            yield f"const {kind}* __restrict__", f"in{i}"

    def element_lines(self) -> list[str]:
        """Return lines that compute all outputs at the element ``at``."""
        lines = self._computing({x for x in self.graph.outputs if type(x) is Variable}, set())
        return [*lines, *[self._writing(i) for i in range(len(self.graph.outputs))]]

    def _element_body(self) -> str:
        count = prod(self.rows.shape)
        return f"FOR_EACH(at, {count}ll) {{\n{_indented(self.element_lines())}}}\n"

    def _row_body(self) -> str:
        width = self.rows.width
        count = prod(self.rows.shape) // width
        lines = [f"if (ROW >= {count}ll) return;", f"const int64 start = ROW * {width}ll;"]
        known: set[Variable] = set()
        for level in range(1, max(self.levels.values()) + 1):
            now = [e for e in self.reductions if self.levels[e.outputs[0]] == level]
            lines += self._reducing(now, known)
            known.update(e.outputs[0] for e in now)
        whole = [i for i, x in enumerate(self.graph.outputs) if x.shape == self.rows.shape]  # type: ignore[union-attr]
        single = [i for i in range(len(self.graph.outputs)) if i not in whole]
        if whole:
            inner = self._computing({self.graph.outputs[i] for i in whole}, known)
            inner += [self._writing(i) for i in whole]
            lines += [_loop(width, inner)]
        if single:
            inner = ["const int64 at = start;"]
            inner += self._computing({self.graph.outputs[i] for i in single}, known)
            inner += [self._writing(i, "ROW") for i in single]
            lines += [f"if (threadIdx.x == 0) {{\n{_indented(inner)}}}"]
        return _indented(lines)

    def _reducing(self, equations: list[Equation], known: set[Variable]) -> list[str]:
        """Reduce what is known of a row, all of one level in one pass."""
        names = [self.names[e.outputs[0]] for e in equations]
        firsts = [REDUCTIONS[e.op.name][1] for e in equations]
        lines = [f"Real a{v} = {first};" for v, first in zip(names, firsts, strict=True)]
        inner = self._computing({e.inputs[0] for e in equations}, known)
        for v, e in zip(names, equations, strict=True):
            x = self.names[e.inputs[0]]  # type: ignore[index]
            pair = REDUCTIONS[e.op.name][0]
            inner.append(f"a{v} += {x};" if pair == "Sum" else f"a{v} = {pair}::of({x}, a{v});")
        lines.append(_loop(self.rows.width, inner))
        for v, e in zip(names, equations, strict=True):
            share = f" / {self.rows.width}" if e.op.name == "mean" else ""
            lines.append(f"const Real {v} = across_row<{REDUCTIONS[e.op.name][0]}>(a{v}){share};")
        return lines

    def _computing(self, wanted: set[Any], known: set[Variable]) -> list[str]:
        """Return lines that compute ``wanted`` at the element ``at``."""
        needed = {x for x in wanted if x not in known}
        lines: list[str] = []
        for equation in reversed(self.graph.equations):
            (out, *_) = equation.outputs
            if out in needed and self._is_view_of_input(equation):
                place = self._loaded(equation.inputs[0], out.shape)
                lines.append(f"const {COMPUTED[out.dtype]} {self.names[out]} = {place};")
            elif out in needed and out not in known:
                needed.update(x for x in equation.variables if x not in known)
                lines.append(
                    f"const {COMPUTED[out.dtype]} {self.names[out]} = {self._value(equation)};"
                )
        for x in self.graph.inputs:
            if x in needed:
                value = self._loaded(x, x.shape)
                lines.append(f"const {COMPUTED[x.dtype]} {self.names[x]} = {value};")
        return lines[::-1]

    def _loaded(self, x: Any, shape: Shape) -> str:
        """Return what reads an input, whose elements lie as an array of ``shape``."""
        name = f"in{self.graph.inputs.index(x)}"
        return f"{name}[0]" if x.weak else f"loaded({name}[{self._place(shape)}])"

    def _value(self, equation: Equation) -> str:
        name, out = equation.op.name, equation.outputs[0]
        if name in ALIGNED_AGAIN:
            return self.names[equation.inputs[0]]  # type: ignore[index]
        dtype = _compared_dtype(equation) if name in COMPARISONS else out.dtype
        if dtype not in COMPUTED:
            raise NoKernelError
        type_name = COMPUTED[dtype]
        operands = [self._operand(x, type_name) for x in equation.inputs]
        if name == "where":
            operands[0] = self._operand(equation.inputs[0], "bool")
        if name in ("pow", "quiet_pow") and equation.inputs[1] == 2:
            return f"{operands[0]} * {operands[0]}"
        return f"({COMPUTED[out.dtype]})({expression(name, equation.params, type_name, operands)})"

    def _operand(self, x: Any, type_name: str) -> str:
        if x is None:
            return ""
        if type(x) is not Variable:
            if type(x) is complex:
                raise NoKernelError
            return f"({type_name})({literal(x)})"
        same = COMPUTED[x.dtype] == type_name and not x.weak
        return self.names[x] if same else f"({type_name}){self.names[x]}"

    def _writing(self, i: int, place: str = "at") -> str:
        out = self.graph.outputs[i]
        return f"keep(out{i} + {place}, {self.names[out]});"  # type: ignore[index]

    def _place(self, shape: Shape) -> str:
        """Return where element ``at`` of the common shape lies in an array that broadcasts."""
        common, size = self.rows.shape, prod(shape)
        while shape and shape[0] == 1:
            shape = shape[1:]
        if size == prod(common):
            return "at"
        if shape == common[len(common) - len(shape) :]:
            return f"at % {size}ll" if size > 1 else "0"
        inner, step, parts = 1, 1, []
        for length, own in zip(common[::-1], shape[::-1], strict=False):
            if own != 1:
                parts.append(f"at / {inner}ll % {length}ll * {step}ll")
            inner, step = inner * length, step * own
        return " + ".join(parts) or "0"


def _compared_dtype(equation: Equation) -> str:
    """Return what both sides of a comparison are converted to, as NumPy has it."""
    numbers = {"bool": True, "int64": 0, "float64": 0.0}
    operands: list[Any] = []
    for x in equation.inputs:
        if type(x) is not Variable:
            operands.append(x)
        else:
            operands.append(numbers[x.dtype] if x.weak else np.dtype(x.dtype))
    return np.result_type(*operands).name


def _trailing_axes(equation: Equation) -> int:
    """Return how many axes are reduced; they must be the last ones."""
    (x,) = equation.inputs
    ndim = len(x.shape)  # type: ignore[union-attr]
    axis = equation.params["axis"]
    if axis is None:
        axis = tuple(range(ndim))
    axes = sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    if not axes or axes != list(range(ndim - len(axes), ndim)):
        raise NoKernelError
    return len(axes)


def _broadcasts(shape: Shape, common: Shape) -> bool:
    if len(shape) > len(common):
        return False
    return all(n in (1, m) for n, m in zip(shape[::-1], common[::-1], strict=False))


def _loop(width: int, lines: list[str]) -> str:
    inner = ["const int64 at = start + i;", *lines]
    return f"ALONG_ROW(i, {width}ll) {{\n{_indented(inner)}}}"


def _indented(lines: list[str]) -> str:
    return "".join(f"    {line}\n" for line in "\n".join(lines).splitlines())
