"""Batches and splits: every row where it should be, and all of it from the key."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import chi2

from gradx.data import batches, split
from gradx.errors import DTypeError, ShapeError
from gradx.random import key as random_key

KEY = random_key(5)
SAMPLINGS = [
    {"sampling": "subsets"},
    {"sampling": "random"},
    {"sampling": "random", "replace": True},
]
each_sampling = pytest.mark.parametrize("sampling", SAMPLINGS, ids=["subsets", "random", "replace"])


class Pair(NamedTuple):
    inputs: object
    targets: object


def placed(backend, array):
    """Return a NumPy array as the backend's, on its first device."""
    return backend.from_numpy(array, backend.devices()[0])


def rows(iterator):
    """Return the batches of a 1-D NumPy array as lists."""
    return [batch.tolist() for batch in iterator]


def joined(iterator):
    return [row for batch in rows(iterator) for row in batch]


# What a batch is.


@each_sampling
def test_a_batch_has_the_tree_of_the_data_and_its_rows_stay_together(backend, sampling):
    numbers = np.arange(10, dtype=np.int64)
    inputs = placed(backend, np.stack([numbers, 2 * numbers], axis=1))
    data = {"pair": Pair(inputs, placed(backend, numbers))}

    steps = list(batches(data, 4, key=KEY, **sampling))

    assert len(steps) == 3
    for step in steps:
        pair = step["pair"]
        assert isinstance(pair, Pair)
        assert type(pair.inputs) is type(inputs)
        picked = backend.to_numpy(pair.targets)
        expected = np.stack([picked, 2 * picked], axis=1)
        np.testing.assert_array_equal(backend.to_numpy(pair.inputs), expected)


def test_batches_lie_on_the_device_of_the_data(backend):
    device = backend.devices()[:2][-1]  # the second where there is one
    array = backend.from_numpy(np.arange(6.0), device)

    for batch in batches(array, 3, key=KEY):
        assert backend.device_of(batch) == device


def test_backends_give_the_same_batches_for_a_key(backend):
    numbers = np.arange(20)

    found = [
        backend.to_numpy(batch).tolist() for batch in batches(placed(backend, numbers), 6, key=KEY)
    ]

    assert found == rows(batches(numbers, 6, key=KEY))


@each_sampling
def test_a_batch_shares_no_memory_with_the_data_or_another_batch(sampling):
    array = np.arange(12.0)

    steps = list(batches(array, 6, key=KEY, **sampling))

    assert not any(np.shares_memory(array, step) for step in steps)
    assert not np.shares_memory(*steps)


def test_a_memory_map_gives_plain_arrays(tmp_path):
    file = np.memmap(tmp_path / "rows", dtype=np.float32, shape=(6, 2), mode="w+")

    assert all(type(batch) is np.ndarray for batch in batches(file, 3, key=KEY))


# One epoch of subsets.


@pytest.mark.parametrize("size", [1, 3, 5, 10, 99])
def test_subsets_take_every_row_exactly_once(size):
    assert sorted(joined(batches(np.arange(10), size, key=KEY))) == list(range(10))


def test_subsets_are_not_in_the_order_of_the_data():
    assert joined(batches(np.arange(1000), 10, key=KEY)) != list(range(1000))


def test_the_last_subset_is_smaller_where_size_does_not_divide():
    data = batches(np.arange(10), 4, key=KEY)

    assert [len(batch) for batch in rows(data)] == [4, 4, 2]
    assert len(data) == 3


@pytest.mark.parametrize(("length", "expected"), [(10, [4, 4]), (12, [4, 4, 4])])
def test_drop_last_leaves_out_only_a_smaller_last_batch(length, expected):
    data = batches(np.arange(length), 4, key=KEY, drop_last=True)

    assert [len(batch) for batch in rows(data)] == expected
    assert len(data) == len(expected)


def test_drop_last_drops_other_rows_in_another_epoch():
    data = batches(np.arange(10), 4, key=KEY, drop_last=True)

    kept = {tuple(sorted(joined(data.epoch(number)))) for number in range(5)}

    assert len(kept) > 1


# Drawing at random.


@pytest.mark.parametrize(("drop_last", "steps"), [(False, 3), (True, 2)])
def test_random_batches_are_all_full_and_as_many_as_subsets(drop_last, steps):
    data = batches(np.arange(10), 4, key=KEY, sampling="random", drop_last=drop_last)

    assert [len(batch) for batch in rows(data)] == [4] * steps == [4] * len(data)


@pytest.mark.parametrize("size", [20, 60])  # drawn and topped up; shuffled
def test_random_without_replacement_repeats_across_batches_but_never_within(size):
    steps = rows(batches(np.arange(100), size, key=KEY, sampling="random"))

    assert all(len(set(step)) == size for step in steps)
    assert any(set(one) & set(other) for one, other in pairwise(steps))


def test_random_with_replacement_repeats_within_a_batch():
    steps = rows(batches(np.arange(100), 50, key=KEY, sampling="random", replace=True))

    assert all(len(set(step)) < 50 for step in steps)


def test_random_with_replacement_draws_more_rows_than_there_are():
    [step] = rows(batches(np.arange(3), 50, key=KEY, sampling="random", replace=True))

    assert len(step) == 50
    assert set(step) == {0, 1, 2}


@pytest.mark.parametrize("size", [3, 12], ids=["few", "many"])
@each_sampling
def test_every_row_is_as_likely_as_another_at_every_place_of_a_batch(sampling, size):
    length, epochs = 20, 600
    data = batches(np.arange(length), size, key=KEY, drop_last=True, **sampling)
    # The first batch of an epoch: whole epochs of subsets hold every row once anyway.
    drawn = np.stack([next(data.epoch(number)) for number in range(epochs)])

    for place in (0, size - 1):
        counts = np.bincount(drawn[:, place], minlength=length)
        expected = epochs / length
        statistic = np.sum((counts - expected) ** 2) / expected
        assert statistic < chi2.ppf(0.9999, length - 1)


def test_every_subset_of_two_rows_is_as_likely_as_another():
    # Ten pairs of five rows: shows draws that favour neighbours, which single rows do not.
    data = batches(np.arange(5), 2, key=KEY, sampling="random")
    counts = {}
    for number in range(500):
        for pair in rows(data.epoch(number)):
            counts[tuple(sorted(pair))] = counts.get(tuple(sorted(pair)), 0) + 1

    expected = 150
    statistic = sum((count - expected) ** 2 for count in counts.values()) / expected

    assert len(counts) == 10
    assert statistic < chi2.ppf(0.9999, 9)


# Keys and epochs.


@each_sampling
def test_the_same_key_gives_the_same_batches_and_iterating_again_does_too(sampling):
    data = batches(np.arange(50), 8, key=KEY, **sampling)

    assert rows(data) == rows(data) == rows(batches(np.arange(50), 8, key=KEY, **sampling))


@each_sampling
def test_another_key_gives_other_batches(sampling):
    data = np.arange(50)

    assert rows(batches(data, 8, key=KEY, **sampling)) != rows(
        batches(data, 8, key=random_key(6), **sampling)
    )


@each_sampling
def test_epochs_differ_and_steps_of_an_epoch_differ(sampling):
    data = batches(np.arange(50), 8, key=KEY, **sampling)
    first, second = rows(data.epoch(0)), rows(data.epoch(1))

    assert first != second
    assert first[0] != first[1]
    assert rows(data) == first


@each_sampling
def test_an_epoch_entered_at_a_step_goes_on_as_if_it_had_not_stopped(sampling):
    data = batches(np.arange(50), 8, key=KEY, **sampling)

    assert rows(data.epoch(2, start=3)) == rows(data.epoch(2))[3:]


# Mistakes.


@pytest.mark.parametrize(
    ("arrays", "settings", "error", "message"),
    [
        (
            (np.ones(5), np.ones(4)),
            {},
            ShapeError,
            r"arrays\[0\] has 5 rows, but arrays\[1\] has 4",
        ),
        ({"x": np.ones(5), "y": np.ones((6, 5))}, {}, ShapeError, r"'x'\] has 5 .*'y'\] has 6"),
        (np.ones((0, 3)), {}, ShapeError, "no rows"),
        (np.ones(()), {}, ShapeError, "no axes"),
        ((), {}, ShapeError, "at least one array"),
        ([1.0, 2.0], {}, DTypeError, "expected an array"),
        (np.ones(5), {"size": 0}, ShapeError, "positive, got 0"),
        (np.ones(5), {"size": -2}, ShapeError, "positive, got -2"),
        (np.ones(5), {"size": 2.0}, DTypeError, r"integer, got 2\.0"),
        (np.ones(5), {"size": True}, DTypeError, "integer, got True"),
        (np.ones(5), {"sampling": "bootstrap"}, ShapeError, "'bootstrap': use one of random, sub"),
        (np.ones(5), {"replace": True}, ShapeError, "no meaning with sampling='subsets'"),
        (np.ones(5), {"size": 6, "sampling": "random"}, ShapeError, "6 different rows of 5"),
        (np.ones(5), {"size": 6, "drop_last": True}, ShapeError, "no batch of 5 rows"),
    ],
)
def test_batches_refuses(arrays, settings, error, message):
    with pytest.raises(error, match=message):
        batches(arrays, key=KEY, **{"size": 2, **settings})


def test_a_size_may_be_any_integer_type():
    assert len(batches(np.arange(6), np.int32(2), key=KEY)) == 3


# Splitting.


def test_split_puts_every_row_in_exactly_one_part(backend):
    numbers = np.arange(10)
    data = Pair(placed(backend, numbers), placed(backend, 10 * numbers))

    training, validation = split(data, 0.7, key=KEY)

    parts = [backend.to_numpy(part.inputs) for part in (training, validation)]
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(np.concatenate(parts).tolist()) == list(range(10))
    np.testing.assert_array_equal(backend.to_numpy(validation.targets), 10 * parts[1])


def test_split_into_sizes_gives_parts_of_those_sizes():
    parts = split(np.arange(10), (5, 3, 2), key=KEY)

    assert [len(part) for part in parts] == [5, 3, 2]
    assert sorted(np.concatenate(parts).tolist()) == list(range(10))


def test_split_is_random_and_all_from_the_key():
    first, again = (split(np.arange(50), 0.5, key=KEY)[0].tolist() for _ in range(2))
    other = split(np.arange(50), 0.5, key=random_key(6))[0].tolist()

    assert first == again != other
    assert sorted(first) != list(range(25))


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        (0.0, ShapeError, "between 0 and 1"),
        (1.0, ShapeError, "between 0 and 1"),
        (0.01, ShapeError, r"parts of \[0, 10\]"),
        ((5, 6), ShapeError, r"cannot divide 10 rows into parts of \[5, 6\]"),
        ((10, 0), ShapeError, r"\[10, 0\]"),
        ((), ShapeError, r"\[\]"),
        ((0.5, 0.5), DTypeError, r"integer, got 0\.5"),
        (5, DTypeError, "fraction or a sequence of sizes, got 5"),
        ("82", DTypeError, "fraction or a sequence"),
    ],
)
def test_split_refuses(sizes, error, message):
    with pytest.raises(error, match=message):
        split(np.arange(10), sizes, key=KEY)
