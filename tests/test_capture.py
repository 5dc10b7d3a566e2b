"""``gx.capture``: a function as a graph; what must not be read raises and says where."""

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree

X = np.asarray([1.0, 2.0, 3.0])


def line_of(error):
    """Return what the message says about the line."""
    return str(error.value).rpartition(", at ")[2]


READS = {
    "if": lambda t: t if t[0] > 0 else -t,
    "float": lambda t: t * float(t[0]),
    "int": lambda t: t * int(t[0]),
    "item": lambda t: t * t[0].item(),
    "tolist": lambda t: t * t.tolist()[0],
    "asarray": lambda t: t * np.asarray(t),
    "range": lambda t: [t for _ in range(gx.astype(t[0], "int64"))],
    "in": lambda t: t if t[0] in [1.0, 2.0] else -t,
    "max": lambda t: max(t[0], t[1]),
    "dlpack": lambda t: np.from_dlpack(t),
    "inside a gradient": lambda t: gx.grad(lambda u: gx.sum(u) * float(u[0]))(t),
    "inside vmap": lambda t: gx.vmap(lambda u: u if u > 0 else -u)(t),
    "detached": lambda t: float(gx.grad(lambda u: gx.sum(u * u) * float(u.detach()[0]))(t)),
    "mask": lambda t: t[t > 1],
    "nonzero": lambda t: gx.nonzero(t),
    "unique": lambda t: gx.unique_values(t),
    "np.real_if_close": lambda t: np.real_if_close(t + 0j),
}


@pytest.mark.parametrize("name", READS)
def test_reading_a_number_raises_and_names_the_line(name):
    with pytest.raises(TypeError) as error:
        gx.capture(READS[name])(X)

    assert isinstance(error.value, gx.CaptureError)
    assert "test_capture.py" in line_of(error)
    assert "lambda t" in line_of(error)


def test_number_as_a_shape_raises_and_says_static():
    with pytest.raises(gx.CaptureError, match=r"static=.*test_capture\.py"):
        gx.capture(lambda t, n: gx.reshape(t, (n, -1)))(X, 3)


def test_tensor_of_a_captured_value_raises():
    with pytest.raises(gx.CaptureError, match=r"gx\.tensor"):
        gx.capture(lambda t: gx.tensor(t) * t)(X)


def test_captured_value_that_outlives_the_capture_raises():
    leaked = []
    gx.capture(lambda t: leaked.append(t) or t)(X)

    with pytest.raises(RuntimeError, match="outlived"):
        leaked[0] * 2


def test_capture_reads_like_a_program():
    graph = gx.capture(lambda x, rate: gx.sum(x * rate, axis=0))(X, 0.5)

    lines = str(graph).splitlines()
    assert lines[:3] == ["f(", "    a: float64[3],  # x", "    b: float,  # rate"]
    assert lines[4].startswith("    c: float64[3] = multiply(a, b)  # ")
    assert lines[5].startswith("    d: float64[] = sum(c, axis=0)  # ")
    assert lines[6] == "    return d"


def test_graph_runs_on_other_numbers():
    graph = gx.capture(lambda x, y: (x * y, gx.sum(x)))(X, X)

    product, total = graph(X + 1, X)

    np.testing.assert_array_equal(product, (X + 1) * X)
    assert total == 9


def test_graph_runs_on_another_library(backend):
    constant = np.asarray([1.0, 0.0, 2.0])
    graph = gx.capture(lambda x: gx.grad(lambda x: gx.sum(gx.sin(x) * constant))(x))(X)

    out = graph(backend.from_numpy(X, backend.devices()[0]))

    assert type(out) is type(backend.from_numpy(X, backend.devices()[0]))
    np.testing.assert_allclose(backend.to_numpy(out), np.cos(X) * constant)


def test_graph_is_differentiated_like_a_function():
    f = lambda x: gx.sum(gx.where(x > 1.5, gx.log(x), x * x))
    graph = gx.capture(f)(X)

    np.testing.assert_array_equal(gx.grad(graph)(X), gx.grad(f)(X))
    np.testing.assert_allclose(gx.hessian(graph)(X), gx.hessian(f)(X))


def test_graph_of_a_gradient_is_differentiated_again():
    f = lambda x: gx.sum(gx.where(x > 1.5, gx.sqrt(x) ** 3, x**3))
    graph = gx.capture(gx.grad(f))(X)

    actual = gx.jacobian(graph)(X)

    np.testing.assert_allclose(actual, gx.hessian(f)(X))


PROGRAMS_WITH_A_DERIVATIVE = {
    "gradient of a smooth function behind where": lambda x, y: gx.sum(
        gx.grad(lambda x: gx.sum(gx.where(x > 0, x, 0.0) * y))(x)
    ),
    "gradient of a singular function": lambda x, y: gx.sum(
        x * gx.grad(lambda x: gx.sum(gx.sqrt(x) * y))(x)
    ),
    "gradient that another follows": lambda x, y: gx.sum(
        gx.grad(lambda x: gx.sum(y * gx.grad(lambda x: gx.sum(gx.log(x) * y))(x)))(x)
    ),
    "tangent": lambda x, y: gx.jvp(lambda x: gx.sum(gx.log(x) * y), (x,), (x,))[1],
    "direction of a tangent": lambda x, y: gx.sum(x * gx.jvp(gx.sqrt, (x,), (y,))[1]),
    "cotangent": lambda x, y: gx.sum(x * gx.vjp(gx.sqrt, x)[1](y)[0]),
}


@pytest.mark.parametrize("name", PROGRAMS_WITH_A_DERIVATIVE)
def test_graph_with_a_derivative_varies_with_inputs_that_are_zero(name):
    f = PROGRAMS_WITH_A_DERIVATIVE[name]
    x, y = np.asarray([1.0, 4.0, 2.0]), np.asarray([0.0, 2.0, 0.0])

    graph = gx.capture(f)(x, y)
    graph = type(graph).from_json(graph.to_json())

    for actual, expected in zip(
        gx.grad(graph, argnums=(0, 1))(x, y), gx.grad(f, argnums=(0, 1))(x, y), strict=True
    ):
        np.testing.assert_allclose(actual, expected)
    np.testing.assert_allclose(gx.jvp(graph, (x, y), (x, x))[1], gx.jvp(f, (x, y), (x, x))[1])


def test_zero_of_an_input_is_dead_in_a_graph_that_is_not_differentiated_by_it():
    f = lambda x, y: gx.grad(lambda x: gx.sum(gx.sqrt(x) * y))(x)
    x, y = np.asarray([0.0, 1.0]), np.asarray([0.0, 2.0])

    graph = gx.capture(f)(x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        actual = graph(x, y)

    np.testing.assert_array_equal(actual, [0.0, 1.0])


def test_graph_refuses_another_number_of_inputs_and_other_shapes():
    graph = gx.capture(lambda x: x * 2)(X)

    with pytest.raises(ValueError, match="1 inputs, got 2"):
        graph(X, X)
    with pytest.raises(ValueError, match=r"input 0 \(x\) is float64 \(4,\), expected float64\[3\]"):
        graph(np.ones(4))


def test_dead_zero_is_dead_whatever_the_numbers_are():
    f = gx.grad(lambda x: gx.sum(gx.where(x > 0, gx.log(x), 0.0)))
    compiled = gx.compile(f)
    compiled(X)  # nothing to mask here

    with np.errstate(all="ignore"):
        out = compiled(np.asarray([0.0, -1.0, 2.0]))

    np.testing.assert_array_equal(out, [0.0, 0.0, 0.5])


def test_constant_that_becomes_zero_kills_what_it_multiplies():
    mask = np.ones(1000)
    compiled = gx.compile(gx.grad(lambda x: gx.sum(gx.sqrt(x * mask))))
    compiled(np.ones(1000))
    mask[:500] = 0.0

    out = compiled(np.ones(1000))

    np.testing.assert_array_equal(out, np.repeat([0.0, 0.5], 500))


def test_random_numbers_are_drawn_from_the_key_that_is_given():
    def draw(key):
        first, second = gx.random.split(key)
        third = gx.random.fold_in(key, 7)
        return (
            gx.random.normal(first, (2, 3)),
            gx.random.uniform(second, (3,), dtype="float32", low=-1.0),
            gx.random.bernoulli(third, 0.3, (5,)),
            gx.random.integers(third, 0, 10, (4,)),
            gx.random.permutation(second, 6),
            gx.random.permutation(second, np.arange(8.0)),
        )

    compiled = gx.compile(draw)

    for seed in range(3):
        key = gx.random.key(seed)
        for actual, expected in zip(compiled(key), draw(key), strict=True):
            np.testing.assert_array_equal(actual, expected)
    assert len(compiled.programs) == 1


def test_key_may_be_folded_with_a_captured_count():
    f = lambda key, step: gx.random.uniform(gx.random.fold_in(key, step), ())
    compiled = gx.compile(f)
    key = gx.random.key(3)

    for step in (0, 5, np.asarray(7), np.asarray(9)):
        assert compiled(key, step) == f(key, step)


def test_wrong_key_raises_while_capturing():
    with pytest.raises(ValueError, match="expected one key"):
        gx.compile(lambda key: gx.random.normal(key, (2,)))(X)


def test_dropout_draws_anew_at_every_call():
    drop = gx.nn.Dropout(0.5)
    f = lambda x, key: drop(x, key=key, train=True)
    compiled = gx.compile(f)
    x = np.ones(100)

    outs = [compiled(x, gx.random.key(n)) for n in range(3)]

    assert not np.array_equal(outs[1], outs[2])
    np.testing.assert_array_equal(outs[2], f(x, gx.random.key(2)))


def test_in_place_optimizer_state_counts_in_the_graph():
    optimizer = gx.optim.adam(gx.optim.schedules.cosine(0.1, steps=5))
    params = X
    states = [optimizer.init(params)] * 2
    compiled = gx.compile(optimizer.update)

    for _ in range(8):
        expected, states[0] = optimizer.update(X, states[0], params)
        actual, states[1] = compiled(X, states[1], params)
        np.testing.assert_allclose(actual, expected, rtol=1e-14)

    assert states[1].count == 8


def test_interpolation_is_captured():
    knots, heights = np.asarray([0.0, 1.0, 2.0]), np.asarray([0.0, 10.0, 0.0])
    compiled = gx.compile(lambda x: np.interp(x, knots, heights))
    compiled(np.asarray([0.5]))

    assert compiled(np.asarray([1.5]))[0] == 5


def test_leaves_of_a_tree_are_inputs_in_order():
    graph = gx.capture(lambda t: t["b"] - t["a"])({"a": X, "b": X * 2})

    assert [x.name for x in graph.inputs] == ["t['a']", "t['b']"]
    np.testing.assert_array_equal(graph(*tree.leaves({"a": X, "b": X * 3})), X * 2)
