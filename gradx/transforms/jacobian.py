"""Whole Jacobians and Hessians, built from products with basis vectors."""

from collections.abc import Callable
from functools import wraps
from math import prod
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.ops.joining import concat
from gradx.ops.shapes import permute_dims, reshape
from gradx.transforms.batching import vmap
from gradx.transforms.boundary import (
    as_array,
    as_tensors_inside,
    is_differentiable,
    label_of,
    require_differentiable,
)
from gradx.transforms.forward import jvp
from gradx.transforms.grad import P, argument_positions, grad, require_argnums, vjp
from gradx.transforms.linearize import transpose

# Basis vectors that go through the linear map at once.
CHUNK = 64


def jacobian(
    f: Callable[P, Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[P, Any]:
    """Return a function that computes all derivatives of ``f``.

    Of an output of shape ``(m...)`` by an input of shape ``(n...)`` the result
    has shape ``(m..., n...)``; of a tree by a tree it is a tree of the output's
    structure, each leaf a tree of the input's. Forward or reverse mode is chosen
    by which needs fewer products: one per input element, or one per output element.
    ``argnums`` names one argument or, in a tuple, several. With ``has_aux``, ``f`` returns a
    pair, of which the second part is handed through: the result is ``(jacobian, aux)``.
    ``chunk_size`` of them are computed at once, which bounds the memory.
    Nothing is conjugated: of a holomorphic function it is the complex Jacobian, which says
    nothing of a complex one that is not holomorphic. Of a real function of complex numbers
    it is the conjugate of ``grad``'s: the function varies by ``real(sum(J * dz))``.

    >>> import numpy as np, gradx as gx
    >>> gx.jacobian(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    label = label_of("jacobian", f)
    require_argnums(argnums, label)
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ShapeError(f"{label}: chunk_size={chunk_size!r}, expected an integer of 1 or more")

    @wraps(f)
    def jacobian_of(*args, **kwargs):
        positions = argument_positions(argnums, args, label)
        chosen = tuple(args[i] for i in positions)

        @wraps(f)
        def restricted(*primals):
            full = list(args)
            for i, primal in zip(positions, primals, strict=True):
                full[i] = primal
            return f(*full, **kwargs)

        out, pullback, *aux = vjp(restricted, *chosen, has_aux=has_aux)
        inputs, structure = tree.flatten(chosen)
        inputs = [require_differentiable(x, lambda: f"{label}: an argument") for x in inputs]
        outputs, out_structure = tree.flatten(out)
        blocks = _blocks(pullback, (out, outputs, out_structure), (inputs, structure), chunk_size)
        per_output = [tree.unflatten(structure, as_tensors_inside(inputs, row)) for row in blocks]
        if not isinstance(argnums, tuple):
            per_output = [row[0] for row in per_output]
        found = tree.unflatten(out_structure, per_output)
        return (found, *aux) if has_aux else found

    return jacobian_of


def hessian(f: Callable[P, Any], argnums: int = 0, *, has_aux: bool = False) -> Callable[P, Any]:
    """Return a function that computes all second derivatives of a scalar function.

    They are by the argument at position ``argnums``; if that has shape ``(n...)``, the result
    has shape ``(n..., n...)``. ``has_aux`` is that of ``jacobian``.

    Raises:
        TypeError: the argument is complex: the second derivatives by its real and imaginary
            parts fill four real matrices, not a complex one.

    >>> import numpy as np, gradx as gx
    >>> gx.hessian(lambda x: gx.sum(x**3))(np.asarray([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    label = label_of("hessian", f)
    second = jacobian(grad(f, argnums, has_aux), argnums, has_aux=has_aux)

    @wraps(f)
    def hessian_of(*args, **kwargs):
        for i in argument_positions(argnums, args, label):
            _require_real(args[i], label)
        return second(*args, **kwargs)

    return hessian_of


def _require_real(argument, label):
    for leaf in filter(is_differentiable, tree.leaves(argument)):
        if _is_complex(as_array(leaf)):
            raise DTypeError(
                f"{label}: an argument is {describe(leaf)}, by which second derivatives are no "
                "complex matrix: make the real and the imaginary part arguments, or use gx.hvp"
            )


def hvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """Multiply the Hessian of a scalar function by ``tangents``, without building it.

    ``primals`` are the arguments of ``f``, ``tangents`` a tuple like them. Return one array or
    tree for a single primal, a tuple for several.

    >>> import numpy as np, gradx as gx
    >>> gx.hvp(lambda x: gx.sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise DTypeError("hvp: primals and tangents are tuples, one element per argument")
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), tuple(primals), tuple(tangents))[1]


def _blocks(pullback, out, inputs, chunk_size):
    """Return blocks[output][input], each from a mode that knows all of it, the cheaper of two."""
    outputs, leaves = out[1], inputs[0]
    cheaper = _by_columns if sum(map(_size, leaves)) <= sum(map(_size, outputs)) else _by_rows
    modes = [_mode_for(output, leaves, cheaper) for output in outputs]
    blocks = [None] * len(outputs)
    for products in {*modes}:
        chosen = [i for i, mode in enumerate(modes) if mode is products]
        found = products(pullback, out, inputs, chosen, chunk_size)
        for i, block in zip(chosen, found, strict=True):
            blocks[i] = block
    return blocks


def _mode_for(output, inputs, cheaper):
    """Return the mode for an output.

    A row of a complex output by a real input is a real part, and so is a column of a
    real output by a complex one.
    """
    are_complex = [_is_complex(x) for x in inputs]
    if _is_complex(output):
        return cheaper if all(are_complex) else _by_columns
    return _by_rows if any(are_complex) else cheaper


def _is_complex(x):
    return is_kind(x, "complex floating")


def _by_rows(pullback, out, inputs, which, chunk_size):
    """Return blocks[output][input] of the outputs that are named, one pullback per element."""
    _, outputs, out_structure = out
    blocks = []
    for chosen in which:
        output = outputs[chosen]

        def rows_of(basis, chosen=chosen):
            seeds = [basis if i == chosen else None for i in range(len(outputs))]
            return tree.leaves(pullback(tree.unflatten(out_structure, seeds)))

        rows = _products(rows_of, output, inputs[0], chunk_size)
        blocks.append(
            [
                reshape(row, (*output.shape, *x.shape))
                for row, x in zip(rows, inputs[0], strict=True)
            ]
        )
    return blocks


def _by_columns(pullback, out, inputs, which, chunk_size):
    """Return blocks[output][input] of the outputs that are named, one pushforward per element."""
    out, outputs, _ = out
    leaves, structure = inputs
    pushforward = transpose(pullback, out)
    blocks: list[list[Any]] = [[] for _ in outputs]
    for chosen, x in enumerate(leaves):

        def columns_of(basis, chosen=chosen):
            tangents = [basis if i == chosen else None for i in range(len(leaves))]
            return tree.leaves(pushforward(*tree.unflatten(structure, tangents)))

        columns = _products(columns_of, x, outputs, chunk_size)
        for block, column, output in zip(blocks, columns, outputs, strict=True):
            last = permute_dims(column, (*range(1, column.ndim), 0))
            block.append(reshape(last, (*output.shape, *x.shape)))
    return [blocks[i] for i in which]


def _size(x):
    return prod(x.shape)


def _products(function, x, results, chunk_size):
    """Apply ``function`` to each basis array of ``x``, and stack each of its results."""
    size = prod(x.shape)
    if size == 0:
        backend, plain = backend_for(x), untracked(x)
        device = backend.native_device(backend.device_of(plain))
        return [
            backend.xp.zeros((0, *r.shape), dtype=untracked(r).dtype, device=device)
            for r in results
        ]
    step = chunk_size or CHUNK
    chunks = [
        vmap(function)(_basis(x, start, min(start + step, size))) for start in range(0, size, step)
    ]
    return [concat(parts) if len(parts) > 1 else parts[0] for parts in zip(*chunks, strict=True)]


def _basis(x, start, stop):
    """Return a stack of arrays like ``x``; the i-th is one at element ``start + i`` only."""
    backend, plain = backend_for(x), untracked(x)
    device = backend.native_device(backend.device_of(plain))
    rows = backend.xp.eye(stop - start, prod(x.shape), k=start, dtype=plain.dtype, device=device)
    return backend.xp.reshape(rows, (stop - start, *x.shape))
