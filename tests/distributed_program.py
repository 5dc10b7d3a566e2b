"""A training script for one process or several: prints what every process ended with.

python -m tests.distributed_program PLAIN
mpiexec -n 2 python -m mpi4py -m tests.distributed_program PLAIN
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import gradx as gx
from gradx import nn
from gradx.core import tree
from gradx.ops.collective import communicator

KEY = gx.random.key(0)
DOUBLE = {"key": KEY, "dtype": "float64"}


def network(kind):
    first = nn.Linear(3, 8, **DOUBLE)
    if kind == "noisy":
        norm, dropout = nn.BatchNorm(8, dtype="float64"), nn.Dropout(0.3)
        return nn.Sequential(first, norm, nn.relu, dropout, nn.Linear(8, 1, **DOUBLE))
    return nn.Sequential(first, nn.tanh, nn.Linear(8, 1, **DOUBLE))


def stop_after_three(state):
    if state.epoch == 3:
        state.stop("enough")


def crashing(world):
    """Return a loss that fails in the third process, while the others wait for its gradients."""

    def loss(predictions, targets):
        if world.rank == 2:
            raise RuntimeError("the third process has had enough")
        return nn.mse(predictions, targets)

    return loss


def train(kind, compile):
    x = gx.random.normal(KEY, (48, 3))
    world = gx.distributed.world()
    loss = crashing(world) if kind == "crash" else nn.mse
    result = gx.train.fit(
        network(kind), loss, gx.optim.adam(0.01), (x, x[:, :1] * x[:, 1:2]),
        epochs=6, batch_size=16, key=KEY, world=world, compile=compile, progress="log",
        validation=(x, x[:, :1]), callbacks=[stop_after_three] if kind == "stopped" else [],
        early_stopping=gx.train.EarlyStopping(monitor="loss", patience=50),
    )  # fmt: skip
    leaves = [np.asarray(leaf) for leaf in tree.leaves((result.model, result.optimizer_state))]
    return {
        "rank": world.rank,
        "digest": hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest(),
        "weights": result.model[0].weight.tolist(),
        "loss": result.history["loss"],
        "stopped": result.stopped,
        "mean": float(world.mean(np.asarray(float(world.rank)))),
    }


if __name__ == "__main__":
    kind, target = sys.argv[1:]
    found = [train(kind, compile) for compile in (True, False)]
    processes = communicator()
    gathered = [found] if processes is None else processes.gather(found)
    if gathered:
        Path(target).write_text(json.dumps(gathered))
