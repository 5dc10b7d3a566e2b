"""What tests share: the array libraries to run on.

A test that takes ``backend`` runs once on each; ``--backend NAME``, which may
be repeated, keeps only those. One that this machine lacks is skipped, and the
report says why.
"""

import os
from importlib import import_module

import pytest

from gradx.backends import Backend, backend_of
from gradx.graph.executors import numpy as numpy_executor

# Before anything imports matplotlib: a test has no screen.
os.environ["MPLBACKEND"] = "Agg"
# Tests compile what they run, and leave nothing behind.
os.environ.setdefault("GRADX_CACHE_DIR", "")

BACKENDS = {"numpy": "numpy", "strict": "array_api_strict", "cupy": "cupy"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend",
        action="append",
        choices=tuple(BACKENDS),
        help="run the tests that take a backend on this one only",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("--backend") or list(BACKENDS)
        metafunc.parametrize("backend", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> Backend:
    """One of the array libraries; skips where it is missing or has no device."""
    package = BACKENDS[request.param]
    try:
        array = import_module(package).asarray(0)
    except Exception as error:  # CuPy raises its own errors without a GPU or a driver.
        pytest.skip(f"{package} does not work here: {type(error).__name__}: {error}")
    return backend_of(type(array))


@pytest.fixture
def eager_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run compiled graphs by NumPy: machine code has sums and functions of its own."""
    monkeypatch.setattr(numpy_executor, "group_compiler", lambda: None)
