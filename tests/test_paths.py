"""Paths that no file can have, and places where none can be: nothing there is changed."""

import os
import stat

import numpy as np
import pytest

import gradx as gx
from gradx import nn, optim, train

MODEL = nn.Linear(3, 2, key=gx.random.key(0))


def history():
    data = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    key = gx.random.key(1)
    options = {"epochs": 1, "key": key, "progress": None}
    return train.fit(MODEL, nn.mse, optim.sgd(0.1), data, **options).history


WRITERS = {
    "save": lambda path: gx.save(path, MODEL),
    "save_state_dict": lambda path: gx.saving.save_state_dict(path, MODEL),
    "draw": gx.draw(lambda x: x * x, 2.0).save,
    "profile": gx.profile(lambda x: x * x, 2.0).save,
    "report": lambda path: history().report(path),
    "JSONLog": train.JSONLog,
    "Checkpoint": train.Checkpoint,
}
every_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
saving = pytest.mark.parametrize(
    "write", [WRITERS["save"], WRITERS["save_state_dict"]], ids=["save", "save_state_dict"]
)


@every_writer
@pytest.mark.parametrize("path", ["", "a\0b"], ids=["empty", "with a null"])
def test_path_that_no_file_can_have_is_named(write, path):
    with pytest.raises(gx.GradxError, match=r"the path is '.*', which no file can have"):
        write(path)


@every_writer
@pytest.mark.parametrize("path", [None, 3, b"a", ["a"]], ids=str)
def test_what_is_no_path_is_named(write, path):
    with pytest.raises(gx.GradxError, match=r"the path is .*, expected a string or a Path"):
        write(path)


@saving
def test_pipe_and_device_are_not_replaced(write, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)

    for path in [pipe, link]:
        with pytest.raises(FileExistsError, match="a device or a pipe is there"):
            write(path)

    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


@saving
def test_folder_where_a_file_should_be_is_named(write, tmp_path):
    with pytest.raises(IsADirectoryError, match="a folder is there") as raised:
        write(tmp_path)

    assert raised.value.filename == str(tmp_path)


@saving
def test_folder_that_is_missing_is_named(write, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder") as raised:
        write(tmp_path / "missing" / "model.safetensors")

    assert raised.value.filename == str(tmp_path / "missing")


def test_names_of_any_alphabet_are_kept(tmp_path):
    for name in ["мо́дель 模型 💾", "C:\\models\\a", "a b", "x" * 200]:
        gx.save(tmp_path / name, MODEL)

        assert np.array_equal(gx.load(tmp_path / name, like=MODEL).weight, MODEL.weight)


def test_file_of_another_kind_is_no_safetensors_file(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.ones(3))

    with pytest.raises(gx.CheckpointError, match="no safetensors file, or cut off"):
        gx.load(path)
