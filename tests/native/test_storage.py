"""Machine code on disk: kept once, whole or not at all, in a folder that is ours."""

import os
import subprocess
import sys
import threading

import pytest

from gradx.backends.native import compiler, storage
from gradx.backends.native.storage import Store, user_store

SOURCE = "define i32 @run() {{ ret i32 {} }}"


def test_what_was_written_is_read(tmp_path):
    store = Store(tmp_path)

    store.write("key", b"machine code")

    assert store.read("key") == b"machine code"
    assert store.read("other") is None


@pytest.mark.parametrize("change", ["shorter", "other", "empty", "longer"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, change):
    store = Store(tmp_path)
    store.write("key", b"machine code")
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    changes = {
        "shorter": whole[:-1],
        "other": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
        "longer": whole + b"x",
    }

    file.write_bytes(changes[change])

    assert store.read("key") is None


def test_code_is_compiled_once_and_again_after_damage(tmp_path, monkeypatch):
    calls = []
    translate = compiler.translate
    counted = lambda text, passes: calls.append(text) or translate(text, passes)
    monkeypatch.setattr(compiler, "translate", counted)
    store = Store(tmp_path)
    source = SOURCE.format(7)

    for _ in range(2):
        compiler.addresses(source, ("run",), store)
    assert len(calls) == 1
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"no code at all, and longer than a digest")
    compiler.addresses(source, ("run",), store)

    assert len(calls) == 2


def test_many_writers_leave_one_whole_file(tmp_path):
    store = Store(tmp_path)
    code = os.urandom(100_000)
    seen = []

    def work():
        for _ in range(20):
            store.write("key", code)
            seen.append(store.read("key") == code)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert all(seen)
    assert [file.name for file in tmp_path.iterdir()] == ["key.o"]


@pytest.fixture
def fresh():
    user_store.cache_clear()
    yield
    user_store.cache_clear()


def test_the_folder_is_the_one_that_is_chosen(tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("GRADX_CACHE_DIR", str(tmp_path / "mine"))

    assert user_store().folder == tmp_path / "mine" / "native"


def test_nothing_is_kept_where_no_folder_is_chosen(monkeypatch, fresh):
    monkeypatch.setenv("GRADX_CACHE_DIR", "")

    assert user_store() is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no such modes here")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("GRADX_CACHE_DIR", str(tmp_path))
    (tmp_path / "native").mkdir()
    (tmp_path / "native").chmod(0o777)

    assert user_store() is None


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path, monkeypatch, fresh):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADX_CACHE_DIR", str(tmp_path / "file"))

    assert user_store() is None


def test_a_full_disk_keeps_nothing_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*paths):
        raise OSError("no space left")

    monkeypatch.setattr(storage.os, "replace", full)

    Store(tmp_path).write("key", b"code")

    assert list(tmp_path.iterdir()) == []


FORKING = """
import os, numpy as np, gradx as gx
from gradx.backends.native import threads
threads.limit(2)
f = gx.compile(lambda x: gx.sum(gx.exp(x) * 2 + 1))
x = np.linspace(0, 1, 3_000_000)
total = f(x)
child = os.fork()
if child == 0:
    os._exit(0 if f(x) == total else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_goes_on(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        env={**os.environ, "GRADX_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
