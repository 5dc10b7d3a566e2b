"""What the passes share: which equations are products of two matrices, and what joins matrices."""

from dataclasses import replace
from typing import TypeGuard

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.rewriting import written_by

FLOATS = ("float32", "float64", "complex64", "complex128")  # what BLAS multiplies


def is_product(equation: Equation | None) -> TypeGuard[Equation]:
    """Tell whether an equation multiplies two matrices of one dtype."""
    if equation is None or equation.op.name != "matmul":
        return False
    read = list(equation.variables)
    return all(len(x.shape) == 2 for x in read) and all(
        x.dtype in FLOATS and x.dtype == equation.outputs[0].dtype for x in read
    )


def factors(equation: Equation) -> tuple[Variable, Variable]:
    """Return what a product multiplies."""
    left, right = equation.variables
    return left, right


class Matrices:
    """The matrices of a graph: what writes each, and which of its constants lie transposed."""

    def __init__(self, graph: Graph) -> None:
        self.writers = written_by(graph)
        self._in_columns = {
            variable
            for variable, value in graph.constants
            if value.flags.f_contiguous and not value.flags.c_contiguous
        }

    def side_by_side(self, parts: list[Variable], axis: int, line: str) -> list[Equation]:
        """Return what puts matrices side by side; the last equation writes the whole.

        Transposes of matrices are the transpose of those, so that rows are copied.
        """
        back = [one for part in parts if (one := self._back(part, line)) is not None]
        if len(back) < len(parts):
            return [join(parts, axis, line)]
        whole = join([one.outputs[0] for one in back], 1 - axis, line)
        return [*back, whole, transpose(whole.outputs[0], line)]

    def _back(self, x: Variable, line: str) -> Equation | None:
        """Return what transposes a matrix back to how it lies in memory; None where it does."""
        writer = self.writers.get(x)
        is_transpose = writer is not None and writer.op.name == "matrix_transpose"
        return transpose(x, line) if is_transpose or x in self._in_columns else None


def join(parts: list[Variable], axis: int, line: str) -> Equation:
    """Return the equation that copies matrices to places side by side."""
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    out = replace(parts[0], shape=tuple(shape), name="", donated=False)
    return Equation(OPS["concat"], tuple(parts), {"axis": axis}, (out,), line)


def transpose(x: Variable, line: str) -> Equation:
    """Return the equation of the transpose of a matrix."""
    out = replace(x, shape=x.shape[::-1], name="", donated=False)
    return Equation(OPS["matrix_transpose"], (x,), {}, (out,), line)
