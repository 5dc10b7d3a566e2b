"""vmap equals a loop, for every op and inside and outside of the other transforms."""

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import COMPOSED, OPS
from tests.test_ops import bound, convert, drawing, flat, xp_numpy

CONSTANT = [op for op in OPS.values() if not any(op.vjp)]


@pytest.mark.parametrize("op", CONSTANT, ids=lambda op: op.name)
def test_vmap_of_an_op_without_derivative_equals_a_loop(op):
    for sample in op.samples(drawing(seed=0)):
        arrays = [convert(array, xp_numpy()) for array in sample.arrays]
        if not all(isinstance(a, np.ndarray) for a in arrays):
            continue
        # Turned round, which also changes what only depends on the order.
        pairs = [np.stack([a, np.flip(a)]) for a in arrays]

        actual = gx.vmap(lambda *xs, sample=sample: op.call(*xs, **sample.params))(*pairs)

        for i in range(2):
            expected = op.call(*[pair[i] for pair in pairs], **sample.params)
            if op.name != "empty_like":
                np.testing.assert_array_equal(actual[i], expected)


@pytest.mark.parametrize("op", [*OPS.values(), *COMPOSED.values()], ids=lambda op: op.name)
def test_vmap_of_an_op_equals_a_loop(op):
    for sample in op.samples(drawing(seed=0)):
        function, arrays = bound(op, sample, xp_numpy())
        if not arrays:
            continue
        twice = gx.core.tree.map(lambda a: np.stack([a, a * 1.01]), tuple(arrays))

        actual = gx.vmap(function)(*twice)

        for i in range(2):
            expected = function(*gx.core.tree.map(lambda a, i=i: a[i], twice))
            for a, e in zip(flat(xp_numpy(), actual), flat(xp_numpy(), expected), strict=True):
                np.testing.assert_allclose(a[i], e, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_vmap_over_one_input_alone_equals_a_loop(op):
    for sample in op.samples(drawing(seed=0)):
        function, arrays = bound(op, sample, xp_numpy())
        for position in range(len(arrays) if len(arrays) > 1 else 0):
            pair = gx.core.tree.map(lambda a: np.stack([a, a * 1.01]), arrays[position])
            axes = tuple(0 if i == position else None for i in range(len(arrays)))
            arguments = [pair if i == position else a for i, a in enumerate(arrays)]

            actual = gx.vmap(function, in_axes=axes)(*arguments)

            for i in range(2):
                alone = gx.core.tree.map(lambda a, i=i: a[i], pair)
                expected = function(*arrays[:position], alone, *arrays[position + 1 :])
                for a, e in zip(flat(xp_numpy(), actual), flat(xp_numpy(), expected), strict=True):
                    np.testing.assert_allclose(a[i], e, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_vmap_over_no_elements_has_the_shapes_of_any_other(op):
    for sample in op.samples(drawing(seed=0)):
        function, arrays = bound(op, sample, xp_numpy())
        if not arrays:
            continue
        expected = gx.core.tree.map(np.asarray, flat(xp_numpy(), function(*arrays)))

        none = gx.core.tree.map(lambda a: np.zeros((0, *a.shape), a.dtype), tuple(arrays))
        actual = flat(xp_numpy(), gx.vmap(function)(*none))

        for a, e in zip(actual, expected, strict=True):
            assert (a.shape, a.dtype) == ((0, *e.shape), e.dtype)


def test_gradients_of_no_elements_are_zeros():
    f = lambda w, x: gx.sum(gx.vmap(lambda row: gx.linalg.solve(w, row))(x))

    by_matrix, by_rows = gx.grad(f, (0, 1))(np.eye(3), np.zeros((0, 3)))

    np.testing.assert_array_equal(by_matrix, np.zeros((3, 3)))
    assert by_rows.shape == (0, 3)


def test_per_example_gradients_equal_a_loop():
    w, xs = np.asarray([1.0, 2.0, 3.0]), np.arange(12.0).reshape(4, 3)
    gradient = gx.grad(lambda w, x: gx.sum(gx.sin(w * x)) ** 2)

    batched = gx.vmap(gradient, in_axes=(None, 0))(w, xs)

    np.testing.assert_allclose(batched, [gradient(w, x) for x in xs])


def test_gradient_of_a_vmap():
    x = np.arange(6.0).reshape(2, 3)

    actual = gx.grad(lambda x: gx.sum(gx.vmap(lambda row: row[0] * gx.sum(row * row))(x)))(x)

    expected = 2 * x * x[:, :1]
    expected[:, 0] += (x * x).sum(axis=1)
    np.testing.assert_allclose(actual, expected)


def test_vmap_of_a_vmap_is_an_outer_product():
    x, y = np.arange(3.0), np.arange(4.0)

    table = gx.vmap(lambda a: gx.vmap(lambda b: a * b)(y))(x)

    np.testing.assert_array_equal(table, np.outer(x, y))


def test_axes_are_moved_to_where_they_are_asked_for():
    x = np.arange(24.0).reshape(2, 3, 4)

    actual = gx.vmap(lambda row: row * 2, in_axes=2, out_axes=1)(x)

    np.testing.assert_array_equal(actual, 2 * np.moveaxis(x, 2, 1))


X, Y = np.arange(6.0).reshape(2, 3), np.arange(8.0).reshape(4, 2)
TREES = {
    "tree": (({"x": 0, "y": None},), {"x": X, "y": Y[0]}, lambda i: {"x": X[i], "y": Y[0]}),
    "negative": (({"x": 0, "y": -1},), {"x": X, "y": Y}, lambda i: {"x": X[i], "y": Y[:, i]}),
    "prefix": (0, {"x": X, "y": {"z": X}}, lambda i: {"x": X[i], "y": {"z": X[i]}}),
    "deeper prefix": (
        [{"x": None, "y": 1}],
        {"x": X, "y": (X.T, [Y, None])},
        lambda i: {"x": X, "y": (X.T[:, i], [Y[:, i], None])},
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_in_axes_may_be_a_tree(name):
    in_axes, argument, of_call = TREES[name]
    f = lambda p: gx.concat([gx.reshape(gx.sin(leaf), (-1,)) for leaf in gx.core.tree.leaves(p)])

    found = gx.vmap(f, in_axes)(argument)

    np.testing.assert_array_equal(found, [f(of_call(i)) for i in range(2)])


@pytest.mark.parametrize("out_axes", [0, 1, -1, {"a": 1, "b": -1, "c": None}])
def test_out_axes_may_be_a_tree(out_axes):
    f = lambda x: {"a": x * 2, "b": gx.stack([x, x]), "c": np.ones(5)}
    axes = out_axes if isinstance(out_axes, dict) else dict.fromkeys("abc", out_axes)

    found = gx.vmap(f, out_axes=out_axes)(X)

    for key, axis in axes.items():
        parts = [np.asarray(f(row)[key]) for row in X]
        expected = parts[0] if axis is None else np.stack(parts, axis=axis)
        np.testing.assert_array_equal(found[key], expected)


def test_vmaps_of_trees_nest_along_any_axes():
    x = np.arange(24.0).reshape(2, 3, 4)
    inner = gx.vmap(lambda p: gx.sum(p["x"]) * p["y"], ({"x": -1, "y": None},), 0)

    found = gx.vmap(lambda p: inner(p), ({"x": 1, "y": 0},), -1)({"x": x, "y": np.arange(3.0)})

    np.testing.assert_array_equal(found, np.sum(x, axis=0).T * np.arange(3.0))


def test_result_that_does_not_depend_on_the_batch_is_repeated():
    np.testing.assert_array_equal(gx.vmap(lambda x: np.ones(2))(np.zeros(3)), np.ones((3, 2)))


def test_wrong_axes_are_named():
    with pytest.raises(ValueError, match=r"mapped axes have lengths \[2, 3\]"):
        gx.vmap(lambda x, y: x)(np.ones(2), np.ones(3))
    with pytest.raises(IndexError, match=r"in_axes=1, but an argument has shape \(2,\)"):
        gx.vmap(lambda x: x, in_axes=1)(np.ones(2))
    with pytest.raises(ValueError, match="maps no argument"):
        gx.vmap(lambda x: x, in_axes=None)(np.ones(2))
    with pytest.raises(ValueError, match=r"in_axes=.* is no prefix of what it is for"):
        gx.vmap(lambda p: p, in_axes=({"x": 0},))({"y": np.ones(2)})
    with pytest.raises(TypeError, match=r"in_axes: expected integers and None, got 0\.5"):
        gx.vmap(lambda x: x, in_axes=0.5)(np.ones(2))
    with pytest.raises(ValueError, match=r"out_axes=None, but a result of shape \(\) depends on"):
        gx.vmap(lambda x: x, out_axes=None)(np.ones(2))
    with pytest.raises(IndexError, match=r"out_axes=3, but a result has 1 axes"):
        gx.vmap(lambda x: x, out_axes=3)(np.ones(2))
    with pytest.raises(TypeError, match="asks for the numbers of one call"):
        gx.vmap(lambda x: 1 if x > 0 else 2)(np.ones(2))


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_jacobian_is_the_same_in_chunks_of_any_size(chunk_size):
    f = lambda x: gx.sin(x) * gx.sum(x)
    x = np.arange(7.0)

    expected = np.diag(np.cos(x) * x.sum()) + np.sin(x)[:, None]
    np.testing.assert_allclose(gx.jacobian(f, chunk_size=chunk_size)(x), expected)


@pytest.mark.parametrize(
    "shapes", [((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,)), ((3,), (4, 3, 2))]
)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_products_with_vectors_are_run_on_the_whole_batch(shapes, axes):
    count, rng = 40, np.random.default_rng(0)
    x, y = (
        rng.normal(size=shape if axis is None else (count, *shape))
        for shape, axis in zip(shapes, axes, strict=True)
    )
    mapped = gx.vmap(lambda x, y: x @ y, in_axes=axes)

    rows = [
        tuple(v if a is None else v[i] for v, a in zip((x, y), axes, strict=True))
        for i in range(count)
    ]
    np.testing.assert_allclose(mapped(x, y), [x @ y for x, y in rows], rtol=1e-12, atol=1e-12)
    assert len(gx.capture(mapped)(x, y).equations) < 8


def test_results_whose_shapes_differ_from_element_to_element_are_refused():
    x = np.asarray([[1.0, -1.0], [1.0, 2.0]])

    with pytest.raises(ValueError, match="shape of a result depends on numbers"):
        gx.vmap(lambda v: v[v > 0])(x)


def test_what_is_given_by_name_is_not_mapped_and_that_is_said():
    with pytest.raises(TypeError, match=r"factor given by name.*functools.partial"):
        gx.vmap(lambda x, factor: x * factor)(np.ones(3), factor=2.0)


@pytest.mark.parametrize("reduce", [gx.sum, gx.prod, gx.max, gx.cumulative_sum, gx.argmax, gx.mean])
def test_axis_0_of_what_has_no_axes_is_what_it_is_outside_of_a_map(reduce):
    x = np.asarray([2.0, -3.0])

    mapped = gx.vmap(lambda x: reduce(x, axis=0))(x)

    np.testing.assert_array_equal(
        mapped, np.stack([reduce(one, axis=0) for one in map(np.asarray, x)])
    )


@pytest.mark.parametrize(
    "arrange",
    [
        lambda x: np.reshape(x, 12),
        lambda x: gx.reshape(x, -1),
        lambda x: np.broadcast_to(x[0, :1], 5),
        lambda x: np.expand_dims(x, [0, -1]),
        lambda x: np.roll(x, [1, 2], axis=[0, 1]),
    ],
    ids=["reshape", "reshape to -1", "broadcast_to", "expand_dims", "roll"],
)
def test_shape_may_be_one_length_and_axes_a_list_inside_of_a_map(arrange):
    x = np.arange(24.0).reshape(2, 3, 4)

    mapped = gx.vmap(arrange)(x)

    np.testing.assert_array_equal(mapped, np.stack([arrange(one) for one in x]))


def test_mapped_function_keeps_its_name_and_docstring():
    def squared(x):
        """Square numbers."""
        return x * x

    mapped = gx.vmap(squared)

    assert (mapped.__name__, mapped.__doc__) == ("squared", "Square numbers.")
    with pytest.raises(ValueError, match="grad of squared"):
        gx.grad(mapped)(np.ones(2))
