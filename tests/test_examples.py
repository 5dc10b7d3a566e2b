"""Examples run as a newcomer runs them, quietly, and are short enough to read at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def test_there_are_examples():
    assert EXAMPLES


@each_example
def test_an_example_runs_without_a_warning(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr


@each_example
def test_an_example_is_under_sixty_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
