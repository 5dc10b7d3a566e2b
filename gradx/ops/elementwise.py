"""Arithmetic, exponentials and the choice between elements."""

from gradx.core.op import constant, elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays


@elementwise(partials={"x": 1, "y": 1}, samples=broadcast_pairs)
def add(xp, x, y, /):
    """Add: ``x + y``."""
    return xp.add(x, y)


@elementwise(
    # Not -x / y**2, which overflows.
    partials={"x": lambda y: 1 / y, "y": lambda y, out: -out / y},
    samples=broadcast_pairs,
)
def divide(xp, x, y, /):
    """Divide: ``x / y``."""
    return xp.divide(x, y)


@elementwise(partials={"x": lambda out: out}, samples=single_arrays)
def exp(xp, x, /):
    """Raise e to each element."""
    return xp.exp(x)


@elementwise(partials={"x": lambda x: 1 / x}, samples=single_arrays)
def log(xp, x, /):
    """Take the natural logarithm."""
    return xp.log(x)


@constant(samples=broadcast_pairs)
def greater(xp, x, y, /):
    """Compare: ``x > y``."""
    return xp.greater(x, y)


@elementwise(partials={"x": lambda y: y, "y": lambda x: x}, samples=broadcast_pairs)
def multiply(xp, x, y, /):
    """Multiply: ``x * y``."""
    return xp.multiply(x, y)


@elementwise(partials={"x": -1}, samples=single_arrays)
def negative(xp, x, /):
    """Negate: ``-x``."""
    return xp.negative(x)


@elementwise(partials={"x": 1, "y": -1}, samples=broadcast_pairs)
def subtract(xp, x, y, /):
    """Subtract: ``x - y``."""
    return xp.subtract(x, y)


@elementwise(partials={"x": lambda out: 1 - out * out}, samples=single_arrays)
def tanh(xp, x, /):
    """Take the hyperbolic tangent."""
    return xp.tanh(x)


@elementwise(partials={"x": lambda x: cos(x)}, samples=single_arrays)
def sin(xp, x, /):
    """Take the sine."""
    return xp.sin(x)


@elementwise(partials={"x": lambda x: -sin(x)}, samples=single_arrays)
def cos(xp, x, /):
    """Take the cosine."""
    return xp.cos(x)


def _choices(draw):
    for condition, x, y in [((3,), (3,), (3,)), ((2, 1), (3,), ()), ((), (2, 3), (3,))]:
        yield Sample((draw(*condition) > 1.2, draw(*x), draw(*y)))


def _keep_where(g, condition):
    return where(condition, g, 0.0)


def _keep_where_not(g, condition):
    return where(condition, 0.0, g)


# Linear in x and y together, not in each by itself: not ``multilinear``.
@primitive(
    vjp={"x": _keep_where, "y": _keep_where_not},
    jvp={"x": _keep_where, "y": _keep_where_not},
    samples=_choices,
)
def where(xp, condition, x, y, /):
    """Choose elements of ``x`` where ``condition`` holds, and of ``y`` elsewhere."""
    return xp.where(condition, x, y)
