"""Transposed convolution: PyTorch's numbers, and the transpose of the convolution."""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import ShapeError
from tests.test_convolution import drawn
from tests.test_convolution import way as way

TRANSPOSED = {
    "plain": ((2, 3, 4, 5), (3, 2, 3, 2), {}),
    "stride": ((2, 3, 4, 3), (3, 18, 3, 3), {"stride": (2, 3), "padding": 1}),
    "output padding": ((2, 3, 4, 3), (3, 2, 3, 3), {"stride": (2, 3), "output_padding": (1, 2)}),
    "output padding below the dilation": (
        (2, 3, 4, 3),
        (3, 2, 3, 3),
        {"stride": (2, 1), "output_padding": (3, 2), "dilation": (4, 3), "padding": (1, 2)},
    ),
    "stride beyond the kernel": ((2, 3, 4, 3), (3, 2, 2, 1), {"stride": (4, 3)}),
    "groups": ((2, 4, 3, 3), (4, 3, 3, 3), {"groups": 2, "stride": 2, "padding": (1, 2)}),
    "dilation": ((1, 2, 5, 4), (2, 2, 2, 3), {"dilation": (2, 3), "stride": 2, "padding": 1}),
    "padding beyond the kernel": ((1, 2, 7), (2, 2, 2), {"padding": 2}),
    "line": ((2, 2, 5), (2, 20, 4), {"stride": 3, "output_padding": 1}),
    "volume": ((1, 2, 2, 3, 2), (2, 2, 2, 2, 3), {"stride": 2, "padding": (0, 1, 1)}),
    "no samples": ((0, 2, 3), (2, 1, 3), {}),
}


@pytest.mark.parametrize(("shape", "weight", "settings"), TRANSPOSED.values(), ids=list(TRANSPOSED))
def test_transposed_convolution_and_gradients_are_those_of_torch(shape, weight, settings, way):
    torch = pytest.importorskip("torch")
    x, w = drawn(shape, weight)
    out, pullback = gx.vjp(lambda x, w: gx.conv_transpose(x, w, **settings), x, w)
    (g,) = drawn(out.shape, seed=1)

    tx, tw = (torch.from_numpy(a).requires_grad_() for a in (x, w))
    function = getattr(torch.nn.functional, f"conv_transpose{len(weight) - 2}d")
    expected = function(tx, tw, **settings)
    gradients = torch.autograd.grad(expected, (tx, tw), torch.from_numpy(g))

    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-12)
    for actual, wanted in zip(pullback(g), gradients, strict=True):
        np.testing.assert_allclose(actual, wanted.numpy(), atol=1e-11)


@pytest.mark.parametrize("padding", [0, 1, ((2, 0), (1, 1))])
def test_transposed_convolution_is_the_transpose(padding):
    x, w = drawn((2, 3, 7, 5), (4, 3, 3, 3))
    settings = {"stride": 2, "padding": padding}
    (y,) = drawn(gx.conv(x, w, **settings).shape, seed=1)
    back = gx.conv_transpose(y, w, **settings)
    lost = tuple(n - m for n, m in zip(x.shape[2:], back.shape[2:], strict=True))

    back = gx.conv_transpose(y, w, **settings, output_padding=lost)

    np.testing.assert_allclose(np.sum(gx.conv(x, w, **settings) * y), np.sum(x * back))


WRONG_TRANSPOSED = {
    "channels": (((2, 3, 5), (4, 2, 3), {}), "has 3 channels, .* takes 4 in groups=1"),
    "groups": (((2, 3, 5), (3, 2, 3), {"groups": 2}), "takes 3 in groups=2"),
    "output padding": (
        ((2, 3, 5), (3, 2, 3), {"stride": 2, "output_padding": 2}),
        "output_padding=2, expected less than stride 2 or dilation 1",
    ),
    "padding": (((2, 3, 1), (3, 2, 3), {"padding": 2}), "nothing is left"),
    "name of padding": (((2, 3, 1), (3, 2, 3), {"padding": "same"}), "padding='same'"),
}


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG_TRANSPOSED.values(), ids=list(WRONG_TRANSPOSED)
)
def test_transposed_convolution_says_what_does_not_fit(arguments, message):
    shape, weight, settings = arguments

    with pytest.raises(ShapeError, match=message):
        gx.conv_transpose(np.ones(shape), np.ones(weight), **settings)
