"""Capture: run a function once, for real, and keep the graph of the ops it called.

One more way of looking at op calls, and the outermost: its Tensors wrap plain arrays,
and the transforms inside the function wrap those. So a gradient, an optimizer's update
and the random numbers of a step are in the graph like everything else.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from gradx.backends import canonical_device, current_device, default_device, numpy_dtype
from gradx.core import tree
from gradx.core.arrays import PYTHON_SCALARS, backend_for, is_array, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.op import OPS
from gradx.core.trace import Trace, capturing
from gradx.core.views import new_tensor, unlent
from gradx.errors import CaptureError, TapeError
from gradx.graph.drawing import Generators
from gradx.graph.equations import Constant, Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.naming import leaf_names
from gradx.graph.reading import guards_of
from gradx.graph.weak import DTYPES, OPERATORS
from gradx.transforms.boundary import as_array, label_of, name_of
from gradx.transforms.debugging import user_line

NUMBERS = {int, float, complex}
WHAT_TO_DO = "choose with gx.where, make the argument static=, or leave it out of what is compiled"


class Capture(Trace):
    """Records equations. The payload of a value is its variable."""

    differentiates = False

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.equations: list[Equation] = []
        self.inputs: list[Variable] = []  # an argument that is written to is another variable then
        self.constants: dict[int, Constant] = {}
        self.holds_tensors = False  # a constant belongs to a transform around
        self.layout_matters = False  # a write in place reached a view, or did not
        self.device: str | None = None  # that of the first array, where numbers become arrays

    def watch(self, value: Any, name: str, donated: bool = False) -> Tensor:
        """Make an input of an array or a Python number."""
        if type(value) in NUMBERS:
            variable = Variable((), DTYPES[type(value)], weak=True, name=name)
            value = np.asarray(value)
        else:
            variable = replace(variable_like(value, name), donated=donated)
            self.device = self.device or variable.device
        self.inputs.append(variable)
        return new_tensor(value, self, variable)

    def lift(self, constant):
        return new_tensor(constant, self, self._variable(constant))

    def apply_general(self, op, arrays, params):
        arrays = tuple(map(unlent, arrays))
        inputs = tuple(map(self._variable, arrays))
        if op.name in OPERATORS and all(map(_is_weak, inputs)):
            return self._apply_to_numbers(op, arrays, inputs)
        if all(map(_is_weak, inputs)):
            return self.apply_general(op, tuple(map(self._strong, arrays)), params)
        line = user_line()
        self._require_fixed(op, arrays, params, line)
        values = tuple(map(_value_of, arrays))
        out = op.run(values, params)
        outs = tuple(out) if op.results else (out,)
        variables = tuple(map(variable_like, outs))
        kept = {name: portable(name, value) for name, value in params.items()}
        self.equations.append(Equation(op, inputs, kept, variables, line))
        tensors = [new_tensor(x, self, v) for x, v in zip(outs, variables, strict=True)]
        return op.results(*tensors) if op.results else tensors[0]

    def _apply_to_numbers(self, op, arrays, inputs):
        result = OPERATORS[op.name](*map(_value_of, arrays))
        variable = Variable((), DTYPES[type(result)], weak=True)
        self.equations.append(Equation(op, inputs, {}, (variable,), user_line()))
        return new_tensor(np.asarray(result), self, variable)

    def as_array(self, x):
        return self._strong(x)

    def holds_number(self, x):
        return x.payload.weak

    def _strong(self, x):
        """Return a captured Python number as a 0-d array of the graph."""
        if type(x) is not Tensor or not x.payload.weak:
            return x
        with default_device(self.device or current_device()):
            value = as_array(x.value.item())
        variable = variable_like(value)
        op = OPS["number_as_array"]
        self.equations.append(Equation(op, (x.payload,), {}, (variable,), user_line()))
        return new_tensor(value, self, variable)

    def _variable(self, x: Any) -> Input:
        """Return the variable of a value, a new constant's if it comes from outside."""
        if type(x) in PYTHON_SCALARS or x is None:
            return x
        if type(x) is Tensor:
            if x.trace is self:
                return x.payload
            self._require_outer(x)
            self.holds_tensors = True
        known = self.constants.get(id(x))
        if known is None:
            known = self.constants[id(x)] = Constant(variable_like(x), x)
        return known.variable

    def _require_outer(self, x):
        while type(x) is Tensor:
            if x.trace is self:
                raise CaptureError(
                    f"{self.name}: gx.tensor of a captured value cannot be in a graph: "
                    f"use gx.grad inside, at {user_line()}"
                )
            x = x.value

    def _require_fixed(self, op, arrays, params, line):
        sizing = [
            x for x, name in zip(arrays, op.signature.inputs, strict=False) if name in op.sizes_vary
        ]
        if any(type(x) is Tensor for x in sizing):
            raise CaptureError(
                f"{op.name}: the shape of its result depends on numbers that {self.name} captures "
                f"as variables: use a mask with gx.where, or leave it out of what is compiled, "
                f"at {line}"
            )
        for name, value in params.items():
            if any(type(leaf) is Tensor for leaf in tree.leaves(value)):
                raise CaptureError(
                    f"{op.name}: {name} must be known when {self.name} is captured: make the "
                    f"argument it comes from static=, at {line}"
                )

    def plain(self, x, what):
        raise self.refusal(what)

    def reads_layout(self):
        self.layout_matters = True

    def refusal(self, what):
        return CaptureError(
            f"{what} asks for the number in a value that differs from call to call of {self.name}: "
            f"{WHAT_TO_DO}, at {user_line()}"
        )


def _is_weak(x: Input) -> bool:
    return type(x) is not Variable or x.weak


def _value_of(x):
    """Return what an op is run on: of a captured Python number the number."""
    if type(x) is not Tensor or not isinstance(x.payload, Variable):
        return x
    return x.value.item() if x.payload.weak else x.value


def variable_like(value: Any, name: str = "") -> Variable:
    """Return a new variable of the shape, dtype and device of an array."""
    plain = untracked(value)
    device = backend_for(plain).device_of(plain)
    return Variable(tuple(value.shape), numpy_dtype(plain.dtype).name, name=name, device=device)


def portable(name: str, value: Any) -> Any:
    """Return a parameter in a form that no array library owns."""
    if name == "dtype" and value is not None:
        return numpy_dtype(value).name
    if name == "device" and value is not None:
        return canonical_device(value)
    return value


@contextmanager
def captures(trace: Capture, generators: Generators) -> Any:
    """Let nothing be decided by numbers in the block, and end ``trace`` after it.

    Nor may anything be drawn from ``generators``.
    """
    token = capturing.set(True)
    try:
        yield
        generators.require_unused(trace.name)
    finally:
        capturing.reset(token)
        trace.end()


def output_of(trace: Capture, leaf: Any) -> Input:
    """Return the variable, or the number, that a leaf of a result is."""
    leaf = unlent(leaf)
    if type(leaf) is Tensor and leaf.trace is not trace and type(leaf.trace).__name__ == "Ended":
        raise TapeError(f"a Tensor outlived {leaf.trace.name}, which made it, and was returned")
    if type(leaf) in PYTHON_SCALARS or is_array(leaf):
        return trace._variable(leaf)
    raise CaptureError(
        f"{trace.name}: it returned {describe(leaf)}; a graph returns arrays and numbers"
    )


def graph_of(trace: Capture, outputs: list[Any]) -> Graph:
    """Return what ``trace`` has recorded."""
    returned = tuple([output_of(trace, leaf) for leaf in outputs])  # which may be new constants
    return Graph(
        inputs=tuple(trace.inputs),
        constants=tuple(trace.constants.values()),
        equations=tuple(trace.equations),
        outputs=returned,
        name=trace.name,
    )


def capture(f: Callable[..., Any]) -> Callable[..., Graph]:
    """Return a function that runs ``f`` once and returns the graph of what it computed.

    The arrays and the Python numbers in the arguments, which may be trees, are the
    inputs of the graph, in order; all else stays what it is. ``print(graph)`` lists
    it, ``graph(*arrays)`` runs it on any arrays of these shapes and dtypes, on any
    device, and it can be differentiated like a function.

    Raises:
        TypeError: ``f`` reads a number, or makes a shape that depends on numbers.

    >>> import numpy as np, gradx as gx
    >>> graph = gx.capture(lambda x: gx.sum(x * x))(np.asarray([1.0, 2.0]))
    >>> graph(np.asarray([3.0, 4.0]))
    np.float64(25.0)
    """

    label_of("capture", f)

    def captured(*args: Any, **kwargs: Any) -> Graph:
        trace = Capture(name_of(f).replace("<lambda>", "f"))
        leaves, structure = tree.flatten((args, kwargs))
        names = leaf_names(f, args, kwargs)
        watched = [
            trace.watch(untracked(leaf), name) if is_input(leaf) else leaf
            for leaf, name in zip(leaves, names, strict=True)
        ]
        given, named = tree.unflatten(structure, watched)
        with captures(trace, guards_of((f,), (given, named)).generators):
            return graph_of(trace, tree.leaves(f(*given, **named)))

    return captured


def is_input(leaf: Any) -> bool:
    """Tell whether a leaf of the arguments varies: an array, or a number that is no truth value."""
    return type(leaf) in NUMBERS or (type(leaf) is not bool and is_array(leaf))
