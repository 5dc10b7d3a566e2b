"""A computation as data: a ``Graph``, which passes change and executors run.

A graph has no hidden state: inputs, constants, equations in an order in which they
can run, outputs. Nothing in it belongs to one array library.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradx.backends import Backend, backend_for_device, canonical_device
from gradx.core.arrays import backend_for, untracked
from gradx.core.explain import describe
from gradx.errors import ShapeError
from gradx.graph.equations import Constant, Equation, Input, Variable
from gradx.graph.interpret import interpret
from gradx.graph.listing import list_graph
from gradx.graph.moving import moved
from gradx.graph.serial import read, write


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Equations from inputs and constants to outputs.

    ``print(graph)`` lists it; ``graph(*arrays)`` runs it.
    """

    inputs: tuple[Variable, ...]
    constants: tuple[Constant, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Input, ...]
    name: str = "graph"

    @property
    def backend(self) -> Backend:
        """The array library that most of it runs on; keys may be NumPy arrays everywhere."""
        variables = [*self.inputs, *[x for equation in self.equations for x in equation.outputs]]
        devices = dict.fromkeys(x.device for x in variables if not x.weak) or ("cpu",)
        return backend_for_device(next((d for d in devices if d != "cpu"), "cpu"))[0]

    def __str__(self) -> str:
        return list_graph(self)

    def __call__(self, *arrays: Any) -> Any:
        """Run on one array for each input: return a tuple of outputs, a single one alone."""
        self._require_inputs(arrays)
        pairs = [(x.device, a) for x, a in zip(self.inputs, arrays, strict=True) if not x.weak]
        places = {device: backend_for(a).device_of(untracked(a)) for device, a in pairs}
        outputs = interpret(self._on(places), arrays)
        return outputs[0] if len(outputs) == 1 else outputs

    def to_device(self, device: Any) -> "Graph":
        """Return the graph for arrays on ``device``, with its constants moved there once."""
        target = canonical_device(device)
        devices = {x.device for x in self.inputs} | {x.device for x, _ in self.constants}
        return self._on(dict.fromkeys(devices, target))

    def to_json(self) -> str:
        """Return the graph as text, from which ``Graph.from_json`` makes it again.

        Raises:
            TypeError: a parameter has no form in JSON.
        """
        return write(self)

    @classmethod
    def from_json(cls, text: str) -> "Graph":
        """Return the graph that ``to_json`` wrote. Reading it runs nothing.

        Raises:
            ValueError: the text is another; the message says what is wrong with it.
        """
        return cls(*read(text))

    def _on(self, places: Mapping[str, str]) -> "Graph":
        same = all(known == place for known, place in places.items())
        return self if same else moved(self, places)

    def _require_inputs(self, arrays: tuple[Any, ...]) -> None:
        if len(arrays) != len(self.inputs):
            raise ShapeError(f"{self.name}: {len(self.inputs)} inputs, got {len(arrays)}")
        for position, (variable, array) in enumerate(zip(self.inputs, arrays, strict=True)):
            shape = tuple(getattr(array, "shape", ()))
            if shape != variable.shape:
                raise ShapeError(
                    f"{self.name}: input {position} ({variable.name}) is {describe(array)}, "
                    f"expected {variable.type}"
                )


# A function of plain arrays, one for each input (for a weak one a Python number), that returns
# the outputs as a tuple. They may share memory with inputs and constants, and with one another,
# unless the tuple is ``Own``: who hands them to users sees to that, but for outputs whose numbers
# are in its attribute ``fresh``, if it has one. It may write to inputs that are given up and have
# axes, unless it has an attribute ``copies_inputs`` that is true.
Program = Callable[..., tuple[Any, ...]]


class Own(tuple[Any, ...]):
    """Results of a program that share memory with nothing else, nor with one another."""

    __slots__ = ()


# Makes of a graph a program, for arrays of the devices that its variables name.
Executor = Callable[[Graph], Program]
# A function of the inputs of a group's graph, then of one array for each of its outputs, of the
# right shape and dtype and in row-major order, which it fills. An output's memory may be an
# input's if that input is not read after the output is written at the same place.
GroupKernel = Callable[..., None]
# Makes a kernel of the graph of a group, or returns None where it cannot.
GroupCompiler = Callable[[Graph], GroupKernel | None]
