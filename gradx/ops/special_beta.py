"""The inverse of the incomplete beta function, and the probabilities that statistics makes of it.

Here ``x`` and ``p`` are where a probability is asked for, and which one an inverse is given.
"""

import math

from gradx.core.arrays import is_array, is_kind
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import divide, quotient, where
from gradx.ops.comparison import less
from gradx.ops.creation import ones_like
from gradx.ops.rounding import floor
from gradx.ops.shapes import astype
from gradx.ops.special_beta_shapes import betainc, betaincc, by_shapes, density_of_beta
from gradx.ops.special_host import through_numpy


def _given_shares(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((1.5, 2.0, draw(*shape) * 0.2 + 0.3))
    yield Sample((draw(2, 1) + 1, draw() + 1, draw(3) * 0.2 + 0.3))


def _moves(by_a, by_b):
    """Return how a share moves with its shapes, so that its probability stays."""
    return lambda a, b, out: quotient(-by_shapes(a, b, out, by_a, by_b), density_of_beta(a, b, out))


@elementwise(
    partials={
        "a": _moves(1, 0),
        "b": _moves(0, 1),
        "p": lambda a, b, out: quotient(out * 0 + 1, density_of_beta(a, b, out)),
    },
    samples=_given_shares,
)
def betaincinv(xp, a, b, p, /):
    """Undo ``betainc`` in its last argument; see there."""
    return through_numpy("betaincinv", a, b, p)


@elementwise(
    partials={
        "a": _moves(1, 0),
        "b": _moves(0, 1),
        "p": lambda a, b, out: quotient(out * 0 - 1, density_of_beta(a, b, out)),
    },
    samples=_given_shares,
)
def betainccinv(xp, a, b, p, /):
    """Undo ``betaincc`` in its last argument; see there."""
    return through_numpy("betainccinv", a, b, p)


def like(number, x):
    """Return a count as a number of the dtype of ``x``, the whole part of it; NaN below 0."""
    if not is_array(number):
        return float(number // 1) if number >= 0 else math.nan
    whole = floor(number if is_kind(number, "real floating") else astype(number, x.dtype))
    return where(less(whole, 0), math.nan, whole)


def _chosen(condition, value, otherwise):
    """Choose a number or what else there is: of plain numbers one, which no dtype is lost to."""
    if type(condition) is not bool:
        return where(condition, value, otherwise)
    if not condition:
        return otherwise
    return value * ones_like(otherwise) if is_array(otherwise) else value


def inside(domain, found):
    """Return what was found where the arguments are in the domain, and elsewhere NaN."""
    if type(domain) is bool:
        return found if domain else found * math.nan
    return where(domain, found, math.nan)


def is_share(p):
    """Tell where ``p`` is from 0 to 1."""
    return (p >= 0) & (p <= 1)


def _ratios(draw):
    yield Sample((3.0, 4.0, draw(3)))
    yield Sample((2.5, 1.0, draw(2, 3)))


def _beta_below(a, b, one, other):
    """Return ``betainc`` of the part that ``one`` is of both, by the smaller part: it is exact."""
    low = one < other
    return where(
        low,
        betainc(a, b, where(low, _part(one, other), 0.5)),
        betaincc(b, a, where(low, 0.5, _part(other, one))),
    )


def _part(one, other):
    return divide(one, one + other)


@composed(samples=_ratios)
def fdtr(dfn, dfd, x, /):
    """Compute the probability of a number below ``x`` in the F distribution.

    ``dfn`` and ``dfd`` are the degrees of freedom, of the upper and the lower chi-squared number.
    """
    a, b = dfn * 0.5, dfd * 0.5
    found = _beta_below(a, b, a * x, b)
    return inside((dfn > 0) & (dfd > 0) & (x >= 0), found)


@composed(samples=_ratios)
def fdtrc(dfn, dfd, x, /):
    """Compute ``1 - fdtr(dfn, dfd, x)``, accurately where it is small; see there."""
    a, b = dfn * 0.5, dfd * 0.5
    found = _beta_below(b, a, b, a * x)
    return inside((dfn > 0) & (dfd > 0) & (x >= 0), found)


def _f_probabilities(draw):
    yield Sample((3.0, 4.0, draw(3) * 0.4))


@composed(samples=_f_probabilities)
def fdtri(dfn, dfd, p, /):
    """Undo ``fdtr`` in its last argument; see there."""
    share, rest = betaincinv(dfn * 0.5, dfd * 0.5, p), betainccinv(dfd * 0.5, dfn * 0.5, p)
    return share * dfd / (rest * dfn)


def _trials(draw):
    yield Sample((2, 5, draw(3) * 0.4))
    yield Sample(((draw(3) * 2).astype("int64"), 6, draw(3) * 0.4))


@composed(samples=_trials)
def bdtr(k, n, p, /):
    """Compute the probability of at most ``k`` successes in ``n`` trials of probability ``p``.

    >>> import numpy as np, gradx as gx
    >>> float(gx.special.bdtr(1, 2, np.asarray(0.5)))
    0.75
    """
    k, n = like(k, p), like(n, p)
    no_more = k == n
    found = betaincc(k + 1, _chosen(no_more, 1.0, n - k), p)
    return inside(is_share(p) & (k <= n), _chosen(no_more, 1.0, found))


@composed(samples=_trials)
def bdtrc(k, n, p, /):
    """Compute the probability of more than ``k`` successes in ``n`` trials of probability ``p``."""
    any_number = (k < 0) & (k <= n)
    more, n = like(k + 1, p), like(n, p)
    no_more = more == n + 1
    found = betainc(_chosen(any_number, 1.0, more), _chosen(no_more, 1.0, n + 1 - more), p)
    found = _chosen(any_number, 1.0, _chosen(no_more, 0.0, found))
    return inside(is_share(p) & (any_number | (more <= n + 1)), found)


@composed(samples=_trials)
def bdtri(k, n, y, /):
    """Undo ``bdtr`` in its last argument: find ``p`` where ``bdtr(k, n, p)`` is ``y``."""
    k, n = like(k, y), like(n, y)
    return inside(k < n, betainccinv(k + 1, n - k, y))


@composed(samples=_trials)
def nbdtr(k, n, p, /):
    """Compute the probability of at most ``k`` failures before ``n`` successes.

    ``p`` is the probability of a success.
    """
    k, n = like(k, p), like(n, p)
    return inside(is_share(p) & (n > 0), betainc(n, k + 1, p))


@composed(samples=_trials)
def nbdtrc(k, n, p, /):
    """Compute ``1 - nbdtr(k, n, p)``, accurately where it is small; see there."""
    k, n = like(k, p), like(n, p)
    return inside(is_share(p) & (n > 0), betaincc(n, k + 1, p))


@composed(samples=_trials)
def nbdtri(k, n, y, /):
    """Undo ``nbdtr`` in its last argument: find ``p`` where ``nbdtr(k, n, p)`` is ``y``."""
    k, n = like(k, y), like(n, y)
    return inside(n > 0, betaincinv(n, k + 1, y))
