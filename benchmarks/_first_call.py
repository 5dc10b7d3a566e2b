"""The first call of the MLP step in a new process: capture and lowering, or tracing and compiling.

Imports and data do not count, and no machine code is kept on disk from one process to the next.
Python's own caches of modules are: an installed package has them from the start.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _mlp
from _turns import Result, limit_threads, pin

WORK = "first call of the MLP step"
SYSTEMS = {"gradx compiled": _mlp.gradx_compiled, "jax jit": _mlp.jax}


def take_first_calls(rounds: int, cores: int) -> list[Result]:
    """Time the first call of each system that is installed, each time in a process of its own."""
    limit_threads(cores)
    times: dict[str, list[float]] = {system: [] for system in SYSTEMS}
    for _ in range(rounds):
        for system, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                found += _asked_for(system, cores, folder)
    return [Result(WORK, system, cores, found) for system, found in times.items() if found]


def _asked_for(system, cores, folder):
    environment = {**os.environ, "GRADX_CACHE_DIR": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), system, str(cores)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()]


def main() -> None:
    """Print how many microseconds the first call of the system takes; nothing if it is missing."""
    system, cores = sys.argv[1], int(sys.argv[2])
    pin(cores)
    try:
        run = SYSTEMS[system](_mlp.WORKS["MLP step"])
    except ImportError:
        return
    start = time.perf_counter()
    run(1)
    print(1e6 * (time.perf_counter() - start))


if __name__ == "__main__":
    main()
