"""Losses and penalties: values and gradients of PyTorch's, and no silent broadcasting."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn, random
from gradx.core import tree
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.testing import check_derivatives

REDUCTIONS = ["mean", "sum", "none"]
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
RNG = np.random.default_rng(0)
VALUES = 3 * RNG.normal(size=(6, 4))
TARGETS = RNG.normal(size=(6, 4))
LABELS = np.asarray([0, 3, 1, 1, 2, 3])
CHANCES = RNG.uniform(size=(6, 4))
SIGNS = np.where(TARGETS > 0, 1, -1)


def torch_functions():
    return pytest.importorskip("torch").nn.functional


# Ours, PyTorch's, the targets of both.
LIKE_TORCH = {
    "mse": (nn.mse, lambda F: F.mse_loss, TARGETS),
    "mae": (nn.mae, lambda F: F.l1_loss, TARGETS),
    "huber": (nn.huber, lambda F: F.huber_loss, TARGETS),
    "huber-wide": (
        lambda x, y, reduction: nn.huber(x, y, 2.5, reduction),
        lambda F: lambda x, y, reduction: F.huber_loss(x, y, delta=2.5, reduction=reduction),
        TARGETS,
    ),
    "cross_entropy": (nn.cross_entropy, lambda F: F.cross_entropy, LABELS),
    "binary_cross_entropy": (
        nn.binary_cross_entropy,
        lambda F: F.binary_cross_entropy_with_logits,
        CHANCES,
    ),
}


def placed(backend, array):
    return backend.from_numpy(np.array(array), backend.devices()[0])


@each_reduction
@pytest.mark.parametrize("name", LIKE_TORCH)
def test_value_and_gradient_are_those_of_torch(name, reduction, backend):
    functions, torch = torch_functions(), pytest.importorskip("torch")
    ours, theirs, targets = LIKE_TORCH[name]
    x = torch.tensor(VALUES, requires_grad=True)
    expected = theirs(functions)(x, torch.tensor(targets), reduction=reduction)
    expected.sum().backward()
    y = placed(backend, targets)

    found = ours(placed(backend, VALUES), y, reduction=reduction)
    gradient = gx.grad(lambda x: gx.sum(ours(x, y, reduction=reduction)))(placed(backend, VALUES))

    np.testing.assert_allclose(backend.to_numpy(found), expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(backend.to_numpy(gradient), x.grad.numpy(), rtol=1e-10, atol=1e-14)


def hinge_by_hand(scores, labels, margin):
    """The sum over wrong classes, one by one."""
    return np.asarray(
        [
            sum(max(0.0, row[j] - row[k] + margin) for j in range(len(row)) if j != k)
            for row, k in zip(scores, labels, strict=True)
        ]
    )


@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_hinge_of_classes_sums_over_the_wrong_ones(margin, backend):
    found = nn.hinge(placed(backend, VALUES), placed(backend, LABELS), margin, "none")

    np.testing.assert_allclose(backend.to_numpy(found), hinge_by_hand(VALUES, LABELS, margin))


def test_hinge_of_signs(backend):
    found = nn.hinge(placed(backend, VALUES), placed(backend, SIGNS), reduction="none")

    np.testing.assert_allclose(backend.to_numpy(found), np.maximum(0, 1 - SIGNS * VALUES))


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: nn.mse(x, TARGETS),
        lambda x: nn.mae(x, TARGETS),
        lambda x: nn.huber(x, TARGETS),
        lambda x: nn.cross_entropy(x, LABELS),
        lambda x: nn.binary_cross_entropy(x, CHANCES),
        lambda x: nn.hinge(x, LABELS),
        lambda x: nn.hinge(x, SIGNS),
        lambda x: nn.l2_penalty(x, 0.3),
        lambda x: nn.l1_penalty(x, 0.3),
    ],
)
def test_derivatives_to_second_order(loss):
    check_derivatives(loss, VALUES, order=2)


def test_huber_has_a_second_derivative_where_there_is_no_error():
    second = gx.hessian(lambda x: nn.huber(x, np.asarray(2.0)))(np.asarray(2.0))

    assert float(second) == 1.0


def test_losses_from_logits_neither_overflow_nor_vanish():
    logits = np.asarray([900.0, -900.0])

    losses = nn.binary_cross_entropy(logits, np.asarray([0, 1]), "none")
    gradient = gx.grad(lambda x: nn.binary_cross_entropy(x, np.asarray([0, 1]), "sum"))(logits)

    np.testing.assert_allclose(losses, [900.0, 900.0])
    np.testing.assert_allclose(gradient, [1.0, -1.0])
    assert float(nn.cross_entropy(logits[None], np.asarray([1]))) == pytest.approx(1800.0)


@pytest.mark.parametrize("loss", [nn.mse, nn.mae, nn.huber, nn.binary_cross_entropy])
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ShapeError, match=r"predictions \(4,\) and targets \(4, 1\) have different"):
        loss(np.zeros(4), np.zeros((4, 1)))


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.hinge])
def test_labels_of_another_shape_or_dtype_are_refused(loss):
    with pytest.raises(ShapeError, match=r"\(4, 3\) and \(5,\)"):
        loss(np.zeros((4, 3)), np.zeros(5, int))
    with pytest.raises(DTypeError, match="expected labels that are integers, got float64"):
        loss(np.zeros((4, 3)), np.zeros(4))


def test_a_label_that_is_no_class_is_refused():
    for loss in (nn.cross_entropy, nn.hinge):
        with pytest.raises(OutOfBoundsError, match="label 3, expected 0 to 2"):
            loss(np.zeros((2, 3)), np.asarray([0, 3]))


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_an_unknown_reduction_is_named(name):
    ours, _, targets = LIKE_TORCH[name]
    with pytest.raises(
        ShapeError, match="reduction='average', expected one of 'mean', 'sum', 'none'"
    ):
        ours(VALUES, targets, reduction="average")


def test_the_mean_of_nothing_is_refused():
    with pytest.raises(ShapeError, match=r"mse: the mean over no elements, of \(0, 3\)"):
        nn.mse(np.zeros((0, 3)), np.zeros((0, 3)))


def test_huber_needs_a_positive_delta():
    with pytest.raises(ShapeError, match="huber: delta=0, expected a number above 0"):
        nn.huber(VALUES, TARGETS, delta=0)


def test_float32_losses_stay_float32(backend):
    x = placed(backend, VALUES.astype(np.float32))
    for loss, targets in [
        (nn.mse, SIGNS),
        (nn.huber, SIGNS),
        (nn.cross_entropy, LABELS),
        (nn.hinge, LABELS),
    ]:
        assert loss(x, placed(backend, targets)).dtype == backend.xp.float32


# What classes count, and labels that are left out.

WEIGHTS = np.asarray([0.3, 1.7, 0.0, 2.0])
COUNTED = {
    "weights": {"class_weights": WEIGHTS},
    "ignored": {"ignore_index": 3},
    "both": {"class_weights": WEIGHTS, "ignore_index": 1},
    "both, smoothed": {"class_weights": WEIGHTS, "ignore_index": 1, "smoothing": 0.2},
    "no class ignored": {"ignore_index": -100, "smoothing": 0.1},
}


@each_reduction
@pytest.mark.parametrize("options", COUNTED.values(), ids=COUNTED)
def test_samples_count_as_in_torch(options, reduction, backend):
    functions, torch = torch_functions(), pytest.importorskip("torch")
    weights, ignored = options.get("class_weights"), options.get("ignore_index", -100)
    labels = np.where(LABELS == 2, ignored, LABELS)
    x = torch.tensor(VALUES, requires_grad=True)
    expected = functions.cross_entropy(
        x,
        torch.tensor(labels),
        None if weights is None else torch.tensor(weights),
        ignore_index=ignored,
        label_smoothing=options.get("smoothing", 0.0),
        reduction=reduction,
    )
    expected.sum().backward()
    options = {"ignore_index": ignored, **options}
    if weights is not None:
        options["class_weights"] = placed(backend, weights)
    y = placed(backend, labels)

    found = nn.cross_entropy(placed(backend, VALUES), y, reduction, **options)
    gradient = gx.grad(lambda x: gx.sum(nn.cross_entropy(x, y, reduction, **options)))(
        placed(backend, VALUES)
    )

    np.testing.assert_allclose(backend.to_numpy(found), expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(backend.to_numpy(gradient), x.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_mean_over_ignored_samples_alone_is_0():
    loss = gx.compile(gx.value_and_grad(lambda x, y: nn.cross_entropy(x, y, ignore_index=-1)))

    value, gradient = loss(VALUES, LABELS)
    assert value == pytest.approx(nn.cross_entropy(VALUES, LABELS))
    value, gradient = loss(VALUES, np.full(6, -1))
    assert value == 0.0
    assert not np.any(gradient)


def test_scores_of_ignored_samples_may_be_nan():
    scores = VALUES.copy()
    scores[1] = np.nan

    loss = lambda x: nn.cross_entropy(x, LABELS, ignore_index=3)

    np.testing.assert_array_equal(gx.grad(loss)(scores), gx.grad(loss)(VALUES))


def test_what_classes_count_is_differentiated():
    check_derivatives(lambda w: nn.cross_entropy(VALUES, LABELS, class_weights=w), WEIGHTS, order=2)


def test_wrong_class_weights_and_ignored_labels_are_named():
    with pytest.raises(ShapeError, match=r"class_weights \(3,\), expected one for each of 4"):
        nn.cross_entropy(VALUES, LABELS, class_weights=np.ones(3))
    with pytest.raises(DTypeError, match=r"ignore_index=0\.5, expected an integer"):
        nn.cross_entropy(VALUES, LABELS, ignore_index=0.5)
    with pytest.raises(OutOfBoundsError, match="label -2, expected 0 to 3"):
        nn.cross_entropy(VALUES, np.full(6, -2), ignore_index=-1)


# Penalties.


def test_penalties_are_sums_over_all_float_leaves(backend):
    params = {
        "w": placed(backend, [[1.0, -2.0]]),
        "b": placed(backend, [3.0]),
        "steps": placed(backend, [7]),
    }

    assert float(nn.l2_penalty(params, 0.5)) == 0.5 * (1 + 4 + 9)
    assert float(nn.l1_penalty(params, 0.5)) == 0.5 * (1 + 2 + 3)
    assert float(nn.l2_penalty(params, 0.5, select=nn.is_weight)) == 0.5 * (1 + 4)
    assert float(nn.l1_penalty({}, 0.5)) == 0.0


def test_the_gradient_of_a_penalty_is_a_model(backend):
    layer = nn.Linear(3, 2, key=random.key(0), device=backend.devices()[0])

    gradient = gx.grad(lambda m: nn.l2_penalty(m, 0.5))(layer)

    np.testing.assert_allclose(backend.to_numpy(gradient.weight), backend.to_numpy(layer.weight))


def test_the_second_derivative_of_l2_at_zero_is_exact():
    assert float(gx.hessian(lambda x: nn.l2_penalty(x, 0.5))(np.asarray(0.0))) == 1.0


def test_a_complex_leaf_counts_by_its_modulus():
    z = np.asarray([3 + 4j])

    assert float(nn.l2_penalty(z, 1.0)) == 25.0
    np.testing.assert_allclose(gx.grad(lambda z: nn.l2_penalty(z, 1.0))(z), 2 * z)


def test_a_negative_strength_is_refused():
    for penalty in (nn.l1_penalty, nn.l2_penalty):
        with pytest.raises(ShapeError, match=r"_penalty: strength=-0\.1, expected 0 or more"):
            penalty(tree.leaves({}), -0.1)
