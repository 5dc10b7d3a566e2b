"""What a compiled function launches on CUDA: products with endings, groups, and packs of groups.

Each pass is a function of graphs, shown before and after; launches are those that a device that
is played records.
"""

import ctypes

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

pytestmark = needs_compiler

rng = np.random.default_rng(0)


def drawn(*shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


def names(graph):
    return [equation.op.name for equation in graph.equations]


def graph_of(f, *arrays):
    return gx.compile(f).graph(*arrays)


def assert_trees_close(found, expected):
    for one, other in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        if other.dtype.kind == "f":
            assert_close(np.asarray(one), np.asarray(other, dtype=float))
        else:
            assert np.array_equal(one, other)


@pytest.fixture
def lowering(cuda):
    return cuda.module("gradx.graph.cuda.lowering")


@pytest.fixture
def run(cuda):
    """Run a function eagerly and compiled, compare, and return what was launched."""

    def both(f, *arrays):
        put = [gx.to_device(x, "cuda") for x in arrays]
        expected = gx.to_device(f(*arrays), "cpu")
        compiled = gx.compile(f)
        compiled(*put)
        found = gx.to_device(compiled(*put), "cpu")
        assert_trees_close(found, expected)
        return cuda.machine.launches

    return both


# Products


def layer(activation):
    def loss(w, b, v, x, t):
        hidden = activation(x @ w + b) @ v - t
        return gx.sum(hidden * hidden)

    return lambda *arrays: gx.value_and_grad(loss, argnums=(0, 1, 2))(*arrays)


LAYER = (drawn(4, 5), drawn(5), drawn(5, 3), drawn(6, 4), drawn(6, 3))
ACTIVATIONS = {
    "relu": gx.nn.relu,
    "gelu": lambda x: gx.nn.gelu(x, approximate="tanh"),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layer_and_its_derivatives_are_products_with_endings(activation, lowering):
    before = graph_of(layer(ACTIVATIONS[activation]), *LAYER)

    after = lowering.with_epilogues(before)

    assert names(before).count("matmul") == 5
    assert names(after).count("matmul") == 3
    assert [e.params for e in after.equations if e.op.name == "affine_activated"] == [
        {"activation": activation, "keeps": True}
    ]
    assert [e.params for e in after.equations if e.op.name == "product_pulled_back"] == [
        {"activation": activation, "sums": True}
    ]
    assert f"affine_activated(d, a, b, activation='{activation}', keeps=True)" in str(after)
    assert not {activation, "greater", "tanh"} & set(names(after))


@pytest.mark.parametrize("lacking", ["plain", "{}_aux_bias", "d{}_bgrad", "bgrada"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("width", [5, 8])
def test_products_have_the_numbers_of_eager_ops_whatever_the_library_lacks(
    width, activation, lacking, cuda, run
):
    lt = cuda.module("gradx.backends.cublaslt")
    library = ctypes.CDLL(lt._library_path())
    arrays = (drawn(4, width), drawn(width), drawn(width, 3), *LAYER[3:])
    lt._plans.known.clear()  # what was found before is not asked for again
    if lacking != "plain":  # which is never lacking
        library.fake_refuse(lt.EPILOGUES[lacking.format(activation)])

    try:
        launches = run(layer(ACTIVATIONS[activation]), *arrays)
    finally:
        library.fake_refuse(0)
        lt._plans.known.clear()

    assert launches.count("product") == 5


def test_forward_alone_keeps_nothing_for_a_derivative(lowering, run):
    f = lambda x, w, b: gx.nn.relu(x @ w + b)
    arrays = (drawn(3, 4), drawn(4, 5), drawn(5))

    (equation,) = lowering.lowered(graph_of(f, *arrays)).equations

    assert equation.params == {"activation": "relu", "keeps": False}
    assert run(f, *arrays) == ["product"]


def test_exact_gelu_is_no_ending(lowering, run):
    f = lambda x, w, b: gx.nn.gelu(x @ w + b)
    arrays = (drawn(3, 4), drawn(4, 5), drawn(5))

    assert names(lowering.with_epilogues(graph_of(f, *arrays))) == ["affine", "gelu"]
    assert len(run(f, *arrays)) == 2


KEPT_APART = {
    "what the activation is of is returned": lambda x, w, b: (x @ w + b, gx.nn.relu(x @ w + b)),
    "the bias has two axes": lambda x, w, b: x @ w + gx.stack([b, b, b]),
    "the product is read twice": lambda x, w, b: ((x @ w) * 2, x @ w + b),
    "a stack of products": lambda x, w, b: gx.stack([x, x]) @ w + b,
    "a bias of another dtype": lambda x, w, b: gx.astype(
        x @ w + gx.astype(b, "float64"), "float32"
    ),
}


@pytest.mark.parametrize("name", KEPT_APART)
def test_what_is_needed_in_between_is_no_ending_of_a_product(name, lowering, run):
    f, arrays = KEPT_APART[name], (drawn(3, 4), drawn(4, 5), drawn(5))

    assert "affine_activated" not in names(lowering.lowered(graph_of(f, *arrays)))
    run(f, *arrays)


# Groups


def test_layer_norm_is_one_kernel(lowering, run):
    layer = gx.nn.LayerNorm(7, affine=False)
    f = lambda x: layer(x * 2.0)

    assert names(lowering.lowered(graph_of(f, drawn(5, 7)))) == ["group"]
    assert run(f, drawn(5, 7)) == ["group"]


def test_derivative_of_layer_norm_is_one_kernel_and_sums_over_rows(run):
    def f(x, weight, bias, g):
        def normalized(x, weight, bias):
            centered = x - gx.mean(x, axis=-1, keepdims=True)
            variance = gx.mean(centered * centered, axis=-1, keepdims=True)
            return centered / gx.sqrt(variance + 1e-5) * weight + bias

        out, pull = gx.vjp(normalized, x, weight, bias)
        return (out, *pull(g * g + 1))

    launches = run(f, drawn(5, 7), drawn(7), drawn(7), drawn(5, 7))

    sums = ["sums_of_strips", "sum_of_strips"]
    assert launches == ["group", *sums, *sums]


def test_number_for_all_threads_is_computed_once(lowering):
    f = lambda x, count: x * (1 - gx.pow(0.9, count))
    graph = lowering.lowered(graph_of(f, drawn(10), np.asarray(3.0)))

    assert [len(e.op.graph.equations) for e in graph.equations] == [2, 1]


def test_view_of_an_input_is_read_where_it_lies(lowering, run):
    f = lambda x, scale: gx.exp(gx.reshape(scale, (4, 1)) * x) + 1

    assert names(lowering.lowered(graph_of(f, drawn(4, 5), drawn(4)))) == ["group"]
    assert run(f, drawn(4, 5), drawn(4)) == ["group"]


# Kernels of several ops


def test_derivative_of_cross_entropy_is_one_kernel(lowering, run):
    labels = np.arange(6) % 3
    loss = lambda logits, labels: gx.nn.cross_entropy(logits, labels)
    f = lambda logits, labels: gx.value_and_grad(loss)(logits, labels)

    before = graph_of(f, drawn(6, 3), labels)

    assert {"softmax", "class_mask", "where"} <= set(names(before))
    assert "softmax_cross_entropy_backward" in names(lowering.with_kernels(before))
    assert run(f, drawn(6, 3), labels) == [
        *("softmax_cross_entropy", "group", "softmax_cross_entropy_backward"),
    ]


def test_dropout_draws_its_mask_where_it_is_needed(lowering, run):
    drop = gx.nn.Dropout(0.4)

    def f(x, key, g):
        out, pull = gx.vjp(lambda x: drop(x, key=key, train=True), x)
        return out, pull(g)[0]

    arrays = (drawn(20, 7), gx.random.key(5), np.ones((20, 7), np.float32))

    assert names(
        lowering.with_kernels(graph_of(lambda x, key: drop(x, key=key, train=True), *arrays[:2]))
    ) == ["dropped"]
    assert "dropout" in run(f, *arrays)


def test_mask_that_is_needed_is_drawn_once(lowering):
    def f(x, key):
        mask = gx.random.bernoulli(key, 0.5, x.shape)
        return gx.where(mask, x, 0.0), mask

    graph = graph_of(f, drawn(5), gx.random.key(0))

    assert "dropped" not in names(lowering.lowered(graph))


# Packs


OPTIMIZERS = {
    "sgd": gx.optim.sgd(0.1),
    "momentum": gx.optim.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": gx.optim.adam(1e-2),
    "adamw": gx.optim.adamw(1e-2),
    "lion": gx.optim.lion(1e-2),
}
SIZES = [(6, 5), (5,), (300, 7), (1,), (5, 3)]


def updating(optimizer):
    def f(grads, params, state):
        updates, state = optimizer.update(grads, state, params)
        return gx.optim.apply_updates(params, updates), state

    return f


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_update_of_a_whole_tree_is_one_launch(name, cuda, lowering):
    optimizer = OPTIMIZERS[name]
    params = [drawn(*shape) for shape in SIZES]
    grads = [drawn(*shape) for shape in SIZES]
    compiled = gx.compile(updating(optimizer))
    found, state = gx.to_device((params, optimizer.init(params)), "cuda")
    expected, expected_state = params, optimizer.init(params)

    for _ in range(3):
        found, state = compiled(gx.to_device(grads, "cuda"), found, state)
        expected, expected_state = updating(optimizer)(grads, expected, expected_state)

    for one, other in zip(found, expected, strict=True):
        assert_close(cuda.get(one), other.astype(float))
    pack = [n for n in cuda.machine.launches if n == "group"]
    scalars = name.startswith("adam") or name in ("sgd", "momentum", "lion")
    assert len(cuda.machine.launches) <= 2 + scalars, cuda.machine.launches
    assert pack


def test_tree_that_one_launch_has_no_room_for_takes_several(cuda, lowering, monkeypatch):
    packing = cuda.module("gradx.graph.cuda.packing")
    monkeypatch.setattr(packing, "MOST_ARGUMENTS", 9)
    f = lambda xs: [gx.tanh(x) * 2 for x in xs]
    graph = graph_of(f, [drawn(n) for n in range(2, 10)])

    assert names(lowering.lowered(graph)) == ["pack", "pack"]


def test_group_that_waits_for_another_is_not_packed_with_it(lowering, run):
    def f(x, w, y):
        first = gx.tanh(x) * 2
        return first, gx.tanh(gx.sort(first)[:3]) * 2, gx.tanh(y) * 2

    arrays = (drawn(5), drawn(5), drawn(4))

    graph = lowering.lowered(graph_of(f, *arrays))

    assert sorted(n for n in names(graph) if n in ("group", "pack")) == ["group", "pack"]
    run(f, *arrays)


def test_groups_that_differ_in_a_number_are_not_packed(lowering):
    graph = graph_of(lambda x, y: (gx.tanh(x) * 2, gx.tanh(y) * 3), drawn(5), drawn(4))

    assert names(lowering.lowered(graph)) == ["group", "group"]


# Whole steps


def test_training_step_of_a_network_is_a_launch_for_each_product_and_five_more(cuda):
    optimizer = gx.optim.adam(1e-2)

    def step(params, state, x, labels):
        def loss_of(params):
            hidden = x
            for weight, bias in params[:-1]:
                hidden = gx.nn.relu(hidden @ weight + bias)
            return gx.nn.cross_entropy(hidden @ params[-1][0] + params[-1][1], labels)

        loss, grads = gx.value_and_grad(loss_of)(params)
        updates, state = optimizer.update(grads, state, params)
        return gx.optim.apply_updates(params, updates), state, loss

    params = [[drawn(6, 8), drawn(8)], [drawn(8, 5), drawn(5)], [drawn(5, 3), drawn(3)]]
    given = (params, optimizer.init(params), drawn(4, 6), np.arange(4) % 3)
    compiled, moved = gx.compile(step), gx.to_device(given, "cuda")

    compiled(*moved)
    found = gx.to_device(compiled(*moved), "cpu")

    params, _, loss = step(*given)
    assert_trees_close((found[0], found[2]), (params, loss))
    launches = cuda.machine.launches
    assert launches.count("product") == 8
    assert len(launches) == 8 + 5, launches


def test_a_sum_of_many_products_is_one_product(cuda):
    def f(*rows):
        return sum([x.T @ x for x in rows], 0.0)

    graph = graph_of(f, *gx.to_device([drawn(100, 300) for _ in range(4)], "cuda"))

    assert names(graph).count("matmul") == 1


def test_reduction_of_one_number_is_no_loop(run):
    run(lambda x: gx.exp(gx.sum(gx.sin(x)) * 2), drawn())


def test_groups_without_a_kernel_are_not_packed(run):
    x, y = (drawn(3) + 1j * drawn(3) for _ in range(2))

    run(lambda *arrays: [abs(gx.exp(z) * z + 1) for z in arrays], x, y)
