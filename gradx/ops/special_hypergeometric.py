"""Hypergeometric functions and Legendre's: each derivative is a member of the same family.

With respect to anything but their last argument nobody knows a short formula.
"""

from gradx.core.op import elementwise
from gradx.core.samples import Sample
from gradx.ops.special_host import refusing, through_numpy


def _limits(draw):
    yield Sample((2.5, draw(3)))
    yield Sample((draw(2, 1) + 1, draw(3)))


@elementwise(
    partials={
        "v": refusing("hyp0f1", "v"),
        "x": lambda v, x: hyp0f1(v + 1, x) / v,
    },
    samples=_limits,
)
def hyp0f1(xp, v, x, /):
    """Compute the confluent hypergeometric limit function, of the parameter ``v``: 0F1."""
    return through_numpy("hyp0f1", v, x)


def _kummer(draw):
    yield Sample((1.5, 2.5, draw(3)))
    yield Sample((draw(2, 1), draw(3) + 1, draw(3)))


@elementwise(
    partials={
        "a": refusing("hyp1f1", "a"),
        "b": refusing("hyp1f1", "b"),
        "x": lambda a, b, x: hyp1f1(a + 1, b + 1, x) * a / b,
    },
    samples=_kummer,
)
def hyp1f1(xp, a, b, x, /):
    """Compute Kummer's confluent hypergeometric function, of parameters ``a`` and ``b``: 1F1."""
    return through_numpy("hyp1f1", a, b, x)


def _gauss(draw):
    yield Sample((1.5, 2.5, 2.0, draw(3) * 0.3))
    yield Sample((draw(2, 1), draw(3), draw(3) + 1, draw(3) * 0.3))


@elementwise(
    partials={
        "a": refusing("hyp2f1", "a"),
        "b": refusing("hyp2f1", "b"),
        "c": refusing("hyp2f1", "c"),
        "x": lambda a, b, c, x: hyp2f1(a + 1, b + 1, c + 1, x) * a * b / c,
    },
    samples=_gauss,
)
def hyp2f1(xp, a, b, c, x, /):
    """Compute Gauss's hypergeometric function, of parameters ``a``, ``b`` and ``c``: 2F1."""
    return through_numpy("hyp2f1", a, b, c, x)


def _waves(draw):
    yield Sample((1.0, 3.0, draw(3) * 0.4))
    yield Sample((0, 2, draw(2, 3) * 0.4))


@elementwise(
    partials={
        "m": refusing("lpmv", "m"),
        "v": refusing("lpmv", "v"),
        "x": lambda m, v, x, out: (x * v * out - lpmv(m, v - 1, x) * (v + m)) / (x * x - 1),
    },
    samples=_waves,
)
def lpmv(xp, m, v, x, /):
    """Compute the associated Legendre function of whole order ``m`` and degree ``v``."""
    return through_numpy("lpmv", m, v, x)
