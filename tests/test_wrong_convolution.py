"""Convolutions that do not fit: the error names what was given and what is allowed."""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import AxisError, DTypeError, ShapeError

WRONG = {
    "channels": (
        ((2, 3, 5), (4, 2, 3), {}),
        r"conv: x of shape \(2, 3, 5\) has 3 channels, .* with groups=1 takes 2",
    ),
    "groups and channels": (((2, 4, 5), (4, 4, 3), {"groups": 2}), "groups=2 takes 8"),
    "groups and outputs": (
        ((2, 4, 5), (3, 2, 3), {"groups": 2}),
        "groups=2 does not divide the 3 outputs",
    ),
    "no groups": (((2, 4, 5), (3, 2, 3), {"groups": 0}), "groups=0, expected 1 or more"),
    "kernel": (
        ((2, 1, 4), (1, 1, 7), {"padding": 1}),
        r"reaches over 7 elements of axis 2, which has 4 and padding \(1, 1\)",
    ),
    "dilated kernel": (((2, 1, 4), (1, 1, 3), {"dilation": 2}), "reaches over 5 elements"),
    "no kernel": (((2, 1, 4), (1, 1, 0), {}), r"weight of shape \(1, 1, 0\) is empty"),
    "stride": (((2, 1, 4), (1, 1, 2), {"stride": -1}), "stride=-1, expected 1 or more"),
    "dilation": (((2, 1, 4), (1, 1, 2), {"dilation": 0}), "dilation=0, expected 1 or more"),
    "strides": (
        ((2, 1, 4), (1, 1, 2), {"stride": (1, 2)}),
        r"stride=\(1, 2\), expected an integer or 1 of them",
    ),
    "padding": (((2, 1, 4), (1, 1, 2), {"padding": -2}), "padding=-2, expected 0 or more"),
    "paddings": (
        ((2, 1, 4), (1, 1, 2), {"padding": (1, 2)}),
        r"padding=\(1, 2\), expected a number of elements, 'valid', or",
    ),
    "name of padding": (((2, 1, 4), (1, 1, 2), {"padding": "full"}), "padding='full'"),
    "axes": (((2, 1, 4), (1, 1, 2, 2), {}), r"needs as many axes as x of shape \(2, 1, 4\)"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=list(WRONG))
def test_convolution_says_what_does_not_fit(arguments, message):
    shape, weight, settings = arguments

    with pytest.raises(ShapeError, match=message):
        gx.conv(np.ones(shape), np.ones(weight), **settings)


def test_convolution_needs_spatial_axes_and_integers():
    with pytest.raises(AxisError, match=r"x has shape \(2, 3\), expected \(samples, channels"):
        gx.conv(np.ones((2, 3)), np.ones((1, 3)))
    with pytest.raises(DTypeError, match=r"stride=1\.5, expected an integer"):
        gx.conv(np.ones((1, 1, 3)), np.ones((1, 1, 2)), stride=1.5)
