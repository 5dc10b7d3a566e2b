"""Exact algebra: equations that another says with less, to the last bit.

``x * 1`` is ``x``; ``x + 0`` is not, where ``x`` is ``-0.0``. Casts to the dtype that is
there, reshapes to the shape that is there, a transpose of a transpose go; a broadcast
goes into the elementwise op that reads it, which broadcasts by itself, and so do ones and zeros.
"""

from collections.abc import Callable
from dataclasses import replace

from gradx.core.op import OPS
from gradx.graph.equations import Constant, Equation, Group, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes.folding import FILLS, filled
from gradx.graph.rewriting import renamed, substituted

# What an equation is instead: an input or a literal, another equation, or None for no change.
Found = Input | Equation


class Writers(dict[Variable, Equation]):
    """The equation that writes each variable, and constants that rules have made."""

    def __init__(self) -> None:
        super().__init__()
        self.constants: list[Constant] = []


def simplified(graph: Graph) -> Graph:
    """Apply every rule that holds, to each equation once, first to last."""
    renames: dict[Variable, Input] = {}
    writers = Writers()
    kept = []
    for equation in graph.equations:
        equation = renamed(equation, renames)
        found = _simpler(equation, writers)
        while isinstance(found, Equation):
            equation = found
            found = _simpler(equation, writers)
        if found is None:
            kept.append(equation)
            writers.update(dict.fromkeys(equation.outputs, equation))
        else:
            renames[equation.outputs[0]] = found
    return replace(
        graph,
        constants=(*graph.constants, *writers.constants),
        equations=tuple(kept),
        outputs=substituted(graph.outputs, renames),
    )


def _simpler(equation: Equation, writers: Writers) -> Found:
    if type(equation.op) is Group or equation.outputs[0].weak:
        return None
    rule = RULES.get(equation.op.name)
    found = None if rule is None else rule(equation, writers)
    if found is None and equation.op.elementwise:
        found = _without_broadcasts(equation, writers)
    return found


def _same(x: Input, out: Variable) -> Input:
    """Return ``x`` if it has the type of ``out``, and so may stand for it."""
    if type(x) is not Variable or x.weak:
        return None
    return x if (x.shape, x.dtype, x.device) == (out.shape, out.dtype, out.device) else None


def _is_itself(equation: Equation, writers: Writers) -> Found:
    return _same(equation.inputs[0], equation.outputs[0])


def _with_unit(*places: int) -> Callable[[Equation, Writers], Found]:
    """Say that an op with a 1 at one of ``places`` returns the other operand."""

    def rule(equation: Equation, writers: Writers) -> Found:
        for place in places:
            unit = equation.inputs[place]
            if type(unit) in (int, float) and unit == 1:
                return _same(equation.inputs[1 - place], equation.outputs[0])
        return None

    return rule


def _minus_zero(equation: Equation, writers: Writers) -> Found:
    x, y = equation.inputs
    nothing = type(y) in (int, float) and repr(y) in ("0", "0.0")
    return _same(x, equation.outputs[0]) if nothing else None


def _undone(equation: Equation, writers: Writers) -> Found:
    """Drop an op that undoes itself."""
    inner = writers.get(equation.inputs[0])  # type: ignore[arg-type]
    if inner is None or inner.op is not equation.op:
        return None
    return _same(inner.inputs[0], equation.outputs[0])


def _reshape(equation: Equation, writers: Writers) -> Found:
    """Drop a reshape to the same shape; one of a reshape is one of what that was of."""
    if (same := _is_itself(equation, writers)) is not None:
        return same
    inner = writers.get(equation.inputs[0])  # type: ignore[arg-type]
    if inner is None or inner.op.name not in ("reshape", "expand_dims", "squeeze"):
        return None
    params = {"shape": equation.outputs[0].shape, "copy": None}
    return replace(equation, op=OPS["reshape"], inputs=inner.inputs, params=params)


def _permuted(equation: Equation, writers: Writers) -> Found:
    axes = tuple(axis % len(equation.outputs[0].shape) for axis in equation.params["axes"])
    if axes == tuple(range(len(axes))):
        return _is_itself(equation, writers)
    inner = writers.get(equation.inputs[0])  # type: ignore[arg-type]
    if inner is None or inner.op.name != "permute_dims":
        return None
    first = [axis % len(axes) for axis in inner.params["axes"]]
    params = {"axes": tuple([first[axis] for axis in axes])}
    return replace(equation, inputs=inner.inputs, params=params)


def _copied_real(equation: Equation, writers: Writers) -> Found:
    return None if "complex" in equation.outputs[0].dtype else _is_itself(equation, writers)


def _chosen(equation: Equation, writers: Writers) -> Found:
    """Drop a choice between equals, and one that was made already."""
    condition, x, y = equation.inputs
    if x is y and type(x) is Variable:
        return _same(x, equation.outputs[0])
    inner = writers.get(x) if type(x) is Variable else None
    if inner is not None and inner.op.name == "where" and inner.inputs[0] is condition:
        return replace(equation, inputs=(condition, inner.inputs[1], y))
    inner = writers.get(y) if type(y) is Variable else None
    if inner is not None and inner.op.name == "where" and inner.inputs[0] is condition:
        return replace(equation, inputs=(condition, x, inner.inputs[2]))
    return None


def _without_broadcasts(equation: Equation, writers: Writers) -> Found:
    """Read what was broadcast, where the others have the whole shape."""
    shape = equation.outputs[0].shape
    inputs = list(equation.inputs)
    for place, x in enumerate(inputs):
        if type(x) is not Variable or x.shape == ():
            continue
        inner = writers.get(x)
        if inner is None or inner.op.name not in ("broadcast_to", *FILLS):
            continue
        others = [y for other, y in enumerate(inputs) if other != place and type(y) is Variable]
        if any(y.shape == shape for y in others):
            inputs[place] = _before_broadcast(inner, writers)
    if all(x is y for x, y in zip(inputs, equation.inputs, strict=True)):
        return None
    return replace(equation, inputs=tuple(inputs))


def _before_broadcast(equation: Equation, writers: Writers) -> Input:
    if equation.op.name not in FILLS:
        return equation.inputs[0]
    element = replace(equation.outputs[0], shape=())
    writers.constants.append(Constant(element, filled(element, equation, ())))
    return element


RULES: dict[str, Callable[[Equation, Writers], Found]] = {
    "astype": _is_itself,
    "broadcast_to": _is_itself,
    "conj": _copied_real,
    "divide": lambda equation, writers: _with_unit(1)(equation, writers),
    "expand_dims": _reshape,
    "matrix_transpose": _undone,
    "multiply": _with_unit(0, 1),
    "negative": _undone,
    "permute_dims": _permuted,
    "positive": _is_itself,
    "real": _copied_real,
    "reshape": _reshape,
    "squeeze": _reshape,
    "stop_gradient": _is_itself,
    "subtract": _minus_zero,
    "taken_as_constant": _is_itself,
    "where": _chosen,
}
