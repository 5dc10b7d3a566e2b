"""What derivatives of incomplete gamma and beta functions by their shapes are computed with.

Such a function integrates a density ``exp(a * L - c(a))``, where ``L`` is a logarithm of the place
and ``c`` of the whole. Its derivatives by ``a`` integrate that density times polynomials in
``L - c'(a)``, ``-c''(a)``, ..., as moments are made of cumulants. Each integrates to nothing over
the whole, so either tail gives it: the thin one has no digits to lose. There, in the logarithm of
the place, the integrand is smooth and falls off, and a Gauss rule ends where nothing is left of it.
"""

import math

from numpy.polynomial.legendre import leggauss

from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal

# Of Gauss and Legendre, on (0, 1): pairs of a node and its weight.
NODES, WEIGHTS = leggauss(64)
RULE = list(zip((0.5 + 0.5 * NODES).tolist(), (0.5 * WEIGHTS).tolist(), strict=True))
# So many nodes at a time, as their number is how many times the memory of the numbers is taken.
BLOCK = 16
# What is left after the end is less than ``exp(-LEFT)`` of the whole.
LEFT, LEAST, STEPS = 40.0, 1e-3, 6


def integrate(xp, f, length):
    """Integrate ``f`` from 0 to ``length``; it takes arrays with one more axis, the last."""
    total = xp.zeros_like(length)
    for start in range(0, len(RULE), BLOCK):
        # The nodes are plain numbers: an array of them would be copied to the device each time.
        block = RULE[start : start + BLOCK]
        values = f(xp.stack([length * node for node, _ in block], axis=-1))
        for n, (_, weight) in enumerate(block):
            total = total + values[..., n] * weight
    return total * length


def end_of(xp, fall, slope, bend):
    """Find where a convex ``fall`` is ``LEFT``: it begins with ``slope`` and ``bend``.

    ``fall(v)`` returns its value and its slope. It is at least ``slope * v + bend * (v - 1 +
    exp(-v))``, from whose end Newton's steps go on the logarithm, in which powers and
    exponentials alike are nearly straight.
    """
    square = slope * (2 / 3) + bend
    half = slope - LEFT / 3
    root = xp.sqrt(half * half + 2 * LEFT * square)
    v = xp.where(half > 0, 2 * LEFT / (xp.abs(half) + root), (xp.abs(half) + root) / square)
    for _ in range(STEPS):
        value, rise = fall(v)
        value = xp.where(value > LEAST, value, LEAST)
        step = xp.log(value / LEFT) * value / rise
        v = xp.where(step > 0.75 * v, 0.25 * v, v - xp.where(step < -v, -v, step))
    return v


def stirling(a):
    """Return ``gammaln(a)`` less what Stirling's formula begins with, from 16 on."""
    inverse = 1 / a
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))


def log_ratio(xp, x, a, apart):
    """Return the logarithm of ``x / a``, of which ``apart`` is ``x - a``."""
    apart = apart / a
    far = apart < -0.5
    return xp.where(far, xp.log(xp.where(far, x / a, 1.0)), xp.log1p(xp.where(far, 0.0, apart)))


def log_of(x, logarithm):
    """Return the logarithm of ``x``, which is given where ``x`` is not 0: for rules."""
    return where(equal(x, 0), -math.inf, logarithm)


def times_logarithms(density, polynomial):
    """Multiply: at an end of the domain a density that vanishes does so faster than logarithms."""
    return density * where(equal(density, 0), 0.0, polynomial)


def moment(order, first, cumulants):
    """Return the moment of the order, of the first cumulant and a list of those from the second."""
    moments = [1.0]
    for n in range(order):
        value = first * moments[n]
        for k in range(1, n + 1):
            value = value + math.comb(n, k) * cumulants[k - 1] * moments[n - k]
        moments.append(value)
    return moments[order]


def moment_of_two(orders, firsts, cumulants):
    """Return the joint moment of two; ``cumulants[i, j]`` are theirs of two orders or more."""
    m, n = orders
    if m == n == 0:
        return 1.0
    if m == 0:  # lower the other one
        flipped = {(j, i): value for (i, j), value in cumulants.items()}
        return moment_of_two((n, m), firsts[::-1], flipped)
    value = firsts[0] * moment_of_two((m - 1, n), firsts, cumulants)
    for i in range(m):
        for j in range(n + 1):
            if i + j:
                rest = moment_of_two((m - 1 - i, n - j), firsts, cumulants)
                value = value + math.comb(m - 1, i) * math.comb(n, j) * cumulants[i + 1, j] * rest
    return value
