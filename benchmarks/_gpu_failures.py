"""A plugin of pytest for a suite that time may run out for: it has no later moment than now.

What went wrong in a test is told at once, in a line, not when all are done. Tests run in a random
order, always the same, so those that are done by then are of every file.
"""

import os
import random
from typing import Any

MARK = "WENT WRONG "
_plugins: list[Any] = []


def pytest_configure(config: Any) -> None:
    """Keep the plugins, among which there will be what writes to the terminal."""
    _plugins.append(config.pluginmanager)


def pytest_runtest_logreport(report: Any) -> None:
    """Tell the test, and what it raised: of all processes that test, only one writes."""
    reporter = _plugins[0].get_plugin("terminalreporter")
    if report.failed and reporter is not None and not os.environ.get("PYTEST_XDIST_WORKER"):
        raised = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
        why = " ".join(" ".join(raised or report.longreprtext.splitlines()[-1:]).split())
        reporter.write_line(f"\n{MARK}{report.nodeid}: {why[:300]}")


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Shuffle the tests, by ORDER; processes that share them must find the same order."""
    random.Random(os.environ.get("ORDER", "0")).shuffle(items)
