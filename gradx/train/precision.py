"""Mixed precision: layers compute in sixteen bits, weights and their updates stay as they are.

A float16 has few numbers near zero: gradients would vanish. So the loss is scaled up while it is
differentiated, by a power of two that falls when a gradient is not finite, in which case the step
is skipped, and grows again after many that were. Source: Micikevicius and others, "Mixed
precision training" (ICLR 2018).

bfloat16 has the range of float32, and needs no scale. NumPy has none, and CuPy's is another
package's with half the ops and no weak Python numbers, so arrays stay float32: their matrix
products round what is multiplied to bfloat16, on a GPU at the speed of that, and add up in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from gradx.backends import backend_of
from gradx.backends.settings import matmul_precision
from gradx.core import tree
from gradx.core.arrays import is_array, is_kind, untracked
from gradx.errors import DTypeError, ShapeError
from gradx.nn.stateful import state_mask
from gradx.ops.arithmetic import divide, multiply, where
from gradx.ops.comparison import isfinite
from gradx.ops.extremes import maximum
from gradx.ops.joining import stack
from gradx.ops.shapes import astype
from gradx.ops.statistical import all
from gradx.optim.numbers import scalar_beside
from gradx.optim.optimizer import Optimizer
from gradx.transforms.boundary import as_array, is_differentiable

FIRST_SCALE = 2.0**15
LEAST_SCALE = 1.0
GROW_AFTER = 1000  # steps without a skipped one


class Precision(NamedTuple):
    """What layers compute in, which is also what scales the loss, and how they multiply."""

    dtype: str | None
    products: Any


PRECISIONS = {"bf16": Precision(None, "bf16"), "fp16": Precision("float16", "highest")}
LIBRARIES = {"bf16": {"cupy"}, "fp16": {"numpy", "cupy"}}


class ScaledState(NamedTuple):
    """The optimizer's state, the scale of the loss, and how many steps it has been good for."""

    optimizer: Any
    scale: Any
    good_steps: Any
    skipped: Any


def precision_of(name: Any, model: Any) -> Precision | None:
    """Return the precision of a name, for a model on the device where it will compute.

    Raises:
        ValueError: the name is another.
        TypeError: the array library does not compute in this precision.
    """
    if name is None:
        return None
    if not isinstance(name, str) or name not in PRECISIONS:
        allowed = ", ".join(map(repr, PRECISIONS))
        raise ShapeError(f"fit: precision={name!r}, expected None or one of {allowed}")
    for leaf in tree.leaves(model):
        library = backend_of(type(untracked(leaf))).name if is_array(leaf) else "numpy"
        if library not in LIBRARIES[name]:
            others = "'fp16' works on a CPU" if name == "bf16" else "give a NumPy or CuPy model"
            raise DTypeError(
                f"fit: precision={name!r} of arrays of {library}: {others}, and both work "
                "with device='cuda'"
            )
    return PRECISIONS[name]


def lowered_model(model: Any, dtype: str) -> Any:
    """Return the model with its parameters in sixteen bits; what layers remember stays."""
    leaves, structure = tree.flatten(model)
    pairs = zip(leaves, state_mask(model), strict=True)
    kept = [leaf if is_state else in_dtype(leaf, dtype) for leaf, is_state in pairs]
    return tree.unflatten(structure, kept)


def in_dtype(values: Any, dtype: str) -> Any:
    """Return a tree with its real floating-point arrays in a dtype."""
    return tree.map(
        lambda x: astype(x, dtype) if is_array(x) and is_kind(x, "real floating") else x, values
    )


@dataclass(frozen=True, slots=True)
class Scaling:
    """An optimizer whose state has the scale of the loss beside it."""

    optimizer: Optimizer

    def init(self, model: Any) -> ScaledState:
        """Return the state before the first step."""
        return ScaledState(
            optimizer=self.optimizer.init(model),
            scale=scalar_beside(model, FIRST_SCALE, "float32"),
            good_steps=scalar_beside(model, 0, "int64"),
            skipped=scalar_beside(model, 0, "int64"),
        )

    @property
    def learning_rate(self) -> Any:
        """The optimizer's own, if it tells it."""
        return getattr(self.optimizer, "learning_rate", None)


def of_the_optimizer(state: Any) -> Any:
    """Return the optimizer's own state, without the scale of the loss."""
    return state.optimizer if type(state) is ScaledState else state


def scale_of(state: Any) -> Any:
    """Return the scale of the loss, ``None`` if it is not scaled."""
    return state.scale if type(state) is ScaledState else None


def are_finite(*values: Any) -> Any:
    """Tell whether all floating-point numbers in trees of arrays are finite, as a 0-d array."""
    floating = [leaf for leaf in tree.leaves(values) if is_differentiable(leaf)]
    return all(stack([all(isfinite(as_array(leaf))) for leaf in floating]))


def unscaled(gradients: Any, scale: Any) -> Any:
    """Return gradients of the loss from those of the loss times ``scale``."""
    return tree.map(lambda g: divide(g, astype(scale, g.dtype)), gradients)


def chosen(condition: Any, new: Any, old: Any) -> Any:
    """Return the tree ``new`` if a condition holds, else ``old``."""
    return tree.map(lambda x, y: where(condition, x, y), new, old)


def following(state: ScaledState, optimizer_state: Any, finite: Any) -> ScaledState:
    """Return the state after a step whose gradients were finite, or were not."""
    good = where(finite, state.good_steps + 1, 0)
    grows = good >= GROW_AFTER
    lower = maximum(multiply(state.scale, 0.5), LEAST_SCALE)
    scale = where(finite, where(grows, state.scale * 2.0, state.scale), lower)
    return ScaledState(
        optimizer=optimizer_state,
        scale=astype(scale, state.scale.dtype),
        good_steps=astype(where(grows, 0, good), state.good_steps.dtype),
        skipped=where(finite, state.skipped, state.skipped + 1),
    )


def numbers_of(state: Any) -> dict[str, float]:
    """Return what the history has of a scaled loss; nothing of another."""
    if type(state) is not ScaledState:
        return {}
    return {"loss_scale": float(state.scale), "skipped_steps": int(state.skipped)}


def in_precision(step: Callable[..., Any], precision: Precision) -> Callable[..., Any]:
    """Return a step with its products in a precision, and without NumPy's warnings.

    Of overflow, which is looked for.
    """

    @wraps(step)
    def precise(*args: Any) -> Any:
        with matmul_precision(precision.products), np.errstate(over="ignore", invalid="ignore"):
            return step(*args)

    return precise
