"""What a selection left out has derivative 0, in every mode and to second order.

Each function is singular at the first of its points, behind a selection. Where
nothing was selected the NaN is honest, and stays.
"""

import math

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import OPS
from gradx.ops.convolution import convolution_kernel
from gradx.transforms import moderate
from gradx.transforms.reach import reached_by
from gradx.transforms.reverse import Reverse
from gradx.transforms.structural import HARMLESS, MOVING, SELECTING, SMOOTH
from tests.test_ops import drawing, is_floating

# The functions' own: log(0) and 2 / 0. Their derivatives add none.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")

# name: (function, point, gradient, diagonal of the Hessian)
CASES = {
    "untaken branch": (lambda x: gx.where(x > 0, gx.log(x), 0.0), 2.0, 0.5, -0.25),
    "untaken quotient": (lambda x: gx.where(x != 0, 2.0 / x, 1.0), 2.0, -0.5, 0.5),
    "untaken power": (lambda x: gx.where(x > 0, x**1.5, 0.0), 1.0, 1.5, 0.75),
    "both branches": (
        lambda x: gx.where(x > 0, gx.sqrt(gx.where(x > 0, x, 1.0)), 0.0),
        1.0,
        0.5,
        -0.25,
    ),
    "untaken argument": (lambda x: gx.sqrt(gx.where(x > 0, x, 0.0)), 1.0, 0.5, -0.25),
    "loser of maximum": (lambda x: gx.maximum(gx.log(x), -1.0), 2.0, 0.5, -0.25),
    "clipped": (lambda x: gx.clip(gx.log(x), -1.0, None), 2.0, 0.5, -0.25),
    "relu": (lambda x: gx.nn.relu(gx.log(x)), 2.0, 0.5, -0.25),
    "not indexed": (lambda x: gx.log(x)[1:], 2.0, 0.5, -0.25),
    "not taken": (lambda x: gx.take(gx.log(x), np.asarray([1])), 2.0, 0.5, -0.25),
    "masked": (lambda x: gx.log(x)[np.asarray([False, True])], 2.0, 0.5, -0.25),
    "moved about": (
        lambda x: gx.flip(gx.reshape(gx.log(gx.permute_dims(x[:, None], (1, 0))), (2,)))[:1],
        2.0,
        0.5,
        -0.25,
    ),
    "in no window": (
        lambda x: gx.avg_pool(gx.sqrt(x)[None, None, ::-1], 1, stride=2),
        1.0,
        0.5,
        -0.25,
    ),
    "constant zero": (lambda x: np.asarray([0.0, 2.0]) * gx.sqrt(x), 1.0, 1.0, -0.5),
    "number zero": (lambda x: 0 * gx.sqrt(x) + x**3 / 6, 1.0, 0.5, 1.0),
    "zero inside": (lambda x: gx.sqrt(x * np.asarray([0.0, 1.0])), 1.0, 0.5, -0.25),
    "selected twice": (
        lambda x: gx.where(x > 0, gx.log(x), 0.0) * gx.where(x > 0, gx.sqrt(x), 0.0),
        1.0,
        1.0,
        0.0,
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    f, point, slope, curvature = CASES[request.param]
    return lambda x: gx.sum(f(x)), np.asarray([0.0, point]), [0.0, slope], [0.0, curvature]


def basis(x):
    return np.eye(x.shape[0])


def by_forward(f):
    return lambda x: gx.stack([gx.jvp(f, (x,), (e,))[1] for e in basis(x)])


def test_gradient_in_both_modes(case):
    f, x, slope, _ = case

    np.testing.assert_allclose(gx.grad(f)(x), slope, rtol=1e-14)
    np.testing.assert_allclose(by_forward(f)(x), slope, rtol=1e-14)
    np.testing.assert_allclose(gx.jacobian(f)(x), slope, rtol=1e-14)


@pytest.mark.parametrize("inner", [gx.grad, by_forward])
@pytest.mark.parametrize("outer", ["reverse", "forward", "batched"])
def test_hessian_in_every_mix_of_modes(case, inner, outer):
    f, x, _, curvature = case
    rows = {
        "reverse": lambda g: [gx.vjp(g, x)[1](e)[0] for e in basis(x)],
        "forward": lambda g: [gx.jvp(g, (x,), (e,))[1] for e in basis(x)],
        "batched": lambda g: gx.jacobian(g)(x),
    }

    found = np.asarray(rows[outer](inner(f)))

    np.testing.assert_allclose(np.diag(found), curvature, atol=1e-14)
    assert np.all(np.isfinite(found))


def test_third_order():
    f = lambda x: gx.sum(gx.where(x > 0, gx.log(x), 0.0))
    third = gx.grad(lambda x: gx.sum(gx.grad(lambda x: gx.sum(gx.grad(f)(x)))(x)))

    np.testing.assert_allclose(third(np.asarray([0.0, 2.0])), [0.0, 0.25])


def test_the_same_on_every_backend(backend):
    x = backend.xp.asarray([0.0, 2.0])
    f = lambda x: gx.sum(gx.where(x > 0, gx.log(x), 0.0 * x))

    np.testing.assert_array_equal(backend.to_numpy(gx.grad(f)(x)), [0.0, 0.5])
    np.testing.assert_array_equal(backend.to_numpy(gx.hessian(f)(x)), [[0.0, 0.0], [0.0, -0.25]])


def test_zeros_of_a_seed_are_dead():
    _, pullback = gx.vjp(gx.log, np.asarray([0.0, 2.0]))

    np.testing.assert_array_equal(pullback(np.asarray([0.0, 1.0]))[0], [0.0, 0.5])
    np.testing.assert_array_equal(pullback(np.asarray([1.0, 1.0]))[0], [math.inf, 0.5])


def arrays_and_params(op, sample):
    """Return the arguments that traces call an op with."""
    params = {name[1:]: value for name, value in op.defaults.items()} | sample.params
    if "dtype" in sample.params:
        params["dtype"] = np.dtype(params["dtype"])
    arrays = sample.arrays[0] if op.signature.variadic else sample.arrays
    return arrays, {name: params[name] for name in op.signature.params}


def rules_of(op, sample):
    """Yield each rule of an op that mixes elements, what it keeps and what it maps."""
    arrays, params = arrays_and_params(op, sample)
    out = op.run(tuple(arrays), params)
    for position, array in enumerate(arrays):
        place = 0 if op.signature.variadic else position
        picked = (position, arrays) if op.signature.variadic else arrays
        if op.vjp[place] is None or not is_floating(array):
            continue
        if not op.results:
            yield op.jvp[place], op.jvp[place].pick(out, *picked, params), array
        for number, one in enumerate(out if op.results else [out]):
            rule = op.vjp[place].of_output(number, len(out)) if op.results else op.vjp[place]
            if is_floating(np.asarray(one)):
                yield rule, op.vjp[place].pick(out, *picked, params), np.asarray(one)


MIXING = [
    op
    for op in OPS.values()
    if any(op.vjp) and not op.elementwise and op.name not in SELECTING | MOVING
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("op", MIXING, ids=lambda op: op.name)
def test_what_a_rule_does_not_reach_is_zero(op):
    rng = np.random.default_rng(0)
    for sample in op.samples(drawing(seed=0)):
        for rule, saved, like in rules_of(op, sample):
            for share in (0.0, 0.3, 0.7):
                live = np.asarray(rng.random(like.shape) < share, dtype=float)
                g = np.asarray(rng.normal(size=like.shape) * live, dtype=like.dtype)

                reached = reached_by(rule, saved, like, live, keep_zeros=False)

                part = np.broadcast_to(rule.apply(g, *saved), np.shape(reached))
                assert not np.any(part[np.asarray(reached == 0)])
                assert share or not np.any(reached)


def test_a_branch_that_mixes_its_elements_is_dead_as_a_whole():
    def f(x):
        return gx.where(gx.sum(x) > 0, gx.sum(gx.nn.softmax(x / gx.sum(x))), gx.sum(x))

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(gx.grad(f)(np.asarray([0.0, 0.0])), [1.0, 1.0])


def test_zeros_that_arithmetic_made_are_honest():
    # The derivative of sqrt(x)**2 at 0 would be 1, and no rule of calculus says so.
    f = lambda x: gx.sum(gx.sqrt(x) ** 2)

    assert math.isnan(gx.grad(f)(np.asarray([0.0, 1.0]))[0])
    assert math.isnan(gx.jvp(f, (np.asarray([0.0]),), (np.asarray([1.0]),))[1])
    assert math.isnan(gx.grad(lambda x, y: y * gx.sqrt(x), argnums=1)(0.0, 0.0)) is False
    assert math.isnan(gx.grad(lambda x, y: y * gx.sqrt(x) + x * y, argnums=(0, 1))(0.0, 0.0)[0])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_zeros_that_arithmetic_made_are_honest_in_linear_maps():
    f = lambda x: gx.sqrt(x) ** 2
    x, ones = np.asarray([0.0, 1.0]), np.ones(2)

    np.testing.assert_array_equal(gx.linearize(f, x)[1](ones), [np.nan, 1.0])
    np.testing.assert_array_equal(np.diag(gx.jacobian(f)(x)), [np.nan, 1.0])


@pytest.mark.parametrize("outer", [gx.grad, lambda f: lambda y: gx.jvp(f, (y,), (1.0,))[1]])
@pytest.mark.parametrize("inner", [gx.grad, lambda f: lambda x: gx.jvp(f, (x,), (1.0,))[1]])
def test_zeros_of_an_inner_rule_are_honest_to_an_outer_derivative(outer, inner):
    # By x it is y * 0 * inf, which is NaN whatever y is.
    by_x = lambda y: inner(lambda x: y * gx.sqrt(x) ** 2)(0.0)

    assert math.isnan(outer(by_x)(1.0))


def test_constant_zeros_are_dead_in_a_batch_as_in_a_loop():
    slope = gx.grad(lambda x, c: c * gx.sqrt(x) + x)

    found = gx.vmap(slope)(np.asarray([0.0, 1.0]), np.asarray([0.0, 2.0]))

    np.testing.assert_array_equal(found, [1.0, 2.0])


def test_linear_map_of_a_derivative_is_not_taken_for_its_value_at_zero():
    _, push = gx.linearize(lambda x: gx.where(x > 0, gx.log(x), 0.0), np.asarray([0.0, 2.0]))

    np.testing.assert_array_equal(push(np.asarray([1.0, 1.0])), [0.0, 0.5])


def test_infinite_derivative_is_kept():
    assert gx.grad(gx.sqrt)(0.0) == math.inf
    assert gx.grad(lambda x: gx.sum(gx.sqrt(x)))(np.asarray([0.0, 1.0]))[0] == math.inf


def test_tables_name_ops():
    tables = (MOVING, SELECTING, SMOOTH)
    assert OPS.keys() >= frozenset().union(*tables)
    assert sum(map(len, tables)) == len(frozenset().union(*tables))


def test_nothing_of_what_broadcasts_to_no_elements_is_dead():
    f = lambda x: gx.sum(gx.sqrt(x) * np.ones((0, 2))) + gx.sum(x)

    np.testing.assert_array_equal(gx.grad(f)(np.zeros(2)), [1.0, 1.0])


def rooted(x):
    """Take what is 0 by structure through a root, whose derivative is infinite there."""
    return gx.sum(gx.sqrt(x * x))


SQUARE = np.asarray([[4.0, 1.0, 0.5], [1.0, 3.0, -0.7], [0.5, -0.7, 2.0]])
HOLLOW = {
    "cholesky": (lambda x: gx.linalg.cholesky(x), SQUARE),
    "cholesky, upper": (lambda x: gx.linalg.cholesky(x, upper=True), SQUARE),
    "qr": (lambda x: gx.linalg.qr(x).R, SQUARE),
    "qr of a tall matrix": (lambda x: gx.linalg.qr(x).R, SQUARE[:, :2]),
    "qr of a wide matrix": (lambda x: gx.linalg.qr(x).R, SQUARE[:2]),
    "complete qr": (lambda x: gx.linalg.qr(x, mode="complete").R, SQUARE[:, :2]),
    "holes": (lambda x: gx.conv_transpose(x[None, None], np.ones((1, 1, 2, 2)), stride=3), SQUARE),
    "windows of padding": (lambda x: gx.conv(x[None, None], x[None, None], padding=3), SQUARE),
    "a kernel on padding": (
        lambda x: convolution_kernel(
            x[None, None],
            x[None, None, :1],
            kernel=(3, 4),
            stride=(1, 1),
            before=(1, 0),
            dilation=(1, 1),
            groups=1,
        ),
        SQUARE,
    ),
}


@pytest.mark.filterwarnings("ignore:invalid value")  # where the root meets what nothing reaches
@pytest.mark.parametrize("name", HOLLOW)
def test_zeros_that_nothing_reaches_are_dead_in_every_mode(name):
    f, x = HOLLOW[name]
    loss = lambda x: rooted(f(x))
    along = np.cos(np.arange(x.size)).reshape(x.shape)
    along = along + along.T if name.startswith("cholesky") else along
    slope = lambda x: np.sum(gx.grad(loss)(x) * along)
    derivative = lambda x: gx.jvp(loss, (x,), (along,))[1]
    step = 1e-6

    expected = (loss(x + step * along) - loss(x - step * along)) / (2 * step)
    second = (derivative(x + step * along) - derivative(x - step * along)) / (2 * step)

    for found in (slope(x), derivative(x), gx.linearize(loss, x)[1](along)):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    for outer in (slope, derivative):
        np.testing.assert_allclose(gx.jvp(outer, (x,), (along,))[1], second, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(np.sum(gx.grad(outer)(x) * along), second, rtol=1e-5, atol=1e-8)


def as_image(x):
    return gx.reshape(x, (1, 1, 3, 3))


# Of an array of 3 x 3: each reads its elements but for the last row.
LEFT_OUT = {
    "strides": lambda x, w: gx.conv(as_image(x), np.ones((1, 1, 2, 3)), stride=3),
    "padding": lambda x, w: gx.conv_transpose(
        as_image(x), np.ones((1, 1, 1, 1)), padding=((0, 1), (0, 0))
    ),
    "strides, the kernel varies": lambda x, w: gx.conv(
        as_image(x), gx.broadcast_to(w, (1, 1, 2, 3)), stride=3
    ),
    "padding, the kernel varies": lambda x, w: gx.conv_transpose(
        as_image(x), gx.reshape(w, (1, 1, 1, 1)), padding=((0, 1), (0, 0))
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_strides_and_padding_leave_out_is_dead_in_every_mode(name):
    f = LEFT_OUT[name]
    loss = lambda x: gx.sum(f(gx.sqrt(x), gx.mean(x)))
    rest = lambda x: gx.sum(f(gx.concat([gx.sqrt(x[:2]), np.zeros((1, 3))]), gx.mean(x)))
    x, along = np.ones((3, 3)), np.cos(np.arange(9.0)).reshape(3, 3)
    x[2] = 0.0
    slope = lambda f: lambda x: gx.sum(gx.grad(f)(x) * along)
    derivative = lambda f: lambda x: gx.jvp(f, (x,), (along,))[1]
    linear = lambda f: lambda x: gx.linearize(f, x)[1](along)

    for mode in (slope, derivative, linear, lambda f: slope(gx.checkpoint(f))):
        np.testing.assert_allclose(mode(loss)(x), slope(rest)(x), rtol=1e-13)
        for outer in (slope, derivative):
            np.testing.assert_allclose(outer(mode(loss))(x), slope(slope(rest))(x), rtol=1e-12)


BAD_AND_SMOOTH = {
    "a NaN": (np.nan, lambda x: gx.sin(x) * x),
    "an infinity": (np.inf, lambda x: x * x),
    "a number whose cube overflows": (1e150, lambda x: x**4),
    "a number whose product with others overflows": (
        1e60,
        lambda x: gx.prod(gx.stack([x] * 8), axis=0),
    ),
    "a NaN in a checkpoint": (np.nan, gx.checkpoint(lambda x: gx.sin(gx.sin(x)))),
}


@pytest.mark.parametrize("what", BAD_AND_SMOOTH)
@pytest.mark.parametrize("size", [10, 100_000])
def test_what_is_left_out_of_a_smooth_tape_of_any_size_is_dead(what, size):
    number, f = BAD_AND_SMOOTH[what]
    x = np.ones(size)
    x[-8:] = number

    with np.errstate(all="ignore"):
        gradient = gx.grad(lambda x: gx.sum(f(x)[:-8]))(x)

    np.testing.assert_array_equal(np.isnan(gradient), np.zeros(size, dtype=bool))
    np.testing.assert_array_equal(gradient[-8:], np.zeros(8))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(HARMLESS - moderate.OVERFLOWING))
def test_what_a_smooth_op_keeps_of_moderate_numbers_meets_no_nan(name, monkeypatch):
    monkeypatch.setattr(moderate, "LARGE", 0)
    op, tape = OPS[name], Reverse("a test")

    for sample in op.samples(drawing(seed=0)):
        given = sample.arrays[0] if op.signature.variadic else sample.arrays
        watched = [tape.watch(x) if is_floating(x) else x for x in given]
        arguments = [watched] if op.signature.variadic else watched
        out = op.call(*arguments, **sample.params)

        assert type(out) is gx.Tensor
        assert out.payload is None or not moderate.may_meet_nan([out.payload])
