"""Run a graph op by op, on any array library.

A program calls each op's implementation, found once; nothing is dispatched or checked
when it runs. Where one fails, the error says what it would have said in eager code.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from gradx.backends import backend_for_device
from gradx.core.explain import EXPLAINED, explain
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.executors.source import Source, last_uses
from gradx.graph.weak import OPERATORS, computed_by_python


def compile_by_op(graph: Any) -> Callable[..., tuple[Any, ...]]:
    """Return a program that runs the equations of ``graph`` one after another."""
    source = Source()
    for variable, value in graph.constants:
        source.scope[source.name(variable)] = value
    kept = [*graph.outputs, *(constant.variable for constant in graph.constants)]
    for equation, dead in zip(graph.equations, last_uses(graph.equations, kept), strict=True):
        emit(source, equation)
        if dead:
            source.add(f"del {', '.join(map(source.name, dead))}")
    return finish(source, graph)


def emit(source: Source, equation: Equation) -> None:
    """Add the line of one equation, or the lines of a group."""
    if type(equation.op) is not Group:
        source.assign(equation, source.call(function_of(equation), equation))
        return
    inner = equation.op.graph
    for inside, outside in zip(inner.inputs, equation.inputs, strict=True):
        source.names[inside] = source.name(outside)
    for inside, outside in zip(inner.outputs, equation.outputs, strict=True):
        source.names[inside] = source.name(outside)
    for one in inner.equations:
        emit(source, one)


def function_of(equation: Equation) -> Callable[..., Any]:
    """Return what computes one equation, for the arrays that it is given."""
    if computed_by_python(equation):
        return OPERATORS[equation.op.name]
    return equation.op.on(backend_for_device(equation.device)[0])


def finish(
    source: Source, graph: Any, make_buffers: Callable[[], Any] | None = None
) -> Callable[..., tuple[Any, ...]]:
    """Compile the lines, let their errors be retold, and lend each call buffers of its own."""
    source.add(f"return ({''.join(f'{source.name(out)}, ' for out in graph.outputs)})")
    run = source.compile(["buffers", *map(source.name, graph.inputs)])
    equations = [equation for _, equation in source.lines]
    idle: list[Any] = []

    def program(*arrays: Any) -> Any:
        # Popping and appending are atomic: no two threads ever hold the same buffers.
        try:
            buffers = idle.pop()
        except IndexError:
            buffers = make_buffers and make_buffers()
        try:
            return run(buffers, *arrays)
        except EXPLAINED as error:
            raise _retold(error, run.__code__, equations, source) from error
        finally:
            idle.append(buffers)

    times = Counter(graph.outputs)
    program.fresh = frozenset(  # type: ignore[attr-defined]
        [i for i, out in enumerate(graph.outputs) if out in source.fresh and times[out] == 1]
    )
    return program


def _retold(error, code, equations, source):
    """Find the equation that failed, and its arguments in the frame that ran it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    equation = None if trace is None else equations[trace.tb_lineno - 2]
    if equation is None or type(equation.op) is Group:
        return error
    known = source.scope | trace.tb_frame.f_locals
    arrays = tuple(
        [known.get(source.names[x]) if type(x) is Variable else x for x in equation.inputs]
    )
    told = explain(equation.op, error, arrays, equation.params)
    if equation.line:
        told.args = (f"{told.args[0]}, at {equation.line}", *told.args[1:])
    return told
