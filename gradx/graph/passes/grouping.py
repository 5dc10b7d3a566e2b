"""Grouping: elementwise equations that may run as one loop become one equation.

An equation joins the group of what it reads when both have the same shape and nothing
outside lies between them, so that groups can still be run one after another.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from gradx.graph.equations import Equation, Group, Input, Variable
from gradx.graph.ir import Graph


@dataclass(eq=False)
class _Node:
    """An equation, or several that run together, and all nodes that must run before."""

    equations: list[Equation]
    shape: tuple[int, ...]
    groups: bool
    before: set["_Node"] = field(default_factory=set)


def grouped(graph: Graph, may_join: Callable[[Equation], bool]) -> Graph:
    """Make groups of the equations that ``may_join``; one alone stays as it is."""
    nodes: list[_Node] = []
    made_by: dict[Variable, _Node] = {}
    for equation in graph.equations:
        sources = {made_by[x]: None for x in equation.variables if x in made_by}
        node = _Node([equation], equation.outputs[0].shape, may_join(equation))
        home = _home(node, sources, nodes, made_by) if node.groups else None
        if home is None:
            nodes.append(node)
        else:
            home.equations.append(equation)
            node = home
        made_by.update(dict.fromkeys(equation.outputs, node))
        read = {made_by[x] for x in equation.variables if x in made_by}
        _add_before(node, read - {node}, nodes)
    places = {equation: place for place, equation in enumerate(graph.equations)}
    for node in nodes:
        node.equations.sort(key=places.__getitem__)
    outputs = {x for x in graph.outputs if type(x) is Variable}
    ordered = _in_order(nodes)
    reads = _reads(ordered)
    return replace(graph, equations=tuple([_equation_of(node, reads, outputs) for node in ordered]))


def _home(
    node: _Node, sources: Iterable[_Node], nodes: list[_Node], made_by: dict[Variable, _Node]
) -> _Node | None:
    """Return a group that ``node`` may join: no other source of it depends on that group.

    Other groups among its sources become one with it, where that is possible.
    """
    rest = list(sources)
    fitting = [c for c in rest if c.groups and c.shape == node.shape]
    free = [c for c in fitting if not any(c in other.before for other in rest)]
    if not free:
        return None
    home, *others = free
    for other in others:
        if not any(_between(home, other, middle) for middle in nodes):
            _merge(home, other, nodes, made_by)
    return home


def _between(one: _Node, other: _Node, middle: _Node) -> bool:
    """Tell whether ``middle`` must run after one of two nodes and before the other."""
    return (one in middle.before and middle in other.before) or (
        other in middle.before and middle in one.before
    )


def _merge(home: _Node, other: _Node, nodes: list[_Node], made_by: dict[Variable, _Node]) -> None:
    """Make two groups one, in all that is known of them."""
    home.equations += other.equations
    nodes.remove(other)
    made_by.update((out, home) for equation in other.equations for out in equation.outputs)
    before = (home.before | other.before) - {home, other}
    for node in nodes:
        if home in node.before or other in node.before:
            node.before = (node.before | before | {home}) - {other}
    home.before = before


def _add_before(node: _Node, sources: set[_Node], nodes: list[_Node]) -> None:
    """Record that ``sources``, and all before them, run before ``node`` and all after it."""
    earlier = sources.union(*[source.before for source in sources])
    if earlier <= node.before:
        return
    for later in nodes:
        if later is node or node in later.before:
            later.before |= earlier


def _in_order(nodes: list[_Node]) -> list[_Node]:
    """Sort so that each node comes after all before it, otherwise as they were."""
    ordered: list[_Node] = []
    done: set[_Node] = set()
    pending = list(nodes)
    while pending:
        rest = []
        for node in pending:
            if node.before <= done:
                ordered.append(node)
                done.add(node)
            else:
                rest.append(node)
        pending = rest
    return ordered


def _reads(nodes: list[_Node]) -> dict[Variable, set[_Node]]:
    read: dict[Variable, set[_Node]] = {}
    for node in nodes:
        for equation in node.equations:
            for x in equation.variables:
                read.setdefault(x, set()).add(node)
    return read


def _equation_of(node: _Node, read: dict[Variable, set[_Node]], outputs: set[Variable]) -> Equation:
    """Return the one equation of a node: its own, or one of a group."""
    if len(node.equations) == 1:
        return node.equations[0]
    made = [out for equation in node.equations for out in equation.outputs]
    inside = set(made)
    used = dict.fromkeys(
        x for equation in node.equations for x in equation.variables if x not in inside
    )
    results = tuple([x for x in made if x in outputs or read.get(x, set()) - {node}])
    inputs: tuple[Input, ...] = tuple(used)
    inner = Graph(tuple(used), (), tuple(node.equations), results, name="group")
    return Equation(Group(inner), inputs, {}, results, node.equations[0].line)
