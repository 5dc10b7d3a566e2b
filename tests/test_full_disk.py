"""A disk that is full while a file is saved: an error, and what was there before stays whole."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")

ROOT = Path(__file__).parent.parent
# In a process of its own, which may write files up to a size: as on a disk with so much room.
LIMITED = """
import errno, resource, sys
from contextlib import contextmanager
from pathlib import Path

@contextmanager
def room_for(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    except OSError as error:
        assert error.errno == errno.EFBIG, error
        print("full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

directory = Path(sys.argv[1])
"""
SAVING = (
    LIMITED
    + """
import numpy as np
import gradx as gx

path = directory / "saved"
gx.save(path, {"a": np.zeros(5000)})
needed = path.stat().st_size
for size in [0, 1, 8, 100, 600, needed // 2, needed - 1]:
    with room_for(size):
        gx.save(path, {"a": np.ones(5000)})
    assert not gx.load(path, like={"a": np.zeros(5000)})["a"].any()
    assert [file.name for file in directory.iterdir()] == ["saved"]
with room_for(needed):
    gx.save(path, {"a": np.ones(5000)})
assert gx.load(path, like={"a": np.zeros(5000)})["a"].all()
"""
)
TRAINING = (
    LIMITED
    + """
from gradx import optim
from gradx.train import Checkpoint
from tests.test_checkpoints import assert_same_run, run

def fill(state):
    if state.epoch == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))

with room_for(2**40):
    run(optim.adam(0.01), callbacks=[fill, Checkpoint(directory)])
resumed = run(optim.adam(0.01), callbacks=[Checkpoint(directory)], resume=directory)
assert_same_run(resumed, run(optim.adam(0.01)))
"""
)


@pytest.mark.parametrize(("program", "times"), [(SAVING, 7), (TRAINING, 1)], ids=["save", "fit"])
def test_a_full_disk_leaves_the_last_good_file(program, times, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "full\n" * times
