"""Activations that are made of others: they have no rules of their own."""

from gradx.core.op import composed
from gradx.core.samples import Sample, single_arrays
from gradx.errors import ShapeError
from gradx.ops.exponential import sigmoid
from gradx.ops.extremes import clip
from gradx.ops.joining import split
from gradx.ops.neural import elu, softplus
from gradx.ops.shapes import checked_axis
from gradx.ops.trigonometric import tanh

# Of a normal distribution they keep mean 0 and variance 1.
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848


def _signed(draw):
    for sample in single_arrays(draw):
        yield Sample((sample.arrays[0] * 3 - 3.77,))


@composed(samples=_signed)
def selu(x, /):
    """Compute ``1.0507 * elu(x, alpha=1.6733)``, which keeps mean 0 and variance 1.

    Source: Klambauer and others, "Self-normalizing neural networks" (NeurIPS 2017), whose weights
    are drawn by ``init.lecun_normal``.
    """
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


@composed(samples=_signed)
def mish(x, /):
    """Compute ``x * tanh(softplus(x))``.

    Source: Misra, "Mish: a self regularized non-monotonic activation function" (BMVC 2020).
    """
    return x * tanh(softplus(x))


@composed(samples=_signed)
def hard_swish(x, /):
    """Compute ``x * clip(x / 6 + 1 / 2, 0, 1)``, which is like ``silu`` and takes no exponential.

    Source: Howard and others, "Searching for MobileNetV3" (ICCV 2019).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.hard_swish(np.asarray([-1.5, 0.0, 4.0]))
    array([-0.375,  0.   ,  4.   ])
    """
    return x * clip(x / 6 + 0.5, 0.0, 1.0)


def _halves(draw):
    for axis in (-1, 0, 1):
        yield Sample((draw(2, 4, 6) * 3 - 3.77,), {"axis": axis})


@composed(samples=_halves)
def glu(x, /, *, axis=-1):
    """Split ``x`` along ``axis`` in two and return ``first * sigmoid(second)``.

    Source: Dauphin and others, "Language modeling with gated convolutional networks" (ICML 2017).

    Raises:
        ValueError: the length of the axis is odd.

    >>> import numpy as np, gradx as gx
    >>> gx.nn.glu(np.asarray([1.0, 2.0, 0.0, 100.0]))
    array([0.5, 2. ])
    """
    axis = checked_axis("glu", axis, len(x.shape))
    if x.shape[axis] % 2:
        raise ShapeError(
            f"glu: {x.shape[axis]} elements along axis {axis}, expected an even number"
        )
    first, second = split(x, 2, axis=axis)
    return first * sigmoid(second)
