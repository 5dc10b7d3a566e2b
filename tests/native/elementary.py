"""How far the native elementary functions are from the truth, in units in the last place."""

import numpy as np
import scipy.special

from gradx.backends.native import compiler
from gradx.core.op import OPS
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.native.analysis import analyse
from gradx.graph.native.kernel import Kernel
from gradx.graph.native.launch import Launch, lanes_of
from gradx.graph.native.writing import write

WIDER = {"float32": np.float64, "float64": np.longdouble}


def kernel_of(name, dtype, count, arity=1, processor=compiler.PROCESSOR):
    """Compile one op as a group of its own, for arrays of ``count`` elements."""
    inputs = tuple(Variable((count,), dtype) for _ in range(arity))
    out = Variable((count,), dtype)
    graph = Graph(inputs, (), (Equation(OPS[name], inputs, {}, (out,)),), (out,))
    plan = analyse(graph)
    kernel = Kernel(plan, lanes_of(plan), processor)
    functions = compiler.addresses(write(kernel), ("run", "finish"), None)
    return Launch(plan, kernel, functions)


def computed(name, *arrays, **options):
    """Run the native form of an op."""
    out = np.empty_like(arrays[0])
    kernel_of(name, out.dtype.name, out.size, len(arrays), **options)(*arrays, out)
    return out


def _sigmoid(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def _sigmoid_slope(x):
    small = np.exp(-np.abs(x))
    return small / (1 + small) ** 2


def _sech_squared(x):
    return 4 * _sigmoid_slope(2 * x)


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


REFERENCES = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sqrt": np.sqrt,
    "sech_squared": _sech_squared,
    "sigmoid": _sigmoid,
    "sigmoid_slope": _sigmoid_slope,
    "softplus": _softplus,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
}


def all_exponents(dtype, per_exponent, seed=0):
    """Return numbers of every exponent and sign, denormal ones among them, and their ends."""
    rng = np.random.default_rng(seed)
    bits, kind = (23, np.uint32) if dtype == "float32" else (52, np.uint64)
    exponents = np.arange((1 << (8 if dtype == "float32" else 11)) - 1, dtype=kind)
    mantissas = rng.integers(0, 1 << bits, (exponents.size, per_exponent), dtype=kind)
    mantissas[:, 0], mantissas[:, 1], mantissas[:, 2] = 0, (1 << bits) - 1, 1
    x = ((exponents[:, None] << kind(bits)) | mantissas).view(dtype).reshape(-1)
    return np.concatenate([x, -x])


def between(dtype, low, high, count):
    """Return evenly spaced numbers."""
    return np.linspace(low, high, count).astype(dtype)


def errors(name, x, actual):
    """Return how many units in the last place of the true result the actual one is away."""
    with np.errstate(all="ignore"):
        wider = np.float64 if name.startswith("erf") else WIDER[x.dtype.name]  # SciPy's widest
        truth = REFERENCES[name](x.astype(wider))
        rounded = truth.astype(x.dtype)
        unit = np.spacing(np.abs(np.where(np.isfinite(rounded), rounded, 1)))
        away = np.abs((actual.astype(truth.dtype) - truth) / unit).astype(np.float64)
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    # Beside the largest number infinity is one unit away.
    edge = np.isinf(actual) & (np.abs(rounded) >= np.finfo(x.dtype).max)
    edge |= np.isinf(rounded) & (np.abs(actual) >= np.finfo(x.dtype).max * (1 - 2e-7))
    return np.where(same, np.where(np.isfinite(away), away, 0), np.where(edge, 1.0, away))
