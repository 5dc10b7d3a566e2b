"""What a machine with an NVIDIA GPU has to show, part by part: ``gpu.py`` runs them.

Each part is a function that returns a record. ``python benchmarks/_gpu_parts.py NAME FILE
SECONDS`` runs one and writes its record: what it returned, or why it failed. What a long part
has found by now it gives to ``keep``, and that is its record if it is ended.
"""

import contextlib
import gc
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import _gpu_models
import _gpu_programs as programs
import numpy as np
from _gpu_checks import kernel_errors, ops_in_processes, said
from _gpu_peers import jax_steps, torch_steps

import gradx as gx
from gradx.backends import backend_for_device, cuda
from gradx.core.op import OPS

SMALL = ((784, 512, 512, 10), 128)
TINY = ((20, 12, 5), 6)
LARGE = ((1024, 4096, 4096, 1024), 1024)
SIZES = {"small": SMALL, "large": LARGE}
PRECISIONS = ("highest", "tf32")
Ways = dict[str, Callable[[], Callable[[], Any]]]  # a name, and what makes a step
LEAK_CYCLES = 25
MANY = 100_000_000  # elements that Adam and the elementwise chain are measured on
place: list[Path] = []  # of the record of the part that runs


def keep(record: dict[str, Any], **more: Any) -> None:
    """Write what a part has found."""
    for path in place:
        path.write_text(json.dumps(record | more, indent=2, default=str))


def microseconds(step: Callable[[], Any], seconds: float = 0.5, rounds: int = 5) -> float:
    """Return the least time of a call among rounds, all of whose work has been waited for."""
    wait = getattr(step, "wait", synchronize)
    step()
    wait()
    best, count = float("inf"), 1
    for _ in range(rounds):
        while True:
            start = time.perf_counter()
            for _ in range(count):
                step()
            wait()
            taken = time.perf_counter() - start
            if taken > seconds / rounds or count > 1 << 20:
                break
            count *= 2
        best = min(best, taken / count)
    return round(best * 1e6, 2)


def synchronize() -> None:
    """Wait for the GPU."""
    backend_for_device("cuda")[0].synchronize()


def environment() -> dict[str, Any]:
    """What the numbers belong to."""
    cupy = import_module("cupy")
    runtime = cupy.cuda.runtime
    name = runtime.getDeviceProperties(0)["name"].decode()
    versions = {"driver": runtime.driverGetVersion(), "runtime": runtime.runtimeGetVersion()}
    versions |= {"cupy": cupy.__version__, "numpy": np.__version__}
    versions |= {peer: metadata.version(peer) for peer in ("torch", "jax") if find_spec(peer)}
    x = gx.to_device(np.arange(6.0).reshape(2, 3), "cuda")
    found = {"device": name, "python": sys.version.split()[0], **versions}
    return found | {"product": str(gx.matmul(x, x.T).tolist())}


def ops(seconds: float) -> dict[str, Any]:
    """Every op on small arrays, against the CPU."""
    return ops_in_processes(seconds, keep)


def kernels() -> dict[str, Any]:
    """Values and derivatives of gradx's kernels in float32, against float64 on the CPU."""
    return kernel_errors(keep)


def suite(seconds: float) -> dict[str, Any]:
    """The tests that take an array library, on the GPU: as many as there is time for."""
    return programs.tests(seconds, keep)


def examples() -> dict[str, Any]:
    """Every example on the GPU."""
    return programs.examples(keep)


def sanitizer() -> dict[str, Any]:
    """One small step, eager and compiled, under compute-sanitizer."""
    return programs.sanitized(command_of("small_step"))


def small_step() -> dict[str, Any]:
    """Two steps of a small network, op by op and compiled."""
    return {"losses": [losses(f, "cuda", 2, TINY) for f in (update, gx.compile(update))]}


def capture(every: int = 1) -> dict[str, Any]:
    """Which ops can be part of a CUDA graph: each on its first sample, as a compiled function."""
    good, bad = [], {}
    for name, op in [*OPS.items()][::every]:
        sample = next(iter(op.samples(drawn)))
        arrays = gx.to_device(list(sample.arrays), "cuda")
        if op.signature.variadic or op.results or not all(hasattr(x, "shape") for x in arrays):
            continue
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                gx.compile(lambda *xs, op=op, params=sample.params: op.call(*xs, **params))(*arrays)
            except Exception as error:
                bad[name] = f"{type(error).__name__}: {error}"
                continue
            print(name, [str(one.message) for one in warned], flush=True)
            if warned:
                bad[name] = str(warned[0].message)
            else:
                good.append(name)
            keep({"captured": len(good), "not captured": bad})
    return {"captured": len(good), "not captured": bad}


def drawn(*shape: int) -> Any:
    """Draw the arrays of samples."""
    return np.random.default_rng(0).uniform(0.5, 2.0, shape).astype(np.float32)


OPTIMIZER = gx.optim.adam(1e-3)
GIVEN_UP = ("params", "state")


def update(params: Any, state: Any, x: Any, labels: Any) -> Any:
    """Return what one step makes of parameters and state, and the loss before it."""

    def loss_of(params: Any) -> Any:
        hidden = x
        for weight, bias in params[:-1]:
            hidden = gx.nn.relu(hidden @ weight + bias)
        return gx.nn.cross_entropy(hidden @ params[-1][0] + params[-1][1], labels)

    loss, grads = gx.value_and_grad(loss_of)(params)
    updates, state = OPTIMIZER.update(grads, state, params)
    return gx.optim.apply_updates(params, updates), state, loss


class Training:
    """An MLP with ReLU, a batch, and the state of Adam."""

    def __init__(self, sizes: tuple[int, ...], batch: int, device: str) -> None:
        self.kind = (sizes, batch)
        draws = np.random.default_rng(0)
        self.layers = [
            ((draws.normal(size=(n, m)) / n**0.5).astype(np.float32), np.zeros(m, np.float32))
            for n, m in pairwise(sizes)
        ]
        self.x = draws.normal(size=(batch, sizes[0])).astype(np.float32)
        self.labels = draws.integers(0, sizes[-1], batch)
        self.given = (self.layers, self.x, self.labels)
        self.params = gx.to_device([list(layer) for layer in self.layers], device)
        self.state = OPTIMIZER.init(self.params)
        self.batch = gx.to_device((self.x, self.labels), device)

    def stepping(self, update: Callable[..., Any]) -> Callable[[], Any]:
        """Return a function that trains once."""

        def step() -> Any:
            self.params, self.state, loss = update(self.params, self.state, *self.batch)
            return loss

        return step


def losses(update: Callable[..., Any], device: str, steps: int, sizes: Any) -> list[float]:
    """Train, and return all losses."""
    step = Training(*sizes, device).stepping(update)
    return [float(step()) for _ in range(steps)]


def replay() -> dict[str, Any]:
    """Replayed steps have the numbers of eager ones, and of the CPU; in place, too."""
    eager = losses(update, "cuda", 20, SMALL)
    replayed = losses(gx.compile(update), "cuda", 20, SMALL)
    in_place = losses(gx.compile(update, donate=GIVEN_UP), "cuda", 20, SMALL)
    on_cpu = losses(update, "cpu", 20, SMALL)
    return {
        "relative to eager": apart(replayed, eager),
        "in place, relative to eager": apart(in_place, eager),
        "relative to the CPU": apart(eager, on_cpu),
        "last": eager[-1],
    }


def apart(found: list[float], expected: list[float]) -> float:
    """Return the largest relative difference of some losses."""
    return max(abs(x - y) / abs(y) for x, y in zip(found, expected, strict=True))


def launches() -> dict[str, Any]:
    """What one call costs, in microseconds: of small arrays nothing else is measured."""
    x = gx.to_device(np.ones((64, 64), np.float32), "cuda")
    twice = gx.compile(lambda x: x * 2)
    ten = gx.compile(lambda x: [x * n for n in range(10)])
    calls: dict[str, Callable[[], Any]] = {
        "cupy add": lambda: x + x,
        "gradx softmax": lambda: gx.nn.softmax(x),
        "gradx matmul": lambda: gx.matmul(x, x),
        "replay of 1": lambda: twice(x),
        "replay of 10": lambda: ten(x),
    }
    with contextlib.suppress(ImportError):
        torch = import_module("torch")
        y = torch.ones((64, 64), device="cuda")
        calls |= {"torch add": lambda: y + y, "torch matmul": lambda: y @ y}
    return {name: microseconds(call) for name, call in calls.items()}


def gradx_steps(training: Training, precision: str) -> Ways:
    """A step of gradx, op by op and compiled."""
    del precision  # it is a setting
    kind = training.kind
    in_place = gx.compile(update, donate=GIVEN_UP)  # as the peers update theirs
    return {
        "gradx compile": lambda: Training(*kind, "cuda").stepping(in_place),
        "gradx compile, arguments kept": lambda: Training(*kind, "cuda").stepping(
            gx.compile(update)
        ),
        "gradx eager": lambda: training.stepping(update),
    }


def _steps(peer: Callable[[Training, str], Ways]) -> dict[str, Any]:
    """Microseconds of a whole training step, for networks of two sizes in two precisions.

    The fragile ways are last in each, so all that comes before is found in every setting first.
    """
    found: dict[str, Any] = {}
    settings = [(name, precision) for name in SIZES for precision in PRECISIONS]
    makers = {(n, p): peer(Training(*SIZES[n], "cuda"), p) for n, p in settings}
    for way in next(iter(makers.values())):
        for name, precision in settings:
            with gx.matmul_precision(precision):
                time_of = timed(makers[name, precision][way])
            found.setdefault(f"{name}, {precision}", {})[way] = time_of
            print(name, precision, way, time_of, flush=True)
            keep(found)
    return found


def timed(make: Callable[[], Callable[[], Any]]) -> Any:
    """Return the time of what is made; why there is none, if it fails."""
    try:
        return microseconds(make())
    except Exception as error:
        traceback.print_exc()
        return said(error)


def steps_of_gradx() -> dict[str, Any]:
    """A whole training step of gradx, in microseconds."""
    return _steps(gradx_steps)


def steps_of_torch() -> dict[str, Any]:
    """The same step of PyTorch: as one CUDA graph, eager, and compiled."""
    return _steps(lambda training, precision: torch_steps(*training.given, precision))


def steps_of_jax() -> dict[str, Any]:
    """The same step of JAX under ``jit``."""
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return _steps(lambda training, precision: jax_steps(*training.given, precision))


def models() -> dict[str, Any]:
    """A step of larger networks, in gradx, PyTorch and JAX, in microseconds."""
    return _gpu_models.models(timed, keep)


def precisions() -> dict[str, Any]:
    """Training by ``fit``, in float32 and in mixed precision."""
    return _gpu_models.precisions(keep)


def profile() -> dict[str, Any]:
    """The kernels of a replayed training step and how long each takes; PyTorch's beside it."""
    found: dict[str, Any] = {}
    for who in ("gradx", "torch"):
        found[who] = programs.kernel_times(command_of(f"profiled_{who}"))
        keep(found)
    return found


def command_of(part: str) -> list[str]:
    """Return what runs a part whose record is nobody's."""
    return [sys.executable, str(Path(__file__)), part, os.devnull, "60"]


def profiled_gradx() -> dict[str, Any]:
    """Replay a compiled step once at each precision while a profiler looks."""
    cupy = import_module("cupy")
    return _profiled(gradx_steps, "gradx compile", cupy.cuda.profiler)


def profiled_torch() -> dict[str, Any]:
    """Replay PyTorch's CUDA graph of a step once at each precision while a profiler looks."""
    cuda = import_module("torch").cuda.profiler
    return _profiled(
        lambda t, precision: torch_steps(*t.given, precision), "torch CUDA graph", cuda
    )


def _profiled(peer: Callable[[Training, str], Ways], way: str, profiler: Any) -> dict[str, Any]:
    for precision in PRECISIONS:
        with gx.matmul_precision(precision):
            step = peer(Training(*SMALL, "cuda"), precision)[way]()
            for _ in range(3):
                step()
            synchronize()
            profiler.start()
            step()
            synchronize()
            profiler.stop()
    return {}


def products() -> dict[str, Any]:
    """Teraflops of large matrix products, against PyTorch's."""
    n, found = 8192, {}
    x = gx.to_device(drawn(n, n), "cuda")
    for precision in ("highest", "tf32", "bf16"):
        with gx.matmul_precision(precision):
            found[f"gradx {precision}"] = 2 * n**3 / microseconds(lambda: gx.matmul(x, x)) / 1e6
            keep(found)
    with contextlib.suppress(ImportError):
        torch = import_module("torch")
        y = torch.tensor(drawn(n, n), device="cuda")
        for precision, allowed in (("highest", False), ("tf32", True)):
            torch.backends.cuda.matmul.allow_tf32 = allowed
            found[f"torch {precision}"] = 2 * n**3 / microseconds(lambda: y @ y) / 1e6
    return found


def bandwidth() -> dict[str, Any]:
    """Gigabytes a second of a copy, of a fused chain, and of Adam over 100 M parameters."""
    xp = backend_for_device("cuda")[0].xp
    group = import_module("gradx.graph.cuda.group")
    x, y = xp.ones(MANY, dtype=xp.float32), xp.ones(MANY, dtype=xp.float32)
    out = xp.empty_like(x)
    size = MANY * 4
    found = {"copy": 2 * size / microseconds(lambda: xp.copyto(out, x)) / 1e3}
    graph = gx.capture(lambda x, y: gx.tanh(x * y + 1.0) * x)(x, y)
    fused = group.compile_group(graph)
    found["fused chain"] = 3 * size / microseconds(lambda: fused(x, y, out)) / 1e3
    keep(found)
    adam = microseconds(adam_on(x, y))
    found["adam"] = 7 * size / adam / 1e3
    return found | {f"{name} / copy": found[name] / found["copy"] for name in list(found)[1:]}


def adam_on(params: Any, grads: Any) -> Callable[[], Any]:
    """Return a call of the kernel of Adam's update; 4 arrays are read and 3 written."""
    xp = backend_for_device("cuda")[0].xp
    lowering = import_module("gradx.graph.cuda.lowering")
    group = import_module("gradx.graph.cuda.group")
    graph = gx.compile(update_of_tree).graph(params, grads, OPTIMIZER.init(params))
    updates = [e for e in lowering.lowered(graph).equations if e.outputs[0].shape == params.shape]
    (equation,) = updates
    kernel = group.compile_group(equation.op.graph)
    arrays = [xp.ones(v.shape, dtype=xp.float32) for v in (*equation.inputs, *equation.outputs)]
    return lambda: kernel(*arrays)


def update_of_tree(params: Any, grads: Any, state: Any) -> Any:
    """Return what one step of the optimizer makes of parameters and state."""
    updates, state = OPTIMIZER.update(grads, state, params)
    return gx.optim.apply_updates(params, updates), state


def leak() -> dict[str, Any]:
    """Memory that is lost when compiled steps are made and forgotten."""
    cupy = import_module("cupy")
    free = []
    for _ in range(LEAK_CYCLES):
        training = Training(*SMALL, "cuda")
        step = training.stepping(gx.compile(update))
        step()
        step()
        del training, step
        gc.collect()
        cupy.get_default_memory_pool().free_all_blocks()
        free.append(cupy.cuda.runtime.memGetInfo()[0])
    return {"bytes lost from cycle 5 on": free[5] - free[-1]}


def out_of_memory() -> dict[str, Any]:
    """An array that does not fit is an error, after which all works as before."""
    xp = backend_for_device("cuda")[0].xp
    try:
        xp.empty(1 << 50, dtype=xp.uint8)
    except MemoryError as error:
        said = str(error)
    else:
        return {"failed": "2**50 bytes were given out"}
    total = float(xp.sum(xp.ones(1000)))
    return {"error": said, "works after": total == 1000}


TIMED = {"suite", "ops"}  # parts that are told how long they have


def recorded(name: str, seconds: float) -> dict[str, Any]:
    """Run a part and return its record; one that fails has a record that says why."""
    start = time.perf_counter()
    try:
        reason = cuda.find_problem()
        if reason is not None:
            return {"failed": f"it takes an NVIDIA GPU and CuPy: {reason}"}
        part = globals()[name]
        record = part(seconds) if name in TIMED else part()
    except BaseException as error:
        traceback.print_exc()
        record = {"failed": f"{type(error).__name__}: {error}"}
    return record | {"seconds": round(time.perf_counter() - start, 1)}


if __name__ == "__main__":
    place.append(Path(sys.argv[2]))
    found = recorded(sys.argv[1], float(sys.argv[3]))
    keep(found, done=True)
    os._exit("failed" in found)  # no library that hangs at its end takes more time
