"""Comparing systems on a noisy machine: one process each, pinned alike, taking turns.

Times of two runs minutes apart say nothing; the ratio of two that took turns
does. So every round times each system once, and what is reported are medians
over rounds, and the median and spread of the ratio within each round.

A suite is a module with ``SYSTEMS``: by name, a function that imports a system
and returns its works, each a function ``run(n)`` that does the work n times and
returns a number to compare with what the others found, or ``None``.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

# A turn is split into batches, at least so many. The least counts, which nobody else
# interrupted: a short one has the better chance.
BATCHES, BATCH = 5, 1e-3  # seconds
REST = 0.02  # seconds until the threads of the system before have gone to sleep
REFERENCE = "gradx"


class Result(NamedTuple):
    """Times of one system at one work, in us, one for each round."""

    work: str
    system: str
    cores: int
    times: list[float]

    @property
    def median(self) -> float:
        """The median over all rounds."""
        return statistics.median(self.times)


def take_turns(suite: str, *, rounds: int, seconds: float, cores: int) -> list[Result]:
    """Time every work of a suite in every system that is installed."""
    limit_threads(cores)
    workers = _start(suite, seconds, cores)
    works = dict.fromkeys(work for _, names, _ in workers.values() for work in names)
    results = []
    for work in works:
        able = [system for system, (_, names, _) in workers.items() if work in names]
        times: dict[str, list[float]] = {system: [] for system in able}
        found = {}
        for _ in range(rounds):
            for system in able:
                microseconds, found[system] = _ask(workers[system][0], work)
                times[system].append(microseconds)
                time.sleep(REST)
        _warn_of_disagreement(work, found)
        results += [Result(work, system, cores, times[system]) for system in able]
    for pipe, _, process in workers.values():
        pipe.send(None)
        process.join()
    return results


def shares(suite: str, *, cores: int) -> list[dict[str, Any]]:
    """Return a record for each work of a suite: which share of its time each op takes, compiled."""
    limit_threads(cores)
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_shares, (suite, cores))


def _shares(suite, cores):
    pin(cores)
    return [
        {"work": work, "cores": cores, "shares": {row.name: row.share for row in profile.rows}}
        for work, profile in import_module(suite).profiles().items()
    ]


def limit_threads(cores: int) -> None:
    """Tell every library, before it is imported, how many threads to start."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(cores)
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false" if cores == 1 else ""


def pin(cores: int) -> None:
    """Keep this process on the first cores of those that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _start(suite, seconds, cores):
    """Start a process for each system: its pipe, the works it has, and itself."""
    context = get_context("spawn")  # A fork would inherit what the parent imported.
    workers = {}
    for system in import_module(suite).SYSTEMS:
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve, args=(theirs, suite, system, seconds, cores), daemon=True
        )
        process.start()
        theirs.close()
        works = ours.recv()
        if isinstance(works, str):
            print(f"skipped {system}: {works}")
            process.join()
        else:
            workers[system] = (ours, works, process)
    return workers


def _ask(pipe, work):
    pipe.send(work)
    return pipe.recv()


def _serve(pipe, suite, system, seconds, cores):
    """Build a system's works, then time the one that is asked for, until there is none."""
    pin(cores)
    try:
        works = import_module(suite).SYSTEMS[system]()
    except ImportError as error:
        pipe.send(str(error))
        return
    pipe.send(list(works))
    counts: dict[str, int] = {}
    found: dict[str, Any] = {}
    while (work := pipe.recv()) is not None:
        run = works[work]
        if work not in counts:
            found[work] = run(3)  # More than once: what a training step updates counts too.
            counts[work] = _count_for(run, BATCH)
        pipe.send((_least_time(run, counts[work], seconds), found[work]))


def _count_for(run: Callable[[int], Any], seconds: float) -> int:
    """Find how many times to run for a batch to last that long; warms up on the way."""
    count = 1
    while (took := _time(run, count)) < seconds / 2:
        count = max(count + 1, min(10 * count, int(count * seconds / max(took, 1e-7))))
    return count


def _least_time(run, count, seconds):
    times = [_time(run, count) for _ in range(BATCHES)]
    while sum(times) < seconds:
        times.append(_time(run, count))
    return 1e6 * min(times) / count


def _time(run, count):
    start = time.perf_counter()
    run(count)
    return time.perf_counter() - start


def _warn_of_disagreement(work, found):
    known = {system: value for system, value in found.items() if value is not None}
    if not known:
        return
    first, expected = next(iter(known.items()))
    for system, value in known.items():
        if abs(value - expected) > 1e-3 * abs(expected):
            print(f"{work}: {system} found {value:.6g}, {first} {expected:.6g}: not the same work")


def ratios(results: Iterable[Result], result: Result) -> list[float]:
    """Return this system's time over gradx's, round by round."""
    for other in results:
        if (other.work, other.system, other.cores) == (result.work, REFERENCE, result.cores):
            pairs = zip(result.times, other.times, strict=True)
            return [mine / theirs for mine, theirs in pairs]
    return []


def print_table(results: list[Result]) -> None:
    """Print medians, and ratios to gradx with their least and greatest."""
    head = f"{'work':<28} {'system':<14} {'cores':>5} {'median us':>12}"
    print(f"{head}   of gradx's [least, greatest]")
    for result in results:
        compared = ratios(results, result)
        ratio = ""
        if compared:
            least, greatest = min(compared), max(compared)
            ratio = f"{statistics.median(compared):7.2f} [{least:.2f}, {greatest:.2f}]"
        name = f"{result.work:<28} {result.system:<14} {result.cores:>5}"
        print(f"{name} {result.median:>12.3f} {ratio}")


def write_json(results: list[Result], path: Path | None) -> None:
    """Write a record for each result; ``ratio`` is its time over gradx's, or ``None``."""
    if path is not None:
        path.write_text(json.dumps(records_of(results), indent=1) + "\n", encoding="utf-8")


def records_of(results: list[Result]) -> list[dict[str, Any]]:
    """Return what is written of each result."""
    records = []
    for result in results:
        compared = ratios(results, result)
        records.append(
            {
                "work": result.work,
                "system": result.system,
                "cores": result.cores,
                "median_us": result.median,
                "times_us": result.times,
                "ratio": statistics.median(compared) if compared else None,
            }
        )
    return records
