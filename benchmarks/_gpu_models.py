"""Larger models on a GPU: the networks of ``peers.py``, and training in mixed precision.

The former have float32 products in every system, of which two would else round their factors.
"""

import os
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
from _gpu_peers import Steps, whole_graph

import gradx as gx

SUITES = {"CNN": "_cnn", "transformer": "_transformer", "LSTM, 64 steps": "_lstm"}
WIDTHS = (1024, 4096, 4096, 1024)
BATCH, BATCHES, EPOCHS = 1024, 32, 3
Record = dict[str, Any]


def models(timed: Callable[[Callable[[], Any]], Any], keep: Callable[[Record], None]) -> Record:
    """Return the times of a step of each network in each system: ``timed`` of what makes one.

    The slowest systems are last, so that every network is found in all others first.
    """
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    makers = {name: ways(import_module(suite)) for name, suite in SUITES.items()}
    found: Record = {name: {} for name in makers}
    for way in next(iter(makers.values())):
        for name, making in makers.items():
            found[name][way] = timed(making[way])
            keep(found)
    return found


def ways(suite: Any) -> Steps:
    """Return what makes a step of a network, by system; of a step nothing is waited for."""
    return {
        "gradx compile": lambda: suite.gradx_step(compiled=True, device="cuda"),
        "torch CUDA graph": lambda: whole_graph(_of_torch(suite)),
        "gradx eager": lambda: suite.gradx_step(compiled=False, device="cuda"),
        "torch eager": lambda: _of_torch(suite),
        "jax jit": lambda: _of_jax(suite),
    }


def _of_torch(suite: Any) -> Callable[[], Any]:
    backends = import_module("torch").backends
    backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = False
    return suite.torch_step(device="cuda")


def _of_jax(suite: Any) -> Callable[[], Any]:
    """Return a step that can be waited for."""
    jax = import_module("jax")
    jax.config.update("jax_default_matmul_precision", "highest")
    step = suite.jax_step()
    last: list[Any] = [None]

    def keeping() -> Any:
        last[0] = step()
        return last[0]

    keeping.wait = lambda: jax.block_until_ready(last[0])  # type: ignore[attr-defined]
    return keeping


def precisions(keep: Callable[[Record], None], device: str = "cuda") -> Record:
    """Return what ``fit`` takes and reaches in float32 and in mixed precision."""
    found: Record = {}
    for precision in (None, "bf16", "fp16"):
        found[precision or "float32"] = fitted(precision, device)
        keep(found)
    return found


def fitted(precision: str | None, device: str) -> Record:
    """Train a network; return the microseconds of a step, and the loss of each epoch."""
    draws = np.random.default_rng(0)
    x = draws.normal(size=(BATCH * BATCHES, WIDTHS[0])).astype(np.float32)
    keys = gx.random.split(gx.random.key(0), len(WIDTHS))
    layers: list[Any] = []
    for (inputs, outputs), key in zip(pairwise(WIDTHS), keys, strict=False):
        layers += [gx.nn.Linear(inputs, outputs, key=key), gx.nn.relu]
    history = gx.train.fit(
        gx.nn.Sequential(*layers[:-1]),
        gx.nn.cross_entropy,
        gx.optim.adam(1e-4),
        (x, np.argmax(x[:, :10], axis=1)),
        epochs=EPOCHS,
        batch_size=BATCH,
        key=keys[-1],
        device=device,
        precision=precision,
        progress=None,
    ).history
    losses = {f"loss of epoch {n + 1}": float(loss) for n, loss in enumerate(history["loss"])}
    return {"us a step": round(min(history["seconds"]) / BATCHES * 1e6)} | losses
