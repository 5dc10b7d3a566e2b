"""PyTorch's operators as code for NumPy's arrays, where NumPy and gradx have no namesake.

Tables for samples_of_torch.py, which gives PyTorch's samples to them. A function calls ``require``
where it has no code for a setting.
"""

import numpy as np

import gradx as gx


class Missing(Exception):
    """A sample with a setting that gradx has not."""


def require(condition):
    if not condition:
        raise Missing


def axes_of(dim):
    return tuple(dim) if isinstance(dim, list | tuple) else dim


def several(f):
    """Let a function of a list take arrays one by one, too."""
    return lambda xs, *more: f(xs if isinstance(xs, list | tuple) else [xs, *more])


def along(f):
    """Let a function of an array and an axis take what PyTorch calls it, of arrays with axes."""

    def call(x, dim, *args, **settings):
        require(x.ndim and "dtype" not in settings)
        return f(x, *args, axis=dim, **settings)

    return call


def key_at(x, dim, index):
    require(x.ndim)
    return (slice(None),) * (dim % x.ndim) + (index,)


def written(x, key, value):
    y = x.copy()
    y[key] = value
    return y


def places_along(x, dim, index):
    require(x.ndim and x.ndim == index.ndim)
    places = list(np.indices(index.shape, sparse=True))
    places[dim] = index
    return tuple(places)


REDUCING = {"amax": np.maximum, "amin": np.minimum, "prod": np.multiply, "sum": np.add}


def scattered(x, dim, index, source, reduce=None, *, include_self=True):
    require(include_self and reduce in (None, *REDUCING))
    key, y = places_along(x, dim, index), x.copy()
    if np.ndim(source):
        source = source[tuple(map(slice, index.shape))]
    if reduce is None:
        y[key] = source
    else:
        REDUCING[reduce].at(y, key, source)
    return y


def masked(f, **fixed):
    def call(x, dim=None, keepdim=False, dtype=None, mask=None):
        require(dtype is None and x.ndim)
        # What a NaN is told differs: gradx leaves out what it does not reach.
        require(type(x) is not np.ndarray or not np.isnan(x).any())
        where = True if mask is None else np.broadcast_to(mask, x.shape)
        return f(x, axis=axes_of(dim), keepdims=keepdim, where=where, **fixed)

    return call


def padded(x, pad, mode="constant", value=None):
    require(min(pad, default=0) >= 0 and x.size)
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    if mode == "constant":
        return np.pad(x, pairs, constant_values=value or 0)
    return np.pad(x, pairs, mode={"replicate": "edge", "circular": "wrap"}.get(mode, mode))


def differences(x, n=1, dim=-1, prepend=None, append=None):
    ends = {"prepend": prepend, "append": append}
    return np.diff(x, n, dim, **{name: end for name, end in ends.items() if end is not None})


def slopes(x, spacing=None, dim=None, edge_order=1):
    spacing = () if spacing is None else spacing if isinstance(spacing, list | tuple) else [spacing]
    return np.gradient(x, *spacing, axis=axes_of(dim), edge_order=edge_order)


def transformed(f):
    def call(x, s=None, dim=None, norm=None):
        require(s is None or -1 not in s)
        dim = (dim,) if dim is not None and np.ndim(dim) == 0 else dim
        axes = tuple(range(-len(s), 0)) if s is not None and dim is None else axes_of(dim)
        return f(x, s=s, axes=axes, norm=norm)

    return call


def squares(vectors):
    """Return what does not depend on the phase of eigenvectors and singular vectors."""
    return (vectors * vectors.conj()).real


def singular(x, full_matrices=True):
    u, values, vh = np.linalg.svd(x, full_matrices=False)
    return values, squares(u), squares(vh)


def singular_in_torch(out):
    u, values, vh = out
    rank = values.shape[-1]
    return [values, squares(u[..., :, :rank]), squares(vh[..., :rank, :])]


def added_outer(x, a, b, beta=1, alpha=1):
    require(alpha and beta)  # PyTorch leaves a NaN out that is multiplied by 0
    return beta * x + alpha * np.outer(a, b)


def grids(*xs, indexing="ij"):
    return np.meshgrid(*(xs[0] if isinstance(xs[0], list | tuple) else xs), indexing=indexing)


ELEMENTWISE = {
    "__radd__": lambda x, y: y + x,
    "__rdiv__": lambda x, y: y / x,
    "__rmatmul__": lambda x, y: y @ x,
    "__rmod__": lambda x, y: y % x,
    "__rmul__": lambda x, y: y * x,
    "__rpow__": lambda x, y: y**x,
    "__rsub__": lambda x, y: y - x,
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "clamp_max": np.minimum,
    "clamp_min": np.maximum,
    "complex": lambda x, y: x + 1j * y,
    "frac": lambda x: x - np.trunc(x),
    "lerp": lambda x, y, weight: x + weight * (y - x),
    "masked_fill": lambda x, mask, value: np.where(mask, value, x),
    "mvlgamma": gx.special.multigammaln,
    "nn.functional.hardtanh": lambda x, min_val=-1.0, max_val=1.0: np.clip(x, min_val, max_val),
    "nn.functional.softsign": lambda x: x / (1 + np.abs(x)),
    "polar": lambda x, y: x * np.exp(1j * y),
    "polygamma": lambda x, n: gx.special.polygamma(n, x),
    "positive": np.positive,
    "round": lambda x, decimals=0: np.round(x, decimals),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "sgn": np.sign,
    "where": lambda x, condition, y: np.where(condition, x, y),
}
MOVING = {
    "T": lambda x: x.T,
    "atleast_1d": several(lambda xs: np.atleast_1d(*xs)),
    "atleast_2d": several(lambda xs: np.atleast_2d(*xs)),
    "broadcast_tensors": lambda *xs: np.broadcast_arrays(*xs),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, tuple(shape)),
    "column_stack": several(np.column_stack),
    "diag": lambda x, diagonal=0: np.diag(x, diagonal),
    "diagflat": lambda x, offset=0: np.diagflat(x, offset),
    "diff": differences,
    "dstack": several(np.dstack),
    "flip": lambda x, dims: np.flip(x, tuple(dims)),
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "gather": lambda x, dim, index: x[places_along(x, dim, index)],
    "hstack": several(np.hstack),
    "index_select": along(lambda x, index, axis: np.take(x, index.reshape(-1), axis)),
    "mH": lambda x: np.conj(x.mT),
    "mT": lambda x: x.mT,
    "masked_select": lambda x, mask: np.extract(
        np.broadcast_to(mask, np.broadcast_shapes(x.shape, mask.shape)),
        np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)),
    ),
    "meshgrid": grids,
    "movedim": np.moveaxis,
    "nn.functional.pad": padded,
    "repeat": lambda x, counts: np.tile(x, tuple(counts)),
    "scatter": scattered,
    "scatter_add": lambda x, dim, index, source: scattered(x, dim, index, source, "sum"),
    "scatter_reduce": scattered,
    "select_scatter": lambda x, source, dim, index: written(x, key_at(x, dim, index), source),
    "slice_scatter": lambda x, source, dim=0, start=None, end=None, step=1: written(
        x, key_at(x, dim, slice(start, end, step)), source
    ),
    "sort": lambda x, dim=-1, descending=False, stable=False: (np.flip if descending else np.copy)(
        np.sort(x, axis=dim if x.ndim else None), *([dim] if descending and x.ndim else [])
    ),
    "take": np.take,
    "tile": np.tile,
    "unfold": along(
        lambda x, size, step, axis: np.lib.stride_tricks.sliding_window_view(x, size, axis)[
            key_at(x, axis, slice(None, None, step))
        ]
    ),
    "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
    "view_as_real": lambda x: np.stack([x.real, x.imag], -1),
    "vstack": several(np.vstack),
}
REDUCTIONS = {
    "dist": lambda x, y, p=2: gx.linalg.vector_norm(x - y, ord=p),
    "gradient": slopes,
    "logcumsumexp": along(lambda x, axis: np.logaddexp.accumulate(x, axis)),
    "masked.amax": masked(np.max, initial=-np.inf),
    "masked.amin": masked(np.min, initial=np.inf),
    "masked.mean": masked(np.mean),
    "masked.prod": masked(np.prod),
    "masked.sum": masked(np.sum),
    "trapezoid": lambda y, x=None, dim=-1, dx=1.0: np.trapezoid(y, x, dx, dim),
}
LINEAR = {
    "addbmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * np.sum(a @ b, axis=0),
    "addmv": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "addr": added_outer,
    "baddbmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "bmm": np.matmul,
    "linalg.cond": np.linalg.cond,
    "linalg.cross": lambda x, y, dim=-1: np.cross(*np.broadcast_arrays(x, y), axis=dim),
    "linalg.diagonal": lambda x, offset=0, dim1=-2, dim2=-1: np.diagonal(x, offset, dim1, dim2),
    "linalg.lstsq": lambda a, b, driver=None: gx.linalg.lstsq(a, b).solution,
    "linalg.qr": lambda x, mode="reduced": tuple(np.linalg.qr(x, mode="reduced")),
    "linalg.svd": singular,
    "linalg.tensorsolve": lambda a, b, dims=None: np.linalg.tensorsolve(a, b, axes=dims),
    "mm": np.matmul,
    "mv": np.matmul,
    "pinverse": np.linalg.pinv,
    **{
        f"fft.{inverse}{real}fftn": transformed(getattr(np.fft, f"{inverse}{real}fftn"))
        for inverse in ("", "i")
        for real in ("", "r")
    },
}
FUNCTIONS = {**ELEMENTWISE, **MOVING, **REDUCTIONS, **LINEAR}
# What of PyTorch's outputs is compared.
PARTS = {
    "linalg.lstsq": lambda out: [out[0]],
    "linalg.svd": singular_in_torch,
    "sort": lambda out: [out[0]],
}
