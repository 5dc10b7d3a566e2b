"""Convolution and pooling: against loops and PyTorch, by every way that the NumPy kernel has.

`test_ops.py` compares the derivatives with finite differences, and the kernel with the
forward functions, on small samples; here are larger shapes, third order, and errors.
"""

import tracemalloc
from itertools import product

import numpy as np
import pytest

import gradx as gx
from gradx.backends import (
    numpy_convolution,
    numpy_convolution_native,
    numpy_convolution_stacked,
    numpy_convolution_whole,
)
from gradx.backends.native import threads
from gradx.backends.native.optional import machine_code

# Shape of x, of the weight, and the settings.
CASES = {
    "plain": ((3, 2, 7, 6), (4, 2, 3, 2), {}),
    "same": ((2, 20, 6, 7), (3, 20, 3, 5), {"padding": "same"}),
    "same of even kernels": ((2, 3, 6, 7), (3, 3, 2, 4), {"padding": "same"}),
    "stride": ((3, 18, 9, 8), (2, 18, 3, 3), {"stride": 2, "padding": 1}),
    "stride beyond the kernel": ((2, 2, 9, 11), (2, 2, 2, 2), {"stride": (3, 4)}),
    "dilation": ((2, 6, 9, 8), (4, 6, 3, 3), {"dilation": (2, 3), "padding": (1, 2)}),
    "stride and dilation": ((2, 9, 12, 9), (2, 9, 4, 2), {"stride": (2, 3), "dilation": (3, 2)}),
    "groups": ((2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 4, 5, 5), (8, 1, 3, 3), {"groups": 4, "stride": 2, "padding": 1}),
    "one place": ((2, 30, 4, 5), (3, 30, 1, 1), {}),
    "uneven padding": ((2, 3, 4, 5), (2, 3, 3, 2), {"padding": ((2, 0), (0, 3))}),
    "kernel larger than x": ((2, 2, 2, 1), (3, 2, 5, 3), {"padding": (2, 1)}),
    "padding beyond the kernel": ((1, 2, 3, 3), (2, 2, 1, 2), {"padding": 3, "stride": 2}),
    "elements that no window reads": ((1, 2, 8, 8), (2, 2, 2, 2), {"stride": 5}),
    "size one": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "no samples": ((0, 2, 4, 4), (3, 2, 3, 3), {"padding": 1}),
    "line": ((3, 17, 9), (4, 17, 3), {"stride": 2, "padding": 1, "dilation": 2}),
    "line of pairs": ((2, 4, 9), (6, 2, 4), {"groups": 2}),
    "volume": ((2, 8, 4, 5, 4), (3, 8, 2, 3, 2), {"stride": (1, 2, 2), "padding": 1}),
    "volume, dilated": ((1, 2, 5, 4, 6), (2, 1, 2, 2, 3), {"dilation": (2, 1, 2), "groups": 2}),
}

every_case = pytest.mark.parametrize(("shape", "weight", "settings"), CASES.values(), ids=CASES)


BY_NUMPY = ["rows in place", "all copied", "small blocks", "stacked", "stacked bands"]
BY_WINDOWS = ["machine code", "with waste", "machine code, apart", "machine code in bands"]
BY_MACHINE_CODE = [*BY_WINDOWS, "whole samples", "whole samples, little at a time"]
WAYS = ["as it chooses", *BY_NUMPY, *BY_MACHINE_CODE]


def little_at_a_time(monkeypatch):
    """Let so few elements be copied that samples are cut in all ways."""
    monkeypatch.setattr(numpy_convolution_whole, "PRODUCTS", 1)
    for name, sizes in (
        ("convolving", {"most": 130}),
        ("kernels", {"most": 90, "most_turned": 200}),
    ):
        module = machine_code(name)
        few = lambda dtype, whole=module.loops, sizes=sizes: whole(dtype)._replace(**sizes)
        monkeypatch.setattr(module, "loops", few)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Make the NumPy kernel go one of its ways, whatever the sizes."""
    numpy_convolution.plans.cache_clear()
    numpy_convolution_native.bands.cache_clear()
    if request.param in BY_NUMPY:
        monkeypatch.setattr(numpy_convolution_native, "machine_code", lambda module: None)
    for cached in (numpy_convolution_whole._way, numpy_convolution_whole._way_back):
        cached.cache_clear()
    if request.param in BY_MACHINE_CODE:
        pytest.importorskip("llvmlite")
        monkeypatch.setattr(numpy_convolution_native, "WORTH_IT", 0)
        monkeypatch.setattr(numpy_convolution_whole, "FEWEST", 0)
    if request.param in BY_WINDOWS:
        monkeypatch.setattr(numpy_convolution_whole, "_has_loops", lambda *arguments: False)
    if request.param == "whole samples, little at a time":
        little_at_a_time(monkeypatch)
    if request.param == "with waste":
        monkeypatch.setattr(numpy_convolution_native, "WASTE", 100)
    if request.param == "machine code, apart":
        monkeypatch.setattr(numpy_convolution_native, "WASTE", 0)
    if request.param == "machine code in bands":
        monkeypatch.setattr(numpy_convolution_native, "BLOCK", 1)
    if request.param in ("rows in place", "small blocks"):
        monkeypatch.setattr(numpy_convolution, "FEW", 0)
    if request.param == "all copied":
        monkeypatch.setattr(numpy_convolution, "FEW", 1 << 30)
    if request.param == "small blocks":
        monkeypatch.setattr(numpy_convolution, "BLOCK", 1)
    if request.param.startswith("stacked"):
        monkeypatch.setattr(numpy_convolution_stacked, "FEW", 0)
        monkeypatch.setattr(numpy_convolution_stacked, "WINDOWS", 0)
    if request.param == "stacked bands":
        monkeypatch.setattr(numpy_convolution_stacked, "BLOCK", 1)
    yield request.param
    numpy_convolution.plans.cache_clear()
    numpy_convolution_native.bands.cache_clear()
    for cached in (numpy_convolution_whole._way, numpy_convolution_whole._way_back):
        cached.cache_clear()


def drawn(*shapes, seed=0):
    draws = np.random.default_rng(seed)
    return [draws.normal(size=shape) for shape in shapes]


def per_axis(value, count):
    return value if isinstance(value, tuple) else (value,) * count


def pairs_of(padding, lengths, kernel, stride, dilation):
    if padding == "same":
        totals = [
            max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            for n, k, s, d in zip(lengths, kernel, stride, dilation, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in totals]
    return [one if isinstance(one, tuple) else (one, one) for one in per_axis(padding, len(kernel))]


def by_loops(x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Convolve window by window, and pad what torch cannot."""
    kernel = weight.shape[2:]
    stride, dilation = per_axis(stride, len(kernel)), per_axis(dilation, len(kernel))
    pairs = pairs_of(padding, x.shape[2:], kernel, stride, dilation)
    x = np.pad(x, [(0, 0), (0, 0), *pairs])
    reaches = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    counts = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reaches, stride, strict=True)]
    out = np.zeros((len(x), len(weight), *counts))
    of_one = len(weight) // groups
    for o, place in product(range(len(weight)), product(*map(range, counts))):
        first = o // of_one * weight.shape[1]
        window = [
            slice(p * s, p * s + r, d)
            for p, s, r, d in zip(place, stride, reaches, dilation, strict=True)
        ]
        read = x[(slice(None), slice(first, first + weight.shape[1]), *window)]
        out[(slice(None), o, *place)] = (read * weight[o]).sum(tuple(range(1, x.ndim)))
    return out


@every_case
def test_convolution_is_a_sum_over_windows(shape, weight, settings, way):
    x, w = drawn(shape, weight)

    np.testing.assert_allclose(gx.conv(x, w, **settings), by_loops(x, w, **settings), atol=1e-12)


@every_case
def test_pullbacks_are_transposes_of_the_sum_over_windows(shape, weight, settings, way):
    x, w, dx, dw = drawn(shape, weight, shape, weight)
    out, pullback = gx.vjp(lambda x, w: gx.conv(x, w, **settings), x, w)
    (g,) = drawn(out.shape, seed=1)

    to_x, to_weight = pullback(g)

    # Both sides are bilinear: equal for random directions, they are equal.
    np.testing.assert_allclose(
        np.sum(to_x * dx), np.sum(g * by_loops(dx, w, **settings)), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(
        np.sum(to_weight * dw), np.sum(g * by_loops(x, dw, **settings)), rtol=1e-10, atol=1e-10
    )


@every_case
def test_convolution_and_gradients_are_those_of_torch(shape, weight, settings, way):
    torch = pytest.importorskip("torch")
    count = len(weight) - 2
    settings = {"stride": 1, "dilation": 1, "padding": 0} | settings
    x, w = drawn(shape, weight)
    out, pullback = gx.vjp(lambda x, w: gx.conv(x, w, **settings), x, w)
    (g,) = drawn(out.shape, seed=1)

    pairs = pairs_of(
        settings.pop("padding"),
        shape[2:],
        weight[2:],
        per_axis(settings["stride"], count),
        per_axis(settings["dilation"], count),
    )
    tx, tw = (torch.from_numpy(a).requires_grad_() for a in (x, w))
    padded = torch.nn.functional.pad(tx, [n for pair in reversed(pairs) for n in pair])
    expected = getattr(torch.nn.functional, f"conv{count}d")(padded, tw, **settings)
    gradients = torch.autograd.grad(expected, (tx, tw), torch.from_numpy(g))

    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-12)
    for actual, wanted in zip(pullback(g), gradients, strict=True):
        np.testing.assert_allclose(actual, wanted.numpy(), atol=1e-11)


def test_third_derivative_is_that_of_a_cube(backend):
    x, w = drawn((1, 1, 3), (1, 1, 2))
    x, w = [backend.from_numpy(a, backend.devices()[0]) for a in (x, w)]

    def cubed(x):
        return gx.sum(gx.conv(x, w, padding=1, stride=2) ** 3)

    def second(x):
        return gx.sum(gx.grad(lambda x: gx.sum(gx.grad(cubed)(x) ** 2))(x) * w[0, 0, 0])

    third = backend.to_numpy(gx.grad(second)(x))

    # The windows, written as a matrix, read (0, x0) and (x1, x2).
    w = backend.to_numpy(w)[0, 0]
    matrix = np.asarray([[w[1], 0, 0], [0, w[0], w[1]]])
    y, norms = matrix @ backend.to_numpy(x)[0, 0], np.sum(matrix**2, axis=1)
    # gradient 3 A'y^2; its square 9 sum_ij y_i^2 (A A')_ij y_j^2, rows of A orthogonal;
    # derivative 36 A' (norms y^3); times w0 summed; derivative 108 A' (norms y^2 (A 1)) w0.
    expected = 108 * matrix.T @ (norms * y**2 * matrix.sum(axis=1)) * w[0]
    np.testing.assert_allclose(third[0, 0], expected)


def test_third_derivative_in_both_arguments_is_that_of_forward_mode():
    x, w = drawn((2, 2, 4, 4), (2, 2, 2, 2))

    def f(t):
        return gx.sum(gx.sin(gx.conv(x * t, w * t * t, stride=2, padding=1)))

    def slope(f):
        return lambda t: gx.jvp(f, (t,), (np.asarray(1.0),))[1]

    t = np.asarray(0.7)
    np.testing.assert_allclose(
        gx.grad(gx.grad(gx.grad(f)))(t), slope(slope(slope(f)))(t), rtol=1e-10
    )


def test_single_precision_stays_and_dtypes_promote():
    x, w = drawn((2, 3, 5, 5), (4, 3, 3, 3))
    single, integers = x.astype("float32"), np.ones(x.shape, dtype="int64")

    out, pullback = gx.vjp(gx.conv, single, w.astype("float32"))

    assert out.dtype == np.float32
    assert [g.dtype for g in pullback(out)] == [np.float32, np.float32]
    assert gx.conv(single, w).dtype == np.float64
    assert gx.conv(integers, integers[:, :, :2, :2]).dtype == np.int64


def test_large_images_take_little_memory(monkeypatch):
    monkeypatch.setattr(numpy_convolution_native, "machine_code", lambda module: None)
    x, w = drawn((1, 8, 300, 300), (4, 8, 3, 3))
    columns = []
    original = numpy_convolution.Columns

    class Watched(original):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            columns.append(self.memory.nbytes)

    numpy_convolution.Columns = Watched
    try:
        gx.conv(x, w)
    finally:
        numpy_convolution.Columns = original

    assert len(columns) > 1
    assert max(columns) < 2 * numpy_convolution.BLOCK


def test_large_padded_images_take_little_memory(monkeypatch):
    monkeypatch.setattr(numpy_convolution_native, "machine_code", lambda module: None)
    x, w = drawn((1, 8, 300, 300), (4, 8, 3, 3))
    sizes = []
    original = numpy_convolution_stacked.Stack

    def watched(*arguments):
        stack = original(*arguments)
        sizes.append(stack.columns.nbytes + stack.parts.nbytes)
        return stack

    monkeypatch.setattr(numpy_convolution_stacked, "Stack", watched)
    gx.conv(x, w, padding=1)

    assert len(sizes) > 1
    assert max(sizes) < 2 * numpy_convolution_stacked.BLOCK


def machine_code_for_all(monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(numpy_convolution_native, "WORTH_IT", 0)


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 4), (3, 64)])
def test_machine_code_takes_little_memory_for_large_images(inputs, outputs, monkeypatch):
    machine_code_for_all(monkeypatch)
    x, w = drawn((2, inputs, 300, 300), (outputs, inputs, 3, 3))
    out, pullback = gx.vjp(lambda x, w: gx.conv(x, w, padding=1), x, w)

    tracemalloc.start()
    try:
        (to_x, _) = pullback(out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak - to_x.nbytes < 12 * numpy_convolution_native.BLOCK


@pytest.mark.parametrize("settings", [{"padding": 1}, {}, {"stride": 2, "groups": 3}])
def test_machine_code_is_as_exact_as_direct_sums_of_float32(settings, monkeypatch):
    machine_code_for_all(monkeypatch)
    groups = settings.get("groups", 1)
    x, w = (a.astype("float32") for a in drawn((5, 24, 13, 14), (18, 24 // groups, 3, 3)))
    f = lambda x, w: gx.conv(x, w, **settings)
    out, pullback = gx.vjp(f, x, w)
    exact, exact_pullback = gx.vjp(f, x.astype("float64"), w.astype("float64"))

    found = [out, *pullback(out)]

    for single, double in zip(found, [exact, *exact_pullback(out.astype("float64"))], strict=True):
        error = np.max(np.abs(single - double)) / np.max(np.abs(double))
        assert error < 8 * np.finfo("float32").eps


def test_sums_over_many_windows_are_as_exact_as_over_few():
    pytest.importorskip("llvmlite")
    draws = np.random.default_rng(0)
    x = draws.uniform(1, 2, size=(40, 2, 60, 60)).astype("float32")
    w = draws.normal(size=(16, 2, 3, 3)).astype("float32")
    y, pullback = gx.vjp(lambda w: gx.conv(x, w), w)
    exact = gx.vjp(lambda w: gx.conv(x.astype("float64"), w), w.astype("float64"))[1]

    (found,) = pullback(np.abs(y))
    (expected,) = exact(np.abs(y).astype("float64"))

    assert np.max(np.abs(found / expected - 1)) < 4e-6  # of 134,560 terms, one after another: 1e-4


@pytest.mark.parametrize("place", [(0, 0), (5, 4)])  # read by one place in the kernel
def test_what_is_not_finite_stays_in_its_channel_and_sample(place, way):
    x, w = drawn((3, 20, 6, 5), (4, 20, 3, 3))
    x[(1, 7, *place)] = np.nan

    with np.errstate(invalid="ignore"):
        out, pullback = gx.vjp(lambda w: gx.conv(x, w), w)
        (to_weight,) = pullback(np.ones_like(out))

    assert np.all(np.isfinite(out[[0, 2]]))
    assert np.all(np.isfinite(to_weight[:, np.arange(20) != 7]))
    assert np.all(np.isnan(to_weight[:, 7, place[0] // 2, place[1] // 2]))


@pytest.fixture
def thread_limit():
    before = threads.limit()
    yield threads.limit
    threads.limit(before)


def test_threads_do_not_change_a_bit_of_a_convolution(monkeypatch, thread_limit):
    machine_code_for_all(monkeypatch)
    monkeypatch.setattr(numpy_convolution_native, "WORTH_SHARING", 0)
    monkeypatch.setattr(numpy_convolution_whole, "WORTH_SHARING", 0)
    x, w = drawn((5, 6, 9, 8), (21, 6, 3, 3))
    found = []

    for count in (1, 2, 3):
        thread_limit(count)
        out, pullback = gx.vjp(lambda x, w: gx.conv(x, w, padding=1), x, w)
        found.append([out, *pullback(out)])

    for others in zip(*found, strict=True):
        assert all(np.array_equal(others[0], other) for other in others)


def test_arrays_in_any_memory_order_are_convolved():
    x, w = drawn((2, 3, 6, 5), (4, 3, 3, 2))
    turned = np.asfortranarray(x)
    flipped = np.ascontiguousarray(w[::-1, :, ::-1])[::-1, :, ::-1]

    np.testing.assert_allclose(gx.conv(turned, flipped), gx.conv(x, w), atol=1e-13)
    np.testing.assert_allclose(
        gx.conv(x[::-1], w[:, :, :1, :1].mT), gx.conv(x, w[:, :, :1, :1])[::-1], atol=1e-13
    )


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("turned", [lambda x: x[:, :, ::-1], lambda x: x.mT, np.asfortranarray])
def test_image_in_any_memory_order_is_convolved_with_one_place(turned, groups, way):
    x, w = drawn((2, 4, 6, 5), (4, 4 // groups, 1, 1))
    loss = lambda x, w: gx.sum(gx.conv(x, w, groups=groups) ** 2)

    found = gx.grad(loss, (0, 1))(turned(x), w)

    expected = gx.grad(loss, (0, 1))(np.ascontiguousarray(turned(x)), w)
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)


def test_vmap_over_samples_gives_the_gradient_of_each():
    x, w = drawn((3, 2, 5), (2, 2, 3))

    def loss(w, x):
        return gx.sum(gx.conv(x[None], w) ** 2)

    each = gx.vmap(gx.grad(loss), in_axes=(None, 0))(w, x)

    assert each.shape == (3, *w.shape)
    np.testing.assert_allclose(each[1], gx.grad(loss)(w, x[1]))
