"""Views are read, and parts of joins are written, where they lie: no copy, and the same numbers."""

import numpy as np
import pytest

import gradx as gx
from gradx.graph.capture import capture
from gradx.graph.executors import in_groups
from gradx.graph.lifetimes import donations
from gradx.graph.native import launch
from gradx.graph.native.grouping import grouped
from gradx.graph.native.launch import compile_group, reason
from gradx.graph.native.slicing import sliced
from tests.native.test_groups import assert_same, compiled, group, run


def drawn(*shapes, dtype="float32"):
    draws = np.random.default_rng(0)
    return [draws.normal(size=shape).astype(dtype) for shape in shapes]


def names_of(graph):
    return [equation.op.name for equation in graph.equations]


KEYS = {
    "columns": (slice(None), slice(None), slice(20, 57)),
    "rows": (slice(1, 4), 2),
    "every other row from the last": (slice(None, None, -2),),
    "one": (3, 1, slice(5, None)),
    "the rest": (..., slice(-17, None)),
    "a new axis": (slice(None), None, 1, slice(0, 30)),
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_a_slice_is_read_where_it_lies(name, dtype):
    (x,) = drawn((6, 4, 70))
    x = (x * 3).astype(dtype)
    f = lambda x: gx.where(x[KEYS[name]] > 0, x[KEYS[name]], x[KEYS[name]] == 0)

    found = compiled(f, x)

    assert_same(found, [f(x)])


def test_a_slice_is_not_copied(monkeypatch):
    x, y = drawn((40, 90), (40, 30))
    graph = group(lambda x, y: x[:, 30:60] * y + x[:, 60:], x, y)
    kernel = compile_group(graph)
    out = np.empty((40, 30), np.float32)

    monkeypatch.setattr(launch.Launch, "_convert_and_go", None)  # what makes copies
    kernel(x, y, out)

    np.testing.assert_array_equal(out, x[:, 30:60] * y + x[:, 60:])


@pytest.mark.parametrize("axes", [(1, 0, 2), (0, 2, 1, 3), (2, 0, 1, 3), (3, 0, 1, 2, 4)])
def test_axes_in_another_order_are_read_where_they_lie(axes):
    x, y = drawn((3, 4, 2, 5, 20)[-len(axes) :], (20,))
    f = lambda x, y: gx.exp(gx.permute_dims(x, axes)) * y

    found = compiled(f, x, y)

    assert_same(found, [f(x, y)])


def test_a_view_of_a_view_of_a_reshape_is_read_where_it_lies():
    (x,) = drawn((6 * 5, 4 * 32))
    f = lambda x: gx.permute_dims(gx.reshape(x, (6, 5, 4, 32)), (0, 2, 1, 3))[1:, 3, ::2] * 2

    found = compiled(f, x)

    assert_same(found, [f(x)])


def test_views_are_reduced_and_broadcast_like_arrays():
    x, y = drawn((50, 200), (50, 37), dtype="float64")
    f = lambda x, y: (
        gx.sum(x[:, 7:44] * y, axis=1),
        gx.sum(x[:, 7:44], axis=0) + x[3, 100:137],
        gx.max(x[:, 7:44] * y),
        y * x[:, 150:151] - x[9, 9],
    )

    found = compiled(f, x, y)

    assert_same(found, f(x, y), rtol=1e-9)


JOINS = {
    "columns": (1, [(9, 40), (9, 16), (9, 33)]),
    "rows": (0, [(3, 40), (1, 40), (8, 40)]),
    "an axis in the middle": (1, [(3, 2, 50), (3, 5, 50)]),
    "from the end": (-1, [(300,), (17,)]),
}


@pytest.mark.parametrize("name", JOINS)
def test_parts_of_a_join_are_written_where_they_lie(name):
    axis, shapes = JOINS[name]
    arrays = drawn(*shapes)
    f = lambda *arrays: gx.concat([gx.tanh(x) for x in arrays], axis=axis)
    graph = group(f, *arrays)
    if reason(graph):  # parts of different lengths have no loop together, whichever axis
        assert len(set(shapes)) > 1
        f = lambda *arrays: gx.concat([gx.tanh(x) for x in (arrays[0], -arrays[0])], axis=axis)
        graph = group(f, arrays[0])
        arrays = arrays[:1]

    found = run(graph, *arrays)

    assert_same(found, [f(*arrays)])


def test_a_join_of_what_was_reduced_over_rows_is_written_at_the_end():
    x, y = drawn((90, 40), (90, 40), dtype="float64")
    f = lambda x, y: (
        gx.concat([gx.sum(x * y, axis=0), gx.sum(x, axis=0)], axis=0),
        gx.concat([x * y, x], axis=1),
    )

    found = compiled(f, x, y)

    assert_same(found, f(x, y), rtol=1e-9)


def test_nothing_beside_a_part_is_written():
    x, y = drawn((5, 33), (5, 33))
    guarded = np.full(5 * 66 + 2, 7.0, np.float32)
    out = guarded[1:-1].reshape(5, 66)

    compile_group(group(lambda x, y: gx.concat([x + y, x - y], axis=1), x, y))(x, y, out)

    np.testing.assert_array_equal(out, np.concatenate([x + y, x - y], axis=1))
    assert guarded[0] == guarded[-1] == 7


REFUSED = {
    "a view of what the loop computes": lambda x: (x * 2)[:, :20] + 1,
    "one after another": lambda x: x[:, ::2] + 1,
    "elements in a row": lambda x: x[:, :9] + 1,
    "a view as an output": lambda x: (x + 1, x[:, :40]),
    "a join that is read in the same loop": lambda x: gx.concat([x, x * 2], axis=0) + 1,
    "flattened": lambda x: gx.concat([x + 1, x], axis=None),
    "joined to float64": lambda x: gx.concat([x + 1, gx.astype(x, "float64")], axis=0),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_lie_where_it_is_has_no_loop(why):
    (x,) = drawn((20, 40))

    assert why in reason(group(REFUSED[why], x))


def test_an_output_may_take_the_memory_of_an_input_that_is_read_through_a_view():
    (x,) = drawn((40, 40))
    f = lambda x: gx.permute_dims(x[::-1], (0, 1)) * 2
    expected = f(x)

    compile_group(group(f, x))(x, x)

    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: gx.exp(x[::-1]) * 2,
        lambda x: gx.concat([x[20:] * 2, x[:20] * 2], axis=0),
        lambda x: gx.concat([x[:20] * 2, x[20:] * 2], axis=0),
    ],
)
def test_what_is_read_through_views_is_not_overwritten(f):
    (x,) = drawn((40, 40))
    step = gx.compile(f, donate="x")

    found = step(x.copy())

    np.testing.assert_allclose(found, f(x), rtol=4e-6)
    graph = in_groups(step.graph(x))
    assert "group" in names_of(graph)
    assert not donations(graph, lambda equation: True)


def gates(x, y, b):
    both = x + y + b
    return gx.tanh(both[:, :50]) * gx.exp(both[:, 50:100]) + both[:, 100:]


def test_sums_are_made_of_the_slices_that_are_read():
    x, y, b = drawn((20, 150), (20, 150), (150,))
    graph = capture(gates)(x, y, b)

    moved = sliced(graph)

    assert names_of(graph)[:2] == ["add", "add"]
    assert names_of(moved).count("getitem") == 9
    assert names_of(grouped(graph)) == ["group"]
    assert_same(moved(x, y, b)[None], gates(x, y, b)[None])


def test_what_others_read_too_is_not_made_of_slices():
    x, y, b = drawn((20, 150), (20, 150), (150,))
    whole = lambda x, y, b: (gates(x, y, b), x + y + b)
    twice = lambda x, y: (x + y)[:, :100] * (x + y)[:, 50:]
    for f, arrays in ((whole, (x, y, b)), (twice, (x, y))):
        graph = gx.compile(f).graph(*arrays)

        assert names_of(sliced(graph)) == names_of(graph)


@pytest.mark.parametrize("key", [(2,), (slice(3, 9), 0), (..., slice(5, 40)), (slice(0, 1), ...)])
def test_slices_of_what_was_broadcast_are_those_of_numpy(key):
    arrays = drawn((12, 1, 80), (5, 80), (12, 5, 1), ())
    f = lambda a, b, c, d: ((a * b + c) * d)[key] + 1
    graph = capture(f)(*arrays)

    moved = sliced(graph)

    assert "getitem" not in names_of(moved)[-4:]
    np.testing.assert_array_equal(moved(*arrays), f(*arrays))


def test_joins_are_made_of_what_was_computed_with_their_parts():
    x, y = drawn((30, 40), (30, 40))
    f = lambda x, y: gx.concat([x * 2, y * 3], axis=-1) + 1
    both = lambda x, y: (f(x, y), gx.sum(f(x, y), axis=0), gx.sum(f(x, y), axis=0, keepdims=True))
    graph = gx.compile(both).graph(x, y)

    moved = sliced(graph)

    assert names_of(moved).count("concat") == 3
    assert names_of(grouped(graph)) == ["group"]
    for found, expected in zip(moved(x, y), both(x, y), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_join_that_is_returned_too_is_computed_once():
    x, y = drawn((30, 40), (30, 40))
    f = lambda x, y: (joined := gx.concat([x, y], axis=0), gx.exp(joined))
    graph = capture(f)(x, y)

    assert names_of(sliced(graph)) == ["concat", "exp"]


def test_products_that_are_added_up_are_not_kept():
    arrays = drawn(*[(256, 256)] * 8)

    def total(*arrays):
        out = arrays[0]
        for x in arrays:
            out = out + x @ x
        return out

    grouped = in_groups(gx.compile(total).graph(*arrays))

    assert names_of(grouped) == ["matmul", "matmul", "group", *["matmul", "add"] * 6]


def test_relu_that_nothing_joins_is_a_loop():
    x, w = drawn((64, 128), (128, 128))
    f = gx.compile(lambda x, w: gx.nn.relu(x @ w) @ w)

    assert names_of(in_groups(f.graph(x, w))) == ["matmul", "group", "matmul"]


def test_what_a_derivative_computes_from_what_is_kept_is_not_computed_early():
    x, w = drawn((64, 128), (128, 128), dtype="float64")
    w *= 0.05

    def loss(x, w):
        states = [x]
        for _ in range(12):
            states.append(gx.tanh(states[-1] @ w) + states[-1])
        return sum([gx.sum(gx.sin(y) * y) for y in states], 0.0)

    gradient = gx.compile(gx.grad(loss))
    graph = in_groups(gradient.graph(x, w))
    groups = [names_of(e.op.graph) for e in graph.equations if e.op.name == "group"]

    assert groups[:12] == [["tanh", "add"]] * 12
    assert all("cos" in group for group in groups[12:])
    np.testing.assert_allclose(gradient(x, w), gx.grad(loss)(x, w), rtol=1e-9, atol=1e-9)
