"""Connectionist temporal classification: labels in order, at no known steps of a sequence."""

from math import inf
from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_array
from gradx.nn.reducing import reduced
from gradx.nn.targets import checked_targets
from gradx.ops.along import take_along_axis
from gradx.ops.arithmetic import add, divide, multiply, where
from gradx.ops.comparison import less, logical_and, not_equal
from gradx.ops.creation import place_of
from gradx.ops.extremes import maximum
from gradx.ops.joining import concat, stack
from gradx.ops.neural import log_softmax
from gradx.ops.shapes import astype, broadcast_to, reshape
from gradx.ops.statistical import logsumexp
from gradx.ops.windows import integer

# The logarithm of the probability of what cannot be: finite, so that it makes no NaN.
FAR_BELOW = -1e30


def ctc(
    logits: Any,
    labels: Any,
    lengths: Any,
    label_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    *,
    zero_infinity: bool = False,
) -> Any:
    """Return the negative log-likelihood of ``labels``, in order, at any steps of a sequence.

    ``logits`` are ``(samples, steps, classes)``, before the softmax, of which the first
    ``lengths``, ``(samples,)``, count; ``labels`` are integers ``(samples, longest)``, of which the
    first ``label_lengths`` count. A step says a label or nothing, the class ``blank``; a label
    may be said for several steps, and between two that are equal there is a blank. The mean is over
    samples, of the loss by label, as in PyTorch. Labels for which there are too few steps have
    an infinite loss, or with ``zero_infinity`` none. Source: Graves, Fernández, Gomez,
    Schmidhuber, "Connectionist temporal classification" (ICML 2006).

    Raises:
        ValueError: the shapes do not belong together, or a length is longer than there are.
        TypeError: labels or lengths are not integers.
        IndexError: a label is not a class.

    >>> import numpy as np, gradx as gx
    >>> logits, labels = np.zeros((1, 3, 2)), np.asarray([[1]])
    >>> loss = gx.nn.ctc(logits, labels, np.asarray([3]), np.asarray([1]))
    >>> round(float(np.exp(-loss) * 2**3))  # of 8 ways, 1__ _1_ __1 11_ _11 111
    6
    """
    samples, steps, classes = _checked_shapes(logits, labels, lengths, label_lengths)
    blank = integer("ctc", "blank", blank, least=0)
    if blank >= classes:
        raise ShapeError(f"ctc: blank={blank}, expected one of {classes} classes, 0 and up")
    longest = labels.shape[1]
    lengths = checked_targets(lengths, law="length", name="ctc", classes=steps)
    label_lengths = checked_targets(label_lengths, law="at most", name="ctc", classes=longest)
    xp, device = place_of(labels)
    there = less(xp.arange(longest, device=device), reshape(label_lengths, (samples, 1)))
    labels = checked_targets(where(there, labels, 0), law="class", name="ctc", classes=classes)
    states = _with_blanks(labels, blank)
    ends = _forward(log_softmax(logits), states, blank, reshape(lengths, (samples, 1)))
    losses = -_at_the_end(ends, reshape(label_lengths, (samples, 1)))
    losses = where(losses > -0.5 * FAR_BELOW, 0.0 if zero_infinity else inf, losses)
    if isinstance(reduction, str) and reduction == "mean":
        losses = divide(losses, astype(maximum(label_lengths, 1), losses.dtype))
    return reduced("ctc", losses, reduction)


def _checked_shapes(logits, labels, lengths, label_lengths):
    given = {"logits": logits, "labels": labels, "lengths": lengths, "label_lengths": label_lengths}
    for what, array in given.items():
        require_array("ctc", what, array)
        if what != "logits" and not is_kind(array, "integral"):
            raise DTypeError(f"ctc: {what} are {describe(array)}, expected integers")
    shapes = [tuple(array.shape) for array in given.values()]
    samples = shapes[0][:1]
    if [len(s) for s in shapes] != [3, 2, 1, 1] or any(s[:1] != samples for s in shapes):
        raise ShapeError(
            "ctc: expected logits (samples, steps, classes), labels (samples, longest), lengths "
            f"(samples,) and label_lengths (samples,), got {', '.join(map(str, shapes))}"
        )
    if 0 in shapes[0]:
        raise ShapeError(f"ctc: logits {shapes[0]} have no elements")
    return shapes[0]


def _with_blanks(labels, blank):
    """Return a blank, then each label and a blank: (samples, 2 * longest + 1)."""
    blanks = labels * 0 + blank
    pairs = reshape(stack([blanks, labels], axis=2), (labels.shape[0], 2 * labels.shape[1]))
    xp, device = place_of(labels)
    last = xp.full((labels.shape[0], 1), blank, dtype=labels.dtype, device=device)
    return concat([pairs, last], axis=1)


def _forward(logs, states, blank, lengths):
    """Return the logarithm of the probability to be in each state after the last step."""
    samples, steps, _ = logs.shape
    width = states.shape[1]
    places = broadcast_to(reshape(states, (samples, 1, width)), (samples, steps, width))
    said = take_along_axis(logs, places, axis=2)
    xp, device = place_of(logs)
    nowhere = xp.full((samples, 2), FAR_BELOW, dtype=logs.dtype, device=device)
    # Past a blank only to another label.
    no_states = xp.full((samples, 2), False, dtype=xp.bool, device=device)
    before, later = states[:, : max(width - 2, 0)], states[:, min(width, 2) :]
    others = logical_and(not_equal(later, before), not_equal(later, blank))
    may_skip = concat([no_states, others], axis=1)[:, :width]
    reached = where(xp.arange(width, device=device) < 2, said[:, 0, :], FAR_BELOW)
    for step in range(1, steps):
        shifted = concat([nowhere, reached], axis=1)
        ways = [reached, shifted[:, 1 : width + 1], where(may_skip, shifted[:, :width], FAR_BELOW)]
        following = add(logsumexp(stack(ways, axis=0), axis=0), said[:, step, :])
        reached = where(lengths > step, following, reached)
    return reached


def _at_the_end(reached, label_lengths):
    """Return the logarithm of the probability to end in the last label or the blank behind it."""
    last = multiply(label_lengths, 2)
    places = concat([last, maximum(last - 1, 0)], axis=1)
    ends = take_along_axis(reached, places, axis=1)
    blank, label = ends[:, :1], where(label_lengths > 0, ends[:, 1:], FAR_BELOW)
    return logsumexp(concat([blank, label], axis=1), axis=1)
