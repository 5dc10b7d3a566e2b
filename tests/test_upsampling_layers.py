"""Layers that resize images, and PReLU: torch's on the same numbers, and what they refuse."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, ShapeError
from tests.against_torch import TOLERANCE, assert_agrees, randomized

METHODS = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "trilinear": "linear"}
METHODS |= {"bicubic": "cubic"}
AXES = {"linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,), "nearest": (1, 2, 3)}
CASES = [
    (mode, count, align_corners)
    for mode, counts in AXES.items()
    for count in counts
    for align_corners in ((False,) if mode == "nearest" else (False, True))
]
SETTINGS = [{"scale": s} for s in (1, 2, 3, 0.5, 1.5, 2.5, 0.75, 1 / 3)]
SETTINGS += [{"size": n} for n in (1, 2, 4, 7, 9)]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape)


def interpolated(torch, x, mode, align_corners, scale=None, size=None):
    given = {} if mode == "nearest" else {"align_corners": align_corners}
    given |= {"size": size} if scale is None else {"scale_factor": float(scale)}
    return torch.nn.functional.interpolate(x, mode=mode, **given)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize(("mode", "count", "align_corners"), CASES)
def test_upsampling_is_torchs(mode, count, align_corners, setting, torch):
    layer = nn.Upsample(**setting, method=METHODS[mode], align_corners=align_corners)

    for lengths in ([3] * count, [5, 4, 7][:count]):
        x = drawn(2, 3, *lengths)
        tensor = torch.tensor(x, requires_grad=True)
        expected = interpolated(torch, tensor, mode, align_corners, **setting)
        seed = np.random.default_rng(1).normal(size=tuple(expected.shape))
        (wanted,) = torch.autograd.grad(expected, tensor, torch.tensor(seed))
        gradient = gx.grad(lambda x, seed=seed: gx.sum(layer(x) * seed))(x)

        np.testing.assert_allclose(layer(x), expected.detach().numpy(), **TOLERANCE)
        np.testing.assert_allclose(gradient, wanted.numpy(), **TOLERANCE)


@pytest.mark.parametrize("method", ["nearest", "linear", "cubic"])
def test_each_axis_has_a_scale_or_size_of_its_own(method, backend):
    x = backend.from_numpy(drawn(2, 3, 4, 5).astype(np.float32), backend.devices()[0])

    assert nn.Upsample([2, 3], method=method)(x).shape == (2, 3, 8, 15)
    assert nn.Upsample(size=(7, 2), method=method)(x).shape == (2, 3, 7, 2)
    assert nn.Upsample((2, 1), method=method)(x).dtype == x.dtype


def test_a_scale_that_changes_no_size_changes_nothing():
    x = drawn(2, 3, 5)

    np.testing.assert_array_equal(nn.Upsample(1.1)(x), x)
    np.testing.assert_array_equal(nn.Upsample(1.1, method="linear")(x), x)


def test_the_nearest_of_whole_numbers_and_truths_are_such():
    np.testing.assert_array_equal(nn.Upsample(2)(np.asarray([[[1, 2]]])), [[[1, 1, 2, 2]]])
    assert nn.Upsample(2)(np.asarray([[[True]]])).dtype == np.bool_


def test_infinity_stays_where_it_is():
    x = np.zeros((1, 1, 6))
    x[..., 0] = np.inf

    out = nn.Upsample(2, method="linear")(x)

    assert np.isfinite(out[..., 3:]).all()


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_pixel_shuffle_is_torchs(scale, torch):
    assert_agrees(
        torch,
        torch.nn.PixelShuffle(scale),
        lambda get: nn.PixelShuffle(scale),
        lambda m, x: m(x),
        lambda m, x: m(x),
        drawn(2, 2 * scale**2, 3, 4),
    )


def test_channels_become_points_along_any_number_of_axes():
    line, cube = np.arange(4.0).reshape(1, 4, 1), np.arange(8.0).reshape(1, 8, 1, 1, 1)

    np.testing.assert_array_equal(nn.PixelShuffle(4)(line)[0, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(nn.PixelShuffle(2)(cube).ravel(), np.arange(8))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("lengths", [(7,), (5, 6), (3, 4, 2)], ids=str)
def test_adaptive_pooling_is_torchs(size, lengths, torch):
    count = len(lengths)
    module = getattr(torch.nn, f"AdaptiveAvgPool{count}d")((size, 1, 2)[:count])
    layer = nn.AdaptiveAvgPool([size, 1, 2][:count])

    assert_agrees(
        torch,
        module,
        lambda get: layer,
        lambda m, x: m(x),
        lambda m, x: m(x),
        drawn(2, 3, *lengths),
    )


def test_what_is_behind_a_window_counts_nothing():
    x = np.asarray([[[1.0, 2.0, np.inf, 4.0, 5.0]]])

    np.testing.assert_array_equal(nn.AdaptiveAvgPool(3)(x)[0, 0], [1.5, np.inf, 4.5])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5)], ids=str)
def test_prelu_is_torchs(channels, shape, torch):
    x = drawn(*shape)
    x[0, 0] = 0.0  # where both take the weight as the slope
    layer = nn.PReLU(channels, dtype="float64")

    assert_agrees(
        torch,
        randomized(torch, torch.nn.PReLU(channels)),
        lambda get: layer.replace(weight=get("weight")),
        lambda m, x: m(x),
        lambda m, x: m(x),
        x,
    )


def test_prelu_begins_as_that_of_torch(torch):
    for channels in (1, 3):
        expected = torch.nn.PReLU(channels).weight.detach().numpy()
        np.testing.assert_array_equal(nn.PReLU(channels).weight, expected)
    assert nn.PReLU()(np.asarray(-4.0)).shape == ()


X = np.ones((2, 3, 4))
WRONG = {
    "neither": (lambda: nn.Upsample(), ShapeError, "scale=None, size=None, expected one of"),
    "both": (lambda: nn.Upsample(2, size=3), ShapeError, "scale=2, size=3, expected one of"),
    "a scale of 0": (lambda: nn.Upsample(0), ShapeError, "scale=0, expected a number above 0"),
    "an endless scale": (lambda: nn.Upsample(np.inf), ShapeError, "scale=inf, expected"),
    "text as scale": (lambda: nn.Upsample("2"), DTypeError, "scale='2', expected a number"),
    "a fraction as size": (lambda: nn.Upsample(size=1.5), DTypeError, r"size=1\.5, expected"),
    "a size of 0": (lambda: nn.Upsample(size=0), ShapeError, "size=0, expected 1 or more"),
    "another method": (lambda: nn.Upsample(2, method="bilinear"), ShapeError, "'bilinear', exp"),
    "corners": (lambda: nn.Upsample(2, align_corners=True), ShapeError, "not for method='near"),
    "no image": (lambda: nn.Upsample(2)(np.ones((2, 3))), ShapeError, r"got \(2, 3\)"),
    "a list": (lambda: nn.Upsample(2)([1.0]), DTypeError, "the input is"),
    "scales of another image": (
        lambda: nn.Upsample((2, 2))(X),
        ShapeError,
        r"scale=\(2, 2\) for an image of 1 axes",
    ),
    "to nothing": (lambda: nn.Upsample(0.1)(X), ShapeError, r"images of \(4,\) to a size of \(0,"),
    "integers between": (
        lambda: nn.Upsample(2, method="linear")(X.astype(int)),
        DTypeError,
        "the input is int64.*expected floating-point",
    ),
    "no window": (lambda: nn.AdaptiveAvgPool(0), ShapeError, "size=0, expected 1 or more"),
    "windows of integers": (
        lambda: nn.AdaptiveAvgPool(1)(X.astype(int)),
        DTypeError,
        "the input is int64.*expected floats",
    ),
    "windows of nothing": (
        lambda: nn.AdaptiveAvgPool(1)(X[..., :0]),
        ShapeError,
        r"images of no points, \(2, 3, 0\)",
    ),
    "sizes of another image": (
        lambda: nn.AdaptiveAvgPool((2, 2))(X),
        ShapeError,
        r"size=\(2, 2\) for an image of 1 axes",
    ),
    "channels that are too few": (
        lambda: nn.PixelShuffle(2)(X),
        ShapeError,
        r"3 channels of \(2, 3, 4\), expected a multiple of 2\*\*1",
    ),
    "a shuffle of 0": (lambda: nn.PixelShuffle(0), ShapeError, "scale=0, expected 1 or more"),
    "other channels": (
        lambda: nn.PReLU(4)(X),
        ShapeError,
        r"PReLU: expected \(samples, 4, \.\.\.\), got \(2, 3, 4\)",
    ),
    "no channels": (lambda: nn.PReLU(0), ShapeError, "channels=0, expected 1 or more"),
    "text to begin with": (lambda: nn.PReLU(initial="a"), DTypeError, "initial='a', expected a"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
