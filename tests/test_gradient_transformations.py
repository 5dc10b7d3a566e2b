"""What stands before an optimizer: clipping, noise, chains."""

import numpy as np
import pytest

import gradx as gx
from gradx import optim
from tests.test_optim import placed, start
from tests.test_optim import torch as torch


def test_clipping_leaves_a_small_norm_and_scales_a_large_one(backend):
    grads = {"a": placed(backend, [3.0]), "b": placed(backend, [[4.0]])}

    for limit, expected in [(10.0, 3.0), (5.0, 3.0), (1.0, 0.6), (0.0, 0.0)]:
        clip = optim.clip_by_global_norm(limit)
        updates, _ = clip.update(grads, clip.init(grads))

        assert float(updates["a"][0]) == pytest.approx(expected)


def test_clipping_is_that_of_torch(torch):
    grads = start()
    leaves = [torch.nn.Parameter(torch.tensor(g)) for g in grads.values()]
    for leaf in leaves:
        leaf.grad = leaf.detach().clone()

    updates, _ = optim.clip_by_global_norm(0.5).update(grads, ())
    torch.nn.utils.clip_grad_norm_(leaves, 0.5)

    for leaf, update in zip(leaves, updates.values(), strict=True):
        np.testing.assert_allclose(update, leaf.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_noise_has_its_variance_at_every_step_and_is_drawn_anew(backend, dtype):
    size, variance, decay = 20_000, 0.3, 0.8
    noise = optim.add_noise(variance, key=gx.random.key(0), decay=decay)
    grads = {"a": placed(backend, np.full(size, 2, dtype)), "b": placed(backend, np.ones(2, dtype))}
    state, seen = noise.init(grads), []

    for step in range(4):
        updates, state = noise.update(grads, state)
        added = backend.to_numpy(updates["a"]) - 2
        # The variance of n squares of normal numbers is 2 / n of theirs, squared.
        expected = variance / (1 + step) ** decay
        assert abs(added.var() - expected) < 5 * expected * np.sqrt(2 / size)
        assert added.dtype == dtype
        seen += [added[:2], backend.to_numpy(updates["b"]) - 1]

    assert len({pair.tobytes() for pair in seen}) == 8


def test_noise_is_that_of_its_key():
    first, again, other = (optim.add_noise(1.0, key=gx.random.key(seed)) for seed in (0, 0, 1))

    draws = [
        noise.update(np.zeros(3), noise.init(np.zeros(3)))[0] for noise in (first, again, other)
    ]

    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_a_chain_feeds_each_transformation_the_updates_of_the_one_before():
    params = {"a": np.asarray([3.0, 4.0])}
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.5))

    updates, state = optimizer.update(params, optimizer.init(params), params)

    np.testing.assert_allclose(updates["a"], [-0.3, -0.4])
    assert int(state[1].count) == 1
