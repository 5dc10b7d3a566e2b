"""Saved trees: what comes back, what a damaged file does, and what a killed writer leaves."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradx as gx
from gradx import nn
from gradx.core import tree
from gradx.errors import CheckpointError, DTypeError, ShapeError, TrackedError
from gradx.saving.layout import HEADER_DIGEST, METADATA, header_digest
from gradx.saving.reading import read_file
from tests.damage import DAMAGES, HOSTILE, example, key_twice, parsed, run, written

ROOT = Path(__file__).parent.parent
KEY = gx.random.key(0)
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
DTYPES = ["bool", *INTEGERS, "float16", "float32", "float64", "complex64", "complex128"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "saved.safetensors"


def arrays_of(dtype):
    rng = np.random.default_rng(0)
    whole = np.asarray(rng.normal(size=(4, 6)) * 20 + 1j * rng.normal(size=(4, 6)))
    array = whole.astype(dtype) if dtype.startswith("complex") else np.abs(whole).astype(dtype)
    return {
        "plain": array,
        "transposed": array.T,
        "strided": array[::2, ::3],
        "backwards": array[:, ::-1],
        "fortran": np.asfortranarray(array),
        "scalar": array[0, 0, ...].reshape(()),
        "empty": array[:0],
        "broadcast": np.broadcast_to(array[0], (3, 6)),
    }


def assert_same(found, expected):
    assert tree.flatten(found)[1] == tree.flatten(expected)[1]
    for ours, theirs in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(ours, theirs)


# What comes back.


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_every_dtype_and_order_come_back(dtype, path):
    arrays = arrays_of(dtype)

    gx.save(path, arrays)

    found = gx.load(path, like=arrays)
    assert_same(found, arrays)
    assert all(array.flags.writeable and array.flags.owndata for array in found.values())


def test_a_model_and_the_state_of_its_optimizer_come_back(path):
    model = nn.Sequential(
        nn.Linear(3, 4, key=KEY), nn.BatchNorm(4), nn.relu, nn.LSTM(4, 2, key=KEY)
    )
    optimizer = gx.optim.adam(1e-3)
    saved = {"model": model, "optimizer": optimizer.init(model), "key": KEY}

    gx.save(path, saved)

    assert_same(gx.load(path, like=tree.map(np.zeros_like, saved)), saved)


def test_arrays_of_any_library_come_back_to_where_they_were(backend, path):
    device = backend.devices()[-1]
    saved = {"a": backend.from_numpy(np.arange(6.0).reshape(2, 3), device)}

    gx.save(path, saved)
    found = gx.load(path, like=saved)["a"]

    assert type(found) is type(saved["a"])
    assert backend.device_of(found) == backend.device_of(saved["a"])
    np.testing.assert_array_equal(backend.to_numpy(found), np.arange(6.0).reshape(2, 3))


def test_numbers_come_back_as_numbers(path):
    saved = {"a": 1.5, "b": 3, "c": True, "d": 1 + 2j}

    gx.save(path, saved)
    found = gx.load(path, like=saved)

    assert found == saved
    assert [type(value) for value in found.values()] == [float, int, bool, complex]


def test_not_a_number_keeps_its_bits(path):
    saved = np.asarray([0x7FF8000000000001, 0xFFF0000000000001], np.uint64).view(np.float64)

    gx.save(path, saved)

    assert gx.load(path, like=saved).tobytes() == saved.tobytes()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_infinities_keep_their_other_part(dtype, path):
    saved = np.asarray([complex(1, np.inf), complex(-np.inf, -0.0)], dtype)

    gx.save(path, saved)

    assert gx.load(path, like=saved).tobytes() == saved.tobytes()


def test_without_like_arrays_come_by_their_paths(path):
    model = nn.Sequential(nn.Linear(3, 4, key=KEY), nn.relu)

    gx.save(path, model)

    assert sorted(gx.load(path)) == ["layers[0].bias", "layers[0].weight"]


def test_metadata_come_back(path):
    gx.save(path, np.ones(2), metadata={"epoch": "3"})

    assert read_file(path).metadata == {"epoch": "3"}


def test_safetensors_reads_our_files(path):
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = arrays_of("float32")

    gx.save(path, arrays)

    found = numpy.load_file(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[f"['{name}']"], array)


def test_we_read_files_of_safetensors_when_told_so(path):
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {"weight": np.arange(6.0).reshape(2, 3), "mask": np.asarray([True, False])}
    numpy.save_file(arrays, path, metadata={"format": "np"})

    with pytest.raises(CheckpointError, match=r"no SHA-256 .* verify=False reads it"):
        gx.load(path)
    assert_same(gx.load(path, verify=False), arrays)


# What does not fit.


def test_another_tree_is_refused(path):
    gx.save(path, {"a": np.ones(2), "b": np.ones(3)})

    with pytest.raises(ShapeError, match=r"the file lacks \['c'\], and has besides \['b'\]"):
        gx.load(path, like={"a": np.ones(2), "c": np.ones(3)})
    with pytest.raises(ShapeError, match=r"\['b'\] is float64 \(3,\) in the file.*\(4,\)"):
        gx.load(path, like={"a": np.ones(2), "b": np.ones(4)})
    with pytest.raises(DTypeError, match=r"\['b'\] is float64 in the file, expected float32"):
        gx.load(path, like={"a": np.ones(2), "b": np.ones(3, np.float32)})


WRONG = {
    "text": (lambda path: gx.save(path, {"a": "text"}), DTypeError, r"\['a'\] is 'text'"),
    "a number for a path": (lambda path: gx.save(3, np.ones(2)), DTypeError, "the path is 3"),
    "metadata": (
        lambda path: gx.save(path, np.ones(2), metadata={"a": 1}),
        DTypeError,
        "'a': 1, expected strings",
    ),
    "our metadata": (
        lambda path: gx.save(path, np.ones(2), metadata={"gradx.sha256": ""}),
        ShapeError,
        "gradx's own",
    ),
    "a tracked array": (
        lambda path: gx.grad(lambda x: gx.save(path, x))(np.ones(2)),
        TrackedError,
        "array is tracked",
    ),
    "dates": (
        lambda path: gx.save(path, np.ones(2, "datetime64[s]")),
        DTypeError,
        "safetensors does not have",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_saved_is_named_and_no_file_is_left(call, error, message, path):
    with pytest.raises(error, match=message):
        call(path)

    assert not list(path.parent.iterdir())


def test_a_file_that_is_not_there_is_an_error_of_the_system(path):
    with pytest.raises(FileNotFoundError):
        gx.load(path)


# Damaged files.


@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_raise_one_error_or_are_what_was_saved(seed):
    counts = run(160, seed)

    refused = sum(count for (_, outcome), count in counts.items() if outcome == "refused")
    assert refused > 130


def test_every_byte_counts(path):
    gx.save(path, example())
    data = path.read_bytes()
    expected = gx.load(path)

    for position in range(0, len(data), 3):
        path.write_bytes(data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :])
        try:
            found = gx.load(path)
        except CheckpointError:
            continue
        assert all(np.array_equal(found[n], expected[n]) for n in expected), position


def test_a_flipped_bit_names_the_array(path):
    gx.save(path, {"a": np.ones(2), "b": np.ones(3)})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(CheckpointError, match=r"saved.*: \"\['b'\]\" is damaged: its SHA"):
        gx.load(path)


MALFORMED = {
    "nothing": (b"", "its 0 bytes are too few"),
    "a long header": ((2**60).to_bytes(8, "little") + b"{}", "too few for a header of"),
    "a list": (written(b"[]", b""), "its header is no JSON object"),
    "no JSON": (written(b"{a}", b""), "its header is no JSON: JSONDecodeError"),
    "no text": (written(b'{"\xff":1}', b""), "its header is no JSON: UnicodeDecodeError"),
    "a deep header": (written(b'{"a":' * 50_000, b""), "nested without end"),
    "metadata": (written({"__metadata__": {"a": 1}}, b""), "its metadata are no strings"),
    "a NaN": (written(b'{"a": NaN}', b""), "it has a NaN"),
}
PLACES = {
    "a dtype": ("F8", [1], [0, 1], "the dtype of 'a' is 'F8', expected one of BOOL"),
    "a class": ("os.system", [1], [0, 1], "the dtype of 'a' is 'os.system'"),
    "a shape": ("F32", [-1], [0, 4], "the shape of 'a' is none"),
    "many axes": ("F32", [1] * 65, [0, 4], "the shape of 'a' is none"),
    "a fraction": ("F32", [1.0], [0, 4], "the shape of 'a' is none"),
    "a huge shape": ("F32", [2**40], [0, 4], "another number of bytes than its shape"),
    "endless nothing": ("F32", [0, 2**61, 2**61], [0, 0], "the shape of 'a' is too large", b""),
    "a hole": ("F32", [1], [4, 8], "do not lie one behind the other"),
    "beyond the end": ("F32", [4], [0, 16], "its arrays end at 16, but 8 bytes are there"),
    "before the end": ("F32", [1], [0, 4], "its arrays end at 4, but 8 bytes are there"),
    "backwards": ("F32", [0], [4, 0], "another number of bytes"),
    "three offsets": ("F32", [1], [0, 4, 8], "the offsets of 'a' are none"),
    "a truth value": ("BOOL", [8], [0, 8], "a truth value above 1"),
}


@pytest.mark.parametrize(("data", "message"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("verify", [True, False])
def test_a_malformed_file_says_what_is_wrong(data, message, verify, path):
    path.write_bytes(data)

    with pytest.raises(CheckpointError, match=message):
        gx.load(path, verify=verify)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_malformed_place_says_what_is_wrong(place, path):
    dtype, shape, offsets, message, *body = place
    entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    path.write_bytes(written({"a": entry}, body[0] if body else b"\x02" * 8))

    with pytest.raises(CheckpointError, match=message):
        gx.load(path, verify=False)


@pytest.mark.parametrize(("before", "after"), [(b"F64", b"I64"), (b'"e": "3"', b'"e": "4"')])
def test_a_header_that_says_something_else_is_damaged(before, after, path):
    gx.save(path, np.ones(2), metadata={"e": "3"})
    path.write_bytes(path.read_bytes().replace(before, after, 1))

    with pytest.raises(CheckpointError, match="its header is damaged"):
        gx.load(path)


def test_a_forgery_is_read_as_what_it_says_and_refused_by_like(path):
    gx.save(path, {"count": np.asarray(7)})
    header, body = parsed(path.read_bytes())
    header["['count']"]["dtype"] = "F64"
    header[METADATA][HEADER_DIGEST] = header_digest(header)
    path.write_bytes(written(header, body))

    assert gx.load(path)["['count']"].dtype == np.float64
    with pytest.raises(DTypeError, match=r"\['count'\] is float64 in the file, expected int64"):
        gx.load(path, like={"count": np.asarray(7)})


def test_a_header_without_end_is_not_read(path):
    with open(path, "wb") as file:
        file.write((150_000_000).to_bytes(8, "little"))
        file.truncate(200_000_000)

    with pytest.raises(CheckpointError, match="its header of 150000000 bytes is too long"):
        gx.load(path)


def test_a_key_that_is_there_twice_is_refused(path):
    gx.save(path, example())
    path.write_bytes(key_twice(np.random.default_rng(0), path.read_bytes()))

    with pytest.raises(CheckpointError, match="it has a key twice"):
        gx.load(path, verify=False)


def test_overlapping_arrays_are_refused(path):
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    path.write_bytes(written({"a": entry, "b": entry}, b"\0" * 4))

    with pytest.raises(CheckpointError, match="do not lie one behind the other"):
        gx.load(path, verify=False)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keep = os.open(pipe, os.O_RDWR)

    with pytest.raises(CheckpointError, match="it is no ordinary file"):
        gx.load(pipe)
    os.close(keep)


AUDIT = """
import sys
from pathlib import Path
import numpy as np
import gradx as gx
from tests.damage import DAMAGES, HOSTILE, example

path, rng = Path(sys.argv[1]), np.random.default_rng(0)
gx.save(path, example())
data = path.read_bytes()
gx.load(path)
seen = []
watching = False
sys.addaudithook(lambda event, args: seen.append((event, args)) if watching else None)
for damage in (DAMAGES + HOSTILE) * 8:
    path.write_bytes(damage(rng, data))
    watching = True
    try:
        gx.load(path)
    except gx.CheckpointError:
        pass
    watching = False
opened = [args for event, args in seen if event == "open"]
assert opened and all(str(args[0]) == str(path) for args in opened), opened
assert {event for event, _ in seen} == {"open"}, {event for event, _ in seen}
"""


def test_loading_imports_runs_and_opens_nothing(path):
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(path)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_there_is_no_pickle_in_saving():
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "gradx" / "saving").glob("*.py")]

    assert len(sources) == 7
    assert not [s for s in sources if "import pickle" in s or "np.load" in s or "eval(" in s]


# Writing.


def test_a_write_that_fails_leaves_what_was_there(path, monkeypatch):
    gx.save(path, np.ones(2))
    monkeypatch.setattr(os, "fsync", lambda descriptor: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        gx.save(path, np.zeros(2))

    assert [p.name for p in path.parent.iterdir()] == [path.name]
    np.testing.assert_array_equal(gx.load(path, like=np.ones(2)), 1)


def test_a_file_is_on_disk_before_it_takes_the_place_of_the_old_one(path, monkeypatch):
    happened = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda d: happened.append("fsync") or fsync(d))
    monkeypatch.setattr(os, "replace", lambda a, b: happened.append("replace") or replace(a, b))

    gx.save(path, np.ones(2))

    assert happened == ["fsync", "replace", "fsync"]


def test_a_link_stays_one(tmp_path):
    target, link = tmp_path / "first", tmp_path / "latest"
    gx.save(target, np.ones(2))
    link.symlink_to(target)

    gx.save(link, np.zeros(2))

    assert link.is_symlink()
    np.testing.assert_array_equal(gx.load(target, like=np.ones(2)), 0)


def test_the_same_tree_gives_the_same_bytes(tmp_path):
    for name in "ab":
        gx.save(tmp_path / name, example(), metadata={"epoch": "3"})

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_killed_writer_leaves_a_whole_file():
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "--rounds", "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert not done.stdout.startswith("0 of"), done.stdout


def test_every_kind_of_damage_is_tried():
    tried = {damage for damage, _ in run(2 * len(DAMAGES + HOSTILE))}

    assert tried == {damage.__name__ for damage in DAMAGES + HOSTILE}
