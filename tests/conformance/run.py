"""Run the array API standard's own test suite on gradx, and print a table.

    python tests/conformance/run.py PATH [--cuda] [arguments of pytest]

PATH is a checkout of data-apis/array-api-tests with data-apis/array-api inside it
(docs/conformance.md says how to make one). It runs in four settings: on plain arrays
and with every float array on a tape, over NumPy and over array-api-strict; with
``--cuda`` in both over CuPy instead. The exit status is the number of settings with failures.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent

# Setting -> the namespace to test, and the lists of what is known to fail there.
SETTINGS = {
    "plain, NumPy": ("gradx", ["numpy"]),
    "plain, strict": (
        """exec('from gradx.namespace import namespace_on; xp = namespace_on("strict")')""",
        ["numpy"],
    ),
    "tracked, NumPy": (
        """exec('from gradx.testing import tracked; xp = tracked("numpy")')""",
        ["numpy", "tracked"],
    ),
    "tracked, strict": (
        """exec('from gradx.testing import tracked; xp = tracked("strict")')""",
        ["numpy", "tracked"],
    ),
}
# CuPy keeps NumPy's rules, and has some of its own.
ON_A_GPU = {
    "plain, CuPy": (
        """exec('from gradx.namespace import namespace_on; xp = namespace_on("cuda")')""",
        ["numpy", "cupy", "cupy_plain"],
    ),
    "tracked, CuPy": (
        """exec('from gradx.testing import tracked; xp = tracked("cuda")')""",
        ["numpy", "cupy", "tracked"],
    ),
}
OUTCOMES = ["passed", "failed", "error", "xfailed", "xpassed", "skipped"]


def run_suite(suite: Path, module: str, known: list[str], arguments: list[str]) -> dict[str, int]:
    """Run the suite on one namespace and return how many tests ended how."""
    with TemporaryDirectory() as folder:
        xfails, report = Path(folder, "xfails.txt"), Path(folder, "report.json")
        xfails.write_text("".join((HERE / f"{name}.txt").read_text() for name in known))
        command = (
            f"{sys.executable} -m pytest array_api_tests -q -p no:cacheprovider "
            "--max-examples 20 --hypothesis-disable-deadline --hypothesis-derandomize "
            f"--json-report --json-report-summary --json-report-file {report} "
            f"--xfails-file {xfails}"
        )
        environment = {
            "ARRAY_API_TESTS_MODULE": module,
            "ARRAY_API_TESTS_VERSION": "2025.12",
            "PYTHONPATH": str(HERE.parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        subprocess.run([*command.split(), *arguments], cwd=suite, env=os.environ | environment)
        return json.loads(report.read_text())["summary"]


def commit_of(suite: Path) -> str:
    """Return the commit of the suite."""
    command = ["git", "-C", str(suite), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def main(path: str, *arguments: str) -> int:
    suite, for_pytest = Path(path).resolve(), [one for one in arguments if one != "--cuda"]
    rows, failing = [], 0
    settings = ON_A_GPU if "--cuda" in arguments else SETTINGS
    for setting, (module, known) in settings.items():
        start = time.perf_counter()
        summary = run_suite(suite, module, known, for_pytest)
        counts = [str(summary.get(outcome, 0)) for outcome in OUTCOMES]
        rows.append([setting, *counts, f"{time.perf_counter() - start:.0f}"])
        failing += bool(summary.get("failed") or summary.get("error"))
    print(f"\narray-api-tests at {commit_of(suite)}\n")
    for row in [["setting", *OUTCOMES, "seconds"], ["---"] * (len(OUTCOMES) + 2), *rows]:
        print(f"| {' | '.join(row)} |")
    return failing


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
