"""Modules as trees, layers and what they say when they are misused."""

import inspect
from dataclasses import fields
from functools import partial

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim, random
from gradx.core import tree
from gradx.device import to_device
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.nn import init

KEY = random.key(0)


def placed(backend, array):
    return backend.from_numpy(np.array(array), backend.devices()[0])


def linear(inputs, outputs, seed=0, **options):
    return nn.Linear(inputs, outputs, key=random.key(seed), **options)


class Scale(nn.Module):
    factor: object
    power: int = nn.static(1)

    def __call__(self, x):
        return x * self.factor


class Residual(nn.Module):
    inner: object
    others: dict

    def __call__(self, x):
        return x + self.others["second"][0](self.inner(x))


# Trees.


def test_fields_are_children_and_static_fields_are_not():
    scale = Scale(np.asarray([2.0]), power=3)

    leaves, structure = tree.flatten(scale)
    rebuilt = tree.unflatten(structure, leaves)

    assert leaves == [scale.factor]
    assert tree.paths(scale) == [".factor"]
    assert (rebuilt.factor is scale.factor, rebuilt.power) == (True, 3)
    assert structure != tree.flatten(Scale(np.asarray([2.0]), power=4))[1]


def test_a_tree_is_rebuilt_with_anything_and_without_init():
    layer = linear(3, 2)

    assert tree.map(lambda leaf: None, layer).weight is None
    assert tree.map(lambda leaf: "text", layer).bias == "text"


def test_the_gradient_of_a_model_is_a_model(backend):
    device = backend.devices()[0]
    model = nn.Sequential(
        linear(3, 4, device=device), nn.relu, linear(4, 1, 1, device=device, bias=False)
    )
    x = placed(backend, np.ones((5, 3), np.float32))

    gradient = gx.grad(lambda m: gx.sum(m(x)))(model)

    assert isinstance(gradient, nn.Sequential)
    assert gradient[1] is nn.relu
    assert gradient[2].bias is None
    hidden = np.maximum(backend.to_numpy(model[:2](x)), 0)
    np.testing.assert_allclose(backend.to_numpy(gradient[2].weight)[:, 0], hidden.sum(0), rtol=1e-5)


def test_a_model_is_trained_by_an_optimizer(backend):
    device = backend.devices()[0]
    model = nn.Sequential(linear(2, 8, device=device), nn.tanh, linear(8, 1, 1, device=device))
    x = random.normal(KEY, (64, 2), dtype="float32", device=device)
    y = x[:, :1] * x[:, 1:]
    optimizer = optim.adam(0.03)
    state, losses = optimizer.init(model), []

    for _ in range(150):
        loss, grads = gx.value_and_grad(lambda m: nn.mse(m(x), y))(model)
        updates, state = optimizer.update(grads, state, model)
        model = optim.apply_updates(model, updates)
        losses.append(float(loss))

    assert losses[-1] < 0.1 * losses[0]


def test_a_module_moves_between_devices():
    array_api_strict = pytest.importorskip("array_api_strict")

    moved = to_device(nn.Sequential(linear(3, 2), nn.relu), "strict")

    assert type(moved[0].weight) is type(array_api_strict.asarray(0))


# Frozen.


def test_a_module_is_changed_by_replace_only():
    scale = Scale(np.asarray(1.0))

    changed = scale.replace(power=2)

    assert (scale.power, changed.power, changed.factor is scale.factor) == (1, 2, True)
    with pytest.raises(
        DTypeError, match=r"Scale\.power cannot be changed: model\.replace\(power=\.\.\.\)"
    ):
        scale.power = 2
    with pytest.raises(DTypeError, match=r"Scale\.factor cannot be deleted"):
        del scale.factor
    with pytest.raises(DTypeError, match="Scale has no field 'scale': it has factor, power"):
        scale.replace(scale=2)


def test_init_sets_declared_fields_and_all_of_them():
    class Wrong(nn.Module):
        weight: object

        def __init__(self, name):
            setattr(self, name, 1.0)

    class Empty(nn.Module):
        weight: object

        def __init__(self):
            pass

    with pytest.raises(DTypeError, match="Wrong has no field 'width': it has weight"):
        Wrong("width")
    with pytest.raises(DTypeError, match=r"Empty\.__init__ did not set 'weight'"):
        tree.leaves(Empty())


def test_a_subclass_keeps_the_constructor_it_inherits():
    class Doubled(nn.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    layer = Doubled(3, 2, key=KEY)

    assert layer.weight.shape == (3, 2)
    assert [f.name for f in fields(layer)] == ["weight", "bias"]
    with pytest.raises(ShapeError) as caught:
        nn.Sequential(layer)(np.ones((1, 4)))
    assert str(caught.value).endswith("got (1, 4), in layers[0] (Doubled)")


# Repr.


def test_the_repr_shows_arrays_by_dtype_and_shape():
    assert repr(linear(3, 2)) == "Linear(weight=float32 (3, 2), bias=float32 (2,))"
    assert repr(linear(3, 2, bias=False)) == "Linear(weight=float32 (3, 2), bias=None)"
    assert (
        repr(Residual([np.zeros(2)], {"a": (1,)}))
        == "Residual(inner=[float64 (2,)], others={'a': (1,)})"
    )


def test_the_repr_of_a_long_model_is_indented():
    model = nn.Sequential(
        linear(3, 2), nn.relu, nn.Sequential(nn.Dropout(0.5), linear(2, 2)), nn.Flatten()
    )

    assert repr(model).splitlines() == [
        "Sequential(",
        "    Linear(weight=float32 (3, 2), bias=float32 (2,)),",
        "    relu,",
        "    Sequential(Dropout(rate=0.5), Linear(weight=float32 (2, 2), bias=float32 (2,))),",
        "    Flatten(),",
        ")",
    ]


# Linear.


def test_linear_is_a_product_and_a_sum(backend):
    layer = linear(3, 2, device=backend.devices()[0], bias_init=init.ones, dtype="float64")
    x = np.arange(12.0).reshape(2, 2, 3)

    out = layer(placed(backend, x))

    expected = x @ backend.to_numpy(layer.weight) + 1
    np.testing.assert_allclose(backend.to_numpy(out), expected)
    assert layer.weight.dtype == backend.xp.float64


def test_linear_is_float32_unless_told_otherwise():
    assert {leaf.dtype for leaf in tree.leaves(linear(3, 2))} == {np.dtype("float32")}


def test_linear_takes_the_place_that_is_named(backend):
    device = backend.devices()[-1]

    layer = linear(3, 2, device=device)

    assert {backend.device_of(leaf) for leaf in tree.leaves(layer)} == {device}


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (0, ShapeError, "Linear: inputs=0, expected 1 or more"),
        (2.0, DTypeError, r"Linear: inputs=2\.0, expected an integer"),
        (True, DTypeError, "Linear: inputs=True, expected an integer"),
    ],
)
def test_linear_refuses_what_is_no_width(inputs, error, message):
    with pytest.raises(error, match=message):
        nn.Linear(inputs, 2, key=KEY)


def test_linear_refuses_another_width():
    with pytest.raises(ShapeError) as caught:
        linear(784, 10)(np.ones((128, 783), np.float32))

    assert str(caught.value) == "Linear: expected (..., 784), got (128, 783)"


# Where errors were.


def test_errors_name_the_layer():
    model = nn.Sequential(nn.relu, linear(784, 10))

    with pytest.raises(ShapeError) as caught:
        model(np.ones((128, 783), np.float32))

    assert str(caught.value) == "Linear: expected (..., 784), got (128, 783), in layers[1] (Linear)"


def test_errors_name_the_path_through_nested_models():
    inner = Residual(linear(3, 3), {"second": [nn.Sequential(nn.relu, linear(4, 3))]})
    model = nn.Sequential(linear(3, 3), inner)

    with pytest.raises(ShapeError) as caught:
        model(np.ones((1, 3), np.float32))

    path = "layers[1].others['second'][0].layers[1] (Linear)"
    assert str(caught.value) == f"Linear: expected (..., 4), got (1, 3), in {path}"


def test_errors_of_ops_name_the_layer_too():
    model = nn.Sequential(Scale(np.ones(3)))

    with pytest.raises(ShapeError, match=r"multiply.*, in layers\[0\] \(Scale\)$"):
        gx.grad(lambda m: gx.sum(m(np.ones(2))))(model)


def test_the_path_is_the_same_while_differentiating():
    model = nn.Sequential(nn.relu, nn.Sequential(linear(4, 1)))

    with pytest.raises(ShapeError, match=r", in layers\[1\]\.layers\[0\] \(Linear\)$"):
        gx.grad(lambda m: gx.sum(m(np.ones((1, 3), np.float32))))(model)


# Sequential.


def test_layers_are_counted_indexed_cut_and_listed():
    first, last = linear(3, 4), linear(4, 2)
    model = nn.Sequential(first, nn.relu, last)

    assert len(model) == 3
    assert (model[0], model[1], model[-1]) == (first, nn.relu, last)
    assert list(model) == [first, nn.relu, last]
    assert isinstance(model[1:], nn.Sequential)
    assert list(model[1:]) == [nn.relu, last]
    assert list(nn.Sequential(*model[:2], last)) == list(model)


def test_a_part_is_swapped_and_the_others_are_kept():
    model = nn.Sequential(linear(3, 4), nn.relu, linear(4, 2))

    swapped = model.put(1, nn.tanh).put(-1, linear(4, 5, 7))

    assert [len(list(model)), model[1], swapped[1]] == [3, nn.relu, nn.tanh]
    assert swapped[0] is model[0]
    assert swapped(np.ones((1, 3), np.float32)).shape == (1, 5)


def test_what_is_no_layer_or_no_index_is_refused():
    model = nn.Sequential(nn.relu)

    with pytest.raises(DTypeError, match=r"layers\[1\] is 3, expected a module or a function"):
        nn.Sequential(nn.relu, 3)
    with pytest.raises(DTypeError, match=r"layers\[0\] is .*Linear.*, expected a module"):
        nn.Sequential(nn.Linear)
    with pytest.raises(OutOfBoundsError, match="index 1, but it has 1 layers"):
        model[1]
    with pytest.raises(DTypeError, match="expected an integer or a slice, got 'relu'"):
        model["relu"]


def test_key_and_train_reach_the_layers_that_take_them():
    seen = []

    def takes_both(x, *, key, train):
        seen.append((None if key is None else key.tolist(), train))
        return x

    def takes_train(x, train=False):
        seen.append(train)
        return x

    model = nn.Sequential(
        takes_both, nn.relu, np.tanh, partial(nn.softmax, axis=0), nn.Sequential(takes_train)
    )

    model(np.ones(2), key=KEY, train=True)
    model(np.ones(2))

    assert seen == [(random.fold_in(KEY, 0).tolist(), True), True, (None, False), False]


def test_each_layer_has_a_key_of_its_own():
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    x = np.ones(10_000)

    both = model(x, key=KEY, train=True)

    assert np.mean(both > 0) == pytest.approx(0.25, abs=0.03)


# Flatten.


def test_glu_gates_one_half_by_the_other():
    x = np.random.default_rng(0).normal(size=(3, 4, 2))

    np.testing.assert_array_equal(nn.glu(x, axis=1), x[:, :2] * nn.sigmoid(x[:, 2:]))
    with pytest.raises(ShapeError, match="glu: 3 elements along axis 0, expected an even number"):
        nn.glu(x, axis=0)
    with pytest.raises(IndexError, match="glu: axis 3 is out of bounds for 3 dimensions"):
        nn.glu(x, axis=3)


def test_flatten_keeps_samples():
    assert nn.Flatten()(np.ones((5, 2, 3))).shape == (5, 6)
    assert nn.Flatten()(np.ones((0, 2, 3))).shape == (0, 6)
    with pytest.raises(ShapeError, match=r"Flatten: expected \(samples, \.\.\.\), got \(\)"):
        nn.Flatten()(np.asarray(1.0))


# Initial values.

INITIALIZERS = [name for name, f in vars(init).items() if inspect.isfunction(f) and name[0] != "_"]
INITIALIZERS = [name for name in INITIALIZERS if vars(init)[name].__module__ == init.__name__]
VARIANCES = {
    "zeros": 0,
    "ones": 0,
    "constant": 0,
    "uniform": 0.1**2 / 12,
    "normal": 0.05**2,
    "glorot_uniform": 2 / (300 + 200),
    "glorot_normal": 2 / (300 + 200),
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_normal": 1 / 300,
    "orthogonal": 1 / 300,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_values_have_the_stated_variance(name, backend):
    function = partial(init.constant, value=0.5) if name == "constant" else getattr(init, name)

    array = function(KEY, (300, 200), device=backend.devices()[-1])

    assert (array.shape, array.dtype == backend.xp.float32) == ((300, 200), True)
    assert backend.device_of(array) == backend.devices()[-1]
    values = backend.to_numpy(array)
    assert values.var() == pytest.approx(VARIANCES[name], rel=0.02, abs=1e-12)
    assert values.mean() == pytest.approx({"ones": 1, "constant": 0.5}.get(name, 0), abs=2e-3)


def test_fans_of_a_kernel_count_its_places():
    kernel = init.he_normal(KEY, (5, 5, 40, 60), dtype="float64")

    assert kernel.var() == pytest.approx(2 / (5 * 5 * 40), rel=0.02)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 3, 4)])
def test_orthogonal_matrices_are_orthogonal(shape, backend):
    array = init.orthogonal(KEY, shape, gain=2.0, dtype="float64", device=backend.devices()[0])

    matrix = backend.to_numpy(array).reshape(-1, shape[-1])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(min(matrix.shape)), atol=1e-12)


def test_shapes_without_inputs_and_outputs_are_refused():
    for shape in [(3,), (0, 2), 3]:
        with pytest.raises(ShapeError, match="he_normal: expected a shape of two or more axes"):
            init.he_normal(KEY, shape)
