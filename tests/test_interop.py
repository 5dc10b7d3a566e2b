"""Memory shared with other libraries by DLPack, and einops on arrays and Tensors."""

import numpy as np
import pytest

import gradx as gx
from gradx.errors import CaptureError, DTypeError, ShapeError, TrackedError

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# DLPack


def test_a_tensor_of_torch_is_read_where_it_lies(torch):
    theirs = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)

    ours = gx.from_dlpack(theirs)
    ours[0, 0] = 9.0

    assert type(ours) is np.ndarray
    assert theirs[0, 0] == 9.0


def test_a_transposed_tensor_of_torch_keeps_its_order(torch):
    theirs = torch.arange(6.0).reshape(2, 3).T

    np.testing.assert_array_equal(gx.from_dlpack(theirs), theirs.numpy())


def test_results_are_lent_to_numpy_and_torch(torch):
    result = gx.sin(np.asarray([0.5, 1.0]))

    assert torch.from_dlpack(result).data_ptr() == result.ctypes.data
    assert np.shares_memory(np.from_dlpack(result), result)


def test_a_gradient_is_lent_to_torch(torch):
    gradient = gx.grad(lambda x: gx.sum(x**2))(np.asarray([1.0, 2.0]))

    assert torch.from_dlpack(gradient).tolist() == [2.0, 4.0]


def test_a_detached_tensor_is_lent():
    assert np.from_dlpack(gx.tensor([1.0, 2.0]).detach()).tolist() == [1.0, 2.0]


def test_a_tensor_of_torch_is_a_constant_inside_a_transform(torch):
    theirs = torch.tensor([2.0, 3.0], dtype=torch.float64)
    f = lambda x: gx.sum(x * gx.from_dlpack(theirs))
    x = np.asarray([1.0, 1.0])

    np.testing.assert_array_equal(gx.grad(f)(x), [2.0, 3.0])
    np.testing.assert_array_equal(gx.jvp(f, (x,), (x,))[1], 5.0)
    np.testing.assert_array_equal(gx.compile(gx.grad(f))(x), [2.0, 3.0])
    np.testing.assert_array_equal(gx.vmap(f)(np.ones((3, 2))), [5.0, 5.0, 5.0])


TRANSFORMS = {
    "grad": gx.grad,
    "jvp": lambda f: lambda x: gx.jvp(f, (x,), (x,)),
    "vmap": gx.vmap,
    "compile": gx.compile,
}
every_transform = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)


@every_transform
def test_memory_of_what_is_tracked_is_not_lent(transform, torch):
    for take in (np.from_dlpack, torch.from_dlpack, gx.from_dlpack):
        with pytest.raises(TrackedError, match=r"lend|lent|DLPack export"):
            transform(lambda x, take=take: gx.sum(gx.asarray(take(x))))(np.ones((2, 2)))


def test_what_dlpack_cannot_carry_is_an_error_of_gradx(torch):
    with pytest.raises(ShapeError, match=r"requires? grad"):
        gx.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(DTypeError, match="bfloat16"):
        gx.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(DTypeError, match="list does not know DLPack"):
        gx.from_dlpack([1.0])


def test_a_captured_value_says_what_to_do_instead():
    with pytest.raises(CaptureError, match=r"DLPack export.*gx\.where"):
        gx.capture(lambda x: gx.sum(np.from_dlpack(x)))(np.ones(2))


# einops

CALLS = {
    "rearrange": lambda e, x: e.rearrange(x, "... b (c d) -> ... (d b) c", d=2),
    "new axis": lambda e, x: e.rearrange(x, "... b c -> ... 1 c b"),
    "sum": lambda e, x: e.reduce(x, "... b c -> ... c", "sum"),
    "mean": lambda e, x: e.reduce(x, "... b (c two) -> ... b c", "mean", two=2),
    "max": lambda e, x: e.reduce(x, "... b c -> ... b", "max"),
    "min": lambda e, x: e.reduce(x, "... b c -> ... b", "min"),
    "prod": lambda e, x: e.reduce(x, "... b c -> ... b", "prod"),
    "repeat": lambda e, x: e.repeat(x, "... b c -> ... b (r c) 2", r=3),
    "list": lambda e, x: e.rearrange([x, 2 * x], "k ... c -> ... (k c)"),
    "pack": lambda e, x: e.pack([x, x[..., :1]], "b *")[0] if x.ndim == 2 else x,
    "unpack": lambda e, x: e.unpack(x, [(1,), (3,)], "b *")[1] if x.ndim == 2 else x,
}


@pytest.fixture(params=["einops", "einops.array_api"])
def einops(request):
    pytest.importorskip("einops")
    __import__("gradx.einops")
    return __import__(request.param, fromlist=["rearrange"])


@pytest.mark.parametrize("name", CALLS)
def test_einops_is_differentiated_batched_and_compiled(name, einops):
    call = lambda x: CALLS[name](einops, x)
    x = np.random.default_rng(0).normal(size=(3, 4))
    expected = CALLS[name](pytest.importorskip("einops"), x)

    gx.testing.check_derivatives(call, x, order=2)
    np.testing.assert_allclose(gx.compile(call)(x), expected, rtol=1e-12)
    np.testing.assert_allclose(gx.vmap(call)(x[None])[0], expected, rtol=1e-12)


def test_einsum_and_shapes_of_einops_take_tensors():
    einops = pytest.importorskip("einops")
    __import__("gradx.einops")

    def f(x):
        assert einops.parse_shape(x, "a b c") == {"a": 2, "b": 3, "c": 4}
        return gx.sum(einops.einsum(x, x, "a b c, a d c -> a b d"))

    np.testing.assert_allclose(gx.grad(f)(X), 2 * X.sum(1, keepdims=True).repeat(3, 1))


def test_a_mean_of_integers_is_refused_as_for_other_libraries():
    einops = pytest.importorskip("einops")
    __import__("gradx.einops")
    f = lambda x: einops.reduce(x, "a b -> a", "mean")

    with pytest.raises(NotImplementedError, match="not available for non-floating"):
        gx.vmap(f)(np.ones((1, 2, 3), dtype=int))


# Objects that hold an array of any library


COMBINED = {
    "product": lambda x, held: x * held,
    "product from the right": lambda x, held: held * x,
    "difference": lambda x, held: x - held,
    "power": lambda x, held: (1 + x * x) ** held,
    "np.multiply": lambda x, held: np.multiply(x, held),
}


class Held(np.lib.mixins.NDArrayOperatorsMixin):
    """An array in something else that computes with it, as quantities with units are."""

    def __init__(self, data):
        self.data = data

    def __array_ufunc__(self, ufunc, method, *inputs):
        return Held(ufunc(*[x.data if type(x) is Held else x for x in inputs]))


def labelled(data):
    return pytest.importorskip("xarray").DataArray(data, dims="place")


def in_metres(data):
    return pytest.importorskip("pint").UnitRegistry().Quantity(data, "m")


@pytest.mark.parametrize("combined", COMBINED.values(), ids=COMBINED)
@pytest.mark.parametrize("hold", [Held, labelled])
def test_what_holds_an_array_computes_with_a_tensor_on_either_side(combined, hold):
    x, weights = np.asarray([1.0, 2.0]), np.asarray([0.5, 3.0])
    held = hold(weights)

    def loss(x):
        out = combined(x, held)
        assert type(out) is type(held)
        return gx.sum(out.data)

    expected = gx.grad(lambda x: gx.sum(combined(x, weights)))(x)
    np.testing.assert_array_equal(gx.grad(loss)(x), expected)


def test_a_tensor_times_a_quantity_is_a_quantity():
    length = in_metres(np.asarray([0.5, 3.0]))

    def area(x):
        out = x * length * length
        assert str(out.units) == "meter ** 2"
        return gx.sum(out.magnitude)

    assert gx.grad(area)(np.ones(2)).tolist() == [0.25, 9.0]


@pytest.mark.parametrize("hold", [Held, labelled])
def test_a_tensor_holds_nothing_that_holds_an_array(hold):
    t, held = gx.tensor(np.ones(2)) * 2.0, hold(np.ones(2))

    with pytest.raises(DTypeError, match=rf"__imul__: .* cannot hold a {type(held).__name__}"):
        t *= held
