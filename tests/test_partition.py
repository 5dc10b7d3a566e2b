"""Groups of parameters with optimizers of their own: frozen ones, and decay on weights alone."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.core import tree
from gradx.errors import DTypeError, ShapeError

KEY = gx.random.key(0)


def network():
    first, second = gx.random.split(KEY)
    return nn.Sequential(
        nn.Linear(3, 4, key=first, dtype="float64"),
        nn.BatchNorm(4, dtype="float64"),
        nn.relu,
        nn.Linear(4, 1, key=second, dtype="float64"),
    )


def gradients_of(model):
    rng = np.random.default_rng(0)
    return tree.map(lambda leaf: rng.normal(size=leaf.shape), model)


def trained(optimizer, steps=3):
    model = network()
    state = optimizer.init(model)
    for _ in range(steps):
        updates, state = optimizer.update(gradients_of(model), state, model)
        model = optim.apply_updates(model, updates)
    return model


def assert_same(actual, expected):
    np.testing.assert_array_equal(actual, expected)


def test_each_group_is_trained_as_by_its_optimizer_alone():
    decaying, plain = optim.adamw(0.1, weight_decay=0.5), optim.sgd(0.1, momentum=0.9)

    found = trained(optim.partition({nn.is_weight: decaying, "*": plain}))

    for group, others in [(trained(decaying), "weight"), (trained(plain), "bias")]:
        for layer in (0, 3):
            assert_same(getattr(found[layer], others), getattr(group[layer], others))
    assert_same(found[1].weight, trained(plain)[1].weight)  # of one axis: it does not decay


def test_what_is_frozen_stays_and_takes_no_state():
    optimizer = optim.partition({"layers[0]": None, "*": optim.adam(0.1)})

    found, frozen_state = trained(optimizer), optimizer.init(network())[0]

    assert_same(found[0].weight, network()[0].weight)
    assert_same(found[0].bias, network()[0].bias)
    assert (found[3].weight != network()[3].weight).all()
    assert frozen_state == ()


def test_the_first_group_that_takes_a_parameter_has_it():
    found = trained(optim.partition({"*.bias": None, "layers[0]": optim.sgd(0.1), "*": None}))

    assert_same(found[0].bias, network()[0].bias)
    assert (found[0].weight != network()[0].weight).all()
    assert_same(found[3].weight, network()[3].weight)


def test_a_path_takes_whole_names_only():
    params = {"layer": np.ones(2), "layer10": np.ones(2)}
    optimizer = optim.partition({"['layer']": None, "*": optim.sgd(1.0)})

    updates, _ = optimizer.update(params, optimizer.init(params), params)

    assert_same(updates["layer"], np.zeros(2))
    assert_same(updates["layer10"], -np.ones(2))


def test_state_of_layers_is_left_alone():
    model = network()
    optimizer = optim.partition({"*": optim.sgd(1.0)})

    updates, _ = optimizer.update(gradients_of(model), optimizer.init(model), model)

    assert_same(updates[1].mean, np.zeros(4))
    assert (updates[1].weight != 0).all()


def test_a_transformation_of_gradients_may_be_for_some_of_them():
    decay = optim.partition({nn.is_weight: optim.add_decayed_weights(0.5), "*": optim.chain()})

    found = trained(optim.chain(decay, optim.sgd(0.1)))

    whole = optim.chain(optim.add_decayed_weights(0.5), optim.sgd(0.1))
    assert_same(found[0].weight, trained(whole)[0].weight)
    assert_same(found[0].bias, trained(optim.sgd(0.1))[0].bias)


def test_a_partition_may_be_part_of_a_partition():
    inner = optim.partition({"*.weight": optim.sgd(0.1), "*.bias": None})

    found = trained(optim.partition({"layers[0]": inner, "*": None}))

    assert_same(found[0].weight, trained(optim.sgd(0.1))[0].weight)
    assert_same(found[0].bias, network()[0].bias)
    assert_same(found[3].weight, network()[3].weight)


def test_one_array_is_a_group_by_itself():
    optimizer = optim.partition({"*": optim.sgd(0.5)})

    updates, _ = optimizer.update(np.ones(2), optimizer.init(np.ones(2)))

    assert_same(updates, [-0.5, -0.5])


def test_updates_of_a_partition_are_differentiable():
    optimizer = optim.partition({"['a']": optim.sgd(0.5), "['b']": None})

    def stepped(grads):
        updates, _ = optimizer.update(grads, optimizer.init(grads), grads)
        return gx.sum(updates["a"] ** 2) + gx.sum(updates["b"])

    found = gx.grad(stepped)({"a": np.asarray([3.0]), "b": np.asarray([1.0])})

    assert_same(found["a"], [1.5])
    assert_same(found["b"], [0.0])


def test_fit_trains_what_is_not_frozen():
    x = gx.random.normal(KEY, (32, 3))
    optimizer = optim.partition({"layers[3]": optim.adam(0.1), "*": None})

    result = gx.train.fit(
        network(), nn.mse, optimizer, (x, x[:, :1]), epochs=2, key=KEY, progress=None
    )

    assert_same(result.model[0].weight, network()[0].weight)
    assert (result.model[3].weight != network()[3].weight).all()
    assert (result.model[1].mean != 0).all()  # statistics go on, with whatever is frozen


def test_a_group_that_takes_nothing_names_what_there_is():
    for selector in ["layers[7]", "layers[0].weights", "layers[1].mean", lambda leaf: False]:
        with pytest.raises(ShapeError, match=r"takes nothing: there are layers\[0\]\.weight, "):
            optim.partition({selector: None, "*": optim.sgd(0.1)}).init(network())


def test_a_group_whose_parameters_others_have_says_so():
    optimizer = optim.partition({"*": optim.sgd(0.1), "layers[0]": None})

    with pytest.raises(ShapeError, match=r"takes only what groups before it have: layers\[0\]"):
        optimizer.init(network())


def test_all_that_is_left_may_be_nothing():
    params = {"w": np.ones((2, 2))}
    optimizer = optim.partition({nn.is_weight: optim.sgd(1.0), "*": optim.adam(0.1)})

    updates, _ = optimizer.update(params, optimizer.init(params), params)

    assert_same(updates["w"], -np.ones((2, 2)))


def test_parameters_in_no_group_are_named():
    with pytest.raises(ShapeError, match=r"no group takes layers\[0\]\.bias, layers\[1\]\.weight"):
        optim.partition({nn.is_weight: optim.sgd(0.1)}).init(network())


def test_wrong_groups_are_refused():
    for groups in [{}, [("*", optim.sgd(0.1))], {3: None}, {"*": 0.1}, {"*": optim.sgd}]:
        with pytest.raises(DTypeError, match="partition: "):
            optim.partition(groups)


def test_another_state_or_structure_is_refused():
    optimizer, params = optim.partition({"*": optim.sgd(0.1)}), {"a": np.ones(2)}

    with pytest.raises(DTypeError, match="expected the tuple of 1"):
        optimizer.update(params, (), params)
    with pytest.raises(ShapeError, match="another structure"):
        optimizer.update({"a": np.ones(2), "b": np.ones(2)}, optimizer.init(params), params)
