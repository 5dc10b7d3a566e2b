"""A function with rules of its own is an op to every transform."""

import numpy as np
import pytest

import gradx as gx
from gradx.testing import check_derivatives

X = np.asarray([0.1, 0.5, 2.0])


@gx.custom_rule(partials={"x": lambda out: 1 - out * out})
def squash(x):
    """Squash numbers to between -1 and 1."""
    return gx.tanh(x)


def product(x, y):
    return np.multiply(x, y)  # which nothing but a rule can differentiate


BY = {"x": lambda g, y: g * y, "y": lambda g, x: g * x}
PRODUCTS = {
    "partials": gx.custom_rule(partials={"x": lambda y: y, "y": lambda x: x})(product),
    "vjp": gx.custom_rule(vjp=BY)(product),
    "jvp": gx.custom_rule(jvp=BY)(product),
    "both": gx.custom_rule(vjp=BY, jvp=BY)(product),
}
every_product = pytest.mark.parametrize("multiply", PRODUCTS.values(), ids=PRODUCTS)


@every_product
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_rules_are_differentiated_to_third_order_and_broadcast(multiply, shape):
    check_derivatives(multiply, X, np.full(shape, 3.0), order=3)


@every_product
def test_it_maps_over_batches(multiply):
    x, y = np.arange(6.0).reshape(2, 3), np.asarray([2.0, 5.0])

    np.testing.assert_array_equal(gx.vmap(multiply)(x, y), x * y[:, None])
    np.testing.assert_array_equal(
        gx.vmap(gx.grad(lambda x, y: gx.sum(multiply(x, y))))(x, y), np.ones((2, 3)) * y[:, None]
    )


@every_product
def test_it_works_on_every_backend(multiply, backend):
    if backend.name != "numpy":
        multiply = gx.custom_rule(vjp=BY)(gx.multiply)
    x, y = backend.xp.asarray([1.0, 2.0]), backend.xp.asarray([3.0, 4.0])

    gradients = gx.grad(lambda x, y: gx.sum(multiply(x, y) ** 2), (0, 1))(x, y)

    np.testing.assert_array_equal(backend.to_numpy(gradients[0]), [18.0, 64.0])
    np.testing.assert_array_equal(backend.to_numpy(gradients[1]), [6.0, 32.0])


def test_rule_replaces_the_derivative():
    @gx.custom_rule(vjp={"x": lambda g, limit: gx.clip(g, -limit, limit)})
    def limited(x, *, limit=2.0):
        return x

    assert gx.grad(lambda x: 100 * limited(x))(1.0) == 2.0
    assert gx.grad(lambda x: -100 * limited(x, limit=3.0))(1.0) == -3.0


def test_straight_through_rounding():
    rounded = gx.custom_rule(partials={"x": 1})(lambda x: gx.round(x))

    np.testing.assert_array_equal(gx.grad(lambda x: gx.sum(rounded(x) ** 2))(X), 2 * np.round(X))
    np.testing.assert_array_equal(gx.hessian(lambda x: gx.sum(rounded(x) ** 2))(X), 2 * np.eye(3))


def test_input_without_a_rule_is_a_constant():
    half = gx.custom_rule(vjp={"x": lambda g, y: g * y})(product)

    assert gx.grad(half, (0, 1))(2.0, 3.0) == (3.0, 0.0)


def test_name_of_an_op_gives_it_nothing_of_the_op():
    def where(x):
        return gx.sqrt(x)

    root = gx.custom_rule(partials={"x": lambda out: 0.5 / out})(where)

    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.isnan(gx.grad(lambda x: gx.sum(root(x) ** 2))(np.asarray([0.0, 1.0]))[0])


def test_function_is_called_with_arrays_only():
    given = []

    @gx.custom_rule(partials={"x": 2.0})
    def twice(x):
        given.append(type(x))
        return 2 * x

    twice(X)

    assert given == [np.ndarray]


def test_dead_branches_stay_dead():
    root = gx.custom_rule(partials={"x": lambda out: 0.5 / out})(lambda x: gx.sqrt(x))
    f = lambda x: gx.sum(gx.where(x > 0, root(x), 0.0))

    np.testing.assert_array_equal(gx.grad(f)(np.asarray([0.0, 1.0])), [0.0, 0.5])


def test_it_keeps_its_name_and_docstring():
    assert squash.__name__ == "squash"
    assert squash.__doc__ == "Squash numbers to between -1 and 1."
    with pytest.raises(TypeError, match=r"squash\(\) missing 1 required positional argument: 'x'"):
        squash()


WRONG = {
    "partials=, or vjp=, jvp=": lambda: gx.custom_rule(),
    r"rules for \['z'\]; its inputs are \['x'\]": lambda: declared(vjp={"z": lambda g: g}),
    r"a rule names \['q'\]; it may name": lambda: declared(vjp={"x": lambda g, q: g}),
    "the first parameter of a rule is 'g'": lambda: declared(jvp={"x": lambda x: x}),
    "has no attribute '__code__'": lambda: declared(vjp={"x": 3}),
    "a=1 is a setting: write it after a": lambda: declared(lambda x, a=1: x),
    r"named one by one, not as \*xs": lambda: declared(lambda *xs: xs[0]),
    "takes no array by position": lambda: declared(lambda *, a: a),
    "must return one array, got": lambda: declared(lambda x: (x, x))(X),
    "tracked by grad of .* not among its arguments": lambda: gx.grad(
        lambda w: declared(lambda x: x * w)(1.0)
    )(2.0),
}


def declared(f=lambda x: x, **rules):
    return gx.custom_rule(**(rules or {"vjp": {}}))(f)


@pytest.mark.parametrize("words", WRONG)
def test_mistakes_are_named(words):
    with pytest.raises(TypeError, match=words) as caught:
        WRONG[words]()

    assert isinstance(caught.value, gx.GradxError)


def test_zero_that_a_rule_multiplies_by_is_no_constant_in_any_mode():
    squared = gx.custom_rule(jvp={"x": lambda g, x: 2 * g * x})(lambda x: x * x)
    f = lambda x: squared(gx.sqrt(x))  # at 0 the derivative is 0 times infinity
    x, one = np.asarray(0.0), np.asarray(1.0)

    derivatives = [gx.grad(f)(x), gx.jvp(f, (x,), (one,))[1], gx.linearize(f, x)[1](one)]

    assert np.isnan(derivatives).all()


@pytest.mark.parametrize("multiply", [PRODUCTS["vjp"], PRODUCTS["jvp"]], ids=["vjp", "jvp"])
def test_zeros_that_a_rule_keeps_are_honest_in_the_transposed_rule_too(multiply):
    entropy = lambda x: gx.special.entr(x * x)  # its derivative at 0 is -0 * log(0)
    f = lambda x: multiply(entropy(x), entropy(x))
    x, along = np.asarray([0.0, 2.0]), np.ones(2)

    with np.errstate(all="ignore"):
        expected = gx.grad(lambda x: gx.sum(entropy(x) ** 2))(x)
        found = [
            gx.jvp(f, (x,), (along,))[1],
            gx.linearize(f, x)[1](along),
            gx.vjp(f, x)[1](along)[0],
        ]

    assert np.isnan(expected).tolist() == [True, False]
    for derivative in found:
        np.testing.assert_allclose(derivative, expected, rtol=1e-14)


@gx.custom_rule(jvp={"x": lambda g: halved(g)})
def halved(x):
    return x / 2


@gx.custom_rule(jvp={"x": lambda g, y: over(g, y), "y": lambda g, y, out: -out * g / y})
def over(x, y):
    return x / y


def test_rule_of_a_linear_function_may_be_the_function():
    check_derivatives(lambda x: halved(halved(x) ** 3), X, order=3)
    check_derivatives(over, X, X + 1.0, order=3)
    np.testing.assert_allclose(gx.vmap(gx.grad(halved))(X), 0.5)


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_rule_may_return_a_number(kind):
    turned = gx.custom_rule(**{kind: {"x": lambda g: 1j * g}})(lambda x: x * 1j)
    stopped = gx.custom_rule(**{kind: {"x": lambda g: 0}})(lambda x: x * 1)

    check_derivatives(gx.vmap(lambda x: turned(x) * turned(x)), X)
    assert not gx.grad(stopped)(2.0)
    assert not gx.jvp(stopped, (2.0,), (1.0,))[1]
