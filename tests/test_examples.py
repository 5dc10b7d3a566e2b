"""Examples run as a newcomer runs them, quietly, and are short enough to read at once.

Those that train for minutes have ``--quick`` for this; those whose data is not on this
machine say how to install it, and are skipped with that.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
NOT_INSTALLED = re.compile(r"DatasetError: (?P<how>\w+ is not installed: .*)")
each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def test_there_are_examples():
    assert EXAMPLES


@each_example
def test_an_example_runs_without_a_warning(path, tmp_path):
    quick = ["--quick"] if "--quick" in path.read_text(encoding="utf-8") else []

    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), *quick],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    if missing := NOT_INSTALLED.search(done.stderr):
        pytest.skip(missing["how"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr


@each_example
def test_an_example_is_at_most_a_hundred_and_forty_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 140


@each_example
def test_an_example_is_in_the_gallery_with_its_command(path):
    gallery = Path(__file__).parents[1] / "docs" / "examples.md"

    assert f"python examples/{path.name}" in gallery.read_text(encoding="utf-8")
