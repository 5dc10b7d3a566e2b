"""The transformations of Box and Cox, whose power may be 0, and back."""

import math

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, broadcast_pairs
from gradx.ops.arithmetic import divide, multiply, where
from gradx.ops.comparison import equal, less
from gradx.ops.exponential import exp, expm1, log, log1p
from gradx.ops.powers import quiet_pow
from gradx.ops.special_bessel import exprel, exprel_moment
from gradx.ops.special_host import side_by_side, spread
from gradx.ops.special_integrals import log_ratio


def _powers(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3), draw(3) * 0))
    yield Sample((draw(3), draw(3) * 1e-4 - 1e-4))
    yield Sample((draw(3), 0.5))


def _orders(draw):
    for order, shifted in [(0, False), (1, True), (2, False)]:
        for sample in broadcast_pairs(draw):
            yield Sample(sample.arrays, {"order": order, "shifted": shifted})


def _slope(x, lmbda, order, shifted):
    """Return what is integrated, at ``x``: 0 where the power of 0 is, and not its logarithm's."""
    place = where(less(x, -1 if shifted else 0), math.nan, 1 + x if shifted else x)
    power = quiet_pow(place, lmbda - 1)
    if order == 0:
        return power
    none = equal(power, 0)
    logarithm = log1p(where(none, 0.0, x)) if shifted else log(where(none, 1.0, x))
    return power * logarithm**order


def _next(x, lmbda, order, shifted):
    return power_integral(x, lmbda, order=order + 1, shifted=shifted)


# As a product of a logarithm and ``exprel`` its derivatives would cancel far out, and near 0.
@elementwise(partials={"x": _slope, "lmbda": _next}, samples=_orders)
def power_integral(xp, x, lmbda, /, *, order, shifted):
    """Integrate ``t**(lmbda - 1) * log(t)**order`` over ``t`` from 1 to ``x``.

    Where ``shifted``, it is to ``1 + x``. Each is the derivative by ``lmbda`` of the one before.
    """
    bottom, harmless = (-1, 0.0) if shifted else (0, 1.0)
    zero, top = x == bottom, x == math.inf
    end = (zero & (lmbda > 0)) | (top & (lmbda < 0))
    inside = xp.where(end, harmless, x)
    along = xp.log1p(inside) if shifted else xp.log(inside)
    flat = (lmbda == 0) & (zero | top)
    size = xp.where(flat, 0.0, lmbda) * xp.where(flat, 0.0, along)
    moment = exprel(size) if order == 0 else exprel_moment(size, order=order)
    limit = (-1) ** (order + 1) * math.factorial(order) / xp.where(end, lmbda, 1.0) ** (order + 1)
    return xp.where(end, limit, along ** (order + 1) * moment)


@composed(samples=_powers)
def boxcox(x, lmbda, /):
    """Compute ``(x**lmbda - 1) / lmbda``, and ``log(x)`` where ``lmbda`` is 0.

    >>> import numpy as np, gradx as gx
    >>> gx.special.boxcox(np.asarray([1.0, 3.0]), 2.0)
    array([0., 4.])
    """
    return power_integral(*spread(x, lmbda), order=0, shifted=False)


@composed(samples=_powers)
def boxcox1p(x, lmbda, /):
    """Compute ``boxcox(1 + x, lmbda)``, accurately near 0."""
    return power_integral(*spread(x, lmbda), order=0, shifted=True)


@composed(samples=_powers)
def inv_boxcox(y, lmbda, /):
    """Undo ``boxcox`` in its first argument."""
    return exp(_stretched(y, lmbda))


@composed(samples=_powers)
def inv_boxcox1p(y, lmbda, /):
    """Undo ``boxcox1p`` in its first argument."""
    return expm1(_stretched(y, lmbda))


def _stretched(y, lmbda):
    """Return ``log1p(lmbda * y) / lmbda``, in floating point: whole numbers would overflow."""
    y, lmbda = side_by_side(y * 1.0, lmbda)
    size = multiply(lmbda, y)
    far = less(1.0, size)
    near = multiply(where(far, 0.0, y), log_ratio(where(far, 0.0, size)))
    return where(far, divide(log1p(where(far, size, 0.0)), where(far, lmbda, 1.0)), near)
