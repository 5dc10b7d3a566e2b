"""The script for a machine with a GPU: what can be known of it on one without."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from gradx.backends import cuda as selector
from gradx.core.op import OPS
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import cuda as cuda
from tests.test_cuda_replay import products_are_recorded as products_are_recorded

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

pytestmark = needs_compiler


@pytest.fixture
def script(cuda, monkeypatch):
    """The script, with networks that a processor trains in no time."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("gpu")
    monkeypatch.setattr(module, "SMALL", ((6, 5, 3), 4))
    monkeypatch.setattr(module, "LARGE", ((6, 5, 3), 4))
    monkeypatch.setattr(module, "microseconds", lambda step: float(step() is not None) + 1)
    monkeypatch.setattr(module, "torch_steps", lambda *args: {})
    monkeypatch.setattr(module, "jax_steps", lambda *args: {})
    monkeypatch.setattr(module, "MANY", 1000)
    monkeypatch.setattr(module, "backend_for_device", lambda device: (cuda.backend, None))
    return module


@pytest.mark.skipif(selector.find_problem() is None, reason="there is a GPU")
def test_script_says_in_one_line_that_there_is_no_gpu():
    command = [sys.executable, str(BENCHMARKS / "gpu.py")]
    found = subprocess.run(command, capture_output=True, text=True)

    assert found.returncode == 1
    assert found.stdout == ""
    assert len(found.stderr.strip().splitlines()) == 1
    assert "needs an NVIDIA GPU and CuPy" in found.stderr


def test_replay_has_the_numbers_of_eager_steps_and_of_the_cpu(script):
    record = script.replay()

    assert record["relative to eager"] < 1e-6
    assert record["relative to the CPU"] < 1e-5


def test_steps_run_at_each_precision(script):
    record = script.steps()

    assert set(record) == {f"{n}, {p}" for n in ("small", "large") for p in script.PRECISIONS}
    assert all(set(one) == {"gradx eager", "gradx compile"} for one in record.values())


def test_bandwidth_is_measured_of_the_chain_and_of_adam(script):
    assert set(script.bandwidth()) >= {"copy", "fused chain", "adam", "adam / copy"}


def test_ops_are_captured_on_the_played_device(script, monkeypatch):
    names = ["exp", "softmax", "matmul", "convolution", "add_at", "random_numbers", "where", "sum"]
    monkeypatch.setattr(script, "OPS", {name: OPS[name] for name in names})

    record = script.capture()

    assert record == {"captured": len(names), "not captured": {}}
