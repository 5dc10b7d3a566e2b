"""Layers that shift and scale numbers to mean 0 and variance 1, over different axes.

``x`` becomes ``(x - mean) / sqrt(variance + eps) * weight + bias``; weights are
initially one and biases zero, and both are ``None`` where they are not wanted.
"""

from math import inf, prod
from typing import Any

from gradx.errors import ShapeError
from gradx.nn import init
from gradx.nn.checks import require_array, require_number
from gradx.nn.module import Module, state, static
from gradx.nn.stateful import set_next
from gradx.ops.arithmetic import add, divide, multiply, subtract
from gradx.ops.creation import stop_gradient
from gradx.ops.powers import sqrt
from gradx.ops.shapes import astype, reshape
from gradx.ops.statistical import mean
from gradx.ops.windows import integer
from gradx.transforms.boundary import is_differentiable


class BatchNorm(Module):
    """Normalise each channel of (samples, channels, ...) over all its elements in the batch.

    With ``train=True`` by the batch's own mean and variance, else by moving averages
    of those, ``mean`` and ``variance``. They are state: ``gx.nn.with_state`` gives the
    model with the averages after a call, ``average + momentum * (batch's - average)``,
    where the batch's variance is the unbiased one; ``gx.train.fit`` keeps them by itself.
    ``eps`` is added to the variance, and if ``affine`` each channel is then multiplied by its
    own ``weight``, 1 to begin with, and shifted by its ``bias``, 0 to begin with.
    Source: Ioffe, Szegedy, "Batch normalization" (ICML 2015).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.BatchNorm(3)
    >>> layer(np.ones((2, 3, 4, 4), dtype=np.float32)).shape
    (2, 3, 4, 4)
    """

    weight: Any  # (channels,) or None
    bias: Any  # (channels,) or None
    mean: Any = state()  # (channels,)
    variance: Any = state()  # (channels,)
    momentum: float = static()
    eps: float = static()

    def __init__(
        self,
        channels: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = (integer("BatchNorm", "channels", channels, least=1),)
        require_number("BatchNorm", "momentum", momentum)
        if not 0 <= momentum <= 1:
            raise ShapeError(f"BatchNorm: momentum={momentum!r}, expected from 0 to 1")
        self.weight, self.bias = _affine(shape, affine, affine, device, dtype)
        self.variance, self.mean = _affine(shape, True, True, device, dtype)
        self.momentum = momentum
        self.eps = _checked_eps("BatchNorm", eps)

    def __call__(self, x: Any, *, train: bool = False) -> Any:
        _require_channels("BatchNorm", x, self.mean.shape[0])
        shape = (self.mean.shape[0], *[1] * (len(x.shape) - 2))
        if train:
            out = self._normalized_by_batch(x)
        else:
            average, variance = stop_gradient(self.mean), stop_gradient(self.variance)
            centered = subtract(x, reshape(average, shape))
            out = divide(centered, sqrt(add(reshape(variance, shape), self.eps)))
        return _scaled(out, self.weight, self.bias, shape)

    def _normalized_by_batch(self, x: Any) -> Any:
        axes = (0, *range(2, len(x.shape)))
        count = prod(x.shape[axis] for axis in axes)
        if count < 2:
            raise ShapeError(
                "BatchNorm: train=True needs two or more elements a channel, got "
                f"{tuple(x.shape)}: drop_last=True of gx.data.batches leaves a short batch out"
            )
        average = mean(x, axis=axes, keepdims=True)
        centered = subtract(x, average)
        variance = mean(centered * centered, axis=axes, keepdims=True)
        self._move(self.mean, average)
        self._move(self.variance, variance * (count / (count - 1)))
        return divide(centered, sqrt(add(variance, self.eps)))

    def _move(self, average: Any, found: Any) -> None:
        found = astype(reshape(stop_gradient(found), average.shape), average.dtype)
        momentum = self.momentum
        set_next("BatchNorm", average, lambda latest: latest + momentum * (found - latest))


class LayerNorm(Module):
    """Normalise over the last axes, which have the lengths ``shape``: one number, or several.

    ``eps`` is added to the variance; if ``affine``, each element is then multiplied by its own
    ``weight``, 1 to begin with, and unless ``bias`` is false shifted by a bias, 0 to begin with.
    Source: Ba, Kiros, Hinton, "Layer normalization" (arXiv 1607.06450).

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.LayerNorm(4)
    >>> layer(np.asarray([[1.0, 1.0, 3.0, 3.0]])).round(3)
    array([[-1., -1.,  1.,  1.]])
    """

    weight: Any  # of the shape, or None
    bias: Any  # of the shape, or None
    shape: tuple[int, ...] = static()
    eps: float = static()

    def __init__(
        self,
        shape: Any,
        *,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.shape = _checked_shape("LayerNorm", shape)
        self.weight, self.bias = _affine(self.shape, affine, affine and bias, device, dtype)
        self.eps = _checked_eps("LayerNorm", eps)

    def __call__(self, x: Any) -> Any:
        axes = _last_axes("LayerNorm", x, self.shape)
        return _scaled(_normalized(x, axes, self.eps), self.weight, self.bias, self.shape)


class RMSNorm(Module):
    """Divide by the root of the mean square over the last axes, of lengths ``shape``.

    Nothing is subtracted and there is no bias. ``eps`` is added to the mean square; if
    ``affine``, each element is then multiplied by its own ``weight``. Source: Zhang, Sennrich,
    "Root mean square layer normalization" (NeurIPS 2019).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.RMSNorm(2)(np.asarray([[1.0, 7.0]])).round(3)
    array([[0.2, 1.4]])
    """

    weight: Any  # of the shape, or None
    shape: tuple[int, ...] = static()
    eps: float = static()

    def __init__(
        self,
        shape: Any,
        *,
        eps: float = 1e-6,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.shape = _checked_shape("RMSNorm", shape)
        self.weight, _ = _affine(self.shape, affine, False, device, dtype)
        self.eps = _checked_eps("RMSNorm", eps)

    def __call__(self, x: Any) -> Any:
        axes = _last_axes("RMSNorm", x, self.shape)
        x = x if is_differentiable(x) else multiply(x, 1.0)  # squares of integers wrap around
        square = mean(x * x, axis=axes, keepdims=True)
        return _scaled(divide(x, sqrt(add(square, self.eps))), self.weight, None, self.shape)


class GroupNorm(Module):
    """Normalise each of ``groups`` groups of channels of each sample, (samples, channels, ...).

    With as many groups as channels it is instance normalisation. ``eps`` and ``affine`` are as
    for ``BatchNorm``. Source: Wu, He, "Group normalization" (ECCV 2018).

    >>> import numpy as np, gradx as gx
    >>> gx.nn.GroupNorm(2, 6)(np.ones((5, 6, 4, 4))).shape
    (5, 6, 4, 4)
    """

    weight: Any  # (channels,) or None
    bias: Any  # (channels,) or None
    groups: int = static()
    channels: int = static()
    eps: float = static()

    def __init__(
        self,
        groups: int,
        channels: int,
        *,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self.groups = integer("GroupNorm", "groups", groups, least=1)
        self.channels = integer("GroupNorm", "channels", channels, least=1)
        if channels % groups:
            raise ShapeError(f"GroupNorm: groups={groups} does not divide channels={channels}")
        self.weight, self.bias = _affine((channels,), affine, affine, device, dtype)
        self.eps = _checked_eps("GroupNorm", eps)

    def __call__(self, x: Any) -> Any:
        _require_channels("GroupNorm", x, self.channels)
        group = prod(x.shape[1:]) // self.groups
        rows = reshape(x, (x.shape[0], self.groups, group))
        out = reshape(_normalized(rows, (-1,), self.eps), x.shape)
        shape = (self.channels, *[1] * (len(x.shape) - 2))
        return _scaled(out, self.weight, self.bias, shape)


def _normalized(x, axes, eps):
    centered = subtract(x, mean(x, axis=axes, keepdims=True))
    variance = mean(centered * centered, axis=axes, keepdims=True)
    return divide(centered, sqrt(add(variance, eps)))


def _scaled(out, weight, bias, shape):
    if weight is not None:
        out = multiply(out, reshape(weight, shape))
    return out if bias is None else add(out, reshape(bias, shape))


def _affine(shape, has_weight, has_bias, device, dtype):
    placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
    weight = init.ones(None, shape, **placed) if has_weight else None
    return weight, init.zeros(None, shape, **placed) if has_bias else None


def _checked_shape(name, shape):
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not lengths:
        raise ShapeError(f"{name}: shape={shape!r}, expected one length or more")
    return tuple(integer(name, "shape", length, least=1) for length in lengths)


def _checked_eps(name, eps):
    require_number(name, "eps", eps)
    if not 0 <= eps < inf:
        raise ShapeError(f"{name}: eps={eps!r}, expected 0 or more, and finite")
    return float(eps)


def _last_axes(name, x, shape):
    require_array(name, "the input", x)
    if tuple(x.shape[-len(shape) :]) != shape:
        raise ShapeError(
            f"{name}: expected (..., {', '.join(map(str, shape))}), got {tuple(x.shape)}"
        )
    return tuple(range(-len(shape), 0))


def _require_channels(name, x, channels):
    require_array(name, "the input", x)
    if len(x.shape) < 2 or x.shape[1] != channels:
        raise ShapeError(f"{name}: expected (samples, {channels}, ...), got {tuple(x.shape)}")
