"""einops on Tensors: ``import gradx.einops`` once, and ``einops.rearrange`` takes them.

``einops.array_api`` needs nothing of this: it asks an array for its namespace. The functions of
``einops`` itself look for a backend that knows the type, and this is the one for Tensors.
Arrays outside a transform are NumPy's or CuPy's, which einops knows.
"""

from typing import Any

from gradx.core.call import Tensor
from gradx.core.optional import optional
from gradx.ops.einsum import einsum
from gradx.ops.joining import concat, stack
from gradx.ops.moving import tile
from gradx.ops.shapes import expand_dims, permute_dims, reshape

_AbstractBackend: Any = optional("einops._backends", "gradx.einops", "einops").AbstractBackend


class TensorBackend(_AbstractBackend):
    """What einops does to Tensors. Making the class registers it.

    >>> import einops, numpy as np
    >>> import gradx as gx, gradx.einops
    >>> rows = lambda x: gx.sum(einops.rearrange(x, "h w -> (h w)")[1:] ** 2)
    >>> gx.grad(rows)(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    array([[0., 4.],
           [6., 8.]])
    """

    framework_name = "gradx"

    def is_appropriate_type(self, tensor: Any) -> bool:
        """Tell whether this backend is the one for ``tensor``."""
        return type(tensor) is Tensor

    def reshape(self, x: Any, shape: Any) -> Any:
        """Give ``x`` another shape."""
        return reshape(x, tuple(shape))

    def transpose(self, x: Any, axes: Any) -> Any:
        """Put the axes in another order."""
        return permute_dims(x, tuple(axes))

    def reduce(self, x: Any, operation: str, axes: Any) -> Any:
        """Take the sum, mean, product, least or greatest over axes, or whether any or all hold."""
        return getattr(x.__array_namespace__(), operation)(x, axis=tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list[Any]) -> Any:
        """Put tensors beside one another along a new first axis."""
        return stack(tensors)

    def add_axis(self, x: Any, new_position: int) -> Any:
        """Insert an axis of length 1."""
        return expand_dims(x, axis=new_position)

    def tile(self, x: Any, repeats: Any) -> Any:
        """Repeat ``x`` along each axis."""
        return tile(x, tuple(repeats))

    def concat(self, tensors: list[Any], axis: int) -> Any:
        """Put tensors one after the other."""
        return concat(tensors, axis=axis)

    def is_float_type(self, x: Any) -> bool:
        """Tell whether a mean of ``x`` has a meaning."""
        return bool(x.__array_namespace__().isdtype(x.dtype, ("real floating", "complex floating")))

    def einsum(self, pattern: str, *arrays: Any) -> Any:
        """Multiply and sum over the axes that a pattern names."""
        return einsum(pattern, *arrays)
