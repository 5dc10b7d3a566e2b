"""Structural zeros: what a selection left out stays 0 through any derivative, infinite or NaN.

Beside a cotangent or tangent may travel what of it lives: an array of its shape
that is not 0 where some input reaches some output. ``None`` says that all of it
does. The branch that ``where`` did not take is dead, as are elements that were
not indexed, the loser of ``maximum``, what was multiplied by a constant 0, and
the zeros of a seed. A zero that arithmetic made is alive: 0 times infinity is
then an honest NaN.
"""

from collections.abc import Collection
from typing import Any

from gradx.core.arrays import (
    PYTHON_SCALARS,
    backend_for,
    is_kind,
    is_number,
    reading_stalls,
    untracked,
)
from gradx.core.call import Tensor
from gradx.core.trace import capturing
from gradx.core.views import without_constants
from gradx.ops.arithmetic import add, where
from gradx.ops.comparison import equal, isfinite, logical_and, logical_not, not_equal
from gradx.ops.convolution import ROLES
from gradx.ops.creation import ones_like, taken_as_constant, zeros_like
from gradx.ops.shapes import astype, conform, real
from gradx.ops.windows import leave_some_out
from gradx.transforms.honesty import PRODUCTS, apply_rule, beside, is_differentiated
from gradx.transforms.moderate import OVERFLOWING, may_meet_nan
from gradx.transforms.reach import reached_by


def names(text: str) -> frozenset[str]:
    """Split a list of ops' names."""
    return frozenset(text.split())


# Ops whose output holds nothing but elements of an input, sums of some of them, and constants:
# their rules, applied to what lives, find what lives after them.
MOVING = names(
    """
    astype broadcast_to expand_dims flip matrix_transpose mean permute_dims
    repeat reshape roll sort squeeze sum tile
    """
)
# The same, and they leave elements out.
SELECTING = names(
    """
    add_at clip_between concat cumulative_sum getitem max maximum maximum_of_windows min minimum
    put_at read_at_maxima relu scatter segment_extreme setitem spread_over_windows spread_to_maxima
    sum_of_windows take take_along_axis tril triu where
    """
)
# Of those, the ones that also drop what arrives at the elements they leave out, infinite or not.
CHOOSING = names(
    """
    concat getitem maximum_of_windows read_at_maxima relu scatter setitem spread_to_maxima take
    where
    """
)
# Their rules make zeros of zeros and of what they leave out, whatever else there is.
KEEPING_ZEROS = CHOOSING | MOVING

# Ops whose result has zeros at places that nothing reaches, as the lower triangle of R is.
HOLLOW = names("cholesky qr")
# Ops that may leave elements of an input out, as a convolution with strides does, and whose result
# has zeros where all that is read is padding.
SKIPPING = frozenset(ROLES)
ASKING = SELECTING | SKIPPING

# Ops whose derivative is finite wherever their inputs are.
SMOOTH = names(
    """
    abs add atan cofactors conj convolution convolution_kernel convolution_transpose cos cross
    cumulative_prod det fft fftn gelu hfft ifft ifftn ihfft imag irfft log_softmax matmul
    multiply negative normal_probability one_minus_square positive prod real rfft sech_squared
    sigmoid sigmoid_slope sign sin softmax softmax_cross_entropy softplus square subtract tanh
    var vecdot
    """
)
HARMLESS = SMOOTH | SELECTING | MOVING

# What programs leave a NaN out with. The first stays cheap where no number may be looked at:
# what lives is then followed through elementwise ops only.
MASKING = names("where")
PICKING = names("getitem take take_along_axis where")


def may_matter(nodes: list[Any], seeds: Collection[Any]) -> bool:
    """Tell whether zeros of the seeds or on the tape may be dead, and may meet an infinity or NaN.

    ``nodes`` are in order of creation: walking back, what one leaves out meets those before it.
    """
    if any(map(_may_hold_zero, seeds)):
        return True
    ops = {node.op.name for node in nodes if node.edges}
    unread = any(map(reading_stalls, seeds))
    picking = MASKING if unread and ops.isdisjoint(OVERFLOWING) else PICKING
    # There may be a NaN to begin with, in what where or an index left out.
    leaves_out = not ops.isdisjoint(picking) and any(
        _leaves_out_what_ops_made(node, picking) for node in nodes
    )
    if ops <= HARMLESS or is_harmless(nodes):  # All other derivatives are finite.
        return leaves_out and (unread or may_meet_nan(nodes))
    if leaves_out:
        return True
    if not ops.isdisjoint(SELECTING - CHOOSING) or any(map(_is_scaled_by_constant, nodes)):
        return True
    if any(map(_skips_some, nodes)):
        return True
    met = False
    for node in nodes:
        name = node.op.name if node.edges else ""
        if met and (name in CHOOSING or 0 in node.shape):
            return True
        met = met or not _is_harmless(node)
    return False


def _skips_some(node):
    """Tell whether a convolution leaves elements out, or has zeros of nothing but padding."""
    if not node.edges or node.op.name not in SKIPPING:
        return False
    _, rule, saved = node.edges[0]
    if type(saved) is not tuple:  # A promise of a checkpoint: to look at it would compute it.
        return True
    other, shape, stride, before, dilation, _ = saved
    own, *inputs = ROLES[node.op.name]
    mine, others = inputs if rule is node.op.vjp[0] else reversed(inputs)
    sizes = {own: node.shape[2:], mine: tuple(shape[2:]), others: tuple(other.shape[2:])}
    return leave_some_out(stride=stride, before=before, dilation=dilation, **sizes)


def may_be_scaled_to_infinity(node: Any) -> bool:
    """Tell whether a node multiplies by what may be an infinite derivative, in a pullback."""
    if node.op is None or node.op.name != "multiply":
        return False
    return type(constant_factor(node)) not in PYTHON_SCALARS


def _leaves_out_what_ops_made(node, picking):
    return node.edges and node.op.name in picking and any(edge[0].edges for edge in node.edges)


def constant_factor(node: Any) -> Any:
    """Return the other factor of a product by a constant."""
    if node.op is None or node.op.name not in PRODUCTS or len(node.edges) > 1:
        return None
    return node.edges[0][2][0]


def _may_hold_zero(seed):
    if reading_stalls(seed):
        return seed.shape != ()
    return _holds_zero(seed)


def _holds_zero(x):
    x = untracked(x)
    backend = backend_for(x)
    return backend.has_zero(backend.xp, x)


def _is_scaled_by_constant(node):
    factor = constant_factor(node)
    if factor is None or node.op.name != "multiply":
        return factor is not None and _has_zero(node.op, factor)
    return type(factor) not in PYTHON_SCALARS or factor == 0


def is_harmless(nodes: list[Any]) -> bool:
    """Tell whether every derivative on the tape is finite, so that no zero meets an infinity."""
    return all(map(_is_harmless, nodes))


def _is_harmless(node):
    """Tell whether a derivative is finite: also that of ``x**2`` and such, and of ``x / 2``."""
    if not node.edges or node.op.name in HARMLESS:
        return True
    if node.op.name not in ("pow", "divide") or len(node.edges) > 1:
        return False
    number = node.edges[0][2][-1]
    if type(number) not in PYTHON_SCALARS:
        return False
    return number != 0 if node.op.name == "divide" else number in (1, 2, 3, 4)


def follow(
    op: Any,
    rule: Any,
    saved: tuple[Any, ...],
    g: Any,
    live: Any,
    factor: Any = None,
    harmless: bool = False,
) -> tuple[Any, Any]:
    """Apply ``rule`` to ``g``, of which ``live`` lives; return the result and what lives of it.

    ``factor`` is the other side of a product, where that is a constant.
    ``harmless`` says that no other rule of the tape is infinite.
    """
    if live is None and factor is None and op.name not in ASKING:  # as most are
        if harmless or op.name in MOVING:
            return rule.apply(beside(g, saved), *saved), None
        return apply_rule(rule, g, saved, None), None
    if rule.asks_what_lives:
        saved = (*tuple(saved)[:-1], live)  # a checkpoint may have only promised the others
    by_constant = factor is not None and not is_differentiated(factor)
    leaves_out = by_constant and _has_zero(op, factor)
    selects = op.name in SELECTING or (leaves_out and op.elementwise)
    if harmless or by_constant or selects or op.name in MOVING:
        part = rule.apply(beside(g, saved), *saved)
    else:
        part = apply_rule(rule, g, saved, live)
    passes_zeros = op.name in SKIPPING or (leaves_out and not selects)
    if passes_zeros and not reading_stalls(part) and may_hold_nan(part):
        past = _past_zeros if leaves_out else _past_padding
        part = past(part, rule, saved, g)
    if selects or (op.name in MOVING and live is not None):
        through = ones_like(_real_part(g)) if live is None else live
        if leaves_out and type(factor) is Tensor:
            if is_number(factor):
                factor = add(factor, zeros_like(through))
            live = where(equal(taken_as_constant(factor), 0), 0.0, through)
        else:
            live = _reached(op, rule, saved, through, live, by_constant)
    elif not (op.elementwise or harmless) and (live is not None or leaves_out or _skips(op, part)):
        live = _after_mixing(part, rule, saved, g, live, leaves_out)
    if live is None or (harmless and not op.elementwise and not selects):
        return part, None
    if op.name in KEEPING_ZEROS:
        return part, live
    if may_hold_nan(part) or (is_differentiated(part) and not selects):
        part = where(equal(live, 0), 0.0, part)
    return part, live


def _reached(op, rule, saved, through, live, by_constant):
    reached = rule.apply(beside(through, saved), *saved)
    if live is not None and (by_constant or op.name in ("maximum", "minimum")):
        # A NaN that the rule keeps does not make what is dead alive.
        reached = where(equal(live, 0), 0.0, reached)
    return _indicator(reached)


def _skips(op, part):
    """Tell whether an op may have left out elements of what it was given."""
    return op.name in SKIPPING and not reading_stalls(part) and _holds_zero(part)


def _past_zeros(part, rule, saved, g):
    """Return ``part`` without what a constant 0 made of an infinity or NaN in ``g``."""
    finite = isfinite(g)
    others = astype(logical_not(finite), _real_part(g).dtype)
    met = reached_by(rule, saved, g, others, keep_zeros=True)
    return where(equal(met, 0), rule.apply(where(finite, g, 0.0), *saved), part)


def _past_padding(part, rule, saved, g):
    """Return ``part`` without what padding made of an infinity or NaN in what a rule multiplies."""
    x, *rest = saved
    factors = g, x
    finite = [isfinite(a) for a in factors]
    bad_g, bad_x = [
        astype(logical_not(ok), _real_part(a).dtype) for ok, a in zip(finite, factors, strict=True)
    ]
    met_by_g = reached_by(rule, saved, g, bad_g, keep_zeros=False)
    met_by_x = reached_by(rule, (bad_x, *rest), g, None, keep_zeros=True)
    g, x = [where(ok, a, 0.0) for ok, a in zip(finite, factors, strict=True)]
    untouched = logical_and(equal(met_by_g, 0), equal(met_by_x, 0))
    return where(untouched, apply_rule(rule, g, (x, *rest), None), part)


def _after_mixing(part, rule, saved, g, live, leaves_out):
    if not reading_stalls(part):
        return _indicator(reached_by(rule, saved, g, live, keep_zeros=leaves_out))
    # To try the rule would be twice the work, and always: it is only known that nothing makes
    # nothing. Of what differs from call to call of a captured graph not even that.
    differs = capturing.get() and type(without_constants(live)) is Tensor
    if live is None or differs or _any(not_equal(live, 0)):
        return None
    return real(zeros_like(part))


def reached_in(op: Any, rule: Any, saved: Any, g: Any, out: Any) -> Any:
    """Return what of ``out``, made by a ``HOLLOW`` op, is reached at all; of several, of each."""
    outs = out if op.results else (out,)
    if reading_stalls(g) or not any(map(_holds_zero, outs)):
        return (None,) * len(outs) if op.results else None
    reached = reached_by(rule, saved, g, None, keep_zeros=True)
    return tuple(map(_indicator, reached)) if op.results else _indicator(reached)


def _indicator(live):
    """Return 1 where ``live`` is not 0, so that counts of counts cannot overflow."""
    if not reading_stalls(live) and not _holds_zero(live):
        return None
    return astype(not_equal(live, 0), _real_part(live).dtype)


def _real_part(x):
    """Take the real part, without an op where ``x`` has no other."""
    return real(x) if is_kind(x, "complex floating") else x


def _any(condition):
    condition = untracked(condition)
    return bool(backend_for(condition).xp.any(condition))


def _has_zero(op, factor):
    if type(factor) in PYTHON_SCALARS:
        return factor == 0
    if reading_stalls(factor):
        return op.elementwise
    return _holds_zero(factor)


def match(live: Any, shape: tuple[int, ...]) -> Any:
    """Give ``live`` the shape of what it belongs to, as ``conform`` does for cotangents."""
    if live is None or live.shape == shape:
        return live
    return _indicator(conform(live, shape, live.dtype))


def join(live: Any, other: Any) -> Any:
    """Return what lives of a sum of two contributions."""
    return None if live is None or other is None else _indicator(add(live, other))


def of_seed(seed: Any) -> Any:
    """Return what lives of a seed: all that is not 0."""
    if is_differentiated(seed) or (reading_stalls(seed) and seed.shape == ()):
        return None
    return _indicator(taken_as_constant(seed))


def nothing_of(x: Any) -> Any:
    """Return what lives of ``x`` where nothing does: it was added up over no elements."""
    return _real_part(zeros_like(x))


def may_hold_nan(x: Any) -> bool:
    """Tell whether there is a NaN in ``x``; say so without looking where that would stall a GPU."""
    if reading_stalls(x):
        return True
    x = untracked(x)
    backend = backend_for(x)
    return backend.has_nan(backend.xp, x)
