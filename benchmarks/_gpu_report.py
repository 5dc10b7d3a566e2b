"""What a machine with a GPU has shown, in Markdown: from the records of ``gpu.py``.

    python benchmarks/_gpu_report.py gpu_results/gpu.json docs/cuda.md

puts what was asked and what was found between the two comments of a page.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

Record = Mapping[str, Any]
Records = Mapping[str, Record]
LEFT_OUT = ("seconds", "failed")
BEGIN, END = "<!-- measured by benchmarks/gpu.py -->", "<!-- end of what was measured -->"
NO_NUMBER = "not measured"


class Asked(NamedTuple):
    """At least so much of a number that is found in the records."""

    what: str
    least: float
    of: Callable[[Records], float]


def faster(precision: str, peer: str, way: str) -> Callable[[Records], float]:
    """Return how many times as long a peer takes for a step of the small network."""
    setting = f"small, {precision}"
    return lambda records: (
        records[f"steps_of_{peer}"][setting][way]
        / records["steps_of_gradx"][setting]["gradx compile"]
    )


def share(precision: str) -> Callable[[Records], float]:
    """Return the speed of a large product as a share of PyTorch's."""
    return lambda records: (
        records["products"][f"gradx {precision}"] / records["products"][f"torch {precision}"]
    )


def asked() -> Iterator[Asked]:
    """Yield all that is asked of speed."""
    for precision in ("highest", "tf32"):
        step = f"compiled MLP step 784-512-512-10, batch 128, {precision}, beside"
        yield Asked(f"{step} torch's CUDA graph", 1, faster(precision, "torch", "torch CUDA graph"))
        yield Asked(f"{step} jax.jit", 1, faster(precision, "jax", "jax jit"))
        yield Asked(f"{step} torch eager", 4, faster(precision, "torch", "torch eager"))
    for precision in ("highest", "tf32"):
        yield Asked(f"product 8192^3, {precision}, of torch's speed", 0.95, share(precision))
    for work, key in {"Adam over 100 M parameters": "adam", "fused chain": "fused chain"}.items():
        yield Asked(
            f"{work}, of the bandwidth of a copy",
            0.85,
            lambda r, k=key: r["bandwidth"][f"{k} / copy"],
        )


def verdicts(records: Records) -> list[str]:
    """Return a table of what is asked, what was found, and whether it holds."""
    lines = ["| asked | at least | found | holds |", "|---|---|---|---|"]
    for one in asked():
        try:
            found = one.of(records)
            told, holds = f"{found:.2f}", "yes" if found >= one.least else "**no**"
        except (KeyError, TypeError, ZeroDivisionError):
            told, holds = NO_NUMBER, ""
        lines.append(f"| {one.what} | {one.least:g} | {told} | {holds} |")
    return lines


def correctness(records: Records) -> list[str]:
    """Return lines of how many tests and ops are right."""
    suite, ops, capture = (records.get(name, {}) for name in ("suite", "ops", "capture"))
    counts = {
        "tests that pass with arrays on the GPU": suite.get("passed"),
        "tests that fail": len(suite["bad"]) if "bad" in suite else None,
        "ops that agree with the CPU": ops.get("right"),
        "ways in which ops do not": len(ops["wrong"]) if "wrong" in ops else None,
        "ops that can be captured": capture.get("captured"),
        "ops that cannot": len(capture["not captured"]) if "not captured" in capture else None,
    }
    rows = [f"| {name} | {NO_NUMBER if n is None else n} |" for name, n in counts.items()]
    return ["| what | how many |", "|---|---|", *rows]


def device(records: Records) -> str:
    """Return the name of the device and the versions that the numbers belong to."""
    found = records.get("environment", {})
    versions = [f"{name} {found[name]}" for name in VERSIONS if name in found]
    return f"{found.get('device', 'an unknown device')} ({', '.join(versions)})"


VERSIONS = ("driver", "cupy", "numpy", "python", "torch", "jax")


def in_markdown(records: Records) -> str:
    """Return a page: the device, what was asked, and all records with their failures."""
    head = [f"# Shown on {device(records)}", "", *verdicts(records), "", *correctness(records), ""]
    return "\n".join([*head, *[section(name, record) for name, record in records.items()]])


def written(page: str, records: Records) -> str:
    """Return the text of a page with what was asked and found between its two comments."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    lines = [f"On {device(records)}:", "", *verdicts(records), "", *correctness(records)]
    if found := steps(records):
        lines += ["", *times(found)]
    for name in ("models", "precisions"):
        if found := findings(records.get(name, {})):
            lines += ["", *LAYOUTS[name](found)]
    return "\n".join([before + BEGIN, "", *lines, "", END + after])


def steps(records: Records) -> dict[str, dict[str, Any]]:
    """Return the times of a training step, by setting and by who runs it."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("steps_of_gradx", "steps_of_torch", "steps_of_jax"):
        for setting, one in findings(records.get(name, {})).items():
            found.setdefault(setting, {}).update(one)
    return found


def findings(record: Record) -> dict[str, Any]:
    """Return what a record has found, without how the part went."""
    return {key: value for key, value in record.items() if key not in LEFT_OUT}


def section(name: str, record: Record) -> str:
    """Return one record under its name: why it failed, then what it found all the same."""
    title = name.replace("_", " ").capitalize()
    seconds = f", in {record['seconds']} s" if "seconds" in record else ""
    lines = [f"## {title}", ""]
    if "failed" in record:
        lines += [f"**Failed{seconds}: {one_line(record['failed'])}**", ""]
    if found := findings(record):
        lines += [*LAYOUTS.get(name, pairs)(found), ""]
    return "\n".join(lines)


def pairs(found: Record) -> list[str]:
    """Return a table of names and what was found."""
    rows = [f"| {one_line(key)} | {value_of(value)} |" for key, value in found.items()]
    return ["| what | found |", "|---|---|", *rows]


def times(found: Record, head: str = "us a step") -> list[str]:
    """Return a table of microseconds: a row for each setting, a column for each way to run it."""
    ways = list(dict.fromkeys(way for one in found.values() for way in one))
    lines = [f"| {head} | {' | '.join(ways)} |", "|---|" + "---|" * len(ways)]
    for setting, one in found.items():
        lines.append(f"| {setting} | {' | '.join(value_of(one.get(way, '')) for way in ways)} |")
    return lines


LAYOUTS: dict[str, Callable[[Record], list[str]]] = {
    "steps_of_gradx": times,
    "steps_of_torch": times,
    "steps_of_jax": times,
    "models": times,
    "precisions": partial(times, head="training by `fit`"),
}


def value_of(value: Any) -> str:
    """Return what stands in a cell."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "<br>".join(f"{one_line(key)}: {value_of(one)}" for key, one in value.items()) or "-"
    if isinstance(value, list | tuple):
        return "<br>".join(map(value_of, value)) or "none"
    return one_line(value)


def one_line(text: Any) -> str:
    """Return a text that does not end its row of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


if __name__ == "__main__":
    found, page = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    page.write_text(written(page.read_text(), found))
