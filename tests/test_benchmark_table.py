"""The table of what is asked of compiled functions says what the records of a benchmark say."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("_asked")


def record(system, times, work="CNN step", cores=1):
    return {"work": work, "system": system, "cores": cores, "times_us": times}


RECORDS = [
    record("gradx compiled", [10.0, 20.0, 40.0]),
    record("torch", [20.0, 60.0, 20.0]),
    record("jax jit", [30.0, 40.0, 100.0]),
    record("numpy", [1.0, 1.0, 1.0]),
]
SHARES = [{"work": "CNN step", "cores": 1, "shares": {"add": 0.2, "conv": 0.75, "sum": 0.05}}]


def test_a_ratio_is_that_of_the_fastest_peer_in_each_round(asked):
    of_cnn = next(one for one in asked.ASKED if one.work == "CNN step")

    assert asked.ratios(RECORDS, of_cnn, 1) == [2.0, 2.0, 0.5]
    assert asked.ratios(RECORDS, of_cnn, 2) == []


def test_a_row_has_what_is_asked_beside_the_median_and_its_spread(asked):
    page = f"before\n{asked.BEGIN}\nold\n{asked.END}\nafter\n"

    text = asked.written(page, RECORDS, SHARES, "a machine")

    assert "| CNN step | torch or jax jit | 1 | 2.00 (0.50 to 2.00) |\n" in text
    assert text.startswith(f"before\n{asked.BEGIN}\n\na machine\n")
    assert text.endswith(f"{asked.END}\nafter\n")
    assert "old" not in text
    assert "share" not in text  # nothing falls short
    assert asked.written(text, RECORDS, SHARES, "a machine") == text


def test_a_row_that_falls_short_says_where_the_time_goes(asked):
    slow = [record("gradx compiled", [30.0, 80.0, 40.0]), *RECORDS[1:]]

    text = asked.written(f"{asked.BEGIN}{asked.END}", slow, SHARES, "")

    assert "| **0.50** (0.50 to 0.67) |" in text
    assert "| CNN step | 1 | `conv` 75%, `add` 20%, `sum` 5% |" in text


def test_records_without_rounds_are_compared_by_their_medians(asked):
    medians = [
        {**record(system, []), "median_us": median}
        for system, median in (("gradx compiled", 10.0), ("torch", 25.0))
    ]
    for one in medians:
        del one["times_us"]

    text = asked.written(f"{asked.BEGIN}{asked.END}", medians, [], "")

    assert "| CNN step | torch or jax jit | 1 | 2.50 |" in text


def test_each_number_of_cores_has_a_column(asked):
    both = RECORDS + [{**one, "cores": 2} for one in RECORDS]

    text = asked.written(f"{asked.BEGIN}{asked.END}", both, SHARES, "")

    assert "| work | beside | asked | one core | two cores |\n|---|---|---|---|---|\n" in text
    assert "| 2.00 (0.50 to 2.00) | 2.00 (0.50 to 2.00) |" in text


def test_the_documentation_has_a_place_for_the_table(asked):
    page = (ROOT / "docs" / "compile.md").read_text(encoding="utf-8")

    assert page.count(asked.BEGIN) == page.count(asked.END) == 1


def test_all_that_is_asked_is_measured(asked):
    names = importlib.import_module("peers").SUITES.values()
    suites = [importlib.import_module(name) for name in names]
    systems = {
        work: set(suite.SYSTEMS)
        for suite in (*suites, importlib.import_module("_first_call"))
        for work in getattr(suite, "WORKS", None) or [suite.WORK]
    }

    for one in asked.ASKED:
        assert {asked.OURS, *one.peers} <= systems[one.work]
    assert all(hasattr(suite, "profiles") for suite in suites)


def test_what_is_asked_in_seconds_is_told_beside_what_was_measured(asked):
    small = [
        record("gradx compiled", [3e5, 4e5, 9e5], asked.FIRST_CALL),
        record("gradx compiled", [1.5, 1.5, 9.0], asked.REPLAY),
        record("numpy", [1.0, 1.0, 1.0], asked.REPLAY),
    ]

    text = asked.written(f"{asked.BEGIN}{asked.END}", small, SHARES, "")

    assert "first call of the MLP step, on one core: 0.40 s (asked: under 0.5)." in text
    assert "an equation, on one core: 0.50 us (asked: under 1)." in text


def test_the_page_says_how_many_rounds_there_were(asked):
    assert "medians of 5 rounds" in asked.machine(5)
