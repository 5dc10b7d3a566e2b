"""Rules inside other derivatives: a zero that they multiply by is not the user's constant.

A product with a constant 0 leaves the other factor out, so a transform takes
its zeros for dead. When it watches the rules of a transform inside it, it also
sees them multiply by values that are constants to it and happen to be 0, as
``2 * out`` is in the derivative of ``sqrt(x)**2`` at 0. Such zeros are made by
arithmetic. A trace around each rule tells the two apart: it lets every
watching transform have the factor as one of its own values, of no derivative.
"""

from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, reading_stalls, untracked
from gradx.core.call import Tensor
from gradx.core.trace import Trace
from gradx.core.views import new_tensor
from gradx.transforms.constants import constants

# Products of two arrays: what a constant one multiplies by 0 is left out.
PRODUCTS = frozenset(
    ["convolution", "convolution_kernel", "convolution_transpose", "matmul", "multiply", "vecdot"]
)


def is_differentiated(x: Any) -> bool:
    """Tell whether a transform around this one takes derivatives of ``x``."""
    while type(x) is Tensor:
        if x.trace.differentiates:
            return True
        x = x.value
    return False


def apply_rule(rule: Any, g: Any, saved: Any, live: Any) -> Any:
    """Apply ``rule`` to ``g``, so that whoever watches takes no zero for a constant.

    Zeros of ``g`` that are dead, as ``live`` tells, may be taken for one.
    """
    saved = tuple(saved)
    if not _mixes_constants(g, saved):
        return rule.apply(beside(g, saved), *saved)
    trace = Rules("a derivative rule")
    trace.dead_zeros = live is not None and not is_differentiated(g) and _are_dead(g, live)
    out = rule.apply(new_tensor(g, trace, None), *saved)
    return tree.map(trace.leave, out) if isinstance(out, tuple) else trace.leave(out)


def _mixes_constants(g, saved):
    """Tell whether of the arrays that a rule is given some are differentiated and some are not."""
    if type(g) is not Tensor and Tensor not in map(type, saved):
        return False  # nobody watches
    known = is_differentiated(g)
    return any(is_differentiated(value) is not known for value in saved if is_array(value))


def _are_dead(g, live):
    if reading_stalls(g):
        return False
    g, live = untracked(g), untracked(live)
    return not bool(backend_for(g).xp.any((g == 0) & (live != 0)))


def beside(g: Any, saved: tuple[Any, ...]) -> Any:
    """Return ``g`` as a Tensor if one of ``saved`` is: rules have it on the left of operators.

    Libraries need not give way there; array-api-strict raises.
    """
    if type(g) is not Tensor:
        for value in saved:
            if type(value) is Tensor:
                return value.trace.lift(g)
    return g


class Rules(Trace):
    """Sees the ops of one rule before the transforms around it do. It keeps nothing."""

    differentiates = False
    dead_zeros = False  # what is made of the rule's argument may be taken for a constant

    def lift(self, constant):
        return new_tensor(constant, self, None)

    def leave(self, x: Any) -> Any:
        """Return the value that the transforms around the rule see."""
        return x.value if type(x) is Tensor and x.trace is self else x

    def apply_general(self, op, arrays, params):
        values = [self.leave(a) for a in arrays]
        if op.name in PRODUCTS:
            x, y = values
            values = [
                self._as_a_value(a, v, o) for a, v, o in zip(arrays, values, (y, x), strict=True)
            ]
        out = op.run(tuple(values), params)
        if not any(op.vjp):
            return constants(op, out)
        return tree.map(self.lift, out) if isinstance(out, tuple) else self.lift(out)

    def _as_a_value(self, given, factor, other):
        """Return a factor that has zeros as a value of a transform that watches only the other."""
        if self.dead_zeros and factor is not given:
            return factor
        if is_differentiated(factor) or not is_differentiated(other) or not _may_be_zero(factor):
            return factor
        return _beside_in(other, factor)


def _beside_in(other, factor):
    """Lift ``factor`` into the first transform around ``other`` that differentiates."""
    trace = other.trace
    if type(factor) is Tensor and factor.trace.level >= trace.level:
        inside = other.value if factor.trace is trace else other
        return new_tensor(_beside_in(inside, factor.value), factor.trace, factor.payload)
    return trace.lift(factor) if trace.differentiates else _beside_in(other.value, factor)


def _may_be_zero(factor):
    if not is_array(factor):
        return False
    if reading_stalls(factor):
        return True
    backend = backend_for(factor)
    return backend.has_zero(backend.xp, untracked(factor))
