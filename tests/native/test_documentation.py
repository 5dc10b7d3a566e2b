"""The table of errors in the documentation is the one that is tested."""

import re
from pathlib import Path

from gradx.backends.native.accuracy import STATED

PAGE = Path(__file__).parents[2] / "docs" / "fused.md"
ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def test_the_table_of_errors_is_what_is_stated():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))

    assert {name: (float(single), float(double)) for name, single, double in rows} == STATED
