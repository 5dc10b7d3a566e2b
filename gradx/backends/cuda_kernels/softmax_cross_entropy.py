"""Softmax cross entropy: each row's loss from one read of its logits, its gradient from another.

To look at labels is to wait for all that was launched before, and a step that is being captured
cannot: there a label that is no class makes a loss of NaN, and is refused everywhere else.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels import softmax
from gradx.backends.cuda_kernels.launching import contiguous, is_capturing, launch
from gradx.backends.cuda_kernels.prelude import REALS, Number, real_number, source
from gradx.backends.cuda_kernels.rows import REDUCE, grid_for
from gradx.backends.labels import check_kinds_of_labels, check_labels

TEXT = """
extern "C" __global__ void softmax_cross_entropy(
        Stored* losses, const Stored* logits, const int64* labels, int64 rows, int64 classes) {
    if (ROW >= rows) return;
    logits += ROW * classes;
    const Real largest = largest_of(logits, classes);
    const Real sum = sum_of_powers(logits, largest, classes);
    if (threadIdx.x != 0) return;
    const int64 label = labels[ROW];
    const bool known = 0 <= label && label < classes;
    keep(losses + ROW, known ? (Real)(log(sum) - (loaded(logits[label]) - largest))
                             : (Real)not_a_number());
}

extern "C" __global__ void softmax_cross_entropy_backward(
        Stored* to_logits, const Stored* g, const Stored* logits, const int64* labels,
        int64 rows, int64 classes) {
    if (ROW >= rows) return;
    logits += ROW * classes, to_logits += ROW * classes;
    const Real largest = largest_of(logits, classes);
    const Real factor = loaded(g[ROW]);
    const int64 label = labels[ROW];
    // What the label's probability is less than 1 are the others, also where it rounds to 1.
    Real others = 0;
    ALONG_ROW(i, classes) others += i == label ? (Real)0 : (Real)exp(loaded(logits[i]) - largest);
    others = across_row<Sum>(others);
    const bool known = 0 <= label && label < classes;
    const Real chosen = known ? (Real)exp(loaded(logits[label]) - largest) : (Real)0;
    const Real scale = 1 / (others + chosen);
    ALONG_ROW(i, classes) {
        const Real power = i == label ? -others : (Real)exp(loaded(logits[i]) - largest);
        keep(to_logits + i, (Real)(factor * (power * scale)));
    }
}
"""


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, REDUCE, softmax.TEXT, TEXT)


def softmax_cross_entropy(xp: Any, logits: Any, labels: Any, /) -> Any:
    """Compute the loss of each row."""
    check = check_kinds_of_labels if is_capturing() else check_labels
    check(xp, logits, labels)
    losses = xp.empty(labels.shape, dtype=logits.dtype, device=logits.device)
    _launch(xp, "softmax_cross_entropy", losses, logits, labels)
    return losses


def softmax_cross_entropy_backward(xp: Any, g: Any, logits: Any, labels: Any, /) -> Any:
    """Pull one cotangent for each row back to its logits."""
    out = xp.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    _launch(xp, "softmax_cross_entropy_backward", out, contiguous(g), logits, labels)
    return out


def _launch(xp, name, *arrays):
    *reals, logits, labels = arrays
    text = code(real_number(name, logits.dtype))
    rows, classes = prod(logits.shape[:-1]), logits.shape[-1]
    inputs = (contiguous(logits), contiguous(xp.astype(labels, xp.int64, copy=False)))
    launch(text, name, *grid_for(rows, classes), *reals, *inputs, rows, classes)


KERNELS: dict[str, Kernel] = {"softmax_cross_entropy": softmax_cross_entropy}
