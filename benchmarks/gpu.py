"""Everything that a machine with an NVIDIA GPU has to show, in one go and about ten minutes.

    python benchmarks/gpu.py --out gpu_results
    python benchmarks/gpu.py --out gpu_results --only capture,replay --minutes 3

Each part (``_gpu_parts.py``) runs in a process of its own, with a limit of its own: one that
fails, hangs or runs the GPU out of memory takes no other with it, and what it had found by then
is kept. Three files in the folder are written whenever a part ends: ``gpu.json`` has all
records, ``gpu.log`` all that was printed, ``gpu.md`` the tables that docs/cuda.md takes. Where
there is no GPU each part says so in one line. Peers (PyTorch, JAX) that are not installed fail
by name.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _gpu_report import in_markdown

HERE = Path(__file__).parent
MARGIN = 4  # seconds in which a part that knows its limit writes what it has
LEAST = 5  # seconds without which a part is not begun
# The most telling first: a later one gets what time is left. Seconds that each may take.
PARTS = {
    "environment": 40,
    "replay": 60,
    "ops": 100,
    "kernels": 60,
    "capture": 90,
    "steps_of_gradx": 45,
    "steps_of_torch": 75,
    "steps_of_jax": 60,
    "products": 30,
    "bandwidth": 40,
    "leak": 40,
    "out_of_memory": 20,
    "launches": 30,
    "sanitizer": 90,
    "suite": 600,
}


def main(arguments: list[str] | None = None) -> int:
    """Run parts until they are done or time runs out; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu_results"), help="folder of results")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--minutes", type=float, default=10, help="for all parts together")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.log").write_text("")
    end = time.monotonic() + 60 * options.minutes
    records: dict[str, Any] = {}
    for name in names:
        seconds = min(PARTS[name], end - time.monotonic())
        record = {"failed": "time ran out before it began"}
        if seconds >= LEAST:
            record = run(name, options.out, seconds)
        records[name] = record
        (options.out / "gpu.json").write_text(json.dumps(records, indent=2))
        (options.out / "gpu.md").write_text(in_markdown(records))
        print(f"{name}: {in_a_line(record)}", flush=True)
    return sum("failed" in record for record in records.values())


def command_of(name: str, record: Path, seconds: float) -> list[str]:
    """Return what runs a part, which writes its record to a file within ``seconds``."""
    return [sys.executable, "-u", str(HERE / "_gpu_parts.py"), name, str(record), str(seconds)]


def run(name: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Run a part in a process of its own, and return its record, or as much as it wrote of one."""
    with tempfile.TemporaryDirectory() as temporary, (folder / "gpu.log").open("a") as log:
        written = Path(temporary) / "record.json"
        log.write(f"===== {name}\n")
        log.flush()
        process = subprocess.Popen(
            command_of(name, written, seconds - MARGIN),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": f"{HERE.parent}:{os.environ.get('PYTHONPATH', '')}"},
            start_new_session=True,
        )
        reason = wait_for(process, seconds)
        record = read(written)
    if record is None:
        return {"failed": reason or "it wrote no record; see gpu.log"}
    done = record.pop("done", False)  # one that is whole counts, however its process ended
    return record if done else {"failed": reason or "it ended before it was done"} | record


def wait_for(process: subprocess.Popen[Any], seconds: float) -> str | None:
    """Wait for a part, and end it when its time is up; return why it failed, None if it did not."""
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        stop(process)
        return f"not done after {seconds:.0f} s; see gpu.log"
    return f"it ended with status {code} and no whole record; see gpu.log" if code else None


def read(path: Path) -> dict[str, Any] | None:
    """Return the record in a file; None if there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def in_a_line(record: dict[str, Any]) -> str:
    """Return a record as a line; why it failed comes first."""
    return str(record["failed"]) if "failed" in record else json.dumps(record)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
