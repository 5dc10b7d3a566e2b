"""Everything that a machine with an NVIDIA GPU has to show, in one go of less than ten minutes.

    python benchmarks/gpu.py --out gpu_results
    python benchmarks/gpu.py --out gpu_results --only capture,replay --minutes 3
    python benchmarks/_gpu_report.py gpu_results/gpu.json docs/cuda.md

Each part (``_gpu_parts.py``) runs in a process of its own, with a limit of its own: one that
fails, hangs or runs the GPU out of memory takes no other with it. What is measured runs alone,
one part after another; then all that is checked runs at once, since most of its time goes into
compilers on the CPU. Every few seconds three files in the folder are written anew: ``gpu.json``
has all records by now, ``gpu.log`` all that was printed, ``gpu.md`` a page with the device's
name and what was asked, so that nothing is lost however this ends. Where there is no GPU each
part says so in one line. Peers (PyTorch, JAX) that are not installed fail by name.
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
EVERY = 3  # seconds after which files are written anew
MOST_LOG = 3 << 20  # characters of what a part has printed, the last of which are kept
# The most telling first: a later one gets what time is left. Seconds that each may take.
ALONE = {
    "environment": 20,
    "replay": 40,
    "steps_of_gradx": 40,
    "products": 20,
    "bandwidth": 30,
    "profile": 40,
    "steps_of_torch": 60,
    "steps_of_jax": 50,
    "models": 75,
    "precisions": 35,
    "launches": 20,
    "leak": 30,
    "out_of_memory": 15,
}
TOGETHER = dict.fromkeys(("suite", "ops", "kernels", "capture", "examples", "sanitizer"), 600)
PARTS = ALONE | TOGETHER


def main(arguments: list[str] | None = None) -> int:
    """Run parts until they are done or time runs out; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu_results"), help="folder of results")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--minutes", type=float, default=9.3, help="for all parts together")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: there are {', '.join(PARTS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        parts: list[Part] = []
        for batch in batches(names):
            run([Part(name, Path(folder)) for name in batch], parts, end, options.out)
        return sum("failed" in part.record for part in parts)


def batches(names: list[str]) -> list[list[str]]:
    """Return parts that run alone, one after another, and then those that run at once."""
    together = [name for name in names if name in TOGETHER]
    return [[name] for name in names if name not in TOGETHER] + ([together] if together else [])


def command_of(name: str, record: Path, seconds: float) -> list[str]:
    """Return what runs a part, which writes its record to a file within ``seconds``."""
    return [sys.executable, "-u", str(HERE / "_gpu_parts.py"), name, str(record), str(seconds)]


class Part:
    """A part: its process, its limit, and its record, or as much as there is of one by now."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.record: dict[str, Any] = {"failed": "time ran out before it began"}
        self._written, self._log = folder / f"{name}.json", folder / f"{name}.log"
        self._found: dict[str, Any] = {}
        self._process: subprocess.Popen[Any] | None = None
        self._began = self._limit = 0.0

    def start(self, seconds: float) -> None:
        """Let it run for so many seconds."""
        self._began, self._limit = time.monotonic(), seconds
        self.record = {"failed": "not done yet"}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command_of(self.name, self._written, seconds - MARGIN),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ
                | {"PYTHONPATH": f"{HERE.parent}:{os.environ.get('PYTHONPATH', '')}"},
                start_new_session=True,
            )

    def runs(self) -> bool:
        """Look at it: read its record, end it when its time is up; tell whether it runs still."""
        if self._process is None:
            return False
        code = self._process.poll()
        late = code is None and time.monotonic() > self._began + self._limit
        if late:
            self.stop()
        reason = "not done yet"
        if late:
            reason = f"not done after {self._limit:.0f} s; see gpu.log"
        elif code is not None:
            reason = f"it ended with status {code} and no whole record; see gpu.log"
        self._found = read(self._written) or self._found  # half a record is none
        record = dict(self._found)
        # One that is whole counts, however its process ended.
        self.record = record if record.pop("done", False) else {"failed": reason} | record
        return code is None and not late

    def stop(self) -> None:
        """End its process and all that it has started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def printed(self) -> str:
        """Return what it has printed, after its name."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return f"===== {self.name}\n{text[-MOST_LOG:]}"


def run(batch: list[Part], parts: list[Part], end: float, out: Path) -> None:
    """Run some parts at once, and add them to those that have run."""
    parts += batch
    for part in batch:
        seconds = min(PARTS[part.name], end - time.monotonic())
        if seconds >= LEAST:
            part.start(seconds)
    running, due = list(batch), 0.0
    try:
        while running:
            time.sleep(0.1)
            done = [part for part in running if not part.runs()]
            running = [part for part in running if part not in done]
            if done or time.monotonic() > due:
                write(parts, out)
                due = time.monotonic() + EVERY
            for part in done:
                print(f"{part.name}: {in_a_line(part.record)}", flush=True)
    finally:
        for part in running:
            part.stop()
        write(parts, out)


def write(parts: list[Part], out: Path) -> None:
    """Write all that is known by now; a file is there whole, or as it was."""
    records = {part.name: part.record for part in parts}
    replace(out / "gpu.json", json.dumps(records, indent=2))
    replace(out / "gpu.md", in_markdown(records))
    replace(out / "gpu.log", "".join([part.printed() for part in parts]))


def replace(path: Path, text: str) -> None:
    """Write a file beside another, and put it in its place."""
    beside = path.with_suffix(".part")
    beside.write_text(text)
    beside.replace(path)


def read(path: Path) -> dict[str, Any]:
    """Return the record in a file; an empty one if there is none."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def in_a_line(record: dict[str, Any]) -> str:
    """Return a record as a line; why it failed comes first."""
    return str(record["failed"]) if "failed" in record else json.dumps(record)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # parts are ended, too
    sys.exit(min(main(), 1))
