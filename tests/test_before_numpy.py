"""How long NumPy's threads keep a processor: settled where gradx comes first, and nothing is."""

import os
import subprocess
import sys

import pytest

NAME = "OPENBLAS_THREAD_TIMEOUT"


def found(imports, **environment):
    kept = {name: value for name, value in os.environ.items() if name != NAME}
    code = f"import {imports}, os; print(os.environ.get({NAME!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_threads_of_numpy_look_for_work_for_a_short_time():
    pytest.importorskip("llvmlite")

    assert found("gradx") == "16"


def test_what_comes_too_late_is_not_set():
    assert found("numpy, gradx") == "None"


def test_what_the_environment_says_holds():
    assert found("gradx", **{NAME: "20"}) == "20"
