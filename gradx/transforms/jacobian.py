"""Whole Jacobians and Hessians, built from products with basis vectors."""

from collections.abc import Callable
from math import prod
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, untracked
from gradx.errors import DTypeError
from gradx.ops.joining import stack
from gradx.ops.shapes import reshape
from gradx.transforms.boundary import name_of, require_differentiable
from gradx.transforms.forward import jvp
from gradx.transforms.grad import grad, vjp
from gradx.transforms.linearize import transpose


def jacobian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that computes all derivatives of ``f``.

    Of an output of shape ``(m...)`` by an input of shape ``(n...)`` the result
    has shape ``(m..., n...)``; of a tree by a tree it is a tree of the output's
    structure, each leaf a tree of the input's. Forward or reverse mode is chosen
    by which needs fewer products: one per input element, or one per output element.
    Nothing is conjugated: of a holomorphic function it is the complex Jacobian.

    >>> import numpy as np, gradx as gx
    >>> gx.jacobian(lambda x: x * x)(np.asarray([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    label = f"jacobian of {name_of(f)}"

    def jacobian_of(*args, **kwargs):
        positions = argnums if isinstance(argnums, tuple) else (argnums,)
        chosen = tuple(args[i] for i in positions)

        def restricted(*primals):
            full = list(args)
            for i, primal in zip(positions, primals, strict=True):
                full[i] = primal
            return f(*full, **kwargs)

        out, pullback = vjp(restricted, *chosen)
        inputs, structure = tree.flatten(chosen)
        inputs = [require_differentiable(x, lambda: f"{label}: an argument") for x in inputs]
        outputs, out_structure = tree.flatten(out)
        by_columns = sum(map(_size, inputs)) <= sum(map(_size, outputs))
        products = _by_columns if by_columns else _by_rows
        blocks = products(pullback, (out, outputs, out_structure), (inputs, structure))
        per_output = [tree.unflatten(structure, row) for row in blocks]
        if not isinstance(argnums, tuple):
            per_output = [row[0] for row in per_output]
        return tree.unflatten(out_structure, per_output)

    return jacobian_of


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """Return a function that computes all second derivatives of a scalar function.

    Of an argument of shape ``(n...)`` the result has shape ``(n..., n...)``.

    >>> import numpy as np, gradx as gx
    >>> gx.hessian(lambda x: gx.sum(x**3))(np.asarray([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """Multiply the Hessian of a scalar function by ``tangents``, without building it.

    Return one array or tree for a single primal, a tuple for several.

    >>> import numpy as np, gradx as gx
    >>> gx.hvp(lambda x: gx.sum(x**3), (np.asarray([1.0, 2.0]),), (np.asarray([1.0, 1.0]),))
    array([ 6., 12.])
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise DTypeError("hvp: primals and tangents are tuples, one element per argument")
    argnums = 0 if len(primals) == 1 else tuple(range(len(primals)))
    return jvp(grad(f, argnums), tuple(primals), tuple(tangents))[1]


def _by_rows(pullback, out, inputs):
    """Return blocks[output][input], one pullback per output element."""
    _, outputs, out_structure = out
    blocks = []
    for chosen, output in enumerate(outputs):
        rows = []
        for basis in _basis(output):
            seed = tree.unflatten(out_structure, [basis if i == chosen else None for i in range(len(outputs))])
            rows.append(tree.leaves(pullback(seed)))
        blocks.append([
            reshape(stack([row[i] for row in rows]), (*output.shape, *x.shape)) if rows else _empty(output, x)
            for i, x in enumerate(inputs[0])
        ])
    return blocks


def _by_columns(pullback, out, inputs):
    """Return blocks[output][input], one pushforward per input element."""
    out, outputs, _ = out
    leaves, structure = inputs
    pushforward = transpose(pullback, out)
    blocks = [[] for _ in outputs]
    for chosen, x in enumerate(leaves):
        columns = []
        for basis in _basis(x):
            tangents = [basis if i == chosen else None for i in range(len(leaves))]
            columns.append(tree.leaves(pushforward(*tree.unflatten(structure, tangents))))
        for i, output in enumerate(outputs):
            blocks[i].append(
                reshape(stack([c[i] for c in columns], axis=-1), (*output.shape, *x.shape))
                if columns
                else _empty(output, x)
            )
    return blocks


def _size(x):
    return prod(x.shape)


def _basis(x):
    """Yield each array like ``x`` that is one at one element and zero elsewhere."""
    backend, plain = backend_for(x), untracked(x)
    for i in range(_size(x)):
        flat = backend.xp.reshape(backend.xp.zeros_like(plain), (-1,))
        flat[i] = 1
        yield backend.xp.reshape(flat, plain.shape)


def _empty(output, x):
    backend, plain = backend_for(x), untracked(x)
    return backend.xp.zeros((*output.shape, *x.shape), dtype=plain.dtype)
