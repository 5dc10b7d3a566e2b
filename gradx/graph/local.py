"""Local derivatives: what an op alone does to the gradient that passes back through it."""

from typing import Any

from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.rules import Rule
from gradx.graph.summary import Summary, summarize
from gradx.ops.complex import conj
from gradx.ops.creation import ones_like
from gradx.transforms.explore import ExploredNode
from gradx.transforms.reach import irregular_like

CLOSE = 1e-5  # relative, and far above what rounding a product twice can give


def gradient_summary(g: Any) -> Summary:
    """Summarize a cotangent as ``.grad`` would show it: the direction of steepest ascent."""
    g = untracked(g)
    return summarize(conj(g) if is_kind(g, "complex floating") else g)


def local_derivative(node: ExploredNode, rule: Rule, saved: tuple[Any, ...]) -> Summary | None:
    """Return the factor that a rule multiplies by, or ``None`` where it does more than that.

    A linear map multiplies element by element exactly if it maps an irregular
    array to that array times what it maps ones to. From a scalar it always does.
    """
    ones = ones_like(untracked(node.value))
    factor = untracked(rule.apply(ones, *saved))
    if node.shape == ():
        return gradient_summary(factor)
    if factor.shape != ones.shape:
        return None
    probe = irregular_like(ones)
    if _all_close(untracked(rule.apply(probe, *saved)), probe * factor):
        return gradient_summary(factor)
    return None


def _all_close(x, y):
    xp = backend_for(x).xp
    same = (x == y) | ((x != x) & (y != y))  # both infinite, or both not a number
    return bool(xp.all(same | (xp.abs(x - y) <= CLOSE * xp.abs(y))))
