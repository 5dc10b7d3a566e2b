"""Matrix products and what follows them, as one call: bias, activation, and their derivatives.

cuBLASLt does not offer every ending for every shape and dtype, and says so when it is asked:
then the same is computed one after another. What an activation leaves for its derivative is
what the library wants of it, or else the values from which it can be computed. All return
tuples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from gradx.backends import cublaslt
from gradx.backends.cuda_kernels.gelu import gelu, gelu_backward
from gradx.backends.cuda_kernels.launching import contiguous

Results = tuple[Any, ...]


class Activation(NamedTuple):
    """What follows a product: as the library calls it, and as it is computed without."""

    ending: str
    forward: Callable[..., Any]  # of (xp, before)
    backward: Callable[..., Any]  # of (xp, g, kept, out)
    keeps: Callable[..., Any]  # which of (before, out) the derivative is computed from
    is_left: Callable[[Any], bool]  # whether the library has left it


ACTIVATIONS = {
    "relu": Activation(
        ending="relu",
        forward=lambda xp, before: xp.maximum(before, 0),
        backward=lambda xp, g, kept, out: xp.where(out > 0, g, xp.zeros_like(g)),
        keeps=lambda before, out: out,
        is_left=lambda kept: kept.dtype.kind == "u",
    ),
    "gelu": Activation(
        ending="gelu",
        forward=lambda xp, before: gelu(xp, before, approximate="tanh"),
        backward=lambda xp, g, kept, out: gelu_backward(
            xp, g, kept[:, : g.shape[-1]], approximate="tanh"
        ),
        keeps=lambda before, out: before,
        is_left=lambda kept: kept.shape[-1] % 8 == 0,  # as the rows of what the library leaves
    ),
}


def affine(xp: Any, x: Any, weight: Any, bias: Any, /) -> Results:
    """Compute ``x @ weight + bias``."""
    out = _ended(xp, x, weight, "bias", bias=_vector(bias))
    return (cublaslt.multiply(xp, x, weight) + bias if out is None else out,)


def affine_activated(
    xp: Any, x: Any, weight: Any, bias: Any, /, *, activation: str, keeps: bool
) -> Results:
    """Compute ``activation(x @ weight + bias)``; return what its derivative needs too."""
    rule = ACTIVATIONS[activation]
    ending, kept = f"{rule.ending}_bias", None
    if keeps:
        ending, shape = f"{rule.ending}_aux_bias", (x.shape[0], weight.shape[1])
        kept = cublaslt.empty_auxiliary(xp, ending, shape, x.dtype, x.device)
    out = _ended(xp, x, weight, ending, bias=_vector(bias), auxiliary=kept)
    if out is None:
        before = cublaslt.multiply(xp, x, weight) + bias
        out = rule.forward(xp, before)
        kept = rule.keeps(before, out)
    return (out, kept) if keeps else (out,)


def product_pulled_back(
    xp: Any, g: Any, weight: Any, kept: Any, out: Any, /, *, activation: str, sums: bool
) -> Results:
    """Pull ``g @ weight`` back through the activation that made ``out`` and left ``kept``.

    With ``sums``, return it added up over its rows too: the derivative of a bias.
    """
    rule = ACTIVATIONS[activation]
    ending, total = f"d{rule.ending}", None
    if sums:
        ending = f"d{rule.ending}_bgrad"
        total = xp.empty(weight.shape[1:], dtype=g.dtype, device=g.device)
    if rule.is_left(kept):
        pulled = _ended(xp, g, weight, ending, bias=total, auxiliary=kept)
        if pulled is not None:
            return (pulled, total) if sums else (pulled,)
    # What the library has left it reads itself; all else is as it was computed.
    pulled = rule.backward(xp, cublaslt.multiply(xp, g, weight), kept, out)
    return (pulled, xp.sum(pulled, axis=0)) if sums else (pulled,)


def product_summed(xp: Any, x: Any, y: Any, /) -> Results:
    """Return ``x @ y``, and ``y`` added up over its rows: derivatives of a weight and a bias."""
    total = xp.empty(y.shape[1:], dtype=y.dtype, device=y.device)
    out = _ended(xp, x, y, "bgrada", bias=total)
    if out is None:
        return cublaslt.multiply(xp, x, y), xp.sum(y, axis=0)
    return out, total


def _vector(bias: Any) -> Any:
    """Return a bias as the library reads it: in order, from a multiple of 16 bytes."""
    bias = contiguous(bias)
    return bias if bias.data.ptr % 16 == 0 else bias.copy()


def _ended(xp: Any, x: Any, y: Any, ending: str, **rest: Any) -> Any:
    """Multiply with an epilogue; return None where the library has none such."""
    try:
        return cublaslt.multiply(xp, x, y, epilogue=ending, **rest)
    except cublaslt.CublasError:
        return None
