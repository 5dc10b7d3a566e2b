"""Steps on CUDA whose arguments are given up: updated where they lie, and never somebody else's."""

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from gradx.graph.cuda.in_place import results_in_place
from gradx.graph.cuda.lowering import lowered
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

pytestmark = needs_compiler
RULE = gx.optim.adam(0.1)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def loss(params, x):
    w, b, v = params
    return gx.mean((gx.nn.relu(x @ w + b) @ v) ** 2)


def step(params, state, x):
    value, grads = gx.value_and_grad(loss)(params, x)
    updates, state = RULE.update(grads, state, params)
    return gx.optim.apply_updates(params, updates), state, value


def start(place, seed=0):
    params = [place(drawn(*shape, seed=seed)) for shape in ((4, 5), (5,), (5, 3))]
    return params, RULE.init(params)


def trained(step, place, steps):
    params, state = start(place)
    for i in range(steps):
        params, state, value = step(params, state, place(drawn(6, 4, seed=i)))
    return params, value


def test_training_with_arguments_given_up_is_training(cuda):
    params, value = trained(gx.compile(step, donate=("params", "state")), cuda.put, 4)

    expected, expected_value = trained(step, lambda x: x, 4)
    assert_close(cuda.get(value), np.asarray(expected_value, dtype=float))
    for actual, wanted in zip(params, expected, strict=True):
        assert_close(cuda.get(actual), wanted.astype(float))


def test_parameters_and_state_stay_in_the_same_memory(cuda):
    compiled = gx.compile(step, donate=("params", "state"))
    x = cuda.put(drawn(6, 4))
    params, state, _ = compiled(*start(cuda.put), x)

    again, later, _ = compiled(params, state, x)

    assert all(one is other for one, other in zip(again, params, strict=True))
    assert all(one is other for one, other in zip(later.mean, state.mean, strict=True))
    assert all(one is other for one, other in zip(later.square, state.square, strict=True))


def test_arguments_that_are_kept_have_results_of_their_own(cuda):
    compiled = gx.compile(step)
    x = cuda.put(drawn(6, 4))
    params, state, _ = compiled(*start(cuda.put), x)
    before = [cuda.get(p).copy() for p in params]

    compiled(params, state, x)

    assert all(np.array_equal(cuda.get(p), b) for p, b in zip(params, before, strict=True))


def test_result_that_is_held_and_not_given_up_is_not_overwritten(cuda):
    compiled = gx.compile(step, donate=("params", "state"))
    x = cuda.put(drawn(6, 4))
    first, _, _ = compiled(*start(cuda.put), x)
    before = [cuda.get(p).copy() for p in first]

    other, _, _ = compiled(*start(cuda.put, seed=1), x)

    assert all(np.array_equal(cuda.get(p), b) for p, b in zip(first, before, strict=True))
    expected, _, _ = step(*start(lambda x: x, seed=1), drawn(6, 4))
    for actual, wanted in zip(other, expected, strict=True):
        assert_close(cuda.get(actual), wanted.astype(float))


def test_two_models_are_trained_in_turns(cuda):
    compiled = gx.compile(step, donate=("params", "state"))
    ours = [start(cuda.put, seed) for seed in (0, 1)]
    theirs = [start(lambda x: x, seed) for seed in (0, 1)]
    for i in range(3):
        x = drawn(6, 4, seed=i)
        ours = [compiled(*one, cuda.put(x))[:2] for one in ours]
        theirs = [step(*one, x)[:2] for one in theirs]

    for (params, _), (expected, _) in zip(ours, theirs, strict=True):
        for actual, wanted in zip(params, expected, strict=True):
            assert_close(cuda.get(actual), wanted.astype(float))


def test_view_of_a_result_keeps_it_from_being_overwritten(cuda):
    compiled = gx.compile(step, donate=("params", "state"))
    x = cuda.put(drawn(6, 4))
    row = compiled(*start(cuda.put), x)[0][0][0]
    before = cuda.get(row).copy()

    compiled(*start(cuda.put, seed=1), x)

    assert np.array_equal(cuda.get(row), before)


def test_same_array_given_up_twice_is_two(cuda):
    compiled = gx.compile(lambda p, q: (p + 1, q * 2), donate=("p", "q"))
    x = cuda.put(np.asarray([1.0, 2.0]))

    for _ in range(2):
        p, q = compiled(x, x)
        assert np.array_equal(cuda.get(p), [2, 3])
        assert np.array_equal(cuda.get(q), [2, 4])
        x = cuda.put(np.asarray([1.0, 2.0]))

    p, q = compiled(p, p)
    assert np.array_equal(cuda.get(p), [3, 4])
    assert np.array_equal(cuda.get(q), [4, 6])


def test_results_that_change_places_are_right(cuda):
    compiled = gx.compile(lambda p, q: (q + 1, p + 1), donate=("p", "q"))
    p, q = cuda.put(np.asarray([0.0, 0.0])), cuda.put(np.asarray([10.0, 20.0]))

    for _ in range(3):
        p, q = compiled(p, q)

    assert np.array_equal(cuda.get(p), [13, 23])
    assert np.array_equal(cuda.get(q), [3, 3])


CASES = {
    "an update": (lambda p: p - 0.1 * p, 1),
    "a product": (lambda p: p @ p, 0),
    "its transpose": (lambda p: p + p.mT, 0),
    "a share of its row": (lambda p: p / gx.sum(p, axis=1, keepdims=True), 0),
    "reversed": (lambda p: p + gx.flip(p, axis=0), 0),
    "read later": (lambda p: (p * 2, gx.sum(p, axis=0)), 0),
    "twice": (lambda p: (lambda out: (out, out))(p * 2), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_read_where_it_is_written_lies_in_place(name, cuda):
    function, count = CASES[name]
    graph = gx.compile(function, donate=0).graph(cuda.put(drawn(3, 3)))

    assert len(results_in_place(lowered(graph))) == count


@pytest.mark.parametrize("name", CASES)
def test_function_of_what_is_given_up_is_right(name, cuda):
    compiled = gx.compile(CASES[name][0], donate=0)

    for seed in range(3):
        out = compiled(cuda.put(drawn(3, 3, seed=seed)))
        expected = CASES[name][0](drawn(3, 3, seed=seed))
        for actual, wanted in zip(tree.leaves(out), tree.leaves(expected), strict=True):
            assert_close(cuda.get(actual), wanted.astype(float))
        del out, actual
