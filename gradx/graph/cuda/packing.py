"""Packing: equal groups over arrays of different sizes become one kernel.

The update of each parameter is the same group; one launch does them all, with a share of the
blocks for each. Addresses are arguments of the kernel, of which there is room for some hundred:
a larger tree takes several launches.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

from gradx.backends.cuda_kernels.elementwise import HELPERS
from gradx.backends.cuda_kernels.launching import launch
from gradx.backends.cuda_kernels.prelude import COMMON, THREADS, blocks_for
from gradx.graph.cuda.group import REDUCTIONS, Writer, argument, has_kernel
from gradx.graph.equations import Equation, Group, Input, Variable
from gradx.graph.ir import Graph, GroupKernel
from gradx.graph.passes.common import call_key
from gradx.graph.rewriting import in_order

MOST_ARGUMENTS = 480  # of 8 bytes each; a kernel has room for 4096 bytes


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Groups that are one kernel; inputs and outputs are those of one after another."""

    groups: tuple[Group, ...]
    name: str = "pack"
    fresh: ClassVar = True  # no result is a view of an input


def packed(graph: Graph) -> Graph:
    """Make one equation of groups that compute the same and do not wait for one another."""
    alike: dict[Hashable, list[Equation]] = {}
    for equation in graph.equations:
        key = kind_of(equation)
        if key is not None:
            alike.setdefault(key, []).append(equation)
    for pending in alike.values():
        while len(pending) > 1:
            members = _independent(graph, pending)
            pending = [e for e in pending if e not in members]
            if len(members) > 1:
                kept = [e for e in graph.equations if e not in members]
                graph = replace(graph, equations=tuple(in_order([*kept, _pack(members)])))
    return graph


def kind_of(equation: Equation) -> Hashable:
    """Return what two groups must share to be one kernel; None if one cannot share."""
    if type(equation.op) is not Group or not has_kernel(equation.op.graph):
        return None
    inner = equation.op.graph
    shape = inner.outputs[0].shape
    places: dict[Input, int] = {}
    variables = [*inner.inputs, *[out for e in inner.equations for out in e.outputs]]
    for x in variables:
        if x.shape not in (shape, ()):
            return None
        places[x] = len(places)
    types = tuple([(x.dtype, x.weak, x.shape == shape, x.device) for x in variables])
    calls = tuple([_call(e, places) for e in inner.equations])
    outputs = tuple([places[x] for x in inner.outputs])
    reduces = any(e.op.name in REDUCTIONS for e in inner.equations)
    return None if reduces or None in calls or shape == () else (types, calls, outputs)


def _call(equation: Equation, places: dict[Input, int]) -> Hashable:
    params = {name: value for name, value in equation.params.items() if name != "shape"}
    literals = [x for x in equation.inputs if type(x) is not Variable]
    key = call_key(Equation(equation.op, tuple(literals), params, equation.outputs))
    reads = tuple([places.get(x, -1) if type(x) is Variable else -1 for x in equation.inputs])
    return None if key is None else (key, reads)


def _independent(graph: Graph, equations: list[Equation]) -> list[Equation]:
    """Return the first of some equations, and those that one launch holds beside it.

    None waits for another, nor for what waits for another.
    """
    before = _ancestors(graph)
    numbers = {e: number for number, e in enumerate(graph.equations)}
    room = MOST_ARGUMENTS // (len(equations[0].inputs) + len(equations[0].outputs))
    members: list[Equation] = []
    for equation in sorted(equations, key=numbers.__getitem__):
        waits = any(before[equation] >> numbers[e] & 1 for e in members)
        if not waits and len(members) < max(room, 1):
            members.append(equation)
    return members


def _ancestors(graph: Graph) -> dict[Equation, int]:
    """Return, for each equation, which must run before it: a bit for each place."""
    made_by = {out: e for e in graph.equations for out in e.outputs}
    before: dict[Equation, int] = {}
    numbers = {e: number for number, e in enumerate(graph.equations)}
    for equation in graph.equations:
        sources = {made_by[x] for x in equation.variables if x in made_by}
        found = 0
        for source in sources:
            found |= before[source] | 1 << numbers[source]
        before[equation] = found
    return before


def _pack(members: list[Equation]) -> Equation:
    inputs = tuple([x for e in members for x in e.inputs])
    outputs = tuple([x for e in members for x in e.outputs])
    pack: Any = Pack(tuple([e.op for e in members]))
    return Equation(pack, inputs, {}, outputs, members[0].line)


def compile_pack(pack: Pack) -> GroupKernel:
    """Return a kernel of all inputs and then all outputs, of one group after another."""
    graphs = [group.graph for group in pack.groups]
    text, blocks = _source(graphs)
    ins, outs = len(graphs[0].inputs), len(graphs[0].outputs)
    weak = [x.weak for graph in graphs for x in graph.inputs]

    def kernel(*arrays: Any) -> None:
        inputs = [argument(x, w) for x, w in zip(arrays, weak, strict=False)]
        outputs = arrays[len(weak) :]
        ordered = [
            x
            for j in range(len(graphs))
            for x in (*outputs[j * outs : (j + 1) * outs], *inputs[j * ins : (j + 1) * ins])
        ]
        launch(text, "group", blocks, THREADS, *ordered)

    return kernel


def _count(graph: Graph) -> int:
    """Return how many elements a group computes."""
    return prod(graph.outputs[0].shape)  # type: ignore[union-attr]


def _source(graphs: list[Graph]) -> tuple[str, int]:
    """Return a source whose kernel is called ``group``, and how many blocks it takes."""
    # In a group of one element a number looks like an array; not in the largest.
    written = Writer(max(graphs, key=_count))
    names = list(written.parameters())
    declared = [f"{kind} {name};" for kind, name in names]
    parameters, choices, first = [], [], 0
    for j, graph in enumerate(graphs):
        count = _count(graph)
        blocks = blocks_for(count)
        parameters += [f"{kind} {name}_{j}" for kind, name in names]
        chosen = "".join(f" {name} = {name}_{j};" for _, name in names)
        choices.append(
            f"if (blockIdx.x < {first + blocks}) {{{chosen} "
            f"count = {count}ll; first = {first}; blocks = {blocks}; }}"
        )
        first += blocks
    lines = [
        *declared,
        "int64 count, first, blocks;",
        "\n    else ".join(choices),
        "for (int64 at = (blockIdx.x - first) * blockDim.x + threadIdx.x; at < count;",
        "     at += blocks * blockDim.x) {",
        *[f"    {line}" for line in written.element_lines()],
        "}",
    ]
    body = "".join(f"    {line}\n" for line in lines)
    head = f"{COMMON}typedef float Real;\n{HELPERS}"
    given = ", ".join(parameters)
    return f'{head}\nextern "C" __global__ void group({given}) {{\n{body}}}\n', first
