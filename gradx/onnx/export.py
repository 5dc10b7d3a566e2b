"""``export``: what a function computes, written as an ONNX model."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradx.core.optional import optional
from gradx.errors import DTypeError, GradxError
from gradx.graph.equations import Equation, Variable
from gradx.onnx.elementwise import ELEMENTWISE
from gradx.onnx.nodes import ROWS, Call, ExportError, Nodes, Writer, factors_of
from gradx.onnx.rows import Pair, captured, constant_of
from gradx.onnx.structure import STRUCTURE
from gradx.onnx.windows import WINDOWS
from gradx.saving.trees import as_path
from gradx.saving.writing import write_atomically
from gradx.transforms.boundary import label_of

WRITERS: dict[str, Writer] = {**ELEMENTWISE, **STRUCTURE, **WINDOWS}
OPSET = 20  # of ONNX 1.15, the first with Gelu
FORMAT = 9
OUTPUT = "output"

Names = dict[Variable, str]


def export(
    path: str | os.PathLike[str],
    f: Callable[..., Any],
    *examples: Any,
    dynamic: bool = True,
) -> None:
    """Write what ``f``, such as a model, computes from arrays like ``examples`` as an ONNX model.

    ``f`` is captured as it is called here: a model evaluates. The first axis of every array is
    that of the rows, of which the file takes any number; with ``dynamic=False`` it takes the
    examples' shapes only. Needs onnx: ``pip install 'gradx[onnx]'``.

    Raises:
        ExportError: an op has no counterpart; it is named, with its line and those that have.
        TypeError: an example is no array, or ``f`` cannot be captured.

    >>> import numpy as np, gradx as gx
    >>> model = gx.nn.Sequential(gx.nn.Linear(3, 2, key=gx.random.key(0)), gx.nn.softmax)
    >>> gx.onnx.export("model.onnx", model, np.ones((1, 3), np.float32))
    """
    label_of("onnx.export", f)
    target = as_path("onnx.export", path)
    if not examples:
        raise DTypeError("onnx.export: expected an example of each input, got none")
    model = _model(captured(f, examples, bool(dynamic)))
    optional("onnx.checker", "onnx.export", extra="onnx").check_model(model, full_check=True)
    write_atomically(Path(target), [model.SerializeToString()])


def _model(pair: Pair) -> Any:
    _require_covered(pair)
    nodes, names = Nodes(), _input_names(pair)
    nodes.rows = _rows(nodes, pair, names)
    for kept, also in zip(pair.graph.constants, pair.other.constants, strict=True):
        names[kept.variable] = _constant(nodes, pair, kept, also)
    for equation, other in zip(pair.graph.equations, pair.other.equations, strict=True):
        _write(nodes, names, equation, other, pair.rows)
    inputs = [
        _value_info(nodes, pair, names[one], one, two)
        for one, two in zip(pair.graph.inputs, pair.other.inputs, strict=True)
    ]
    outputs = [
        _output(nodes, names, pair, place, *both)
        for place, both in enumerate(zip(pair.graph.outputs, pair.other.outputs, strict=True))
    ]
    graph = nodes.helper.make_graph(
        nodes.nodes, pair.graph.name, inputs, outputs, initializer=nodes.constants
    )
    opsets = [nodes.helper.make_opsetid("", OPSET)]
    return nodes.helper.make_model(
        graph, opset_imports=opsets, ir_version=FORMAT, producer_name="gradx"
    )


def _input_names(pair: Pair) -> Names:
    """Return the names of inputs: those of the parameters, which are what users know."""
    return {
        x: x.name if x.name.isidentifier() and x.name != OUTPUT else f"input{place}"
        for place, x in enumerate(pair.graph.inputs)
    }


def _output(nodes: Nodes, names: Names, pair: Pair, place: int, one: Any, two: Any) -> Any:
    if type(one) is not Variable:
        raise DTypeError(f"onnx.export: {pair.graph.name} returned {one!r}, expected arrays")
    name = OUTPUT if len(pair.graph.outputs) == 1 else f"{OUTPUT}{place}"
    nodes.nodes.append(nodes.helper.make_node("Identity", [names[one]], [name]))
    return _value_info(nodes, pair, name, one, two)


def _value_info(nodes: Nodes, pair: Pair, name: str, one: Any, two: Any) -> Any:
    """Describe an input or output: its dtype, and a shape with a name for the rows."""
    factors = factors_of(one.shape, two.shape, pair.rows)
    shape = [
        length if not factor else ROWS if factor == 1 else f"{factor}*{ROWS}"
        for length, factor in zip(one.shape, factors, strict=True)
    ]
    return nodes.helper.make_tensor_value_info(name, nodes.type_of(one.dtype), shape)


def _rows(nodes: Nodes, pair: Pair, names: Names) -> str | None:
    """Return the name of the number of rows, read from the first input that has any."""
    for one, two in zip(pair.graph.inputs, pair.other.inputs, strict=True):
        if one.shape != two.shape:
            return nodes.add("Shape", names[one], start=0, end=1)
    return None


def _constant(nodes: Nodes, pair: Pair, one: Any, two: Any) -> str:
    name = nodes.constant(constant_of(one, two))
    if one.variable.shape == two.variable.shape:
        return name
    return nodes.add("Expand", name, nodes.sizes(one.variable.shape, two.variable.shape, pair.rows))


def _require_covered(pair: Pair) -> None:
    missing = {e.op.name: e.line for e in pair.graph.equations if e.op.name not in WRITERS}
    if missing:
        named = "; ".join(f"{name}, at {line}" for name, line in missing.items())
        raise ExportError(
            f"onnx.export: no counterpart in ONNX for {named}. "
            f"There is one for {', '.join(sorted(WRITERS))}"
        )


def _write(nodes: Nodes, names: Names, one: Equation, two: Equation, rows: tuple[int, int]) -> None:
    dtype = next((x.dtype for x in one.inputs if type(x) is Variable and x.dtype != "bool"), None)
    inputs = tuple([_input(nodes, names, x, dtype) for x in one.inputs])
    try:
        (output,) = one.outputs
        names[output] = WRITERS[one.op.name](Call(nodes, one, two, inputs, rows))
    except GradxError as error:
        raise ExportError(f"onnx.export: {error}, at {one.line}") from None


def _input(nodes: Nodes, names: Names, x: Any, dtype: str | None) -> str:
    """Name an input of an equation: a Python number takes the dtype of the arrays beside it."""
    if type(x) is Variable:
        return names[x]
    return "" if x is None else nodes.constant(x, dtype)
