"""What is asked of compiled functions, and the part of the documentation that says what holds.

The page has two comments, between which ``written`` puts a table of the records that
``peers.py`` makes: how many times as long the fastest of some peers takes, round by round.
"""

import platform
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

OURS, NUMPY = "gradx compiled", "numpy"
FIRST_CALL, REPLAY = "first call of the MLP step", "replay of an equation"
BEGIN, END = "<!-- measured by benchmarks/peers.py -->", "<!-- end of what was measured -->"
MOST_OPS = 4
CORES = {1: "one core", 2: "two cores"}
Record = dict[str, Any]


class Asked(NamedTuple):
    """At least so many times the speed of the fastest of some peers."""

    work: str
    times: float
    peers: tuple[str, ...]


ASKED = (
    Asked("MLP step", 1.2, ("jax jit",)),
    Asked("MLP step", 1.5, ("torch fused",)),
    Asked("MLP step", 2.0, ("mygrad",)),
    Asked("wide MLP step", 1.2, ("jax jit",)),
    Asked("wide MLP step", 1.5, ("torch fused",)),
    Asked("wide MLP step", 2.0, ("mygrad",)),
    Asked("CNN step", 1.0, ("torch", "jax jit")),
    Asked("transformer step", 1.0, ("torch", "jax jit")),
    Asked("LSTM 64 steps", 1.0, ("jax jit",)),
    Asked("elementwise 5M", 4.0, ("torch compiled", "jax jit")),
    Asked(FIRST_CALL, 1.0, ("jax jit",)),
)


def written(page: str, records: list[Record], shares: list[Record], machine: str) -> str:
    """Return the text of a page with new tables between its two comments."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, "", machine, "", *_tables(records, shares), "", END + after])


def _tables(records: list[Record], shares: list[Record]) -> list[str]:
    cores = [count for count in CORES if any(record["cores"] == count for record in records)]
    found = {(asked, count): ratios(records, asked, count) for asked in ASKED for count in cores}
    lines = [
        f"| work | beside | asked | {' | '.join(CORES[count] for count in cores)} |",
        "|---" * (3 + len(cores)) + "|",
    ]
    for asked in ASKED:
        cells = [_cell(found[asked, count], asked.times) for count in cores]
        if any(cells):
            peers = " or ".join(asked.peers)
            lines.append(f"| {asked.work} | {peers} | {asked.times:g} | {' | '.join(cells)} |")
    short = {
        (asked.work, count)
        for (asked, count), times in found.items()
        if times and statistics.median(times) < asked.times
    }
    return [*lines, *_budgets(records, cores), *_where(short, shares)]


def _budgets(records: list[Record], cores: list[int]) -> list[str]:
    """Return what is asked in seconds, and what was measured."""
    lines = []
    for count in cores:
        median = {
            (record["work"], record["system"]): statistics.median(_times(record))
            for record in records
            if record["cores"] == count
        }
        first, ours, theirs = [
            median.get(key) for key in ((FIRST_CALL, OURS), (REPLAY, OURS), (REPLAY, NUMPY))
        ]
        if first is not None:
            took = f"on {CORES[count]}: {first / 1e6:.2f} s (asked: under 0.5)"
            lines.append(f"* The first call of the MLP step, {took}.")
        if ours is not None and theirs is not None:
            took = f"on {CORES[count]}: {ours - theirs:.2f} us (asked: under 1)"
            lines.append(f"* What a replay adds to NumPy's own time, an equation, {took}.")
    return ["", *lines] if lines else []


def _times(record: Record) -> list[float]:
    return record.get("times_us") or [record["median_us"]]


def ratios(records: Iterable[Record], asked: Asked, cores: int) -> list[float]:
    """Return how many times as long the fastest of the peers took, in each round.

    Of records that have no rounds the medians are compared.
    """
    times = {
        record["system"]: _times(record)
        for record in records
        if (record["work"], record["cores"]) == (asked.work, cores)
    }
    peers = [times[peer] for peer in asked.peers if peer in times]
    if not peers or OURS not in times:
        return []
    return [min(theirs) / ours for ours, *theirs in zip(times[OURS], *peers, strict=True)]


def _cell(times: list[float], asked: float) -> str:
    if not times:
        return ""
    median = statistics.median(times)
    number = f"{median:.2f}" if median >= asked else f"**{median:.2f}**"
    return f"{number} ({min(times):.2f} to {max(times):.2f})" if len(times) > 1 else number


def _where(short: set[tuple[str, int]], shares: list[Record]) -> list[str]:
    """Return where the time goes of the works that fall short."""
    rows = [share for share in shares if (share["work"], share["cores"]) in short]
    if not rows:
        return []
    lines = ["", "Where the time goes in what falls short:", ""]
    lines += ["| work | cores | share of each op |", "|---|---|---|"]
    for row in rows:
        most = sorted(row["shares"].items(), key=lambda item: -item[1])[:MOST_OPS]
        told = ", ".join(f"`{op}` {share:.0%}" for op, share in most)
        lines.append(f"| {row['work']} | {row['cores']} | {told} |")
    return lines


def machine(rounds: int) -> str:
    """Describe the processor, and say how numbers of so many rounds are to be read."""
    return (
        f"Measured on {_processor()}: how many times as long the faster of the peers takes as "
        f"gradx, both compiled where they can be; medians of {rounds} rounds in which they took "
        "turns, with the least and the greatest. The MLP has layers of 784, 256, 128 and 10 units, "
        "the wide one of 784, 512, 512 and 10. What falls short of what is asked is in bold."
    )


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    if not names:
        return platform.processor() or platform.machine()
    return f"{len(names)} processors of {names[0]}"
