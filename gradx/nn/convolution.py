"""Layers that convolve: in as many spatial dimensions, one to three, as the kernel has."""

from collections.abc import Callable
from typing import Any

from gradx.errors import ShapeError
from gradx.nn import init
from gradx.nn.checks import drawn
from gradx.nn.module import Module, static
from gradx.ops.arithmetic import add
from gradx.ops.convolution import conv, conv_transpose
from gradx.ops.creation import place_of
from gradx.ops.moving import SOURCES, pad
from gradx.ops.shapes import reshape
from gradx.ops.windows import (
    integer,
    kernel_lengths,
    padding_pairs,
    pairs_of,
    per_axis,
    reaches_of,
)
from gradx.random import split

Initializer = Callable[..., Any]


class Conv(Module):
    """Map images to images, or lines to lines, by ``gx.conv`` and a bias.

    That is, ``(samples, inputs, *spatial)`` to ``(samples, outputs, *spatial)``.

    ``kernel`` is the length for each spatial axis, ``(5, 5)`` for images, ``(5,)`` for lines,
    or one number for images; ``stride``, ``padding``, ``dilation`` and ``groups`` are as in
    ``gx.conv``. The padding is zeros, or by ``padding_mode`` what ``gx.pad`` adds: ``"reflect"``,
    ``"edge"``, ``"symmetric"`` or ``"wrap"``. Weights are drawn by ``weight_init``, from a normal
    distribution of variance ``groups / (inputs * places in the kernel)`` by default, biases by
    ``bias_init``, zero by default; both are functions as in ``gx.nn.init``. ``dtype`` is float32
    unless another is given. With ``bias=False`` there is none, and the field is ``None``.

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.Conv(3, 16, (5, 5), padding="same", key=gx.random.key(0))
    >>> layer.weight.shape, layer.bias.shape
    ((16, 3, 5, 5), (16,))
    >>> layer(np.ones((2, 3, 28, 28), dtype=np.float32)).shape
    (2, 16, 28, 28)
    """

    weight: Any  # (outputs, inputs / groups, *kernel)
    bias: Any  # (outputs,) or None
    stride: Any = static()
    padding: Any = static()
    dilation: Any = static()
    groups: int = static()
    padding_mode: str = static()

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Any,
        *,
        key: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        padding_mode: str = "constant",
        bias: bool = True,
        weight_init: Initializer = init.lecun_normal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        weight_key, bias_key = split(key)
        weight = _drawn("Conv", inputs, outputs, kernel, groups, weight_init, weight_key, placed)
        self.weight = _in_order(weight, (weight.ndim - 1, weight.ndim - 2))
        self.bias = _bias("Conv", bias, bias_init, bias_key, outputs, placed)
        count = self.weight.ndim - 2
        self.stride = _lengths("Conv", "stride", stride, count)
        self.dilation = _lengths("Conv", "dilation", dilation, count)
        self.padding = _padding("Conv", padding, count)
        self.groups = groups
        if padding_mode not in ("constant", *SOURCES):
            allowed = ", ".join(map(repr, ("constant", *SOURCES)))
            raise ShapeError(f"Conv: padding_mode={padding_mode!r}, expected one of {allowed}")
        self.padding_mode = padding_mode

    def __call__(self, x: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "constant" and getattr(x, "ndim", 0) == self.weight.ndim:
            x, padding = self._padded(x), 0
        out = conv(
            x,
            self.weight,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return _with_bias(out, self.bias)

    def _padded(self, x: Any) -> Any:
        lengths = tuple(x.shape[2:])
        stride, dilation = (
            per_axis("Conv", what, getattr(self, what), len(lengths))
            for what in ("stride", "dilation")
        )
        reaches = reaches_of(self.weight.shape[2:], dilation)
        pairs = pairs_of("Conv", self.padding, lengths, reaches, stride)
        return pad(x, ((0, 0), (0, 0), *pairs), self.padding_mode)


class ConvTranspose(Module):
    """Map ``(samples, inputs, *spatial)`` to more places by ``gx.conv_transpose`` and a bias.

    Arguments are those of ``Conv`` but ``padding_mode``, and, as in ``gx.conv_transpose``,
    ``output_padding``.

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.ConvTranspose(16, 3, (2, 2), stride=2, key=gx.random.key(0))
    >>> layer.weight.shape
    (16, 3, 2, 2)
    >>> layer(np.ones((2, 16, 14, 14), dtype=np.float32)).shape
    (2, 3, 28, 28)
    """

    weight: Any  # (inputs, outputs / groups, *kernel)
    bias: Any  # (outputs,) or None
    stride: Any = static()
    padding: Any = static()
    output_padding: Any = static()
    dilation: Any = static()
    groups: int = static()

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Any,
        *,
        key: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: Initializer = init.lecun_normal,
        bias_init: Initializer = init.zeros,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = "ConvTranspose"
        placed = {"dtype": "float32" if dtype is None else dtype, "device": device}
        weight_key, bias_key = split(key)
        weight = _drawn(name, inputs, outputs, kernel, groups, weight_init, weight_key, placed)
        *lengths, rows, columns = weight.shape
        parts = reshape(weight, (*lengths, rows, groups, columns // groups))
        first = (parts.ndim - 2, parts.ndim - 3, parts.ndim - 1)
        shape = (inputs, columns // groups, *lengths)
        self.weight = reshape(_in_order(parts, first), shape)
        self.bias = _bias(name, bias, bias_init, bias_key, outputs, placed)
        count = len(lengths)
        self.stride = _lengths(name, "stride", stride, count)
        self.dilation = _lengths(name, "dilation", dilation, count)
        self.padding = _padding(name, padding, count)
        self.output_padding = _lengths(name, "output_padding", output_padding, count, least=0)
        self.groups = groups

    def __call__(self, x: Any) -> Any:
        out = conv_transpose(
            x,
            self.weight,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return _with_bias(out, self.bias)


def _drawn(name, inputs, outputs, kernel, groups, weight_init, key, placed):
    """Draw weights as initialisers know them: (*kernel, inputs of a group, outputs)."""
    groups = integer(name, "groups", groups, least=1)
    for what, width in (("inputs", inputs), ("outputs", outputs)):
        if integer(name, what, width, least=1) % groups:
            raise ShapeError(f"{name}: groups={groups} does not divide {what}={width}")
    shape = (*kernel_lengths(name, kernel), inputs // groups, outputs)
    return drawn(name, "weight", weight_init, key, shape, placed)


def _bias(name, wanted, bias_init, key, outputs, placed):
    return drawn(name, "bias", bias_init, key, (outputs,), placed) if wanted else None


def _lengths(name, what, value, count, least=1):
    """Return a setting as it was given if it is one, so that a layer shows it so."""
    lengths = per_axis(name, what, value, count, least=least)
    return lengths if isinstance(value, (tuple, list)) else value


def _padding(name, padding, count):
    if isinstance(padding, str) and padding == "same" and name == "Conv":
        return padding
    pairs = padding_pairs(name, padding, count)
    return pairs if isinstance(padding, (tuple, list)) else padding


def _in_order(weight, first):
    """Return an array in row-major order with the axes ``first`` in front."""
    xp, device = place_of(weight)
    rest = tuple(axis for axis in range(weight.ndim) if axis not in first)
    moved = xp.permute_dims(weight, (*first, *rest))
    out = xp.empty(moved.shape, dtype=moved.dtype, device=device)
    out[...] = moved
    return out


def _with_bias(out, bias):
    if bias is None:
        return out
    return add(out, reshape(bias, (*bias.shape, *[1] * (len(out.shape) - 2))))
