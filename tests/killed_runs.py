"""Training runs killed at random moments and resumed: they end in the bits of a run left alone.

    python -m tests.killed_runs --runs 200

goes through all optimizers and both samplers, each with a model drawn at random, compiled or not,
and prints after which epochs runs were killed. Processes are forked here, where none was trained.
"""

import argparse
import hashlib
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import gradx as gx
from gradx import nn
from gradx.core import tree
from gradx.saving.reading import read_file
from gradx.train import Checkpoint
from gradx.train.checkpoint import BEST, LAST
from tests.test_checkpoints import MAKERS

EPOCHS = 10
CASES = [(name, sampling) for name in MAKERS for sampling in ("subsets", "random")]


def model_of(rng):
    """Draw a model with dropout and BatchNorm, and a few layers more or less."""
    first, second, third, last = gx.random.split(gx.random.key(int(rng.integers(2**31))), 4)
    width = int(rng.integers(2, 9))
    middle = [
        nn.Residual(nn.Linear(width, width, key=second)),
        nn.DropConnect(nn.Linear(width, width, key=second), 0.2),
        nn.LayerNorm(width),
        nn.Sequential(steps, nn.GRU(1, width, key=second), last_step),
        nn.Sequential(steps, nn.MultiHeadAttention(1, 1, dropout=0.1, key=third), nn.Flatten()),
    ]
    chosen = rng.choice(len(middle), size=rng.integers(3), replace=False)
    return nn.Sequential(
        nn.Linear(3, width, key=first),
        nn.BatchNorm(width),
        nn.relu,
        nn.Dropout(float(rng.uniform(0.1, 0.5))),
        *[middle[place] for place in chosen],
        nn.Linear(width, 1, key=last),
    )


def steps(x):
    return gx.expand_dims(x, axis=2)


def last_step(x):
    return x[:, -1]


def trained(case, seed, directory, resume=None):
    """Train, and return the digest of all that a run ends with: also if that is an error."""
    name, sampling = case
    rng = np.random.default_rng(seed)
    model = model_of(rng)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    try:
        result = gx.train.fit(
            model,
            nn.mse,
            MAKERS[name](),
            (x, np.sum(x * x, axis=1, keepdims=True)),
            epochs=EPOCHS,
            key=gx.random.key(seed),
            batch_size=8,
            sampling=sampling,
            validation=0.25,
            callbacks=[Checkpoint(directory, "validation_loss")],
            compile=bool(rng.integers(2)),
            progress=None,
            resume=resume,
        )
    except gx.train.NonFiniteError as error:
        return digest_of(error.history, error.model, (error.epoch, error.step))
    best = gx.load(directory / BEST)
    return digest_of(result.history, (result.model, result.optimizer_state, best), None)


def digest_of(history, arrays, where):
    columns = {n: c for n, c in history.to_dict().items() if n != "seconds"}
    bits = [np.asarray(x).tobytes() for x in tree.leaves(arrays)]
    return hashlib.sha256(b"".join([repr((columns, where)).encode(), *bits])).digest()


def forked(function, *args):
    """Run a function in a process of its own; return its number and a pipe for what it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.write(writing, function(*args))
    finally:
        os._exit(0)


def finished(child, reading):
    """Wait for a process, and return what its function did: nothing if it was killed."""
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as file:
        return file.read()


def wait_for_a_checkpoint(child, directory):
    """Wait until the first epoch is saved or the process has ended; return when that was."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not (directory / LAST).exists() and os.waitid(os.P_PID, child, options) is None:
        time.sleep(0.001)
    return time.monotonic()


def run_whole(case, seed, directory):
    """Return what a run ends with, and how long it took after the first epoch."""
    process = forked(trained, case, seed, directory)
    start = wait_for_a_checkpoint(process[0], directory)
    return finished(*process), time.monotonic() - start


def run_killed(case, seed, directory, seconds):
    """Kill a run so long after its first epoch; return how many epochs it had saved."""
    child, reading = forked(trained, case, seed, directory)
    wait_for_a_checkpoint(child, directory)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    finished(child, reading)
    if not (directory / LAST).exists():
        return 0
    return json.loads(read_file(directory / LAST).metadata["gradx.run"])["epoch"]


def run(runs, seed=0):
    """Kill and resume ``runs`` runs; count them by the epochs saved. Raise if an end differs."""
    rng, saved = np.random.default_rng(seed), Counter()
    for number in range(runs):
        case, own = CASES[number % len(CASES)], int(rng.integers(2**31))
        with TemporaryDirectory() as first, TemporaryDirectory() as second:
            expected, seconds = run_whole(case, own, Path(first))
            epochs = run_killed(case, own, Path(second), rng.uniform(0, seconds))
            start = second if epochs else None
            resumed = finished(*forked(trained, case, own, Path(second), start))
        assert resumed == expected != b"", f"{case}, seed {own}, killed after {epochs} epochs"
        saved[epochs] += 1
    return saved


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    saved = run(arguments.runs, arguments.seed)
    shown = ", ".join(f"{count} after {epochs}" for epochs, count in sorted(saved.items()))
    print(f"{saved.total()} runs ended in the bits of a run left alone; killed {shown} epochs")
