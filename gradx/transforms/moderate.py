"""Whether the values that a tape keeps are such that its derivatives are finite.

A tape of smooth ops meets a NaN or an infinity only if there is one in what its rules keep. Where
there is none, no zero needs to be followed, and the tape is freed while it is walked.
"""

from math import inf, prod
from typing import Any

from gradx.core import tree
from gradx.core.arrays import FLOATING, backend_for, is_array, is_kind, untracked

# From so many elements in one array on, memory counts. To look at a tape of small arrays would take
# longer than to walk it without freeing it.
LARGE = 2**14

# Smooth ops whose rules multiply any number of values, so that moderate ones may overflow.
OVERFLOWING = frozenset(["cofactors", "cumulative_prod", "det", "prod"])


def may_meet_nan(nodes: list[Any]) -> bool:
    """Tell whether rules of smooth ops may make a NaN of a zero; say so if the tape is small."""
    if all(prod(node.shape) < LARGE for node in nodes):
        return True
    recorded = [node for node in nodes if node.edges]
    if any(node.op.name in OVERFLOWING for node in recorded):
        return True
    # A promise of a checkpoint is no tuple: to look at it would compute it.
    kept = [saved for node in recorded for _, _, saved in node.edges]
    return not all(type(saved) is tuple for saved in kept) or not _are_moderate(kept)


def _are_moderate(kept):
    values = {id(value): value for value in tree.leaves(kept)}.values()
    return all(map(_is_moderate, values))


def _is_moderate(x):
    """Tell whether all numbers in ``x`` are finite, and so are products of three of them."""
    if type(x) in (float, complex):
        return abs(x) < inf
    if not is_array(x) or not is_kind(x, FLOATING):
        return True
    x = untracked(x)
    backend = backend_for(x)
    with backend.quiet():
        return backend.sum_of_squares(backend.xp, x) < backend.xp.finfo(x.dtype).max ** 0.5
