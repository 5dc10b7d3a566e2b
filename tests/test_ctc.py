"""CTC: values and gradients of PyTorch's and of every way written out, lengths, and errors."""

from itertools import groupby, product

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.errors import DTypeError, OutOfBoundsError, ShapeError
from gradx.testing import check_derivatives

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 7, 5))
LABELS = np.asarray([[1, 2, 3], [4, 4, 1], [3, 0, -7], [2, 2, 2]])
LENGTHS = np.asarray([7, 6, 3, 5])
COUNTS = np.asarray([3, 3, 1, 3])


def every_way(logits, labels, blank):
    """Add up the probabilities of all sequences that say the labels, one by one."""
    chances = np.exp(logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True)))
    total = 0.0
    for way in product(range(logits.shape[1]), repeat=len(logits)):
        if [k for k, _ in groupby(way) if k != blank] == list(labels):
            total += np.prod(chances[np.arange(len(way)), way])
    return -np.log(total)


@pytest.mark.parametrize("labels", [[], [1], [1, 1], [2, 1]])
def test_it_is_the_sum_over_every_way(labels, backend):
    place = backend.devices()[0]
    logits = RNG.normal(size=(1, 4, 3))
    given = [logits, np.asarray([labels], int), np.asarray([4]), np.asarray([len(labels)])]

    loss = nn.ctc(*[backend.from_numpy(a, place) for a in given], reduction="sum")

    assert float(loss) == pytest.approx(every_way(logits[0], labels, 0), rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("blank", [0, 4])
def test_value_and_gradient_are_those_of_torch(reduction, blank, backend):
    torch = pytest.importorskip("torch")
    labels = np.where(LABELS == 4, 1, LABELS) if blank else LABELS
    logits = torch.tensor(LOGITS, requires_grad=True)
    expected = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        *map(torch.tensor, (labels.clip(0), LENGTHS, COUNTS)),
        blank=blank,
        reduction=reduction,
    )
    expected.sum().backward()
    place = backend.devices()[0]
    x, *others = [backend.from_numpy(a, place) for a in (LOGITS, labels, LENGTHS, COUNTS)]

    f = lambda x: nn.ctc(x, *others, blank=blank, reduction=reduction)

    gradient = backend.to_numpy(gx.grad(lambda x: gx.sum(f(x)))(x))
    np.testing.assert_allclose(backend.to_numpy(f(x)), expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradient, logits.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_derivatives_to_second_order():
    check_derivatives(lambda x: nn.ctc(x, LABELS, LENGTHS, COUNTS), LOGITS, order=2)


def test_a_compiled_loss_is_the_same_for_other_labels():
    compiled = gx.compile(gx.value_and_grad(lambda x, *others: nn.ctc(x, *others)))

    for labels, counts in [(LABELS, COUNTS), (LABELS[::-1].clip(1), COUNTS - 1)]:
        found = compiled(LOGITS, labels, LENGTHS, counts)
        wanted = gx.value_and_grad(nn.ctc)(LOGITS, labels, LENGTHS, counts)
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-10, atol=1e-12)


def test_what_lies_beyond_the_lengths_does_not_matter():
    inside = np.arange(7)[None, :, None] < LENGTHS[:, None, None]
    other = np.where(inside, LOGITS, 5 * LOGITS)

    f = lambda x: nn.ctc(x, LABELS, LENGTHS, COUNTS, reduction="none")

    np.testing.assert_array_equal(f(other), f(LOGITS))
    gradient = gx.grad(lambda x: gx.sum(f(x)))(LOGITS)
    assert not np.any(np.where(inside, 0.0, gradient))


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_too_few_steps_have_an_infinite_loss_or_none(zero_infinity):
    lengths = np.asarray([7, 3, 3, 4])  # 4, 4, 1 take four steps, 2, 2, 2 take five

    f = lambda x: nn.ctc(x, LABELS, lengths, COUNTS, reduction="none", zero_infinity=zero_infinity)

    assert np.isfinite(f(LOGITS)).tolist() == [True, zero_infinity, True, zero_infinity]
    gradient = gx.grad(lambda x: gx.sum(f(x)))(LOGITS)
    assert np.isfinite(gradient).all()
    assert not gradient[1].any()


def test_float32_stays():
    assert nn.ctc(LOGITS.astype(np.float32), LABELS, LENGTHS, COUNTS).dtype == np.float32


def test_a_network_learns_to_say_the_labels():
    steps, key = 12, gx.random.key(0)
    x = np.eye(steps)[None].repeat(2, axis=0)
    labels, lengths, counts = (
        np.asarray([[1, 2, 1], [3, 3, 0]]),
        np.full(2, steps),
        np.asarray([3, 2]),
    )
    weight, optimizer = gx.random.normal(key, (2, steps, 4), dtype="float64"), gx.optim.adam(0.1)
    state = optimizer.init(weight)
    loss = gx.compile(gx.value_and_grad(lambda w: nn.ctc(x @ w, labels, lengths, counts)))

    for _ in range(100):
        value, gradient = loss(weight)
        updates, state = optimizer.update(gradient, state, weight)
        weight = weight + updates

    said = [[k for k, _ in groupby(row) if k] for row in np.argmax(weight, axis=2).tolist()]
    assert said == [[1, 2, 1], [3, 3]]
    assert value < 0.05


WRONG = {
    "shapes": (lambda: nn.ctc(LOGITS, LABELS, LENGTHS, COUNTS[:3]), ShapeError, r"\(4,\), \(3,\)"),
    "axes": (lambda: nn.ctc(LOGITS[0], LABELS, LENGTHS, COUNTS), ShapeError, "expected logits"),
    "labels": (lambda: nn.ctc(LOGITS, LABELS * 1.0, LENGTHS, COUNTS), DTypeError, "labels are"),
    "class": (lambda: nn.ctc(LOGITS, LABELS + 1, LENGTHS, COUNTS), OutOfBoundsError, "label 5"),
    "blank": (lambda: nn.ctc(LOGITS, LABELS, LENGTHS, COUNTS, 5), ShapeError, "blank=5, expected"),
    "length": (
        lambda: nn.ctc(LOGITS, LABELS, LENGTHS + 1, COUNTS),
        ShapeError,
        "ctc: length 8, expected 1 to 7, the steps there are",
    ),
    "label length": (
        lambda: nn.ctc(LOGITS, LABELS, LENGTHS, COUNTS + 1),
        ShapeError,
        "ctc: label length 4, expected 0 to 3, the labels there are",
    ),
    "reduction": (
        lambda: nn.ctc(LOGITS, LABELS, LENGTHS, COUNTS, reduction="all"),
        ShapeError,
        "reduction='all'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_named(case):
    call, error, words = WRONG[case]

    with pytest.raises(error, match=words):
        call()
