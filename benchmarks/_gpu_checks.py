"""What the GPU computes, against the CPU: every op on small arrays, gradx's kernels on large ones.

    python benchmarks/_gpu_checks.py 0 8

checks every eighth op, a line for each; ``ops_in_processes`` runs several at once, since most
of the time goes into compiling CuPy's kernels.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gradx as gx
from gradx.backends import backend_for_device
from gradx.core.op import COMPOSED, OPS
from tests.test_ops import bound, drawing

SAMPLES = 2  # of each op
PROCESSES = 6  # beside the tests
CLOSE = {"f": 1e-7, "c": 1e-7}  # of float64, relative to the largest: formulas, not last bits


# Every op, forward and both ways


def ops_in_processes(seconds: float, keep: Callable[[Any], None]) -> dict[str, Any]:
    """Check all ops, as far as there is time; ``keep`` is given what is known by now."""
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(i) for i in range(PROCESSES)]
        processes = []
        for i, path in enumerate(files):
            command = [sys.executable, "-u", __file__, str(i), str(PROCESSES)]
            with path.open("w") as out:
                processes.append(subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT))
        while time.monotonic() < end and any(p.poll() is None for p in processes):
            time.sleep(1)
            keep(told([path.read_text() for path in files]))
        late = sum(process.poll() is None for process in processes)
        for process in processes:
            process.kill()
            process.wait()
        texts = [path.read_text() for path in files]
    print("\n".join(texts))
    found = told(texts)
    return found | ({"failed": f"{late} of {PROCESSES} processes were not done"} if late else {})


def told(texts: list[str]) -> dict[str, Any]:
    """Return what lines of the processes say: how many ops are right, and all that is wrong."""
    lines = [line for text in texts for line in text.splitlines()]
    wrong = [line for line in lines if line.startswith(("raises ", "differs "))]
    others = [text.splitlines()[-1] for text in texts if "Traceback" in text]
    return {"right": sum(x.startswith("right ") for x in lines), "wrong": wrong + others}


def check_ops(first: int, step: int) -> None:
    """Print a line for each op that is right, and for each way in which one is wrong."""
    warnings.simplefilter("ignore")
    for op in [*OPS.values(), *COMPOSED.values()][first::step]:
        wrong = [line for line in wrongs(op) if line]
        print("\n".join(wrong) or f"right {op.name}", flush=True)


def wrongs(op: Any) -> list[str]:
    """Return what is wrong with an op, in words."""
    samples = [s for s in op.samples(drawing(seed=0)) if not any(map(is_empty, s.arrays))]
    return [
        compared(f"{op.name} {index}, {way.__name__}", lambda where, w=way, s=s: w(op, s, where))
        for index, s in enumerate(samples[:SAMPLES])
        for way in (forward, pulled, pushed)
    ]


def is_empty(array: Any) -> bool:
    """Tell whether an array has no elements."""
    return getattr(array, "size", 1) == 0


def forward(op: Any, sample: Any, backend: Any) -> Any:
    """Return what an op computes of a sample."""
    function, arrays = bound(op, sample, backend)
    return function(*arrays)


def pulled(op: Any, sample: Any, backend: Any) -> Any:
    """Return its result pulled back."""
    function, arrays = bound(op, sample, backend)
    out, pullback = gx.vjp(function, *arrays) if arrays else (None, None)
    return list(pullback(out)) if has_derivative(out) else []


def pushed(op: Any, sample: Any, backend: Any) -> Any:
    """Return its arguments pushed forward."""
    function, arrays = bound(op, sample, backend)
    if not arrays or not has_derivative(function(*arrays)):
        return []
    return gx.jvp(function, tuple(arrays), tuple(arrays))[1]


def has_derivative(out: Any) -> bool:
    """Tell whether a result is one array of numbers that vary."""
    return hasattr(out, "dtype") and out.dtype.kind in "fc"


def compared(label: str, compute: Callable[[Any], Any]) -> str:
    """Compute on the GPU and on the CPU; return what is wrong, "" if nothing is."""
    try:
        expected = on_cpu(compute(backend_for_device("cpu")[0]))
        found = on_cpu(compute(backend_for_device("cuda")[0]))
    except Exception as error:
        return f"raises {label}: {said(error.__cause__ or error)}"
    if len(found) != len(expected):
        return f"differs {label}: {len(found)} results, expected {len(expected)}"
    ways = [way for pair in zip(found, expected, strict=True) if (way := apart(*pair))]
    return f"differs {label}: {ways[0]}" if ways else ""


def said(error: BaseException) -> str:
    """Return the kind of an error and the beginning of its message, in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def on_cpu(tree: Any) -> list[np.ndarray]:
    """Return the arrays of a result on the CPU."""
    if isinstance(tree, tuple | list):
        return [leaf for part in tree for leaf in on_cpu(part)]
    return [np.asarray(tree.get() if hasattr(tree, "get") else tree)]


def apart(found: Any, expected: Any) -> str | None:
    """Say how two arrays differ; None if they do not."""
    one, other = (f"{x.dtype} {x.shape}" for x in (found, expected))
    if one != other:
        return f"{one}, expected {other}"
    if np.array_equal(found, expected, equal_nan=found.dtype.kind in CLOSE):
        return None
    error = relative_error(found, expected) if found.dtype.kind in CLOSE else np.inf
    return None if error <= CLOSE[found.dtype.kind] else f"by {error:.1e}"


def relative_error(found: Any, expected: Any) -> float:
    """Return the largest difference over the largest number that is expected; NaNs are equal."""
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0, np.abs(found - expected))
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return float(np.nan_to_num(np.max(error, initial=0), nan=np.inf) / (largest or 1))


# gradx's own kernels, float32 against float64

CASES: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "softmax, long rows": (gx.nn.softmax, ((130, 3001),)),
    "softmax, short rows": (gx.nn.softmax, ((3001, 130),)),
    "log_softmax": (gx.nn.log_softmax, ((257, 1025),)),
    "gelu": (gx.nn.gelu, ((1000, 1001),)),
    "gelu by tanh": (lambda x: gx.nn.gelu(x, approximate="tanh"), ((1000, 1001),)),
    "sum over columns": (lambda x: gx.sum(x, axis=0), ((4097, 513),)),
    "product": (gx.matmul, ((513, 257), (257, 1025))),
    "product of transposed": (lambda x, y: x.mT @ y.mT, ((257, 513), (1025, 257))),
    "stacks of products": (gx.matmul, ((7, 65, 33), (7, 33, 129))),
    "convolution": (
        lambda x, w: gx.conv(x, w, padding=1),
        ((8, 16, 33, 31), (32, 16, 3, 3)),
    ),
    "max pooling": (lambda x: gx.max_pool(x, 2), ((8, 16, 34, 30),)),
    "places that are many": (
        lambda x: gx.take(x, gx.arange(5000, device=x.device) % x.shape[0], axis=0),
        ((300, 64),),
    ),
    "layer norm": (
        lambda x: (x - gx.mean(x, axis=-1, keepdims=True)) / gx.std(x, axis=-1, keepdims=True),
        ((1000, 769),),
    ),
}


def kernel_errors(keep: Callable[[Any], None]) -> dict[str, Any]:
    """Relative errors of values and derivatives, eager and compiled; and whether bits are equal."""
    found: dict[str, Any] = {}
    for name, (function, shapes) in CASES.items():
        for label, how in {"": lambda f: f, ", compiled": gx.compile}.items():
            try:
                found[name + label] = error_of(function, shapes, how)
            except Exception as error:
                found[name + label] = said(error)
            keep(found)
    return found | random_bits()


def error_of(function: Any, shapes: Any, how: Callable[..., Any]) -> float:
    """Return the largest error of a value and its derivatives, in float32."""
    arrays = [np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(shapes)]

    def both(*arrays: Any) -> Any:
        out, pullback = gx.vjp(function, *arrays)
        return out, *pullback(out * out)  # of a layer norm ``out`` itself comes back as 0

    expected = on_cpu(both(*arrays))
    given = [gx.to_device(x.astype(np.float32), "cuda") for x in arrays]
    run = how(both)
    run(*given)
    found = on_cpu(run(*given))
    return max(relative_error(x.astype(float), y) for x, y in zip(found, expected, strict=True))


def random_bits() -> dict[str, Any]:
    """Tell whether each law draws the same numbers as on the CPU; of normal ones, how far apart."""
    key, random, found = gx.random.key(7), gx.random, {}
    laws: dict[str, Callable[[str], Any]] = {
        "uniform": lambda where: random.uniform(key, 10_001, device=where),
        "bernoulli": lambda where: random.bernoulli(key, 0.3, 10_001, device=where),
        "integers": lambda where: random.integers(key, -5, 1000, 10_001, device=where),
        "permutation": lambda where: random.permutation(key, 10_001, device=where),
        "normal": lambda where: random.normal(key, 10_001, device=where),
    }
    for name, draw in laws.items():
        try:
            on_gpu, expected = on_cpu(draw("cuda"))[0], on_cpu(draw("cpu"))[0]
            same = np.array_equal(on_gpu, expected)
            found[name] = "same bits" if same else f"apart by {np.max(abs(on_gpu - expected)):.1e}"
        except Exception as error:
            found[name] = said(error)
    return found


if __name__ == "__main__":
    check_ops(int(sys.argv[1]), int(sys.argv[2]))
