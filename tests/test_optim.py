"""Optimizers: the trajectories of PyTorch and of the published formulas, on any array library.

Optimizers are found among the public names of ``gradx.optim``: one that is added
is tested against its namesake in ``torch.optim``.
"""

import inspect

import numpy as np
import pytest

import gradx as gx
from gradx import optim
from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.optim import Optimizer

STEPS = 50
TORCH_NAMES = {"adagrad": "Adagrad", "adadelta": "Adadelta", "rmsprop": "RMSprop", "sgd": "SGD"}
TORCH_NAMES |= {"adam": "Adam", "adamw": "AdamW", "nadam": "NAdam", "radam": "RAdam"}
TORCH_NAMES |= {"adamax": "Adamax", "adafactor": "Adafactor", "asgd": "ASGD", "rprop": "Rprop"}
# Compared with others in test_optax.py, test_optim_oracles.py and test_optim_more.py.
ELSEWHERE = {"adabelief", "lamb", "lars", "lbfgs", "lion", "muon", "sgdw", "yogi"}

# Beside the defaults: ours, and torch's for the same.
VARIANTS = {
    "sgd": [
        ({"momentum": 0.9}, {"momentum": 0.9}),
        ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterov": True}),
        ({"momentum": 0.9, "dampening": 0.4}, {"momentum": 0.9, "dampening": 0.4}),
        ({"maximize": True}, {"maximize": True}),
        ({"momentum": 0.8, "maximize": True}, {"momentum": 0.8, "maximize": True}),
    ],
    "asgd": [({"decay": 0.3, "exponent": 0.6, "start": 7}, {"lambd": 0.3, "alpha": 0.6, "t0": 7})],
    "rprop": [
        ({"shrink": 0.7, "grow": 1.5}, {"etas": (0.7, 1.5)}),
        ({"smallest": 0.02, "largest": 0.05}, {"step_sizes": (0.02, 0.05)}),
    ],
    "rmsprop": [
        ({"momentum": 0.9}, {"momentum": 0.9}),
        ({"centered": True}, {"centered": True}),
        (
            {"momentum": 0.5, "centered": True, "alpha": 0.8},
            {"momentum": 0.5, "centered": True, "alpha": 0.8},
        ),
    ],
    "adam": [
        ({"beta1": 0.5, "beta2": 0.8, "eps": 1e-3}, {"betas": (0.5, 0.8), "eps": 1e-3}),
        ({"amsgrad": True, "beta2": 0.5}, {"amsgrad": True, "betas": (0.9, 0.5)}),
    ],
    "adamw": [
        ({"weight_decay": 0.3}, {"weight_decay": 0.3}),
        ({"amsgrad": True, "beta2": 0.5}, {"amsgrad": True, "betas": (0.9, 0.5)}),
    ],
    "adadelta": [({"rho": 0.5}, {"rho": 0.5})],
    "nadam": [
        ({"beta1": 0.5, "momentum_decay": 0.1}, {"betas": (0.5, 0.999), "momentum_decay": 0.1})
    ],
    "adamax": [({"beta1": 0.5, "beta2": 0.8}, {"betas": (0.5, 0.8)})],
    "adafactor": [
        ({"weight_decay": 0.3}, {"weight_decay": 0.3}),
        (
            {"decay": 0.5, "clip": 1.5, "eps": 0.7},
            {"beta2_decay": -0.5, "d": 1.5, "eps": (None, 0.7)},
        ),
    ],
    "radam": [({"beta2": 0.9}, {"betas": (0.9, 0.9)}), ({"beta2": 0.5}, {"betas": (0.9, 0.5)})],
}


def optimizers():
    """Return the names of the functions of ``gradx.optim`` that take a learning rate."""
    functions = {n: f for n, f in vars(optim).items() if inspect.isfunction(f)}
    return sorted(
        n for n, f in functions.items() if "learning_rate" in inspect.signature(f).parameters
    )


def variants():
    for name in TORCH_NAMES:
        for ours, theirs in [({}, {}), *VARIANTS.get(name, [])]:
            yield pytest.param(name, ours, theirs, id=f"{name}-{ours}")


every_optimizer = pytest.mark.parametrize("name", optimizers())


def placed(backend, array):
    return backend.from_numpy(np.array(array), backend.devices()[0])


def start(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {
        "weight": rng.normal(size=(3, 2)).astype(dtype),
        "bias": rng.normal(size=2).astype(dtype),
    }


def gradients(params, step):
    """Give gradients that depend on the parameters and are not smooth in time; one is zero."""
    noise = np.random.default_rng(step)
    found = {n: np.asarray(p + noise.normal(size=p.shape), p.dtype) for n, p in params.items()}
    found["bias"][0] = 0
    return found


def follow(optimizer, params, backend, steps=STEPS):
    """Return the parameters after each step, as NumPy arrays."""
    params = tree.map(lambda p: placed(backend, p), params)
    state, path = optimizer.init(params), []
    for step in range(steps):
        host = tree.map(lambda p: np.asarray(backend.to_numpy(p)), params)
        grads = tree.map(lambda g: placed(backend, g), gradients(host, step))
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        path.append(tree.map(lambda p: np.asarray(backend.to_numpy(p)), params))
    return path


@pytest.fixture
def torch():
    """Give PyTorch, with scalars of float64: NAdam keeps a product in the default dtype."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def follow_torch(torch, make, params, steps=STEPS):
    leaves = {n: torch.tensor(p) for n, p in params.items()}
    optimizer, path = make(list(leaves.values())), []
    for step in range(steps):
        for n, g in gradients({n: p.numpy() for n, p in leaves.items()}, step).items():
            leaves[n].grad = torch.tensor(g)
        optimizer.step()
        path.append({n: p.numpy().copy() for n, p in leaves.items()})
    return path


def assert_same_path(actual, expected):
    for found, wanted in zip(actual, expected, strict=True):
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-10)


def test_every_optimizer_has_a_namesake_to_be_compared_with():
    assert set(optimizers()) == set(TORCH_NAMES) | ELSEWHERE


@pytest.mark.parametrize(("name", "ours", "theirs"), list(variants()))
def test_the_trajectory_is_that_of_torch(name, ours, theirs, backend, torch):
    make = lambda leaves: getattr(torch.optim, TORCH_NAMES[name])(leaves, lr=0.03, **theirs)

    actual = follow(getattr(optim, name)(0.03, **ours), start(), backend)

    assert_same_path(actual, follow_torch(torch, make, start()))


@pytest.mark.parametrize("name", sorted(set(TORCH_NAMES) - {"sgd"}))
def test_the_defaults_are_those_of_torch(name, backend, torch):

    actual = follow(getattr(optim, name)(), start(), backend)

    assert_same_path(actual, follow_torch(torch, getattr(torch.optim, TORCH_NAMES[name]), start()))


def test_weight_decay_before_an_optimizer_is_that_of_torch(backend, torch):
    ours = optim.chain(optim.add_decayed_weights(0.1), optim.sgd(0.1, momentum=0.9))
    make = lambda leaves: torch.optim.SGD(leaves, lr=0.1, momentum=0.9, weight_decay=0.1)

    assert_same_path(follow(ours, start(), backend), follow_torch(torch, make, start()))


def test_complex_parameters_are_pairs_of_real_ones(backend, torch):
    params = {n: p + 1j * p[::-1] for n, p in start().items()}
    make = lambda leaves: torch.optim.Adam(leaves, lr=0.1)

    assert_same_path(follow(optim.adam(0.1), params, backend), follow_torch(torch, make, params))


# The published updates by hand, for where there is no torch.


def published_sgd(g, memory, step):
    return -0.1 * g


def published_momentum(g, memory, step):
    memory["v"] = 0.9 * memory.get("v", 0) + g
    return -0.1 * memory["v"]


def published_adagrad(g, memory, step):
    memory["s"] = memory.get("s", 0) + g**2
    return -0.1 * g / (np.sqrt(memory["s"]) + 1e-10)


def published_rmsprop(g, memory, step):
    memory["s"] = 0.99 * memory.get("s", 0) + 0.01 * g**2
    return -0.1 * g / (np.sqrt(memory["s"]) + 1e-8)


def published_adadelta(g, memory, step):
    memory["s"] = 0.9 * memory.get("s", 0) + 0.1 * g**2
    move = np.sqrt(memory.get("d", 0) + 1e-6) / np.sqrt(memory["s"] + 1e-6) * g
    memory["d"] = 0.9 * memory.get("d", 0) + 0.1 * move**2
    return -0.1 * move


def published_adam(g, memory, step):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    mean, square = memory["m"] / (1 - 0.9 ** (step + 1)), memory["v"] / (1 - 0.999 ** (step + 1))
    return -0.1 * mean / (np.sqrt(square) + 1e-8)


PUBLISHED = [
    (optim.sgd(0.1), published_sgd),
    (optim.sgd(0.1, momentum=0.9), published_momentum),
    (optim.adagrad(0.1), published_adagrad),
    (optim.rmsprop(0.1), published_rmsprop),
    (optim.adadelta(0.1), published_adadelta),
    (optim.adam(0.1), published_adam),
]


@pytest.mark.parametrize(
    ("optimizer", "published"), PUBLISHED, ids=lambda x: getattr(x, "__name__", "")
)
def test_the_trajectory_is_that_of_the_published_update(optimizer, published, backend):
    params, memories, expected = start(), {"weight": {}, "bias": {}}, []
    for step in range(STEPS):
        grads = gradients(params, step)
        params = {n: p + published(grads[n], memories[n], step) for n, p in params.items()}
        expected.append(params)

    assert_same_path(follow(optimizer, start(), backend), expected)


def test_decay_of_adamw_does_not_pass_through_the_averages():
    params, zeros = {"w": np.asarray([2.0])}, {"w": np.asarray([0.0])}
    optimizer = optim.adamw(0.1, weight_decay=0.5)

    updates, _ = optimizer.update(zeros, optimizer.init(params), params)

    np.testing.assert_allclose(updates["w"], -0.1 * 0.5 * 2.0)


# What holds for every optimizer.


@every_optimizer
def test_float32_parameters_and_state_stay_float32(name, backend):
    params = tree.map(lambda p: placed(backend, p), start(np.float32))
    for grad_type in (np.float32, np.float64):
        grads = tree.map(lambda p: placed(backend, p), start(grad_type))
        optimizer = getattr(optim, name)(optim.schedules.cosine(0.1, 10))
        state = optimizer.init(params)

        updates, after = optimizer.update(grads, state, params)
        moved = optim.apply_updates(params, updates)

        assert all(p.dtype == backend.xp.float32 for p in tree.leaves(moved))
        assert [s.dtype for s in tree.leaves(after)] == [s.dtype for s in tree.leaves(state)]


@every_optimizer
def test_nothing_given_is_written_or_returned(name, backend):
    params = tree.map(lambda p: placed(backend, p), start())
    grads = tree.map(lambda p: placed(backend, p), gradients(start(), 0))
    optimizer = getattr(optim, name)(0.1)
    state = optimizer.init(params)
    _, state = optimizer.update(grads, state, params)
    given = tree.leaves((params, grads, state))
    before = [np.array(backend.to_numpy(array)) for array in given]

    updates, after = optimizer.update(grads, state, params)
    moved = optim.apply_updates(params, updates)

    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(array), copy)
    made = tree.leaves((updates, after, moved))
    shared = [
        (a, b)
        for i, a in enumerate(made)
        for b in [*given, *made[:i]]
        if backend.shares_memory(a, b)
    ]
    assert not shared


@every_optimizer
def test_state_is_a_tree_of_arrays_with_the_structure_of_the_parameters(name, backend):
    params = tree.map(lambda p: placed(backend, p), start())
    optimizer = getattr(optim, name)(0.1)

    state = optimizer.init(params)
    _, after = optimizer.update(params, state, params)

    assert tree.flatten(after)[1] == tree.flatten(state)[1]
    for before, leaf in zip(tree.leaves(state), tree.leaves(after), strict=True):
        assert (before.shape, before.dtype) == (leaf.shape, leaf.dtype)
        assert backend.device_of(leaf) == backend.device_of(tree.leaves(params)[0])
    assert int(after.count) == 1


@every_optimizer
def test_a_schedule_is_asked_with_the_number_of_steps_done(name):
    asked = []
    optimizer = getattr(optim, name)(lambda step: asked.append(step) or 0.1)
    params = start()
    state = optimizer.init(params)

    for _ in range(3):
        _, state = optimizer.update(params, state, params)

    assert asked == [0, 1, 2]


@every_optimizer
def test_updates_are_differentiable(name, backend):
    xp = backend.xp
    params = placed(backend, [1.0, -2.0])
    optimizer = getattr(optim, name)(0.1)
    state = optimizer.init(params)
    _, state = optimizer.update(placed(backend, [0.5, 1.0]), state, params)

    def moved(grads):
        updates, _ = optimizer.update(grads, state, params)
        return gx.sum(updates * placed(backend, [1.0, 3.0]))

    grads, step = placed(backend, [0.7, -0.4]), 1e-5
    found = gx.grad(moved)(grads)

    for i in range(2):
        nudge = placed(backend, step * np.eye(2)[i])
        expected = (float(moved(grads + nudge)) - float(moved(grads - nudge))) / (2 * step)
        assert float(xp.asarray(found)[i]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@every_optimizer
def test_a_tracked_step_count_gives_the_same_updates(name):
    params = start()
    optimizer = getattr(optim, name)(optim.schedules.warmup(3, optim.schedules.cosine(0.1, 9)))
    state = optimizer.init(params)
    for step in range(7):
        grads = gradients(params, step)
        expected, following = optimizer.update(grads, state, params)

        def tracked(count, grads=grads, state=state):
            updates, _ = optimizer.update(grads, state._replace(count=count), params)
            return tree.map(lambda u: u + 0.0, updates)

        count = np.asarray(float(step))
        actual, _ = gx.vjp(tracked, count)

        for name_, array in expected.items():
            np.testing.assert_allclose(actual[name_], array, rtol=1e-12, atol=1e-15)
        state = following


@every_optimizer
def test_an_empty_tree_is_optimized_to_an_empty_tree(name):
    optimizer = getattr(optim, name)(0.1)

    updates, _ = optimizer.update({}, optimizer.init({}), {})

    assert optim.apply_updates({}, updates) == {}


def test_a_scalar_parameter_may_be_a_python_number():
    optimizer = optim.adam(0.5)
    state = optimizer.init({"x": 1.0})

    updates, _ = optimizer.update({"x": 2.0}, state, {"x": 1.0})

    assert float(optim.apply_updates({"x": 1.0}, updates)["x"]) == pytest.approx(0.5)


# Errors.


@every_optimizer
def test_hyper_parameters_out_of_range_are_named(name):
    make = getattr(optim, name)
    parameters = inspect.signature(make).parameters
    tried = [("learning_rate", -0.1), ("learning_rate", float("nan"))]
    tried += [(p, 1.0) for p in ("beta1", "beta2", "rho", "alpha") if p in parameters]
    tried += [(p, -1.0) for p in parameters if isinstance(parameters[p].default, float)]

    for parameter, value in tried:
        with pytest.raises(ShapeError, match=rf"{name}: {parameter}={value!r}: expected"):
            make(**{"learning_rate": 0.1} | {parameter: value})
        with pytest.raises(DTypeError, match=rf"{name}: {parameter}='1': expected a number"):
            make(**{"learning_rate": 0.1} | {parameter: "1"})


def test_nesterov_needs_momentum():
    with pytest.raises(
        ShapeError, match=r"nesterov=True needs a momentum above 0, got momentum=0\.0"
    ):
        optim.sgd(0.1, nesterov=True)


@every_optimizer
def test_another_structure_or_shape_of_gradients_is_refused(name):
    optimizer = getattr(optim, name)(0.1, **({"momentum": 0.9} if name == "sgd" else {}))
    params = {"a": np.ones(3)}
    state = optimizer.init(params)

    with pytest.raises(ShapeError, match=f"{name}: the state or parameters have another structure"):
        optimizer.update({"b": np.ones(3)}, state, params)
    with pytest.raises(
        ShapeError, match=r"a gradient of float64 \(2, 3\) for .* of float64 \(3,\)"
    ):
        optimizer.update({"a": np.ones((2, 3))}, state, params)


def test_updates_of_another_structure_or_shape_are_refused():
    with pytest.raises(ShapeError, match="apply_updates: the updates have another structure"):
        optim.apply_updates({"a": np.ones(3)}, [np.ones(3)])
    with pytest.raises(ShapeError, match=r"an update of float64 \(3, 1\) .* float64 \(3,\)"):
        optim.apply_updates({"a": np.ones(3)}, {"a": np.ones((3, 1))})


@every_optimizer
def test_integer_parameters_are_refused_by_name(name):
    with pytest.raises(DTypeError, match=rf"{name}: params\['steps'\] is int64 \(2,\)"):
        getattr(optim, name)(0.1).init({"steps": np.asarray([1, 2])})


def test_parameters_that_are_needed_and_left_out_are_asked_for():
    params = {"a": np.ones(3)}
    for optimizer in (optim.adamw(0.1), optim.add_decayed_weights(0.1)):
        with pytest.raises(DTypeError, match=r"update\(grads, state, params\)"):
            optimizer.update(params, optimizer.init(params), None)


def test_a_chain_of_something_else_is_refused():
    with pytest.raises(DTypeError, match="chain: argument 1 is a float, expected an Optimizer"):
        optim.chain(optim.sgd(0.1), 0.5)


def test_an_optimizer_is_a_pair_of_functions():
    assert isinstance(optim.sgd(0.1), Optimizer)
