"""The loop that a group runs in: over which axes, and over which of them each value varies.

Axes beside each other over which all values vary alike are one, and axes of length 1 are
none. The last axis that is left is the inner loop, a *row*; the others make the rows. A
reduction is of one of three kinds:

* ``ROW``: of a row, to one number, which the same row may go on with (softmax);
* ``COLUMN``: over the rows, to a row (the gradient of a bias);
* ``TOTAL``: of everything, to a number.

What the last two give can only be used by values that vary no more than they do.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.native.operations import FILLED, SUPPORTED, UnsupportedError, read_by
from gradx.graph.native.places import Place, resolved

Axes = tuple[bool, ...]  # for each axis, whether a value varies over it

ALIGNED_AGAIN = {"reshape", "expand_dims", "squeeze"}  # only lengths of 1 may come or go
DTYPES = {"bool", "float32", "float64"} | {f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)}


class Stretch(NamedTuple):
    """Where a view or a part lies in an array: from where on, and how far from row to row."""

    base: Variable
    offset: int  # in elements, as the strides
    strides: tuple[int, ...]  # along the axes of the loop but the last


class Kind(Enum):
    """What a reduction leaves."""

    ROW = auto()
    COLUMN = auto()
    TOTAL = auto()


REDUCTIONS = {"sum", "mean", "max", "min"}
SHORTEST_ROW = 16  # of a view that is read where it lies: shorter ones are copied as quickly


@dataclass
class Plan:
    """A group's loop: ``sizes`` of its axes, and what each value is in it.

    ``graph`` is that of the group with its views as inputs, and with the parts of its joins as
    outputs; ``inputs`` and ``results`` are the arrays that they lie in.
    """

    graph: Graph
    inputs: tuple[Variable, ...]
    results: tuple[Variable, ...]
    places: dict[Variable, "Stretch"]
    sizes: tuple[int, ...]
    varies: dict[Variable, Axes]
    kinds: dict[Equation, Kind] = field(default_factory=dict)
    producer: dict[Variable, Equation] = field(default_factory=dict)
    after: set[Variable] = field(default_factory=set)  # needs a COLUMN or TOTAL to be complete

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The outputs, none of which is a number."""
        return tuple([x for x in self.graph.outputs if type(x) is Variable])

    @property
    def is_flat(self) -> bool:
        """Tell whether there is one axis, which may be cut into rows anywhere."""
        return len(self.sizes) == 1 and Kind.ROW not in self.kinds.values()

    def inner(self, variable: Variable) -> bool:
        """Tell whether a value varies along a row."""
        return self.varies[variable][-1]

    def outer(self, variable: Variable) -> Axes:
        """Tell over which axes of the rows a value varies."""
        return self.varies[variable][:-1]


def analyse(graph: Graph) -> Plan:
    """Plan the loop of a group.

    Raises:
        UnsupportedError: there is no such loop.
    """
    reduced, places = resolved(graph)
    _check(reduced)
    alignments = _align(reduced)
    steps = {x: place.along(alignments[x]) for x, place in places.items()}
    axes = _joined_axes(alignments, steps)
    sizes = tuple(size for size, _ in axes)
    plan = Plan(
        reduced,
        graph.inputs,
        tuple([x for x in graph.outputs if type(x) is Variable]),
        {x: _stretch(place, steps[x], axes) for x, place in places.items()},
        sizes,
        _varies(alignments, axes),
    )
    plan.producer = {out: e for e in reduced.equations for out in e.outputs}
    _classify(plan)
    return plan


def _check(graph: Graph) -> None:
    for equation in graph.equations:
        if equation.op.name not in SUPPORTED | REDUCTIONS:
            raise UnsupportedError(equation.op.name)
    for variable in variables_of(graph):
        if variable.dtype not in DTYPES or 0 in variable.shape:
            raise UnsupportedError(variable.type)
    if any(type(x) is not Variable or x.weak for x in graph.outputs) or graph.constants:
        raise UnsupportedError("a number as an output, or a constant")


def variables_of(graph: Graph) -> Iterator[Variable]:
    """Yield every variable once, in order of appearance."""
    yield from graph.inputs
    for equation in graph.equations:
        yield from equation.outputs


Alignment = tuple[int, ...]  # a value's lengths along the axes of the whole


def _align(graph: Graph) -> dict[Variable, Alignment]:
    """Find along which axes of the largest value every value lies."""
    whole = max((v.shape for v in variables_of(graph)), key=lambda s: (math.prod(s), len(s)))
    known: dict[Variable, Alignment] = {}
    for equation in graph.equations:
        (out,) = equation.outputs
        operands = read_by(equation)
        name = equation.op.name
        if name in FILLED:
            continue  # lies wherever it is first used
        if name in REDUCTIONS:
            source = _known(known, operands[0], operands, operands[0].shape, whole)
            known[out] = _reduced(source, operands[0].shape, equation, whole)
        elif name in ALIGNED_AGAIN:
            known[out] = _same_lengths(_reshaped(known, operands[0], out, whole), out, whole)
        else:
            for operand in operands:
                _known(known, operand, operands, out.shape, whole)
            known[out] = _elementwise(known, operands, out, whole)
    for variable in variables_of(graph):
        if variable not in known:
            known[variable] = _natural(variable.shape, whole)
    return known


def _natural(shape: tuple[int, ...], whole: tuple[int, ...]) -> Alignment:
    """Return how broadcasting has a shape lie."""
    if not _fits(shape, whole):
        raise UnsupportedError(f"{shape} along {whole}")
    return (1,) * (len(whole) - len(shape)) + shape


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    ends = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(n in (1, w) for n, w in ends)


def _parts(shape: tuple[int, ...], whole: tuple[int, ...]) -> list[list[int]] | None:
    """Return which axes of the whole each axis is made of, if the same elements are in a row."""
    if math.prod(shape) != math.prod(whole):
        return None
    parts, axis = [], 0
    for length in shape:
        part: list[int] = []
        while math.prod(whole[i] for i in part) < length and axis < len(whole):
            part.append(axis)
            axis += 1
        if math.prod(whole[i] for i in part) != length:
            return None
        parts.append(part)
    return parts


def _along(shape: tuple[int, ...], around: tuple[int, ...], whole: tuple[int, ...]) -> Alignment:
    """Return how a shape lies that is broadcast to ``around``."""
    parts = None if around == whole else _parts(around, whole)
    if parts is None:
        return _natural(shape, whole)
    lengths = [1] * len(whole)
    for length, part in zip(reversed(shape), reversed(parts), strict=False):
        if length > 1:
            for axis in part:
                lengths[axis] = whole[axis]
    return tuple(lengths)


def _known(known, variable, operands, around, whole) -> Alignment:
    """Return how a value lies; an input is met first beside one of its shape, or as it stands."""
    if variable not in known:
        beside = [known[x] for x in operands if x in known and x.shape == variable.shape]
        known[variable] = beside[0] if beside else _along(variable.shape, around, whole)
    return known[variable]


def _elementwise(known, operands, out, whole) -> Alignment:
    """Return how the result lies: as its operands do, or as broadcasting has it."""
    found = {known[x] for x in operands if math.prod(x.shape) > 1}
    shapes = {x.shape for x in operands if math.prod(x.shape) > 1}
    if shapes == {out.shape} and len(found) == 1:
        return found.pop()
    for x in operands:
        if known[x] != _along(x.shape, out.shape, whole):
            raise UnsupportedError(f"{x.type} broadcast along other axes")
    return _along(out.shape, out.shape, whole)


def _reshaped(known, operand, out, whole) -> Alignment:
    """Return how a value lies that is given another shape: an input, as its new shape has it."""
    if operand not in known:
        shape = out.shape if _fits(out.shape, whole) else operand.shape
        known[operand] = _along(shape, shape, whole)
    return known[operand]


def _same_lengths(source: Alignment, out: Variable, whole: tuple[int, ...]) -> Alignment:
    if source == whole and _parts(out.shape, whole):
        return source
    if [n for n in out.shape if n > 1] != [n for n in source if n > 1]:
        raise UnsupportedError(f"reshape to {out.shape}")
    return source


def axes_of(equation: Equation) -> tuple[int, ...]:
    """Return the axes that a reduction is over, from the front."""
    rank = len(equation.inputs[0].shape)  # type: ignore[union-attr]
    axis: Any = equation.params.get("axis")
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank for a in (axis if isinstance(axis, tuple) else (axis,)))


def _reduced(
    source: Alignment, shape: tuple[int, ...], equation: Equation, whole: tuple[int, ...]
) -> Alignment:
    """Return how the result of a reduction lies: it has length 1 where there was an axis."""
    if equation.params.get("dtype") not in (None, equation.outputs[0].dtype):
        raise UnsupportedError("a dtype")
    parts = _parts(shape, whole) if source == whole else None
    if parts is None:
        places = [i for i, n in enumerate(source) if n > 1]
        long = [i for i, n in enumerate(shape) if n > 1]
        if len(places) != len(long):
            raise UnsupportedError(f"a reduction of {shape}")
        parts = [[] for _ in shape]
        for place, i in zip(places, long, strict=True):
            parts[i] = [place]
    gone = {axis for i in axes_of(equation) for axis in parts[i]}
    return tuple(1 if i in gone else n for i, n in enumerate(source))


def _joined_axes(
    alignments: dict[Variable, Alignment], steps: dict[Variable, tuple[int, ...]]
) -> list[tuple[int, list[int]]]:
    """Return the length of each axis of the loop, and the axes of the whole that it is made of.

    Axes over which all vary alike are one, where those that lie elsewhere lie as in one piece.
    """
    joined: list[tuple[int, list[int]]] = []
    columns = list(zip(*alignments.values(), strict=True))
    for axis, lengths in enumerate(columns):
        size = max(lengths)
        if size == 1:
            continue
        if joined and _are_one(columns[joined[-1][1][-1]], lengths, joined[-1][1][-1], axis, steps):
            joined[-1] = (joined[-1][0] * size, [*joined[-1][1], axis])
        else:
            joined.append((size, [axis]))
    return joined or [(1, [])]


def _are_one(before, lengths, last, axis, steps) -> bool:
    """Tell whether two axes beside each other are one: for values, and for where they lie."""
    if any((a > 1) != (b > 1) for a, b in zip(before, lengths, strict=True)):
        return False
    size = max(lengths)
    return all(strides[last] == strides[axis] * size for strides in steps.values())


def _varies(
    alignments: dict[Variable, Alignment], axes: list[tuple[int, list[int]]]
) -> dict[Variable, Axes]:
    """Return over which axes of the loop each value varies; all, where there is one turn."""
    return {
        variable: tuple(not parts or lengths[parts[0]] > 1 for _, parts in axes)
        for variable, lengths in alignments.items()
    }


def _stretch(place: Place, strides: tuple[int, ...], axes: list[tuple[int, list[int]]]) -> Stretch:
    *outer, inner = [strides[parts[-1]] if parts else 0 for _, parts in axes]
    if inner not in (0, 1):
        raise UnsupportedError("elements of a view that are not one after another")
    if inner == 1 and axes[-1][0] < SHORTEST_ROW:
        raise UnsupportedError(f"a view of {axes[-1][0]} elements in a row")
    return Stretch(place.base, place.offset, tuple(outer))


def _classify(plan: Plan) -> None:
    """Give each reduction its kind, and find what has to wait for the end."""
    for equation in plan.graph.equations:
        (out,) = equation.outputs
        waits = any(x in plan.after for x in read_by(equation))
        if equation.op.name in REDUCTIONS:
            kind = _kind(plan, equation)
            if kind is not None:
                plan.kinds[equation] = kind
                if waits:
                    raise UnsupportedError("a reduction of what was reduced over rows")
                waits = kind is not Kind.ROW
        if waits:
            plan.after.add(out)
    if any(_varies_too_much(plan, variable) for variable in plan.after):
        _make_one_row(plan)
    _settle_outputs(plan)


def _kind(plan: Plan, equation: Equation) -> Kind | None:
    """Return the kind of a reduction; None of one over axes of length 1."""
    (x,) = equation.variables
    (out,) = equation.outputs
    before, left = plan.varies[x], plan.varies[out]
    if before == left:
        return None
    gone = [b and not a for b, a in zip(before, left, strict=True)]
    if not any(left) and all(before[:-1]):
        return Kind.TOTAL
    if gone[-1] and not any(gone[:-1]):
        return Kind.ROW
    if left[-1] and not any(left[:-1]) and all(before):
        return Kind.COLUMN
    raise UnsupportedError(f"{equation.op.name} over axes in the middle")


def _varies_too_much(plan: Plan, variable: Variable) -> bool:
    return any(plan.outer(variable)) or (plan.is_flat and plan.inner(variable))


LONGEST_ROW = 1 << 16  # that is worth running on one thread, to stay in one loop


def _make_one_row(plan: Plan) -> None:
    """Turn a flat plan whose totals are used in the same loop into one of a single row."""
    if not plan.is_flat or plan.sizes[0] > LONGEST_ROW:
        raise UnsupportedError("a reduction over rows that each row needs")
    plan.kinds = dict.fromkeys(plan.kinds, Kind.ROW)
    plan.after.clear()


def _settle_outputs(plan: Plan) -> None:
    """Leave to the end what is the same for all rows."""
    for out in plan.outputs:
        if all(plan.outer(out)) and not (plan.is_flat and not plan.inner(out)):
            continue
        if any(plan.outer(out)):
            raise UnsupportedError(f"{out.type}, which some rows share")
        plan.after.add(out)
