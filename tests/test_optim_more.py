"""Optimizers whose state is more than averages: ASGD, Muon and Rprop; arrays of no elements."""

import numpy as np
import pytest

from gradx import optim
from gradx.core import tree
from tests.test_optim import (
    STEPS,
    assert_same_path,
    every_optimizer,
    follow,
    gradients,
    placed,
    start,
)


@pytest.mark.parametrize("start_at", [0, 7])
def test_the_average_of_asgd_is_that_of_torch(start_at, request):
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    request.addfinalizer(lambda: torch.set_default_dtype(before))
    torch.set_default_dtype(torch.float64)  # of the shares of steps
    optimizer, params = optim.asgd(0.1, decay=0.2, start=start_at), start()
    leaves = {n: torch.tensor(p) for n, p in params.items()}
    theirs = torch.optim.ASGD(list(leaves.values()), lr=0.1, lambd=0.2, t0=start_at)
    state = optimizer.init(params)

    for step in range(STEPS):
        grads = gradients(params, step)
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        for n, p in leaves.items():
            p.grad = torch.tensor(grads[n])
        theirs.step()
        for n, p in leaves.items():
            average = theirs.state[p]["ax"].numpy()
            np.testing.assert_allclose(state.mean[n], average, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2), (2, 5), (4, 4)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_that_of_torch_in_double_precision_and_adamw_beside_it(
    shape, nesterov, monkeypatch, backend
):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.double().clone())  # as it iterates
    params = start() | {"weight": np.random.default_rng(3).normal(size=shape)}
    options = {"lr": 0.03, "weight_decay": 0.2}
    leaves = {n: torch.tensor(p) for n, p in params.items()}
    theirs = [
        torch.optim.Muon(
            [leaves["weight"]],
            momentum=0.8,
            nesterov=nesterov,
            adjust_lr_fn="match_rms_adamw",
            **options,
        ),
        torch.optim.AdamW([leaves["bias"]], betas=(0.7, 0.9), eps=1e-3, **options),
    ]
    expected = []
    for step in range(STEPS):
        for n, g in gradients({n: p.numpy() for n, p in leaves.items()}, step).items():
            leaves[n].grad = torch.tensor(g)
        for optimizer in theirs:
            optimizer.step()
        expected.append({n: p.numpy().copy() for n, p in leaves.items()})

    actual = follow(optim.muon(0.03, 0.8, nesterov, 0.2, 0.7, 0.9, 1e-3), params, backend)

    assert_same_path(actual, expected)


def test_steps_of_muon_have_singular_values_near_one_and_keep_no_squares():
    x = np.random.default_rng(0).normal(size=(5, 8))
    x[0] *= 1000
    optimizer = optim.muon(1.0, weight_decay=0.0)
    state = optimizer.init({"w": x, "b": x[0]})

    updates, state = optimizer.update({"w": x, "b": x[0]}, state, {"w": x, "b": x[0]})

    values = np.linalg.svd(updates["w"] / (0.2 * np.sqrt(8)), compute_uv=False)
    assert 0.3 < values.min() < values.max() < 1.3
    assert (state.square["w"].size, state.square["b"].size) == (0, 8)


def test_rprop_finds_a_narrow_minimum_and_its_sizes_stay_in_bounds():
    optimizer, x = optim.rprop(0.1, smallest=1e-5, largest=0.5), np.asarray([3.0, -2.0])
    state = optimizer.init(x)

    for _ in range(200):
        updates, state = optimizer.update(x * np.asarray([1.0, 1e6]), state, x)
        x = x + updates
        assert np.all((state.size >= 1e-5) & (state.size <= 0.5))

    np.testing.assert_allclose(x, 0, atol=1e-3)


@every_optimizer
def test_parameters_and_gradients_of_zero_or_no_elements_stay_finite(name, backend):
    shapes = {"matrix": (3, 2), "row": (1, 2), "none": (0, 2), "nothing": (2, 0), "empty": (0,)}
    params = {n: placed(backend, np.zeros(shape)) for n, shape in shapes.items()}
    optimizer = getattr(optim, name)(0.1)
    state, moved = optimizer.init(params), params

    for _ in range(3):
        updates, state = optimizer.update(params, state, moved)
        moved = optim.apply_updates(moved, updates)

    for leaf in tree.leaves((moved, state)):
        assert np.isfinite(backend.to_numpy(leaf)).all()
    assert [p.shape for p in tree.leaves(moved)] == [p.shape for p in tree.leaves(params)]


def test_a_norm_of_halves_does_not_overflow_before_it_is_too_large_for_them():
    grads = {"a": np.full(100, 60.0, np.float16)}

    norm = optim.global_norm(grads)
    clipped, _ = optim.clip_by_global_norm(1.0).update(grads, (), None)

    assert (float(norm), norm.dtype) == (600.0, np.float16)
    np.testing.assert_allclose(clipped["a"], 0.1, rtol=1e-3)
