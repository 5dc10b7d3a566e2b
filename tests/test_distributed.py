"""Processes that train together end with the same bits, which are those of one process alone."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DeviceError, DTypeError, ShapeError
from gradx.ops import collective

ROOT = Path(__file__).parent.parent
LAUNCHER = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
ALONE = gx.distributed.World(0, 1)


def start(kind, path, *launcher):
    command = [*launcher, "-m", "tests.distributed_program", kind, str(path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def run(kind, path, *launcher):
    done = start(kind, path, *launcher)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text()), done.stdout


def launcher_of(processes):
    pytest.importorskip("mpi4py")
    if LAUNCHER is None:
        pytest.skip("there is no mpiexec")
    return LAUNCHER, "-n", str(processes), sys.executable, "-m", "mpi4py"


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return a function that runs the program in two processes, each kind once."""
    launcher = launcher_of(2)
    directory = tmp_path_factory.mktemp("together")
    return cache(lambda kind: run(kind, directory / f"{kind}.json", *launcher))


@pytest.mark.parametrize("kind", ["plain", "noisy", "stopped"])
def test_all_processes_end_with_the_same_bits(kind, together):
    (first, second), text = together(kind)

    assert [found[0]["rank"] for found in (first, second)] == [0, 1]
    for ours, theirs in zip(first, second, strict=True):
        for name in ("digest", "loss", "stopped"):
            assert ours[name] == theirs[name]
        assert ours["mean"] == theirs["mean"] == 0.5
    np.testing.assert_allclose(first[0]["loss"], first[1]["loss"], rtol=1e-9)  # compiled and not
    assert text.count("epoch 1/6") == 2  # one line for each run: the second process is silent


def test_two_processes_do_what_one_does(together, tmp_path):
    (first, _), _ = together("plain")

    ((alone, _),), _ = run("plain", tmp_path / "one.json", sys.executable)

    np.testing.assert_allclose(first[0]["loss"], alone["loss"], rtol=1e-12)
    np.testing.assert_allclose(first[0]["weights"], alone["weights"], rtol=1e-10)


def test_four_processes_end_with_the_same_bits_as_each_other_and_the_numbers_of_one(tmp_path):
    found, _ = run("plain", tmp_path / "four.json", *launcher_of(4))

    ((alone, _),), _ = run("plain", tmp_path / "one.json", sys.executable)

    assert [process[0]["rank"] for process in found] == [0, 1, 2, 3]
    for way in (0, 1):  # compiled and not
        assert len({process[way]["digest"] for process in found}) == 1
    np.testing.assert_allclose(found[3][0]["loss"], alone["loss"], rtol=1e-12)
    np.testing.assert_allclose(found[3][0]["weights"], alone["weights"], rtol=1e-10)


def test_a_crash_of_one_process_ends_all(tmp_path):
    done = start("crash", tmp_path / "crash.json", *launcher_of(4))

    assert done.returncode != 0
    assert "the third process has had enough" in done.stderr
    assert not (tmp_path / "crash.json").exists()


def test_a_callback_of_the_first_process_stops_all(together):
    (first, second), _ = together("stopped")

    assert [len(found[0]["loss"]) for found in (first, second)] == [3, 3]
    assert second[0]["stopped"] == "enough"


def test_alone_the_world_is_of_one_process():
    assert gx.distributed.world() == ALONE
    assert ALONE.agree("anything") == "anything"


def test_parts_of_a_batch_are_the_batch():
    data = gx.data.batches(np.arange(12), 4, key=gx.random.key(0))

    parts = [list(gx.distributed.World(rank, 2).part(data).epoch(3)) for rank in (0, 1)]

    for whole, first, second in zip(data.epoch(3), *parts, strict=True):
        np.testing.assert_array_equal(np.stack([first, second], axis=1).ravel(), whole)
    assert ALONE.part(data) is data


def test_unequal_parts_are_refused():
    key, world = gx.random.key(0), gx.distributed.World(0, 2)
    with pytest.raises(ShapeError, match="a batch of 3 rows for 2 processes"):
        world.part(gx.data.batches(np.arange(12), 3, key=key))
    with pytest.raises(ShapeError, match=r"a batch of 1 rows .* drop_last=True"):
        world.part(gx.data.batches(np.arange(9), 4, key=key))

    assert len(world.part(gx.data.batches(np.arange(9), 4, key=key, drop_last=True))) == 2
    assert len(world.part(gx.data.batches(np.arange(9), 4, key=key, sampling="random"))) == 3


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(DTypeError, match=r"data is list, expected arrays or gx\.data\.batches"):
        gx.distributed.World(0, 2).part([np.ones(2)])
    with pytest.raises(DTypeError, match=r"world is 2, expected gx\.distributed\.world\(\)"):
        gx.train.fit(None, gx.nn.mse, gx.optim.sgd(0.1), (), epochs=1, key=None, world=2)


class TwoProcesses:
    size = 2


def test_arrays_elsewhere_than_in_numpy_are_refused(monkeypatch):
    strict = pytest.importorskip("array_api_strict")
    monkeypatch.setattr(collective, "communicator", TwoProcesses)

    with pytest.raises(
        DeviceError, match="averages NumPy arrays only, got one of array_api_strict"
    ):
        collective.mean_of_processes(strict.ones(2))


def test_a_launcher_without_mpi4py_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)

    with pytest.raises(gx.MissingPackageError, match=r"pip install 'gradx\[mpi\]'"):
        collective.communicator.__wrapped__()
