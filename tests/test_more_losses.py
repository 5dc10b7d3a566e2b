"""Losses of distributions and of distances: values and gradients of PyTorch's, and hard points."""

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import AxisError, DTypeError, ShapeError
from gradx.testing import check_derivatives

RNG = np.random.default_rng(0)
X, Y, Z = RNG.normal(size=(3, 6, 4))
LOGITS = 3 * X
CHANCES = RNG.uniform(size=(6, 4))
DISTRIBUTIONS = CHANCES / CHANCES.sum(axis=1, keepdims=True)
COUNTS = RNG.poisson(2.0, (6, 4))
VARIANCES = RNG.uniform(0.1, 2.0, (6, 4))
LABELS = np.asarray([0, 3, 1, 1, 2, 3])
SIGNS = np.asarray([1, -1, -1, 1, -1, 1])

each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def kl_of_torch(F):
    """Return PyTorch's with one loss for each sample, as it has none."""

    def run(x, y, reduction):
        if reduction == "none":
            return F.kl_div(x, y, reduction="none").sum(dim=-1)
        return F.kl_div(x, y, reduction={"mean": "batchmean", "sum": "sum"}[reduction])

    return run


def sigmoid_focal(gamma, alpha):
    """Return the loss of torchvision, by its formula."""

    def of_torch(F):
        def run(x, y, reduction):
            y = y.to(x.dtype)
            p = x.sigmoid()
            right = p * y + (1 - p) * (1 - y)
            found = F.binary_cross_entropy_with_logits(x, y, reduction="none")
            found = found * (1 - right) ** gamma
            found = found if alpha is None else found * (alpha * y + (1 - alpha) * (1 - y))
            return {"mean": found.mean, "sum": found.sum, "none": found.clone}[reduction]()

        return run

    return of_torch


def softmax_focal(gamma):
    def of_torch(F):
        def run(x, y, reduction):
            logs = F.log_softmax(x, dim=-1).gather(-1, y[..., None])[..., 0]
            found = -logs * (1 - logs.exp()) ** gamma
            return {"mean": found.mean, "sum": found.sum, "none": found.clone}[reduction]()

        return run

    return of_torch


def with_options(name, **options):
    """Return a loss of PyTorch with some options."""
    return lambda F: (
        lambda *args, reduction: getattr(F, name)(*args, reduction=reduction, **options)
    )


def ours(loss, **options):
    return lambda *args, reduction: loss(*args, reduction=reduction, **options)


# Ours, PyTorch's, and what both are given.
LIKE_TORCH = {
    "kl_divergence": (ours(nn.kl_divergence), kl_of_torch, (LOGITS, DISTRIBUTIONS)),
    "kl_divergence of one class": (
        ours(nn.kl_divergence),
        kl_of_torch,
        (LOGITS, np.eye(4)[LABELS]),
    ),
    "poisson_nll": (ours(nn.poisson_nll), with_options("poisson_nll_loss"), (X, COUNTS)),
    "gaussian_nll": (
        ours(nn.gaussian_nll),
        with_options("gaussian_nll_loss"),
        (X, Y, VARIANCES),
    ),
    "gaussian_nll, full": (
        ours(nn.gaussian_nll, full=True, eps=0.5),
        with_options("gaussian_nll_loss", full=True, eps=0.5),
        (X, Y, VARIANCES),
    ),
    "focal": (ours(nn.focal), sigmoid_focal(2.0, None), (LOGITS, CHANCES)),
    "focal, alpha": (
        ours(nn.focal, gamma=1.5, alpha=0.25),
        sigmoid_focal(1.5, 0.25),
        (LOGITS, (CHANCES > 0.5).astype(int)),
    ),
    "focal of classes": (ours(nn.focal, gamma=3.0), softmax_focal(3.0), (LOGITS, LABELS)),
    "cosine_embedding": (
        ours(nn.cosine_embedding),
        with_options("cosine_embedding_loss"),
        (X, Y, SIGNS),
    ),
    "cosine_embedding, margin": (
        ours(nn.cosine_embedding, margin=0.3),
        with_options("cosine_embedding_loss", margin=0.3),
        (X, Y, SIGNS),
    ),
    "triplet_margin": (
        ours(nn.triplet_margin),
        with_options("triplet_margin_loss"),
        (X, Y, Z),
    ),
    "triplet_margin, swap": (
        ours(nn.triplet_margin, margin=2.0, ord=3.0, swap=True, eps=1e-3),
        with_options("triplet_margin_loss", margin=2.0, p=3.0, swap=True, eps=1e-3),
        (X, Y, Z),
    ),
    "triplet_margin, sums": (
        ours(nn.triplet_margin, ord=1),
        with_options("triplet_margin_loss", p=1),
        (X, Y, Z),
    ),
}


def placed(backend, array):
    return backend.from_numpy(np.array(array), backend.devices()[0])


def differentiated(arrays):
    return [place for place, array in enumerate(arrays) if array.dtype.kind == "f"]


@each_reduction
@pytest.mark.parametrize("name", LIKE_TORCH)
def test_value_and_all_gradients_are_those_of_torch(name, reduction, backend):
    torch = pytest.importorskip("torch")
    loss, theirs, arrays = LIKE_TORCH[name]
    places = tuple(differentiated(arrays) if name[:2] != "kl" else [0])
    given = [torch.tensor(a, requires_grad=i in places) for i, a in enumerate(arrays)]
    expected = theirs(torch.nn.functional)(*given, reduction=reduction)
    expected.sum().backward()
    inputs = [placed(backend, array) for array in arrays]

    found = loss(*inputs, reduction=reduction)
    total = lambda *inputs: gx.sum(loss(*inputs, reduction=reduction))
    gradients = [gx.grad(total, argnums=place)(*inputs) for place in places]

    np.testing.assert_allclose(backend.to_numpy(found), expected.detach().numpy(), rtol=1e-10)
    for place, gradient in zip(places, gradients, strict=True):
        wanted = given[place].grad.numpy()
        np.testing.assert_allclose(backend.to_numpy(gradient), wanted, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cosines_are_those_of_torch_along_any_axis(axis, backend):
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(a, requires_grad=True) for a in (X, Y))
    expected = torch.nn.functional.cosine_similarity(x, y, dim=axis)
    (expected**2).sum().backward()

    f = lambda x, y: nn.cosine_similarity(x, y, axis=axis)
    found = f(placed(backend, X), placed(backend, Y))
    gradients = gx.grad(lambda x, y: gx.sum(f(x, y) ** 2), argnums=(0, 1))(X, Y)

    np.testing.assert_allclose(backend.to_numpy(found), expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradients[0], x.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradients[1], y.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_derivatives_to_second_order(name):
    loss, _, (first, *others) = LIKE_TORCH[name]

    check_derivatives(lambda x: loss(x, *others, reduction="mean"), first, order=2)


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_a_compiled_loss_is_the_same(name):
    loss, _, arrays = LIKE_TORCH[name]
    f = lambda *arrays: loss(*arrays, reduction="mean")

    np.testing.assert_allclose(gx.compile(f)(*arrays), f(*arrays), rtol=1e-12)


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_float32_stays(name):
    loss, _, arrays = LIKE_TORCH[name]
    single = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]

    assert loss(*single, reduction="mean").dtype == np.float32


def test_full_poisson_likelihood_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")

    found = nn.poisson_nll(X, COUNTS, "none", full=True)

    np.testing.assert_allclose(found, -stats.poisson.logpmf(COUNTS, np.exp(X)), rtol=1e-12)


def test_distributions_that_agree_are_no_distance_apart():
    targets = np.asarray([[0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logs = np.where(targets > 0, np.log(targets), -700.0)

    value, (to_logs, to_targets) = gx.value_and_grad(nn.kl_divergence, argnums=(0, 1))(
        logs, targets
    )

    assert float(value) == 0.0
    np.testing.assert_array_equal(to_logs, -targets)
    assert np.isfinite(to_targets).all()


def test_a_class_that_neither_distribution_has_counts_nothing():
    logs, targets = np.log([[0.25, 0.75]]), np.asarray([[0.5, 0.5]])
    with_none = np.asarray([[*logs[0], -np.inf]]), np.asarray([[*targets[0], 0.0]])

    value, gradient = gx.value_and_grad(nn.kl_divergence)(*with_none)

    assert value == nn.kl_divergence(logs, targets)
    np.testing.assert_array_equal(gradient, [[-0.5, -0.5, 0.0]])


def test_a_variance_of_zero_can_grow_again():
    gradient = gx.grad(lambda v: nn.gaussian_nll(np.ones(1), np.zeros(1), v, eps=0.1))

    assert float(gradient(np.zeros(1))[0]) == pytest.approx(0.5 * (1 / 0.1 - 1 / 0.01))


def test_focal_loss_of_large_logits_is_finite_and_right():
    logits = np.asarray([900.0, -900.0])
    focal = lambda x: nn.focal(x, np.asarray([0, 0]), reduction="none")

    np.testing.assert_allclose(focal(logits), [900.0, 0.0])
    np.testing.assert_allclose(gx.grad(lambda x: gx.sum(focal(x)))(logits), [1.0, 0.0])
    assert np.isfinite(
        gx.grad(lambda x: nn.focal(x, np.asarray([1])))(np.asarray([[0.0, 900.0]]))
    ).all()


def test_focal_loss_without_gamma_is_cross_entropy():
    np.testing.assert_allclose(
        nn.focal(LOGITS, LABELS, gamma=0.0), nn.cross_entropy(LOGITS, LABELS), rtol=1e-12
    )


def test_a_vector_of_zeros_is_like_none():
    zeros = np.zeros((1, 3))

    assert float(nn.cosine_similarity(zeros, np.ones((1, 3)))[0]) == 0.0
    gradient = gx.grad(lambda x: gx.sum(nn.cosine_similarity(x, np.ones((1, 3)))))(zeros)
    assert np.isfinite(gradient).all()


def test_vectors_that_are_one_have_a_gradient():
    gradient = gx.grad(nn.triplet_margin)(X, X, X + 0.01)

    assert np.isfinite(gradient).all()


WRONG = {
    "another shape": (lambda: nn.kl_divergence(X, Y[:3]), ShapeError, "log_predictions .6, 4."),
    "no probability": (lambda: nn.kl_divergence(X, 2 + X), ShapeError, "kl_divergence: target"),
    "a negative count": (lambda: nn.poisson_nll(X, X), ShapeError, "target -.*, expected 0 or"),
    "a negative variance": (lambda: nn.gaussian_nll(X, Y, Z), ShapeError, "variance -"),
    "no eps": (lambda: nn.gaussian_nll(X, Y, VARIANCES, eps=0), ShapeError, "eps=0, expected"),
    "other variances": (
        lambda: nn.gaussian_nll(X, Y, VARIANCES[:, :1]),
        ShapeError,
        r"means \(6, 4\) and variances \(6, 1\) have different shapes",
    ),
    "gamma": (lambda: nn.focal(X, CHANCES, -1.0), ShapeError, r"gamma=-1\.0, expected 0 or"),
    "alpha": (lambda: nn.focal(X, CHANCES, alpha=2), ShapeError, "alpha=2, expected from 0 to 1"),
    "alpha of classes": (lambda: nn.focal(X, LABELS, alpha=0.5), DTypeError, "shape of the logits"),
    "labels": (lambda: nn.cosine_embedding(X, Y, LABELS), ShapeError, r"label 0\.0, expected -1"),
    "margin": (lambda: nn.cosine_embedding(X, Y, SIGNS, 2), ShapeError, "margin=2, expected from"),
    "axis": (lambda: nn.cosine_similarity(X, Y, axis=2), AxisError, r"axis=2 of arrays of shape"),
    "no margin": (lambda: nn.triplet_margin(X, Y, Z, 0), ShapeError, "margin=0, expected a num"),
    "negatives": (lambda: nn.triplet_margin(X, Y, Z[:1]), ShapeError, r"negatives \(1, 4\)"),
    "order": (lambda: nn.triplet_margin(X, Y, Z, ord="2"), DTypeError, "ord='2', expected a num"),
    "reduction": (lambda: nn.focal(X, CHANCES, reduction="x"), ShapeError, "focal: reduction='x'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_named(case):
    call, error, words = WRONG[case]

    with pytest.raises(error, match=words):
        call()
