"""An ONNX graph under construction: nodes, constants, and sizes that follow the number of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gradx.core.optional import optional
from gradx.errors import GradxError
from gradx.graph.equations import Equation, Input, Variable

ROWS = "batch"  # what the length of the first axis is called in the model


class ExportError(GradxError, NotImplementedError):
    """Something in a graph has no counterpart in ONNX."""


@dataclass
class Nodes:
    """Nodes and constants so far. Every method returns the name of what it added."""

    helper: Any = field(default_factory=lambda: optional("onnx.helper", "onnx.export", "onnx"))
    arrays: Any = field(
        default_factory=lambda: optional("onnx.numpy_helper", "onnx.export", "onnx")
    )
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    rows: str | None = None  # a vector of one number, that of the rows
    count: int = 0

    def name(self) -> str:
        """Return a name that is not taken."""
        self.count += 1
        return f"%{self.count}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output."""
        output = self.name()
        self.nodes.append(self.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a constant array."""
        name = self.name()
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        self.constants.append(self.arrays.from_array(array.reshape(np.shape(value)), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Add a vector of integers, as axes, shapes and places are given."""
        return self.constant(list(values), dtype=np.int64)

    def cast(self, name: str, dtype: Any) -> str:
        """Add a conversion to a NumPy dtype."""
        return self.add("Cast", name, to=self.type_of(dtype))

    def type_of(self, dtype: Any) -> int:
        """Return ONNX's number for a dtype."""
        return self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def sizes(self, shape: Sequence[int], other: Sequence[int], rows: tuple[int, int]) -> str:
        """Add a shape, of which both captures are known: what differs is a multiple of the rows."""
        factors = factors_of(shape, other, rows)
        if not any(factors):
            return self.integers(shape)
        vectors = [
            self.integers([length]) if not factor else self._multiple(factor)
            for length, factor in zip(shape, factors, strict=True)
        ]
        return self.add("Concat", *vectors, axis=0)

    def _multiple(self, factor: int) -> str:
        if self.rows is None:
            raise ExportError("onnx.export: a shape depends on the rows, but no input has any")
        return self.rows if factor == 1 else self.add("Mul", self.rows, self.integers([factor]))


def factors_of(
    shape: Sequence[int], other: Sequence[int], rows: tuple[int, int]
) -> tuple[int, ...]:
    """Return for each length how many times the rows it is, 0 for one that is always the same.

    Raises:
        ExportError: a length is something else.
    """
    factors = []
    for one, two in zip(shape, other, strict=True):
        factor = 0 if one == two else one // rows[0]
        if factor and (factor * rows[0], factor * rows[1]) != (one, two):
            raise ExportError(
                f"a size is {one} for {rows[0]} rows and {two} for {rows[1]}: not a multiple"
            )
        factors.append(factor)
    return tuple(factors)


def shape_of(x: Input) -> tuple[int, ...]:
    """Return the shape of an input of an equation."""
    return x.shape if type(x) is Variable else ()


class Call(NamedTuple):
    """One call of an op, to be written: what it was in both captures, and its inputs' names."""

    nodes: Nodes
    equation: Equation
    other: Equation
    inputs: tuple[str, ...]
    rows: tuple[int, int]

    @property
    def dtype(self) -> str:
        """The dtype of the first output."""
        return self.equation.outputs[0].dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first output, for the first number of rows."""
        return self.equation.outputs[0].shape

    def param(self, name: str) -> Any:
        """Return a parameter that must be the same for any number of rows."""
        value = self.equation.params.get(name)
        if value != self.other.params.get(name):
            raise ExportError(f"{self.equation.op.name}: {name} depends on the number of rows")
        return value

    def input_shape(self, place: int = 0) -> tuple[int, ...]:
        """Return the shape of an input, for the first number of rows."""
        return shape_of(self.equation.inputs[place])

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, of the call's own inputs if none are given."""
        return self.nodes.add(kind, *(inputs or self.inputs), **attributes)

    def aligned(self, dtype: Any) -> list[str]:
        """Return the inputs, all of one dtype: ONNX promotes nothing."""
        return [
            name if getattr(x, "dtype", dtype) == dtype else self.nodes.cast(name, dtype)
            for name, x in zip(self.inputs, self.equation.inputs, strict=True)
        ]


Writer = Callable[[Call], str]
