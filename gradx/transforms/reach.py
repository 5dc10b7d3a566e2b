"""What lives after an op that mixes elements, found by trying its rule.

A rule is linear and its structure is fixed by shapes and indices. So it is
applied to numbers that have nothing to do with each other, where something
lives, and to such numbers in place of all that it keeps. What is then exactly 0
is reached by nothing.
"""

from math import prod
from typing import Any

from gradx.core import tree
from gradx.core.arrays import FLOATING, backend_for, is_array, is_kind
from gradx.core.call import Tensor
from gradx.core.views import new_tensor
from gradx.ops.arithmetic import multiply
from gradx.ops.comparison import not_equal
from gradx.ops.shapes import astype


def reached_by(rule: Any, saved: Any, g: Any, live: Any, keep_zeros: bool) -> Any:
    """Apply ``rule`` to irregular numbers like ``g``, where ``live`` (if there is one) is not 0.

    With ``keep_zeros`` the zeros of what the rule keeps stay zeros.
    """
    kept, structure = tree.flatten(tuple(saved))
    stand_ins = [
        _irregular_where(value, value if keep_zeros else None, number)
        for number, value in enumerate(kept, start=1)
    ]
    return rule.apply(_irregular_where(g, live, 0), *tree.unflatten(structure, stand_ins))


def _irregular_where(x, live, number):
    """Return irregular numbers like ``x``, and 0 where ``live`` is; leave what is no number."""
    if not is_array(x) or not is_kind(x, FLOATING):
        return x
    found = irregular_like(x, number)
    return found if live is None else multiply(found, astype(not_equal(live, 0), found.dtype))


def irregular_like(x: Any, number: int = 0) -> Any:
    """Return an array like ``x`` of numbers from 0.5 to 1.5, others for each ``number``."""
    if type(x) is Tensor:
        inside = irregular_like(x.value, number)
        return inside if x.trace.differentiates else new_tensor(inside, x.trace, None)
    backend = backend_for(x)
    xp, device = backend.xp, backend.native_device(backend.device_of(x))
    places = xp.arange(1, prod(x.shape) + 1, dtype=xp.float64, device=device)
    found = _scattered(xp, places + 0.1 * number)
    if is_kind(x, "complex floating"):
        found = found + 1j * _scattered(xp, -places - 0.1 * number)
    found = xp.reshape(found, x.shape)
    return xp.astype(found, x.dtype)


def _scattered(xp, places):
    # The digits far behind the point of a sine: sums and differences of them do not cancel.
    return xp.sin(12.9898 * places) * 43758.5453 % 1.0 + 0.5
