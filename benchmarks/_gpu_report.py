"""What a machine with a GPU has shown, in Markdown: from the records of ``gpu.py``."""

from collections.abc import Callable, Mapping
from typing import Any

Record = Mapping[str, Any]
LEFT_OUT = ("seconds", "failed")


def in_markdown(records: Mapping[str, Record]) -> str:
    """Return all records as sections, with their failures."""
    return "\n".join([section(name, record) for name, record in records.items()])


def section(name: str, record: Record) -> str:
    """Return one record under its name: why it failed, then what it found all the same."""
    title = name.replace("_", " ").capitalize()
    seconds = f", in {record['seconds']} s" if "seconds" in record else ""
    lines = [f"## {title}", ""]
    if "failed" in record:
        lines += [f"**Failed{seconds}: {one_line(record['failed'])}**", ""]
    found = {key: value for key, value in record.items() if key not in LEFT_OUT}
    if found:
        lines += [*LAYOUTS.get(name, pairs)(found), ""]
    return "\n".join(lines)


def pairs(found: Record) -> list[str]:
    """Return a table of names and what was found."""
    rows = [f"| {one_line(key)} | {value_of(value)} |" for key, value in found.items()]
    return ["| what | found |", "|---|---|", *rows]


def times(found: Record) -> list[str]:
    """Return a table of microseconds: a row for each setting, a column for each way to run it."""
    ways = list(dict.fromkeys(way for one in found.values() for way in one))
    lines = [f"| us a step | {' | '.join(ways)} |", "|---|" + "---|" * len(ways)]
    for setting, one in found.items():
        lines.append(f"| {setting} | {' | '.join(value_of(one.get(way, '')) for way in ways)} |")
    return lines


LAYOUTS: dict[str, Callable[[Record], list[str]]] = {
    "steps_of_gradx": times,
    "steps_of_torch": times,
    "steps_of_jax": times,
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
