"""Optimizers and schedules beside optax's.

Where the two have other defaults, or optax takes a factor in float32, a test says which options
give the same numbers. Two differ in more than that: ``amsgrad`` takes the largest of averages
that are not corrected for their start, as published and in PyTorch, and ``rprop`` steps by the
last gradient, where optax's steps by the one before.
"""

import numpy as np
import pytest

import gradx as gx
from gradx import optim
from gradx.core import tree
from gradx.errors import ShapeError
from gradx.optim import schedules
from tests.test_optim import STEPS, assert_same_path, follow, gradients, start


@pytest.fixture
def optax():
    """Give optax, in float64."""
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield optax
    jax.config.update("jax_enable_x64", before)


def follow_optax(optimizer, params, steps=STEPS):
    state, path = optimizer.init(params), []
    for step in range(steps):
        updates, state = optimizer.update(gradients(params, step), state, params)
        params = {n: np.asarray(params[n] + updates[n]) for n in params}
        path.append(params)
    return path


def sgdw_of_optax(optax, rate, momentum, nesterov, decay):
    return optax.chain(
        optax.trace(momentum, nesterov), optax.add_decayed_weights(decay), optax.scale(-rate)
    )


def adafactor_of_optax(optax, rate):
    """Give optax's adafactor with the decay in float64 and the rate's bound of the paper."""
    jnp = pytest.importorskip("jax.numpy")
    bounded = lambda step: jnp.minimum(rate, 1 / jnp.sqrt(step + 1.0))
    return optax.chain(
        optax.scale_by_factored_rms(
            min_dim_size_to_factor=1, decay_rate_fn=lambda step, decay: 1 - (step + 1.0) ** -decay
        ),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_learning_rate(bounded, flip_sign=False),
        optax.scale_by_param_block_rms(),
        optax.scale(-1),
    )


OPTAX = {
    "lion": (lambda: optim.lion(0.03), lambda o: o.lion(0.03)),
    "lion, other": (
        lambda: optim.lion(0.03, 0.5, 0.7, 0.2),
        lambda o: o.lion(0.03, 0.5, 0.7, weight_decay=0.2),
    ),
    "lion, defaults": (lambda: optim.lion(), lambda o: o.lion(1e-4)),
    "lamb": (lambda: optim.lamb(0.03), lambda o: o.lamb(0.03)),
    "lamb, other": (
        lambda: optim.lamb(0.03, 0.5, 0.7, 1e-3, 0.2),
        lambda o: o.lamb(0.03, 0.5, 0.7, 1e-3, weight_decay=0.2),
    ),
    "sgdw": (lambda: optim.sgdw(), lambda o: sgdw_of_optax(o, 0.01, 0.9, False, 0.01)),
    "sgdw, nesterov": (
        lambda: optim.sgdw(0.03, 0.5, True, 0.2),
        lambda o: sgdw_of_optax(o, 0.03, 0.5, True, 0.2),
    ),
    "adamax": (lambda: optim.adamax(0.03), lambda o: o.adamax(0.03)),
    "adabelief": (lambda: optim.adabelief(0.03), lambda o: o.adabelief(0.03)),
    "adabelief, defaults": (lambda: optim.adabelief(), lambda o: o.adabelief(1e-3)),
    "adabelief, other": (
        lambda: optim.adabelief(0.03, 0.5, 0.7, 1e-3),
        lambda o: o.adabelief(0.03, 0.5, 0.7, 1e-3, 1e-3),
    ),
    "yogi": (lambda: optim.yogi(0.03), lambda o: o.yogi(0.03)),
    "yogi, defaults": (lambda: optim.yogi(), lambda o: o.yogi(1e-2)),
    "yogi, other": (
        lambda: optim.yogi(0.03, 0.5, 0.7, 1e-8, start=0.1),
        lambda o: o.chain(
            o.scale_by_yogi(0.5, 0.7, 1e-8, initial_accumulator_value=0.1), o.scale(-0.03)
        ),
    ),
    "lars": (lambda: optim.lars(0.03), lambda o: o.lars(0.03)),
    "lars, defaults": (lambda: optim.lars(), lambda o: o.lars(1.0)),
    "lars, other": (
        lambda: optim.lars(0.5, 0.7, True, 0.2, 0.1),
        lambda o: o.lars(0.5, 0.2, trust_coefficient=0.1, momentum=0.7, nesterov=True),
    ),
    # Options that give optax's numbers: a step below 1e-10 has nothing to do with where eps is.
    "radam": (lambda: optim.radam(0.03, eps=1e-30), lambda o: o.radam(0.03, eps=1e-30)),
    "nadam": (lambda: optim.nadam(0.03, momentum_decay=1e9), lambda o: o.nadam(0.03)),
    "adagrad": (lambda: optim.adagrad(0.03, eps=1e-30), lambda o: o.adagrad(0.03, 0.0, eps=1e-60)),
    "rmsprop": (
        lambda: optim.rmsprop(0.03, momentum=0.9, centered=True),
        lambda o: o.rmsprop(0.03, 0.99, 1e-8, eps_in_sqrt=False, momentum=0.9, centered=True),
    ),
    "adafactor": (lambda: optim.adafactor(0.3), lambda o: adafactor_of_optax(o, 0.3)),
    "accumulate": (
        lambda: optim.accumulate(optim.adam(0.03), 3),
        lambda o: o.MultiSteps(o.adam(0.03), 3, accumulator_dtype="float64"),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), OPTAX.values(), ids=OPTAX)
def test_the_trajectory_is_that_of_optax(ours, theirs, backend, optax):
    assert_same_path(follow(ours(), start(), backend), follow_optax(theirs(optax), start()))


@pytest.mark.parametrize(("name", "rate"), [("lamb", 0.03), ("lars", 0.03)])
def test_parameters_that_are_zero_move_as_those_of_optax(name, rate, backend, optax):
    zeros = {n: 0 * p for n, p in start().items()}

    actual = follow(getattr(optim, name)(rate), zeros, backend)

    assert_same_path(actual, follow_optax(getattr(optax, name)(rate), zeros))


@pytest.mark.parametrize(("every", "share"), [(5, 0.5), (1, 0.3), (3, 1.0)])
def test_lookahead_is_that_of_optax(every, share, backend, optax):
    theirs = optax.lookahead(optax.adam(0.03), every, share)
    params = optax.LookaheadParams.init_synced(start())
    state, expected = theirs.init(params), []
    for step in range(STEPS):
        updates, state = theirs.update(gradients(params.fast, step), state, params)
        params = tree.map(lambda p, u: np.asarray(p + u), params, updates)
        expected.append(params.fast)
    ours = optim.lookahead(optim.adam(0.03), every, share)

    assert_same_path(follow(ours, start(), backend), expected)


def test_the_slow_parameters_of_lookahead_are_those_it_goes_back_to():
    optimizer, params = optim.lookahead(optim.sgd(0.1, momentum=0.9), every=3), start()
    state = optimizer.init(params)
    for step in range(6):
        updates, state = optimizer.update(gradients(params, step), state, params)
        params = optim.apply_updates(params, updates)

    assert int(state.count) == 6
    for name, slow in state.slow.items():
        np.testing.assert_allclose(slow, params[name], rtol=1e-14)


@pytest.mark.parametrize("step", [0, 1, 2])
def test_lookahead_compiles(step):
    optimizer = optim.lookahead(optim.adam(0.1), every=2)
    params = start()
    state = optimizer.init(params)
    for n in range(step):
        _, state = optimizer.update(gradients(params, n), state, params)
    grads = gradients(params, step)

    expected = optimizer.update(grads, state, params)
    actual = gx.compile(optimizer.update)(grads, state, params)

    for found, wanted in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ShapeError, match=r"lookahead: share=.*above 0"):
        optim.lookahead(optim.sgd(0.1), share=share)


SCHEDULES = {
    "polynomial": (
        lambda: schedules.polynomial(0.2, 30, 3.0, 0.01),
        lambda o: o.polynomial_schedule(0.2, 0.01, 3.0, 30),
    ),
    "piecewise": (
        lambda: schedules.piecewise(0.2, {5: 0.1, 20: 3.0}),
        lambda o: o.piecewise_constant_schedule(0.2, {5: 0.1, 20: 3.0}),
    ),
    "interpolate": (
        lambda: schedules.interpolate({0: 0.2, 5: 0.02, 20: 0.06}),
        lambda o: o.piecewise_interpolate_schedule("linear", 0.2, {5: 0.1, 20: 3.0}),
    ),
    "interpolate by cosines": (
        lambda: schedules.interpolate({0: 0.2, 5: 0.02, 20: 0.06}, "cosine"),
        lambda o: o.piecewise_interpolate_schedule("cosine", 0.2, {5: 0.1, 20: 3.0}),
    ),
    "cosine": (
        lambda: schedules.cosine(0.2, 30, 0.02),
        lambda o: o.cosine_decay_schedule(0.2, 30, 0.1),
    ),
    "exponential": (
        lambda: schedules.exponential(0.2, 0.5 ** (1 / 7)),
        lambda o: o.exponential_decay(0.2, 7, 0.5),
    ),
    "staircase": (
        lambda: schedules.step(0.2, 7, 0.5),
        lambda o: o.exponential_decay(0.2, 7, 0.5, staircase=True),
    ),
    "warm up, then cosine": (
        lambda: schedules.warmup(10, schedules.cosine(0.2, 20)),
        lambda o: o.warmup_cosine_decay_schedule(0.0, 0.2, 10, 30),
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), SCHEDULES.values(), ids=SCHEDULES)
def test_rates_are_those_of_optax(ours, theirs, optax):
    expected = [float(theirs(optax)(step)) for step in range(STEPS)]

    actual = [ours()(step) for step in range(STEPS)]

    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-14)
