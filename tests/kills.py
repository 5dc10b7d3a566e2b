"""Processes killed while they save: the file that was there stays, or the next one is whole.

    python -m tests.kills --rounds 200

kills as many writers at random moments and prints how many died with a half-written file
beside the good one. The writers are forked here, in a process without other threads.
"""

import argparse
import os
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import gradx as gx

SIZE = 200_000  # elements of each of two arrays


def tree_of(version):
    return {"a": np.full(SIZE, float(version)), "b": np.full(SIZE, -float(version))}


def write_for_ever(path, version):
    while True:
        version += 1
        gx.save(path, tree_of(version))


def wait_until_it_writes(directory):
    """Wait for a first half-written file, which on a busy machine may take a while."""
    until = time.monotonic() + 10
    while not any(directory.glob(".*.tmp")) and time.monotonic() < until:
        time.sleep(0.001)


def run(rounds, seed=0):
    """Return how many of ``rounds`` kills left a half-written file; raise if a good one is lost."""
    rng, interrupted = np.random.default_rng(seed), 0
    with TemporaryDirectory() as directory:
        path, version = Path(directory) / "saved.safetensors", 0
        gx.save(path, tree_of(version))
        for _ in range(rounds):
            child = os.fork()
            if child == 0:
                write_for_ever(path, version)
            wait_until_it_writes(path.parent)
            time.sleep(rng.uniform(0, 0.1))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            left = list(path.parent.glob(".*.tmp"))
            interrupted += len(left)
            for file in left:
                file.unlink()
            found = gx.load(path, like=tree_of(0))
            latest = int(found["a"][0])
            assert latest >= version
            assert all(np.array_equal(found[n], tree_of(latest)[n]) for n in found)
            version = latest
    return interrupted


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{run(arguments.rounds)} of {arguments.rounds} kills left a half-written file")
