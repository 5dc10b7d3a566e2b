"""Sums of products in Einstein's notation, brought down to products of two matrices.

Operands are multiplied two at a time, in an order that keeps the work small. Each product
moves axes, merges them, calls ``matmul`` and splits them again, so nothing here has
derivative rules of its own. What to do is worked out once for subscripts and shapes.
"""

import importlib
from functools import lru_cache
from itertools import chain, combinations
from math import prod
from typing import Any, NamedTuple

from gradx.core.op import composed
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.elementwise import multiply
from gradx.ops.linalg import diagonal, matmul
from gradx.ops.shapes import moveaxis, permute_dims, reshape, squeeze, sum

# Names for the axes that "..." stands for: no subscript is one of these.
HIDDEN = [chr(0x100000 + place) for place in range(64)]


def _sums(draw):
    cases: list[tuple[Any, ...]] = [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("ba", (2, 3)),
        ("i,i->", (3,), (3,)),
        ("i,j->ji", (2,), (3,)),
        ("ii", (3, 3)),
        ("ii->i", (3, 3)),
        ("iij->ji", (2, 2, 3)),
        ("iii", (2, 2, 2)),
        ("ij->", (2, 3)),
        ("bhqd,bhkd->bhqk", (2, 1, 3, 4), (2, 1, 2, 4)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
        ("i...,i...", (2, 3), (2, 3)),
        ("...", (2, 3)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
        ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
        ("a,b,c,d->db", (2,), (3,), (2,), (2,)),
        ("ij,kj->i", (2, 3), (4, 3)),
        (" i j , j -> i ", (2, 3), (3,)),
        (",i->i", (), (3,)),
        ("ij,jk->ik", (0, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 2)),
    ]
    for subscripts, *shapes in cases:
        yield Sample((subscripts, *[draw(*shape) for shape in shapes]))
    yield Sample(("ij,jk->ki", draw(2, 3) + 1j * draw(2, 3), draw(3, 2)))


@composed(samples=_sums)
def einsum(subscripts, *operands):
    """Multiply arrays and add up over axes: ``einsum("ij,jk->ik", x, y)`` is ``x @ y``.

    Each operand has a letter for every axis; ``...`` stands for axes that broadcast. The axes
    of the result follow ``->``; without it they are the letters that occur once, in
    alphabetical order. Letters that it lacks are summed over. A letter twice in one
    operand takes its diagonal. NumPy's other form, ``einsum(x, [0, 1], y, [1, 2], [0, 2])``,
    is accepted too.

    Raises:
        ValueError: subscripts and shapes do not fit; the message says where.

    >>> import numpy as np, gradx as gx
    >>> gx.einsum("ij,j->i", np.ones((2, 3)), np.asarray([1.0, 2.0, 3.0]))
    array([6., 6.])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    plan = _planned(subscripts, tuple([tuple(operand.shape) for operand in operands]))
    terms = [_prepare(x, how) for x, how in zip(operands, plan.preparations, strict=True)]
    for step in plan.steps:
        # Taken out from the back, so that places in front stay what they are.
        y, x = terms.pop(step.second), terms.pop(step.first)
        product = step.multiply(_arrange(x, step.x), _arrange(y, step.y))
        terms.append(product if step.shape is None else reshape(product, step.shape))
    return _arrange(terms[0], plan.result)


class Preparation(NamedTuple):
    """What to do to an operand first: pairs of axes to take diagonals of, axes to drop."""

    diagonals: tuple[tuple[int, int], ...]
    dropped: tuple[int, ...]


class Arrangement(NamedTuple):
    """Axes to add up, the order for the others, and the shape to give; ``None`` is as it is."""

    summed: tuple[int, ...]
    order: tuple[int, ...] | None
    shape: tuple[int, ...] | None


class Step(NamedTuple):
    """A product of two terms: where they are, how to arrange them, and the product's shape."""

    first: int
    second: int
    x: Arrangement
    y: Arrangement
    multiply: Any
    shape: tuple[int, ...] | None


class Plan(NamedTuple):
    """Everything that follows from subscripts and shapes."""

    preparations: tuple[Preparation, ...]
    steps: tuple[Step, ...]
    result: Arrangement


def _prepare(x, how):
    for pair in how.diagonals:
        x = diagonal(moveaxis(x, pair, (-2, -1)))
    return squeeze(x, how.dropped) if how.dropped else x


def _arrange(x, how):
    if how.summed:
        x = sum(x, axis=how.summed)
    if how.order is not None:
        x = permute_dims(x, how.order)
    return x if how.shape is None else reshape(x, how.shape)


@lru_cache(maxsize=1024)
def _planned(subscripts, shapes):
    inputs, output = _read(subscripts, shapes)
    sizes = _sizes(subscripts, inputs, shapes)
    prepared = [_prepared(axes, shape, sizes) for axes, shape in zip(inputs, shapes, strict=True)]
    terms = [axes for _, axes in prepared]
    steps = []
    for first, second in _path(terms, output, sizes):
        y, x = terms.pop(second), terms.pop(first)
        needed = set(output).union(*terms)
        step, axes = _step(first, second, x, y, needed, sizes)
        steps.append(step)
        terms.append(axes)
    result = _arrangement(terms[0], output, sizes)
    return Plan(tuple(how for how, _ in prepared), tuple(steps), result)


def _from_lists(arguments):
    """Turn arrays with a list of integers after each into subscripts, and the arrays."""
    names = "".join(chr(code) for code in chain(range(ord("A"), ord("Z") + 1), range(97, 123)))
    *pairs, output = arguments if len(arguments) % 2 else (*arguments, None)
    spelled = lambda axes: "".join("..." if axis is Ellipsis else names[axis] for axis in axes)
    subscripts = ",".join(spelled(axes) for axes in pairs[1::2])
    return subscripts + ("" if output is None else f"->{spelled(output)}"), tuple(pairs[::2])


def _read(subscripts, shapes):
    """Return the names of the axes of each operand and of the result, as strings."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(shapes):
        raise ShapeError(f"einsum {subscripts!r}: {len(inputs)} terms for {len(shapes)} arrays")
    hidden = 0
    for place, (term, shape) in enumerate(zip(inputs, shapes, strict=True)):
        count = len(shape) - len(term.replace("...", "", 1))
        if count < 0 or (count and "..." not in term):
            raise ShapeError(f"einsum {subscripts!r}: {term!r} for an array of shape {shape}")
        inputs[place] = term.replace("...", "".join(HIDDEN[:count][::-1]), 1)
        _check_diagonals(subscripts, inputs[place], shape)
        hidden = max(hidden, count)
    dots = "".join(HIDDEN[:hidden][::-1])
    output = right.replace("...", dots, 1) if arrow else dots + _letters_that_occur_once(inputs)
    known = set("".join(inputs))
    if wrong := [name for name in output if output.count(name) > 1 or name not in known]:
        raise ShapeError(f"einsum {subscripts!r}: the result cannot have {wrong[0]!r}")
    if wrong := [name for name in known if not (name.isalpha() or name in HIDDEN)]:
        raise ShapeError(f"einsum {subscripts!r}: {wrong[0]!r} is not a letter")
    return inputs, output


def _check_diagonals(subscripts, axes, shape):
    known = dict(zip(axes, shape, strict=True))
    for name, length in zip(axes, shape, strict=True):
        if known[name] != length:
            raise ShapeError(f"einsum {subscripts!r}: {name!r} is both {length} and {known[name]}")


def _letters_that_occur_once(inputs):
    letters = "".join(inputs)
    return "".join(sorted(n for n in set(letters) if letters.count(n) == 1 and n not in HIDDEN))


def _sizes(subscripts, inputs, shapes):
    """Return the length that each name stands for; axes of length one broadcast."""
    sizes: dict[str, int] = {}
    axes = chain(*inputs)
    for name, length in zip(axes, chain(*shapes), strict=True):
        known = sizes.setdefault(name, length)
        if known == 1:
            sizes[name] = length
        elif length not in (1, known):
            what = "..." if name in HIDDEN else name
            raise ShapeError(f"einsum {subscripts!r}: {what!r} is both {known} and {length}")
    return sizes


def _prepared(axes, shape, sizes):
    """Say how to make each name occur once and at full length, and the axes there are then."""
    lengths, diagonals = dict(zip(axes, shape, strict=True)), []
    for name in sorted(set(axes)):
        while axes.count(name) > 1:
            first, second = axes.index(name), axes.rindex(name)
            diagonals.append((first, second))
            axes = axes[:first] + axes[first + 1 : second] + axes[second + 1 :] + name
    dropped = tuple(place for place, name in enumerate(axes) if lengths[name] != sizes[name])
    kept = "".join(name for name in axes if lengths[name] == sizes[name])
    return Preparation(tuple(diagonals), dropped), kept


def _path(terms, output, sizes):
    """Return which terms to multiply at each step; their product is put last."""
    if len(terms) < 3:
        return [(0, 1)][: len(terms) - 1]
    try:
        contract_path = importlib.import_module("opt_einsum").contract_path
    except ImportError:
        return _greedy_path(terms, output, sizes)
    shapes = [tuple(sizes[name] for name in axes) for axes in terms]
    path, _ = contract_path(",".join(terms) + "->" + output, *shapes, shapes=True)
    return list(_two_by_two(path, len(terms)))


def _two_by_two(path, count):
    """Split steps that multiply more than two terms at once."""
    for step in path:
        rest = sorted(step)
        while len(rest) > 1:
            first, second = rest[:2]
            yield first, second
            count -= 1
            rest = [place - (place > first) - (place > second) for place in rest[2:]] + [count - 1]


def _greedy_path(terms, output, sizes):
    """Multiply the pair that shrinks the most, again and again."""
    terms, path = list(terms), []
    while len(terms) > 1:
        options = [
            (_growth(terms, pair, output, sizes), pair)
            for pair in combinations(range(len(terms)), 2)
        ]
        _, (first, second) = min(options)
        path.append((first, second))
        y, x = terms.pop(second), terms.pop(first)
        terms.append("".join(set(x + y) & set(output).union(*terms)))
    return path


def _growth(terms, pair, output, sizes):
    first, second = pair
    others = [axes for place, axes in enumerate(terms) if place not in pair]
    kept = set(terms[first] + terms[second]) & set(output).union(*others)
    size = lambda names: prod([sizes[name] for name in names])
    return size(kept) - size(terms[first]) - size(terms[second])


def _arrangement(axes, wanted, sizes, shape=None):
    """Say how to bring a term to the axes ``wanted``, then to a shape."""
    summed = tuple(place for place, name in enumerate(axes) if name not in wanted)
    kept = "".join(name for name in axes if name in wanted)
    order = None if kept == wanted else tuple(kept.index(name) for name in wanted)
    return Arrangement(summed, order, _unless(shape, _lengths(wanted, sizes)))


def _lengths(names, sizes):
    return tuple(sizes[name] for name in names)


def _unless(shape, known):
    return None if shape is None or shape == known else shape


def _step(first, second, x, y, needed, sizes):
    """Plan the product of two terms, which adds up what both have and nothing else needs."""
    x_kept = [name for name in x if name in needed or name in y]
    y_kept = [name for name in y if name in needed or name in x]
    shared = [name for name in x_kept if name in y_kept]
    batch = "".join(name for name in shared if name in needed)
    inner = "".join(name for name in shared if name not in needed)
    rows = "".join(name for name in x_kept if name not in shared)
    columns = "".join(name for name in y_kept if name not in shared)
    x_shape, y_shape, shape = _shapes(*[_lengths(n, sizes) for n in (batch, rows, inner, columns)])
    out = batch + rows + columns
    step = Step(
        first,
        second,
        _arrangement(x, batch + rows + inner, sizes, x_shape),
        _arrangement(y, batch + inner + columns, sizes, y_shape),
        matmul if inner else multiply,
        _unless(_lengths(out, sizes), shape),
    )
    return step, out


def _shapes(batch, rows, inner, columns):
    """Return the shapes of the terms (batch, rows, inner) and (batch, inner, columns) to multiply.

    Where there is nothing to add up they broadcast; else they are matrices, or stacks of
    them. The last shape is that of the product.
    """
    if not inner:
        x_shape = (*batch, *rows, *[1] * len(columns))
        return x_shape, (*batch, *[1] * len(rows), *columns), (*batch, *rows, *columns)
    stack = (prod(batch),) if batch else ()
    x_shape, y_shape = (*stack, prod(rows), prod(inner)), (*stack, prod(inner), prod(columns))
    return x_shape, y_shape, (*stack, prod(rows), prod(columns))
