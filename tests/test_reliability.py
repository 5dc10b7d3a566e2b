"""Depth, memory, ownership, threads: what must hold in a long-running program."""

import gc
import os
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import gradx as gx


def chained(length):
    def f(x):
        for _ in range(length):
            x = x + 1.0
        return x

    return f


def test_300_000_chained_ops_differentiate_without_recursion():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(220)
    try:
        gradient = gx.grad(chained(300_000))(np.asarray(1.0))
    finally:
        sys.setrecursionlimit(limit)

    assert gradient == 1


DEEP = {
    "grad": lambda f, x: gx.grad(f)(x),
    "jvp": lambda f, x: gx.jvp(f, (x,), (x,))[1],
    "hvp": lambda f, x: 1.0 + gx.hvp(f, (x,), (x,)),
    "gradient of a gradient": lambda f, x: 1.0 + gx.grad(gx.grad(f))(x),
    "linearize": lambda f, x: gx.linearize(f, x)[1](x),
    "checkpoint": lambda f, x: gx.grad(gx.checkpoint(f))(x),
    "many checkpoints": lambda f, x: gx.grad(many_checkpoints)(x),
    "vmap": lambda f, x: gx.vmap(gx.grad(f))(x[None])[0],
}


def many_checkpoints(x):
    for _ in range(5_000):
        x = gx.checkpoint(gx.positive)(x)
    return x


@pytest.mark.parametrize("derivative", DEEP.values(), ids=DEEP)
def test_deep_programs_need_no_recursion_in_any_transform(derivative):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(220)
    try:
        assert derivative(chained(5_000), np.asarray(1.0)) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_a_long_graph_is_dropped_unused_without_recursion():
    x = gx.tensor(1.0)
    for _ in range(200_000):
        x = x * 1.0
    del x
    gc.collect()


def test_a_long_chain_of_views_is_written_and_dropped_without_recursion():
    x = gx.tensor([1.0, 2.0]) * 1.0
    view = x
    for _ in range(2_000):
        view = view[::-1]
    view[0] = 5.0

    np.testing.assert_array_equal(x.detach(), [5.0, 2.0])


def test_memory_is_flat_over_10_000_steps():
    x = np.ones(50)
    f = gx.value_and_grad(lambda x: gx.sum(gx.sin(x) * x))
    for _ in range(100):
        f(x)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    for _ in range(10_000):
        f(x)
    gc.collect()

    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def explored(f):
    def run(x):
        leaf = gx.tensor(x)
        f(leaf).backward()
        return leaf.grad

    return run


WAYS = {
    "value_and_grad": gx.value_and_grad,
    "gx.tensor": explored,
    "vjp": lambda f: lambda x: gx.vjp(f, x)[1](1.0),
    "jvp": lambda f: lambda x: gx.jvp(f, (x,), (x,)),
    "linearize": lambda f: lambda x: gx.linearize(f, x)[1](x),
    "hvp": lambda f: lambda x: gx.hvp(f, (x,), (x,)),
    "vmap": lambda f: lambda x: gx.vmap(f)(x[None]),
    "checkpoint": lambda f: gx.grad(gx.checkpoint(f)),
}


def smooth(x):
    y = gx.sin(x) * gx.exp(x)
    y[0] = 1.0
    return gx.sum(y)


def failing(x):
    smooth(x)
    raise KeyError("as a user's function may")


def quietly(run):
    def attempt(x):
        with pytest.raises(KeyError):
            run(x)

    return attempt


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("fails", [False, True])
def test_300_calls_without_the_collector_leave_nothing(way, fails):
    x = np.ones(10_000)
    run = quietly(way(failing)) if fails else way(smooth)
    run(x)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            run(x)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()

    assert grown < 10 * x.nbytes  # and 300 or more were made; Python keeps small objects to reuse


def test_saved_values_are_freed_while_walking_back():
    x = np.ones(1_000_000)
    f = gx.grad(lambda x: gx.sum(gx.sin(gx.sin(gx.sin(gx.sin(x))))))
    tracemalloc.start()
    f(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # Four inputs of sin, of which one is x itself; two temporaries of a rule; the cotangent.
    assert peak <= 8.5 * x.nbytes


def test_saved_values_are_freed_while_walking_back_through_a_choice():
    size = 1_000_000
    chosen = np.arange(size) % 2 == 0
    weights = [np.ones(size) for _ in range(6)]

    def through(choice, weights):
        h = chosen * 1.0
        for w in weights:
            h = gx.sin(h * w)
        return gx.sum(choice(h))

    peaks = []
    for choice in [lambda h: h * 1.0, lambda h: gx.where(chosen, h, 0.0)]:
        tracemalloc.start()
        gx.grad(lambda weights, choice=choice: through(choice, weights))(weights)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] <= peaks[0] + weights[0].nbytes  # kept to the end, it would be 5 of them


def test_exceptions_do_not_leak():
    def failing(x):
        raise ValueError(gx.sum(x * x).shape)

    x = np.ones(100_000)
    for _ in range(3):
        with pytest.raises(ValueError):
            gx.grad(failing)(x)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(50):
        with pytest.raises(ValueError):
            gx.grad(failing)(x)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < x.nbytes / 2


IDENTITIES = {
    "sum": lambda x, y: gx.sum(x) + gx.sum(y),
    "addition": lambda x, y: gx.sum(x + y),
    "concatenation": lambda x, y: gx.sum(gx.concat([x, y])),
}


@pytest.mark.parametrize("f", IDENTITIES.values(), ids=IDENTITIES)
def test_gradients_share_no_memory_and_are_writeable(f):
    x, y = np.ones(3), np.ones(3)

    a, b = gx.grad(f, argnums=(0, 1))(x, y)

    arrays = [x, y, a, b]
    for i, first in enumerate(arrays):
        assert first.flags.writeable
        assert not any(np.shares_memory(first, second) for second in arrays[i + 1 :])


def test_a_cotangent_is_never_returned_as_it_is():
    cotangent = np.ones(3)
    _, pullback = gx.vjp(lambda x, y: x + y, np.ones(3), np.ones(3))

    a, b = pullback(cotangent)

    assert not np.shares_memory(a, cotangent)
    assert not np.shares_memory(b, cotangent)
    assert not np.shares_memory(a, b)


def test_a_tangent_is_never_returned_as_it_is():
    tangent = np.ones(3)

    out, moved = gx.jvp(lambda x: x, (np.zeros(3),), (tangent,))

    assert not np.shares_memory(moved, tangent)
    assert not np.shares_memory(out, moved)


def test_pulling_back_ignores_what_the_caller_overwrote():
    x = np.asarray([1.0, 2.0])
    out, pullback = gx.vjp(lambda x: gx.exp(x) * x, x)
    expected = np.exp(x) * (1 + x)
    out *= 0
    x *= 0

    np.testing.assert_allclose(pullback(np.ones(2))[0], expected)


def test_pulling_back_ignores_what_the_caller_did_to_auxiliary_values():
    def f(x):
        y = gx.exp(x)
        return y * x, y

    x = np.asarray([1.0, 2.0])
    _, pullback, aux = gx.vjp(f, x, has_aux=True)
    aux *= 0

    np.testing.assert_allclose(pullback(np.ones(2))[0], np.exp(x) * (1 + x))


def test_explored_gradients_share_no_memory():
    x, y = gx.tensor(np.ones(3)), gx.tensor(np.ones(3))
    seed = np.ones(3)
    (x + y).backward(seed)
    seed *= 7

    np.testing.assert_array_equal(x.grad, np.ones(3))
    assert not np.shares_memory(x.grad, y.grad)


def test_eight_threads_differentiate_at_once():
    wrong = []

    def work(k):
        for _ in range(40):
            x = np.full(5, float(k))
            outer = gx.grad(lambda x: gx.sum(gx.grad(lambda y: gx.sum(y * y * y))(x) * x))(x)
            if not np.allclose(outer, 9 * x * x):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_a_pullback_works_in_another_thread():
    _, pullback = gx.vjp(gx.sin, np.asarray(0.0))
    results = []

    thread = threading.Thread(target=lambda: results.append(pullback(np.asarray(2.0))))
    thread.start()
    thread.join()

    assert results[0][0] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:os.fork")  # of libraries with threads, if they are there
def test_it_works_after_a_fork():
    _, pullback = gx.vjp(gx.sin, np.asarray(0.0))
    leaf = gx.tensor(2.0)
    square = leaf * leaf

    child = os.fork()
    if child == 0:
        square.backward()
        right = leaf.grad == 4 and pullback(2.0)[0] == 2 and gx.grad(gx.sin)(0.0) == 1
        os._exit(0 if right else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    square.backward()
    assert leaf.grad == 4


def test_inputs_are_unchanged():
    x = np.arange(6.0).reshape(2, 3)
    before = x.copy()

    gx.value_and_grad(lambda x: gx.sum(gx.setitem(x, 0.0, 0) * x))(x)
    gx.hessian(lambda x: gx.sum(x**3))(x)

    np.testing.assert_array_equal(x, before)


def many_uses(x):
    """Use one value so often that the order in which its cotangents are added shows."""
    parts = [gx.sum(gx.sin(x * (0.1 * k)) * x[k % 7]) for k in range(40)]
    return gx.sum(gx.exp(gx.sin(x @ x)) * x) + sum(parts[1:], parts[0])


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_two_runs_are_bitwise_equal(way):
    x = np.random.default_rng(0).normal(size=(50, 50))
    digits = lambda: [np.asarray(leaf).tobytes() for leaf in gx.core.tree.leaves(way(many_uses)(x))]

    assert digits() == digits()


def test_runs_on_other_tapes_between_change_no_digit():
    x = np.random.default_rng(0).normal(size=(50, 50))
    by_hand = []
    for number in range(3):
        for _ in range(number):  # so that ids and serial numbers differ
            gx.grad(many_uses)(x)
        leaf = gx.tensor(x)
        many_uses(leaf).backward()
        by_hand.append(leaf.grad.tobytes())

    assert len({*by_hand, gx.grad(many_uses)(x).tobytes()}) == 1
