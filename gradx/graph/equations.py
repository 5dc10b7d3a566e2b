"""What a graph is made of: variables, constants and equations.

Variables are compared by identity: each is written once, by an equation, or as an
input or a constant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

# What an input of an equation may be beside a variable: a Python number, or an absent bound.
Literal = bool | int | float | complex | None


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A value of the graph: its shape, the name of its dtype, and its device.

    A weak one holds a Python number (its ``dtype`` is ``"bool"``, ``"int64"``,
    ``"float64"`` or ``"complex128"``): as in eager code, it does not decide the dtype
    of what it is combined with.
    """

    shape: tuple[int, ...]
    dtype: str
    weak: bool = False
    name: str = ""  # of an input, for who reads the graph
    device: str = "cpu"
    donated: bool = False  # an input whose memory may be written to, after it was last read

    @property
    def type(self) -> str:
        """Dtype and shape, as in ``float32[2, 3]``; of a weak one what Python calls it."""
        if self.weak:
            return self.dtype.rstrip("0123456789")
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


Input = Variable | Literal


class Constant(NamedTuple):
    """An array from outside, held by reference."""

    variable: Variable
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Equations that may run as one kernel: what stands in an equation where an op would.

    Its ``graph`` is made of elementwise ops and their broadcasts, and of reductions
    of what those computed; it has no constants. The inputs and outputs of the
    equation are those of this graph, in order.
    """

    graph: Any
    name: str = "group"
    fresh: ClassVar = True  # no result is a view of an input


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """One call, ``outputs = op(*inputs, **params)``, of a ``core.op.Op`` or of a ``Group``."""

    op: Any
    inputs: tuple[Input, ...]
    params: dict[str, Any]
    outputs: tuple[Variable, ...]
    line: str = ""  # of the program: "file:number: source"

    @property
    def variables(self) -> Iterator[Variable]:
        """The variables among the inputs."""
        return (x for x in self.inputs if type(x) is Variable)

    @property
    def device(self) -> str:
        """Where it is computed: where its first array is, else where its result is."""
        return next((x.device for x in self.variables if not x.weak), self.outputs[0].device)
