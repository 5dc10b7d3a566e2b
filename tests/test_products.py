"""Small products of matrices become fewer that are larger: rows of one, transposes copied once."""

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree
from gradx.graph.executors.by_op import compile_by_op
from gradx.graph.executors.numpy import in_groups
from gradx.graph.passes import optimized
from gradx.graph.products import stacked
from gradx.graph.products.rows import with_stacked_rows
from gradx.graph.products.transposes import with_copied_transposes

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def drawn(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def captured(f, *arguments):
    return optimized(gx.capture(f)(*arguments))


def named(graph, name):
    return [equation for equation in graph.equations if equation.op.name == name]


def assert_same(graph, other, *arrays):
    found = zip(compile_by_op(other)(*arrays), compile_by_op(graph)(*arrays), strict=True)
    for a, b in found:
        np.testing.assert_allclose(a, b)


def test_products_with_one_matrix_are_rows_of_one_product():
    w, rows = drawn(16, 32), [drawn(length, 16) for length in (4, 6, 8)]
    graph = captured(lambda w, rows: [gx.exp(x @ w) for x in rows], w, rows)

    better = with_stacked_rows(graph)

    assert len(named(better, "matmul")) == 1
    assert_same(graph, better, w, *rows)


def test_products_that_need_one_another_are_not_stacked():
    w, x = drawn(16, 16), drawn(4, 16)
    graph = captured(lambda w, x: gx.tanh(gx.tanh(x @ w) @ w) @ w, w, x)

    assert with_stacked_rows(graph).equations == graph.equations


def test_stacked_products_do_not_wait_for_one_another():
    v, w, x, y = drawn(16, 16), drawn(16, 17), drawn(4, 16), drawn(5, 16)

    def f(v, w, x, y):
        return gx.exp(x @ v) @ w, gx.exp((y @ w)[:, :16]) @ v  # x: first v, then w; y the other way

    graph = captured(f, v, w, x, y)
    better = with_stacked_rows(graph)

    assert len(named(better, "matmul")) == 3
    assert_same(graph, better, v, w, x, y)


def test_a_transpose_of_many_products_is_copied_once():
    w, rows = drawn(32, 16), [drawn(40, 16) for _ in range(4)]
    graph = captured(lambda w, rows: [x @ w.mT for x in rows], w, rows)

    better = with_copied_transposes(graph)
    (copy,) = named(better, "concat")
    assert all(product.inputs[1] is copy.outputs[0] for product in named(better, "matmul"))
    assert_same(graph, better, w, *rows)


def test_a_transpose_of_few_products_is_not_copied():
    w, rows = drawn(32, 16), [drawn(40, 16) for _ in range(3)]
    graph = captured(lambda w, rows: [x @ w.mT for x in rows], w, rows)

    assert not named(with_copied_transposes(graph), "concat")


def test_transposes_are_joined_as_they_lie():
    w, columns = drawn(16, 32), [drawn(16, 4), drawn(16, 6)]
    constant = drawn(16, 3).mT
    graph = captured(lambda w, xs: [constant @ w, *[x.mT @ w for x in xs]], w, columns)

    better = stacked(graph)

    assert [e.outputs[0].shape for e in named(better, "concat")] == [(16, 13)]
    assert_same(graph, better, w, *columns)


def test_many_rows_are_portions_of_products():
    w, rows = drawn(16, 128), [drawn(100, 16) for _ in range(5)]
    graph = captured(lambda w, rows: [x @ w for x in rows], w, rows)

    better = with_stacked_rows(graph)

    assert [e.outputs[0].shape[0] for e in named(better, "matmul")] == [200, 200, 100]
    assert_same(graph, better, w, *rows)


@pytest.mark.parametrize("kind", [gx.nn.RNN, gx.nn.LSTM, gx.nn.GRU])
def test_steps_of_a_sequence_share_products(kind):
    width = 32
    x = drawn(4, 20, width)
    layer = kind(width, width, key=gx.random.key(0), dtype="float64")

    def f(layer, x):
        state = layer.run(x[:, :1])[1]
        found = [layer.run(x[:, i : i + 1], state)[0] for i in range(20)]
        return gx.sum(gx.concat(found, axis=1) ** 2)

    gradient = gx.grad(f, argnums=(0, 1))
    compiled = gx.compile(gradient)
    graph = compiled.graph(layer, x)
    expected = tree.leaves(gradient(layer, x))

    assert len(named(in_groups(graph), "matmul")) < len(named(graph, "matmul")) - 15
    for _ in range(2):
        for ours, theirs in zip(tree.leaves(compiled(layer, x)), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_reshapes_of_a_permuted_array_share_a_copy():
    f = gx.compile(
        lambda x: (
            gx.sum(gx.reshape(gx.permute_dims(x, (0, 2, 1, 3)), (40, 6)), axis=0),
            gx.reshape(gx.permute_dims(x, (0, 2, 1, 3)), (40, 6)) @ np.ones((6, 2), "float32"),
        )
    )
    x = np.arange(240, dtype="float32").reshape(5, 2, 8, 3)

    better = stacked(f.graph(x))

    assert len(named(better, "concat")) == 1
    copied = named(better, "concat")[0].outputs[0]
    assert all(reshape.inputs[0] is copied for reshape in named(better, "reshape"))
    turned = x.transpose(0, 2, 1, 3).reshape(40, 6)
    for found, expected in zip(f(x), (turned.sum(0), turned @ np.ones((6, 2))), strict=True):
        assert np.array_equal(found, expected)


def test_a_permuted_array_that_is_read_as_it_is_has_no_copy():
    f = gx.compile(lambda x: gx.permute_dims(x, (1, 0, 2)) @ np.ones((3, 2)))

    assert not named(stacked(f.graph(np.ones((4, 5, 3)))), "concat")
