"""Pooling: against loops and PyTorch, where elements tie, at infinities and NaNs, and errors.

`test_ops.py` compares the derivatives with finite differences on small samples.
"""

from itertools import product

import numpy as np
import pytest

import gradx as gx
from gradx.backends import numpy_pooling
from gradx.errors import AxisError, DTypeError, ShapeError

# Shape of x, kernel, settings.
CASES = {
    "pairs": ((2, 3, 6, 4), 2, {}),
    "elements left over": ((2, 3, 7, 5), 2, {}),
    "overlap": ((2, 3, 7, 6), 3, {"stride": 2}),
    "padding": ((2, 3, 7, 6), 3, {"stride": (2, 1), "padding": 1}),
    "two lengths": ((2, 3, 7, 6), (2, 3), {"padding": (1, 0)}),
    "gaps": ((1, 2, 9, 9), (2, 1), {"stride": (4, 3)}),
    "kernel larger than x": ((2, 2, 2, 3), (4, 3), {"padding": (2, 1)}),
    "size one": ((1, 1, 1, 1), 1, {}),
    "no samples": ((0, 2, 4, 4), 2, {}),
    "line": ((2, 3, 9), 3, {"stride": 2, "padding": 1}),
    "volume": ((1, 2, 4, 5, 6), (2, 3, 2), {"stride": (1, 2, 2), "padding": (1, 0, 1)}),
}

# Of maxima.
DILATED = {
    "dilated line": ((2, 3, 9), 3, {"dilation": 2, "stride": 1}),
    "dilated, strided": ((2, 2, 9, 8), 2, {"dilation": 3, "stride": 2}),
    "dilated, padded": ((2, 2, 7, 9), 3, {"dilation": 2, "stride": 2, "padding": 1}),
    "dilations": ((1, 2, 8, 7), (3, 2), {"dilation": (2, 4), "stride": (1, 2), "padding": 1}),
    "kernel of one, dilated": ((1, 2, 5, 5), 1, {"dilation": 3}),
    "dilated volume": ((1, 2, 5, 6, 7), 2, {"dilation": (1, 2, 3), "padding": 1, "stride": 1}),
    "dilated beside itself": ((1, 1, 8, 8), 2, {"dilation": 2}),
}

# Which lie side by side, and fill the array: for these there is machine code.
SIDE_BY_SIDE = {
    "pairs": ((2, 3, 8, 8), (2, 2)),
    "threes": ((1, 2, 6, 9), (3, 3)),
    "more than a vector": ((1, 2, 4, 74), (1, 2)),
    "columns": ((2, 1, 6, 5), (2, 1)),
    "wide": ((1, 1, 4, 84), (2, 4)),
    "one window": ((3, 2, 2, 2), (2, 2)),
}

NAMES = ("shape", "kernel", "settings")
every_case = pytest.mark.parametrize(NAMES, CASES.values(), ids=CASES)
every_maximum = pytest.mark.parametrize(NAMES, (CASES | DILATED).values(), ids=CASES | DILATED)

POOLED = [("max", *case) for case in (CASES | DILATED).values()]
POOLED += [("avg", *case) for case in CASES.values()]


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tied(shape, seed=0):
    """Draw from few numbers, so that most windows have ties."""
    return np.random.default_rng(seed).integers(0, 3, shape).astype(float)


def per_axis(value, count):
    return value if isinstance(value, tuple) else (value,) * count


def windows(shape, kernel, stride=None, padding=0, dilation=1):
    """Give the place of each window, and the key that reads it, padding left out."""
    count = len(shape) - 2
    kernel, padding = per_axis(kernel, count), per_axis(padding, count)
    stride = kernel if stride is None else per_axis(stride, count)
    dilation = per_axis(dilation, count)
    reaches = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    lengths = [
        (n + 2 * p - r) // s + 1
        for n, p, r, s in zip(shape[2:], padding, reaches, stride, strict=True)
    ]
    for place in product(range(shape[0]), range(shape[1]), *map(range, lengths)):
        starts = [q * s - p for q, s, p in zip(place[2:], stride, padding, strict=True)]
        key = [
            slice(a if a >= 0 else a % d, a + r, d)
            for a, r, d in zip(starts, reaches, dilation, strict=True)
        ]
        yield place, (*place[:2], *key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "kernel"), SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
def test_machine_code_pools_to_the_bits_of_numpy(shape, kernel, dtype, monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(numpy_pooling, "WORTH_IT", 0)
    x = tied(shape).astype(dtype)
    x.flat[:3] = [np.nan, -np.inf, np.inf]
    count = [n // k for n, k in zip(shape[2:], kernel, strict=True)]
    (g,) = (drawn((*shape[:2], *count), seed=1).astype(dtype),)
    found = []

    for native in (True, False):
        if not native:
            monkeypatch.setattr(numpy_pooling, "machine_code", lambda module: None)
        out, pullback = gx.vjp(lambda x: gx.max_pool(x, kernel), x)
        found.append((out, *pullback(g)))

    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other, equal_nan=True)


def test_dilated_windows_that_fill_the_array_are_not_taken_for_dense_ones(monkeypatch):
    monkeypatch.setattr(numpy_pooling, "WORTH_IT", 0)
    x = drawn((1, 1, 8, 8))
    f = lambda x: gx.max_pool(x, 2, dilation=2, ceil_mode=True)

    out = f(x)

    places = product(range(4), range(4))
    keys = {(i, j): np.s_[..., 2 * i : 2 * i + 3 : 2, 2 * j : 2 * j + 3 : 2] for i, j in places}
    expected = np.zeros_like(x)
    for place, key in keys.items():
        assert out[0, 0][place] == x[key].max()
        expected[key] += x[key] == x[key].max()
    np.testing.assert_array_equal(gx.grad(lambda x: gx.sum(f(x)))(x), expected)


@every_maximum
def test_maximum_goes_to_those_that_are_it_evenly(shape, kernel, settings, backend):
    x = tied(shape)
    out, pullback = gx.vjp(
        lambda x: gx.max_pool(x, kernel, **settings),
        backend.from_numpy(x, backend.devices()[0]),
    )
    out = backend.to_numpy(out)
    g = drawn(out.shape, seed=1)
    (to_x,) = pullback(backend.from_numpy(g, backend.devices()[0]))

    expected, expected_to_x = np.zeros(out.shape), np.zeros(shape)
    for place, key in windows(shape, kernel, **settings):
        expected[place] = x[key].max()
        won = x[key] == x[key].max()
        expected_to_x[key] += g[place] * won / won.sum()

    np.testing.assert_array_equal(out, expected)
    np.testing.assert_allclose(backend.to_numpy(to_x), expected_to_x, atol=1e-14)


# Length, kernel, stride, padding.
CEILED = [(7, 3, 2, 0), (7, 2, 2, 0), (8, 3, 3, 1), (6, 3, 2, 1), (4, 1, 3, 0)]
POOLS = [
    (gx.max_pool, "max_pool", {}, {}),
    (gx.avg_pool, "avg_pool", {}, {}),
    (gx.avg_pool, "avg_pool", {"count_padding": False}, {"count_include_pad": False}),
]


@pytest.mark.parametrize("dilation", [2, 3])
@pytest.mark.parametrize("length", [9, 10, 11])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_dilated_windows_that_reach_beyond_are_those_of_torch(ndim, length, dilation):
    torch = pytest.importorskip("torch")
    x = drawn((2, 2, *[length, 7, 6][:ndim]))
    settings = {"stride": 2, "padding": 1, "dilation": (dilation, 2, 1)[:ndim], "ceil_mode": True}
    given = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, f"max_pool{ndim}d")(given, 3, **settings)
    (expected**2).sum().backward()

    f = lambda x: gx.max_pool(x, 3, **settings)

    np.testing.assert_array_equal(f(x), expected.detach().numpy())
    gradient = gx.grad(lambda x: gx.sum(f(x) ** 2))(x)
    np.testing.assert_allclose(gradient, given.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_a_dilated_window_may_begin_in_padding_if_it_reads_an_element():
    x = np.asarray([[[1.0, 5.0, 2.0]]])

    out = gx.max_pool(x, 2, stride=1, dilation=2, padding=2)

    assert out.tolist() == [[[1.0, 5.0, 2.0, 5.0, 2.0]]]
    with pytest.raises(ShapeError, match="padding=1 is too much: a window of length 2 lies out"):
        gx.max_pool(x[..., :1], 2, stride=1, dilation=2, padding=1)
    with pytest.raises(ShapeError, match="dilation=0, expected 1 or more"):
        gx.max_pool(x, 2, dilation=0)


@pytest.mark.parametrize(("pool", "name", "ours", "theirs"), POOLS)
@pytest.mark.parametrize(("length", "kernel", "stride", "padding"), CEILED)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_windows_that_reach_beyond_are_those_of_torch(
    ndim, length, kernel, stride, padding, pool, name, ours, theirs
):
    torch = pytest.importorskip("torch")
    x = drawn((2, 2, *[length, 5, 6][:ndim]))
    sizes = {"stride": (stride, 2, 1)[:ndim], "padding": (padding, 1, 0)[:ndim], "ceil_mode": True}
    kernel = (kernel, 2, 3)[:ndim]
    given = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, f"{name}{ndim}d")(given, kernel, **sizes, **theirs)
    (expected**2).sum().backward()

    f = lambda x: pool(x, kernel, **sizes, **ours)

    np.testing.assert_allclose(f(x), expected.detach().numpy(), rtol=1e-12)
    gradient = gx.grad(lambda x: gx.sum(f(x) ** 2))(x)
    np.testing.assert_allclose(gradient, given.grad.numpy(), rtol=1e-12, atol=1e-14)


def test_axis_shorter_than_the_kernel_is_one_window_if_it_may_reach_beyond():
    x = np.asarray([[[1.0, 5.0]]])

    assert gx.max_pool(x, 3, stride=2, ceil_mode=True).tolist() == [[[5.0]]]
    assert gx.avg_pool(x, 3, stride=2, ceil_mode=True).tolist() == [[[3.0]]]
    with pytest.raises(ShapeError, match="reaches over 4 elements of axis 2, which has 2"):
        gx.max_pool(x, 4, stride=2, ceil_mode=True)


@every_case
def test_average_is_shared_by_all_of_the_window(shape, kernel, settings, backend):
    x = drawn(shape)
    averages = {}
    for counted in (True, False):
        out, pullback = gx.vjp(
            lambda x, c=counted: gx.avg_pool(x, kernel, count_padding=c, **settings),
            backend.from_numpy(x, backend.devices()[0]),
        )
        (to_x,) = pullback(out)
        averages[counted] = backend.to_numpy(out), backend.to_numpy(to_x)

    size = np.prod(per_axis(kernel, len(shape) - 2))
    for counted, (out, to_x) in averages.items():
        expected, expected_to_x = np.zeros(out.shape), np.zeros(shape)
        for place, key in windows(shape, kernel, **settings):
            count = size if counted else x[key].size
            expected[place] = x[key].sum() / count
            expected_to_x[key] += out[place] / count
        np.testing.assert_allclose(out, expected, atol=1e-14)
        np.testing.assert_allclose(to_x, expected_to_x, atol=1e-14)


@pytest.mark.parametrize(("name", *NAMES), POOLED)
def test_pooling_and_its_gradient_are_those_of_torch(name, shape, kernel, settings):
    torch = pytest.importorskip("torch")
    x = drawn(shape)
    out, pullback = gx.vjp(lambda x: getattr(gx, f"{name}_pool")(x, kernel, **settings), x)
    g = drawn(out.shape, seed=1)

    tx = torch.from_numpy(x).requires_grad_()
    function = getattr(torch.nn.functional, f"{name}_pool{len(shape) - 2}d")
    expected = function(tx, kernel, **settings)
    (gradient,) = torch.autograd.grad(expected, tx, torch.from_numpy(g))

    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-14)
    np.testing.assert_allclose(pullback(g)[0], gradient.numpy(), atol=1e-14)


def test_same_padding_gives_one_window_for_each_stride():
    x = drawn((1, 1, 5, 6))

    out = gx.max_pool(x, 3, stride=2, padding="same")

    assert out.shape == (1, 1, 3, 3)
    assert out[0, 0, 0, 0] == x[0, 0, :2, :2].max()  # one row before, none before the columns
    assert out[0, 0, 2, 2] == x[0, 0, 3:, 4:].max()


def test_what_loses_stays_zero_beside_infinities(backend):
    x = backend.from_numpy(np.asarray([[[1.0, np.inf, -np.inf, -np.inf]]]), backend.devices()[0])
    g = backend.from_numpy(np.asarray([[[np.inf, 1.0]]]), backend.devices()[0])
    out, pullback = gx.vjp(lambda x: gx.max_pool(x, 2), x)

    assert backend.to_numpy(out).tolist() == [[[np.inf, -np.inf]]]
    assert backend.to_numpy(pullback(g)[0]).tolist() == [[[0, np.inf, 0.5, 0.5]]]


def test_padding_takes_no_share_of_an_infinite_window(backend):
    x = backend.from_numpy(np.full((1, 1, 2), -np.inf), backend.devices()[0])
    _, pullback = gx.vjp(lambda x: gx.max_pool(x, 3, padding=1, stride=1), x)

    (to_x,) = pullback(backend.from_numpy(np.ones((1, 1, 2)), backend.devices()[0]))

    assert backend.to_numpy(to_x).tolist() == [[[1.0, 1.0]]]


@pytest.mark.parametrize("padding", [0, 1])
def test_nan_reaches_the_elements_that_are_it_and_no_others(backend, padding):
    x = np.asarray([[[1.0, np.nan, 2.0, 3.0]]])
    x = backend.from_numpy(x, backend.devices()[0])
    out, pullback = gx.vjp(lambda x: gx.max_pool(x, 2, padding=padding), x)

    (to_x,) = pullback(backend.xp.ones_like(out))

    expected = [0.0, np.nan, 0.0, 1.0] if padding == 0 else [1.0, np.nan, 0.0, 1.0]
    np.testing.assert_array_equal(backend.to_numpy(to_x)[0, 0], expected)
    assert np.isnan(backend.to_numpy(out)).any()


def test_single_precision_stays():
    x = tied((2, 2, 6)).astype("float32")

    for pool in (gx.max_pool, gx.avg_pool):
        out, pullback = gx.vjp(lambda x, pool=pool: pool(x, 3, stride=1), x)
        assert out.dtype == pullback(out)[0].dtype == np.float32
    assert gx.avg_pool(x, 2, padding=1, count_padding=False).dtype == np.float32


def test_the_largest_integer_is_found_beside_padding():
    assert gx.max_pool(np.asarray([[[-3, -2, -5]]]), 2, padding=1).tolist() == [[[-3, -2]]]


def test_second_derivative_goes_through_the_winners():
    x = drawn((1, 2, 6))

    hessian = gx.hessian(lambda x: gx.sum(gx.max_pool(x, 3) ** 3))(x).reshape(12, 12)

    won = x.reshape(4, 3) == x.reshape(4, 3).max(axis=1, keepdims=True)
    np.testing.assert_allclose(hessian, np.diag((6 * x.reshape(4, 3) * won).reshape(-1)))


WRONG = {
    "kernel": ((2, 1, 3), {"kernel": 4}, "reaches over 4 elements of axis 2, which has 3"),
    "no kernel": ((2, 1, 3), {"kernel": 0}, "kernel=0, expected 1 or more"),
    "kernels": ((2, 1, 3), {"kernel": (1, 2)}, r"kernel=\(1, 2\), expected an integer or 1 of"),
    "stride": ((2, 1, 3), {"kernel": 2, "stride": -1}, "stride=-1, expected 1 or more"),
    "padding": ((2, 1, 3), {"kernel": 2, "padding": -1}, "padding=-1, expected 0 or more"),
    "nothing but padding": (
        (2, 1, 3),
        {"kernel": 2, "padding": 2},
        "padding=2 is too much: a window of length 2 lies outside of the 3 elements",
    ),
    "nothing but padding behind": ((2, 1, 3), {"kernel": 2, "padding": [(0, 5)]}, "too much"),
}


@pytest.mark.parametrize(("shape", "arguments", "message"), WRONG.values(), ids=list(WRONG))
def test_pooling_says_what_does_not_fit(shape, arguments, message):
    with pytest.raises(ShapeError, match=message):
        gx.max_pool(np.ones(shape), **arguments)
    with pytest.raises(ShapeError, match=message):
        gx.avg_pool(np.ones(shape), count_padding=False, **arguments)


def test_pooling_needs_spatial_axes_and_integers():
    with pytest.raises(AxisError, match=r"max_pool: x has shape \(2, 3\), expected \(samples"):
        gx.max_pool(np.ones((2, 3)), 2)
    with pytest.raises(DTypeError, match=r"kernel=2\.0, expected an integer"):
        gx.avg_pool(np.ones((1, 1, 3)), 2.0)
