"""Carlson's symmetric elliptic integrals, and the family that their derivatives belong to.

Each is an integral over ``t`` of powers of ``t + x``, ``t + y``, ..., so a derivative by one of
those is such an integral too (DLMF 19.18), of a positive function: nothing cancels, equal
arguments included, where quotients of differences of the named integrals would.
"""

from typing import Any

from gradx.backends.carlson import integrate
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import multiply, subtract, where
from gradx.ops.comparison import less
from gradx.ops.powers import sqrt
from gradx.ops.special_host import NUMBERS, beside, none_of, on_host, side_by_side, through_numpy

Halves = tuple[int, int, int, int]
# How often each of x, y, z and p occurs under the root, in the integrals with names.
FIRST: Halves = (1, 1, 1, 0)
THIRD: Halves = (1, 1, 1, 2)


def _positions(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample(tuple(draw(*shape) for _ in range(4)), {"halves": THIRD})
    yield Sample((draw(3), 1.0, draw(2, 1), 2.0), {"halves": (1, 1, 3, 0)})


def _partial(which: int) -> Any:
    def partial(x, y, z, p, halves, power):
        if not halves[which]:
            return 0.0
        raised = (*halves[:which], halves[which] + 2, *halves[which + 1 :])
        return -0.5 * halves[which] * carlson(x, y, z, p, halves=raised, power=power)

    return partial


@elementwise(
    partials={"x": _partial(0), "y": _partial(1), "z": _partial(2), "p": _partial(3)},
    samples=_positions,
)
def carlson(xp, x, y, z, p, /, *, halves, power=0):
    """Integrate ``t**power`` over roots of powers of ``t + x``, ``t + y``, ... from 0 to infinity.

    ``halves`` are twice the exponents of the four.
    """
    return on_host("carlson", lambda *arrays: integrate(arrays, halves, power), x, y, z, p)


def _pairs(draw):
    for x, y in [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((0, 3), (3,))]:
        yield Sample((draw(*x), draw(*y)))
    yield Sample((1.5, draw(3)))
    yield Sample((draw(3), 1.5))


def _triples(draw):
    for x, y, z in [((), (), ()), ((3,), (3,), (3,)), ((2, 1), (3,), ()), ((0, 3), (3,), (3,))]:
        yield Sample((draw(*x), draw(*y), draw(*z)))
    yield Sample((0.0, draw(3), 1.5))


def _quadruples(draw):
    for x, y, z, p in [((), (), (), ()), ((3,), (3,), (3,), (3,)), ((2, 1), (3,), (), (1,))]:
        yield Sample((draw(*x), draw(*y), draw(*z), draw(*p)))
    yield Sample((0.0, draw(3), 1.5, 2.0))


def _of(factor: float, halves: Halves, power: int = 0) -> Any:
    return lambda x, y, z: factor * carlson(x, y, z, 0.0, halves=halves, power=power)


def _of_four(factor: float, halves: Halves) -> Any:
    return lambda x, y, z, p: factor * carlson(x, y, z, p, halves=halves)


@elementwise(
    partials={
        "x": _of(-0.25, (3, 1, 1, 0)),
        "y": _of(-0.25, (1, 3, 1, 0)),
        "z": _of(-0.25, (1, 1, 3, 0)),
    },
    samples=_triples,
)
def elliprf(xp, x, y, z, /):
    """Compute Carlson's symmetric elliptic integral of the first kind.

    It is half the integral of ``1 / sqrt((t + x) * (t + y) * (t + z))`` over positive ``t``; no
    argument is negative, and at most one is 0.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.elliprf(0.0, 1.0, np.asarray(2.0))), 6)
    1.311029
    """
    return through_numpy("elliprf", x, y, z)


@elementwise(
    partials={
        "x": _of(-0.75, (3, 1, 3, 0)),
        "y": _of(-0.75, (1, 3, 3, 0)),
        "z": _of(-2.25, (1, 1, 5, 0)),
    },
    samples=_triples,
)
def elliprd(xp, x, y, z, /):
    """Compute Carlson's elliptic integral of the second kind: ``elliprj(x, y, z, z)``."""
    return through_numpy("elliprd", x, y, z)


@elementwise(
    partials={
        "x": _of(0.125, (3, 1, 1, 0), 1),
        "y": _of(0.125, (1, 3, 1, 0), 1),
        "z": _of(0.125, (1, 1, 3, 0), 1),
    },
    samples=_triples,
)
def elliprg(xp, x, y, z, /):
    """Compute Carlson's symmetric elliptic integral of the second kind; none is negative."""
    return through_numpy("elliprg", x, y, z)


@elementwise(
    partials={
        "x": _of_four(-0.75, (3, 1, 1, 2)),
        "y": _of_four(-0.75, (1, 3, 1, 2)),
        "z": _of_four(-0.75, (1, 1, 3, 2)),
        "p": _of_four(-1.5, (1, 1, 1, 4)),
    },
    samples=_quadruples,
)
def elliprj_above(xp, x, y, z, p, /):
    """Compute ``elliprj`` of a ``p`` that is not negative."""
    return through_numpy("elliprj_above", x, y, z, p)


@elementwise(
    partials={
        "x": lambda x, y: -0.25 * carlson(x, 0.0, 0.0, y, halves=(3, 0, 0, 2)),
        "y": lambda x, y: -0.5 * carlson(x, 0.0, 0.0, y, halves=(1, 0, 0, 4)),
    },
    samples=_pairs,
)
def elliprc_above(xp, x, y, /):
    """Compute ``elliprc`` of a ``y`` that is not negative."""
    return through_numpy("elliprc_above", x, y)


@composed(samples=_pairs)
def elliprc(x, y, /):
    """Compute Carlson's degenerate integral, ``elliprf(x, y, y)``; ``x`` is not negative.

    Where ``y`` is negative it is Cauchy's principal value.
    """
    x, y = side_by_side(x, y)
    below = less(y, 0)
    start, under = where(below, x, 1.0), where(below, y, -1.0)
    root = sqrt(start) / sqrt(subtract(start, under))
    value = multiply(root, elliprc_above(where(below, subtract(x, under), x), where(below, -y, y)))
    return where(below, value, elliprc_above(x, where(below, 1.0, y)))


def _principal_value(x, y, z, q):
    """Return ``elliprj`` of ``-q``, where ``z`` is the largest of the three: DLMF 19.20.14."""
    p = (z * (x + y + q) - x * y) / (z + q)
    width = x * y + p * q
    root = sqrt(x) * sqrt(y) * sqrt(z) / sqrt(width)
    around = (p - z) * elliprj_above(x, y, z, p) - 3 * elliprf(x, y, z)
    return (around + 3 * root * elliprc_above(width, p * q)) / (q + z)


@composed(samples=_quadruples)
def elliprj(x, y, z, p, /):
    """Compute Carlson's symmetric elliptic integral of the third kind.

    It is 3 / 2 of the integral of ``1 / (sqrt((t + x) * (t + y) * (t + z)) * (t + p))`` over
    positive ``t``; where ``p`` is negative, Cauchy's principal value. None of the others is, and
    at most one is 0.
    """
    x, y, z, p = _all_beside(x, y, z, p)
    below = less(p, 0)
    above = elliprj_above(x, y, z, where(below, 1.0, p))
    if none_of(below):
        return above
    x, y, z = [where(below, given, 1.0) for given in (x, y, z)]
    x, y = where(less(y, x), y, x), where(less(y, x), x, y)
    y, z = where(less(z, y), z, y), where(less(z, y), y, z)
    return where(below, _principal_value(x, y, z, where(below, -p, 1.0)), above)


def _all_beside(*arrays):
    array = next((given for given in arrays if type(given) not in NUMBERS), arrays[0])
    return [beside(given, array) for given in arrays]
