"""What networks are made of beside matrices: activations, softmax and its loss."""

import math

from gradx.backends.labels import check_classes, check_labels
from gradx.core.op import composed, constant, elementwise, primitive
from gradx.core.samples import Sample, single_arrays
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import where
from gradx.ops.comparison import greater
from gradx.ops.creation import place_of
from gradx.ops.exponential import exp, expm1, sigmoid_of, sigmoid_slope
from gradx.ops.exponential import sigmoid as sigmoid
from gradx.ops.shapes import expand_dims, sum
from gradx.ops.special import NORMAL_PEAK, normal_probability, normal_probability_of
from gradx.ops.statistical import below_largest, steady_alone


def _signed(draw):
    for sample in single_arrays(draw):
        yield Sample((sample.arrays[0] * 3 - 3.77,))


def _only_positive(g, out):
    return where(greater(out, 0), g, 0.0)


@primitive(vjp={"x": _only_positive}, jvp={"x": _only_positive}, samples=_signed, elementwise=True)
def relu(xp, x, /):
    """Replace negative elements by 0; the derivative at 0 is 0."""
    return xp.maximum(x, 0)


@composed(samples=_signed)
def leaky_relu(x, /, *, negative_slope=0.01):
    """Multiply negative elements by ``negative_slope``, which is the derivative at 0 too."""
    return where(greater(x, 0), x, negative_slope * x)


@composed(samples=_signed)
def elu(x, /, *, alpha=1.0):
    """Replace negative elements by ``alpha * (exp(x) - 1)``."""
    positive = greater(x, 0)
    return where(positive, x, alpha * expm1(where(positive, 0.0, x)))


@elementwise(partials={"x": lambda x: sigmoid(x)}, samples=_signed)
def softplus(xp, x, /):
    """Compute ``log(1 + exp(x))``, without overflow."""
    return xp.logaddexp(x, 0.0)


@composed(samples=_signed)
def silu(x, /):
    """Compute ``x * sigmoid(x)``, also called swish."""
    return x * sigmoid(x)


# The cubic that makes tanh follow erf: D. Hendrycks and K. Gimpel, arXiv:1606.08415.
TANH_SCALE, TANH_CUBIC = math.sqrt(2 / math.pi), 0.044715


def _bend(x):
    """Return what the logistic function is taken of; ``tanh`` would be of half of it."""
    return (2 * TANH_SCALE) * (x + TANH_CUBIC * x * x * x)


def gelu_partial(x, approximate):
    if approximate == "none":
        return normal_probability(x) + x * (NORMAL_PEAK * exp(-0.5 * x * x))
    bend = _bend(x)
    slope = (2 * TANH_SCALE) * sigmoid_slope(bend)
    # Where x * x overflows the slope is 0, and so it stays when it is multiplied first.
    return sigmoid(bend) + x * (slope + 3 * TANH_CUBIC * (slope * x * x))


def _gelus(draw):
    yield from _signed(draw)
    for approximate in ["none", "tanh"]:
        yield Sample((draw(4) * 3 - 3.5,), {"approximate": approximate})


@elementwise(partials={"x": gelu_partial}, samples=_gelus)
def gelu(xp, x, /, *, approximate="none"):
    """Multiply by the normal distribution's probability of a smaller number.

    ``approximate="tanh"`` uses the formula with tanh in place of the error function.

    Raises:
        TypeError: the array is not of real floating-point numbers.
        ValueError: ``approximate`` is neither ``"none"`` nor ``"tanh"``.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.gelu(np.asarray([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    if not xp.isdtype(x.dtype, "real floating"):
        raise DTypeError(f"gelu: expected real floating-point numbers, got {x.dtype}")
    if approximate == "none":
        return x * normal_probability_of(xp, x)
    if approximate == "tanh":
        return x * sigmoid_of(xp, _bend(x))
    raise ShapeError(f'gelu: approximate={approximate!r}, expected "none" or "tanh"')


def _rows(draw):
    for axis in [-1, 0, 1, (0, 2), None]:
        yield Sample((draw(2, 3, 2),), {"axis": axis})
    yield Sample((draw(4) * 500 - 200,))
    yield Sample((draw(0, 3),))
    yield Sample((draw(2, 0),))
    yield Sample((draw(1),))


def _softmax_rule(g, out, axis):
    return out * (g - sum(g * out, axis=axis, keepdims=True))


@primitive(
    # The Jacobian, diag(out) - out out^T, is symmetric.
    vjp={"x": _softmax_rule},
    jvp={"x": _softmax_rule},
    samples=_rows,
    steady=steady_alone,
)
def softmax(xp, x, /, *, axis=-1):
    """Compute ``exp(x) / sum(exp(x))`` along ``axis``, without overflow.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.softmax(np.asarray([0.0, 0.0, 1000.0]))
    array([0., 0., 1.])
    """
    powers = xp.exp(below_largest(xp, x, axis))
    return powers / xp.sum(powers, axis=axis, keepdims=True)


@primitive(
    vjp={"x": lambda g, out, axis: g - exp(out) * sum(g, axis=axis, keepdims=True)},
    jvp={"x": lambda g, out, axis: g - sum(exp(out) * g, axis=axis, keepdims=True)},
    samples=_rows,
    steady=steady_alone,
)
def log_softmax(xp, x, /, *, axis=-1):
    """Compute the logarithm of ``softmax(x)`` along ``axis``, without overflow."""
    shifted = below_largest(xp, x, axis)
    if 0 in x.shape:
        return shifted
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


def _labels(draw, classes, *shape):
    return (draw(*shape) * 97).astype("int64") % classes


def _classes(draw):
    yield Sample((_labels(draw, 3, 4),), {"classes": 3})
    yield Sample((_labels(draw, 5, 2, 3),), {"classes": 5})


@constant(samples=_classes)
def class_mask(xp, labels, /, *, classes):
    """Tell of each class, along a new last axis, whether it is the label."""
    numbers = xp.arange(classes, dtype=labels.dtype, device=place_of(labels)[1])
    return xp.expand_dims(labels, axis=-1) == numbers


@constant(samples=_classes)
def checked_labels(xp, labels, /, *, classes):
    """Return labels, or raise an error that names the first that is not a class."""
    check_classes(xp, labels, classes)
    return labels


def surplus(logits, labels):
    """Return by how much each class is too probable: the derivative of the loss."""
    probabilities = softmax(logits, axis=-1)
    mask = class_mask(labels, classes=logits.shape[-1])
    # What one is less than 1 are the others, also where it rounds to 1.
    others = where(mask, 0.0, probabilities)
    return where(mask, -sum(others, axis=-1, keepdims=True), others)


def _losses(draw):
    yield Sample((draw(4, 3), _labels(draw, 3, 4)))
    yield Sample((draw(2, 3, 5) * 4, _labels(draw, 5, 2, 3)))
    yield Sample((draw(4), _labels(draw, 4)))
    yield Sample((draw(0, 3), _labels(draw, 3, 0)))


@primitive(
    vjp={"logits": lambda g, logits, labels: expand_dims(g, -1) * surplus(logits, labels)},
    jvp={"logits": lambda g, logits, labels: sum(g * surplus(logits, labels), axis=-1)},
    samples=_losses,
)
def softmax_cross_entropy(xp, logits, labels, /):
    """Compute ``-log_softmax(logits)`` of each row at its label.

    ``logits`` (..., classes) are floating point, ``labels`` (...) integers; the
    result, one loss for each row, has the shape of ``labels``.

    Raises:
        IndexError: a label is not a class.
        TypeError: a dtype is another.
        ValueError: the shapes do not belong together.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.softmax_cross_entropy(np.asarray([[0.0, 0.0]]), np.asarray([1]))
    array([0.69314718])
    """
    check_labels(xp, logits, labels)
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    total = xp.log(xp.sum(xp.exp(shifted), axis=-1))
    places = xp.expand_dims(labels, axis=-1)
    return total - xp.squeeze(xp.take_along_axis(shifted, places, axis=-1), axis=-1)
