"""What other programs tell of gradx on a GPU: NVIDIA's profiler and sanitizer, tests, examples.

``part`` is a command that runs one of the parts of ``_gpu_parts.py`` and ends.
"""

import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _gpu_failures import MARK

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
AT_ONCE = 3  # examples
NOT_INSTALLED = re.compile(r"DatasetError: (?P<how>\w+ is not installed: .*)")


def sanitized(part: list[str]) -> dict[str, Any]:
    """Run a part under compute-sanitizer: no access is out of bounds."""
    tool = found("compute-sanitizer")
    if tool is None:
        return {"left out": "compute-sanitizer is not installed (it comes with the CUDA toolkit)"}
    done = output_of([tool, "--report-api-errors", "no", "--error-exitcode", "9", *part])
    errors = [line for line in done.stdout.splitlines() if "ERROR SUMMARY" in line]
    return {"passed": done.returncode == 0, "said": errors or done.stdout.splitlines()[-5:]}


def kernel_times(part: list[str]) -> list[str]:
    """Run a part under Nsight Compute: each kernel between its profiler's start and stop."""
    tool = found("ncu")
    if tool is None:
        return ["left out: ncu is not installed (it comes with the CUDA toolkit)"]
    options = ["--profile-from-start", "off", "--graph-profiling", "node", "--csv"]
    options += ["--metrics", "gpu__time_duration.sum", "--print-units", "base"]
    options += ["--clock-control", "none", "--cache-control", "none"]
    return times_in(output_of([tool, *options, *part]).stdout.splitlines())


def times_in(lines: Iterable[str]) -> list[str]:
    """Return name, grid and nanoseconds of each kernel that a profiler's table tells."""
    table = csv.DictReader(line for line in lines if line.startswith('"'))
    return [
        f"{row['Kernel Name'][:90]} {row['Grid Size']} x {row['Block Size']}: "
        f"{row['Metric Value']} {row['Metric Unit']}"
        for row in table
    ]


def tests(seconds: float, keep: Callable[[Any], None]) -> dict[str, Any]:
    """Run the tests that take an array library on the GPU: as many as there is time for."""
    command = [sys.executable, "-u", "-m", "pytest", "-v", "-k", "cupy", "--backend=cupy"]
    # What other libraries warn of here is no failure of ours.
    command += ["-p", "no:cacheprovider", "--tb=short", "-o", "filterwarnings=default"]
    command += ["-p", "_gpu_failures", "--continue-on-collection-errors", "tests"]
    if find_spec("pytest_timeout") is not None:
        command += ["--timeout=120"]
    if find_spec("xdist") is not None:
        command += ["-n", str(max(1, (os.cpu_count() or 1) * 3 // 4))]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        # JAX, an oracle of some tests, would take most of the GPU's memory in each process.
        env=os.environ | {"PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"},
    )
    timer = threading.Timer(seconds, process.terminate)
    timer.start()
    passed, bad, last = 0, [], ""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        last = line.strip() or last
        passed += " PASSED" in line
        bad += [line.strip().removeprefix(MARK)] if line.startswith(MARK) else []
        if is_due():
            keep({"passed": passed, "bad": bad})
    in_time = timer.is_alive()
    timer.cancel()
    code = process.wait()
    failed = {} if in_time and code == 0 else {"failed": last if in_time else "time ran out"}
    return failed | {"passed": passed, "last": last, "bad": bad}


_kept_at = [0.0]


def is_due(every: float = 5) -> bool:
    """Tell whether so many seconds are over since this was last true."""
    now = time.monotonic()
    if now - _kept_at[0] < every:
        return False
    _kept_at[0] = now
    return True


def examples(keep: Callable[[Any], None]) -> dict[str, Any]:
    """Run every example on the GPU; tell which end well, and the last words of others."""
    record: dict[str, Any] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, words in pool.map(example, sorted(EXAMPLES.glob("*.py"))):
            record[name] = words
            keep(record)
    bad = [name for name, words in record.items() if words.startswith("failed")]
    return ({"failed": f"{len(bad)} examples: {', '.join(bad)}"} if bad else {}) | record


def example(path: Path) -> tuple[str, str]:
    """Run an example on the GPU, quickly where it can be; return its name and how it went."""
    quick = ["--quick"] if "--quick" in path.read_text(encoding="utf-8") else []
    command = [sys.executable, str(path), "--device", "cuda", *quick]
    with tempfile.TemporaryDirectory() as folder:
        done = output_of(command, cwd=folder, env=os.environ | {"MPLBACKEND": "Agg"})
    if missing := NOT_INSTALLED.search(done.stdout):
        return path.name, f"left out: {missing['how']}"
    last = " / ".join(done.stdout.strip().splitlines()[-3:])[-300:]
    return path.name, f"runs: {last}" if done.returncode == 0 else f"failed: {last}"


def found(tool: str) -> str | None:
    """Return the path of a program of the CUDA toolkit."""
    places = ["/usr/local/cuda/bin", *map(str, Path("/opt/nvidia/nsight-compute").glob("*"))]
    return shutil.which(tool, path=os.pathsep.join([os.environ["PATH"], *places]))


def output_of(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a program, and print what it wrote after its name."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )
    print(f"--- {' '.join(command[-3:])}: status {done.returncode}\n{done.stdout}", flush=True)
    return done
