"""Losses of vectors: how alike those should be that belong together, and how far others apart."""

from math import inf
from typing import Any

from gradx.errors import AxisError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.reducing import matching, reduced
from gradx.nn.targets import checked_targets
from gradx.ops.arithmetic import divide, multiply, subtract, where
from gradx.ops.extremes import maximum, minimum
from gradx.ops.linalg_norms import vector_norm
from gradx.ops.neural import relu
from gradx.ops.shapes import sum
from gradx.ops.windows import integer


def cosine_similarity(x: Any, y: Any, axis: int = -1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between vectors along ``axis``, from -1 to 1.

    That is ``sum(x * y) / (max(|x|, eps) * max(|y|, eps))``: 0 for a vector of zeros. Shapes
    must match, and the result lacks the axis.

    >>> import numpy as np, gradx as gx
    >>> x, y = np.asarray([[1.0, 0.0], [1.0, 1.0]]), np.asarray([[0.0, 2.0], [3.0, 3.0]])
    >>> gx.nn.cosine_similarity(x, y).round(6)
    array([0., 1.])
    """
    name = "cosine_similarity"
    y = matching(name, x, y, "x", "y")
    axis = integer(name, "axis", axis, least=-inf)
    if not -len(x.shape) <= axis < len(x.shape):
        raise AxisError(f"{name}: axis={axis} of arrays of shape {tuple(x.shape)}")
    _require_eps(name, eps)
    lengths = [maximum(vector_norm(one, axis=axis), eps) for one in (x, y)]
    return divide(sum(multiply(x, y), axis=axis), multiply(*lengths))


def cosine_embedding(
    x: Any, y: Any, labels: Any, margin: float = 0.0, reduction: str = "mean"
) -> Any:
    """Return how far vectors are from pointing in one direction, or from not doing so.

    Where a label is 1 that is ``1 - cosine``, where it is -1 ``max(0, cosine - margin)``, with
    the ``cosine_similarity`` along the last axis. ``x`` and ``y`` are ``(..., features)`` and
    ``labels`` ``(...)``; the mean is over pairs.

    Raises:
        ValueError: the shapes do not belong together, a label is neither 1 nor -1, or the
            margin is not from -1 to 1.

    >>> import numpy as np, gradx as gx
    >>> x, y = np.asarray([[1.0, 0.0], [1.0, 1.0]]), np.asarray([[0.0, 2.0], [3.0, 3.0]])
    >>> gx.nn.cosine_embedding(x, y, np.asarray([1, -1]), reduction="none").round(6)
    array([1., 1.])
    """
    name = "cosine_embedding"
    require_number(name, "margin", margin)
    if not -1 <= margin <= 1:
        raise ShapeError(f"{name}: margin={margin!r}, expected from -1 to 1")
    cosines = cosine_similarity(x, y)
    labels = matching(name, cosines, labels, "pairs", "labels")
    labels = checked_targets(labels, law="sign", name=name)
    return reduced(name, where(labels > 0, 1 - cosines, relu(cosines - margin)), reduction)


def triplet_margin(
    anchors: Any,
    positives: Any,
    negatives: Any,
    margin: float = 1.0,
    reduction: str = "mean",
    *,
    ord: float = 2.0,
    swap: bool = False,
    eps: float = 1e-6,
) -> Any:
    """Return how far anchors are from being nearer to positives than to negatives by ``margin``.

    That is ``max(0, |anchor - positive| - |anchor - negative| + margin)``; all are
    ``(..., features)``, and the mean is over anchors. Distances are norms of order ``ord`` of
    differences to which ``eps`` is added, so that they have a derivative at 0, as in PyTorch.
    With ``swap``, a negative is as near as it is to the anchor or to the positive. Sources:
    Schroff, Kalenichenko, Philbin, "FaceNet" (CVPR 2015); the swap, Balntas, Riba, Ponsa,
    Mikolajczyk, "Learning local feature descriptors with triplets" (BMVC 2016).

    Raises:
        ValueError: the shapes differ, or ``margin`` or ``ord`` is not above 0.

    >>> import numpy as np, gradx as gx
    >>> anchor, positive, negative = np.zeros((1, 2)), np.ones((1, 2)), np.full((1, 2), 1.5)
    >>> round(float(gx.nn.triplet_margin(anchor, positive, negative)), 3)
    0.293
    """
    name = "triplet_margin"
    for what, value in (("margin", margin), ("ord", ord)):
        require_number(name, what, value)
        if not value > 0 or (what == "margin" and value == inf):
            raise ShapeError(f"{name}: {what}={value!r}, expected a number above 0")
    _require_eps(name, eps)
    positives = matching(name, anchors, positives, "anchors", "positives")
    negatives = matching(name, anchors, negatives, "anchors", "negatives")
    if not anchors.shape:
        raise ShapeError(f"{name}: expected anchors (..., features), got a number")
    distance = lambda x, y: vector_norm(subtract(x, y) + eps, axis=-1, ord=ord)
    far = distance(anchors, negatives)
    far = minimum(far, distance(positives, negatives)) if swap else far
    near = distance(anchors, positives)
    return reduced(name, relu(subtract(near, far) + margin), reduction)


def _require_eps(name, eps):
    require_number(name, "eps", eps)
    if not 0 <= eps < inf:
        raise ShapeError(f"{name}: eps={eps!r}, expected 0 or more, and finite")
