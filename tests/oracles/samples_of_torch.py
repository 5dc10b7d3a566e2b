"""PyTorch's own samples of its operators, given to what does the same in gradx and NumPy.

Run by name, with PyTorch and expecttest, which its samples need:

    python -m pytest -n auto tests/oracles/samples_of_torch.py

PyTorch tests its operators on samples of odd shapes, strides and settings. Here values,
gradients in both modes, second derivatives, compiled gradients and those of a batch are compared.
A sample with a setting that gradx has not, is left out; where results are meant to differ, a table
says why.
"""

from functools import partial

import numpy as np
import pytest

import gradx as gx
from tests.oracles import torch_in_numpy
from tests.oracles.torch_in_numpy import Missing, require

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")
methods = pytest.importorskip("torch.testing._internal.common_methods_invocations")
pytree = torch.utils._pytree

pytestmark = pytest.mark.filterwarnings("ignore")
MOST_SAMPLES = 8
# PyTorch alone has it of complex numbers, or has no derivative of it.
REAL = {"logaddexp", "logcumsumexp", "nn.functional.silu"}
DTYPES = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 2e-4}

# Operator: why results differ.
DIFFERENT = {
    "linalg.eigvalsh": "PyTorch halves what one triangle is read for: both derivatives are right",
    "linalg.norm": "at 0 the derivative of a norm is 0 here, and not so in PyTorch",
    "special.bessel_j0": "PyTorch has nine digits of it",
    "special.bessel_j1": "PyTorch has nine digits of it",
    "special.bessel_y0": "PyTorch has nine digits of it",
    "special.bessel_y1": "PyTorch has nine digits of it",
}
ELEMENTWISE = """
    abs acos acosh asin asinh atan atan2 atanh ceil conj copysign cos cosh exp expm1 floor hypot log
    log10 log1p log2 logaddexp maximum minimum pow reciprocal real imag remainder sin sinc sinh sqrt
    square tan tanh trunc sign float_power fmod fmax fmin exp2 logaddexp2 deg2rad rad2deg
    angle nan_to_num
""".split()  # noqa: SIM905 (a list of quoted words would be three times as long)
SPECIAL = """
    digamma erf erfc erfinv i0 special.entr special.erfcx special.i0e special.i1 special.i1e
    special.log_ndtr special.ndtr special.ndtri special.xlog1py special.bessel_j0 special.bessel_j1
    special.bessel_y0 special.bessel_y1 xlogy
""".split()  # noqa: SIM905
REDUCTIONS = {"sum": np.sum, "mean": np.mean, "prod": gx.prod, "amax": np.max, "amin": np.min}
FOURIER = [f"{inverse}{kind}" for inverse in ("", "i") for kind in ("fft", "rfft")]
HERMITIAN = ["hfft", "ihfft"]


def reduced(f, x, dim=None, keepdim=False, **settings):
    require(x.ndim and dim != ())
    axis = tuple(dim) if isinstance(dim, list | tuple) and dim else dim or (0 if dim == 0 else None)
    return f(x, axis=axis, keepdims=keepdim, **settings)


def spread(f, x, dim=None, unbiased=None, keepdim=False, correction=None):
    require(not isinstance(dim, bool) and x.size)
    correction = (1 if unbiased in (None, True) else 0) if correction is None else correction
    return reduced(partial(f, correction=correction), x, dim, keepdim)


def divided(x, y, rounding_mode=None):
    require(rounding_mode is None)
    return x / y


def along(f, x, dim, dtype=None):
    require(x.ndim and dtype is None)
    return f(x, axis=dim)


def transformed(f, x, n=None, dim=-1, norm=None):
    return f(x, n=n, axis=dim, norm=norm or "backward")


def solved(a, b, left=True):
    require(left and a.ndim == b.ndim)
    return gx.linalg.solve(a, b)


def at(x, dim, index):
    require(x.ndim and index.ndim <= 1)
    return (slice(None),) * (dim % x.ndim) + (index,)


def added(x, dim, index, source, alpha=1):
    key, y = at(x, dim, index), x.copy()
    require(source.ndim)
    np.add.at(y, key, alpha * source)
    return y


def written(x, dim, index, source):
    key, y = at(x, dim, index), x.copy()
    y[key] = source
    return y


def put(x, places, values, accumulate=False):
    y = x.copy()
    if accumulate:
        np.add.at(y, tuple(places), values)
    else:
        y[tuple(places)] = values
    return y


def windows(f, x, weight, bias=None, *, spatial, **settings):
    per_axis = lambda v: v if isinstance(v, int | str) else tuple(v) * (spatial // len(v) or 1)
    settings = {name: per_axis(value) for name, value in settings.items()}
    out = f(x if x.ndim > spatial + 1 else x[None], weight, **settings)
    out = out if bias is None else out + gx.reshape(bias, (-1, *(1,) * spatial))
    return out if x.ndim > spatial + 1 else out[0]


def quantile(f, x, q, dim=None, keepdim=False, interpolation="linear"):
    require(
        x.ndim and interpolation == "linear"
    )  # others read numbers, which compiled code has not
    return f(x, q, axis=dim, keepdims=keepdim)


def vector_norm(x, ord=2, dim=None, keepdim=False, dtype=None):
    require(dtype is None and x.ndim)
    return reduced(partial(gx.linalg.vector_norm, ord=ord), x, dim, keepdim)


def matrix_norm(x, ord=None, dim=None, keepdim=False, dtype=None):
    require(dtype is None)
    axis = tuple(dim) if isinstance(dim, list) else dim
    return np.linalg.norm(x, ord=ord, axis=axis, keepdims=keepdim)


def running(ufunc, x, dim):
    require(x.ndim)
    return ufunc.accumulate(x, axis=dim)


FUNCTIONS = {
    **torch_in_numpy.FUNCTIONS,
    **{name: getattr(gx, name, None) or getattr(np, name) for name in ELEMENTWISE},
    **{name: getattr(gx.special, name.split(".")[-1].removeprefix("bessel_")) for name in SPECIAL},
    **{name: partial(reduced, f) for name, f in REDUCTIONS.items()},
    **{f"fft.{name}": partial(transformed, getattr(np.fft, name)) for name in FOURIER + HERMITIAN},
    "add": lambda x, y, alpha=1: x + alpha * y,
    "addmm": lambda x, a, b, beta=1, alpha=1: beta * x + alpha * (a @ b),
    "cat": lambda xs, dim=0: np.concatenate([x for x in xs if x.shape != (0,)] or xs, dim),
    "clamp": lambda x, min=None, max=None: gx.clip(x, min, max),
    "cummax": partial(running, np.maximum),
    "cummin": partial(running, np.minimum),
    "cumprod": partial(along, np.cumprod),
    "cumsum": partial(along, np.cumsum),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: np.diagonal(x, offset, dim1, dim2),
    "div": divided,
    "dot": np.dot,
    "einsum": lambda xs, text: gx.einsum(text, *xs),
    "index_add": added,
    "index_copy": written,
    "index_fill": written,
    "index_put": put,
    "inner": np.inner,
    "kron": np.kron,
    "lgamma": gx.special.gammaln,
    "linalg.cholesky": lambda x, upper=False: gx.abs(gx.linalg.cholesky(x, upper=upper)) ** 2,
    "linalg.det": np.linalg.det,
    "linalg.eigvalsh": np.linalg.eigvalsh,
    "linalg.inv": np.linalg.inv,
    "linalg.matrix_power": np.linalg.matrix_power,
    "linalg.multi_dot": np.linalg.multi_dot,
    "linalg.norm": matrix_norm,
    "linalg.slogdet": lambda x: tuple(np.linalg.slogdet(x)),
    "linalg.solve": solved,
    "linalg.svdvals": np.linalg.svdvals,
    "linalg.tensorinv": np.linalg.tensorinv,
    "linalg.vecdot": lambda x, y, dim=-1: np.vecdot(x, y, axis=dim),
    "linalg.vector_norm": vector_norm,
    "log_softmax": partial(along, lambda x, axis: gx.nn.log_softmax(x, axis=axis)),
    "logsumexp": partial(reduced, gx.logsumexp),
    "matmul": np.matmul,
    "matrix_exp": gx.linalg.expm,
    "mul": np.multiply,
    "nanquantile": partial(quantile, np.nanquantile),
    "neg": np.negative,
    "nn.functional.elu": lambda x, alpha=1.0, inplace=False: gx.nn.elu(x, alpha=alpha),
    "nn.functional.gelu": gx.nn.gelu,
    "nn.functional.logsigmoid": gx.special.log_expit,
    "nn.functional.relu": lambda x, inplace=False: gx.nn.relu(x),
    "nn.functional.silu": lambda x, inplace=False: gx.nn.silu(x),
    **{
        f"nn.functional.{name}{n}d": partial(windows, f, spatial=n)
        for name, f in {"conv": gx.conv, "conv_transpose": gx.conv_transpose}.items()
        for n in (1, 2, 3)
    },
    "outer": np.outer,
    "quantile": partial(quantile, np.quantile),
    "roll": lambda x, shifts, dims=(): np.roll(x, shifts, axis=dims if dims != () else None),
    "rot90": lambda x, k=1, dims=(0, 1): np.rot90(x, k, axes=tuple(dims)),
    "sigmoid": gx.special.expit,
    "softmax": partial(along, lambda x, axis: gx.nn.softmax(x, axis=axis)),
    "std": partial(spread, gx.std),
    "stack": lambda xs, dim=0: np.stack(xs, axis=dim),
    "sub": lambda x, y, alpha=1: x - alpha * y,
    "trace": np.trace,
    "tril": lambda x, k=0: gx.tril(x, k=k),
    "triu": lambda x, k=0: gx.triu(x, k=k),
    "var": partial(spread, gx.var),
    "vdot": np.vdot,
}
# What of the outputs is compared: PyTorch's may have places beside values, and phases are free.
PARTS = {
    **torch_in_numpy.PARTS,
    "cummax": lambda out: out[0],
    "cummin": lambda out: out[0],
    "linalg.cholesky": lambda out: out.abs() ** 2,
}
OPERATORS = [op for op in methods.op_db if op.name in FUNCTIONS]


def in_numpy(leaf):
    if isinstance(leaf, torch.Tensor):
        return leaf.detach().resolve_conj().resolve_neg().numpy(force=True).copy()
    require(not isinstance(leaf, torch.dtype))
    return leaf


def varying(leaf):
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc"


class Case:
    """One sample: a function of its varying arrays here and in PyTorch, and weights of outputs."""

    def __init__(self, op, sample):
        self.op, self.mine = op, FUNCTIONS[op.name]
        self.theirs, self.structure = pytree.tree_flatten(
            (sample.input, tuple(sample.args), dict(sample.kwargs))
        )
        self.leaves = list(map(in_numpy, self.theirs))
        self.arrays = [leaf for leaf in self.leaves if varying(leaf)]
        self.argnums = tuple(range(len(self.arrays)))
        self.expected = list(map(in_numpy, self.outputs_of_torch(self.theirs)))
        rng = np.random.default_rng(0)
        drawn = lambda like: np.asarray(rng.normal(size=like.shape)).astype(like.dtype)
        self.weights = list(map(drawn, self.expected))
        self.tangents = list(map(drawn, self.arrays))

    def outputs(self, *arrays):
        rest = iter(arrays)
        leaves = [next(rest) if varying(leaf) else leaf for leaf in self.leaves]
        x, args, settings = pytree.tree_unflatten(leaves, self.structure)
        return as_list(self.mine(x, *args, **settings))

    def outputs_of_torch(self, leaves):
        x, args, settings = pytree.tree_unflatten(leaves, self.structure)
        found = PARTS.get(self.op.name, as_list)(self.op.op(x, *args, **settings))
        return as_list(found)

    def loss(self, *arrays):
        return weighed(self.outputs(*arrays), self.weights)

    def gradient(self, *arrays):
        return gx.grad(self.loss, self.argnums)(*arrays)

    def second(self, *arrays):
        return gx.grad(lambda *xs: weighed(self.gradient(*xs), self.tangents), self.argnums)(
            *arrays
        )

    def derivatives_of_torch(self):
        """Return PyTorch's gradient and second derivative, of which it may have none."""
        rest = [torch.from_numpy(array.copy()).requires_grad_() for array in self.arrays]
        variables = iter(rest)
        pairs = zip(self.theirs, self.leaves, strict=True)
        leaves = [next(variables) if varying(mine) else theirs for theirs, mine in pairs]
        loss = weighed_in_torch(self.outputs_of_torch(leaves), self.weights)
        first = gradient_of_torch(loss, rest)
        slope = weighed_in_torch(first, self.tangents)
        return list(map(in_numpy, first)), list(map(in_numpy, gradient_of_torch(slope, rest)))


def as_list(out):
    return list(out) if isinstance(out, list | tuple) else [out]


def weighed(outs, weights):
    pairs = zip(outs, weights, strict=True)
    return sum([gx.sum(gx.real(out * weight)) for out, weight in pairs], np.asarray(0.0))


def weighed_in_torch(outs, weights):
    pairs = zip(outs, weights, strict=True)
    return sum([(out * torch.from_numpy(weight)).sum().real for out, weight in pairs])


def gradient_of_torch(number, variables):
    if not number.requires_grad:
        return [torch.zeros_like(x) for x in variables]
    found = torch.autograd.grad(number, variables, create_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, variables, strict=True)]


def cases(op, dtype):
    samples = list(op.sample_inputs("cpu", dtype))
    chosen = np.unique(np.linspace(0, len(samples) - 1, MOST_SAMPLES).astype(int))
    for sample in [samples[i] for i in chosen]:
        try:
            case = Case(op, sample)
            case.values = case.outputs(*case.arrays)
        except Missing:
            continue
        yield case


def agree(actual, expected, tolerance, case):
    for a, e in zip(actual, expected, strict=True):
        size = np.max(np.abs(e[np.isfinite(e)]), initial=1e-3)
        message = f"{case.op.name} of {case.leaves}"
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * size, err_msg=message)


def named(op):
    return f"{op.name}-{op.variant_test_name}" if op.variant_test_name else op.name


PAIRS = [
    (op, dtype)
    for op in OPERATORS
    for dtype in DTYPES
    if dtype in op.supported_dtypes("cpu") and not (dtype.is_complex and op.name in REAL)
]


@pytest.mark.parametrize(("op", "dtype"), PAIRS, ids=[f"{named(op)}-{d}" for op, d in PAIRS])
def test_values_and_derivatives_are_those_of_torch(op, dtype):
    if op.name in DIFFERENT:
        pytest.skip(DIFFERENT[op.name])
    torch.manual_seed(0)
    tolerance = DTYPES[dtype]
    for case in cases(op, dtype):
        agree(case.values, case.expected, tolerance, case)
        if not case.arrays or not any(map(varying, case.expected)):
            continue
        first, second = case.derivatives_of_torch()
        agree(case.gradient(*case.arrays), first, 10 * tolerance, case)
        assert_the_same_in_every_way(case, first, 10 * tolerance)
        if dtype is not torch.float32:
            agree(case.second(*case.arrays), second, 1e3 * tolerance, case)


def assert_the_same_in_every_way(case, gradient, tolerance):
    """Compare forward mode, a compiled function and one of a batch."""
    _, moved = gx.jvp(case.loss, tuple(case.arrays), tuple(case.tangents))
    pairs = zip(gradient, case.tangents, strict=True)
    parts = [np.sum((np.conj(g) * tangent).real) for g, tangent in pairs]
    agree([moved], [np.asarray(sum(parts))], 10 * tolerance, case)
    compiled = gx.compile(case.gradient)
    agree(compiled(*case.arrays), gradient, tolerance, case)
    agree(compiled(*case.arrays), gradient, tolerance, case)
    batch = gx.vmap(case.gradient)(*[np.stack([2 * array, array]) for array in case.arrays])
    agree([part[1] for part in batch], gradient, tolerance, case)
