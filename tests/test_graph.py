"""Graphs as data: passes one by one, groups, and memory."""

import json

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import OPS
from gradx.graph import lifetimes
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.executors import blocks, writing
from gradx.graph.executors.by_op import compile_by_op
from gradx.graph.executors.numpy import compile_numpy
from gradx.graph.passes import optimized
from gradx.graph.passes.algebra import simplified
from gradx.graph.passes.common import without_common
from gradx.graph.passes.dead import without_dead
from gradx.graph.passes.folding import folded
from gradx.graph.passes.grouping import grouped
from gradx.graph.passes.joining import joined
from gradx.graph.rewriting import in_order
from gradx.ops.slicing import BASIC_KEYS, scatter

X = np.asarray([[1.0, -2.0, 3.0], [0.5, 0.0, -1.5]])


def names(graph):
    return [equation.op.name for equation in graph.equations]


def assert_same_results(graph, other, *arrays):
    for a, b in zip(compile_by_op(graph)(*arrays), compile_by_op(other)(*arrays), strict=True):
        np.testing.assert_array_equal(a, b)


def test_common_subexpressions_are_computed_once():
    graph = gx.capture(lambda x: gx.exp(x) * gx.exp(x) + gx.sum(x, axis=0) - gx.sum(x, axis=0))(X)

    better = without_common(graph)

    assert sorted(names(better)) == ["add", "exp", "multiply", "subtract", "sum"]
    assert_same_results(graph, better, X)


def test_equal_literals_of_other_types_and_signs_are_told_apart():
    graph = gx.capture(lambda x: (x * 0.0, x * -0.0, x * 0, x * False))(X)

    assert len(without_common(graph).equations) == 4


def test_dead_equations_and_constants_go():
    def f(x):
        gx.exp(x) * np.ones(3)
        return x + 1

    graph = without_dead(gx.capture(f)(X))

    assert names(graph) == ["add"]
    assert graph.constants == ()


def test_what_depends_on_no_input_is_computed_once():
    f = lambda x: x * gx.exp(gx.sum(gx.ones_like(x)) / 4)
    graph = gx.capture(f)(X)

    better = without_dead(folded(graph))

    assert names(better) == ["multiply"]
    assert_same_results(graph, better, X)


def test_what_was_broadcast_is_folded_to_an_array_in_rows():
    f = lambda x: gx.broadcast_to(gx.exp(gx.ones_like(x[:1])), (4, 3)) * gx.sum(x)
    graph = without_dead(folded(gx.capture(f)(np.ones(3))))

    (constant,) = [one.value for one in graph.constants]
    assert constant.shape == (4, 3)
    assert constant.flags.c_contiguous
    assert np.array_equal(graph(np.ones(3)), f(np.ones(3)))


def test_array_from_outside_is_not_folded():
    weight = np.full(3, 2.0)
    graph = folded(gx.capture(lambda x: x * gx.exp(gx.sum(x) * 0 + weight))(X))

    assert "exp" in names(graph)


EXACT = {
    "x * 1": (lambda x: x * 1, []),
    "1.0 * x": (lambda x: 1.0 * x, []),
    "x / 1": (lambda x: x / 1, []),
    "x - 0": (lambda x: x - 0, []),
    "x + 0 is not x at -0": (lambda x: x + 0, ["add"]),
    "x * 2": (lambda x: x * 2, ["multiply"]),
    "negated twice": (lambda x: gx.negative(gx.negative(x)), []),
    "transposed twice": (lambda x: x.mT.mT, []),
    "permuted twice": (lambda x: gx.permute_dims(gx.permute_dims(x, (1, 0)), (1, 0)), None),
    "cast to its own": (lambda x: gx.astype(x, "float64"), []),
    "cast to another": (lambda x: gx.astype(x, "float32"), ["astype"]),
    "reshaped to its own": (lambda x: gx.reshape(x, (2, 3)), []),
    "reshaped twice": (lambda x: gx.reshape(gx.reshape(x, (6,)), (3, 2)), None),
    "real": (lambda x: gx.real(x), []),
    "stopped": (lambda x: gx.stop_gradient(x), []),
    "broadcast before use": (lambda x: gx.broadcast_to(x[0], (2, 3)) * x, None),
    "ones before use": (lambda x: gx.where(x > 0, gx.ones_like(x), x), None),
    "chosen twice": (lambda x: gx.where(x > 0, gx.where(x > 0, x, 0.0), 0.0), None),
    "chosen from equals": (lambda x: gx.where(x > 0, x, x), None),
}


@pytest.mark.parametrize("name", EXACT)
def test_algebra_is_exact(name):
    f, left = EXACT[name]
    graph = gx.capture(f)(X)
    x = np.asarray([[np.nan, -0.0, np.inf], [0.0, -np.inf, 5e-324]])

    better = without_dead(simplified(without_common(graph)))

    with np.errstate(all="ignore"):
        pairs = zip(compile_by_op(graph)(x), compile_by_op(better)(x), strict=True)
    for before, after in pairs:
        assert np.asarray(before).tobytes() == np.asarray(after).tobytes()
        assert before.dtype == after.dtype
    if left is not None:
        assert names(better) == left
    else:
        assert len(better.equations) < len(graph.equations)


def test_cotangents_of_parts_are_put_side_by_side():
    weights = np.arange(6.0).reshape(2, 3) - 2

    def f(x):
        first, rest = x[:, :1], x[:, 1:]
        return gx.sum(gx.sin(first) * weights[:, :1]) + gx.sum(rest * rest * weights[:, 1:])

    graph = gx.capture(gx.grad(f))(X)
    better = without_dead(joined(graph))

    assert names(graph).count("scatter") == 2
    assert "scatter" not in names(better)
    assert names(better).count("concat") == 1
    assert_same_results(graph, better, X)
    zero = compile_by_op(better)(-np.zeros((2, 3)))[0]
    np.testing.assert_array_equal(np.signbit(zero), np.signbit(graph(-np.zeros((2, 3)))))


@pytest.mark.parametrize("axis", [0, 1])
def test_cotangents_of_steps_are_put_side_by_side(axis):
    def f(x):
        steps = gx.unstack(x, axis=axis)
        return sum([gx.sum(gx.sin(step)) * (2 + i) for i, step in enumerate(steps)], steps[-1][0])

    graph = gx.capture(gx.grad(f))(X)
    better = without_dead(joined(graph))

    (join,) = [e for e in better.equations if e.op.name == "concat"]
    assert join.outputs[0].shape == X.shape
    assert len(join.inputs) == X.shape[axis]
    assert_same_results(graph, better, X)


PARTS = {
    "overlap": lambda x: (x[:, :2], x[:, 1:]),
    "a gap": lambda x: (x[:, :1], x[:, 2:]),
    "steps": lambda x: (x[:, ::2], x[:, 1::2]),
    "two axes": lambda x: (x[:1, :1], x[:, 1:]),
    "other axes": lambda x: (x[:1], x[:, 1:]),
    "an element": lambda x: (x[0, 0], x[:, 1:]),
    "one index twice": lambda x: (x[0], x[1], x[-1]),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_that_do_not_fill_an_axis_are_added_up(name):
    def f(x):
        return sum(
            gx.sum(gx.sin(part) * (2 + number)) for number, part in enumerate(PARTS[name](x))
        )

    graph = gx.capture(gx.grad(f))(X)
    better = joined(graph)

    assert "concat" not in names(better)
    np.testing.assert_array_equal(better(X), gx.grad(f)(X))


def test_passes_print_before_and_after():
    graph = gx.capture(lambda x: gx.sin(x) * 1)(X)

    assert str(graph) != str(optimized(graph))
    assert "multiply" not in str(optimized(graph))


def may_join(equation):
    return equation.op.elementwise


def test_elementwise_chain_is_one_group():
    graph = gx.capture(lambda x, y: gx.sum(gx.tanh(x * y + 0.5) * gx.exp(-x), axis=0))(X, X[0])

    better = grouped(graph, may_join)

    assert names(better) == ["group", "sum"]
    assert "= group(a, b)  # " in str(better)
    assert_same_results(graph, better, X, X[0])


def test_groups_do_not_wait_for_one_another():
    def f(x):
        y = gx.exp(x)
        z = gx.cumulative_sum(y, axis=0)  # in no group, and between the two lines that are
        return y * 2 + z, gx.sin(y)

    graph = gx.capture(f)(X)
    better = grouped(graph, may_join)

    assert_same_results(graph, better, X)
    for position, equation in enumerate(better.equations):
        written = {out for one in better.equations[:position] for out in one.outputs}
        assert set(equation.variables) <= written | set(better.inputs)


@pytest.mark.parametrize("number", range(40))
def test_grouped_random_graphs_compute_the_same(number):
    drawn = np.random.default_rng(number).uniform(size=(13, 3))

    def f(x, y):
        pool = [x, y]
        for first, second, pick in drawn[:12]:
            a, b = (pool[int(share * len(pool))] for share in (first, second))
            made = [a + b, a * b, gx.tanh(a), a - gx.sum(b, axis=0), gx.cumulative_sum(a, axis=1)]
            pool.append(gx.tanh(made[int(pick * len(made))]))
        return tuple(pool[int(share * len(pool))] for share in drawn[12])

    graph = gx.capture(f)(X, X + 1)

    better = grouped(without_dead(without_common(graph)), may_join)

    assert_same_results(graph, better, X, X + 1)


def test_memory_is_used_again_when_nothing_reads_it_any_more():
    graph = gx.capture(lambda x: gx.sum(gx.exp(gx.sin(gx.cos(x * 2) * x))))(X)

    layout = lifetimes.plan(graph, lambda equation: equation.op.elementwise)

    assert len(layout.slots) == 5
    assert len(layout.sizes) == 1
    assert layout.spans == [(0, len(layout.slots))]


def test_memory_that_a_view_reads_is_not_used_again():
    def f(x):
        y = x * 2
        view = gx.reshape(y, (3, 2))
        z = gx.sin(x) * gx.cos(x)
        return gx.sum(view) + gx.sum(z)

    graph = gx.capture(f)(X)
    layout = lifetimes.plan(graph, lambda equation: equation.op.elementwise)
    first = graph.equations[0].outputs[0]

    others = [x for x in layout.slots if x is not first and x.shape]
    assert all(layout.slots[x] != layout.slots[first] for x in others)


def test_what_is_returned_lies_in_no_memory_that_is_used_again():
    f = lambda x: (lambda y: (gx.reshape(y, (-1,)), y[0], gx.sum(y)))(gx.exp(x) * 2)
    graph = gx.capture(f)(X)

    layout = lifetimes.plan(graph, lambda equation: equation.op.elementwise)

    assert [x for x in layout.slots if x.shape == (2, 3)] == [graph.equations[0].outputs[0]]


@pytest.mark.usefixtures("eager_bits")
@pytest.mark.parametrize("shape", [(700, 200), (140001,), (3, 70000), (2, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_have_the_bits_of_whole_arrays(shape, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(dtype)
    row = rng.normal(size=shape[1:]).astype(dtype)
    column = rng.normal(size=(shape[0], *[1] * (len(shape) - 1))).astype(dtype)

    def f(x, row, column, rate):
        y = gx.tanh(x * row + 0.5) - rate * column
        z = gx.where(y > 0, gx.sqrt(gx.abs(y)), 0.0)
        return z * z, gx.nn.sigmoid(y) ** 2, gx.sum(y)

    graph = optimized(gx.capture(f)(x, row, column, 0.3))
    program = compile_numpy(graph)

    for _ in range(2):
        actual = program(x, row, column, 0.3)

        for a, e in zip(actual, compile_by_op(graph)(x, row, column, 0.3), strict=True):
            np.testing.assert_array_equal(a, e)


def test_large_chains_run_in_blocks():
    x = np.ones((1000, 200))
    grouping = grouped(
        optimized(gx.capture(lambda x: gx.sum(gx.exp(x * 2) + x))(x)),
        lambda equation: (
            blocks.is_worth_it(equation.outputs[0].shape)
            and writing.writer_of(equation) is not None
        ),
    )

    assert isinstance(grouping.equations[0].op, Group)
    assert len(grouping.equations[0].op.graph.equations) == 3


def test_a_join_is_written_with_the_bits_of_its_op():
    x, y = np.random.default_rng(0).normal(size=(2, 5, 4))
    for axis in (0, 1, -1, None):
        expected = gx.concat([x, -y, x], axis=axis)
        out = np.empty_like(expected)

        writing.WRITERS["concat"](x, -y, x, out=out, axis=axis)

        assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("key", BASIC_KEYS, ids=str)
def test_a_scatter_is_written_with_the_bits_of_its_op(key):
    x = X[key]
    expected = scatter(x, X.shape, key)
    out = np.full_like(X, np.nan)

    writing.WRITERS["scatter"](x, out=out, shape=X.shape, key=key)

    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", sorted(writing.WRITERS.keys() - {"concat", "scatter", "softmax"}))
def test_writers_have_the_bits_of_their_ops(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 40)) * 4
    x[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    calls = {
        "matmul": [(x, x.T)],
        "one_minus_square": [(x,), (x.astype(complex),)],
        "pow": [(abs(x), 2), (abs(x), 2.0), (abs(x), 0.5), (abs(x), x)],
        "relu": [(x,)],
        "sech_squared": [(x,), (x.astype(complex),)],
        "sigmoid": [(x,)],
        "sigmoid_slope": [(x,), (x.astype(complex),)],
        "where": [(x > 0, x, 0.0), (x > 0, 0, x), (x > 0, x, -x), (x > 0, x, -0.0)],
    }[name]

    for arrays in calls:
        with np.errstate(all="ignore"):
            expected = gx.core.op.OPS[name].call(*arrays)
            out = np.empty_like(expected)
            writing.WRITERS[name](*arrays, out=out)
        assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None])
def test_softmax_is_written_with_the_bits_of_its_op(axis):
    x = np.random.default_rng(0).normal(size=(6, 40, 3)) * 9
    for given in (x, x.astype(np.float32), x * (1 + 1j)):
        expected = gx.nn.softmax(given, axis=axis)
        out = np.empty_like(expected)

        writing.WRITERS["softmax"](given, out=out, axis=axis)

        assert out.tobytes() == expected.tobytes()


def test_weak_variable_says_so():
    assert Variable((), "float64", weak=True).type == "float"


@pytest.mark.usefixtures("eager_bits")
def test_profile_tells_every_op_of_the_graph(tmp_path):
    x = np.ones((400, 300))
    step = gx.compile(lambda x, n: gx.sum(gx.exp(x * 2) + x) * n, static="n")

    found = gx.profile(step, x, 3, runs=2)

    assert {row.name: row.calls for row in found.rows} == {"group": 1, "sum": 1, "multiply": 1}
    assert sum(row.share for row in found.rows) == pytest.approx(1)
    assert next(row for row in found.rows if row.name == "group").bytes == 2 * x.nbytes
    assert "group" in str(found)
    found.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [event["name"] for event in events] == [event.name for event in found.events]
    assert "test_graph.py" in events[0]["args"]["line"]


def test_profile_needs_a_run():
    with pytest.raises(ValueError, match="runs=0"):
        gx.profile(lambda x: x * 2, X, runs=0)


def test_the_bias_and_activation_of_a_stack_of_rows_are_one_loop():
    layer = gx.nn.Linear(3, 2, key=gx.random.key(0))
    x = np.ones((4, 5, 3), dtype=np.float32)

    found = gx.profile(lambda x: gx.nn.gelu(layer(x)), x, runs=1)

    assert "group" in [row.name for row in found.rows]
    assert not {"add", "gelu"} & {row.name for row in found.rows}


def test_equations_in_a_circle_are_refused():
    x, y = Variable((), "float64"), Variable((), "float64")
    circle = [Equation(OPS["exp"], (a,), {}, (b,), "here") for a, b in [(x, y), (y, x)]]
    with pytest.raises(ValueError, match="reads what is made of its own outputs"):
        in_order(circle)
