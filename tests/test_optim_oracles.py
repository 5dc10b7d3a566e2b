"""L-BFGS beside torch, and what is built around optimizers."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim
from gradx.core import tree
from gradx.errors import DTypeError, NonFiniteError, ShapeError
from gradx.optim import schedules
from gradx.optim.line_search import Point, strong_wolfe
from tests.test_optim import STEPS, assert_same_path, gradients, start

KEY = gx.random.key(0)


# L-BFGS.


@pytest.mark.parametrize("history", [3, 100])
def test_lbfgs_is_that_of_torch(history, backend):
    torch = pytest.importorskip("torch")
    leaves = {n: torch.tensor(p) for n, p in start().items()}
    theirs = torch.optim.LBFGS(
        leaves.values(), lr=0.1, max_iter=1, history_size=history, tolerance_grad=0
    )
    expected = []
    for step in range(STEPS):

        def closure(step=step):
            found = smooth_gradients({n: p.numpy() for n, p in leaves.items()})
            for n, g in found.items():
                leaves[n].grad = torch.tensor(g)
            return torch.tensor(0.0)

        theirs.step(closure)
        expected.append({n: p.numpy().copy() for n, p in leaves.items()})

    optimizer = optim.lbfgs(0.1, history=history)
    place = lambda array: backend.from_numpy(np.asarray(array), backend.devices()[0])
    params = tree.map(place, start())
    state, actual = optimizer.init(params), []
    for _ in range(STEPS):
        host = tree.map(lambda p: np.asarray(backend.to_numpy(p)), params)
        grads = tree.map(place, smooth_gradients(host))
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        actual.append(tree.map(lambda p: np.asarray(backend.to_numpy(p)), params))

    assert_same_path(actual, expected)


def smooth_gradients(params):
    """Give the gradient of a function with a curved valley."""
    x, y = params["weight"], params["bias"]
    scale = np.arange(1.0, 7.0).reshape(3, 2)
    return {"weight": scale * x + 0.3 * x**3 + y, "bias": 2 * y + 0.5 * np.sin(y) + x.sum(0) * 0.1}


def rosenbrock(x):
    return gx.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_minimize_finds_the_minimum_of_a_curved_valley(backend):
    x = backend.from_numpy(np.asarray([-1.2, 1.0, -0.5, 0.8]), backend.devices()[0])

    found = optim.minimize(rosenbrock, x)

    assert found.converged
    assert found.values == sorted(found.values, reverse=True)
    np.testing.assert_allclose(backend.to_numpy(found.params), 1.0, atol=1e-8)


def test_minimize_follows_torch_where_every_first_trial_holds():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), (rng.normal(size=50) > 0).astype(float)
    loss = lambda w: nn.binary_cross_entropy(x @ w, y) + 0.05 * gx.sum(w * w)
    w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [w], max_iter=1, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        logits = torch.tensor(x) @ w
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(y))
        value = value + 0.05 * (w * w).sum()
        value.backward()
        return value

    for steps in range(1, 6):
        optimizer.step(closure)
        found = optim.minimize(loss, np.zeros(4), steps=steps)
        np.testing.assert_allclose(found.params, w.detach().numpy(), rtol=1e-10, atol=1e-10)


LINES = {
    "a parabola, too short": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 0.01),
    "a parabola, too far": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3), 40.0),
    "a wall": (lambda t: 1 / (2 - t) - 4 * t if t < 2 else np.inf, None, 1.99),
    "a quartic": (lambda t: (t - 1) ** 4 - t, lambda t: 4 * (t - 1) ** 3 - 1, 5.0),
    "ripples": (lambda t: t * t / 20 - t - np.sin(3 * t) / 2, None, 12.0),
}


@pytest.mark.parametrize(("value", "slope", "first"), LINES.values(), ids=LINES)
def test_the_line_search_ends_where_the_conditions_hold(value, slope, first):
    slope = slope or (lambda t: (value(t + 1e-6) - value(t - 1e-6)) / 2e-6)
    along = lambda t: Point(t, value(t), slope(t), None)

    found = strong_wolfe(along, along(0.0), first)

    assert found.value <= value(0.0) + 1e-4 * found.size * slope(0.0)
    assert abs(found.slope) <= 0.9 * abs(slope(0.0))


def test_minimize_ends_where_nothing_is_left_to_do():
    flat = optim.minimize(lambda x: gx.sum(x * x), np.zeros(2))
    none = optim.minimize(rosenbrock, np.asarray([-1.2, 1.0]), steps=0)

    assert (flat.converged, flat.values) == (True, [0.0])
    assert (none.converged, len(none.values)) == (False, 1)
    with pytest.raises(NonFiniteError, match="at the start the function is inf"):
        optim.minimize(lambda x: gx.sum(x), np.asarray([np.inf]))


# Around an optimizer.


def test_averaged_weights_are_those_of_torch(backend):
    torch = pytest.importorskip("torch")
    optimizer = optim.averaged(optim.sgd(0.1), decay=0.8)
    params = tree.map(lambda p: backend.from_numpy(p, backend.devices()[0]), start())
    module = torch.nn.ParameterDict({n: torch.tensor(p) for n, p in start().items()})
    swa = torch.optim.swa_utils
    theirs = swa.AveragedModel(module, multi_avg_fn=swa.get_ema_multi_avg_fn(0.8))
    theirs.update_parameters(module)  # the first only copies
    state = optimizer.init(params)

    for _ in range(STEPS):
        updates, state = optimizer.update(params, state, params)
        params = optim.apply_updates(params, updates)
        for n, p in params.items():
            module[n].data = torch.tensor(backend.to_numpy(p))
        theirs.update_parameters(module)

    for n, mean in state.mean.items():
        expected = theirs.module[n].detach().numpy()
        np.testing.assert_allclose(backend.to_numpy(mean), expected, rtol=1e-10)


def test_fit_averages_weights():
    x = np.random.default_rng(0).normal(size=(64, 2))
    y = x @ np.asarray([[1.0], [2.0]])
    model = nn.Linear(2, 1, key=KEY, dtype="float64")

    result = gx.train.fit(
        model,
        nn.mse,
        optim.averaged(optim.adam(0.05), decay=0.9),
        (x, y),
        epochs=100,
        key=KEY,
        progress=None,
    )

    mean = result.optimizer_state.mean
    assert isinstance(mean, nn.Linear)
    assert not np.array_equal(mean.weight, result.model.weight)
    np.testing.assert_allclose(mean.weight[:, 0], [1, 2], rtol=0.05)


def test_accumulation_is_a_step_on_the_batches_together():
    x = np.random.default_rng(0).normal(size=(8, 2))
    y = x[:, 0] ** 2
    loss = lambda w, rows: gx.mean((x[rows] @ w - y[rows]) ** 2)
    both, parts = np.zeros(2), np.zeros(2)
    whole, accumulated = optim.adam(0.1), optim.accumulate(optim.adam(0.1), every=4)
    state, inner = whole.init(both), accumulated.init(parts)

    for _ in range(3):
        updates, state = whole.update(gx.grad(loss)(both, slice(None)), state, both)
        both = both + updates
        for start_ in range(0, 8, 2):
            grads = gx.grad(loss)(parts, slice(start_, start_ + 2))
            updates, inner = accumulated.update(grads, inner, parts)
            parts = parts + updates

    np.testing.assert_allclose(parts, both, rtol=1e-12)
    assert (int(inner.count), int(inner.inner.count)) == (12, 3)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_tracked_count_accumulates_the_same(step):
    optimizer = optim.accumulate(optim.adam(0.1), every=2)
    params = start()
    state = optimizer.init(params)
    for n in range(step):
        _, state = optimizer.update(gradients(params, n), state, params)
    grads = gradients(params, step)

    expected = optimizer.update(grads, state, params)
    actual, _ = gx.vjp(
        lambda count: tree.map(
            lambda u: u + 0.0, optimizer.update(grads, state._replace(count=count), params)
        ),
        np.asarray(float(step)),
    )

    for found, wanted in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "make", [optim.averaged, lambda o: optim.accumulate(o, 2), lambda o: optim.lookahead(o, 2)]
)
def test_nothing_given_is_written_or_returned(make):
    optimizer, params = make(optim.adam(0.1)), start()
    grads, state = gradients(params, 0), optimizer.init(params)
    for _ in range(3):
        given = tree.leaves((params, grads, state))
        before = [np.array(array) for array in given]

        updates, state = optimizer.update(grads, state, params)

        for array, copy in zip(given, before, strict=True):
            np.testing.assert_array_equal(array, copy)
        made = tree.leaves((updates, state))
        assert not [1 for a in made for b in given if np.shares_memory(a, b)]


def test_a_sharpness_aware_gradient_is_taken_uphill():
    torch = pytest.importorskip("torch")
    params, rho = start(), 0.3
    loss = lambda p, xp: xp.sum(xp.sin(p["weight"])) + xp.sum(p["bias"] ** 4)

    value, gradient = optim.sharpness_aware(lambda p: loss(p, gx), rho)(params)

    leaves = {n: torch.tensor(p, requires_grad=True) for n, p in params.items()}
    loss(leaves, torch).backward()
    norm = torch.sqrt(sum((p.grad**2).sum() for p in leaves.values()))
    moved = {n: (p.detach() + rho * p.grad / norm).requires_grad_() for n, p in leaves.items()}
    loss(moved, torch).backward()
    assert float(value) == pytest.approx(loss(leaves, torch).item())
    for n, p in moved.items():
        np.testing.assert_allclose(gradient[n], p.grad.numpy(), rtol=1e-10)


def test_a_sharpness_aware_gradient_at_a_flat_place_is_zero_and_keeps_what_is_beside():
    function = lambda x: (gx.sum(x**4), "seen")

    (value, aux), gradient = optim.sharpness_aware(function, has_aux=True)(np.zeros(2))

    assert (float(value), aux) == (0.0, "seen")
    np.testing.assert_array_equal(gradient, 0)


def test_factored_averages_are_small():
    params = np.ones((50, 30))
    state = optim.adafactor().init({"a": params, "b": np.ones(3)})

    assert sum(leaf.size for leaf in tree.leaves(state)) == 50 + 30 + 3 + 1


CASES = {
    "complex adafactor": (
        lambda: optim.adafactor().init(np.ones(2) + 1j),
        DTypeError,
        "adafactor: a parameter is complex128",
    ),
    "complex lbfgs": (lambda: optim.lbfgs().init(np.ones(2) * 1j), DTypeError, "expected real"),
    "no history": (lambda: optim.lbfgs(history=0), ShapeError, "history=0, expected 1 or more"),
    "sgdw": (lambda: optim.sgdw(0.1, 0.0, True), ShapeError, "nesterov=True needs a momentum"),
    "accumulating a number": (lambda: optim.accumulate(3, 2), DTypeError, "3, expected an Opt"),
    "none at a time": (lambda: optim.accumulate(optim.sgd(1.0), 0), ShapeError, "every=0"),
    "averaging a number": (lambda: optim.averaged(3), DTypeError, "3, expected an Optimizer"),
    "decay": (lambda: optim.averaged(optim.sgd(1.0), 1.0), ShapeError, r"decay=1\.0"),
    "sharpness of a number": (lambda: optim.sharpness_aware(3), DTypeError, "3, expected a func"),
    "rho": (lambda: optim.sharpness_aware(abs, -1.0), ShapeError, r"rho=-1\.0"),
    "minimum of a number": (lambda: optim.minimize(3, 1.0), DTypeError, "3, expected a function"),
    "restarts": (lambda: schedules.cosine_restarts(1.0, 0), ShapeError, "steps=0"),
    "cyclic": (lambda: schedules.cyclic(0.0, 1.0, 0), ShapeError, "up=0"),
    "one cycle": (lambda: schedules.one_cycle(1.0, 10, 2.0), ShapeError, r"rising=2\.0"),
    "pieces": (lambda: schedules.piecewise(1.0, [1]), DTypeError, "expected a mapping"),
    "a step": (lambda: schedules.piecewise(1.0, {-1: 0.1}), ShapeError, "a step is -1"),
    "shape": (lambda: schedules.interpolate({0: 1.0}, "cubic"), ShapeError, "shape='cubic'"),
    "power": (lambda: schedules.polynomial(1.0, 3, -1.0), ShapeError, r"power=-1\.0"),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_wrong_use_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
